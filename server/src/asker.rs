//! Questions to the store: how many at a time, and for how long.

use std::sync::Arc;
use std::time::Duration;

use statetrail_store::EventStore;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::problem::{Problem, busy, too_slow};

/// Asks one store.
pub(crate) struct Asker {
    store: Arc<dyn EventStore>,
    permits: Arc<Semaphore>,
    deadline: Duration,
}

impl Asker {
    /// Asks so many questions at a time, each of which may wait and take so long.
    pub(crate) fn new(store: Arc<dyn EventStore>, questions: usize, deadline: Duration) -> Asker {
        Asker { store, permits: Arc::new(Semaphore::new(questions)), deadline }
    }

    pub(crate) fn store(&self) -> &Arc<dyn EventStore> {
        &self.store
    }

    /// Asks on a thread where a store may take its time: SQLite answers while it is polled. A
    /// question that is given up goes on until the store has answered, and counts until then.
    pub(crate) async fn ask<T, Q, A>(&self, question: Q) -> Result<T, Problem>
    where
        T: Send + 'static,
        Q: FnOnce() -> A + Send + 'static,
        A: Future<Output = Result<T, Problem>>,
    {
        let permit = timeout(self.deadline, Arc::clone(&self.permits).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else { return Err(busy()) };
        let runtime = Handle::current();
        let asking = tokio::task::spawn_blocking(move || {
            let answer = runtime.block_on(question());
            drop(permit);
            answer
        });
        match timeout(self.deadline, asking).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                tracing::error!(%error, "a question ended badly");
                let status = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
                Err(Problem::new(status, "the question failed; see the server's log"))
            }
            Err(_) => Err(too_slow()),
        }
    }
}

//! Questions to the store: how many at a time, and for how long.

use std::sync::Arc;
use std::time::Duration;

use statetrail_store::{EventStore, GivenUp};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::problem::{Problem, busy, too_slow};

/// Asks one store.
pub(crate) struct Asker {
    store: Arc<dyn EventStore>,
    permits: Arc<Semaphore>,
    deadline: Duration,
}

impl Asker {
    /// Asks so many questions at a time, each of which may wait and take so long together.
    pub(crate) fn new(store: Arc<dyn EventStore>, questions: usize, deadline: Duration) -> Asker {
        Asker { store, permits: Arc::new(Semaphore::new(questions)), deadline }
    }

    pub(crate) fn store(&self) -> &Arc<dyn EventStore> {
        &self.store
    }

    /// Asks on a thread where a store may take its time: SQLite answers while it is polled. A
    /// question that is given up, by time or because nobody waits for it any more, ends soon, and
    /// counts until then.
    pub(crate) async fn ask<T, Q, A>(&self, question: Q) -> Result<T, Problem>
    where
        T: Send + 'static,
        Q: FnOnce() -> A + Send + 'static,
        A: Future<Output = Result<T, Problem>>,
    {
        let until = Instant::now() + self.deadline;
        let permit = timeout_at(until, Arc::clone(&self.permits).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else { return Err(busy()) };
        let runtime = Handle::current();
        let given_up = GivenUp::default();
        let (alive, nobody_waits) = oneshot::channel::<()>();
        let _waiting = Waiting { given_up: given_up.clone(), _alive: alive };
        let asking = tokio::task::spawn_blocking(move || {
            let ask = async {
                tokio::select! {
                    biased;
                    _ = nobody_waits => Err(too_slow()),
                    answer = question() => answer,
                }
            };
            let answer = given_up.while_asking(|| runtime.block_on(ask));
            drop(permit);
            answer
        });
        match timeout_at(until, asking).await {
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

/// Whoever waits for an answer. Dropped, the question is given up: a store that waits for its
/// servers is not polled any more, and one that blocks its thread is told.
struct Waiting {
    given_up: GivenUp,
    _alive: oneshot::Sender<()>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.given_up.give_up();
    }
}

#[cfg(test)]
mod tests {
    use statetrail_store::sqlite::SqliteStore;
    use tokio::time::timeout;

    use super::*;
    use crate::access::{Scope, ScopedStore};

    /// Does not even let go of its thread between its questions.
    #[tokio::test]
    async fn a_store_that_blocks_its_thread_is_ended_too() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn EventStore> =
            Arc::new(SqliteStore::open(&folder.path().join("trail.db")).unwrap());
        let asker = Asker::new(Arc::clone(&store), 1, Duration::from_millis(100));
        let endless = move || async move {
            loop {
                store.kinds().await?;
            }
        };
        let given_up: Result<(), Problem> = asker.ask(endless).await;
        assert_eq!(given_up, Err(too_slow()));
        let patient = Asker { deadline: Duration::from_secs(60), ..asker };
        assert_eq!(patient.ask(|| async { Ok(7) }).await, Ok(7));
    }

    #[tokio::test]
    async fn a_question_without_end_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn EventStore> =
            Arc::new(SqliteStore::open(&folder.path().join("trail.db")).unwrap());
        let endless = |store: Arc<dyn EventStore>| async move {
            let store = ScopedStore::new(store, Scope::All);
            loop {
                store.kinds().await?;
            }
        };
        let asker = Asker::new(Arc::clone(&store), 1, Duration::from_millis(100));
        let own = Arc::clone(&store);
        let given_up: Result<(), Problem> = asker.ask(move || endless(own)).await;
        assert_eq!(given_up, Err(too_slow()));
        // The only place for a question is free again.
        let patient = Asker { deadline: Duration::from_secs(60), ..asker };
        assert_eq!(patient.ask(|| async { Ok(7) }).await, Ok(7));
        let nobody = timeout(Duration::from_millis(100), patient.ask(move || endless(store)));
        assert!(nobody.await.is_err());
        assert_eq!(patient.ask(|| async { Ok(8) }).await, Ok(8));
    }
}

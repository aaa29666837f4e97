//! Reads what arrives once for all clients.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use statetrail_store::{ArrivalCursor, Arrivals, EventStore};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use super::frames;
use super::ring::{Batch, Ring};
use crate::metrics::Metrics;
use crate::problem::{Problem, busy};

/// Events that are read together.
const PAGE: usize = 500;
/// How long to wait when nothing came.
pub(super) const IDLE: Duration = Duration::from_millis(100);
/// How long a client waits for its turn to read from the store.
const PERMIT_WITHIN: Duration = Duration::from_secs(30);
/// How long to wait when the store did not answer.
const AWAY: Duration = Duration::from_secs(1);

/// Reads arrivals while anybody follows.
pub(crate) struct Hub {
    store: Arc<dyn EventStore>,
    ring: Mutex<Ring>,
    /// The number that the next batch gets; changes with each.
    grown: watch::Sender<u64>,
    /// Clients that follow.
    clients: watch::Sender<usize>,
    /// Clients that read for themselves at the same time.
    readers: Arc<Semaphore>,
    clients_max: usize,
    metrics: Arc<Metrics>,
}

impl Hub {
    pub(crate) fn new(
        store: Arc<dyn EventStore>,
        clients_max: usize,
        metrics: Arc<Metrics>,
    ) -> Arc<Hub> {
        Arc::new(Hub {
            store,
            ring: Mutex::default(),
            grown: watch::Sender::new(0),
            clients: watch::Sender::new(0),
            readers: Arc::new(Semaphore::new(4)),
            clients_max,
            metrics,
        })
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn grown(&self) -> watch::Receiver<u64> {
        self.grown.subscribe()
    }

    /// Lets one more client in.
    pub(super) fn enter(&self) -> Result<(), Problem> {
        let entered = self.clients.send_if_modified(|clients| {
            let free = *clients < self.clients_max;
            *clients += usize::from(free);
            free
        });
        if entered { Ok(()) } else { Err(busy()) }
    }

    pub(super) fn leave(&self) {
        self.clients.send_modify(|clients| *clients = clients.saturating_sub(1));
    }

    /// The place behind everything that has arrived.
    pub(super) async fn end(&self) -> Result<ArrivalCursor, Problem> {
        let (store, permit) = (Arc::clone(&self.store), self.permit().await?);
        blocking(move || async move {
            let end = store.arrivals_end().await?;
            drop(permit);
            Ok(end)
        })
        .await
    }

    /// What arrived behind a place, from the store.
    pub(super) async fn read(&self, after: ArrivalCursor) -> Result<Arrivals, Problem> {
        let (store, permit) = (Arc::clone(&self.store), self.permit().await?);
        blocking(move || async move {
            let arrivals = store.arrivals(&after, PAGE).await?;
            drop(permit);
            Ok(arrivals)
        })
        .await
    }

    /// Goes with a question until the store has answered it, also if nobody waits any more.
    async fn permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let permit = timeout(PERMIT_WITHIN, Arc::clone(&self.readers).acquire_owned()).await;
        permit.map_err(|_| busy())?.map_err(|_| busy())
    }

    async fn page(&self, after: ArrivalCursor) -> Result<Arrivals, Problem> {
        let store = Arc::clone(&self.store);
        blocking(move || async move { Ok(store.arrivals(&after, PAGE).await?) }).await
    }

    /// Reads for as long as the server runs.
    pub(crate) async fn run(self: Arc<Hub>) {
        let mut clients = self.clients.subscribe();
        loop {
            if clients.wait_for(|clients| *clients > 0).await.is_err() {
                return;
            }
            if self.read_while_followed().await.is_err() {
                tokio::time::sleep(AWAY).await;
            }
            // Clients that are left read for themselves until the ring knows their places again.
            self.ring().clear();
            self.grown.send_modify(|end| *end += 1);
        }
    }

    async fn read_while_followed(&self) -> Result<(), Problem> {
        let mut place = self.end().await?;
        self.ring().read_up_to(place.clone());
        while *self.clients.borrow() > 0 {
            let Arrivals { events, next } = self.page(place.clone()).await?;
            if events.is_empty() {
                place = next;
                self.ring().read_up_to(place.clone());
                tokio::time::sleep(IDLE).await;
                continue;
            }
            let events = events.into_iter().map(|arrived| {
                let frame = frames::event(&arrived);
                (arrived, frame)
            });
            let batch = Batch { from: place, events: events.collect(), next: next.clone() };
            place = next;
            let end = {
                let mut ring = self.ring();
                ring.push(batch);
                ring.end()
            };
            self.grown.send_replace(end);
        }
        Ok(())
    }
}

/// Runs a question on a thread that may block.
async fn blocking<T, Q, A>(question: Q) -> Result<T, Problem>
where
    T: Send + 'static,
    Q: FnOnce() -> A + Send + 'static,
    A: Future<Output = Result<T, Problem>>,
{
    let runtime = Handle::current();
    let asking = tokio::task::spawn_blocking(move || runtime.block_on(question()));
    asking.await.unwrap_or_else(|error| {
        tracing::error!(%error, "reading arrivals ended badly");
        Err(busy())
    })
}

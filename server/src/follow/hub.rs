//! Reads what arrives once for all clients.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use statetrail_store::{ArrivalCursor, Arrivals, EventStore};
use tokio::sync::watch;

use super::frames;
use super::ring::{Batch, Ring};
use crate::asker::Asker;
use crate::metrics::Metrics;
use crate::problem::{Problem, too_many_follow};
use crate::settings::Limits;

/// Events that are read together.
const PAGE: usize = 500;
/// How long to wait when nothing came.
pub(super) const IDLE: Duration = Duration::from_millis(100);
/// Clients that read for themselves at the same time.
const READERS: usize = 4;
/// How long to wait when the store did not answer.
const AWAY: Duration = Duration::from_secs(1);

/// Reads arrivals while anybody follows.
pub(crate) struct Hub {
    /// Reads for all.
    reader: Asker,
    /// Read for single clients.
    readers: Asker,
    ring: Mutex<Ring>,
    /// The number that the next batch gets; changes with each.
    grown: watch::Sender<u64>,
    /// Clients that follow.
    clients: watch::Sender<usize>,
    clients_max: usize,
    metrics: Arc<Metrics>,
}

impl Hub {
    pub(crate) fn new(
        store: &Arc<dyn EventStore>,
        limits: &Limits,
        metrics: Arc<Metrics>,
    ) -> Arc<Hub> {
        Arc::new(Hub {
            reader: Asker::new(Arc::clone(store), 1, limits.deadline),
            readers: Asker::new(Arc::clone(store), READERS, limits.deadline),
            ring: Mutex::default(),
            grown: watch::Sender::new(0),
            clients: watch::Sender::new(0),
            clients_max: limits.followers,
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
        if entered { Ok(()) } else { Err(too_many_follow()) }
    }

    pub(super) fn leave(&self) {
        self.clients.send_modify(|clients| *clients = clients.saturating_sub(1));
    }

    /// The place behind everything that has arrived.
    pub(super) async fn end(&self) -> Result<ArrivalCursor, Problem> {
        end(&self.readers).await
    }

    /// What arrived behind a place, from the store.
    pub(super) async fn read(
        &self,
        after: ArrivalCursor,
        limit: usize,
    ) -> Result<Arrivals, Problem> {
        page(&self.readers, after, limit).await
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
        let mut place = end(&self.reader).await?;
        self.ring().read_up_to(place.clone());
        while *self.clients.borrow() > 0 {
            let Arrivals { events, next } = page(&self.reader, place.clone(), PAGE).await?;
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

async fn end(asker: &Asker) -> Result<ArrivalCursor, Problem> {
    let store = Arc::clone(asker.store());
    asker.ask(move || async move { Ok(store.arrivals_end().await?) }).await
}

async fn page(asker: &Asker, after: ArrivalCursor, limit: usize) -> Result<Arrivals, Problem> {
    let store = Arc::clone(asker.store());
    asker.ask(move || async move { Ok(store.arrivals(&after, limit).await?) }).await
}

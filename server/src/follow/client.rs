//! One client that follows.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures::Stream;
use statetrail_query::EventFilter;
use statetrail_store::ArrivalCursor;
use tokio::time::{Instant, timeout_at};

use super::hub::{Hub, IDLE};
use super::ring::Spot;
use crate::access::Scope;
use crate::problem::Problem;

/// How often a client is told its place when there is nothing else to tell: proxies end silent
/// connections, and a place that moves on is found again faster.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// What is sent, in the form of server-sent events.
pub(crate) mod frames {
    use axum::body::Bytes;
    use statetrail_query::views::{EventView, json_cell};
    use statetrail_store::{ArrivalCursor, Arrived};

    /// An event. JSON holds no line end, so it is one line of data.
    pub(crate) fn event(arrived: &Arrived) -> Bytes {
        let view = json_cell(&EventView::new(&arrived.known));
        Bytes::from(format!("id: {}\ndata: {view}\n\n", arrived.cursor))
    }

    /// A place, without an event.
    pub(crate) fn place(place: &ArrivalCursor) -> Bytes {
        Bytes::from(format!("id: {place}\nevent: place\ndata:\n\n"))
    }

    /// Why it ends.
    pub(crate) fn problem(detail: &str) -> Bytes {
        let detail = detail.replace(['\r', '\n'], " ");
        Bytes::from(format!("event: problem\ndata: {detail}\n\n"))
    }
}

/// Follows for one client.
pub(crate) struct Client {
    hub: Arc<Hub>,
    scope: Scope,
    filter: EventFilter,
    /// Everything up to here was sent, or is not wanted.
    place: ArrivalCursor,
    /// Where to go on in the ring, if it knows the place.
    spot: Option<Spot>,
    /// Whether there may be more in the store at once.
    is_behind: bool,
    told: Option<Instant>,
    ended: bool,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.hub.leave();
        self.hub.metrics().followers.dec();
    }
}

impl Client {
    /// Begins behind a place, or with what arrives from now on.
    pub(crate) async fn enter(
        hub: &Arc<Hub>,
        scope: Scope,
        filter: EventFilter,
        after: Option<ArrivalCursor>,
    ) -> Result<Client, Problem> {
        let place = match after {
            Some(place) => {
                // Asked for here, so that a place that is no good is told with a status.
                hub.read(place.clone()).await?;
                place
            }
            None => hub.end().await?,
        };
        hub.enter()?;
        hub.metrics().followers.inc();
        let hub = Arc::clone(hub);
        Ok(Client {
            hub,
            scope,
            filter,
            place,
            spot: None,
            is_behind: false,
            told: None,
            ended: false,
        })
    }

    /// What is sent. The client is asked for more only when it has taken what was there, so one
    /// that stands still costs nothing but its connection.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> {
        futures::stream::unfold(self, |mut client| async move {
            if client.ended {
                return None;
            }
            let bytes = client.next().await.unwrap_or_else(|problem| {
                client.ended = true;
                frames::problem(&problem.detail)
            });
            Some((Ok(bytes), client))
        })
    }

    /// The next thing to send.
    async fn next(&mut self) -> Result<Bytes, Problem> {
        let tell_at = match self.told {
            None => return Ok(self.tell_place()),
            Some(told) => told + TELL_EVERY,
        };
        loop {
            let mut grown = self.hub.grown();
            let sent = match self.find_spot() {
                Some(spot) => self.next_of_ring(spot),
                None => self.next_of_store().await?,
            };
            if !sent.is_empty() {
                return Ok(Bytes::from(sent));
            }
            if Instant::now() >= tell_at {
                return Ok(self.tell_place());
            }
            if self.is_at_end() {
                let wait = tell_at
                    .min(Instant::now() + if self.spot.is_some() { TELL_EVERY } else { IDLE });
                // Whether it grew or time is up, there is something to look at.
                let _ = timeout_at(wait, grown.changed()).await;
            }
        }
    }

    fn tell_place(&mut self) -> Bytes {
        self.told = Some(Instant::now());
        frames::place(&self.place)
    }

    fn find_spot(&mut self) -> Option<Spot> {
        let ring = self.hub.ring();
        self.spot = match self.spot {
            Some(spot) if !ring.has_lost(spot.batch) => Some(spot),
            _ => ring.find(&self.place),
        };
        self.spot
    }

    fn is_at_end(&self) -> bool {
        match self.spot {
            None => !self.is_behind,
            Some(spot) => spot.batch >= self.hub.ring().end(),
        }
    }

    fn is_wanted(&self, event: &statetrail_event::Event) -> bool {
        self.scope.allows(event.entity.namespace()) && self.filter.passes(event)
    }

    /// What is wanted of the next batch in the ring.
    fn next_of_ring(&mut self, spot: Spot) -> Vec<u8> {
        let Some(batch) = self.hub.ring().batch(spot.batch) else { return Vec::new() };
        let mut sent = Vec::new();
        for (arrived, frame) in batch.events.iter().skip(spot.event) {
            if self.is_wanted(&arrived.known.event) {
                sent.extend_from_slice(frame);
                self.hub.metrics().followed.inc();
            }
        }
        self.place = batch.next.clone();
        self.spot = Some(Spot { batch: spot.batch + 1, event: 0 });
        sent
    }

    /// What is wanted of the next page in the store.
    async fn next_of_store(&mut self) -> Result<Vec<u8>, Problem> {
        self.is_behind = false;
        let arrivals = self.hub.read(self.place.clone()).await?;
        let mut sent = Vec::new();
        for arrived in &arrivals.events {
            if self.is_wanted(&arrived.known.event) {
                sent.extend_from_slice(&frames::event(arrived));
                self.hub.metrics().followed.inc();
            }
        }
        self.is_behind = !arrivals.events.is_empty();
        self.place = arrivals.next;
        Ok(sent)
    }
}

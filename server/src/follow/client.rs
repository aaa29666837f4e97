//! One client that follows.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
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

/// How often is looked whether a client may still follow.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// Bytes that are sent together, unless one event has more: a client that stands still holds them.
const PIECE_BYTES: usize = 64 << 10;
/// Events that are read together from the store.
const PAGE: usize = 500;

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
    /// Whether the client may still follow.
    is_allowed: Box<dyn Fn() -> bool + Send>,
    filter: EventFilter,
    /// Everything up to here was sent, or is not wanted.
    place: ArrivalCursor,
    /// Where to go on in the ring, if it knows the place.
    spot: Option<Spot>,
    /// Whether there may be more in the store at once.
    is_behind: bool,
    /// Events to read from the store: about as many as are sent together.
    page: usize,
    told: Option<Instant>,
    checked: Instant,
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
        is_allowed: Box<dyn Fn() -> bool + Send>,
        filter: EventFilter,
        after: Option<ArrivalCursor>,
    ) -> Result<Client, Problem> {
        let place = match after {
            Some(place) => {
                // Asked for here, so that a place that is no good is told with a status.
                hub.read(place.clone(), 1).await?;
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
            is_allowed,
            filter,
            place,
            spot: None,
            is_behind: false,
            page: PAGE,
            told: None,
            checked: Instant::now(),
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
            self.check()?;
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
                let soon = if self.spot.is_some() { CHECK_EVERY } else { IDLE };
                let wait = tell_at.min(Instant::now() + soon);
                // Whether it grew or time is up, there is something to look at.
                let _ = timeout_at(wait, grown.changed()).await;
            }
        }
    }

    /// Ends what its token does not allow any more.
    fn check(&mut self) -> Result<(), Problem> {
        if self.checked.elapsed() >= CHECK_EVERY {
            self.checked = Instant::now();
            if !(self.is_allowed)() {
                let detail = "the token is not in force any more";
                return Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
            }
        }
        Ok(())
    }

    fn tell_place(&mut self) -> Bytes {
        self.told = Some(Instant::now());
        if let Some(place) = self.spot.and_then(|spot| self.hub.ring().place_at_end(spot).cloned())
        {
            self.place = place;
        }
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

    /// What is wanted of the next batch in the ring, or of its beginning if that is much.
    fn next_of_ring(&mut self, spot: Spot) -> Vec<u8> {
        let Some(batch) = self.hub.ring().batch(spot.batch) else { return Vec::new() };
        let mut sent = Vec::new();
        for (event, (arrived, frame)) in batch.events.iter().enumerate().skip(spot.event) {
            if self.is_wanted(&arrived.known.event) {
                if !has_room(&sent, frame) {
                    let last = event.checked_sub(1).and_then(|last| batch.events.get(last));
                    self.place =
                        last.map_or_else(|| batch.from.clone(), |(last, _)| last.cursor.clone());
                    self.spot = Some(Spot { event, ..spot });
                    return sent;
                }
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
        let arrivals = self.hub.read(self.place.clone(), self.page).await?;
        self.is_behind = !arrivals.events.is_empty();
        let mut sent = Vec::new();
        for (index, arrived) in arrivals.events.iter().enumerate() {
            if self.is_wanted(&arrived.known.event) {
                let frame = frames::event(arrived);
                if !has_room(&sent, &frame) {
                    // The others are read again: kept, they would be held while the client
                    // stands still.
                    self.page = index;
                    return Ok(sent);
                }
                sent.extend_from_slice(&frame);
                self.hub.metrics().followed.inc();
            }
            self.place = arrived.cursor.clone();
        }
        self.page = (self.page * 2).min(PAGE);
        self.place = arrivals.next;
        Ok(sent)
    }
}

/// Whether an event may go with what is sent already.
fn has_room(sent: &[u8], frame: &[u8]) -> bool {
    sent.is_empty() || sent.len() + frame.len() <= PIECE_BYTES
}

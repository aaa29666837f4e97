//! What the asking commands have in common: the store, the clock, and how names and times that
//! were typed become questions.

use statetrail_event::{EntityName, State, Time};
use statetrail_query::{Moment, QueryError};
use statetrail_store::{EntityFilter, EventStore};

use crate::args::{At, Span};
use crate::clock::Clock;
use crate::failure::{Exit, Failure};
use crate::name::find_entity;
use crate::store_place::{open_store, store_failure};
use crate::waiting::block_on;

/// Asks one store, at one present.
pub struct Questioner {
    store: Box<dyn EventStore>,
    clock: Clock,
}

impl Questioner {
    /// Opens a store that exists.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(store: Option<&str>, clock: &Clock) -> Result<Questioner, Failure> {
        Ok(Questioner::new(open_store(store)?, clock))
    }

    /// Asks a store that is open.
    pub fn new(store: Box<dyn EventStore>, clock: &Clock) -> Questioner {
        Questioner { store, clock: clock.clone() }
    }

    pub(super) fn store(&self) -> &dyn EventStore {
        &*self.store
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The moment that was typed, else now; and by when its events must have been known.
    pub(super) fn moment(&self, at: &At) -> Result<Moment, Failure> {
        let typed = self.clock.optional_moment("--at", at.at.as_deref())?;
        let as_known_at = self.as_known_at(at.as_known_at.as_deref())?;
        Ok(Moment { at: typed.unwrap_or(self.clock.now()), as_known_at })
    }

    pub(super) fn as_known_at(&self, typed: Option<&str>) -> Result<Option<Time>, Failure> {
        self.clock.optional_moment("--as-known-at", typed)
    }

    /// The span that was typed, else all of time; both ends are inclusive.
    pub(super) fn span(&self, span: &Span) -> Result<(Time, Time), Failure> {
        let since = self.clock.optional_moment("--since", span.since.as_deref())?;
        let until = self.clock.optional_moment("--until", span.until.as_deref())?;
        let (since, until) = (since.unwrap_or(Time::MIN), until.unwrap_or(Time::MAX));
        if since > until {
            let (since, until) = (self.clock.show(since), self.clock.show(until));
            let message = format!("--since {since} is after --until {until}");
            return Err(Failure::new(Exit::Usage, message));
        }
        Ok((since, until))
    }

    /// The entity of which a name or a part of one was typed.
    pub(super) fn entity(&self, typed: &str) -> Result<EntityName, Failure> {
        block_on(find_entity(self.store(), typed))
    }

    /// Whether any entity passes the filter.
    pub(super) fn has_entities(&self, filter: &EntityFilter) -> Result<bool, Failure> {
        let first = block_on(self.store.entities(filter, None, 1));
        first.map(|entities| !entities.is_empty()).map_err(store_failure)
    }

    /// The state at a moment.
    ///
    /// # Errors
    /// When nothing had happened to the entity by then.
    pub(super) fn state(&self, name: &EntityName, moment: Moment) -> Result<State, Failure> {
        match wait(statetrail_query::state(self.store(), name, moment))? {
            Some(state) => Ok(state),
            None => Err(self.nothing_yet(name, moment)?),
        }
    }

    /// What to tell when nothing had happened to an entity by a moment.
    pub(super) fn nothing_yet(
        &self,
        name: &EntityName,
        moment: Moment,
    ) -> Result<Failure, Failure> {
        let at = self.clock.show_with_zone(moment.at);
        let mut message = format!("{name} has no event at or before {at}");
        if let Some(known_at) = moment.as_known_at {
            message.push_str(&format!(" that was known by {}", self.clock.show(known_at)));
        }
        let failure = Failure::new(Exit::NotFound, message);
        let entity = block_on(self.store.entity(name)).map_err(store_failure)?;
        Ok(match entity {
            Some(entity) => {
                failure.hint(format!("its first event is of {}", self.clock.show(entity.first)))
            }
            None => failure,
        })
    }
}

/// Waits for an answer.
pub(super) fn wait<T>(answer: impl Future<Output = Result<T, QueryError>>) -> Result<T, Failure> {
    block_on(answer).map_err(query_failure)
}

/// What a question said, for the user.
pub(crate) fn query_failure(error: QueryError) -> Failure {
    match error {
        QueryError::Store(error) => store_failure(error),
        QueryError::NoSuchEntity { .. } => Failure::new(Exit::NotFound, error),
        QueryError::Ambiguous { text, candidates, more } => {
            let message = format!("{text:?} fits more than one entity");
            let mut failure = Failure::new(Exit::Ambiguous, message);
            for name in candidates {
                failure = failure.hint(name.as_str());
            }
            if more { failure.hint("... and more") } else { failure }
        }
        other => Failure::new(Exit::Failed, other),
    }
}

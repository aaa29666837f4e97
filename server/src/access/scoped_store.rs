//! A store as far as somebody may see it: what is outside of their namespaces is not there.
//!
//! Every question of a request goes through here, so no page and no route has to think of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use statetrail_event::{EntityName, OrderKey, State, Time};
use statetrail_store::{
    Appended, ArrivalCursor, Arrivals, Counts, Entity, EntityFilter, EntityTest, EntityView,
    EventStore, Kind, KnownEvent, NamePart, Order, StoreError, Tally, TimelineQuery, TrailQuery,
};

use super::Scope;

/// Names that are asked for at first, where most of them may be hidden.
const NAMES_FIRST: usize = 64;

/// Shows a part of a store.
pub(crate) struct ScopedStore {
    store: Arc<dyn EventStore>,
    scope: Scope,
}

impl ScopedStore {
    pub(crate) fn new(store: Arc<dyn EventStore>, scope: Scope) -> ScopedStore {
        ScopedStore { store, scope }
    }

    /// The whole store. Before each of its answers somebody may end the question: SQLite does not
    /// wait for anything, so a question of many parts would go on to its end.
    async fn store(&self) -> &dyn EventStore {
        tokio::task::yield_now().await;
        &*self.store
    }

    /// The namespaces to ask for one by one; `None` if the filter can be used as it is.
    fn namespaces(&self, filter: &EntityFilter) -> Option<Vec<String>> {
        match (&self.scope, &filter.namespace) {
            (Scope::All, _) => None,
            (scope, Some(namespace)) if scope.allows(namespace) => None,
            (_, Some(_)) => Some(Vec::new()),
            (Scope::Namespaces(namespaces), None) => Some(namespaces.iter().cloned().collect()),
        }
    }
}

fn within(filter: &EntityFilter, namespace: String) -> EntityFilter {
    EntityFilter { namespace: Some(namespace), ..filter.clone() }
}

/// Names are ordered by namespace first, so one namespace after the other gives a list in order.
macro_rules! one_after_the_other {
    ($self:ident, $filter:ident, $limit:ident, $all:expr, |$one:ident, $left:ident| $ask:expr) => {{
        let Some(namespaces) = $self.namespaces($filter) else { return $all };
        let mut found = Vec::new();
        for namespace in namespaces {
            let $left = $limit - found.len();
            if $left == 0 {
                break;
            }
            let $one = &within($filter, namespace);
            found.extend($ask);
        }
        Ok(found)
    }};
}

#[async_trait]
impl EventStore for ScopedStore {
    /// A server reads only.
    async fn append(&self, _: &[KnownEvent]) -> Result<Appended, StoreError> {
        let reason = "a server only reads".to_owned();
        Err(StoreError::ReadOnly { place: "the store of this server".to_owned(), reason })
    }

    async fn entity(&self, name: &EntityName) -> Result<Option<Entity>, StoreError> {
        if self.scope.allows(name.namespace()) {
            self.store().await.entity(name).await
        } else {
            Ok(None)
        }
    }

    async fn entities(
        &self,
        filter: &EntityFilter,
        after: Option<&EntityName>,
        limit: usize,
    ) -> Result<Vec<Entity>, StoreError> {
        one_after_the_other!(
            self,
            filter,
            limit,
            self.store().await.entities(filter, after, limit).await,
            |one, left| self.store().await.entities(one, after, left).await?
        )
    }

    async fn entities_with(
        &self,
        field: &str,
        text: &str,
        filter: &EntityFilter,
        after: Option<&EntityName>,
        limit: usize,
    ) -> Result<Option<Vec<Entity>>, StoreError> {
        if self.namespaces(filter).is_some() {
            // The slower way asks namespace by namespace.
            return Ok(None);
        }
        self.store().await.entities_with(field, text, filter, after, limit).await
    }

    async fn entities_passing(
        &self,
        filter: &EntityFilter,
        after: Option<&EntityName>,
        limit: usize,
        test: &EntityTest<'_>,
    ) -> Result<Vec<Entity>, StoreError> {
        one_after_the_other!(
            self,
            filter,
            limit,
            self.store().await.entities_passing(filter, after, limit, test).await,
            |one, left| self.store().await.entities_passing(one, after, left, test).await?
        )
    }

    /// Asks for more until enough of what may be seen is among it.
    async fn names(
        &self,
        part: &NamePart<'_>,
        limit: usize,
    ) -> Result<Vec<EntityName>, StoreError> {
        if self.scope == Scope::All {
            return self.store().await.names(part, limit).await;
        }
        let mut asked = limit.max(NAMES_FIRST);
        loop {
            let mut names = self.store().await.names(part, asked).await?;
            let is_all = names.len() < asked;
            names.retain(|name| self.scope.allows(name.namespace()));
            if is_all || names.len() >= limit {
                names.truncate(limit);
                return Ok(names);
            }
            asked = asked.saturating_mul(8);
        }
    }

    async fn trail(
        &self,
        name: &EntityName,
        query: &TrailQuery,
    ) -> Result<Vec<KnownEvent>, StoreError> {
        if self.scope.allows(name.namespace()) {
            self.store().await.trail(name, query).await
        } else {
            Ok(Vec::new())
        }
    }

    async fn state_at(
        &self,
        name: &EntityName,
        at: OrderKey,
        as_known_at: Option<Time>,
    ) -> Result<Option<State>, StoreError> {
        if self.scope.allows(name.namespace()) {
            self.store().await.state_at(name, at, as_known_at).await
        } else {
            Ok(None)
        }
    }

    /// Merges the timelines of the namespaces. Within each the store's own order stays, also among
    /// events with the same key.
    async fn timeline(&self, query: &TimelineQuery) -> Result<Vec<KnownEvent>, StoreError> {
        let Some(mut namespaces) = self.namespaces(&query.entities) else {
            return self.store().await.timeline(query).await;
        };
        if query.order == Order::NewestFirst {
            namespaces.reverse();
        }
        let mut events = Vec::new();
        for namespace in namespaces {
            let entities = within(&query.entities, namespace);
            events.extend(
                self.store().await.timeline(&TimelineQuery { entities, ..query.clone() }).await?,
            );
        }
        events.sort_by(|a, b| match query.order {
            Order::OldestFirst => a.event.key().cmp(&b.event.key()),
            Order::NewestFirst => b.event.key().cmp(&a.event.key()),
        });
        events.truncate(query.limit);
        Ok(events)
    }

    async fn kinds(&self) -> Result<Vec<Kind>, StoreError> {
        let mut kinds = self.store().await.kinds().await?;
        kinds.retain(|kind| self.scope.allows(&kind.namespace));
        Ok(kinds)
    }

    async fn tally(
        &self,
        query: &TimelineQuery,
        step: i64,
        budget: u64,
    ) -> Result<Tally, StoreError> {
        let Some(namespaces) = self.namespaces(&query.entities) else {
            return self.store().await.tally(query, step, budget).await;
        };
        let mut all = Tally::default();
        for namespace in namespaces {
            let entities = within(&query.entities, namespace);
            let query = TimelineQuery { entities, ..query.clone() };
            all.add(self.store().await.tally(&query, step, budget).await?);
        }
        Ok(all)
    }

    async fn arrivals_end(&self) -> Result<ArrivalCursor, StoreError> {
        self.store().await.arrivals_end().await
    }

    async fn arrivals(&self, after: &ArrivalCursor, limit: usize) -> Result<Arrivals, StoreError> {
        let mut arrivals = self.store().await.arrivals(after, limit).await?;
        arrivals.events.retain(|one| self.scope.allows(one.known.event.entity.namespace()));
        Ok(arrivals)
    }

    /// Counts one by one what may be seen.
    async fn counts(&self) -> Result<Counts, StoreError> {
        if self.scope == Scope::All {
            return self.store().await.counts().await;
        }
        let entities = AtomicU64::new(0);
        let count = |_: &EntityView<'_>| {
            entities.fetch_add(1, Ordering::Relaxed);
            false
        };
        self.entities_passing(&EntityFilter::default(), None, 1, &count).await?;
        let all = self.tally(&TimelineQuery::default(), i64::MAX, u64::MAX).await?;
        let events = all.counts.iter().map(|count| count.events).sum();
        Ok(Counts { entities: entities.into_inner(), events })
    }
}

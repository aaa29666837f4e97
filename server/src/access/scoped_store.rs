//! A store as far as somebody may see it: what is outside of their namespaces is not there.
//!
//! Every question of a request goes through here, so no page and no route has to think of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use statetrail_event::{EntityName, OrderKey, State, Time};
use statetrail_store::{
    Appended, ArrivalCursor, Arrivals, Counts, Entity, EntityFilter, EntityTest, EntityView,
    EventStore, Kind, KnownEvent, NamePart, Order, StoreError, Tally, TallyBudget, TimelineQuery,
    TrailQuery,
};

use super::Scope;

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

    async fn names(
        &self,
        part: &NamePart<'_>,
        namespaces: Option<&BTreeSet<String>>,
        limit: usize,
    ) -> Result<Vec<EntityName>, StoreError> {
        let Scope::Namespaces(allowed) = &self.scope else {
            return self.store().await.names(part, namespaces, limit).await;
        };
        let both = namespaces.map(|namespaces| namespaces & &**allowed);
        self.store().await.names(part, Some(both.as_ref().unwrap_or(allowed)), limit).await
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

    /// Namespace by namespace, each with what those before it have left of the budget.
    async fn tally(
        &self,
        query: &TimelineQuery,
        step: i64,
        budget: TallyBudget,
    ) -> Result<Tally, StoreError> {
        let Some(namespaces) = self.namespaces(&query.entities) else {
            return self.store().await.tally(query, step, budget).await;
        };
        let (mut all, mut left) = (Tally::default(), budget);
        for namespace in namespaces {
            let entities = within(&query.entities, namespace);
            let query = TimelineQuery { entities, ..query.clone() };
            let counted = self.store().await.tally(&query, step, left).await?;
            left.events = left.events.saturating_sub(counted.events());
            all.add(counted, budget.stretches);
            if all.is_cut || all.is_too_fine {
                break;
            }
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
        let all = self.tally(&TimelineQuery::default(), i64::MAX, TallyBudget::ALL).await?;
        Ok(Counts { entities: entities.into_inner(), events: all.events() })
    }
}

#[cfg(test)]
mod tests {
    use statetrail_event::{Change, Event, EventId, Source};
    use statetrail_store::suite::Model;

    use super::*;

    /// Three events in each of three namespaces, as somebody sees them who may see two.
    async fn seen() -> ScopedStore {
        let model = Model::default();
        for entity in ["bank/order/o-1", "shop/order/o-1", "yard/order/o-1"] {
            for second in 0..3 {
                let event = Event {
                    id: EventId([second; 16]),
                    entity: entity.parse().unwrap(),
                    name: "placed".into(),
                    time: Time::from_nanos(i64::from(second) * 1_000_000_000),
                    seq: 0,
                    changes: vec![Change::set("status", "placed")],
                    source: Source::default().into(),
                    offset: None,
                    rule: None,
                    line: None,
                };
                model.append(&[KnownEvent { event, known_at: Time::MIN }]).await.unwrap();
            }
        }
        let scope = Scope::of(["bank", "yard"].map(str::to_owned));
        ScopedStore::new(Arc::new(model), scope)
    }

    #[tokio::test]
    async fn one_budget_is_for_all_namespaces_together() {
        let store = seen().await;
        let query = TimelineQuery::default();
        for (events, stretches, counted, is_cut, is_too_fine) in [
            (6, 3, 6, false, false),
            (5, 3, 5, true, false),
            (3, 3, 3, true, false),
            (2, 3, 2, true, false),
            (6, 2, 2, false, true),
        ] {
            let budget = TallyBudget { events, stretches };
            let tally = store.tally(&query, 1_000_000_000, budget).await.unwrap();
            let found = (tally.events(), tally.is_cut, tally.is_too_fine);
            assert_eq!(found, (counted, is_cut, is_too_fine), "{budget:?}");
        }
    }

    #[tokio::test]
    async fn names_are_asked_for_in_namespaces_that_may_be_seen() {
        let store = seen().await;
        let part = NamePart::Anywhere("o-1");
        let names = |found: Vec<EntityName>| -> Vec<String> {
            found.iter().map(|name| name.namespace().to_owned()).collect()
        };
        assert_eq!(names(store.names(&part, None, 9).await.unwrap()), ["bank", "yard"]);
        assert_eq!(names(store.names(&part, None, 1).await.unwrap()), ["bank"]);
        let asked = BTreeSet::from(["shop", "yard"].map(str::to_owned));
        assert_eq!(names(store.names(&part, Some(&asked), 9).await.unwrap()), ["yard"]);
    }
}

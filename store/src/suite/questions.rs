//! Random questions, and comparing the answers of two stores.

use std::collections::BTreeSet;
use std::ops::Bound;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use statetrail_event::{EntityName, OrderKey, Time, ValueRef};

use super::events::{entity_names, key, time};
use crate::{
    Entity, EntityFilter, EntityView, EventStore, KnownEvent, NamePart, Order, Place, StoreError,
    TallyBudget, TimelineQuery, TrailQuery,
};

/// A question of each kind.
#[derive(Clone, Debug)]
pub struct Questions {
    entity: EntityName,
    at: OrderKey,
    as_known_at: Option<Time>,
    trail: TrailQuery,
    timeline: TimelineQuery,
    filter: EntityFilter,
    text: String,
    namespaces: BTreeSet<String>,
    page: usize,
}

/// Any questions over the random events.
pub fn questions() -> impl Strategy<Value = Questions> {
    let moment = || proptest::option::of(time());
    let text = select(vec!["o-1042", "order", "o-", "usr/bin/ls", "%", "_", "", "名", "long", "x"]);
    let parts = (select(entity_names()), key(), moment(), trail(), timeline(), filter(), text);
    let namespaces = subsequence(vec!["debian", "none", "odd", "shop", "shop-2"], 0..=5);
    (parts, namespaces, 1_usize..4).prop_map(|(parts, namespaces, page)| {
        let (entity, at, as_known_at, trail, timeline, filter, text) = parts;
        let (text, namespaces) = (text.to_owned(), namespaces.into_iter().map(str::to_owned));
        let namespaces = namespaces.collect();
        Questions { entity, at, as_known_at, trail, timeline, filter, text, namespaces, page }
    })
}

fn bound() -> impl Strategy<Value = Bound<OrderKey>> {
    prop_oneof![
        Just(Bound::Unbounded),
        key().prop_map(Bound::Included),
        key().prop_map(Bound::Excluded),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    select(vec![Order::OldestFirst, Order::NewestFirst])
}

fn limit() -> impl Strategy<Value = usize> {
    select(vec![0, 1, 3, 10, usize::MAX])
}

fn trail() -> impl Strategy<Value = TrailQuery> {
    (bound(), bound(), proptest::option::of(time()), order(), limit()).prop_map(
        |(from, to, as_known_at, order, limit)| TrailQuery { from, to, as_known_at, order, limit },
    )
}

fn filter() -> impl Strategy<Value = EntityFilter> {
    let some = |texts: &[&'static str]| proptest::option::of(select(texts.to_vec()));
    let parts = (
        some(&["shop", "odd", "none"]),
        some(&["order", "100%_\\", "none"]),
        some(&["o-", "o-1042", "", "名", "名前/\u{10ffff}"]),
    );
    parts.prop_map(|(namespace, entity_type, id_prefix)| EntityFilter {
        namespace: namespace.map(str::to_owned),
        entity_type: entity_type.map(str::to_owned),
        id_prefix: id_prefix.map(str::to_owned),
    })
}

fn timeline() -> impl Strategy<Value = TimelineQuery> {
    let name = proptest::option::of(select(vec!["paid", "größer", "none"]));
    let text = proptest::option::of(select(vec!["o-1042", "%", "'", "größer", ""]));
    let parts = (time(), time(), filter(), name, text, proptest::option::of(time()), order());
    (parts, limit()).prop_map(|((from, to, entities, name, text, as_known_at, order), limit)| {
        TimelineQuery {
            from,
            to,
            entities,
            name: name.map(str::to_owned),
            text: text.map(str::to_owned),
            as_known_at,
            order,
            after: None,
            limit,
        }
    })
}

impl Questions {
    /// Panics if the stores answer any of the questions differently.
    pub async fn compare(&self, store: &dyn EventStore, model: &dyn EventStore) {
        self.try_compare(store, model).await.expect("the store answers");
    }

    async fn try_compare(
        &self,
        store: &dyn EventStore,
        model: &dyn EventStore,
    ) -> Result<(), StoreError> {
        assert_eq!(store.counts().await?, model.counts().await?);
        let entity = &self.entity;
        assert_same_entities(
            store.entity(entity).await?.as_slice(),
            model.entity(entity).await?.as_slice(),
        );
        let (at, as_known_at) = (self.at, self.as_known_at);
        assert_eq!(
            store.state_at(entity, at, as_known_at).await?,
            model.state_at(entity, at, as_known_at).await?,
            "{entity} at {at:?} as known at {as_known_at:?}"
        );
        assert_eq!(
            store.trail(entity, &self.trail).await?,
            model.trail(entity, &self.trail).await?,
            "{entity} {:?}",
            self.trail
        );
        self.compare_names(store, model).await?;
        self.compare_entities(store, model).await?;
        self.compare_timelines(store, model).await?;
        self.compare_counts(store, model).await
    }

    /// The kinds, and how many events there were when.
    async fn compare_counts(
        &self,
        store: &dyn EventStore,
        model: &dyn EventStore,
    ) -> Result<(), StoreError> {
        assert_eq!(store.kinds().await?, model.kinds().await?);
        let all = usize::MAX;
        for (step, events, stretches) in
            [(1_000_000_000, u64::MAX, all), (7, 3, all), (i64::MAX, 1, all), (1, u64::MAX, 3)]
        {
            let budget = TallyBudget { events, stretches };
            let tally = store.tally(&self.timeline, step, budget).await?;
            let wanted = model.tally(&self.timeline, step, budget).await?;
            assert_eq!(tally.is_cut, wanted.is_cut, "{:?} up to {budget:?}", self.timeline);
            // Where the budget ends among events of one key, either of them may be counted.
            if !wanted.is_cut {
                assert_eq!(tally, wanted, "{:?} by {step}", self.timeline);
            }
        }
        Ok(())
    }

    async fn compare_names(
        &self,
        store: &dyn EventStore,
        model: &dyn EventStore,
    ) -> Result<(), StoreError> {
        let text = self.text.as_str();
        let subject = NamePart::Subject { entity_type: self.entity.entity_type(), id: text };
        let parts =
            [NamePart::Id(text), subject, NamePart::IdPrefix(text), NamePart::Anywhere(text)];
        for part in parts {
            for namespaces in [None, Some(&self.namespaces)] {
                for limit in [0, self.page, usize::MAX] {
                    let found = store.names(&part, namespaces, limit).await?;
                    let wanted = model.names(&part, namespaces, limit).await?;
                    assert_eq!(found, wanted, "{part:?} {namespaces:?} {limit}");
                }
            }
        }
        Ok(())
    }

    async fn compare_entities(
        &self,
        store: &dyn EventStore,
        model: &dyn EventStore,
    ) -> Result<(), StoreError> {
        let all = model.entities(&self.filter, None, usize::MAX).await?;
        let mut paged: Vec<Entity> = Vec::new();
        loop {
            let after = paged.last().map(|entity| &entity.name);
            let page = store.entities(&self.filter, after, self.page).await?;
            let is_last = page.len() < self.page;
            paged.extend(page);
            if is_last {
                break;
            }
        }
        assert_same_entities(&paged, &all);
        self.compare_passing(store, model).await
    }

    /// Entities by their state, whose field has a value that is no less than any text.
    async fn compare_passing(
        &self,
        store: &dyn EventStore,
        model: &dyn EventStore,
    ) -> Result<(), StoreError> {
        for field in ["status", "amount", "none"] {
            let test = |entity: &EntityView<'_>| {
                entity.first <= self.at.time
                    && (entity.value)(field).is_some_and(|value| match value {
                        ValueRef::Text(text) => text >= self.text.as_bytes(),
                        _ => true,
                    })
            };
            for limit in [0, self.page, usize::MAX] {
                let after = Some(&self.entity).filter(|_| limit == self.page);
                let found = store.entities_passing(&self.filter, after, limit, &test).await?;
                let wanted = model.entities_passing(&self.filter, after, limit, &test).await?;
                assert_same_entities(&found, &wanted);
            }
        }
        Ok(())
    }

    /// Events with the same key may come in either order, but paging has to find each once.
    async fn compare_timelines(
        &self,
        store: &dyn EventStore,
        model: &dyn EventStore,
    ) -> Result<(), StoreError> {
        let keys = |events: &[KnownEvent]| -> Vec<OrderKey> {
            events.iter().map(|known| known.event.key()).collect()
        };
        let page = store.timeline(&self.timeline).await?;
        assert_eq!(keys(&page), keys(&model.timeline(&self.timeline).await?));

        let query = TimelineQuery { limit: usize::MAX, ..self.timeline.clone() };
        let mut all = model.timeline(&query).await?;
        let mut paged: Vec<KnownEvent> = Vec::new();
        loop {
            let after = paged.last().map(|known| Place::of(&known.event));
            let query = TimelineQuery { after, limit: self.page, ..self.timeline.clone() };
            let page = store.timeline(&query).await?;
            let is_last = page.len() < self.page;
            paged.extend(page);
            if is_last {
                break;
            }
        }
        assert_eq!(keys(&paged), keys(&all), "{:?} in pages", self.timeline);
        let place = |known: &KnownEvent| (known.event.key(), known.event.entity.clone());
        all.sort_by_key(place);
        paged.sort_by_key(place);
        assert_eq!(paged, all, "{:?} in pages", self.timeline);
        Ok(())
    }
}

/// A store need only know a moment by which all of an entity's events were known.
fn assert_same_entities(found: &[Entity], wanted: &[Entity]) {
    let without_known_by = |entities: &[Entity]| -> Vec<Entity> {
        entities.iter().map(|entity| Entity { known_by: Time::MIN, ..entity.clone() }).collect()
    };
    assert_eq!(without_known_by(found), without_known_by(wanted));
    for (found, wanted) in found.iter().zip(wanted) {
        assert!(found.known_by >= wanted.known_by, "{} was not all known by then", found.name);
    }
}

//! Following: what arrives and is wanted, each event once, whatever else arrives.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use pollster::block_on;
use proptest::prelude::*;
use proptest::sample::select;
use statetrail_query::{EventFilter, Follow};
use statetrail_store::suite::{Model, events::batches};
use statetrail_store::{EntityFilter, EventStore, KnownEvent, TimelineQuery};

fn filter() -> impl Strategy<Value = EventFilter> {
    let some = |texts: &[&'static str]| {
        proptest::option::of(select(texts.to_vec()).prop_map(str::to_owned))
    };
    let parts = (
        some(&["shop", "odd"]),
        some(&["order", "größe"]),
        some(&["o-", "o-1042", ""]),
        some(&["paid", "größer"]),
        some(&["o-1042", "%", ""]),
    );
    parts.prop_map(|(namespace, entity_type, id_prefix, name, text)| EventFilter {
        entities: EntityFilter { namespace, entity_type, id_prefix },
        name,
        text,
    })
}

fn sorted(mut events: Vec<KnownEvent>) -> Vec<KnownEvent> {
    events.sort_by_key(|known| (known.event.key(), known.event.entity.clone()));
    events
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, ..ProptestConfig::with_cases(64)
    })]

    /// The filter lets through what the timeline gives for the same question.
    #[test]
    fn what_is_followed_is_what_the_timeline_has(batches in batches(), filter in filter()) {
        let store = Model::default();
        let mut follow = block_on(Follow::starting_now(&store, filter.clone())).unwrap();
        let begin = block_on(store.arrivals_end()).unwrap();
        let mut found = Vec::new();
        for batch in &batches {
            block_on(store.append(batch)).unwrap();
            let page = block_on(follow.next_page()).unwrap();
            let again = Follow::from(&store, page.next.clone(), filter.clone());
            found.extend(page.events.into_iter().map(|arrived| arrived.known));
            follow = again;
        }
        let page = block_on(follow.next_page()).unwrap();
        prop_assert!(page.events.is_empty() && !page.more);
        let query = TimelineQuery {
            entities: filter.entities.clone(),
            name: filter.name.clone(),
            text: filter.text.clone(),
            ..TimelineQuery::default()
        };
        let wanted = block_on(store.timeline(&query)).unwrap();
        prop_assert_eq!(found.len(), wanted.len());
        let page = block_on(Follow::from(&store, begin, filter).next_page()).unwrap();
        let all = page.events.into_iter().map(|arrived| arrived.known).collect();
        prop_assert_eq!(sorted(all), sorted(wanted));
    }
}

//! Short trails: what is stored, told apart, ordered and paged.

use proptest::collection::vec;
use proptest::test_runner::{Config, TestRunner};
use statetrail_event::{
    Change, EntityName, Event, EventId, MAX_SEQ, OrderKey, Source, State, Time, Value,
};

use super::events::{batches, entity_names};
use super::{Model, Subject, questions};
use crate::{
    Appended, Counts, EntityFilter, EventStore, KnownEvent, NamePart, Order, Place, StoreError,
    TimelineQuery, TrailQuery,
};

pub(super) fn runner(subject: &dyn Subject) -> TestRunner {
    // Failures are found again by the seed that they print; a file of them would belong to
    // whichever crate runs the suite.
    TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(subject.random_runs())
    })
}

pub(super) fn event(entity: &str, seconds: i64) -> Event {
    Event {
        id: EventId([7; 16]),
        entity: entity.parse().expect("a valid name"),
        name: "paid".into(),
        time: Time::from_seconds(seconds, 0).expect("a moment in range"),
        seq: 0,
        changes: vec![Change::set("status", "paid"), Change::set("at", seconds)],
        source: Source { uri: "/shop/checkout-1/app".into(), ..Source::default() }.into(),
        offset: Some(17),
        rule: Some("shop.yaml/paid".into()),
        line: Some("order o-1042 paid".into()),
    }
}

pub(super) fn known(event: Event, seconds: i64) -> KnownEvent {
    KnownEvent { event, known_at: Time::from_seconds(seconds, 0).expect("a moment in range") }
}

fn state_of(events: &[&Event]) -> State {
    let mut state = State::new();
    for event in events {
        state.apply(event.key(), &event.changes);
    }
    state
}

/// Random events in random batches; after every batch, random questions are answered as the
/// model answers them, and so is what an append returns.
pub fn every_answer_is_the_models(subject: &dyn Subject) {
    let strategy = (batches(), vec(questions(), 6));
    let outcome = runner(subject).run(&strategy, |(batches, questions)| {
        subject.run(Box::pin(async {
            let (store, model) = (subject.fresh(), Model::default());
            for batch in &batches {
                let appended = store.append(batch).await.expect("the batch is stored");
                let expected = model.append(batch).await.expect("a model does not fail");
                assert_eq!(appended, expected);
                for questions in &questions {
                    questions.compare(&*store, &model).await;
                }
            }
        }));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Invariant I1: the same events in another order, in other batches, answer the same.
pub fn order_batches_and_copies_do_not_matter(subject: &dyn Subject) {
    let strategy = (batches(), vec(questions(), 6));
    let outcome = runner(subject).run(&strategy, |(batches, questions)| {
        subject.run(Box::pin(async {
            let (one_by_one, at_once) = (subject.fresh(), subject.fresh());
            let model = Model::default();
            let mut all: Vec<KnownEvent> = batches.concat();
            model.append(&all).await.expect("a model does not fail");
            for known in &all {
                one_by_one.append(std::slice::from_ref(known)).await.expect("stored");
            }
            all.reverse();
            all.extend(all.clone());
            at_once.append(&all).await.expect("stored");
            for questions in &questions {
                questions.compare(&*one_by_one, &model).await;
                questions.compare(&*at_once, &model).await;
            }
        }));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Invariant I3.
pub fn writing_again_changes_nothing(subject: &dyn Subject) {
    subject.run(Box::pin(async {
        let store = subject.fresh();
        let batch: Vec<_> = (0..500).map(|n| known(event("shop/order/o-1", n), n)).collect();
        let appended = store.append(&batch).await.expect("stored");
        assert_eq!(appended, Appended { new: 500, repeated: 0 });

        let later = |n: &KnownEvent| known(n.event.clone(), 10_000);
        let again: Vec<_> = batch.iter().rev().map(later).collect();
        let appended = store.append(&again).await.expect("stored");
        assert_eq!(appended, Appended { new: 0, repeated: 500 });
        assert_eq!(store.counts().await.expect("read"), Counts { entities: 1, events: 500 });
        let name = &batch[0].event.entity;
        let trail = store.trail(name, &TrailQuery::default()).await.expect("read");
        assert_eq!(trail, batch, "known-at included");
    }));
}

/// An event that is in two batches on their way at the same time is new in one of them.
pub fn side_by_side_an_event_is_new_once(subject: &dyn Subject) {
    subject.run(Box::pin(async {
        let store = subject.fresh();
        let batch = |seconds: std::ops::Range<i64>| -> Vec<_> {
            seconds.map(|n| known(event("shop/order/o-1", n), n)).collect()
        };
        let (first, second) = (batch(0..300), batch(200..500));
        let (first, second) = futures::join!(store.append(&first), store.append(&second));
        let (first, second) = (first.expect("stored"), second.expect("stored"));
        assert_eq!((first.new + second.new, first.repeated + second.repeated), (500, 100));
        let again = store.append(&batch(0..500)).await.expect("stored");
        assert_eq!(again, Appended { new: 0, repeated: 500 });
    }));
}

/// Of several copies the earliest known-at counts, whichever was stored first.
pub fn a_copy_that_was_known_earlier_counts(subject: &dyn Subject) {
    subject.run(Box::pin(async {
        let store = subject.fresh();
        let paid = event("shop/order/o-1", 10);
        for known_at in [30, 20, 40] {
            store.append(&[known(paid.clone(), known_at)]).await.expect("stored");
        }
        let trail = store.trail(&paid.entity, &TrailQuery::default()).await.expect("read");
        assert_eq!(trail, [known(paid.clone(), 20)]);
        let as_known = |seconds| Time::from_seconds(seconds, 0);
        let before = store.state_at(&paid.entity, paid.key(), as_known(19)).await.expect("read");
        assert_eq!(before, None);
        let after = store.state_at(&paid.entity, paid.key(), as_known(20)).await.expect("read");
        assert_eq!(after, Some(state_of(&[&paid])));
    }));
}

/// An event that is appended again, with what other rules say of its line, stays as it was.
pub fn what_other_rules_say_of_a_stored_line_changes_nothing(subject: &dyn Subject) {
    subject.run(Box::pin(async {
        let store = subject.fresh();
        let paid = event("shop/order/o-1", 10);
        let mut corrected = Event { name: "settled".into(), ..paid.clone() };
        corrected.changes = vec![Change::set("status", "settled"), Change::set("currency", "EUR")];
        store.append(&[known(paid.clone(), 20)]).await.expect("stored");
        let again = store.append(&[known(corrected, 30)]).await.expect("stored");
        assert_eq!(again, Appended { new: 0, repeated: 1 });
        let name = &paid.entity;
        let entity = store.entity(name).await.expect("read").expect("stored");
        assert_eq!(entity.state, state_of(&[&paid]));
        let trail = store.trail(name, &TrailQuery::default()).await.expect("read");
        assert_eq!(trail, [known(paid.clone(), 20)]);
        let timeline = store.timeline(&TimelineQuery::default()).await.expect("read");
        assert_eq!(timeline, [known(paid, 20)]);
    }));
}

/// The state as known at a moment has only the events that were known by then.
pub fn what_was_not_known_is_left_out(subject: &dyn Subject) {
    subject.run(Box::pin(async {
        let store = subject.fresh();
        let (first, second) = (event("shop/order/o-1", 10), event("shop/order/o-1", 20));
        store.append(&[known(second.clone(), 21)]).await.expect("stored");
        store.append(&[known(first.clone(), 99)]).await.expect("stored");
        let name = &first.entity;
        let state_at = async |at: OrderKey, as_known_at: Option<i64>| {
            let as_known_at = as_known_at.and_then(|seconds| Time::from_seconds(seconds, 0));
            store.state_at(name, at, as_known_at).await.expect("read")
        };
        let (early, late) = (OrderKey::end_of(first.time), OrderKey::end_of(second.time));
        assert_eq!(state_at(early, None).await, Some(state_of(&[&first])));
        assert_eq!(state_at(early, Some(98)).await, None);
        assert_eq!(state_at(late, Some(98)).await, Some(state_of(&[&second])));
        assert_eq!(state_at(late, None).await, Some(state_of(&[&first, &second])));
    }));
}

/// Questions to an empty store have empty answers.
pub fn an_empty_store_answers(subject: &dyn Subject) {
    subject.run(Box::pin(async {
        let store = subject.fresh();
        let name = &entity_names()[0];
        let key = OrderKey::end_of(Time::MAX);
        assert_eq!(store.counts().await.expect("read"), Counts::default());
        assert_eq!(store.entity(name).await.expect("read"), None);
        assert_eq!(store.state_at(name, key, None).await.expect("read"), None);
        assert_eq!(store.trail(name, &TrailQuery::default()).await.expect("read"), []);
        assert_eq!(store.timeline(&TimelineQuery::default()).await.expect("read"), []);
        assert_eq!(store.names(&NamePart::Anywhere(""), None, 9).await.expect("read"), []);
        assert_eq!(store.entities(&EntityFilter::default(), None, 9).await.expect("read"), []);
    }));
}

/// Nothing to store is no error.
pub fn an_empty_batch_is_fine(subject: &dyn Subject) {
    subject.run(Box::pin(async {
        let store = subject.fresh();
        assert_eq!(store.append(&[]).await.expect("stored"), Appended::default());
        assert_eq!(store.counts().await.expect("read"), Counts::default());
    }));
}

/// A line of 4 MiB, a thousand fields, the longest name: all come back as they were.
pub fn large_lines_and_many_fields_come_back_whole(subject: &dyn Subject) {
    subject.run(Box::pin(async {
        let store = subject.fresh();
        let longest = EntityName::new(&"n".repeat(253), &"t".repeat(128), &"ä/".repeat(341));
        let mut large = event("shop/order/o-1", 10);
        large.entity = longest.expect("as long as a name may be");
        large.line = Some("größe 100% \u{0} '\"\\ ".repeat(200_000));
        large.changes = (0..1_000).map(|n: i64| Change::set(format!("field {n}"), n)).collect();
        large.changes.push(Change::set("text", Value::text("x".repeat(100_000))));
        let batch = [known(large, 11)];
        store.append(&batch).await.expect("stored");
        let name = &batch[0].event.entity;
        assert_eq!(store.trail(name, &TrailQuery::default()).await.expect("read"), batch);
        let entity = store.entity(name).await.expect("read").expect("stored");
        assert_eq!(entity.state, state_of(&[&batch[0].event]));
    }));
}

/// What no store can hold is refused, together with its batch.
pub fn a_number_out_of_range_is_refused_and_nothing_stored(subject: &dyn Subject) {
    subject.run(Box::pin(async {
        let store = subject.fresh();
        let good = event("shop/order/o-1", 10);
        let above = Some(MAX_SEQ + 1);
        let bad_seq = Event { seq: MAX_SEQ + 1, ..good.clone() };
        let bad_offset = Event { offset: above, ..good.clone() };
        for bad in [bad_seq, bad_offset] {
            let refused = store.append(&[known(good.clone(), 1), known(bad, 1)]).await;
            assert!(matches!(refused, Err(StoreError::OutOfRange { .. })), "{refused:?}");
        }
        assert_eq!(store.counts().await.expect("read"), Counts::default());
    }));
}

/// Events of several entities with the very same key are paged without loss, both ways, in the
/// order of the namespaces.
pub fn events_of_one_moment_are_paged_one_by_one(subject: &dyn Subject) {
    subject.run(Box::pin(async {
        let store = subject.fresh();
        let names = entity_names();
        let at_once =
            |name: &EntityName| Event { entity: name.clone(), ..event("shop/order/o-1", 10) };
        // In an order that is neither that of names nor its reverse.
        let (odd, even): (Vec<_>, Vec<_>) =
            names.iter().enumerate().partition(|(index, _)| index % 2 == 1);
        for (_, name) in odd.into_iter().chain(even) {
            store.append(&[known(at_once(name), 11)]).await.expect("stored");
        }
        for order in [Order::OldestFirst, Order::NewestFirst] {
            let mut query = TimelineQuery { order, limit: 1, ..TimelineQuery::default() };
            let mut found = Vec::new();
            while let Some(known) = store.timeline(&query).await.expect("read").pop() {
                query.after = Some(Place::of(&known.event));
                found.push(known.event.entity);
            }
            if order == Order::NewestFirst {
                found.reverse();
            }
            assert!(found.iter().map(EntityName::namespace).is_sorted(), "{order:?}: {found:?}");
            found.sort();
            let mut expected = names.clone();
            expected.sort();
            assert_eq!(found, expected, "{order:?}");
        }
    }));
}

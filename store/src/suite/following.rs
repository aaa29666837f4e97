//! Events in the order of their arrival: each once, from any place on, however they came.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::task::Poll;

use statetrail_event::{EntityName, OrderKey};

use super::Subject;
use super::cases::{event, known, runner};
use super::events::batches;
use crate::{ArrivalCursor, Arrived, EventStore, KnownEvent, StoreError, TrailQuery};

/// What makes an event itself.
type Identity = (EntityName, OrderKey);

fn identity(known: &KnownEvent) -> Identity {
    (known.event.entity.clone(), known.event.key())
}

/// All that arrived after a place, in pages.
async fn read_all(store: &dyn EventStore, from: &ArrivalCursor, limit: usize) -> Vec<Arrived> {
    let mut next = from.clone();
    let mut all = Vec::new();
    loop {
        let page = store.arrivals(&next, limit).await.expect("read");
        assert!(page.events.len() <= limit, "{} instead of {limit}", page.events.len());
        next = page.next;
        if page.events.is_empty() {
            return all;
        }
        all.extend(page.events);
    }
}

async fn end(store: &dyn EventStore) -> ArrivalCursor {
    store.arrivals_end().await.expect("read")
}

async fn append(store: &dyn EventStore, batch: &[KnownEvent]) {
    store.append(batch).await.expect("stored");
}

fn identities(arrived: &[Arrived]) -> Vec<Identity> {
    arrived.iter().map(|arrived| identity(&arrived.known)).collect()
}

fn at(seconds: i64) -> KnownEvent {
    known(event("shop/order/o-1", seconds), 1_000 + seconds)
}

/// The order of arrival is neither that of times nor that of known-ats.
pub fn late_events_arrive_when_they_are_stored(subject: &dyn Subject) {
    subject.run(Box::pin(async {
        let store = subject.fresh();
        append(&*store, &[at(1)]).await;
        let from = end(&*store).await;
        let all = [at(50), at(10), at(90), at(30), at(-7)];
        for known in &all {
            append(&*store, std::slice::from_ref(known)).await;
        }
        let arrived = read_all(&*store, &from, 100).await;
        let arrived: Vec<_> = arrived.into_iter().map(|arrived| arrived.known).collect();
        assert_eq!(arrived, all);
        assert_eq!(store.arrivals(&end(&*store).await, 9).await.expect("read").events, []);
    }));
}

/// Events of one moment, of one line and of one entity: paging by any length and going on from
/// any event finds the same ones in the same order.
pub fn any_page_length_finds_the_same_arrivals(subject: &dyn Subject) {
    subject.run(Box::pin(async {
        let store = subject.fresh();
        let from = end(&*store).await;
        let mut wanted = BTreeSet::new();
        for number in 0..4_i64 {
            // A line with several events, and one of the same moment in another batch.
            let of_line = ["shop/order/o-1", "shop/order/o-2", "shop/payment/o-1"];
            let batch: Vec<_> = of_line.map(|name| known(event(name, 10), number)).into();
            let mut batch: Vec<_> = batch
                .into_iter()
                .enumerate()
                .map(|(index, mut known)| {
                    known.event.seq = (number as u64 % 2) << 8 | index as u64;
                    known.event.line = Some(format!("line {number}"));
                    known.event.id.0[0] = number as u8;
                    known
                })
                .collect();
            batch.push(at(number));
            wanted.extend(batch.iter().map(identity));
            append(&*store, &batch).await;
        }
        let all = read_all(&*store, &from, usize::MAX).await;
        assert_eq!(all.len(), wanted.len(), "each once");
        assert_eq!(identities(&all).into_iter().collect::<BTreeSet<_>>(), wanted);
        for limit in 1..=all.len() + 1 {
            let paged = read_all(&*store, &from, limit).await;
            assert_eq!(identities(&paged), identities(&all), "in pages of {limit}");
        }
        for (index, arrived) in all.iter().enumerate() {
            let rest = read_all(&*store, &arrived.cursor, usize::MAX).await;
            assert_eq!(identities(&rest), identities(&all[index + 1..]), "behind {index}");
        }
        let nothing = store.arrivals(&from, 0).await.expect("read");
        assert_eq!(nothing.events, []);
        assert_eq!(read_all(&*store, &nothing.next, 100).await.len(), all.len());
    }));
}

/// Random events in random batches with copies: what arrives is what is new, batch by batch.
pub fn what_arrives_is_what_is_new(subject: &dyn Subject) {
    let strategy = (batches(), 1_usize..6);
    let outcome = runner(subject).run(&strategy, |(batches, limit)| {
        subject.run(Box::pin(async {
            let store = subject.fresh();
            let from = end(&*store).await;
            let mut next = from.clone();
            let mut stored = BTreeSet::new();
            let mut one_after_the_other = Vec::new();
            for batch in &batches {
                append(&*store, batch).await;
                let new: BTreeSet<_> =
                    batch.iter().map(identity).filter(|event| !stored.contains(event)).collect();
                let arrived = read_all(&*store, &next, limit).await;
                assert_eq!(arrived.len(), new.len(), "each once");
                assert_eq!(identities(&arrived).into_iter().collect::<BTreeSet<_>>(), new);
                next = end(&*store).await;
                stored.extend(new);
                one_after_the_other.extend(arrived);
            }
            let all = read_all(&*store, &from, 1_000).await;
            assert_eq!(identities(&all), identities(&one_after_the_other));
            for Arrived { known, .. } in &all {
                let query = TrailQuery::default();
                let trail = store.trail(&known.event.entity, &query).await.expect("read");
                assert!(trail.contains(known), "{known:?} is as it is in its trail");
            }
        }));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// A copy does not arrive, whatever its known-at is.
pub fn what_is_stored_again_does_not_arrive_again(subject: &dyn Subject) {
    subject.run(Box::pin(async {
        let store = subject.fresh();
        let from = end(&*store).await;
        let batch: Vec<_> = (0..40).map(at).collect();
        append(&*store, &batch).await;
        let mut next = store.arrivals(&from, 100).await.expect("read").next;
        for known_at in [1_020, 3_000, 10] {
            let mut again: Vec<_> =
                batch.iter().map(|known_| known(known_.event.clone(), known_at)).collect();
            again.extend(batch.clone());
            let new = at(100 + known_at);
            again.insert(20, new.clone());
            append(&*store, &again).await;
            let page = store.arrivals(&next, 100).await.expect("read");
            assert_eq!(identities(&page.events), [identity(&new)]);
            next = page.next;
        }
        assert_eq!(read_all(&*store, &from, 7).await.len(), 43);
    }));
}

/// A place is a text that another reader can go on from, also behind a part of a batch.
pub fn a_reader_that_starts_again_goes_on(subject: &dyn Subject) {
    subject.run(Box::pin(async {
        let [store, other] = subject.opened_twice();
        let from = end(&*other).await;
        let batch: Vec<_> = (0..20).map(at).collect();
        append(&*store, &batch[..10]).await;
        let first = store.arrivals(&from, 7).await.expect("read");
        append(&*store, &batch[5..]).await;
        let text = first.next.to_string();
        let rest = read_all(&*other, &text.parse().expect("it was shown"), 4).await;
        let all: BTreeSet<_> =
            identities(&first.events).into_iter().chain(identities(&rest)).collect();
        assert_eq!((first.events.len(), rest.len(), all.len()), (7, 13, 20));
        assert_eq!(end(&*store).await.as_str().chars().next(), text.chars().next());
    }));
}

/// Lets others go on.
async fn pause() {
    let mut has_paused = false;
    poll_fn(|context| {
        if has_paused {
            return Poll::Ready(());
        }
        has_paused = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Writers side by side, of which each stores what the one before has stored too.
pub fn a_reader_beside_writers_gets_each_event_once(subject: &dyn Subject) {
    const BATCHES: i64 = 20;
    const EVENTS: i64 = 9;
    subject.run(Box::pin(async {
        let [store, other] = subject.opened_twice();
        let from = end(&*other).await;
        let write = async |writer: i64| {
            let entity = format!("shop/order/o-{}", writer % 2);
            for number in 0..BATCHES {
                let times = number * EVENTS - 3..(number + 1) * EVENTS;
                let batch: Vec<_> = times.map(|time| known(event(&entity, time), time)).collect();
                append(&*store, &batch).await;
                pause().await;
            }
        };
        let wanted = (2 * (BATCHES * EVENTS + 3)) as usize;
        let read = async || {
            let (mut next, mut arrived, mut empty) = (from.clone(), Vec::new(), 0);
            while arrived.len() < wanted && empty < 10_000 {
                let page = other.arrivals(&next, 11).await.expect("read");
                empty = if page.events.is_empty() { empty + 1 } else { 0 };
                next = page.next;
                arrived.extend(page.events);
                pause().await;
            }
            arrived.extend(read_all(&*other, &next, 1_000).await);
            arrived
        };
        let (arrived, (), (), ()) = futures::join!(read(), write(0), write(1), write(2));
        let distinct: BTreeSet<_> = identities(&arrived).into_iter().collect();
        assert_eq!((arrived.len(), distinct.len()), (wanted, wanted));
    }));
}

/// A place of another kind of store, or one that nobody gave.
pub fn a_place_of_another_store_is_refused(subject: &dyn Subject) {
    subject.run(Box::pin(async {
        let store = subject.fresh();
        append(&*store, &[at(1)]).await;
        for text in ["z", "z17.2", "17", "s1.2.3", "c", "-", "s1x", "c0.x"] {
            let cursor: ArrivalCursor = text.parse().expect("its form is sound");
            let refused = store.arrivals(&cursor, 10).await;
            let Err(StoreError::OtherCursor { cursor, .. }) = refused else {
                panic!("{text}: {refused:?}");
            };
            assert_eq!(cursor, text);
        }
    }));
}

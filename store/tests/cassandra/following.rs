//! Events in the order of their arrival, where several processes write and none looks for copies.

use std::collections::BTreeSet;
use std::pin::pin;

use futures::stream::{self, StreamExt};
use statetrail_event::{EntityName, OrderKey, Time};
use statetrail_store::cassandra::{CassandraStore, Patience};
use statetrail_store::{ArrivalCursor, Arrived, EventStore, KnownEvent, StoreError};

use crate::cluster::{self, assert_told, event};

/// The `number`-th event, of one of 50 entities.
fn nth(number: i64) -> KnownEvent {
    let time = Time::from_seconds(1_790_000_000 + number % 977, number as u32).unwrap();
    event(&format!("shop/order/o-{}", number % 50), time, "number", number)
}

fn batch(numbers: std::ops::Range<i64>) -> Vec<KnownEvent> {
    numbers.map(nth).collect()
}

fn identities(arrived: &[Arrived]) -> Vec<(EntityName, OrderKey)> {
    let identity =
        |arrived: &Arrived| (arrived.known.event.entity.clone(), arrived.known.event.key());
    arrived.iter().map(identity).collect()
}

/// Each of these events once, and no other.
#[track_caller]
fn assert_each_once(arrived: &[Arrived], wanted: &[KnownEvent]) {
    let found: BTreeSet<_> = identities(arrived).into_iter().collect();
    let wanted: BTreeSet<_> =
        wanted.iter().map(|known| (known.event.entity.clone(), known.event.key())).collect();
    assert_eq!((arrived.len(), found.len()), (wanted.len(), wanted.len()), "each once");
    assert!(found == wanted);
}

/// What arrived after a place, up to now.
async fn rest(store: &CassandraStore, from: &ArrivalCursor) -> (Vec<Arrived>, ArrivalCursor) {
    let (mut next, mut all) = (from.clone(), Vec::new());
    loop {
        let page = store.arrivals(&next, 700).await.unwrap();
        next = page.next;
        if page.events.is_empty() {
            return (all, next);
        }
        all.extend(page.events);
    }
}

#[test]
fn two_writers_and_their_copies_arrive_once_while_somebody_reads() {
    const BATCHES: i64 = 120;
    const EVENTS: i64 = 40;
    cluster::run(Box::pin(async {
        let [first, second, reader] = cluster::opened(Patience::default());
        let from = reader.arrivals_end().await.unwrap();
        // Each batch begins with the end of the one before, and each process writes both.
        let batch_of = |number: i64| batch((number * EVENTS - 5).max(0)..(number + 1) * EVENTS);
        let write = async |store: &CassandraStore| {
            let writes = (0..BATCHES).map(async |number| store.write(&batch_of(number)).await);
            let mut writes = pin!(stream::iter(writes).buffer_unordered(8));
            while let Some(written) = writes.next().await {
                written.unwrap();
            }
        };
        let wanted = batch(0..BATCHES * EVENTS);
        let read = async || {
            let (mut next, mut arrived) = (from.clone(), Vec::new());
            while arrived.len() < wanted.len() {
                let page = reader.arrivals(&next, 333).await.unwrap();
                next = page.next;
                arrived.extend(page.events);
            }
            (arrived, next)
        };
        let ((mut arrived, next), (), ()) = futures::join!(read(), write(&first), write(&second));
        let (late, _) = rest(&reader, &next).await;
        arrived.extend(late);
        assert_each_once(&arrived, &wanted);
        // Whoever reads it again later, in another process, finds the same.
        assert_each_once(&rest(&first, &from).await.0, &wanted);
    }));
}

#[test]
fn a_copy_of_a_batch_is_found_by_whoever_begins_in_between() {
    cluster::run(Box::pin(async {
        let [killed, next_one, first_reader, second_reader] = cluster::opened(Patience::default());
        let from = first_reader.arrivals_end().await.unwrap();
        killed.write(&batch(0..3_000)).await.unwrap();
        let (arrived, between) = rest(&first_reader, &from).await;
        assert_each_once(&arrived, &batch(0..3_000));
        let end = second_reader.arrivals_end().await.unwrap();
        next_one.write(&batch(1_000..3_500)).await.unwrap();
        for (reader, place) in [
            (&first_reader, &between),
            (&second_reader, &between),
            (&second_reader, &end),
            (&next_one, &end),
        ] {
            let (arrived, _) = rest(reader, place).await;
            assert_each_once(&arrived, &batch(3_000..3_500));
        }
        // Within the first batch, before and behind the copy.
        let (_, middle) = arrived.split_at(1_999);
        let (arrived, _) = rest(&second_reader, &middle[0].cursor).await;
        assert_each_once(&arrived, &batch(2_000..3_500));
    }));
}

#[test]
fn a_reader_goes_from_part_to_part() {
    const ROWS: i64 = 1_040;
    cluster::run(Box::pin(async {
        let [writer, reader] = cluster::opened(Patience::default());
        let from = reader.arrivals_end().await.unwrap();
        let mut places = Vec::new();
        for number in 0..ROWS {
            writer.write(&[nth(number)]).await.unwrap();
            if (1_020..1_030).contains(&number) {
                places.push((number + 1, reader.arrivals_end().await.unwrap()));
            }
        }
        let (arrived, _) = rest(&reader, &from).await;
        let numbers: Vec<_> = arrived.iter().map(|arrived| &arrived.known).collect();
        assert!(numbers.iter().zip(0..).all(|(known, number)| **known == nth(number)));
        assert_eq!(arrived.len(), ROWS as usize);
        for (number, place) in places {
            assert_each_once(&rest(&reader, &place).await.0, &batch(number..ROWS));
        }
        writer.write(&batch(0..ROWS)).await.unwrap();
        let end = arrived.last().unwrap().cursor.clone();
        let [other] = [writer];
        assert_each_once(&rest(&other, &end).await.0, &[]);
    }));
}

#[test]
fn a_place_that_is_too_old_or_of_another_store_is_refused() {
    cluster::run(Box::pin(async {
        let [store] = cluster::opened(Patience::default());
        store.write(&batch(0..3)).await.unwrap();
        let refused = store.arrivals(&"c1".parse().unwrap(), 10).await.unwrap_err();
        assert!(matches!(refused, StoreError::ArrivalsForgotten { .. }), "{refused:?}");
        assert_told(&refused, &["cassandra://", "24 hours", "timeline"]);
        let end = store.arrivals_end().await.unwrap();
        let other = format!("{end}.zz-1").parse().unwrap();
        let refused = store.arrivals(&other, 10).await.unwrap_err();
        assert!(matches!(refused, StoreError::OtherCursor { .. }), "{refused:?}");
        assert_told(&refused, &["cassandra://", other.as_str(), "nobody writes there"]);
    }));
}

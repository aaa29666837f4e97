//! The tests that every store has to pass, written against [`EventStore`] alone.
//!
//! A store's own tests name it once:
//!
//! ```text
//! statetrail_store::store_suite!(MySubject::new());
//! ```

mod cases;
pub mod events;
mod following;
mod long_trails;
mod model;
mod questions;

use std::future::Future;
use std::pin::Pin;

pub use cases::*;
pub use following::*;
pub use long_trails::*;
pub use model::Model;
pub use questions::{Questions, questions};

use crate::EventStore;

/// The store under test.
pub trait Subject {
    /// A store without any event. Stores that were handed out before stay as they are.
    fn fresh(&self) -> Box<dyn EventStore> {
        let [store, _] = self.opened_twice();
        store
    }

    /// The same, opened once for writing and once for reading beside it.
    fn opened_twice(&self) -> [Box<dyn EventStore>; 2];

    /// How often a case with random events is run. A store whose every answer crosses a network
    /// takes fewer.
    fn random_runs(&self) -> u32 {
        48
    }

    /// Runs a test to its end.
    fn run(&self, test: Pin<Box<dyn Future<Output = ()> + '_>>);
}

/// Makes one test of each case of the suite, for the subject that the expression gives.
#[macro_export]
macro_rules! store_suite {
    ($subject:expr) => {
        $crate::store_suite!(
            $subject,
            every_answer_is_the_models,
            order_batches_and_copies_do_not_matter,
            writing_again_changes_nothing,
            side_by_side_an_event_is_new_once,
            a_copy_that_was_known_earlier_counts,
            what_other_rules_say_of_a_stored_line_changes_nothing,
            what_was_not_known_is_left_out,
            an_empty_store_answers,
            an_empty_batch_is_fine,
            large_lines_and_many_fields_come_back_whole,
            a_number_out_of_range_is_refused_and_nothing_stored,
            events_of_one_moment_are_paged_one_by_one,
            a_long_trail_in_order,
            a_long_trail_newest_first,
            a_long_trail_shuffled,
            a_long_trail_with_late_events,
            a_long_trail_in_one_batch,
            late_events_arrive_when_they_are_stored,
            any_page_length_finds_the_same_arrivals,
            what_arrives_is_what_is_new,
            what_is_stored_again_does_not_arrive_again,
            a_reader_that_starts_again_goes_on,
            a_reader_beside_writers_gets_each_event_once,
            a_place_of_another_store_is_refused,
        );
    };
    ($subject:expr, $($case:ident),+ $(,)?) => {
        $(
            #[test]
            fn $case() {
                $crate::suite::$case(&$subject);
            }
        )+
    };
}

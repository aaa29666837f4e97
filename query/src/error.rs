//! What can go wrong with a question.

use statetrail_event::EntityName;
use statetrail_store::StoreError;

use crate::By;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing has that name.
    #[error("no entity is named {text:?}, and no name holds it")]
    NoSuchEntity {
        /// What was asked for.
        text: String,
    },
    /// A lifecycle would have more places than anybody could read.
    #[error("by {by} with so many values no lifecycle can be seen; at most {most} are told apart")]
    TooManyPlaces {
        /// What it goes by.
        by: By,
        /// How many may be told apart.
        most: usize,
    },
    /// Several entities could be meant.
    #[error("{text:?} fits {}: {}", how_many(.candidates, *.more), list(.candidates, *.more))]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// The entities that it fits, in the order of names; the first ones if there are many.
        candidates: Vec<EntityName>,
        /// Whether there are more.
        more: bool,
    },
}

fn how_many(candidates: &[EntityName], more: bool) -> String {
    let count = candidates.len();
    if more { format!("more than {count} entities") } else { format!("{count} entities") }
}

fn list(candidates: &[EntityName], more: bool) -> String {
    let names: Vec<&str> = candidates.iter().map(EntityName::as_str).collect();
    let end = if more { ", ..." } else { "" };
    names.join(", ") + end
}

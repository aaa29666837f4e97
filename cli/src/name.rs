//! The entity that a person means, and what to say when there is none.

use statetrail_event::EntityName;
use statetrail_query::{QueryError, resolve};
use statetrail_store::{EventStore, NamePart};

use crate::commands::query_failure;
use crate::failure::Failure;

/// Names that are looked through for a similar one.
const LOOKED_AT_MAX: usize = 5_000;
/// Similar names that are suggested.
const SUGGESTED_MAX: usize = 3;

/// Finds the entity of which a name or a part of one was typed.
///
/// # Errors
/// When no entity or more than one is meant, or the store cannot be read.
pub async fn find_entity(store: &dyn EventStore, typed: &str) -> Result<EntityName, Failure> {
    match resolve(store, typed).await {
        Ok(name) => Ok(name),
        Err(error @ QueryError::NoSuchEntity { .. }) => {
            Err(suggest(store, typed, query_failure(error)).await)
        }
        Err(error) => Err(query_failure(error)),
    }
}

async fn suggest(store: &dyn EventStore, typed: &str, failure: Failure) -> Failure {
    // Suggestions are a courtesy; without them the message is still true.
    let names = store.names(&NamePart::IdPrefix(""), None, LOOKED_AT_MAX).await.unwrap_or_default();
    let similar = similar(typed, &names);
    if names.is_empty() {
        failure.hint("the store is empty")
    } else if similar.is_empty() {
        failure.hint("`statetrail ls` lists all entities")
    } else {
        failure.hint(format!("did you mean {}?", similar.join(" or ")))
    }
}

/// The names of which the whole or a part differs least from what was typed.
fn similar<'n>(typed: &str, names: &'n [EntityName]) -> Vec<&'n str> {
    // A namespace and a type that are right say nothing about the id.
    let id = typed.rsplit('/').next().unwrap_or(typed);
    let limit = (id.chars().count() / 3).max(1);
    let mut ranked: Vec<(usize, &str)> = names
        .iter()
        .map(|name| {
            let parts = [name.as_str(), name.subject(), name.id()];
            let distances = parts.map(|part| strsim::osa_distance(typed, part));
            (distances.into_iter().min().unwrap_or(usize::MAX), name.as_str())
        })
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().take(SUGGESTED_MAX).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_come_first() {
        let names: Vec<EntityName> =
            ["shop/order/o-1042", "shop/order/o-1043", "shop/item/teapot", "shop/order/o-77"]
                .map(|name| name.parse().unwrap())
                .to_vec();
        for (typed, expected) in [
            ("o-1043x", &["shop/order/o-1043", "shop/order/o-1042"][..]),
            ("shop/order/o-104", &["shop/order/o-1042", "shop/order/o-1043"]),
            ("shpo/order/o-1042", &["shop/order/o-1042", "shop/order/o-1043"]),
            ("shop/order/nope", &[]),
            ("taepot", &["shop/item/teapot"]),
            ("item/tea-pot", &["shop/item/teapot"]),
            ("zebra", &[]),
        ] {
            assert_eq!(similar(typed, &names), expected, "{typed}");
        }
    }
}

//! From what a person typed to one entity.

use statetrail_event::EntityName;
use statetrail_store::{EventStore, NamePart};

use crate::QueryError;

/// Candidates that an error names at most.
const CANDIDATES: usize = 10;

/// The only entity that a text can mean.
///
/// The text is, in this order: a full name; a whole id or a type and a whole id; the beginning
/// of an id; any part of a name. The first of these that any entity fits decides, so that a
/// whole id is never shadowed by longer ones.
///
/// # Errors
/// When no entity fits, when several do, or when the store does not answer.
pub async fn resolve(store: &dyn EventStore, text: &str) -> Result<EntityName, QueryError> {
    if let Ok(name) = text.parse::<EntityName>()
        && store.entity(&name).await?.is_some()
    {
        return Ok(name);
    }
    let ways: [&[NamePart<'_>]; 3] =
        [&whole_id(text), &[NamePart::IdPrefix(text)], &[NamePart::Anywhere(text)]];
    for way in ways {
        let mut candidates = Vec::new();
        for part in way {
            // One more than is shown tells whether there are more.
            candidates.extend(store.names(part, None, CANDIDATES + 1).await?);
        }
        candidates.sort();
        candidates.dedup();
        match candidates.as_slice() {
            [] => {}
            [only] => return Ok(only.clone()),
            [..] => return Err(ambiguous(text, candidates)),
        }
    }
    Err(QueryError::NoSuchEntity { text: text.to_owned() })
}

/// A text with a slash may be a type and an id, or an id with a slash.
fn whole_id(text: &str) -> Vec<NamePart<'_>> {
    let subject = text.split_once('/');
    let subject = subject.map(|(entity_type, id)| NamePart::Subject { entity_type, id });
    std::iter::once(NamePart::Id(text)).chain(subject).collect()
}

fn ambiguous(text: &str, mut candidates: Vec<EntityName>) -> QueryError {
    let more = candidates.len() > CANDIDATES;
    candidates.truncate(CANDIDATES);
    QueryError::Ambiguous { text: text.to_owned(), candidates, more }
}

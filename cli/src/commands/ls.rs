//! `statetrail ls`: the names of entities.

use std::io::Write;

use serde::Serialize;
use statetrail_query::{Find, Found, Moment};
use statetrail_store::EntityFilter;

use super::questioner::{Questioner, wait};
use crate::args::LsArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Output, moment};

#[derive(Serialize)]
struct ListedView<'a> {
    entity: &'a str,
    first: String,
    last: String,
}

/// Runs the command.
///
/// # Errors
/// When the store cannot be read or the output fails.
pub fn run(args: &LsArgs, ask: &Questioner, output: &mut Output<'_>) -> Result<Exit, Failure> {
    output.begin_list(&["entity", "first", "last"])?;
    let prefix = args.prefix.as_deref().unwrap_or_default();
    let mut find = Find::new(ask.store(), filter_of(prefix), Vec::new(), Moment::NOW);
    let limit = args.limit.unwrap_or(usize::MAX);
    let mut listed = 0;
    while listed < limit
        && let Some(page) = wait(find.next_page())?
    {
        let fitting = page.iter().filter(|found| found.name.as_str().starts_with(prefix));
        for found in fitting.take(limit - listed) {
            write_entity(found, output)?;
            listed += 1;
        }
    }
    output.end_list()?;
    Ok(if listed == 0 { Exit::NotFound } else { Exit::Done })
}

/// The narrowest filter that lets every name with that beginning pass.
fn filter_of(prefix: &str) -> EntityFilter {
    let mut parts = prefix.splitn(3, '/');
    let (namespace, entity_type, id) = (parts.next(), parts.next(), parts.next());
    let whole = |part: Option<&str>, next: Option<&str>| next.and(part).map(str::to_owned);
    EntityFilter {
        namespace: whole(namespace, entity_type),
        entity_type: whole(entity_type, id),
        id_prefix: id.filter(|id| !id.is_empty()).map(str::to_owned),
    }
}

fn write_entity(found: &Found, output: &mut Output<'_>) -> Result<(), Failure> {
    if output.is_text() {
        writeln!(output, "{}", found.name)?;
        return Ok(());
    }
    let view = ListedView {
        entity: found.name.as_str(),
        first: moment(found.first),
        last: moment(found.last),
    };
    output.item(&view, || vec![view.entity.to_owned(), view.first.clone(), view.last.clone()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_as_narrow_as_the_prefix_allows() {
        for (prefix, namespace, entity_type, id) in [
            ("", None, None, None),
            ("sho", None, None, None),
            ("shop/", Some("shop"), None, None),
            ("shop/ord", Some("shop"), None, None),
            ("shop/order/", Some("shop"), Some("order"), None),
            ("shop/order/o-1/x", Some("shop"), Some("order"), Some("o-1/x")),
        ] {
            let filter = filter_of(prefix);
            assert_eq!(filter.namespace.as_deref(), namespace, "{prefix}");
            assert_eq!(filter.entity_type.as_deref(), entity_type, "{prefix}");
            assert_eq!(filter.id_prefix.as_deref(), id, "{prefix}");
        }
    }
}

//! What happens now: rates, kinds with their states, the newest events, what rests too long, and
//! the filters.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use maud::{Markup, html};
use statetrail_event::Time;
use statetrail_query::{Found, KindCount, Moment, RULES_ERROR, Resting, resting};
use statetrail_store::{EventStore, KnownEvent, Order, TimelineQuery};

use super::Refused;
use super::frame::{Page, Place};
use super::pieces::{address, encoded, entity_link, grouped, length, moment, value};
use crate::access::{Scope, ScopedStore};
use crate::api::entities::{count_kinds, find_page};
use crate::api::filters::find_filters;
use crate::api::params::Params;
use crate::kept::Kept;
use crate::problem::Problem;
use crate::routes::App;

/// Events that are shown.
const NEWEST: usize = 12;
/// Entities that rest too long, of all kinds, that are shown.
const RESTING: usize = 15;
/// States of a kind that are shown.
const STATES: usize = 12;
/// Filters that are shown.
const FILTERS: usize = 200;

/// How long the counts of entities by state are kept.
const COUNTED: Duration = Duration::from_secs(2);
/// How long it is kept what rests too long.
const LOOKED: Duration = Duration::from_secs(20);

/// Answers for which much has to be read.
pub(crate) struct KeptOverview {
    counts: Kept<Arc<[KindCount]>>,
    resting: Kept<Arc<[Resting]>>,
}

impl KeptOverview {
    /// Nobody waits longer than `within` for any of them.
    pub(crate) fn new(within: Duration) -> KeptOverview {
        KeptOverview { counts: Kept::new(COUNTED, within), resting: Kept::new(LOOKED, within) }
    }
}

async fn counts_of(app: &App, scope: &Scope) -> Result<Arc<[KindCount]>, Problem> {
    let counts =
        app.ask(scope, |store: ScopedStore| async move { Ok(count_kinds(&store).await?.into()) });
    app.overview().counts.get(scope, counts).await
}

/// `GET /`
pub(super) async fn page(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    params: Params,
) -> Result<Page, Refused> {
    let now = params.now();
    params.finish()?;
    let counts = counts_of(&app, &scope).await?;
    let events =
        app.ask(&scope, move |store: ScopedStore| async move { newest(&store, now).await });
    let content = if counts.is_empty() { welcome() } else { full(&counts, &events.await?) };
    Ok(Page::new("Overview", Place::Overview, content).with_script("overview.js"))
}

fn full(counts: &[KindCount], events: &[KnownEvent]) -> Markup {
    html! {
        h1.unseen { "Overview" }
        section aria-labelledby="rate-title" {
            h2 #rate-title { "Events per second" span.aside { " the last five minutes, by type" } }
            figure #rate { div.chart aria-hidden="true" {} figcaption.legend {} }
        }
        div.columns {
            section aria-labelledby="kinds-title" {
                h2 #kinds-title { "Entities by state" }
                div data-part="/part/kinds" data-every="5" { (kinds(counts)) }
            }
            section aria-labelledby="newest-title" {
                h2 #newest-title { "Newest events" a.aside href="/events" { "all" } }
                div data-part="/part/newest" data-every="2" { (newest_table(events)) }
            }
        }
        div.columns {
            section aria-labelledby="resting-title" {
                h2 #resting-title { "What looks stuck" }
                div data-part="/part/resting" data-every="30" data-soon="" {
                    p.none { "Looking at how long states usually last …" }
                }
            }
            section aria-labelledby="filters-title" {
                h2 #filters-title { "Filters on nodes" }
                div data-part="/part/filters" data-every="10" data-soon="" { p.none { "Looking …" } }
            }
        }
    }
}

fn welcome() -> Markup {
    html! {
        section.notice {
            h1 { "Nothing has happened yet" }
            p { "The store is there and holds no event that you may see. Bring one log file into it:" }
            pre { code { "statetrail import app.log --rules rules/" } }
            p { "or let " code { "statetrail-sink" } " write what the filters send. This page looks
                again by itself." }
            div data-part="/part/kinds" data-every="2" data-then="reload" {}
        }
    }
}

/// `GET /part/kinds`
pub(super) async fn kinds_part(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    params: Params,
) -> Result<Markup, Problem> {
    params.finish()?;
    Ok(kinds(&counts_of(&app, &scope).await?))
}

fn kinds(counts: &[KindCount]) -> Markup {
    html! {
        @if !counts.is_empty() {
            table.kinds {
                thead { tr { th scope="col" { "Type" } th.number scope="col" { "Entities" } th scope="col" { "States now" } } }
                tbody { @for count in counts { (kind_row(count)) } }
            }
        }
    }
}

fn kind_row(count: &KindCount) -> Markup {
    let (namespace, entity_type) = (&count.kind.namespace, &count.kind.entity_type);
    let all = [("namespace", Some(&**namespace)), ("type", Some(&**entity_type))];
    let left: u64 = count.states.iter().skip(STATES).map(|(_, entities)| entities).sum();
    html! {
        tr {
            th scope="row" { a href=(address("/entities", &all)) {
                span.kind { (namespace) "/" } (entity_type)
            } }
            td.number { (grouped(count.entities)) }
            td {
                @if let Some(field) = &count.state_field {
                    @for (state, entities) in count.states.iter().take(STATES) {
                        @let condition = match state {
                            Some(state) => format!("{field}={state}"),
                            None => format!("!{field}"),
                        };
                        a.state href={ (address("/entities", &all)) "&where=" (encoded(&condition)) } {
                            (state.as_deref().unwrap_or("none")) " " b { (grouped(*entities)) }
                        } " "
                    }
                    @if left + count.others > 0 { span.none { (grouped(left + count.others)) " in other states" } }
                } @else { span.none { "no field that says so" } }
            }
        }
    }
}

/// `GET /part/newest`
pub(super) async fn newest_part(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    params: Params,
) -> Result<Markup, Problem> {
    let now = params.now();
    params.finish()?;
    let events =
        app.ask(&scope, move |store: ScopedStore| async move { newest(&store, now).await });
    Ok(newest_table(&events.await?))
}

async fn newest(store: &dyn EventStore, now: Time) -> Result<Vec<KnownEvent>, Problem> {
    let query = TimelineQuery {
        to: now,
        order: Order::NewestFirst,
        limit: NEWEST,
        ..TimelineQuery::default()
    };
    Ok(store.timeline(&query).await?)
}

fn newest_table(events: &[KnownEvent]) -> Markup {
    html! {
        table.events {
            thead { tr { th scope="col" { "Time" } th scope="col" { "Entity" } th scope="col" { "Event" } } }
            tbody { @for known in events {
                @let event = &known.event;
                tr {
                    td { (moment(event.time)) }
                    td { (entity_link(&event.entity, Some(event.time))) }
                    td { (event.name) }
                }
            } }
        }
    }
}

/// `GET /part/resting`
pub(super) async fn resting_part(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    params: Params,
) -> Result<Markup, Problem> {
    let now = params.now();
    params.finish()?;
    let found = app
        .ask(&scope, move |store: ScopedStore| async move { Ok(rest(&store, now).await?.into()) });
    Ok(resting_table(&app.overview().resting.get(&scope, found).await?))
}

/// What rests too long as of the newest event: a trail that ended last year is not stuck since.
async fn rest(store: &dyn EventStore, now: Time) -> Result<Vec<Resting>, Problem> {
    let last = newest(store, now).await?.first().map_or(now, |known| known.event.time);
    let mut found = Vec::new();
    for kind in store.kinds().await? {
        found.extend(resting(store, &kind, last, RESTING).await?);
    }
    found.sort_by(|a, b| b.times_as_usual().total_cmp(&a.times_as_usual()));
    found.truncate(RESTING);
    Ok(found)
}

fn resting_table(found: &[Resting]) -> Markup {
    html! {
        @if found.is_empty() {
            p.none { "Nothing: every entity moves on as its kind usually does." }
        } @else {
            table {
                thead { tr {
                    th scope="col" { "Entity" } th scope="col" { "Rests in" }
                    th.number scope="col" { "For" }
                    th.number scope="col" title="19 of 20 entities of its kind stay shorter" { "Usually at most" }
                } }
                tbody { @for resting in found { tr {
                    td { (entity_link(&resting.name, None)) }
                    td { span.state { (resting.state) } }
                    td.number { (length(resting.rests)) }
                    td.number { (length(resting.usual)) }
                } } }
            }
        }
    }
}

/// `GET /part/filters`
pub(super) async fn filters_part(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    params: Params,
) -> Result<Markup, Problem> {
    let at = params.now();
    params.finish()?;
    let find = find_filters(Moment::at(at), None, FILTERS);
    let (filters, _) = app
        .ask(&scope, move |store: ScopedStore| async move { find_page(&store, find).await })
        .await?;
    Ok(filters_table(&filters, at))
}

/// The fields of a filter that are shown, as the filter reports them.
const FILTER_FIELDS: [(&str, &str); 5] = [
    ("revision", "Rules"),
    ("lines", "Lines"),
    ("events", "Events"),
    ("unmatched", "Without event"),
    (RULES_ERROR, "Error"),
];

fn filters_table(filters: &[Found], now: Time) -> Markup {
    html! {
        @if filters.is_empty() {
            p.none { "No filter has reported here. Filters in Fluent Bit tell about themselves as "
                code { "statetrail/filter/NODE" } "." }
        } @else {
            table {
                thead { tr {
                    th scope="col" { "Node" }
                    @for (_, title) in FILTER_FIELDS { th scope="col" { (title) } }
                    th.number scope="col" { "Heard of" }
                } }
                tbody { @for filter in filters { tr {
                    th scope="row" { (entity_link(&filter.name, None)) }
                    @for (field, _) in FILTER_FIELDS {
                        td.wrong[field == RULES_ERROR] { (value(filter.state.get(field))) }
                    }
                    td.number { (length(now.nanos().saturating_sub(filter.last.nanos()))) " ago" }
                } } }
            }
        }
    }
}

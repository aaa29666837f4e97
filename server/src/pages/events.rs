//! Events of all entities by time, with a histogram to choose the time from, and those that arrive.

use axum::Extension;
use axum::extract::State;
use maud::{Markup, html};
use statetrail_event::Time;
use statetrail_store::{
    EventStore, Kind, KnownEvent, Order, Place as TimelinePlace, TimelineQuery,
};

use super::Refused;
use super::frame::{Page, Place};
use super::pieces::{address, entity_link, grouped, moment, origin};
use crate::access::{Scope, ScopedStore};
use crate::api::events::timeline_query;
use crate::api::params::{Params, place_text, read_place};
use crate::problem::Problem;
use crate::routes::App;

/// Events on a page.
const PAGE: usize = 100;
/// What is shown if no time is asked for: so long before the newest event, in nanoseconds.
const USUAL_SPAN: i64 = 3_600_000_000_000;
/// The longest time that the histogram shows, in nanoseconds: ten years. One event with a wrong time
/// would leave all others a bar.
const LONGEST: i64 = 10 * 366 * 86_400 * 1_000_000_000;
/// Parameters that stay when the time changes.
const FILTERS: [&str; 7] = ["namespace", "type", "prefix", "event", "text", "as_known_at", "order"];

/// What the address asks for.
#[derive(Clone)]
struct Asked {
    query: TimelineQuery,
    /// Every parameter as it was given, but for the place.
    given: Vec<(&'static str, Option<String>)>,
    has_place: bool,
    /// Whether there was a time in the address.
    has_span: bool,
}

impl Asked {
    fn read(mut params: Params) -> Result<Asked, Problem> {
        let mut given: Vec<_> = FILTERS
            .into_iter()
            .chain(["from", "to"])
            .map(|name| (name, params.first(name)))
            .collect();
        let mut query = timeline_query(&mut params)?;
        query.after = params.text("after")?.map(|text| read_place(&text)).transpose()?;
        query.limit = PAGE + 1;
        params.finish()?;
        // A moment like -15m is another one whenever it is read; those who are shown this page are
        // to see the same.
        let moments = [
            ("from", Some(query.from)),
            ("to", Some(query.to)),
            ("as_known_at", query.as_known_at),
        ];
        for (name, moment) in moments {
            if let Some((_, Some(text))) = given.iter_mut().find(|(given, _)| *given == name) {
                *text = moment.map(|moment| moment.to_string()).unwrap_or_default();
            }
        }
        let is_span = |name: &str| matches!(name, "from" | "to");
        let has_span = given.iter().any(|(name, text)| is_span(name) && text.is_some());
        let has_place = query.after.is_some();
        Ok(Asked { query, given, has_place, has_span })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.given.iter().find(|(given, _)| *given == name)?.1.as_deref()
    }

    /// The same page with other values for some parameters, from its beginning.
    fn with(&self, other: &[(&'static str, Option<&str>)]) -> String {
        let mut parameters: Vec<(&str, Option<&str>)> = Vec::new();
        for (name, text) in &self.given {
            let new = other.iter().find(|(other, _)| other == name);
            parameters.push((name, new.map_or(text.as_deref(), |(_, new)| *new)));
        }
        parameters.extend(other.iter().filter(|(name, _)| *name == "after"));
        address("/events", &parameters)
    }
}

/// What is shown.
struct Shown {
    events: Vec<KnownEvent>,
    more: bool,
    kinds: Vec<Kind>,
    /// The span that the histogram shows.
    span: (Time, Time),
    /// When something happened last, whatever is asked for.
    newest: Option<Time>,
}

/// `GET /events`
pub(super) async fn page(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    params: Params,
) -> Result<Page, Refused> {
    let now = params.now();
    let asked = Asked::read(params)?;
    let question = asked.clone();
    let shown = app
        .ask(&scope, move |store: ScopedStore| async move { look(&store, question, now).await })
        .await?;
    Ok(Page::new("Events", Place::Events, content(&asked, &shown)).with_script("events.js"))
}

async fn look(store: &dyn EventStore, asked: Asked, now: Time) -> Result<Shown, Problem> {
    let Asked { mut query, has_span, .. } = asked;
    let newest = edge(store, &query, Order::NewestFirst).await?;
    if !has_span {
        let end = newest.unwrap_or(now);
        query.from = Time::from_nanos(end.nanos().saturating_sub(USUAL_SPAN));
    }
    let span = whole(store, &query, newest.unwrap_or(now)).await?;
    let mut events = store.timeline(&query).await?;
    let more = events.len() > PAGE;
    events.truncate(PAGE);
    Ok(Shown { events, more, kinds: store.kinds().await?, span, newest })
}

/// The time of the first or the last event that passes the filter, at any time.
async fn edge(
    store: &dyn EventStore,
    query: &TimelineQuery,
    order: Order,
) -> Result<Option<Time>, Problem> {
    let edge = TimelineQuery {
        from: Time::MIN,
        to: Time::MAX,
        after: None,
        limit: 1,
        order,
        ..query.clone()
    };
    Ok(store.timeline(&edge).await?.first().map(|known| known.event.time))
}

/// What the histogram shows: no more than there are events, and no more than [`LONGEST`].
async fn whole(
    store: &dyn EventStore,
    query: &TimelineQuery,
    newest: Time,
) -> Result<(Time, Time), Problem> {
    let to = query.to.min(newest.max(query.from));
    let oldest = edge(store, query, Order::OldestFirst).await?.unwrap_or(to);
    let earliest = Time::from_nanos(to.nanos().saturating_sub(LONGEST));
    Ok((query.from.max(oldest).max(earliest).min(to), to))
}

fn content(asked: &Asked, shown: &Shown) -> Markup {
    let (from, to) = shown.span;
    html! {
        h1 { "Events" span.aside { " " (moment(from)) " to " (moment(to)) } }
        (form(asked, &shown.kinds))
        figure #histogram data-from=(from) data-to=(to) {
            div.chart tabindex="-1" title="Drag over a stretch of time to look at it" {}
            figcaption.legend {}
        }
        nav.steps aria-label="Time" {
            @for (title, length) in SPANS {
                a.button href=(zoomed(asked, shown, length)) { (title) }
            }
            a.button href=(asked.with(&[("from", Some("1970-01-01")), ("to", None), ("after", None)])) { "All" }
            button #tail type="button" aria-pressed="false" disabled { "Live tail" }
            button #pause type="button" hidden { "Pause" }
        }
        @if shown.events.is_empty() { (nothing(asked, shown)) }
        @else { (table(asked, shown)) }
        div #tail-table hidden {
            div.wide tabindex="0" role="region" aria-label="Events as they arrive" { table.events {
                (head())
                tbody #tail-rows {}
            } }
        }
    }
}

const SPANS: [(&str, i64); 4] = [
    ("1 min", 60_000_000_000),
    ("15 min", 900_000_000_000),
    ("1 h", 3_600_000_000_000),
    ("1 d", 86_400_000_000_000),
];

/// A span of that length that ends where this one does.
fn zoomed(asked: &Asked, shown: &Shown, length: i64) -> String {
    let to = shown.span.1;
    let from = Time::from_nanos(to.nanos().saturating_sub(length));
    let (from, to) = (from.to_string(), to.to_string());
    asked.with(&[("from", Some(&from)), ("to", Some(&to)), ("after", None)])
}

fn form(asked: &Asked, kinds: &[Kind]) -> Markup {
    let mut types: Vec<&str> = kinds.iter().map(|kind| &*kind.entity_type).collect();
    let mut namespaces: Vec<&str> = kinds.iter().map(|kind| &*kind.namespace).collect();
    types.sort_unstable();
    types.dedup();
    namespaces.dedup();
    html! {
        form.filters #filters action="/events" method="get" {
            (choice("Namespace", "namespace", &namespaces, asked))
            (choice("Type", "type", &types, asked))
            label { "Event" input name="event" value=[asked.text("event")] autocomplete="off"; }
            label { "Id begins with" input name="prefix" value=[asked.text("prefix")] autocomplete="off"; }
            label { "Line holds" input name="text" value=[asked.text("text")] autocomplete="off"; }
            label { "From" input.moment name="from" value=[asked.text("from")] placeholder="-1h" autocomplete="off"; }
            label { "To" input.moment name="to" value=[asked.text("to")] placeholder="now" autocomplete="off"; }
            @for name in ["as_known_at", "order"] {
                @if let Some(value) = asked.text(name) { input type="hidden" name=(name) value=(value); }
            }
            button type="submit" { "Find" }
        }
    }
}

fn choice(title: &str, name: &str, values: &[&str], asked: &Asked) -> Markup {
    let chosen = asked.text(name);
    html! {
        label { (title) select name=(name) {
            option value="" { "all" }
            @for value in values { option value=(value) selected[chosen == Some(*value)] { (value) } }
            // An address may name what is not there.
            @if let Some(other) = chosen.filter(|chosen| !values.contains(chosen)) {
                option value=(other) selected { (other) }
            }
        } }
    }
}

fn nothing(asked: &Asked, shown: &Shown) -> Markup {
    html! {
        section.notice #nothing {
            h2 { "Nothing found" }
            @match shown.newest {
                Some(newest) => {
                    p { "No such event in this time. The newest one is at " (moment(newest)) "." }
                    p { a href=(asked.with(&[("from", None), ("to", None)])) { "Show the hour before it" } }
                }
                None => {
                    p { "There is no such event at any time. "
                        a href="/events" { "Show all events" } }
                }
            }
        }
    }
}

fn head() -> Markup {
    html! { thead { tr {
        th scope="col" { "Time" } th scope="col" { "Entity" } th scope="col" { "Event" } th scope="col" { "Line" }
    } } }
}

fn table(asked: &Asked, shown: &Shown) -> Markup {
    let last = shown.events.last().filter(|_| shown.more);
    let next = last.map(|known| place_text(&TimelinePlace::of(&known.event)));
    html! {
        div #found {
            p.none role="status" {
                (grouped(shown.events.len() as u64)) @if shown.more { ", and there are more" }
            }
            div.wide tabindex="0" role="region" aria-label="Events" { table.events {
                (head())
                tbody { @for known in &shown.events { (row(known)) } }
            } }
            p.pages {
                @if asked.has_place { a.button href=(asked.with(&[])) { "Newest" } " " }
                @if let Some(next) = next {
                    a.button rel="next" href=(asked.with(&[("after", Some(&next))])) { "Older" }
                }
            }
        }
    }
}

fn row(known: &KnownEvent) -> Markup {
    let event = &known.event;
    html! {
        tr {
            td { (moment(event.time)) }
            td { (entity_link(&event.entity, Some(event.time))) }
            td { (event.name) }
            td.line-cell {
                @if let Some(line) = &event.line { code.line { (line) } }
                (origin(known))
            }
        }
    }
}

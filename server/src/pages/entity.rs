//! One entity: its state at a moment with the line behind each field, and the trail around it.
//!
//! What depends on the moment is one part, so that a script can ask for it while somebody drags
//! through time.

use std::ops::Bound;

use axum::Extension;
use axum::extract::State;
use maud::{Markup, html};
use statetrail_event::{EntityName, OrderKey, Time, Value};
use statetrail_query::{Blame, Moment, Step, blame as read_blame, state as read_state};
use statetrail_store::{Entity, EventStore, KnownEvent, Order, TrailQuery};

use super::Refused;
use super::frame::{Page, Place};
use super::pieces::{address, changes, entity_address, length, moment, moment_text, origin, value};
use crate::access::{Scope, ScopedStore};
use crate::api::entity::{TrailParams, trail_page};
use crate::api::params::Params;
use crate::problem::Problem;
use crate::routes::App;

/// Events at or before the moment that are shown.
const EARLIER: usize = 30;
/// Events after it: few, so that the moment is in sight.
const LATER: usize = 5;
/// Events that are marked on the line of time; of more, those around the moment.
const MARKED: usize = 500;

/// What the address asks for.
#[derive(Clone)]
struct Asked {
    name: EntityName,
    /// `None` is now, and goes on with it.
    at: Option<Time>,
    as_known_at: Option<Time>,
    /// Another moment, to be compared.
    with: Option<Time>,
    now: Time,
}

impl Asked {
    fn read(mut params: Params) -> Result<Asked, Problem> {
        let name = params.parsed("name")?;
        let asked = Asked {
            name: name.ok_or_else(|| Problem::bad("name is missing: NAMESPACE/TYPE/ID"))?,
            at: params.time("at")?,
            as_known_at: params.time("as_known_at")?,
            with: params.time("with")?,
            now: params.now(),
        };
        params.finish()?;
        Ok(asked)
    }

    fn moment(&self) -> Moment {
        Moment { at: self.at.unwrap_or(self.now), as_known_at: self.as_known_at }
    }

    /// The address of this page at another moment.
    fn at(&self, at: Option<Time>) -> String {
        let text = |time: Option<Time>| time.map(|time| time.to_string());
        let (at, known, with) = (text(at), text(self.as_known_at), text(self.with));
        let parameters = [
            ("name", Some(self.name.as_str())),
            ("at", at.as_deref()),
            ("as_known_at", known.as_deref()),
            ("with", with.as_deref()),
        ];
        address("/entity", &parameters)
    }
}

/// A field, its value at the moment and at the other one.
type Compared = (String, Option<Value>, Option<Value>);

/// What is known at the moment.
struct Shown {
    entity: Entity,
    /// `None` before the first event.
    fields: Option<Vec<Blame>>,
    /// After the moment, the nearest last: as they are shown.
    later: Vec<Step>,
    more_later: bool,
    /// At or before the moment, the newest first.
    earlier: Vec<Step>,
    more_earlier: bool,
    /// Both states side by side, if another moment is asked for.
    compared: Option<Vec<Compared>>,
}

/// `GET /entity`
pub(super) async fn page(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    params: Params,
) -> Result<Page, Refused> {
    let asked = Asked::read(params)?;
    let question = asked.clone();
    let (shown, marks) = app
        .ask(&scope, move |store: ScopedStore| async move {
            let shown = look(&store, &question).await?;
            let marks = marks(&store, &question).await?;
            Ok((shown, marks))
        })
        .await?;
    let content = content(&asked, &shown, marks.as_deref());
    Ok(Page::new(asked.name.as_str(), Place::Entities, content).with_script("entity.js"))
}

/// `GET /part/entity`
pub(super) async fn part(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    params: Params,
) -> Result<Markup, Problem> {
    let asked = Asked::read(params)?;
    let question = asked.clone();
    let shown =
        app.ask(&scope, move |store: ScopedStore| async move { look(&store, &question).await });
    Ok(at_the_moment(&asked, &shown.await?))
}

async fn look(store: &dyn EventStore, asked: &Asked) -> Result<Shown, Problem> {
    let name = &asked.name;
    let entity = store.entity(name).await?;
    let entity = entity.ok_or_else(|| Problem::not_found(format!("there is no entity {name}")))?;
    let moment = asked.moment();
    let fields = read_blame(store, name, moment).await?;
    let compared = match asked.with {
        None => None,
        Some(with) => Some(compare(store, asked, with).await?),
    };
    let after = moment.at.nanos().checked_add(1).map(Time::from_nanos);
    let (mut later, more_later) = match after {
        Some(after) => steps(store, asked, (after, Time::MAX), Order::OldestFirst).await?,
        None => (Vec::new(), false),
    };
    later.reverse();
    let (earlier, more_earlier) =
        steps(store, asked, (Time::MIN, moment.at), Order::NewestFirst).await?;
    Ok(Shown { entity, fields, later, more_later, earlier, more_earlier, compared })
}

async fn steps(
    store: &dyn EventStore,
    asked: &Asked,
    span: (Time, Time),
    order: Order,
) -> Result<(Vec<Step>, bool), Problem> {
    let limit = if order == Order::NewestFirst { EARLIER } else { LATER };
    let as_known_at = asked.as_known_at;
    trail_page(store, &asked.name, TrailParams { span, as_known_at, order, after: None, limit })
        .await
}

async fn compare(
    store: &dyn EventStore,
    asked: &Asked,
    with: Time,
) -> Result<Vec<Compared>, Problem> {
    let there = Moment { at: with, as_known_at: asked.as_known_at };
    let here = read_state(store, &asked.name, asked.moment()).await?.unwrap_or_default();
    let there = read_state(store, &asked.name, there).await?.unwrap_or_default();
    let mut names: Vec<&str> =
        here.fields().chain(there.fields()).map(|(name, _, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    let row = |name: &str| (name.to_owned(), here.get(name).cloned(), there.get(name).cloned());
    Ok(names.into_iter().map(row).collect())
}

/// When something happened to it, if that was not too often to be marked.
async fn marks(store: &dyn EventStore, asked: &Asked) -> Result<Option<Vec<Time>>, Problem> {
    let query = TrailQuery {
        from: Bound::Included(OrderKey::start_of(Time::MIN)),
        limit: MARKED + 1,
        as_known_at: asked.as_known_at,
        ..TrailQuery::default()
    };
    let events = store.trail(&asked.name, &query).await?;
    let times = || events.iter().map(|known| known.event.time).collect();
    Ok((events.len() <= MARKED).then(times))
}

fn content(asked: &Asked, shown: &Shown, marks: Option<&[Time]>) -> Markup {
    let Entity { name, first, last, .. } = &shown.entity;
    let kind = [("namespace", Some(name.namespace())), ("type", Some(name.entity_type()))];
    html! {
        p.crumbs { a href=(address("/entities", &kind)) { (name.namespace()) "/" (name.entity_type()) } }
        h1.entity-name { (name.id()) }
        section.scrubber #scrubber aria-label="Time"
            data-name=(name) data-first=(first) data-last=(last)
            data-namespace=(name.namespace()) data-type=(name.entity_type()) data-id=(name.id()) {
            div.track {
                div.marks #marks aria-hidden="true" data-times=[marks.map(times_text)] {}
                input #time type="range" min="0" max="1000" value="1000" step="any"
                    aria-label="Moment" disabled;
            }
            div.ends { span { (moment(*first)) } span { (moment(*last)) } }
            form.at action="/entity" method="get" {
                input type="hidden" name="name" value=(name);
                label { "At" input.moment #at name="at" value=[asked.at] placeholder="now" autocomplete="off"
                    title="2026-11-22T14:03:07Z, 14:03:07, -15m, yesterday 14:00"; }
                label { "Compare with" input.moment name="with" value=[asked.with] autocomplete="off"
                    placeholder="another moment"; }
                label title="Leaves out what became known later" { "As known at"
                    input.moment name="as_known_at" value=[asked.as_known_at] placeholder="all that is known"
                    autocomplete="off"; }
                button type="submit" { "Show" }
                a.button href=(entity_address(name.as_str(), None)) #now { "Now, live" }
            }
        }
        div #view { (at_the_moment(asked, shown)) }
    }
}

fn times_text(times: &[Time]) -> String {
    let texts: Vec<String> = times.iter().map(ToString::to_string).collect();
    texts.join(" ")
}

/// All that depends on the moment.
fn at_the_moment(asked: &Asked, shown: &Shown) -> Markup {
    html! {
        div.columns.entity {
            section aria-labelledby="state-title" { (state_of(asked, shown)) }
            section aria-labelledby="trail-title" { (trail_of(asked, shown)) }
        }
    }
}

fn state_of(asked: &Asked, shown: &Shown) -> Markup {
    let at = asked.moment().at;
    html! {
        h2 #state-title {
            "State "
            span #shown-at data-at=[asked.at] {
                @match asked.at { Some(at) => { "at " (moment(at)) } None => "now" }
            }
            @if let Some(known_at) = asked.as_known_at { " as known at " (moment(known_at)) }
        }
        nav.steps aria-label="Events" {
            @if let Some(step) = shown.earlier.first() {
                @if let Some(before) = before(shown, step.known.event.time) {
                    a.button.step data-key="j" href=(asked.at(Some(before))) { "← earlier event" }
                }
            }
            @if let Some(later) = shown.later.last() {
                a.button.step data-key="k" href=(asked.at(Some(later.known.event.time))) { "later event →" }
            }
        }
        @match &shown.fields {
            None => {
                p.none { "Nothing had happened to it by then; its first event is at "
                    a.step href=(asked.at(Some(shown.entity.first))) { (moment(shown.entity.first)) } "." }
            }
            Some(fields) if fields.is_empty() => p.none { "It has no field with a value then." },
            Some(fields) => {
                @if let Some(by) = shown.earlier.first() {
                    @let since = at.nanos().saturating_sub(by.known.event.time.nanos());
                    p.none {
                        @if since == 0 { "right after " } @else { "for " (length(since)) ", since " }
                        b { (by.known.event.name) }
                    }
                }
                (fields_table(asked, fields, shown.earlier.first()))
            }
        }
        @if let (Some(compared), Some(with)) = (&shown.compared, asked.with) {
            (compared_table(asked, compared, with))
        }
    }
}

/// The moment of the event before the one at this moment.
fn before(shown: &Shown, current: Time) -> Option<Time> {
    let mut times = shown.earlier.iter().map(|step| step.known.event.time);
    // More events than are shown may share the moment.
    let hidden = || current.nanos().checked_sub(1).map(Time::from_nanos);
    times.find(|time| *time < current).or_else(|| hidden().filter(|_| shown.more_earlier))
}

fn fields_table(asked: &Asked, fields: &[Blame], newest: Option<&Step>) -> Markup {
    let newest = newest.map(|step| step.known.event.key());
    html! {
        table.state-table {
            thead { tr { th scope="col" { "Field" } th scope="col" { "Value" } th scope="col" { "Set by" } } }
            tbody { @for field in fields {
                @let event = &field.by.event;
                tr.changed[Some(event.key()) == newest] data-field=(field.field) data-key-of={ "f:" (field.field) } {
                    th scope="row" { (field.field) }
                    td { (value(Some(&field.value))) }
                    td {
                        details {
                            summary { b { (event.name) } " " (moment(event.time)) (first_line(&field.by)) }
                            @if let Some(line) = &event.line { pre.line { (line) } }
                            p { (origin(&field.by)) }
                            p { a.step href=(asked.at(Some(event.time))) { "Go to this moment" } }
                        }
                    }
                }
            } }
        }
    }
}

fn compared_table(asked: &Asked, compared: &[Compared], with: Time) -> Markup {
    html! {
        h3 #compared-title { "Side by side" }
        div.wide tabindex="0" role="region" aria-labelledby="compared-title" { table.compared {
            thead { tr {
                th scope="col" { "Field" }
                th scope="col" { @match asked.at { Some(at) => (moment(at)), None => "now" } }
                th scope="col" { (moment(with)) }
            } }
            tbody { @for (field, here, there) in compared {
                tr.changed[here != there] {
                    th scope="row" { (field) }
                    td { (value(here.as_ref())) }
                    td { (value(there.as_ref())) }
                }
            } }
        } }
    }
}

fn trail_of(asked: &Asked, shown: &Shown) -> Markup {
    let edge = |steps: Option<&Step>| steps.map(|step| step.known.event.time);
    html! {
        h2 #trail-title { "Trail" span.aside { " newest first" } }
        @if let (true, Some(time)) = (shown.more_later, edge(shown.later.first())) {
            p { a.button.step href=(asked.at(Some(time))) { "Later events" } }
        }
        ol.trail {
            @for step in &shown.later { (trail_step(asked, step, false)) }
            li.here { span { @match asked.at { Some(at) => (moment_text(at)), None => "now" } } }
            @for (at, step) in shown.earlier.iter().enumerate() { (trail_step(asked, step, at == 0)) }
        }
        @if let (true, Some(time)) = (shown.more_earlier, edge(shown.earlier.last())) {
            @let is_same = shown.earlier.first().is_some_and(|step| step.known.event.time == time);
            @let time = if is_same { before(shown, time).unwrap_or(time) } else { time };
            @if is_same { p.none { "There are more events of this very moment." } }
            p { a.button.step href=(asked.at(Some(time))) { "Earlier events" } }
        }
    }
}

fn trail_step(asked: &Asked, step: &Step, is_current: bool) -> Markup {
    let event = &step.known.event;
    let late = step.known.known_at.nanos().saturating_sub(event.time.nanos());
    html! {
        li aria-current=[is_current.then_some("step")] data-key-of={ "e:" (event.id) } {
            a.step.when href=(asked.at(Some(event.time))) { (moment(event.time)) }
            " " b { (event.name) }
            (changes(&step.changed))
            details {
                summary { (first_line(&step.known)) }
                @match &event.line { Some(line) => pre.line { (line) }, None => p.none { "The line was not kept." } }
                p { (origin(&step.known)) }
                p.none {
                    @if let Some(rule) = &event.rule { "rule " (rule) " · " }
                    "known at " (moment(step.known.known_at))
                    @if late > 0 { ", " (length(late)) " later" }
                    " · id " (event.id)
                }
            }
        }
    }
}

/// As much of the line as there is room for, until it is opened.
fn first_line(known: &KnownEvent) -> Markup {
    html! { @match &known.event.line {
        Some(line) => code.line { (line) },
        None => span.none { " no line was kept" },
    } }
}

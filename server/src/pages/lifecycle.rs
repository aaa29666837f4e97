//! How the states, or the events, of a type of entity really followed each other.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use maud::{Markup, html};
use statetrail_query::{By, Lifecycle, LifecycleStep, state_field};
use statetrail_store::{EventStore, Kind};

use super::Refused;
use super::frame::{Page, Place};
use super::pieces::{address, encoded, entity_link, grouped, length, moment};
use crate::access::{Scope, ScopedStore};
use crate::api::entities::lifecycle_of;
use crate::api::params::Params;
use crate::problem::Problem;
use crate::routes::App;

/// Steps that are listed.
const STEPS: usize = 200;
/// Fields by which a lifecycle may be asked for.
const FIELDS: usize = 12;

/// What the address asks for.
#[derive(Clone)]
struct Asked {
    kind: Option<Kind>,
    by: Option<String>,
    at_text: Option<String>,
    at: statetrail_event::Time,
    /// A step whose entities are listed.
    from: Option<String>,
    to: Option<String>,
}

impl Asked {
    fn read(mut params: Params) -> Result<Asked, Problem> {
        let at_text = params.first("at");
        let (namespace, entity_type) = (params.text("namespace")?, params.text("type")?);
        let asked = Asked {
            kind: kind_of(namespace, entity_type)?,
            by: params.text("by")?,
            at: params.time("at")?.unwrap_or(params.now()),
            at_text,
            from: params.exact("from")?,
            to: params.exact("to")?,
        };
        params.finish()?;
        // A moment like -15m is another one whenever it is read.
        let at_text = asked.at_text.is_some().then(|| asked.at.to_string());
        Ok(Asked { at_text, ..asked })
    }

    fn address(&self, kind: &Kind, by: Option<&str>, step: Option<(Option<&str>, &str)>) -> String {
        let parameters = [
            ("namespace", Some(&*kind.namespace)),
            ("type", Some(&*kind.entity_type)),
            ("by", by),
            ("at", self.at_text.as_deref()),
        ];
        let mut address = address("/lifecycle", &parameters);
        let (from, to) = step.map_or((None, None), |(from, to)| (from, Some(to)));
        // An empty text is a place like any other; no text is where an entity was first seen.
        for (name, place) in [("from", from), ("to", to)] {
            address.extend(place.map(|place| format!("&{name}={}", encoded(place))));
        }
        address
    }
}

fn kind_of(
    namespace: Option<String>,
    entity_type: Option<String>,
) -> Result<Option<Kind>, Problem> {
    match (namespace, entity_type) {
        (None, None) => Ok(None),
        (Some(namespace), Some(entity_type)) => Ok(Some(Kind { namespace, entity_type })),
        _ => Err(Problem::bad("namespace and type belong together")),
    }
}

/// What is shown.
struct Shown {
    kinds: Vec<Kind>,
    kind: Option<Kind>,
    fields: Vec<String>,
    /// The lifecycle, or why there is none to be seen.
    lifecycle: Option<Result<(By, Lifecycle), String>>,
}

/// `GET /lifecycle`
pub(super) async fn page(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    params: Params,
) -> Result<Page, Refused> {
    let asked = Asked::read(params)?;
    let question = asked.clone();
    let shown =
        app.ask(&scope, move |store: ScopedStore| async move { look(&store, question).await });
    let content = content(&asked, &shown.await?);
    Ok(Page::new("Lifecycle", Place::Lifecycle, content).with_script("lifecycle.js"))
}

/// Without a kind in the address, the first one is shown that has a field with states.
async fn look(store: &dyn EventStore, asked: Asked) -> Result<Shown, Problem> {
    let kinds = store.kinds().await?;
    let kind = match asked.kind {
        Some(kind) => Some(kind),
        None => first_with_states(store, &kinds).await?,
    };
    let Some(kind) = kind else {
        return Ok(Shown { kinds, kind, fields: Vec::new(), lifecycle: None });
    };
    let sample = store.entities(&(&kind).into(), None, 1).await?;
    let fields = sample.iter().flat_map(|entity| entity.state.fields());
    let fields: Vec<String> = fields.take(FIELDS).map(|(field, _, _)| field.to_owned()).collect();
    let lifecycle = match lifecycle_of(store, &kind, asked.by, asked.at).await {
        Ok(lifecycle) => Ok(lifecycle),
        Err(problem) if problem.status == StatusCode::UNPROCESSABLE_ENTITY => Err(problem.detail),
        Err(problem) => return Err(problem),
    };
    Ok(Shown { kinds, kind: Some(kind), fields, lifecycle: Some(lifecycle) })
}

async fn first_with_states(
    store: &dyn EventStore,
    kinds: &[Kind],
) -> Result<Option<Kind>, Problem> {
    for kind in kinds {
        if state_field(store, kind).await?.is_some() {
            return Ok(Some(kind.clone()));
        }
    }
    Ok(kinds.first().cloned())
}

fn content(asked: &Asked, shown: &Shown) -> Markup {
    html! {
        h1 { "Lifecycle" @if let Some(kind) = &shown.kind {
            span.aside { " of " (kind.namespace) "/" (kind.entity_type) }
        } }
        nav.chips aria-label="Types" { @for kind in &shown.kinds {
            a.chip href=(asked.address(kind, None, None))
                aria-current=[(Some(kind) == shown.kind.as_ref()).then_some("true")] {
                span.kind { (kind.namespace) "/" } (kind.entity_type)
            }
        } }
        @match (&shown.kind, &shown.lifecycle) {
            (Some(kind), Some(lifecycle)) => (of_kind(asked, shown, kind, lifecycle)),
            _ => section.notice { h2 { "Nothing found" } p { "The store holds no entity that you may see yet." } },
        }
    }
}

fn of_kind(
    asked: &Asked,
    shown: &Shown,
    kind: &Kind,
    lifecycle: &Result<(By, Lifecycle), String>,
) -> Markup {
    let by_text = match lifecycle {
        Ok((By::Event, _)) => "event",
        Ok((By::Field(field), _)) => field,
        Err(_) => asked.by.as_deref().unwrap_or("event"),
    };
    let others = shown.fields.iter().map(String::as_str).chain(["event"]);
    let kind_of_entities =
        [("namespace", Some(&*kind.namespace)), ("type", Some(&*kind.entity_type))];
    html! {
        form.filters action="/lifecycle" method="get" {
            input type="hidden" name="namespace" value=(kind.namespace);
            input type="hidden" name="type" value=(kind.entity_type);
            label { "By" select name="by" {
                @for other in others { option value=(other) selected[other == by_text] { (other) } }
                @if by_text != "event" && !shown.fields.iter().any(|field| field == by_text) {
                    option value=(by_text) selected { (by_text) }
                }
            } }
            label { "Up to" input.moment name="at" value=[&asked.at_text] placeholder="now" autocomplete="off"; }
            button type="submit" { "Show" }
            a.button href=(address("/entities", &kind_of_entities)) { "Entities" }
        }
        @match lifecycle {
            Err(problem) => section.notice {
                h2 { "Too many values" }
                p { (problem) "." }
                p { a href=(asked.address(kind, Some("event"), None)) { "Show it by events" } }
            },
            Ok((_, lifecycle)) if lifecycle.steps.is_empty() => section.notice {
                h2 { "Nothing found" }
                p { "No " (kind.entity_type) " ever had "
                    @if by_text == "event" { "an event" } @else { "a value in " code { (by_text) } }
                    " up to " (moment(asked.at)) "." }
            },
            Ok((_, lifecycle)) => {
                p.none {
                    "As " (grouped(lifecycle.entities as u64)) " entities went"
                    @if lifecycle.is_sample { ", those to which something happened last" }
                    ". A click on an arrow lists the entities that went that way."
                    @if lifecycle.steps.len() > STEPS {
                        " Of " (grouped(lifecycle.steps.len() as u64)) " different steps the "
                        (STEPS) " most frequent are shown."
                    }
                }
                (graph(asked, kind, by_text, lifecycle))
                (steps_table(asked, kind, by_text, lifecycle))
            }
        }
    }
}

/// The steps that were taken most often.
fn frequent(lifecycle: &Lifecycle) -> Vec<&LifecycleStep> {
    let mut steps: Vec<_> = lifecycle.steps.iter().collect();
    steps.sort_by_key(|step| std::cmp::Reverse(step.count));
    steps.truncate(STEPS);
    steps
}

/// What the script draws: places and steps stand in the table below as well.
fn graph(asked: &Asked, kind: &Kind, by: &str, lifecycle: &Lifecycle) -> Markup {
    let places: Vec<serde_json::Value> = lifecycle
        .places
        .iter()
        .map(|place| {
            serde_json::json!({
                "name": place.name,
                "entered": place.entered,
                "stays": place.entered - place.left.min(place.entered),
                "median": place.median_stay.map(length),
            })
        })
        .collect();
    let steps: Vec<serde_json::Value> = frequent(lifecycle)
        .into_iter()
        .map(|step| {
            let way = (step.from.as_deref(), &*step.to);
            serde_json::json!({
                "from": step.from,
                "to": step.to,
                "count": step.count,
                "median": step.median.map(length),
                "address": asked.address(kind, Some(by), Some(way)),
            })
        })
        .collect();
    let drawn = serde_json::json!({ "places": places, "steps": steps }).to_string();
    html! { figure.graph #graph data-graph=(drawn) aria-hidden="true" {} }
}

fn place(name: &str) -> Markup {
    html! { span.state { (shown_place(name)) } }
}

fn shown_place(name: &str) -> &str {
    if name.is_empty() { "empty" } else { name }
}

fn steps_table(asked: &Asked, kind: &Kind, by: &str, lifecycle: &Lifecycle) -> Markup {
    let is_chosen = |from: Option<&str>, to: &str| {
        asked.to.as_deref() == Some(to) && asked.from.as_deref() == from
    };
    let chosen = lifecycle.steps.iter().find(|step| is_chosen(step.from.as_deref(), &step.to));
    html! {
        div.columns {
            section aria-labelledby="steps-title" {
                h2 #steps-title { "Steps" }
                table {
                    thead { tr {
                        th scope="col" { "From" } th scope="col" { "To" }
                        th.number scope="col" { "Times" } th.number scope="col" { "Median" }
                    } }
                    tbody { @for step in frequent(lifecycle) {
                        @let way = (step.from.as_deref(), &*step.to);
                        tr.changed[is_chosen(way.0, way.1)] {
                            td { @match way.0 { Some(from) => (place(from)), None => span.none { "first seen" } } }
                            td { a.state href={ (asked.address(kind, Some(by), Some(way))) "#went" } { (shown_place(&step.to)) } }
                            td.number { (grouped(step.count)) }
                            td.number { @match step.median { Some(median) => (length(median)), None => "" } }
                        }
                    } }
                }
            }
            section aria-labelledby="went" {
                h2 #went { "Entities that went that way" }
                @match chosen {
                    None => p.none { "Choose a step." },
                    Some(step) => {
                        p { @match &step.from { Some(from) => (place(from)), None => "first seen" }
                            " → " (place(&step.to)) }
                        ul.names { @for name in &step.entities { li { (entity_link(name, None)) } } }
                        @if (step.entities.len() as u64) < step.count {
                            p.none { "The first " (step.entities.len()) " that were found." }
                        }
                    }
                }
            }
        }
    }
}

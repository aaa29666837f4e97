//! Entities of a kind with their states, now or at any moment.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::State;
use maud::{Markup, html};
use statetrail_event::{EntityName, Value};
use statetrail_query::{Condition, Find, Found, Moment};
use statetrail_store::{EntityFilter, EventStore, Kind};

use super::Refused;
use super::frame::{Page, Place};
use super::pieces::{address, entity_link, grouped, moment, value};
use crate::access::{Scope, ScopedStore};
use crate::api::entities::{FindParams, find_page};
use crate::api::params::Params;
use crate::problem::Problem;
use crate::routes::App;

/// Entities on a page.
const PAGE: usize = 100;
/// Entities that are looked at to sort them by something else than their names.
const SORTED_MAX: usize = 100_000;
/// Columns of fields; what does not fit is on the entity's own page.
const COLUMNS: usize = 8;

/// Everything that the address of this page says.
#[derive(Clone)]
struct Asked {
    filter: EntityFilter,
    conditions: Vec<Condition>,
    where_texts: Vec<String>,
    /// A text that the name holds.
    text: Option<String>,
    at_text: Option<String>,
    known_at_text: Option<String>,
    moment: Moment,
    sort: Option<String>,
    after: Option<EntityName>,
}

impl Asked {
    fn read(mut params: Params) -> Result<Asked, Problem> {
        let where_texts = params.all("where");
        let conditions = where_texts.iter().map(|text| text.parse());
        let asked = Asked {
            conditions: conditions
                .collect::<Result<_, _>>()
                .map_err(|error| Problem::bad(format!("where: {error}")))?,
            where_texts,
            filter: params.filter()?,
            text: params.text("text")?,
            at_text: params.first("at"),
            known_at_text: params.first("as_known_at"),
            moment: params.moment()?,
            sort: params.text("sort")?,
            after: params.parsed("after")?,
        };
        params.finish()?;
        // A moment like -15m is another one whenever it is read.
        let at_text = asked.at_text.is_some().then(|| asked.moment.at.to_string());
        let known_at_text = asked.moment.as_known_at.map(|known_at| known_at.to_string());
        Ok(Asked { at_text, known_at_text, ..asked })
    }

    /// The address of the same page with another value for one parameter, from its beginning.
    fn with(&self, name: &str, new: Option<&str>) -> String {
        let parts = [
            ("namespace", self.filter.namespace.as_deref()),
            ("type", self.filter.entity_type.as_deref()),
            ("prefix", self.filter.id_prefix.as_deref()),
            ("text", self.text.as_deref()),
            ("at", self.at_text.as_deref()),
            ("as_known_at", self.known_at_text.as_deref()),
            ("sort", self.sort.as_deref()),
            ("after", None),
        ];
        let mut parameters: Vec<(&str, Option<&str>)> =
            parts.map(|(part, old)| (part, if part == name { new } else { old })).to_vec();
        let conditions = self.where_texts.iter().map(|text| Some(text.as_str()));
        // A condition is taken away by its text.
        let kept = conditions.filter(|text| name != "where" || *text != new);
        parameters.extend(kept.map(|text| ("where", text)));
        address("/entities", &parameters)
    }

    fn kind(&self) -> Option<Kind> {
        let (namespace, entity_type) =
            (self.filter.namespace.clone()?, self.filter.entity_type.clone()?);
        Some(Kind { namespace, entity_type })
    }

    /// Whether time stands still on the page.
    fn is_past(&self) -> bool {
        self.at_text.is_some()
    }
}

/// What is shown.
struct Shown {
    kinds: Vec<Kind>,
    found: Vec<Found>,
    /// There are more behind them.
    more: bool,
    /// There were so many that not all could be sorted.
    is_cut: bool,
}

/// `GET /entities`
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
    Ok(Page::new("Entities", Place::Entities, content))
}

async fn look(store: &dyn EventStore, asked: Asked) -> Result<Shown, Problem> {
    let kinds = store.kinds().await?;
    let sort = asked.sort.clone().unwrap_or_else(|| "name".to_owned());
    if sort == "name" && asked.text.is_none() {
        let Asked { filter, conditions, moment, after, .. } = asked;
        let find = FindParams { filter, conditions, moment, after, limit: PAGE };
        let (found, more) = find_page(store, find).await?;
        return Ok(Shown { kinds, found, more, is_cut: false });
    }
    let (found, more, is_cut) = first_ones(store, asked, &sort).await?;
    Ok(Shown { kinds, found, more, is_cut })
}

/// The first ones in an order, of those whose names hold the text.
async fn first_ones(
    store: &dyn EventStore,
    asked: Asked,
    sort: &str,
) -> Result<(Vec<Found>, bool, bool), Problem> {
    let order = Sort::of(sort)?;
    let Asked { filter, conditions, moment, after, text, .. } = asked;
    let is_named =
        |found: &Found| text.as_deref().is_none_or(|text| found.name.as_str().contains(text));
    let mut find = Find::new(store, filter, conditions, moment).with_page(1_000);
    if let Some(after) = after.filter(|_| order.is_by_name()) {
        find = find.after(after);
    }
    let (mut best, mut seen, mut fitting): (Vec<Found>, usize, usize) = (Vec::new(), 0, 0);
    while let Some(page) = find.next_page().await? {
        seen += page.len();
        let page = page.into_iter().filter(is_named);
        let before = best.len();
        best.extend(page);
        fitting += best.len() - before;
        best.sort_by(|a, b| order.compare(a, b));
        best.truncate(PAGE);
        if order.is_by_name() && fitting > PAGE {
            break;
        }
        if seen >= SORTED_MAX {
            return Ok((best, fitting > PAGE, true));
        }
    }
    Ok((best, fitting > PAGE, false))
}

/// What entities are sorted by.
struct Sort<'a> {
    by: &'a str,
    is_falling: bool,
}

impl Sort<'_> {
    fn of(text: &str) -> Result<Sort<'_>, Problem> {
        let (by, is_falling) = match text.strip_prefix('-') {
            Some(by) => (by, true),
            None => (text, false),
        };
        if !matches!(by, "name" | "last") && !by.starts_with('.') {
            return Err(Problem::bad(
                "sort is name, last or a dot and a field; - in front turns it round",
            ));
        }
        Ok(Sort { by, is_falling })
    }

    /// Whether it is the order in which they are found.
    fn is_by_name(&self) -> bool {
        self.by == "name" && !self.is_falling
    }

    /// What has no value comes last, in either direction.
    fn compare(&self, a: &Found, b: &Found) -> Ordering {
        let turned = |order: Ordering| if self.is_falling { order.reverse() } else { order };
        let order = match (self.by, self.by.strip_prefix('.')) {
            ("last", _) => turned(a.last.cmp(&b.last)),
            (_, Some(field)) => match (a.state.get(field), b.state.get(field)) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(a), Some(b)) => turned(compare_values(a, b)),
            },
            _ => turned(a.name.cmp(&b.name)),
        };
        order.then_with(|| a.name.cmp(&b.name))
    }
}

/// Numbers by their size, in front of texts.
fn compare_values(a: &Value, b: &Value) -> Ordering {
    let number = |value: &Value| match value {
        Value::Int(number) => Some(*number as f64),
        Value::Number(number) => Some(number.get()),
        Value::Bool(_) | Value::Text(_) => None,
    };
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.to_string().cmp(&b.to_string()),
    }
}

fn content(asked: &Asked, shown: &Shown) -> Markup {
    html! {
        h1 {
            @match asked.kind() {
                Some(kind) => { span.kind { (kind.namespace) "/" } (kind.entity_type) }
                None => "Entities"
            }
            @if let Some(at) = asked.is_past().then_some(asked.moment.at) {
                span.aside { " at " (moment(at)) }
            }
        }
        (form(asked, &shown.kinds))
        @if shown.found.is_empty() { (nothing(asked, shown)) }
        @else { (table(asked, shown)) }
    }
}

fn form(asked: &Asked, kinds: &[Kind]) -> Markup {
    let is_chosen = |kind: &Kind| asked.kind().as_ref() == Some(kind);
    html! {
        nav.chips aria-label="Types" {
            a.chip href="/entities" aria-current=[asked.kind().is_none().then_some("true")] { "all types" }
            @for kind in kinds {
                @let parts = [
                    ("namespace", Some(&*kind.namespace)),
                    ("type", Some(&*kind.entity_type)),
                    ("at", asked.at_text.as_deref()),
                ];
                a.chip href=(address("/entities", &parts)) aria-current=[is_chosen(kind).then_some("true")] {
                    span.kind { (kind.namespace) "/" } (kind.entity_type)
                }
            }
        }
        form.filters action="/entities" method="get" {
            @for (name, value) in [
                ("namespace", &asked.filter.namespace),
                ("type", &asked.filter.entity_type),
                ("sort", &asked.sort),
                ("as_known_at", &asked.known_at_text),
            ] {
                @if let Some(value) = value { input type="hidden" name=(name) value=(value); }
            }
            label { "Id begins with" input name="prefix" value=[&asked.filter.id_prefix] autocomplete="off"; }
            label { "Name holds" input name="text" value=[&asked.text] autocomplete="off"; }
            @for text in &asked.where_texts { input type="hidden" name="where" value=(text); }
            label { "Field" input name="where" placeholder="status=paid, amount>=10, !refund" autocomplete="off"; }
            label { "At" input.moment name="at" value=[&asked.at_text] placeholder="now" autocomplete="off"
                title="2026-11-22T14:03:07Z, 14:03:07, -15m, yesterday 14:00"; }
            button type="submit" { "Find" }
            @if let Some(kind) = asked.kind() {
                @let parts = [("namespace", Some(&*kind.namespace)), ("type", Some(&*kind.entity_type))];
                a.button href=(address("/lifecycle", &parts)) { "Lifecycle" }
            }
        }
        @if !asked.where_texts.is_empty() {
            p.chips { "Only with " @for text in &asked.where_texts {
                a.chip href=(asked.with("where", Some(text))) title="Take this condition away" {
                    code { (text) } " ✕"
                } " "
            } }
        }
    }
}

fn nothing(asked: &Asked, shown: &Shown) -> Markup {
    html! {
        section.notice {
            h2 { "Nothing found" }
            @if shown.kinds.is_empty() {
                p { "The store holds no entity that you may see yet." }
            } @else if asked.is_past() {
                p { "No entity was like that at " (moment(asked.moment.at)) ". "
                    a href=(asked.with("at", None)) { "Ask about now" } }
            } @else {
                p { "No entity is like that. " a href="/entities" { "Show all" } }
            }
        }
    }
}

/// The fields that most of the entities have.
fn columns(found: &[Found]) -> Vec<&str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (field, _, _) in found.iter().flat_map(|found| found.state.fields()) {
        *counts.entry(field).or_default() += 1;
    }
    let mut columns: Vec<(&str, usize)> = counts.into_iter().collect();
    let is_state = |field: &str| matches!(field, "status" | "state" | "phase");
    columns.sort_by_key(|(field, count)| (!is_state(field), std::cmp::Reverse(*count), *field));
    columns.into_iter().take(COLUMNS).map(|(field, _)| field).collect()
}

fn table(asked: &Asked, shown: &Shown) -> Markup {
    let columns = columns(&shown.found);
    let at = asked.is_past().then_some(asked.moment.at);
    let next = shown.found.last().filter(|_| shown.more).map(|found| found.name.as_str());
    let is_by_name = asked.sort.as_deref().is_none_or(|sort| sort == "name");
    html! {
        p.none role="status" {
            (grouped(shown.found.len() as u64))
            @if shown.more { ", and there are more" }
            @if shown.is_cut { "; the first " (grouped(SORTED_MAX as u64)) " by name were looked at" }
        }
        div.wide tabindex="0" role="region" aria-label="Entities" { table.entities {
            thead { tr {
                (heading(asked, "name", "Entity"))
                @for field in &columns { (heading(asked, &format!(".{field}"), field)) }
                (heading(asked, "last", if asked.is_past() { "Last event ever" } else { "Last event" }))
            } }
            tbody { @for found in &shown.found { tr {
                th scope="row" { (entity_link(&found.name, at)) }
                @for field in &columns { td { (value(found.state.get(field))) } }
                td { (moment(found.last)) }
            } } }
        } }
        @if let (Some(next), true) = (next, is_by_name) {
            p.pages {
                @if asked.after.is_some() { a.button href=(asked.with("after", None)) { "First page" } " " }
                a.button rel="next" href=(asked.with("after", Some(next))) { "Next page" }
            }
        } @else if asked.after.is_some() {
            p.pages { a.button href=(asked.with("after", None)) { "First page" } }
        }
    }
}

fn heading(asked: &Asked, by: &str, title: &str) -> Markup {
    let sort = asked.sort.as_deref().unwrap_or("name");
    let falling = format!("-{by}");
    let (order, next) = match sort {
        sort if sort == by => (Some("ascending"), falling.as_str()),
        sort if sort == falling => (Some("descending"), by),
        // Of times, the newest are asked for.
        _ if by == "last" => (None, falling.as_str()),
        _ => (None, by),
    };
    html! {
        th scope="col" aria-sort=[order] {
            a href=(asked.with("sort", Some(next))) {
                (title)
                @match order {
                    Some("ascending") => span aria-hidden="true" { " ↑" },
                    Some(_) => span aria-hidden="true" { " ↓" },
                    None => {},
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use statetrail_event::{Change, EventId, OrderKey, State, Time};

    use super::*;

    fn found(id: &str, amount: Option<Value>) -> Found {
        let key = OrderKey { time: Time::from_nanos(1), seq: 0, id: EventId([0; 16]) };
        let mut state = State::new();
        let changes = amount.map(|amount| Change { field: "amount".into(), value: Some(amount) });
        state.apply(key, changes.as_slice());
        let name = EntityName::new("shop", "order", id).unwrap();
        Found { name, state, first: key.time, last: key.time }
    }

    #[test]
    fn numbers_come_by_size_and_what_is_missing_last_in_either_direction() {
        let values = [Some(Value::Int(10)), Some(Value::Int(9)), None, Some(Value::text("a"))];
        let ids = ["ten", "nine", "none", "text"];
        let all: Vec<Found> =
            ids.into_iter().zip(values).map(|(id, value)| found(id, value)).collect();
        for (sort, expected) in [
            (".amount", ["nine", "ten", "text", "none"]),
            ("-.amount", ["text", "ten", "nine", "none"]),
            ("-name", ["text", "ten", "none", "nine"]),
        ] {
            let mut sorted = all.clone();
            let order = Sort::of(sort).unwrap();
            sorted.sort_by(|a, b| order.compare(a, b));
            let told: Vec<&str> = sorted.iter().map(|found| found.name.id()).collect();
            assert_eq!(told, expected, "{sort}");
        }
        assert!(Sort::of("amount").is_err());
    }
}

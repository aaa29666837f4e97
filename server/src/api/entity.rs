//! Answers about one entity.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;
use statetrail_event::{EntityName, State as EntityState, Time};
use statetrail_query::views::{ChangeView, EntityView, EventView, StateView};
use statetrail_query::{
    Blame, Moment, Step, Trail, blame as read_blame, differences, state as read_state,
};
use statetrail_store::{EventStore, Order};

use super::entities::json;
use super::params::{Params, key_text, read_key};
use crate::access::{Scope, ScopedStore};
use crate::problem::Problem;
use crate::routes::App;

/// The parts of an entity's name in a path.
pub(crate) type NameInPath = Path<(String, String, String)>;

/// The entity that a path names.
pub(crate) fn named(path: NameInPath) -> Result<EntityName, Problem> {
    let Path((namespace, entity_type, id)) = path;
    EntityName::new(&namespace, &entity_type, &id).map_err(Problem::bad)
}

/// The entity and the moment that a question is about, where there is nothing else to it.
fn asked_at(path: NameInPath, mut params: Params) -> Result<(EntityName, Moment), Problem> {
    let asked = (named(path)?, params.moment()?);
    params.finish()?;
    Ok(asked)
}

fn nothing(name: &EntityName, moment: Moment) -> Problem {
    Problem::not_found(format!("{name} has no event at or before {}", moment.at))
}

/// The state of an entity at a moment.
pub(crate) async fn state_of(
    store: &dyn EventStore,
    name: &EntityName,
    moment: Moment,
) -> Result<EntityState, Problem> {
    read_state(store, name, moment).await?.ok_or_else(|| nothing(name, moment))
}

/// `GET /state/NAMESPACE/TYPE/ID`
pub(super) async fn state(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    path: NameInPath,
    params: Params,
) -> Result<Response, Problem> {
    let (name, moment) = asked_at(path, params)?;
    let asked = name.clone();
    let question = move |store| async move { state_of(&store, &asked, moment).await };
    let state = app.ask(&scope, question).await?;
    Ok(json(&EntityView::new(&name, moment.at, &state)))
}

/// What a page of a trail asks for.
pub(crate) struct TrailParams {
    pub(crate) span: (Time, Time),
    pub(crate) as_known_at: Option<Time>,
    pub(crate) order: Order,
    pub(crate) after: Option<statetrail_event::OrderKey>,
    pub(crate) limit: usize,
}

/// One page of a trail, and whether there is more.
pub(crate) async fn trail_page(
    store: &dyn EventStore,
    name: &EntityName,
    params: TrailParams,
) -> Result<(Vec<Step>, bool), Problem> {
    let TrailParams { span, as_known_at, order, after, limit } = params;
    let mut trail = Trail::new(store, name.clone(), span, as_known_at, order).with_page(limit + 1);
    if let Some(after) = after {
        trail = trail.after(after);
    }
    let mut steps = trail.next_page().await?.unwrap_or_default();
    let more = steps.len() > limit;
    steps.truncate(limit);
    Ok((steps, more))
}

#[derive(Serialize)]
struct TrailView<'a> {
    entity: &'a str,
    events: Vec<StepView<'a>>,
    next: Option<String>,
}

#[derive(Serialize)]
struct StepView<'a> {
    #[serde(flatten)]
    event: EventView<'a>,
    changes: Vec<ChangeView<'a>>,
    state: StateView<'a>,
}

/// `GET /trail/NAMESPACE/TYPE/ID`
pub(super) async fn trail(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    path: NameInPath,
    mut params: Params,
) -> Result<Response, Problem> {
    let name = named(path)?;
    let asked = TrailParams {
        span: params.span()?,
        as_known_at: params.time("as_known_at")?,
        order: params.order(Order::OldestFirst)?,
        after: params.text("after")?.map(|text| read_key(&text)).transpose()?,
        limit: params.limit(app.limits().page)?,
    };
    params.finish()?;
    let of = name.clone();
    let question = move |store: ScopedStore| async move {
        let page = trail_page(&store, &of, asked).await?;
        if page.0.is_empty() && store.entity(&of).await?.is_none() {
            return Err(Problem::not_found(format!("there is no entity {of}")));
        }
        Ok(page)
    };
    let (steps, more) = app.ask(&scope, question).await?;
    let next = steps.last().filter(|_| more).map(|step| key_text(step.known.event.key()));
    let events = steps.iter().map(|step| StepView {
        event: EventView::new(&step.known),
        changes: step.changed.iter().map(ChangeView::from).collect(),
        state: StateView(&step.state),
    });
    Ok(json(&TrailView { entity: name.as_str(), events: events.collect(), next }))
}

#[derive(Serialize)]
struct BlameView<'a> {
    entity: &'a str,
    as_of: String,
    fields: Vec<BlamedField<'a>>,
}

#[derive(Serialize)]
struct BlamedField<'a> {
    field: &'a str,
    value: &'a statetrail_event::Value,
    by: EventView<'a>,
}

/// The event behind each field.
pub(crate) async fn blame_of(
    store: &dyn EventStore,
    name: &EntityName,
    moment: Moment,
) -> Result<Vec<Blame>, Problem> {
    read_blame(store, name, moment).await?.ok_or_else(|| nothing(name, moment))
}

/// `GET /blame/NAMESPACE/TYPE/ID`
pub(super) async fn blame(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    path: NameInPath,
    params: Params,
) -> Result<Response, Problem> {
    let (name, moment) = asked_at(path, params)?;
    let asked = name.clone();
    let question = move |store| async move { blame_of(&store, &asked, moment).await };
    let blamed = app.ask(&scope, question).await?;
    let fields = blamed.iter().map(|line| BlamedField {
        field: &line.field,
        value: &line.value,
        by: EventView::new(&line.by),
    });
    let (entity, as_of) = (name.as_str(), moment.at.to_string());
    Ok(json(&BlameView { entity, as_of, fields: fields.collect() }))
}

#[derive(Serialize)]
struct DiffView<'a> {
    entity: &'a str,
    from: Option<String>,
    to: String,
    changes: Vec<ChangeView<'a>>,
}

/// `GET /diff/NAMESPACE/TYPE/ID`: the moments `from` and `to`; without `from`, before everything.
pub(super) async fn diff(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    path: NameInPath,
    mut params: Params,
) -> Result<Response, Problem> {
    let name = named(path)?;
    let (from, to) = (params.time("from")?, params.time("to")?.unwrap_or(params.now()));
    let as_known_at = params.time("as_known_at")?;
    params.finish()?;
    let asked = name.clone();
    let question = move |store| async move {
        let to = state_of(&store, &asked, Moment { at: to, as_known_at }).await?;
        let from = match from {
            Some(at) => read_state(&store, &asked, Moment { at, as_known_at }).await?,
            None => None,
        };
        Ok(differences(&from.unwrap_or_default(), &to))
    };
    let changes = app.ask(&scope, question).await?;
    Ok(json(&DiffView {
        entity: name.as_str(),
        from: from.map(|at| at.to_string()),
        to: to.to_string(),
        changes: changes.iter().map(ChangeView::from).collect(),
    }))
}

//! Answers about one entity.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use statetrail_event::{EntityName, State as EntityState, Time};
use statetrail_query::views::{
    ChangeView, EntityView, EventView, FieldsSchema, StateView, ValueSchema,
};
use statetrail_query::{
    Blame, Moment, Step, Trail, blame as read_blame, differences, state as read_state,
};
use statetrail_store::{EventStore, Order};
use utoipa::ToSchema;

use super::described::{
    After, AsKnownAt, At, IfNoneMatch, Limit, NamedEntity, NotThere, OldestFirst, Refused, Span,
    TwoMoments, Unanswered,
};
use super::entities::{json, json_at};
use super::params::{InPath, Params, key_text, read_key};
use crate::access::{Scope, ScopedStore};
use crate::problem::Problem;
use crate::routes::App;

/// The parts of an entity's name in a path.
pub(crate) type NameInPath = InPath<(String, String, String)>;

/// The entity that a path names.
pub(crate) fn named(path: NameInPath) -> Result<EntityName, Problem> {
    let InPath((namespace, entity_type, id)) = path;
    EntityName::new(&namespace, &entity_type, &id).map_err(Problem::bad)
}

/// The entity and the moment that a question is about, where there is nothing else to it, and the
/// present.
fn asked_at(path: NameInPath, mut params: Params) -> Result<(EntityName, Moment, Time), Problem> {
    let asked = (named(path)?, params.moment()?, params.now());
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

/// The state of an entity
///
/// Every field of an entity at a moment.
#[utoipa::path(
    get,
    path = "/state/{namespace}/{type}/{*id}",
    params(NamedEntity, At, AsKnownAt, IfNoneMatch),
    responses(
        (status = 200, description = "Its state.", body = EntityView),
        Refused, NotThere, Unanswered,
    ),
)]
pub(super) async fn state(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    path: NameInPath,
    params: Params,
) -> Result<Response, Problem> {
    let (name, moment, now) = asked_at(path, params)?;
    let asked = name.clone();
    let question = move |store| async move { state_of(&store, &asked, moment).await };
    let state = app.ask(&scope, question).await?;
    Ok(json_at(&EntityView::new(&name, moment.at, &state), moment.at, now))
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

#[derive(Serialize, ToSchema)]
#[schema(as = TrailPage)]
struct TrailView<'a> {
    /// The full name.
    entity: &'a str,
    /// The events.
    events: Vec<StepView<'a>>,
    /// The value of `after` for the next page.
    #[schema(required)]
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TrailStep)]
struct StepView<'a> {
    #[serde(flatten)]
    event: EventView<'a>,
    /// What it changed.
    changes: Vec<ChangeView<'a>>,
    /// The state behind it.
    #[schema(value_type = FieldsSchema)]
    state: StateView<'a>,
}

/// The trail of an entity
///
/// Its events, what each changed, and the state beside it.
#[utoipa::path(
    get,
    path = "/trail/{namespace}/{type}/{*id}",
    params(NamedEntity, Span, AsKnownAt, OldestFirst, Limit, After, IfNoneMatch),
    responses(
        (status = 200, description = "One page of its trail.", body = TrailView),
        Refused, NotThere, Unanswered,
    ),
)]
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

#[derive(Serialize, ToSchema)]
#[schema(as = Blame)]
struct BlameView<'a> {
    /// The full name.
    entity: &'a str,
    /// The moment.
    #[schema(format = DateTime)]
    as_of: String,
    /// The fields that have a value.
    fields: Vec<BlamedField<'a>>,
}

#[derive(Serialize, ToSchema)]
struct BlamedField<'a> {
    /// The field.
    field: &'a str,
    /// Its value.
    #[schema(value_type = ValueSchema)]
    value: &'a statetrail_event::Value,
    /// The event that set it.
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

/// Why an entity is as it is
///
/// For each field the event, line and source that set it.
#[utoipa::path(
    get,
    path = "/blame/{namespace}/{type}/{*id}",
    params(NamedEntity, At, AsKnownAt, IfNoneMatch),
    responses(
        (status = 200, description = "Its fields.", body = BlameView),
        Refused, NotThere, Unanswered,
    ),
)]
pub(super) async fn blame(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    path: NameInPath,
    params: Params,
) -> Result<Response, Problem> {
    let (name, moment, now) = asked_at(path, params)?;
    let asked = name.clone();
    let question = move |store| async move { blame_of(&store, &asked, moment).await };
    let blamed = app.ask(&scope, question).await?;
    let fields = blamed.iter().map(|line| BlamedField {
        field: &line.field,
        value: &line.value,
        by: EventView::new(&line.by),
    });
    let (entity, as_of) = (name.as_str(), moment.at.to_string());
    Ok(json_at(&BlameView { entity, as_of, fields: fields.collect() }, moment.at, now))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Diff)]
struct DiffView<'a> {
    /// The full name.
    entity: &'a str,
    /// The earlier moment; `null` is before everything.
    #[schema(required, format = DateTime)]
    from: Option<String>,
    /// The later moment.
    #[schema(format = DateTime)]
    to: String,
    /// The fields that differ.
    changes: Vec<ChangeView<'a>>,
}

/// What differs between two moments
///
/// The fields of an entity whose values at one moment are not those at the other.
#[utoipa::path(
    get,
    path = "/diff/{namespace}/{type}/{*id}",
    params(NamedEntity, TwoMoments, AsKnownAt, IfNoneMatch),
    responses(
        (status = 200, description = "The fields that differ.", body = DiffView),
        Refused, NotThere, Unanswered,
    ),
)]
pub(super) async fn diff(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    path: NameInPath,
    mut params: Params,
) -> Result<Response, Problem> {
    let name = named(path)?;
    let now = params.now();
    let (from, to) = (params.time("from")?, params.time("to")?.unwrap_or(now));
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
    let view = DiffView {
        entity: name.as_str(),
        from: from.map(|at| at.to_string()),
        to: to.to_string(),
        changes: changes.iter().map(ChangeView::from).collect(),
    };
    Ok(json_at(&view, to, now))
}

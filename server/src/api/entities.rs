//! Lists and searches of entities.

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use statetrail_event::{EntityName, Time};
use statetrail_query::views::EntityView;
use statetrail_query::{
    By, Find, Found, KindCount, Lifecycle, census, lifecycle as read_lifecycle, state_field,
};
use statetrail_store::{EventStore, Kind, NamePart};
use utoipa::ToSchema;

use super::described::{
    After, AsKnownAt, At, By as ByWhat, Conditions, Entities, IfNoneMatch, Limit, NamedKind, Part,
    Refused, TooMuch, Unanswered,
};
use super::params::{InPath, Params};
use crate::access::Scope;
use crate::etag::Passing;
use crate::problem::Problem;
use crate::routes::App;

/// Room for most answers.
const JSON_BYTES: usize = 16 << 10;

/// An answer as JSON. `axum::Json` would write it step by step into a buffer that grows from 128 bytes;
/// a page of a trail is a hundred kilobytes.
pub(super) fn json(view: &impl Serialize) -> Response {
    let mut text = Vec::with_capacity(JSON_BYTES);
    match serde_json::to_writer(&mut text, view) {
        Ok(()) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer has no form in JSON");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Problem::new(status, "the question failed; see the server's log").into_response()
        }
    }
}

/// The same of what was the case at a moment, which it names. If that is now, only because no other
/// was asked for, the answer is the same again as long as nothing else in it differs.
pub(super) fn json_at(view: &impl Serialize, at: Time, now: Time) -> Response {
    let mut response = json(view);
    if at == now {
        response.extensions_mut().insert(Passing(at.to_string()));
    }
    response
}

#[derive(Serialize, ToSchema)]
#[schema(as = EntityPage)]
struct Page<'a> {
    entities: Vec<FoundView<'a>>,
    /// The value of `after` for the next page.
    #[schema(required)]
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = FoundEntity)]
struct FoundView<'a> {
    #[serde(flatten)]
    entity: EntityView<'a>,
    /// The time of its first event, whenever that became known.
    #[schema(format = DateTime)]
    first: String,
    /// The time of its last event, even if that is after the moment of the question.
    #[schema(format = DateTime)]
    last: String,
}

/// One page of entities that fulfil the conditions, and whether there may be more.
pub(crate) async fn find_page(
    store: &dyn EventStore,
    params: FindParams,
) -> Result<(Vec<Found>, bool), Problem> {
    let FindParams { filter, conditions, moment, after, limit } = params;
    let mut find = Find::new(store, filter, conditions, moment).with_page(limit + 1);
    if let Some(after) = after {
        find = find.after(after);
    }
    let mut found = Vec::new();
    while found.len() <= limit
        && let Some(page) = find.next_page().await?
    {
        found.extend(page);
    }
    let more = found.len() > limit;
    found.truncate(limit);
    Ok((found, more))
}

/// What a search asks for.
pub(crate) struct FindParams {
    pub(crate) filter: statetrail_store::EntityFilter,
    pub(crate) conditions: Vec<statetrail_query::Condition>,
    pub(crate) moment: statetrail_query::Moment,
    pub(crate) after: Option<EntityName>,
    pub(crate) limit: usize,
}

/// Entities
///
/// Entities with their states, now or at a moment, in the order of their names.
#[utoipa::path(
    get,
    path = "/entities",
    params(Entities, Conditions, At, AsKnownAt, Limit, After, IfNoneMatch),
    responses(
        (status = 200, description = "One page of entities.", body = Page),
        Refused, Unanswered,
    ),
)]
pub(super) async fn entities(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    mut params: Params,
) -> Result<Response, Problem> {
    let find = FindParams {
        filter: params.filter()?,
        conditions: params.conditions()?,
        moment: params.moment()?,
        after: params.parsed("after")?,
        limit: params.limit(app.limits().page)?,
    };
    let (at, now) = (find.moment.at, params.now());
    params.finish()?;
    let question = move |store| async move { find_page(&store, find).await };
    let (found, more) = app.ask(&scope, question).await?;
    let next = found.last().filter(|_| more).map(|found| found.name.to_string());
    let entities = found.iter().map(|found| FoundView {
        entity: EntityView::new(&found.name, at, &found.state),
        first: found.first.to_string(),
        last: found.last.to_string(),
    });
    Ok(json_at(&Page { entities: entities.collect(), next }, at, now))
}

/// Names
///
/// The names of entities that hold a text, in their order.
#[utoipa::path(
    get,
    path = "/names",
    params(Part, Limit, IfNoneMatch),
    responses(
        (status = 200, description = "Full names.", body = Vec<String>),
        Refused, Unanswered,
    ),
)]
pub(super) async fn names(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    mut params: Params,
) -> Result<Response, Problem> {
    let part = params.text("part")?.ok_or_else(|| Problem::bad("part is missing"))?;
    let limit = params.limit(app.limits().page)?;
    params.finish()?;
    let names = app.ask(&scope, move |store| async move {
        Ok(store.names(&NamePart::Anywhere(&part), None, limit).await?)
    });
    let names = names.await?;
    Ok(json(&names.iter().map(EntityName::as_str).collect::<Vec<_>>()))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Kind)]
struct KindView {
    /// The namespace.
    namespace: String,
    /// The type.
    r#type: String,
    /// How many entities there are.
    entities: u64,
    /// The field that says what such an entity is doing, if there is one of the usual names.
    #[schema(required)]
    state_field: Option<String>,
    /// How many have which value in it, the most frequent first.
    states: Vec<StateCount>,
    /// Entities with values beyond those.
    others: u64,
}

#[derive(Serialize, ToSchema)]
struct StateCount {
    /// The value; `null` stands for none.
    #[schema(required)]
    value: Option<String>,
    /// How many entities have it.
    entities: u64,
}

impl From<KindCount> for KindView {
    fn from(count: KindCount) -> KindView {
        let states = count.states.into_iter();
        KindView {
            namespace: count.kind.namespace,
            r#type: count.kind.entity_type,
            entities: count.entities,
            state_field: count.state_field,
            states: states.map(|(value, entities)| StateCount { value, entities }).collect(),
            others: count.others,
        }
    }
}

/// Every kind with its counts.
pub(crate) async fn count_kinds(store: &dyn EventStore) -> Result<Vec<KindCount>, Problem> {
    let mut counts = Vec::new();
    for kind in store.kinds().await? {
        counts.push(census(store, &kind).await?);
    }
    Ok(counts)
}

/// Kinds
///
/// Namespaces and types, with how many entities are in which state.
#[utoipa::path(
    get,
    path = "/kinds",
    params(IfNoneMatch),
    responses(
        (status = 200, description = "Every kind.", body = Vec<KindView>),
        Refused, Unanswered,
    ),
)]
pub(super) async fn kinds(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let counts = app.ask(&scope, |store| async move { count_kinds(&store).await }).await?;
    Ok(json(&counts.into_iter().map(KindView::from).collect::<Vec<_>>()))
}

/// The lifecycle of a kind by a field or by events; by the usual field if none is asked for.
pub(crate) async fn lifecycle_of(
    store: &dyn EventStore,
    kind: &Kind,
    by: Option<String>,
    until: Time,
) -> Result<(By, Lifecycle), Problem> {
    let by = match by {
        Some(by) if by == "event" => By::Event,
        Some(field) => By::Field(field),
        None => state_field(store, kind).await?.map_or(By::Event, By::Field),
    };
    let lifecycle = read_lifecycle(store, kind, &by, until).await?;
    Ok((by, lifecycle))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Lifecycle)]
struct LifecycleView {
    /// The field, or `event`.
    by: String,
    /// How many entities were looked at.
    entities: usize,
    /// Whether there are others, to which nothing happened as lately.
    is_sample: bool,
    /// The values or event names, in the order of their names.
    places: Vec<PlaceView>,
    /// The steps between them.
    steps: Vec<StepView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LifecyclePlace)]
struct PlaceView {
    /// The value or the event's name.
    name: String,
    /// How often entities came here.
    entered: u64,
    /// How often they went on from here.
    left: u64,
    /// How long they stayed before they went on, half of them shorter.
    #[schema(required)]
    median_seconds: Option<f64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LifecycleStep)]
struct StepView {
    /// Where from; `null` if it was the first that is known of them.
    #[schema(required)]
    from: Option<String>,
    /// Where to.
    to: String,
    /// How often.
    count: u64,
    /// How long it took, half of them shorter; `null` of first steps.
    #[schema(required)]
    median_seconds: Option<f64>,
    /// Some of the entities that went that way.
    entities: Vec<String>,
}

fn seconds(nanos: Option<i64>) -> Option<f64> {
    nanos.map(|nanos| nanos as f64 / 1e9)
}

/// The lifecycle of a kind
///
/// How states really followed each other: counts, median times, some entities for each step.
#[utoipa::path(
    get,
    path = "/lifecycle/{namespace}/{type}",
    params(NamedKind, ByWhat, At, IfNoneMatch),
    responses(
        (status = 200, description = "Places and steps.", body = LifecycleView),
        Refused, TooMuch, Unanswered,
    ),
)]
pub(super) async fn lifecycle(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    InPath((namespace, entity_type)): InPath<(String, String)>,
    mut params: Params,
) -> Result<Response, Problem> {
    if namespace.is_empty() || entity_type.is_empty() {
        return Err(Problem::bad("the namespace or the type is empty"));
    }
    let kind = Kind { namespace, entity_type };
    let (by, until) = (params.text("by")?, params.time("at")?.unwrap_or(params.now()));
    params.finish()?;
    let question = move |store| async move { lifecycle_of(&store, &kind, by, until).await };
    let (by, lifecycle) = app.ask(&scope, question).await?;
    let places = lifecycle.places.into_iter().map(|place| PlaceView {
        median_seconds: seconds(place.median_stay),
        name: place.name,
        entered: place.entered,
        left: place.left,
    });
    let steps = lifecycle.steps.into_iter().map(|step| StepView {
        median_seconds: seconds(step.median),
        entities: step.entities.iter().map(ToString::to_string).collect(),
        from: step.from,
        to: step.to,
        count: step.count,
    });
    Ok(json(&LifecycleView {
        by: match by {
            By::Event => "event".to_owned(),
            By::Field(field) => field,
        },
        entities: lifecycle.entities,
        is_sample: lifecycle.is_sample,
        places: places.collect(),
        steps: steps.collect(),
    }))
}

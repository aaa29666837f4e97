//! Lists and searches of entities.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use statetrail_event::EntityName;
use statetrail_query::views::EntityView;
use statetrail_query::{
    By, Find, Found, KindCount, Lifecycle, census, lifecycle as read_lifecycle, state_field,
};
use statetrail_store::{EventStore, Kind, NamePart};

use super::params::Params;
use crate::access::Scope;
use crate::problem::Problem;
use crate::routes::App;

/// An answer as JSON.
pub(super) fn json(view: &impl Serialize) -> Response {
    axum::Json(view).into_response()
}

#[derive(Serialize)]
struct Page<'a> {
    entities: Vec<FoundView<'a>>,
    /// The value of `after` for the next page.
    next: Option<String>,
}

#[derive(Serialize)]
struct FoundView<'a> {
    #[serde(flatten)]
    entity: EntityView<'a>,
    first: String,
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

/// `GET /entities`
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
    params.finish()?;
    let at = find.moment.at;
    let question = move |store| async move { find_page(&store, find).await };
    let (found, more) = app.ask(&scope, question).await?;
    let next = found.last().filter(|_| more).map(|found| found.name.to_string());
    let entities = found.iter().map(|found| FoundView {
        entity: EntityView::new(&found.name, at, &found.state),
        first: found.first.to_string(),
        last: found.last.to_string(),
    });
    Ok(json(&Page { entities: entities.collect(), next }))
}

/// `GET /names`: entities of which only a part of the name is known.
pub(super) async fn names(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    mut params: Params,
) -> Result<Response, Problem> {
    let part = params.text("part")?.ok_or_else(|| Problem::bad("part is missing"))?;
    let limit = params.limit(app.limits().page)?;
    params.finish()?;
    let names = app.ask(&scope, move |store| async move {
        Ok(store.names(&NamePart::Anywhere(&part), limit).await?)
    });
    let names = names.await?;
    Ok(json(&names.iter().map(EntityName::as_str).collect::<Vec<_>>()))
}

#[derive(Serialize)]
struct KindView {
    namespace: String,
    r#type: String,
    entities: u64,
    state_field: Option<String>,
    states: Vec<StateCount>,
    others: u64,
}

#[derive(Serialize)]
struct StateCount {
    value: Option<String>,
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

/// `GET /kinds`: what there is, and how many in which state.
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
    until: statetrail_event::Time,
) -> Result<(By, Lifecycle), Problem> {
    let by = match by {
        Some(by) if by == "event" => By::Event,
        Some(field) => By::Field(field),
        None => state_field(store, kind).await?.map_or(By::Event, By::Field),
    };
    let lifecycle = read_lifecycle(store, kind, &by, until).await?;
    Ok((by, lifecycle))
}

#[derive(Serialize)]
struct LifecycleView {
    by: String,
    entities: usize,
    is_sample: bool,
    places: Vec<PlaceView>,
    steps: Vec<StepView>,
}

#[derive(Serialize)]
struct PlaceView {
    name: String,
    entered: u64,
    left: u64,
    median_seconds: Option<f64>,
}

#[derive(Serialize)]
struct StepView {
    from: Option<String>,
    to: String,
    count: u64,
    median_seconds: Option<f64>,
    entities: Vec<String>,
}

fn seconds(nanos: Option<i64>) -> Option<f64> {
    nanos.map(|nanos| nanos as f64 / 1e9)
}

/// `GET /lifecycle/NAMESPACE/TYPE`: `by` is `event` or the name of a field.
pub(super) async fn lifecycle(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    Path((namespace, entity_type)): Path<(String, String)>,
    mut params: Params,
) -> Result<Response, Problem> {
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

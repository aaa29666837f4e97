//! Events of all entities by time, and their counts.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use statetrail_event::Time;
use statetrail_query::views::EventView;
use statetrail_store::{EventStore, Order, Place, TallyBudget, TimelineQuery};
use utoipa::ToSchema;

use super::described::{
    After, AsKnownAt, Entities, Events, IfNoneMatch, Limit, NewestFirst, Refused, Span,
    Step as StepParam, TooMuch, Unanswered,
};
use super::entities::json;
use super::params::{Params, place_text, read_place};
use crate::access::{Scope, ScopedStore};
use crate::problem::Problem;
use crate::routes::App;

/// Events that are counted for one answer.
const COUNTED_MAX: u64 = 500_000;
/// Stretches of time that an answer may have.
const STRETCHES_MAX: usize = 2_000;

/// What is asked of events: `from`, `to`, `namespace`, `type`, `prefix`, `event`, `text`,
/// `as_known_at` and `order`.
pub(crate) fn timeline_query(params: &mut Params) -> Result<TimelineQuery, Problem> {
    let (from, to) = params.span()?;
    Ok(TimelineQuery {
        from,
        to,
        entities: params.filter()?,
        name: params.text("event")?,
        text: params.text("text")?,
        as_known_at: params.time("as_known_at")?,
        order: params.order(Order::NewestFirst)?,
        ..TimelineQuery::default()
    })
}

fn too_many_stretches() -> Problem {
    let detail = format!("step is so short that there would be more than {STRETCHES_MAX} of it");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}

#[derive(Serialize, ToSchema)]
#[schema(as = EventPage)]
struct EventsView<'a> {
    /// The events.
    events: Vec<EventView<'a>>,
    /// The value of `after` for the next page.
    #[schema(required)]
    next: Option<String>,
}

/// Events
///
/// Events of all entities by time.
#[utoipa::path(
    get,
    path = "/events",
    params(Span, Entities, Events, AsKnownAt, NewestFirst, Limit, After, IfNoneMatch),
    responses(
        (status = 200, description = "One page of events.", body = EventsView),
        Refused, TooMuch, Unanswered,
    ),
)]
pub(super) async fn events(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    mut params: Params,
) -> Result<Response, Problem> {
    let mut query = timeline_query(&mut params)?;
    query.after = params.text("after")?.map(|text| read_place(&text)).transpose()?;
    let limit = params.limit(app.limits().page)?;
    query.limit = limit + 1;
    params.finish()?;
    let question = move |store: ScopedStore| async move { Ok(store.timeline(&query).await?) };
    let mut events = app.ask(&scope, question).await?;
    let more = events.len() > limit;
    events.truncate(limit);
    let next = events.last().filter(|_| more).map(|known| place_text(&Place::of(&known.event)));
    Ok(json(&EventsView { events: events.iter().map(EventView::new).collect(), next }))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Counts)]
struct CountsView {
    /// The length of a stretch.
    step_seconds: f64,
    /// Counts of each stretch in which there were events.
    counts: Vec<CountView>,
    /// Whether there are more events than were counted.
    is_cut: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Count)]
struct CountView {
    /// When the stretch begins.
    #[schema(format = DateTime)]
    start: String,
    /// The type of entities.
    r#type: String,
    /// The events' name.
    event: String,
    /// How many there were.
    events: u64,
}

/// Counts of events
///
/// How many events there were in each stretch of time.
#[utoipa::path(
    get,
    path = "/counts",
    params(Span, Entities, Events, AsKnownAt, NewestFirst, StepParam, IfNoneMatch),
    responses(
        (status = 200, description = "The counts.", body = CountsView),
        Refused, TooMuch, Unanswered,
    ),
)]
pub(super) async fn counts(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    mut params: Params,
) -> Result<Response, Problem> {
    let query = timeline_query(&mut params)?;
    let step = params.parsed::<Step>("step")?.unwrap_or(Step(60_000_000_000)).0;
    params.finish()?;
    let length = i128::from(query.to.nanos()) - i128::from(query.from.nanos());
    let is_whole = query.from == Time::MIN || query.to == Time::MAX;
    if !is_whole && length / i128::from(step) > STRETCHES_MAX as i128 {
        return Err(too_many_stretches());
    }
    let budget = TallyBudget { events: COUNTED_MAX, stretches: STRETCHES_MAX };
    let question =
        move |store: ScopedStore| async move { Ok(store.tally(&query, step, budget).await?) };
    let tally = app.ask(&scope, question).await?;
    if tally.is_too_fine {
        return Err(too_many_stretches());
    }
    let counts = tally.counts.into_iter().map(|count| CountView {
        start: count.start.to_string(),
        r#type: count.entity_type,
        event: count.name,
        events: count.events,
    });
    Ok(json(&CountsView {
        step_seconds: step as f64 / 1e9,
        counts: counts.collect(),
        is_cut: tally.is_cut,
    }))
}

/// A length of time such as `10s`, `5m`, `1h`, in nanoseconds.
struct Step(i64);

impl std::str::FromStr for Step {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Step, &'static str> {
        let wrong = "a length of time is written like 10s, 5m, 1h or 1d";
        let split = text.len().saturating_sub(1);
        let (number, unit) = text.split_at_checked(split).ok_or(wrong)?;
        let unit: i64 = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(wrong),
        };
        let number: i64 = number.parse().map_err(|_| wrong)?;
        let nanos = number.checked_mul(unit * 1_000_000_000).filter(|nanos| *nanos > 0);
        nanos.map(Step).ok_or(wrong)
    }
}

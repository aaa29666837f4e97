//! `GET /follow`: events as they arrive, as server-sent events.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use statetrail_query::EventFilter;

use super::described::{AfterArrival, Entities, Events, Gone, LastEventId, Refused};
use super::params::Params;
use crate::access::Scope;
use crate::access::guard::Asking;
use crate::follow::Client;
use crate::problem::Problem;
use crate::routes::App;

/// Events as they arrive
///
/// A stream that begins behind `Last-Event-ID`, else behind `after`, else with what arrives from
/// now on. Each message has a place in `id`, and an event as JSON in `data`; one of the type
/// `place` has no event, and one of the type `problem` says why the stream ends.
#[utoipa::path(
    get,
    path = "/follow",
    params(Entities, Events, AfterArrival, LastEventId),
    responses(
        (
            status = 200,
            description = "Server-sent events; `data` of those without a type is an `Event`.",
            content_type = "text/event-stream",
            body = String,
        ),
        Refused, Gone,
    ),
)]
pub(super) async fn follow(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    Extension(Asking(token)): Extension<Asking>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, Problem> {
    let filter = EventFilter {
        entities: params.filter()?,
        name: params.text("event")?,
        text: params.text("text")?,
    };
    let after = params.parsed("after")?;
    params.finish()?;
    let last = match headers.get("last-event-id") {
        None => after,
        Some(place) => {
            let place = place.to_str().map_err(Problem::bad)?;
            Some(place.parse().map_err(|error| Problem::bad(format!("Last-Event-ID: {error}")))?)
        }
    };
    let is_allowed = {
        let app = app.clone();
        Box::new(move || match (&app.access().tokens, &token) {
            (Some(tokens), Some(token)) => tokens.has(token),
            _ => true,
        })
    };
    let client = Client::enter(app.hub(), scope, is_allowed, filter, last).await?;
    let body = Body::from_stream(client.into_stream());
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, body).into_response())
}

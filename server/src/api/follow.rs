//! `GET /follow`: events as they arrive, as server-sent events.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use statetrail_query::EventFilter;

use super::params::Params;
use crate::access::Scope;
use crate::follow::Client;
use crate::problem::Problem;
use crate::routes::App;

/// Begins behind `Last-Event-ID`, else behind `after`, else with what arrives from now on.
pub(super) async fn follow(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
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
    let client = Client::enter(app.hub(), scope, filter, last).await?;
    let body = Body::from_stream(client.into_stream());
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, body).into_response())
}

//! `/api/v1`: answers as JSON, in the shapes of the command line's `--output json`.

pub(crate) mod entities;
mod entity;
pub(crate) mod events;
mod follow;
pub(crate) mod params;

use axum::Router;
use axum::routing::get;

use crate::routes::App;

/// The routes of the API.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/kinds", get(entities::kinds))
        .route("/entities", get(entities::entities))
        .route("/names", get(entities::names))
        .route("/lifecycle/{namespace}/{type}", get(entities::lifecycle))
        .route("/state/{namespace}/{type}/{*id}", get(entity::state))
        .route("/trail/{namespace}/{type}/{*id}", get(entity::trail))
        .route("/blame/{namespace}/{type}/{*id}", get(entity::blame))
        .route("/diff/{namespace}/{type}/{*id}", get(entity::diff))
        .route("/events", get(events::events))
        .route("/counts", get(events::counts))
        .route("/follow", get(follow::follow))
        .fallback(|| async { crate::Problem::not_found("there is no such route; see docs/api.md") })
}

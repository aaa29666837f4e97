//! `/api/v1`: answers as JSON, in the shapes of the command line's `--output json`.

mod described;
pub(crate) mod entities;
pub(crate) mod entity;
pub(crate) mod events;
pub(crate) mod filters;
mod follow;
mod openapi;
pub(crate) mod params;

use axum::Router;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::{method_not_allowed, no_route};
use crate::routes::App;

/// The routes of the API.
pub(crate) fn routes() -> Router<App> {
    Router::from(described_routes())
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(no_route)
}

/// The one list of routes: those that are served and those that the OpenAPI document describes.
fn described_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(entity::state))
        .routes(routes!(entity::trail))
        .routes(routes!(entity::blame))
        .routes(routes!(entity::diff))
        .routes(routes!(entities::entities))
        .routes(routes!(entities::names))
        .routes(routes!(entities::kinds))
        .routes(routes!(entities::lifecycle))
        .routes(routes!(events::events))
        .routes(routes!(events::counts))
        .routes(routes!(follow::follow))
        .routes(routes!(filters::filters))
        .routes(routes!(openapi::openapi))
}

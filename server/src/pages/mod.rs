//! The dashboard: pages for people, made here and kept up to date by small scripts.
//!
//! A page holds its whole question in its address, so an address can be shared. What a page keeps
//! up to date is a part of it with an address of its own, `/part/...`, that a script asks for again.
//! Log lines are hostile text: everything is escaped where it is written, and no script runs that
//! is not one of [`assets`].

mod assets;
mod entities;
mod entity;
mod events;
mod frame;
mod go;
mod lifecycle;
mod login;
mod overview;
mod pieces;
mod playground;
mod refused;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};

use crate::routes::App;
pub(crate) use frame::draw;
pub(crate) use overview::KeptOverview;
pub(crate) use refused::{Refused, no_such_page};

/// Pages, their parts and what they are made of.
pub(crate) fn routes(app: &App) -> Router<App> {
    let guarded = Router::new()
        .route("/", get(overview::page))
        .route("/entities", get(entities::page))
        .route("/entity", get(entity::page))
        .route("/events", get(events::page))
        .route("/lifecycle", get(lifecycle::page))
        .route("/go", get(go::go))
        .route("/part/kinds", get(overview::kinds_part))
        .route("/part/newest", get(overview::newest_part))
        .route("/part/resting", get(overview::resting_part))
        .route("/part/filters", get(overview::filters_part))
        .route("/part/entity", get(entity::part))
        .layer(from_fn_with_state(app.clone(), login::guard));
    let door = Router::new()
        .route("/login", get(login::page).post(login::log_in))
        .route("/logout", post(login::log_out))
        .layer(login::form_limit())
        .layer(from_fn(login::own_pages_only));
    // What holds nothing of anybody needs no token.
    let open = Router::new()
        .route("/assets/{file}", get(assets::asset))
        .route("/playground", get(playground::folder))
        .route("/playground/", get(playground::page))
        .route("/playground/{file}", get(playground::file));
    Router::new().merge(guarded).merge(door).merge(open)
}

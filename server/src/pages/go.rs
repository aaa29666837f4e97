//! `GET /go`: from what a person typed to the entity that is meant.

use axum::Extension;
use axum::extract::State;
use axum::response::Redirect;

use super::Refused;
use super::pieces::entity_address;
use crate::access::{Scope, ScopedStore};
use crate::api::params::Params;
use crate::problem::Problem;
use crate::routes::App;

pub(super) async fn go(
    State(app): State<App>,
    Extension(scope): Extension<Scope>,
    mut params: Params,
) -> Result<Redirect, Refused> {
    let typed = params
        .text("name")?
        .ok_or_else(|| Problem::bad("type an entity, or a part of its name"))?;
    let at = params.time("at")?;
    params.finish()?;
    let name = app
        .ask(&scope, move |store: ScopedStore| async move {
            Ok(statetrail_query::resolve(&store, typed.trim()).await?)
        })
        .await
        .map_err(|problem| Refused::from(problem).at(at))?;
    Ok(Redirect::to(&entity_address(name.as_str(), at)))
}

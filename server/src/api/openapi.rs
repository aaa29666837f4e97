//! The API, described as OpenAPI 3.1.

use std::sync::LazyLock;

use axum::extract::State;
use axum::response::Response;
use serde_json::Value as Json;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, LicenseBuilder, OpenApi, ServerBuilder};
use utoipa::{PartialSchema, ToSchema};

use super::described::{Refused, Unanswered};
use super::entities::json;
use super::params::Params;
use crate::problem::{Problem, ProblemView};
use crate::routes::App;

/// How the document calls the way to send a token.
const TOKEN: &str = "token";

/// This document
///
/// The description of this API as OpenAPI 3.1.
#[utoipa::path(
    get,
    path = "/openapi.json",
    params(super::described::IfNoneMatch),
    responses((status = 200, description = "The document.", body = Object), Refused, Unanswered),
)]
pub(super) async fn openapi(State(app): State<App>, params: Params) -> Result<Response, Problem> {
    params.finish()?;
    Ok(json(&document(app.limits().page)))
}

/// The document of a server whose pages hold so much.
fn document(page: usize) -> Json {
    static DOCUMENT: LazyLock<Json> = LazyLock::new(|| {
        let described = describe(super::described_routes().into_openapi());
        // What is only texts, numbers, lists and maps of texts always has a JSON form.
        serde_json::to_value(described).unwrap_or_default()
    });
    let mut document = DOCUMENT.clone();
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for operation in paths {
        let parameters = operation["get"]["parameters"].as_array_mut();
        for parameter in parameters.into_iter().flatten() {
            if parameter["name"] == "limit" {
                parameter["schema"]["maximum"] = page.into();
                parameter["schema"]["default"] = page.min(super::params::PAGE).into();
            }
        }
    }
    document
}

/// Adds what is not of one route.
fn describe(mut document: OpenApi) -> OpenApi {
    let about = "What was the case with anything at any moment, and why. A server only reads. \
                 A request that no route takes gets a problem with 404, and a method other than \
                 GET and HEAD one with 405.";
    document.info = InfoBuilder::new()
        .title("statetrail")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(about))
        .license(Some(
            LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build(),
        ))
        .build();
    document.servers = Some(vec![ServerBuilder::new().url("/api/v1").build()]);
    // An id takes the rest of a path; the document knows no such thing.
    document.paths.paths = std::mem::take(&mut document.paths.paths)
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item))
        .collect();
    let components = document.components.get_or_insert_with(Components::new);
    components.schemas.insert(ProblemView::name().into_owned(), ProblemView::schema());
    let mut token = Http::new(HttpAuthScheme::Bearer);
    token.description = Some(
        "Needed where the server has a file of tokens. What lies outside of a token's namespaces \
         is answered as what does not exist."
            .to_owned(),
    );
    components.security_schemes.insert(TOKEN.to_owned(), SecurityScheme::Http(token).into());
    let none = SecurityRequirement::default();
    document.security =
        Some(vec![SecurityRequirement::new(TOKEN, std::iter::empty::<String>()), none]);
    document
}

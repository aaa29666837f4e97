//! Pages that say why there is nothing to see, and what to do.

use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use maud::html;
use statetrail_event::Time;

use super::frame::{Page, Place};
use super::pieces::entity_address;
use crate::problem::{Problem, no_route};

/// A problem, told as a page.
pub(crate) struct Refused {
    problem: Problem,
    /// The moment that was asked for.
    at: Option<Time>,
}

impl<E: Into<Problem>> From<E> for Refused {
    fn from(problem: E) -> Refused {
        Refused { problem: problem.into(), at: None }
    }
}

impl Refused {
    /// Leads to the same moment of what may have been meant.
    pub(super) fn at(self, at: Option<Time>) -> Refused {
        Refused { at, ..self }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Problem { status, detail, candidates } = self.problem;
        let title = match status {
            StatusCode::NOT_FOUND => "Nothing found",
            StatusCode::CONFLICT => "Several entities fit",
            StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS => "No answer",
            status if status.is_client_error() => "This cannot be asked",
            _ => "Something went wrong",
        };
        let content = html! {
            section.notice {
                h1 { (title) }
                p { (detail) }
                @if !candidates.is_empty() {
                    ul { @for name in &candidates {
                        li { a href=(entity_address(name, self.at)) { (name) } }
                    } }
                }
                @if status.is_server_error() {
                    p { "Nothing is lost. Load the page again to ask again." }
                }
                p { a href="/" { "Overview" } " · " a href="/entities" { "Entities" } }
            }
        };
        Page { status, ..Page::new(title, Place::Elsewhere, content) }.into_response()
    }
}

/// What is said of an address that nothing answers to.
pub(crate) async fn no_such_page(uri: Uri) -> Response {
    if uri.path().starts_with("/api") {
        return no_route().await.into_response();
    }
    Refused::from(Problem::not_found(format!("there is no page {}", uri.path()))).into_response()
}

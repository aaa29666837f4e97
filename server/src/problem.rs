//! What went wrong with a request, as RFC 9457 has it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use statetrail_query::QueryError;
use statetrail_store::StoreError;
use utoipa::ToSchema;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The status of the response.
    pub status: StatusCode,
    /// What happened, and what to do.
    pub detail: String,
    /// Entities that may have been meant.
    pub candidates: Vec<String>,
}

/// A problem, as RFC 9457 has it.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemView {
    /// Always `about:blank`: the status says what kind of problem it is.
    r#type: &'static str,
    /// The meaning of the status.
    title: &'static str,
    /// The status of the response.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened, and what to do.
    detail: String,
    /// Entities that may have been meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<String>,
}

impl Problem {
    /// A problem with an explanation.
    pub fn new(status: StatusCode, detail: impl ToString) -> Problem {
        Problem { status, detail: detail.to_string(), candidates: Vec::new() }
    }

    /// The request cannot be understood.
    pub fn bad(detail: impl ToString) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    /// There is no such thing, or none that the asker may see.
    pub fn not_found(detail: impl ToString) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, detail)
    }
}

/// What no route takes.
pub(crate) async fn no_route() -> Problem {
    Problem::not_found("there is no such route; see docs/api.md")
}

/// What a route does not do.
pub(crate) async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "a server only reads; ask with GET")
}

/// Too much is asked at the same time.
pub(crate) fn busy() -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "the server answers as many questions as it may; ask again in a second",
    )
}

/// As many follow as may.
pub(crate) fn too_many_follow() -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "as many clients follow as may; try again when one of them has gone",
    )
}

/// The store took too long.
pub(crate) fn too_slow() -> Problem {
    Problem::new(
        StatusCode::GATEWAY_TIMEOUT,
        "the store has not answered in time; ask for less, or again later",
    )
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Problem {
        match error {
            QueryError::Store(error) => Problem::from(error),
            QueryError::Ambiguous { candidates, .. } => {
                let names = candidates.iter().map(|name| name.as_str().to_owned());
                Problem {
                    candidates: names.collect(),
                    ..Problem::new(StatusCode::CONFLICT, "the name fits several entities")
                }
            }
            error @ QueryError::TooManyPlaces { .. } => {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error)
            }
            QueryError::NoSuchEntity { .. } => {
                Problem::not_found("no entity has that name, and no name holds it")
            }
            other => {
                tracing::error!(error = %other, "a question failed");
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the question failed; see the log")
            }
        }
    }
}

/// Where the store is and what it said is for those who run the server, not for everyone who asks.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        match error {
            StoreError::OtherCursor { .. } => {
                Problem::bad("this is no place in the order of arrival of this store")
            }
            StoreError::ArrivalsForgotten { .. } | StoreError::ArrivalsLost { .. } => Problem::new(
                StatusCode::GONE,
                "what arrived since is not kept any more; begin anew, without a place",
            ),
            StoreError::GivenUp { .. } => too_slow(),
            error => {
                tracing::error!(%error, "the store does not answer");
                Problem::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the store does not answer; whoever runs the server finds the cause in its log",
                )
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let view = ProblemView {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Problem"),
            status: self.status.as_u16(),
            detail: self.detail,
            candidates: self.candidates,
        };
        let mut response = (self.status, axum::Json(view)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

//! Who looks at the pages: a browser keeps its token in a cookie that no script can read.

use axum::extract::{DefaultBodyLimit, Form, FromRequest, Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use serde::Deserialize;
use tokio::time::timeout;

use super::frame::{Page, Place};
use super::pieces::address;
use crate::access::guard;
use crate::problem::Problem;
use crate::routes::App;

/// What is sent to log in or out is a token and an address.
const FORM_BYTES_MAX: usize = 8 << 10;

/// How long a browser keeps the token, in seconds.
const KEPT: u32 = 30 * 86_400;

/// Sends who is not known to the page where a token is asked for.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let asked = request.uri().clone();
    match guard::admitted(&app, request) {
        Ok(request) => next.run(request).await,
        Err(problem) if problem.status != StatusCode::UNAUTHORIZED => {
            super::Refused::from(problem).into_response()
        }
        Err(_) if asked.path().starts_with("/part/") => {
            Problem::new(StatusCode::UNAUTHORIZED, "log in again").into_response()
        }
        Err(_) => {
            let next = asked.path_and_query().map(|asked| asked.as_str());
            Redirect::to(&address("/login", &[("next", next)])).into_response()
        }
    }
}

/// Logging in and out is done here and by nobody else's pages, which could make somebody look at the
/// wrong namespaces without noticing.
pub(crate) async fn own_pages_only(request: Request, next: Next) -> Response {
    let site = request.headers().get("sec-fetch-site");
    let is_own = site.is_none_or(|site| site == "same-origin" || site == "none");
    if request.method() == Method::POST && !is_own {
        let reason = "log in and out on this server's own pages";
        return super::Refused::from(Problem::new(StatusCode::FORBIDDEN, reason)).into_response();
    }
    next.run(request).await
}

#[derive(Deserialize)]
pub(super) struct Asked {
    next: Option<String>,
}

/// `GET /login`
pub(super) async fn page(Query(asked): Query<Asked>) -> Page {
    form(asked.next.as_deref(), false)
}

fn form(next: Option<&str>, was_wrong: bool) -> Page {
    let content = html! {
        section.notice {
            h1 { "Log in" }
            p { "This server shows its trail to those who have a token. Whoever runs it makes one with "
                code { "statetrail token" } "." }
            form.login action="/login" method="post" {
                label for="token" { "Token" }
                input #token name="token" type="password" required autofocus
                    autocomplete="current-password"
                    aria-describedby=[was_wrong.then_some("wrong")];
                input name="next" type="hidden" value=(next.unwrap_or("/"));
                button type="submit" { "Log in" }
            }
            @if was_wrong { p #wrong.wrong role="alert" { "This token is not known here." } }
        }
    };
    Page::new("Log in", Place::Elsewhere, content)
}

#[derive(Deserialize)]
pub(super) struct LogIn {
    token: String,
    next: Option<String>,
}

/// Forms are small.
pub(super) fn form_limit() -> DefaultBodyLimit {
    DefaultBodyLimit::max(FORM_BYTES_MAX)
}

/// What was filled in. Whoever sends it is not known yet, and may not hold a connection with it.
async fn filled_in(app: &App, request: Request) -> Result<LogIn, super::Refused> {
    match timeout(app.limits().body, Form::from_request(request, app)).await {
        Ok(Ok(Form(given))) => Ok(given),
        Ok(Err(refused)) => Err(Problem::new(refused.status(), refused.body_text()).into()),
        Err(_) => {
            let detail = "what was filled in did not come in time";
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail).into())
        }
    }
}

/// `POST /login`
pub(super) async fn log_in(State(app): State<App>, request: Request) -> Response {
    let Some(tokens) = &app.access().tokens else {
        return Redirect::to("/").into_response();
    };
    let headers = request.headers().clone();
    let given = match filled_in(&app, request).await {
        Ok(given) => given,
        Err(refused) => return refused.into_response(),
    };
    let token = given.token.trim();
    let is_cookie = token.bytes().all(|byte| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte));
    if !is_cookie || tokens.find(token).is_none() {
        let next = given.next.as_deref();
        let status = StatusCode::UNAUTHORIZED;
        return Page { status, ..form(next, true) }.into_response();
    }
    let next = given.next.filter(|next| is_own(next)).unwrap_or_else(|| "/".to_owned());
    ([(header::SET_COOKIE, cookie(&app, &headers, token, KEPT))], Redirect::to(&next))
        .into_response()
}

/// `POST /logout`
pub(super) async fn log_out(State(app): State<App>, headers: HeaderMap) -> Response {
    let cookie = cookie(&app, &headers, "", 0);
    ([(header::SET_COOKIE, cookie)], Redirect::to("/login")).into_response()
}

/// Lax, so that an address that somebody shares opens for those who are logged in.
fn cookie(app: &App, headers: &HeaderMap, token: &str, kept: u32) -> String {
    let name = guard::cookie_name(headers);
    let secure = if app.access().is_tls { "; Secure" } else { "" };
    format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={kept}{secure}")
}

/// Whether an address is one of this server, and no other's in disguise.
fn is_own(next: &str) -> bool {
    let is_path = next.starts_with('/') && !next.starts_with("//");
    is_path && !next.contains('\\') && next.parse::<Uri>().is_ok_and(|uri| uri.host().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere_after_logging_in() {
        for own in ["/", "/entity?name=a/b/c&at=-15m"] {
            assert!(is_own(own), "{own}");
        }
        for other in
            ["//evil.example", "https://evil.example/", "/\\evil.example", "evil", "", "/a b\r\n"]
        {
            assert!(!is_own(other), "{other}");
        }
    }
}

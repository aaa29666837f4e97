//! Who looks at the pages: a browser keeps its token in a cookie that no script can read.

use axum::extract::{Form, Query, Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{Frame, Place};
use super::pieces::address;
use crate::access::guard::{self, COOKIE};
use crate::problem::Problem;
use crate::routes::App;

/// How long a browser keeps the token, in seconds.
const KEPT: u32 = 30 * 86_400;

/// Whether somebody can log in at all, hence may be logged in where there is a page.
pub(super) fn is_needed(app: &App) -> bool {
    app.access().tokens.is_some()
}

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

#[derive(Deserialize)]
pub(super) struct Asked {
    next: Option<String>,
}

/// `GET /login`
pub(super) async fn page(Query(asked): Query<Asked>) -> Markup {
    form(asked.next.as_deref(), false)
}

fn form(next: Option<&str>, was_wrong: bool) -> Markup {
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
    let frame = Frame { title: "Log in", place: Place::Elsewhere, scripts: &[], logged_in: false };
    frame.around(&content)
}

#[derive(Deserialize)]
pub(super) struct LogIn {
    token: String,
    next: Option<String>,
}

/// `POST /login`
pub(super) async fn log_in(State(app): State<App>, Form(given): Form<LogIn>) -> Response {
    let token = given.token.trim();
    let Some(tokens) = &app.access().tokens else {
        return Redirect::to("/").into_response();
    };
    let is_cookie = token.bytes().all(|byte| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte));
    if !is_cookie || tokens.find(token).is_none() {
        let next = given.next.as_deref();
        return (StatusCode::UNAUTHORIZED, form(next, true)).into_response();
    }
    let next = given.next.filter(|next| is_own(next)).unwrap_or_else(|| "/".to_owned());
    ([(header::SET_COOKIE, cookie(&app, token, KEPT))], Redirect::to(&next)).into_response()
}

/// `POST /logout`
pub(super) async fn log_out(State(app): State<App>) -> Response {
    ([(header::SET_COOKIE, cookie(&app, "", 0))], Redirect::to("/login")).into_response()
}

/// Lax, so that an address that somebody shares opens for those who are logged in.
fn cookie(app: &App, token: &str, kept: u32) -> String {
    let secure = if app.access().is_tls { "; Secure" } else { "" };
    format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={kept}{secure}")
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

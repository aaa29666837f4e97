//! Lets requests in, and says what they may see.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::{Scope, Token, Tokens};
use crate::problem::Problem;
use crate::routes::App;

/// The name of the cookie in which a browser keeps its token. Cookies of a host are for all of its
/// ports, so servers that share a host would put out each other's.
pub(crate) fn cookie_name(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    match host.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => format!("statetrail-{port}"),
        _ => "statetrail".to_owned(),
    }
}

/// The token in a browser's cookie.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let wanted = cookie_name(headers);
    let cookies =
        headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
    pairs.find_map(|pair| {
        let (name, token) = pair.trim().split_once('=')?;
        (name == wanted).then_some(token)
    })
}

/// The token that a request came with, if one is needed: an answer that goes on for long looks now
/// and then whether it is in force still.
#[derive(Clone)]
pub(crate) struct Asking(pub(crate) Option<Token>);

/// Puts the [`Scope`] of whoever asks into the request, and [`Asking`], or refuses it.
pub(crate) async fn guard(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    Ok(next.run(admitted(&app, request)?).await)
}

/// The request with the [`Scope`] of whoever asks, and [`Asking`].
pub(crate) fn admitted(app: &App, mut request: Request) -> Result<Request, Problem> {
    check_site(request.headers())?;
    let token = match &app.access().tokens {
        None => {
            check_host(&request)?;
            None
        }
        Some(tokens) => Some(token_of(request.headers(), tokens)?),
    };
    let scope = token.as_ref().map_or(Scope::All, |token| token.scope.clone());
    request.extensions_mut().insert(scope);
    request.extensions_mut().insert(Asking(token));
    Ok(request)
}

/// Other sites may lead here, as somebody does who shares an address; their pages may not ask for
/// themselves, even if they cannot read the answer.
fn check_site(headers: &HeaderMap) -> Result<(), Problem> {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|found| found == value);
    if !is("sec-fetch-site", "cross-site") || is("sec-fetch-mode", "navigate") {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "pages of other sites may not ask this server"))
}

/// Where no token is needed, every page in this machine's browsers could ask by a name of its own
/// that leads here. A server of this machine is reached by its number or as localhost.
fn check_host(request: &Request) -> Result<(), Problem> {
    let host = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    let Some(host) = host.or(request.uri().host()) else { return Ok(()) };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_own = name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok();
    if is_own {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "without tokens this server answers to 127.0.0.1 and localhost only",
    ))
}

fn token_of(headers: &HeaderMap, tokens: &Tokens) -> Result<Token, Problem> {
    let refused = |detail| Problem::new(StatusCode::UNAUTHORIZED, detail);
    let token = match headers.get(header::AUTHORIZATION) {
        Some(header) => header.to_str().ok().and_then(bearer),
        None => cookie(headers),
    };
    if token.is_none() && !headers.contains_key(header::AUTHORIZATION) {
        return Err(refused("send a token: Authorization: Bearer TOKEN"));
    }
    let token = token.and_then(|token| tokens.find(token));
    token.ok_or_else(|| refused("the token is not known here"))
}

fn bearer(header: &str) -> Option<&str> {
    let (kind, token) = header.split_once(' ')?;
    kind.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

//! Lets requests in, and says what they may see.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::{Scope, Tokens};
use crate::problem::Problem;
use crate::routes::App;

/// Puts the [`Scope`] of whoever asks into the request, or refuses it.
pub(crate) async fn guard(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let scope = match app.tokens() {
        None => Scope::All,
        Some(tokens) => scope_of(request.headers(), tokens)?,
    };
    request.extensions_mut().insert(scope);
    Ok(next.run(request).await)
}

fn scope_of(headers: &HeaderMap, tokens: &Tokens) -> Result<Scope, Problem> {
    let refused = |detail| Problem::new(StatusCode::UNAUTHORIZED, detail);
    let header = headers.get(header::AUTHORIZATION);
    let header = header.ok_or_else(|| refused("send a token: Authorization: Bearer TOKEN"))?;
    let token = header.to_str().ok().and_then(|text| {
        let (kind, token) = text.split_once(' ')?;
        kind.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let token = token.and_then(|token| tokens.find(token));
    Ok(token.ok_or_else(|| refused("the token is not known here"))?.scope)
}

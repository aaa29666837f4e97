//! Spares clients an answer that they have already.

use axum::body::{Body, HttpBody, to_bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use xxhash_rust::xxh64::Xxh64;

/// A text in an answer that is another each time although nothing has changed: the present, where
/// somebody asked for the state of now.
#[derive(Clone)]
pub(crate) struct Passing(pub(crate) String);

/// Gives a good answer whose length is known a tag, and answers with "not modified" where the
/// client has that very one.
pub(crate) async fn tagged(response: Response, known: Option<&HeaderValue>) -> Response {
    let is_whole = response.body().size_hint().exact().is_some();
    if response.status() != StatusCode::OK || !is_whole {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // The length is known, and what we make ourselves can be read.
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    // Weak, because it is the same whether the answer is compressed or not.
    let tag = tag_of(&bytes, parts.extensions.get());
    let is_known = known
        .and_then(|known| known.to_str().ok())
        .is_some_and(|known| known.split(',').any(|one| one.trim() == tag || one.trim() == "*"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, tag);
    }
    if is_known {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.remove(header::CONTENT_TYPE);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

fn tag_of(bytes: &[u8], passing: Option<&Passing>) -> String {
    let (mut hash, mut length) = (Xxh64::new(0), 0);
    let mut take = |part: &[u8]| {
        hash.update(part);
        length += part.len();
    };
    match (passing, str::from_utf8(bytes)) {
        (Some(Passing(passing)), Ok(text)) => {
            text.split(passing.as_str()).for_each(|part| take(part.as_bytes()));
        }
        _ => take(bytes),
    }
    format!("W/\"{:016x}{length:x}\"", hash.digest())
}

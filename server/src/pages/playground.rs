//! The playground: files as they are, for rules are tried in the browser.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use statetrail_playground_files::{CONTENT_SECURITY_POLICY, FILES, File};

/// `GET /playground`: the page's parts lie beside it.
pub(super) async fn folder() -> Redirect {
    Redirect::permanent("/playground/")
}

/// `GET /playground/`
pub(super) async fn page(headers: HeaderMap) -> Response {
    answer("index.html", &headers)
}

/// `GET /playground/FILE`
pub(super) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    answer(&name, &headers)
}

fn answer(name: &str, headers: &HeaderMap) -> Response {
    let Some(file) = FILES.iter().find(|file| file.name == name) else {
        return (StatusCode::NOT_FOUND, "there is no such file\n").into_response();
    };
    let mut response = match file {
        File { brotli: Some(compressed), .. } if takes_brotli(headers) => {
            let encoding = [(header::CONTENT_ENCODING, "br"), (header::VARY, "accept-encoding")];
            (encoding, *compressed).into_response()
        }
        _ => file.bytes.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.kind));
    let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

fn takes_brotli(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|text| text.split(',').any(|encoding| encoding.trim() == "br"))
}

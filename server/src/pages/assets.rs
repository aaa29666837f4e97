//! Style, scripts and the icon, in the binary.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use xxhash_rust::xxh64::xxh64;

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, type and content.
const ASSETS: [(&str, &str, &str); 9] = [
    ("style.css", CSS, include_str!("../../assets/style.css")),
    ("theme.js", SCRIPT, include_str!("../../assets/theme.js")),
    ("app.js", SCRIPT, include_str!("../../assets/app.js")),
    ("bars.js", SCRIPT, include_str!("../../assets/bars.js")),
    ("overview.js", SCRIPT, include_str!("../../assets/overview.js")),
    ("entity.js", SCRIPT, include_str!("../../assets/entity.js")),
    ("events.js", SCRIPT, include_str!("../../assets/events.js")),
    ("lifecycle.js", SCRIPT, include_str!("../../assets/lifecycle.js")),
    ("icon.svg", "image/svg+xml", include_str!("../../assets/icon.svg")),
];

/// Changes with any of them, so that a browser never mixes those of two versions.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let all: String = ASSETS.iter().map(|(_, _, content)| *content).collect();
    format!("{:016x}", xxh64(all.as_bytes(), 0))
});

/// The address of one.
pub(super) fn address(name: &str) -> String {
    format!("/assets/{}-{name}", *VERSION)
}

/// `GET /assets/VERSION-NAME`
pub(super) async fn asset(Path(file): Path<String>) -> Response {
    let name = file.strip_prefix(&*VERSION).and_then(|rest| rest.strip_prefix('-'));
    let found = ASSETS.iter().find(|(known, _, _)| name == Some(*known));
    let Some((_, kind, content)) = found else {
        return (StatusCode::NOT_FOUND, "there is no such file\n").into_response();
    };
    // Scripts name each other by the version that they are of.
    let content = content.replace("./VERSION-", &format!("./{}-", *VERSION));
    let kept = "public, max-age=31536000, immutable";
    ([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, kept)], content).into_response()
}

//! All routes, and what every answer carries.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use statetrail_event::Time;
use statetrail_store::{EventStore, Order, TimelineQuery};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::access::guard::guard;
use crate::access::{Access, Scope, ScopedStore, Tokens};
use crate::asker::Asker;
use crate::follow::Hub;
use crate::metrics::Metrics;
use crate::problem::{Problem, method_not_allowed};
use crate::rule_errors;
use crate::settings::Limits;
use crate::{api, etag, pages};

/// What all routes share.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

struct Shared {
    asker: Asker,
    /// Whether the store answers can be asked while all that may be asked is being asked.
    ready: Asker,
    hub: Arc<Hub>,
    access: Access,
    limits: Limits,
    metrics: Arc<Metrics>,
    overview: pages::KeptOverview,
}

impl App {
    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.0.hub
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn access(&self) -> &Access {
        &self.0.access
    }

    pub(crate) fn overview(&self) -> &pages::KeptOverview {
        &self.0.overview
    }

    /// Asks the store, as far as the asker may see it.
    pub(crate) async fn ask<T, Q, A>(&self, scope: &Scope, question: Q) -> Result<T, Problem>
    where
        T: Send + 'static,
        Q: FnOnce(ScopedStore) -> A + Send + 'static,
        A: Future<Output = Result<T, Problem>>,
    {
        let store = ScopedStore::new(Arc::clone(self.0.asker.store()), scope.clone());
        self.0.asker.ask(move || question(store)).await
    }
}

/// What serves the requests of one store.
pub struct Server {
    /// All routes.
    pub router: Router,
    /// Reads arrivals for those who follow, and counts what is measured; to be run beside the router.
    pub background: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Everything that a server answers.
pub fn router(store: Arc<dyn EventStore>, access: Access, limits: Limits) -> Server {
    let metrics = Arc::new(Metrics::new());
    let hub = Hub::new(&store, &limits, Arc::clone(&metrics));
    let counter = Asker::new(Arc::clone(&store), 1, limits.deadline);
    let counting = rule_errors::keep_counting(counter, Arc::clone(&metrics));
    let app = App(Arc::new(Shared {
        asker: Asker::new(Arc::clone(&store), limits.questions, limits.deadline),
        ready: Asker::new(store, READY_QUESTIONS, limits.deadline),
        hub: Arc::clone(&hub),
        access,
        overview: pages::KeptOverview::new(limits.deadline),
        limits,
        metrics,
    }));
    let guarded =
        Router::new().nest("/api/v1", api::routes()).layer(from_fn_with_state(app.clone(), guard));
    let router = Router::new()
        .merge(guarded)
        .merge(pages::routes(&app))
        .route("/health/livez", get(|| async { "live\n" }))
        .route("/health/readyz", get(readyz))
        .route("/metrics", get(metrics_text))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(pages::no_such_page)
        .layer(from_fn_with_state(app.clone(), pages::draw))
        .layer(from_fn_with_state(app.clone(), carry))
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::custom(|_| {
            tracing::error!("a request ended in a panic");
            let status = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
            Problem::new(status, "the request failed; see the server's log").into_response()
        }))
        .with_state(app);
    let background = Box::pin(async {
        tokio::join!(hub.run(), counting);
    });
    Server { router, background }
}

/// Whoever looks whether the store answers, at a time.
const READY_QUESTIONS: usize = 4;

/// Whether the store answers, by the smallest question there is.
async fn readyz(State(app): State<App>) -> Response {
    let ready = &app.0.ready;
    let store = Arc::clone(ready.store());
    let asked = ready.ask(|| async move {
        let query = TimelineQuery {
            from: Time::MAX,
            order: Order::NewestFirst,
            limit: 1,
            ..TimelineQuery::default()
        };
        Ok(store.timeline(&query).await.map(|_| ())?)
    });
    match asked.await {
        Ok(()) => "ready\n".into_response(),
        Err(problem) => {
            let status = axum::http::StatusCode::SERVICE_UNAVAILABLE;
            (status, format!("not ready: {}\n", problem.detail)).into_response()
        }
    }
}

async fn metrics_text(State(app): State<App>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let are_tokens_wrong = app.access().tokens.as_ref().is_some_and(Tokens::is_wrong);
    ([(header::CONTENT_TYPE, OPEN_METRICS)], app.metrics().text(are_tokens_wrong)).into_response()
}

/// Headers that keep a browser from doing what a log line might want of it.
const SECURITY: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// For a year, browsers ask this host over TLS alone. It stands only where they reach it so.
const ONLY_TLS: &str = "max-age=31536000";

/// Adds to every answer what all have in common, and notes it.
async fn carry(State(app): State<App>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let path = request.extensions().get::<MatchedPath>();
    let route = path.map_or("none", MatchedPath::as_str).to_owned();
    let unchanged = request.headers().get(header::IF_NONE_MATCH).cloned();
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = next.run(request).await;
    if is_reading {
        response = etag::tagged(response, unchanged.as_ref()).await;
    }
    app.metrics().requested(&route, response.status().as_u16(), start.elapsed());
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        // A page that needs another policy has it already.
        let name = HeaderName::from_static(name);
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if app.access().is_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(ONLY_TLS));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    }
    response
}

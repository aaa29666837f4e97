//! HTTP for whoever watches the sink:
//!
//! | route | answer |
//! |---|---|
//! | `GET /health/livez` | 200 while the process answers |
//! | `GET /health/readyz` | 200, or 503 with the reason |
//! | `GET /metrics` | the metrics, in the text format of Prometheus |

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::exit::{Exit, Failure};
use crate::health::Health;
use crate::metrics::Metrics;

/// Connections at a time; more have to wait.
const CONNECTIONS_MAX: usize = 32;
/// A request's head comes within that time, or the connection ends.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
const TEXT: &str = "text/plain; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Binds the address. Serving begins with [`serve`].
///
/// # Errors
/// When somebody else has the port, or there is no such address.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = "choose another with http.listen";
        let message = format!("http.listen {address} cannot be used: {error}: {hint}");
        Failure::new(Exit::AddressTaken, message)
    })
}

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, health: Arc<Health>, metrics: Arc<Metrics>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (health, metrics) = (Arc::clone(&health), Arc::clone(&metrics));
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let response = answer(&request, &health, &metrics);
                async { Ok::<_, Infallible>(response) }
            });
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
            let served = server.serve_connection(TokioIo::new(stream), service).await;
            if let Err(error) = served {
                tracing::debug!(%error, "a connection ended badly");
            }
            drop(permit);
        });
    }
}

fn answer(
    request: &Request<Incoming>,
    health: &Health,
    metrics: &Metrics,
) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET\n".to_owned());
    }
    match request.uri().path() {
        "/health/livez" => response(StatusCode::OK, TEXT, "live\n".to_owned()),
        "/health/readyz" => match health.unready() {
            None => response(StatusCode::OK, TEXT, "ready\n".to_owned()),
            Some(reason) => {
                response(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("not ready: {reason}\n"))
            }
        },
        "/metrics" => response(StatusCode::OK, OPEN_METRICS, metrics.text()),
        _ => {
            let routes = "not found; there are /health/livez, /health/readyz and /metrics\n";
            response(StatusCode::NOT_FOUND, TEXT, routes.to_owned())
        }
    }
}

fn response(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

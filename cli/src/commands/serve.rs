//! `statetrail serve`: the dashboard and answers over HTTP.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;
use statetrail_server::access::{Access, Tokens};
use statetrail_server::serving::{ServingError, bind, serve, tls_acceptor};
use statetrail_server::{Settings, Tls, router};
use statetrail_store::EventStore;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::ServeArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::store_place::open_store;
use crate::waiting::{block_on, start_runtime};

/// Where the server can be reached.
#[derive(Serialize)]
struct ServeReport {
    address: String,
}

/// Runs the command until a signal ends it.
///
/// # Errors
/// When the store, the address, the tokens or the certificate cannot be used.
pub fn run(
    args: &ServeArgs,
    store: Option<&str>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let tls = args.tls_cert.clone().zip(args.tls_key.clone());
    let tls = tls.map(|(certificate, key)| Tls { certificate, key });
    let tokens = args.tokens.clone();
    let behind_tls = args.behind_tls;
    let settings = Settings { tokens, tls, behind_tls, ..Settings::local(args.listen) };
    settings.check().map_err(|error| Failure::new(Exit::Usage, error))?;
    start_runtime().map_err(no_threads)?;
    let store: Arc<dyn EventStore> = Arc::from(open_store(store)?);
    serve_until_a_signal(&Serving { settings, store, port_may_differ: false }, output)
}

/// What is to be served, and where.
pub struct Serving {
    /// How.
    pub settings: Settings,
    /// What answers come from.
    pub store: Arc<dyn EventStore>,
    /// Whether any other port is as good when this one is taken.
    pub port_may_differ: bool,
}

/// Serves, and tells where, until a signal ends it. Needs the runtime.
///
/// # Errors
/// When the address, the tokens or the certificate cannot be used.
pub fn serve_until_a_signal(serving: &Serving, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let tokens = serving.settings.tokens.as_deref().map(Tokens::open).transpose();
    let tokens = tokens.map_err(|error| Failure::new(Exit::Usage, error))?;
    log_to_stderr();
    block_on(until_a_signal(serving, tokens, output))
}

/// The system gives no threads.
pub fn no_threads(error: std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("no threads: {error}"))
}

/// What goes wrong while the server runs goes to standard error, a line each.
fn log_to_stderr() {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr);
    // A log that is there already is as good.
    let _ = log.with_max_level(tracing_subscriber::filter::LevelFilter::INFO).try_init();
}

async fn until_a_signal(
    serving: &Serving,
    tokens: Option<Tokens>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let settings = &serving.settings;
    let acceptor = settings.tls.as_ref().map(tls_acceptor).transpose().map_err(serving_failure)?;
    let listener = match bind(settings.listen).await {
        Err(_) if serving.port_may_differ => {
            bind(SocketAddr::new(settings.listen.ip(), 0)).await.map_err(serving_failure)?
        }
        bound => bound.map_err(serving_failure)?,
    };
    let no_signals = |error| Failure::new(Exit::Failed, format!("no handler for signals: {error}"));
    let mut interrupted = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(no_signals)?;
    let end = async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    };
    let scheme = if acceptor.is_some() { "https" } else { "http" };
    let address = listener.local_addr().unwrap_or(settings.listen);
    tell(&format!("{scheme}://{address}"), output)?;
    let access = Access { tokens, is_tls: acceptor.is_some() || settings.behind_tls };
    let server = router(Arc::clone(&serving.store), access, settings.limits.clone());
    let background = tokio::spawn(server.background);
    serve(listener, server.router, acceptor, &settings.limits, end).await;
    background.abort();
    Ok(Exit::Done)
}

fn tell(address: &str, output: &mut Output<'_>) -> Result<(), Failure> {
    if output.is_text() {
        let shown = output.style.good(address);
        writeln!(output, "Dashboard at {shown}, API at {address}/api/v1, until Ctrl-C")?;
    } else {
        output.document(&ServeReport { address: address.to_owned() })?;
    }
    // Whoever started it waits for this line.
    output.flush()?;
    Ok(())
}

fn serving_failure(error: ServingError) -> Failure {
    match error {
        ServingError::Listen { .. } => Failure::new(Exit::Failed, error),
        ServingError::Tls { .. } => Failure::new(Exit::Usage, error),
    }
}

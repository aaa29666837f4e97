//! Connections: how many, how long, and with TLS.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{AlpnError, Ssl, SslAcceptor, SslMethod, select_next_proto};
use openssl::x509::X509;
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_openssl::SslStream;

use crate::sending::{Sending, Timed};
use crate::settings::{Limits, Tls};

/// A connection shakes hands, and a request's head comes, within that time.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// A client that takes nothing of what was sent for that long is gone.
const TAKEN_WITHIN_MS: u32 = 30_000;
/// Requests that are being answered when the server ends have that long.
const END_WITHIN: Duration = Duration::from_secs(5);
/// Bytes that are held for one connection while its client does not take them.
const HELD_BYTES: usize = 64 << 10;

/// Why a server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServingError {
    /// Somebody else has the port, or there is no such address.
    #[error("--listen {address} cannot be used: {cause}; choose another address or port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// The file of the certificate or of its key cannot be used.
    #[error("{option} {file}: {reason}")]
    Tls {
        /// What named the file.
        option: &'static str,
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads certificate and key.
///
/// # Errors
/// When they cannot be read, or do not fit together.
pub fn tls_acceptor(tls: &Tls) -> Result<SslAcceptor, ServingError> {
    let wrong = |option, file: &Path, reason: String| {
        let file = file.display().to_string();
        ServingError::Tls { option, file, reason }
    };
    let wrong_certificate = |reason| wrong("--tls-cert", &tls.certificate, reason);
    let wrong_key = |reason| wrong("--tls-key", &tls.key, reason);
    let chain = read_chain(&tls.certificate).map_err(wrong_certificate)?;
    let key = read_key(&tls.key).map_err(wrong_key)?;
    let refused = |error: ErrorStack| wrong_certificate(reason_of(&error));
    let mut builder =
        SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).map_err(refused)?;
    let mut chain = chain.into_iter();
    if let Some(own) = chain.next() {
        builder.set_certificate(&own).map_err(refused)?;
    }
    for issuer in chain {
        builder.add_extra_chain_cert(issuer).map_err(refused)?;
    }
    let fits = builder.set_private_key(&key).and_then(|()| builder.check_private_key());
    fits.map_err(|error| {
        let certificate = tls.certificate.display();
        wrong_key(format!("not the key of the certificate in {certificate}: {}", reason_of(&error)))
    })?;
    builder.set_alpn_select_callback(|_, offered| {
        select_next_proto(b"\x08http/1.1", offered).ok_or(AlpnError::NOACK)
    });
    Ok(builder.build())
}

/// The server's own certificate, and behind it those that lead to one that clients know.
fn read_chain(file: &Path) -> Result<Vec<X509>, String> {
    let chain = X509::stack_from_pem(&read(file)?)
        .map_err(|error| format!("a certificate in it cannot be read: {}", reason_of(&error)))?;
    if chain.is_empty() {
        Err("there is no certificate in PEM in it".to_owned())
    } else {
        Ok(chain)
    }
}

fn read_key(file: &Path) -> Result<PKey<Private>, String> {
    // A key with a passphrase gets an empty one: OpenSSL itself would ask the terminal.
    let key = PKey::private_key_from_pem_callback(&read(file)?, |_| Ok(0));
    key.map_err(|error| {
        let reason = reason_of(&error);
        format!("there is no private key in PEM, without a passphrase, in it: {reason}")
    })
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("cannot be read: {error}"))
}

/// What OpenSSL says first; the rest follows from it.
fn reason_of(error: &ErrorStack) -> String {
    let reason = error.errors().first().and_then(openssl::error::Error::reason);
    reason.unwrap_or("OpenSSL does not say why").to_owned()
}

/// Binds the address.
///
/// # Errors
/// When that is not possible.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServingError> {
    let failed = |cause| ServingError::Listen { address, cause };
    TcpListener::bind(address).await.map_err(failed)
}

/// Serves until `end` is ready, then lets requests that are being answered end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<SslAcceptor>,
    limits: &Limits,
    end: impl Future<Output = ()>,
) {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let serving = Arc::new(Serving { router, tls, sending: limits.sending });
    let graceful = GracefulShutdown::new();
    tokio::pin!(end);
    loop {
        let accept = async {
            // The semaphore is never closed.
            let permit = Arc::clone(&permits).acquire_owned().await.ok();
            (permit, listener.accept().await)
        };
        tokio::select! {
            () = &mut end => break,
            (permit, accepted) = accept => match accepted {
                Ok((stream, _)) => {
                    let (serving, watcher) = (Arc::clone(&serving), graceful.watcher());
                    tokio::spawn(async move {
                        serving.connection(stream, watcher).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listener);
    // Those who follow stay for good; they go on elsewhere from their place.
    let _ = timeout(END_WITHIN, graceful.shutdown()).await;
}

struct Serving {
    router: Router,
    tls: Option<SslAcceptor>,
    /// How long a client may take over one answer.
    sending: Duration,
}

impl Serving {
    async fn connection(&self, stream: TcpStream, watcher: Watcher) {
        // Nothing depends on it but the end of dead connections.
        let _ = set_tcp_user_timeout(&stream, TAKEN_WITHIN_MS);
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return self.requests(TokioIo::new(stream), watcher).await;
        };
        let shaken = async {
            let mut stream = SslStream::new(Ssl::new(tls.context())?, stream)?;
            Pin::new(&mut stream).accept().await.map(|()| stream).map_err(Into::into)
        };
        let shaken: Result<Result<_, Box<dyn std::error::Error + Send + Sync>>, _> =
            timeout(HEAD_WITHIN, shaken).await;
        match shaken {
            Ok(Ok(stream)) => self.requests(TokioIo::new(stream), watcher).await,
            Ok(Err(error)) => tracing::debug!(%error, "no TLS with a client"),
            Err(_) => tracing::debug!("a client was too slow with TLS"),
        }
    }

    async fn requests<I>(&self, io: I, watcher: Watcher)
    where
        I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    {
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(HELD_BYTES);
        let sending = Sending::new(self.sending);
        let io = Timed::new(io, Arc::clone(&sending));
        let router = TowerToHyperService::new(self.router.clone());
        let service = service_fn(move |request| {
            let (asked, sending) = (router.call(request), Arc::clone(&sending));
            async move { asked.await.map(|response| sending.begin(response)) }
        });
        let connection = builder.serve_connection(io, service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended badly");
        }
    }
}

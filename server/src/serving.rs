//! Connections: how many, how long, and with TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use openssl::ssl::{AlpnError, Ssl, SslAcceptor, SslFiletype, SslMethod, select_next_proto};
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_openssl::SslStream;

use crate::settings::Tls;

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
    /// The files of the certificate are wrong.
    #[error("{file}: {cause}")]
    Tls {
        /// The file.
        file: String,
        /// What OpenSSL said.
        cause: openssl::error::ErrorStack,
    },
}

/// Reads certificate and key.
///
/// # Errors
/// When they cannot be read, or do not fit together.
pub fn tls_acceptor(tls: &Tls) -> Result<SslAcceptor, ServingError> {
    let failed = |file: &std::path::Path| {
        let file = file.display().to_string();
        |cause| ServingError::Tls { file, cause }
    };
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())
        .map_err(failed(&tls.certificate))?;
    builder.set_certificate_chain_file(&tls.certificate).map_err(failed(&tls.certificate))?;
    builder.set_private_key_file(&tls.key, SslFiletype::PEM).map_err(failed(&tls.key))?;
    builder.check_private_key().map_err(failed(&tls.key))?;
    builder.set_alpn_select_callback(|_, offered| {
        select_next_proto(b"\x08http/1.1", offered).ok_or(AlpnError::NOACK)
    });
    Ok(builder.build())
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
    connections: usize,
    end: impl Future<Output = ()>,
) {
    let permits = Arc::new(Semaphore::new(connections));
    let serving = Arc::new(Serving { router, tls });
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
        let service = TowerToHyperService::new(self.router.clone());
        let connection = builder.serve_connection(io, service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended badly");
        }
    }
}

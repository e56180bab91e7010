//! Accepts TCP connections: as many at one time as are allowed, each with TLS if the listener has a certificate.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::connection::{self, HEADER_TIME, Protocol};
use crate::auth::{Peer, Throttle};
use crate::telemetry::metrics::Metrics;
use crate::tls::ServerTls;

/// How long connections may take to end after the listener was closed.
const CLOSING: Duration = Duration::from_secs(5);
/// After a failed accept, which mostly means that descriptors have run out.
const BREATH: Duration = Duration::from_millis(100);

/// A listening socket and what is served on it.
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    /// `None` serves plain HTTP/1.1: the admin listener, and `dev` on loopback.
    pub(crate) tls: Option<Arc<ServerTls>>,
    pub(crate) router: Router,
    pub(crate) max_connections: u32,
    pub(crate) metrics: Metrics,
    /// Failures of callers; shared with whoever checks tokens.
    pub(crate) throttle: Throttle,
}

/// How a listener, or a connection, comes to its end.
#[derive(Debug, Clone)]
pub(crate) struct Closing {
    /// From then on no connection is accepted, and no further request on those that are open.
    pub(crate) token: CancellationToken,
    /// So long an open connection may still bring a request, its last one. Without it connections end between two
    /// requests, which a caller may notice.
    pub(crate) linger: Duration,
}

impl From<CancellationToken> for Closing {
    fn from(token: CancellationToken) -> Self {
        let linger = Duration::ZERO;
        Closing { token, linger }
    }
}

impl Listener {
    /// Accepts and serves until `close` fires, then lets the open connections end: with a time to linger, for as long as they
    /// need.
    pub(crate) async fn serve(self, close: Closing) {
        let room = Arc::new(Semaphore::new(self.max_connections.max(1) as usize));
        let mut connections = JoinSet::new();
        let told = Arc::new(Ration::default());
        loop {
            while connections.try_join_next().is_some() {}
            // Where there is no room, connections wait in the system's backlog.
            let accepted = close.token.run_until_cancelled(async {
                let place = room.clone().acquire_owned().await;
                (place, self.socket.accept().await)
            });
            let Some((place, accepted)) = accepted.await else {
                break;
            };
            match accepted {
                Ok((stream, address)) => {
                    let peer = Peer {
                        address: Some(address.ip()),
                        certificate: None,
                    };
                    let open = Open::new(&self.metrics);
                    let (tls, router, close) = (self.tls.clone(), self.router.clone(), close.clone());
                    let (throttle, told) = (self.throttle.clone(), told.clone());
                    connections.spawn(async move {
                        let _kept = (place, open);
                        one(stream, tls, router, peer, close, &throttle, &told).await;
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
        drop(self.socket);
        let ended = async { while connections.join_next().await.is_some() {} };
        if !close.linger.is_zero() {
            return ended.await;
        }
        if timeout(CLOSING, ended).await.is_err() {
            connections.shutdown().await;
        }
    }
}

async fn one(
    stream: TcpStream,
    tls: Option<Arc<ServerTls>>,
    router: Router,
    mut peer: Peer,
    close: Closing,
    throttle: &Throttle,
    told: &Ration,
) {
    // Without it, small answers wait for acknowledgements (Nagle).
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return connection::serve(stream, Protocol::Http1, router, peer, close).await;
    };
    let handshake = tls.handshake();
    let acceptor = TlsAcceptor::from(handshake.server_config());
    let handshaking = timeout(HEADER_TIME, acceptor.accept(stream).into_fallible());
    let shaken = match close.linger.is_zero() {
        true => close.token.run_until_cancelled(handshaking).await,
        // Who was accepted gets an answer.
        false => Some(handshaking.await),
    };
    let shaken = match shaken {
        Some(Ok(shaken)) => shaken,
        Some(Err(_)) => return tracing::debug!(peer = ?peer.address, "a TLS handshake took too long"),
        None => return,
    };
    match shaken {
        Ok(stream) => {
            peer.certificate = handshake.client_certificate(stream.get_ref().1).map(Arc::new);
            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let protocol = if h2 { Protocol::Http2 } else { Protocol::Http1 };
            connection::serve(stream, protocol, router, peer, close).await;
        }
        Err((error, stream)) if about_certificate(&error) => {
            if told.one_more() {
                tracing::warn!(peer = ?peer.address, %error, "a TLS handshake failed: the client certificate is not accepted");
            }
            // rustls has sent its alert already; what is left to hold back is the end of the connection, and its place.
            close
                .token
                .run_until_cancelled(throttle.failed(peer.address))
                .await;
            drop(stream);
        }
        Err((error, _)) => tracing::debug!(peer = ?peer.address, %error, "a TLS handshake failed"),
    }
}

/// So many lines a minute, for what anybody on the network can bring about.
#[derive(Default)]
struct Ration(Mutex<Option<(Instant, u32)>>);

impl Ration {
    const LINES: u32 = 20;
    const TIME: Duration = Duration::from_secs(60);

    /// Whether one more may be written.
    fn one_more(&self) -> bool {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (since, lines) = spent
            .filter(|(since, _)| now.duration_since(*since) < Self::TIME)
            .unwrap_or((now, 0));
        *spent = Some((since, lines + 1));
        lines < Self::LINES
    }
}

/// Whether the peer's certificate is what stopped a handshake: the one failure that somebody will ask about.
fn about_certificate(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|source| source.downcast_ref());
    matches!(
        error,
        Some(
            rustls::Error::InvalidCertificate(_)
                | rustls::Error::NoCertificatesPresented
                | rustls::Error::InvalidCertRevocationList(_)
        )
    )
}

/// Counts a connection for as long as it is open.
struct Open(Metrics);

impl Open {
    fn new(metrics: &Metrics) -> Self {
        metrics.connections_changed(1);
        Open(metrics.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections_changed(-1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_ration_is_spent_and_comes_back() {
        let ration = Ration::default();
        let written = |times: u32| (0..times).filter(|_| ration.one_more()).count();
        assert_eq!(written(50), 20);
        tokio::time::advance(Ration::TIME).await;
        assert_eq!(written(50), 20);
    }
}

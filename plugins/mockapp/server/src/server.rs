//! Serving the app: until told to stop, or on a thread of its own for as long as a test holds on to it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Options, State, router};

/// How long requests in flight may go on once the app is told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Serves `state` on `listener` until `shutdown` is cancelled and requests in flight have ended (two seconds at most).
///
/// # Errors
/// If the listener breaks.
pub async fn serve(listener: TcpListener, state: State, shutdown: CancellationToken) -> io::Result<()> {
    let listener = listener.tap_io(|stream| {
        // Small answers must not wait for the peer's acknowledgement; a socket that refuses is merely slower.
        let _ = stream.set_nodelay(true);
    });
    let stopped = shutdown.clone();
    let serving = axum::serve(listener, router(state)).with_graceful_shutdown(shutdown.cancelled_owned());
    tokio::select! {
        result = serving.into_future() => result,
        () = grace_over(stopped) => Ok(()),
    }
}

async fn grace_over(stopped: CancellationToken) {
    stopped.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

/// A mock app on a free loopback port and a thread of its own. It ends when this is dropped.
///
/// It needs no runtime of the caller, so tests with and without one can use it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    state: State,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a mock app; it accepts connections when this returns.
    ///
    /// # Errors
    /// If no port, thread or runtime can be had.
    pub fn spawn(options: Options) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let state = State::new(options);
        let shutdown = CancellationToken::new();
        let serving = serve(listener, state.clone(), shutdown.clone());
        let thread = std::thread::Builder::new()
            .name("mockapp".to_owned())
            .spawn(move || {
                // Whoever holds the server sees a listener that broke as a refused connection.
                let _ = runtime.block_on(serving);
            })?;
        Ok(Self {
            address,
            state,
            shutdown,
            thread: Some(thread),
        })
    }

    /// The app's base URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the app listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts the data back to how it was at the start.
    pub fn reset(&self) {
        self.state.reset();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already.
            let _ = thread.join();
        }
    }
}

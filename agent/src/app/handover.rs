//! The dispatch listener's begin and end, with and without a service manager that holds its socket.
//!
//! ```text
//! own socket:  accept at once ─────────────────── shutdown ▸ 503 ▸ hosts gone ▸ close
//! handed over: accept when connectors serve ───── shutdown ▸ accept no more, answer what is open ▸ hosts gone
//! ```

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::http::admin::Health;
use crate::http::listener::{Closing, Listener};

/// How long an open connection may be quiet before it is closed for the next agent: who keeps one and uses it again just
/// then would lose a request.
const LINGER: Duration = Duration::from_secs(2);
/// The longest that connections wait for the first connectors.
const FIRST: Duration = Duration::from_secs(45);
const LOOK: Duration = Duration::from_millis(10);

/// The listener while it is served.
pub(super) struct Dispatch {
    close: CancellationToken,
    ended: CancellationToken,
    health: Arc<Health>,
    handed_over: bool,
}

/// The task that serves it, and the means to end that.
pub(super) fn start(
    listener: Listener,
    health: &Arc<Health>,
    handed_over: bool,
) -> (Dispatch, impl Future<Output = ()> + Send + use<>) {
    let close = CancellationToken::new();
    let ended = CancellationToken::new();
    let dispatch = Dispatch {
        close: close.clone(),
        ended: ended.clone(),
        health: health.clone(),
        handed_over,
    };
    let health = health.clone();
    let task = async move {
        let _told_at_the_end = ended.drop_guard();
        if handed_over
            && close
                .run_until_cancelled(first_connectors(&health))
                .await
                .is_none()
        {
            return;
        }
        let _until_the_end = Listening::new(&health);
        let linger = if handed_over { LINGER } else { Duration::ZERO };
        listener.serve(Closing { token: close, linger }).await;
    };
    (dispatch, task)
}

async fn first_connectors(health: &Health) {
    let done = async {
        while !health.backend.first_scan_done() {
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(FIRST, done).await.is_err() {
        tracing::warn!("connectors take long to start; connections are accepted without them");
    }
}

impl Dispatch {
    /// Leaves new connections to the next agent and waits for those that are open, if somebody holds the socket for it.
    pub(super) async fn hand_over(&self, grace: Duration, force: &CancellationToken) {
        if !self.handed_over {
            return;
        }
        self.health.handing_over.cancel();
        self.close.cancel();
        let ended = tokio::time::timeout(grace, self.ended.cancelled());
        if let Some(Err(_)) = force.run_until_cancelled(ended).await {
            tracing::warn!("connections with calls are still open; these get no more time");
        }
    }

    /// The end.
    pub(super) fn close(&self) {
        self.close.cancel();
    }
}

/// Says that the dispatch listener accepts, for as long as it lives.
struct Listening(Arc<Health>);

impl Listening {
    fn new(health: &Arc<Health>) -> Self {
        health.listening.store(true, Ordering::Release);
        Listening(health.clone())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.listening.store(false, Ordering::Release);
    }
}

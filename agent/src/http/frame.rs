//! Around every request of the dispatch listener: its id, whether the agent is draining, who asks, the log line, and the
//! headers that every answer carries.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONNECTION, EXPECT};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use tokio::time::Instant;

use super::dispatch::Dispatch;
use super::envelope::{ErrorCode, Problem};
use super::{body, headers, strict};
use crate::auth::{Peer, Principal};
use crate::domain::{AppId, CapabilityName};
use crate::telemetry::log;
use crate::telemetry::request_line::{Millis, Pairs, RequestLine};

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
/// Where nothing was called.
pub(super) const NO_TIMING: &str = "queue;dur=0.000, connector;dur=0.000";

/// What a handler is told of its request, and tells of it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Exchange(Arc<Inner>);

struct Inner {
    request_id: Arc<str>,
    arrived: Instant,
    observability: Arc<[(String, String)]>,
    /// The body, until somebody wants it. What nobody took is discarded before the answer.
    body: Mutex<Option<Body>>,
    caller: OnceLock<Principal>,
    target: OnceLock<(AppId, CapabilityName)>,
    spent: OnceLock<Spent>,
    answered: OnceLock<(StatusCode, &'static str)>,
}

/// Where a call's time went.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spent {
    pub(super) queue: Duration,
    pub(super) connector: Duration,
    pub(super) request_bytes: usize,
    pub(super) answer_bytes: usize,
}

impl Exchange {
    pub(super) fn request_id(&self) -> Arc<str> {
        self.0.request_id.clone()
    }

    pub(super) fn arrived(&self) -> Instant {
        self.0.arrived
    }

    pub(super) fn observability(&self) -> Arc<[(String, String)]> {
        self.0.observability.clone()
    }

    /// Who asks. Set before any handler runs.
    pub(super) fn caller(&self) -> &Principal {
        self.0.caller.get().expect("handlers run after authentication")
    }

    /// The body, once.
    pub(super) fn take_body(&self) -> Body {
        self.body().take().unwrap_or_default()
    }

    /// Gives back a body that was not read to its end.
    pub(super) fn return_body(&self, body: Body) {
        *self.body() = Some(body);
    }

    pub(super) fn set_target(&self, app_id: &AppId, capability: &CapabilityName) {
        let _ = self.0.target.set((app_id.clone(), capability.clone()));
    }

    pub(super) fn set_spent(&self, spent: Spent) {
        let _ = self.0.spent.set(spent);
    }

    fn body(&self) -> std::sync::MutexGuard<'_, Option<Body>> {
        self.0.body.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    /// One line a request, also where the caller went away before the answer. No header, no body.
    fn drop(&mut self) {
        let (status, error_code) = match self.answered.get() {
            Some((status, code)) => (status.as_u16(), *code),
            None => (499, "caller_gone"),
        };
        let (target, spent) = (self.target.get(), self.spent.get());
        log::request(&RequestLine {
            request_id: &self.request_id,
            caller: self.caller.get().map(|caller| &*caller.name),
            app_id: target.map(|(app_id, _)| app_id.as_str()),
            capability: target.map(|(_, capability)| capability.as_str()),
            status,
            error_code,
            queue_ms: spent.map(|spent| Millis(spent.queue)),
            connector_ms: spent.map(|spent| Millis(spent.connector)),
            total_ms: Millis(self.arrived.elapsed()),
            request_bytes: spent.map(|spent| spent.request_bytes),
            answer_bytes: spent.map(|spent| spent.answer_bytes),
            observability: Pairs(&self.observability),
        });
    }
}

/// The middleware.
pub(super) async fn frame(
    State(dispatch): State<Arc<Dispatch>>,
    mut request: Request,
    next: Next,
) -> Response {
    let version = request.version();
    let peer = request.extensions().get::<Peer>().cloned().unwrap_or_default();
    // Reading the body would make hyper say "100 Continue"; a caller that waits for it sends nothing after a refusal.
    let waits = request.headers().contains_key(EXPECT);
    let head = strict::check(&request);
    let last = head.is_err() || strict::last_of_connection(&request);
    let exchange = Exchange(Arc::new(Inner {
        request_id: headers::request_id(request.headers()),
        arrived: Instant::now(),
        observability: headers::observability(request.headers()),
        body: Mutex::new(Some(std::mem::take(request.body_mut()))),
        caller: OnceLock::new(),
        target: OnceLock::new(),
        spent: OnceLock::new(),
        answered: OnceLock::new(),
    }));
    request.extensions_mut().insert(exchange.clone());
    let admitted = admit(&dispatch, &exchange, head, request.headers(), &peer);
    let mut response = match admitted.await {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let rest = exchange.body().take();
    let drained = match rest {
        // In HTTP/2 too: a stream that is answered and reset while its body comes is a failure to some callers.
        Some(rest) if !waits => body::discard(rest).await,
        Some(_) => false,
        None => true,
    };
    let code = response.extensions().get::<ErrorCode>().map_or("", |code| code.0);
    if !code.is_empty() && exchange.0.spent.get().is_none() {
        dispatch.metrics.request_refused(code);
    }
    finish(&exchange, &mut response, code);
    let late = response.status() == StatusCode::REQUEST_TIMEOUT;
    let closing = last || late || !drained || dispatch.draining.is_cancelled();
    if closing && version < Version::HTTP_2 {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn admit(
    dispatch: &Dispatch,
    exchange: &Exchange,
    head: Result<(), Problem>,
    headers: &HeaderMap,
    peer: &Peer,
) -> Result<(), Problem> {
    head?;
    if dispatch.draining.is_cancelled() {
        return Err(Problem::draining());
    }
    match dispatch
        .auth
        .authenticate(headers, peer, &dispatch.config().dispatch.tls)
    {
        Ok(principal) => {
            let _ = exchange.0.caller.set(principal);
            Ok(())
        }
        Err(denied) => {
            dispatch.throttle.failed(peer.address).await;
            Err(Problem::unauthorized(denied))
        }
    }
}

fn finish(exchange: &Exchange, response: &mut Response, code: &'static str) {
    let _ = exchange.0.answered.set((response.status(), code));
    let spent = exchange.0.spent.get().copied().unwrap_or_default();
    let timing = format!(
        "queue;dur={}, connector;dur={}",
        Millis(spent.queue),
        Millis(spent.connector)
    );
    let headers = response.headers_mut();
    headers.insert(
        SERVER_TIMING,
        HeaderValue::from_str(&timing).expect("numbers are header text"),
    );
    let id = HeaderValue::from_str(&exchange.0.request_id).expect("a request id is header text");
    headers.insert(headers::X_REQUEST_ID, id);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

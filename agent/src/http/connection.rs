//! One connection: HTTP/1.1 or HTTP/2 over whatever carries bytes, cut off when it stalls.
//!
//! hyper bounds the time for a request's headers. What it does not bound is watched here: a connection on which no request
//! comes, and one whose peer takes no bytes any more. A connection with a call in progress is left alone; calls have their
//! own deadlines.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::{Buf, Bytes};
use http::header::CONNECTION;
use http::{HeaderValue, Request};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::listener::Closing;
use super::refusal;
use crate::auth::Peer;

/// For a TLS handshake, for the headers of a request, and for the first request of a connection.
pub(crate) const HEADER_TIME: Duration = Duration::from_secs(10);
/// For a peer that takes no bytes of its answer.
const STALL: Duration = Duration::from_secs(30);
/// For an HTTP/2 connection without a request. HTTP/1.1 ones are bounded by [`HEADER_TIME`].
const IDLE: Duration = Duration::from_secs(60);
/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Headers of one request.
pub(super) const MAX_HEADER_BYTES: usize = 32 << 10;
/// Requests at one time on an HTTP/2 connection.
const MAX_STREAMS: u32 = 64;
/// Body bytes that a peer may send before anybody reads them: small, for they are not in the budget of request bytes.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;
/// Streams that a peer may open and reset before anybody looks at them (rapid reset, CVE-2023-44487), and streams that may
/// be reset for errors of the peer. Beyond either the connection ends.
const MAX_RESETS_UNSEEN: usize = 20;
const MAX_ERRORS: usize = 64;

/// What a connection speaks, as TLS settled it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Serves one connection to its end. After `stop` fires it takes no further request and ends with those that it has; where
/// it may linger, it takes one more on HTTP/1.1, if that comes in time, and says with the answer that it was the last.
pub(crate) async fn serve<IO>(
    io: IO,
    protocol: Protocol,
    router: Router,
    peer: Peer,
    stop: impl Into<Closing>,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stop = stop.into();
    let activity = Arc::new(Activity::new());
    let io = TokioIo::new(Watched {
        io,
        activity: activity.clone(),
        refusal: None,
    });
    let requests = activity.clone();
    // HTTP/2 has a frame for it, and forbids the header.
    let last = (protocol == Protocol::Http1 && !stop.linger.is_zero()).then(|| stop.token.clone());
    let linger = if last.is_some() {
        stop.linger
    } else {
        Duration::ZERO
    };
    let mut stopped = pin!(async move {
        stop.token.cancelled().await;
        tokio::time::sleep(linger).await;
    });
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        let running = Count::of(&requests, |activity| &activity.running);
        requests.asked.store(true, Ordering::Relaxed);
        let answer = router.clone().call(request.map(Body::new));
        let last = last.clone();
        async move {
            let mut response: Response = answer.await?;
            if last.as_ref().is_some_and(CancellationToken::is_cancelled) {
                response
                    .headers_mut()
                    .insert(CONNECTION, HeaderValue::from_static("close"));
            }
            let sending = Count::of(&running.activity, |activity| &activity.sending);
            Ok::<_, Infallible>(response.map(|body| Sending {
                body,
                _sending: sending,
            }))
        }
    });
    let builder = builder(protocol);
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut ending = false;
    loop {
        let next = Instant::now() + LOOK;
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(error = %error, "a connection ended with an error");
                }
                return;
            }
            () = stopped.as_mut(), if !ending => {
                connection.as_mut().graceful_shutdown();
                ending = true;
            }
            () = tokio::time::sleep_until(next) => match activity.verdict() {
                Verdict::Fine => {}
                Verdict::Stalled => return,
                Verdict::Idle if ending => return,
                Verdict::Idle => {
                    connection.as_mut().graceful_shutdown();
                    ending = true;
                }
            }
        }
    }
}

fn builder(protocol: Protocol) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(MAX_HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        // This also bounds the CONTINUATION frames of one request (CVE-2024-27316).
        .max_header_list_size(MAX_HEADER_BYTES as u32)
        .max_pending_accept_reset_streams(MAX_RESETS_UNSEEN)
        .max_local_error_reset_streams(MAX_ERRORS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(STALL)
        .keep_alive_timeout(STALL);
    match protocol {
        Protocol::Http1 => builder.http1_only(),
        Protocol::Http2 => builder.http2_only(),
    }
}

/// What goes on on a connection.
struct Activity {
    epoch: Instant,
    /// Milliseconds after `epoch` at which bytes last moved.
    moved: AtomicU64,
    /// Requests without an answer.
    running: AtomicUsize,
    /// Answers that are not sent to their end.
    sending: AtomicUsize,
    /// Whether there ever was a request.
    asked: AtomicBool,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Fine,
    Idle,
    Stalled,
}

impl Activity {
    fn new() -> Self {
        Activity {
            epoch: Instant::now(),
            moved: AtomicU64::new(0),
            running: AtomicUsize::new(0),
            sending: AtomicUsize::new(0),
            asked: AtomicBool::new(false),
        }
    }

    fn touch(&self) {
        let now = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(now, Ordering::Relaxed);
    }

    fn verdict(&self) -> Verdict {
        let moved = self.epoch + Duration::from_millis(self.moved.load(Ordering::Relaxed));
        let quiet = moved.elapsed();
        let asked = self.asked.load(Ordering::Relaxed);
        if self.running.load(Ordering::Relaxed) > 0 {
            Verdict::Fine
        } else if self.sending.load(Ordering::Relaxed) > 0 {
            if quiet > STALL {
                Verdict::Stalled
            } else {
                Verdict::Fine
            }
        } else if !asked && self.epoch.elapsed() > HEADER_TIME || quiet > IDLE {
            Verdict::Idle
        } else {
            Verdict::Fine
        }
    }
}

/// Counts one up for as long as it lives.
struct Count {
    activity: Arc<Activity>,
    which: fn(&Activity) -> &AtomicUsize,
}

impl Count {
    fn of(activity: &Arc<Activity>, which: fn(&Activity) -> &AtomicUsize) -> Self {
        which(activity).fetch_add(1, Ordering::Relaxed);
        Count {
            activity: activity.clone(),
            which,
        }
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        (self.which)(&self.activity).fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer's body that is counted until it is sent.
struct Sending {
    body: Body,
    _sending: Count,
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Notes when bytes move, and puts the agent's words in the place of hyper's own refusals.
struct Watched<IO> {
    io: IO,
    activity: Arc<Activity>,
    /// What is left to write of an envelope.
    refusal: Option<Bytes>,
}

impl<IO> Watched<IO> {
    fn noted<T>(&self, moved: Poll<T>) -> Poll<T> {
        if moved.is_ready() {
            self.activity.touch();
        }
        moved
    }
}

impl<IO: AsyncWrite + Unpin> Watched<IO> {
    /// Writes the envelope in the place of `answer`, which hyper made.
    fn poll_refuse(&mut self, cx: &mut Context<'_>, answer: &[u8]) -> Poll<io::Result<usize>> {
        let refusal = match &mut self.refusal {
            Some(refusal) => refusal,
            none => none.insert(refusal::instead_of(answer).into()),
        };
        while !refusal.is_empty() {
            match Pin::new(&mut self.io).poll_write(cx, refusal) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => refusal.advance(n),
                other => return other,
            }
        }
        self.refusal = None;
        Poll::Ready(Ok(answer.len()))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Watched<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let moved = Pin::new(&mut self.io).poll_read(cx, buf);
        self.noted(moved)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Watched<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let moved = match refusal::begins_at(buf) {
            None => Pin::new(&mut self.io).poll_write(cx, buf),
            Some(0) => self.poll_refuse(cx, buf),
            Some(at) => Pin::new(&mut self.io).poll_write(cx, &buf[..at]),
        };
        self.noted(moved)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let last = bufs.iter().rposition(|buf| !buf.is_empty()).unwrap_or(0);
        let refused = bufs
            .get(last)
            .is_some_and(|buf| refusal::begins_at(buf).is_some());
        let moved = match bufs[..last].iter().any(|buf| !buf.is_empty()) {
            // What comes before it is written first.
            true if refused => Pin::new(&mut self.io).poll_write_vectored(cx, &bufs[..last]),
            false if refused => return self.poll_write(cx, &bufs[last]),
            _ => Pin::new(&mut self.io).poll_write_vectored(cx, bufs),
        };
        self.noted(moved)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio_util::task::AbortOnDropHandle;

    fn served(protocol: Protocol, router: Router) -> (tokio::io::DuplexStream, AbortOnDropHandle<()>) {
        let (ours, theirs) = duplex(1024);
        let peer = Peer {
            address: None,
            certificate: None,
        };
        let task = tokio::spawn(serve(theirs, protocol, router, peer, CancellationToken::new()));
        (ours, AbortOnDropHandle::new(task))
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_holds_a_connection_without_asking() {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let began = Instant::now();
            let (_ours, task) = served(protocol, Router::new());
            task.await.unwrap();
            assert!(
                began.elapsed() <= Duration::from_secs(15),
                "{protocol:?}: {:?}",
                began.elapsed()
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_headers_are_cut_off() {
        let (mut ours, task) = served(Protocol::Http1, Router::new());
        let began = Instant::now();
        let drip = async {
            while ours.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        let (ended, ()) = tokio::join!(task, drip);
        ended.unwrap();
        assert!(
            began.elapsed() <= Duration::from_secs(15),
            "{:?}",
            began.elapsed()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_is_given_up() {
        let large = axum::routing::get(async || vec![b'x'; 1 << 20]);
        let (mut ours, task) = served(Protocol::Http1, Router::new().route("/", large));
        ours.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let began = Instant::now();
        task.await.unwrap();
        assert!(began.elapsed() < IDLE + STALL, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_call_is_left_alone() {
        let slow = axum::routing::get(async || {
            tokio::time::sleep(Duration::from_secs(1000)).await;
            "done"
        });
        let (mut ours, _task) = served(Protocol::Http1, Router::new().route("/", slow));
        ours.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut text = String::new();
        ours.read_to_string(&mut text).await.unwrap();
        assert!(text.ends_with("done"), "{text}");
    }
}

//! Reading a request's body without letting anybody fill the memory or hold a connection for ever.
//!
//! Three bounds: one body's size, the bytes of all bodies at one time ([`Budget`]), and the pace at which a body must come.
//! The bytes count against the budget for as long as anybody holds them, so for a call until its connector has answered,
//! even where the caller has gone away meanwhile.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use crate::telemetry::metrics::Metrics;

/// Accounting unit of the budget; a permit for each byte would not fit its counter.
const UNIT: usize = 4096;
/// How long a body waits for room.
const ROOM_PATIENCE: Duration = Duration::from_secs(3);
/// The longest pause between two parts of a body.
const STALL: Duration = Duration::from_secs(30);
/// The slowest pace at which a body may come, in bytes a second, after the first [`STALL`].
const PACE: u64 = 16 * 1024;
/// What is read and thrown away after an early refusal, so that the caller sees the answer and no reset.
const DISCARD_BYTES: usize = 32 << 20;
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// Larger than the limit.
    TooLarge,
    /// All bodies together leave no room.
    NoRoom,
    /// It stopped coming, or came too slowly.
    Stalled,
    /// The connection broke, or the framing is wrong.
    Broken,
}

/// Request bytes held at one time, over all connections.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    room: Arc<Semaphore>,
    units: usize,
}

impl Budget {
    /// A budget of `bytes`, rounded up to whole units.
    pub(crate) fn new(bytes: u64) -> Self {
        let units = usize::try_from(bytes).unwrap_or(usize::MAX).div_ceil(UNIT);
        let units = units.clamp(1, Semaphore::MAX_PERMITS);
        Budget {
            room: Arc::new(Semaphore::new(units)),
            units,
        }
    }

    /// Bytes held now.
    pub(crate) fn held(&self) -> u64 {
        ((self.units - self.room.available_permits().min(self.units)) * UNIT) as u64
    }

    async fn take(&self, units: usize, patience: Duration) -> Result<OwnedSemaphorePermit, BodyError> {
        let units = u32::try_from(units).map_err(|_| BodyError::NoRoom)?;
        if let Ok(permit) = self.room.clone().try_acquire_many_owned(units) {
            return Ok(permit);
        }
        match timeout(patience, self.room.clone().acquire_many_owned(units)).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(BodyError::NoRoom),
        }
    }
}

/// The bytes of one body with its share of the budget.
struct Held {
    bytes: Bytes,
    permit: Option<OwnedSemaphorePermit>,
    budget: Budget,
    metrics: Metrics,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.permit = None;
        self.metrics.set_buffered_bytes(self.budget.held());
    }
}

/// How large a body says it is. `None` where it does not say.
pub(crate) fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads the whole of `body`.
///
/// # Errors
/// If it is larger than `max`, does not fit the budget, or does not come in time.
pub(crate) async fn read(
    body: &mut Body,
    max: u64,
    budget: &Budget,
    metrics: &Metrics,
) -> Result<Bytes, BodyError> {
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    let started = Instant::now();
    let mut permit: Option<OwnedSemaphorePermit> = None;
    let (mut first, mut rest, mut len) = (None::<Bytes>, BytesMut::new(), 0_usize);
    loop {
        let pace = Duration::from_secs(len as u64 / PACE);
        let due = (Instant::now() + STALL).min(started + STALL + pace);
        let data = match timeout_at(due, body.frame()).await {
            Err(_) => return Err(BodyError::Stalled),
            Ok(None) => break,
            Ok(Some(Err(_))) => return Err(BodyError::Broken),
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        };
        len += data.len();
        if len > max {
            return Err(BodyError::TooLarge);
        }
        let held = permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let needed = len.div_ceil(UNIT).saturating_sub(held);
        if needed > 0 {
            let more = budget.take(needed, ROOM_PATIENCE).await?;
            match &mut permit {
                Some(permit) => permit.merge(more),
                None => permit = Some(more),
            }
        }
        // Most bodies are one part: those are not copied.
        match first.take() {
            None if rest.is_empty() => first = Some(data),
            None => rest.extend_from_slice(&data),
            Some(before) => {
                rest.extend_from_slice(&before);
                rest.extend_from_slice(&data);
            }
        }
    }
    let bytes = first.unwrap_or_else(|| rest.freeze());
    metrics.set_buffered_bytes(budget.held());
    let held = Held {
        bytes,
        permit,
        budget: budget.clone(),
        metrics: metrics.clone(),
    };
    Ok(Bytes::from_owner(held))
}

/// Reads and forgets what is left of `body`, up to a bound. `false` if there is more than that.
pub(crate) async fn discard(mut body: Body) -> bool {
    let deadline = Instant::now() + DISCARD_TIME;
    let mut left = DISCARD_BYTES;
    loop {
        match timeout_at(deadline, body.frame()).await {
            Ok(None) => return true,
            Ok(Some(Ok(frame))) => {
                let len = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(len) {
                    Some(rest) => left = rest,
                    None => return false,
                }
            }
            Ok(Some(Err(_))) | Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    fn parts(parts: &[&'static str]) -> Body {
        let parts: Vec<Result<Bytes, std::io::Error>> = parts
            .iter()
            .map(|part| Ok(Bytes::from_static(part.as_bytes())))
            .collect();
        Body::from_stream(stream::iter(parts))
    }

    #[tokio::test]
    async fn joins_parts_and_counts_them_until_they_are_dropped() {
        let (budget, metrics) = (Budget::new(1 << 20), Metrics::new());
        let bytes = read(&mut parts(&["ab", "cd", "e"]), 5, &budget, &metrics)
            .await
            .unwrap();
        assert_eq!(bytes, "abcde");
        assert_eq!(budget.held(), UNIT as u64);
        let clone = bytes.clone();
        drop(bytes);
        assert_eq!(budget.held(), UNIT as u64);
        drop(clone);
        assert_eq!(budget.held(), 0);
    }

    #[tokio::test]
    async fn refuses_what_is_too_large() {
        let (budget, metrics) = (Budget::new(1 << 20), Metrics::new());
        let error = read(&mut parts(&["ab", "cd"]), 3, &budget, &metrics)
            .await
            .unwrap_err();
        assert_eq!(error, BodyError::TooLarge);
        assert_eq!(budget.held(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_room_but_not_for_ever() {
        let (budget, metrics) = (Budget::new(UNIT as u64), Metrics::new());
        let one = read(&mut parts(&["x"]), 10, &budget, &metrics).await.unwrap();
        let error = read(&mut parts(&["y"]), 10, &budget, &metrics).await.unwrap_err();
        assert_eq!(error, BodyError::NoRoom);
        drop(one);
        assert!(read(&mut parts(&["z"]), 10, &budget, &metrics).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn cuts_off_a_body_that_stops_and_one_that_drips() {
        let (budget, metrics) = (Budget::new(1 << 20), Metrics::new());
        let mut never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(
            read(&mut never, 10, &budget, &metrics).await.unwrap_err(),
            BodyError::Stalled
        );

        let drip = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
        });
        let error = read(&mut Body::from_stream(drip), 1000, &budget, &metrics)
            .await
            .unwrap_err();
        assert_eq!(error, BodyError::Stalled);
        assert_eq!(budget.held(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn discards_up_to_a_bound() {
        assert!(discard(parts(&["a", "b"])).await);
        let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[0; 65536])));
        assert!(!discard(Body::from_stream(endless)).await);
    }
}

//! Sends a request until it has its answer: turns, attempts, waits, and a log line for each attempt.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lumos_connector_models::{CapabilityLevel, ErrorCode, RateLimitMode};
use reqwest::StatusCode;

use super::failure;
use super::pool::REDIRECTED;
use super::request::{HttpRequest, HttpResponse};
use super::retry::{self, Failure, Retry};
use crate::error::{ConnectorError, ErrorKind};
use crate::log;
use crate::rate_limit::{Limiter, RateLimit, exhausted};

/// Texts by which apps refuse for their limits without saying 429.
const REFUSALS: [&str; 5] = [
    "rate limit exceeded",
    "too many requests",
    "quota exceeded",
    "exceeded your rate limit",
    "request limit reached",
];

/// An attempt that gave no answer.
struct Broken {
    failure: Failure,
    error: ConnectorError,
}

type Attempt = Result<HttpResponse, Broken>;

/// What applies to all attempts.
struct Exchange<'a> {
    request: &'a HttpRequest,
    client: reqwest::Client,
    limit: Option<(&'a RateLimit, Arc<Limiter>)>,
    retry: Retry,
    enforced: bool,
    /// No wait lasts until here.
    latest: Instant,
}

pub(super) async fn run(request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let exchange = Exchange::new(request)?;
    let mut count = 0;
    loop {
        let attempt = exchange.attempt().await?;
        let failure = exchange.judge(&attempt);
        let again = failure.filter(|failure| retry::may_repeat(*failure, request.repeatable));
        let Some(failure) = again else {
            return attempt.map_err(|broken| broken.error);
        };
        let wait = exchange.wait(failure, &attempt, count);
        if failure == Failure::Throttled
            && exchange.enforced
            && let Some((_, limiter)) = &exchange.limit
        {
            limiter.close(wait);
        }
        if count >= exchange.retry.times || wait > exchange.retry.longest_wait {
            return exchange.give_up(attempt, failure, wait);
        }
        if request.client.call.clock.now() + wait >= exchange.latest {
            return match exchange.limit {
                Some(_) => Err(exhausted(wait.as_secs_f64())),
                None => exchange.give_up(attempt, failure, wait),
            };
        }
        count += 1;
        log::info!(
            "{}: attempt {count} failed, the next is in {} ms",
            exchange.name(),
            wait.as_millis()
        );
        drop(attempt);
        request.client.call.clock.sleep(wait).await;
    }
}

impl<'a> Exchange<'a> {
    fn new(request: &'a HttpRequest) -> Result<Self, ConnectorError> {
        let client = &request.client;
        let call = &client.call;
        let mode = call.mode(client.limit.as_ref());
        let (enforced, retried) = match mode {
            RateLimitMode::Enforce => (true, true),
            RateLimitMode::EnforceNoRetry => (true, false),
            RateLimitMode::RetryOnly => (false, true),
            RateLimitMode::Bypass => (false, false),
        };
        let limit = client
            .limit
            .as_ref()
            .filter(|_| mode != RateLimitMode::Bypass)
            .map(|limit| (limit, call.limits.limiter(call.tenant, limit, &call.clock)));
        let asked = client.retry.or(limit.as_ref().map(|(limit, _)| limit.retry));
        Ok(Self {
            client: call.http.client(call.tenant, &client.network)?,
            limit,
            retry: asked.filter(|_| retried).unwrap_or(Retry::times(0)),
            enforced,
            latest: call.latest_wait,
            request,
        })
    }

    async fn attempt(&self) -> Result<Attempt, ConnectorError> {
        let _place = match &self.limit {
            Some((_, limiter)) => limiter.turn(self.enforced, self.latest).await?,
            None => None,
        };
        let clock = &self.request.client.call.clock;
        let timeout = self.timeout(clock.now())?;
        let began = Instant::now();
        let sending = REDIRECTED.scope(Cell::new(false), self.send(timeout));
        let attempt = sending.await;
        let took = began.elapsed().as_millis();
        match &attempt {
            Ok(answer) => {
                let (status, bytes) = (answer.status(), answer.bytes().len());
                log::debug!("{}: {status}, {bytes} bytes, {took} ms", self.name());
            }
            Err(broken) => log::warning!("{}: {}, {took} ms", self.name(), broken.error.code()),
        }
        if let (Some((limit, limiter)), Ok(answer)) = (&self.limit, &attempt)
            && let Some(seen) = (limit.read)(answer)
        {
            limiter.observe(&seen);
        }
        Ok(attempt)
    }

    /// A read need not last longer than its caller waits; a write is never cut short for that.
    fn timeout(&self, now: Instant) -> Result<Duration, ConnectorError> {
        let client = &self.request.client;
        match client.call.deadline {
            Some(deadline) if client.call.level == CapabilityLevel::Read => {
                let left = deadline.saturating_duration_since(now);
                if left.is_zero() {
                    let late = ConnectorError::of(ErrorKind::BudgetExhausted);
                    return Err(late.with_message("The caller's deadline has passed."));
                }
                Ok(left.min(client.timeout))
            }
            _ => Ok(client.timeout),
        }
    }

    async fn send(&self, timeout: Duration) -> Attempt {
        let sent = |error: &reqwest::Error| {
            let redirected = REDIRECTED.with(Cell::get);
            Broken {
                failure: failure_of(error, redirected),
                error: failure::of_transport(error),
            }
        };
        let limit = self.request.client.max_response_bytes;
        let mut answer = self
            .request
            .build(&self.client, timeout)
            .map_err(|error| Broken {
                failure: Failure::Final,
                error,
            })?
            .send()
            .await
            .map_err(|error| sent(&error))?;
        let mut response = HttpResponse {
            status: answer.status(),
            headers: std::mem::take(answer.headers_mut()),
            url: answer.url().clone(),
            body: Vec::new(),
        };
        while let Some(chunk) = answer.chunk().await.map_err(|error| sent(&error))? {
            if response.body.len() + chunk.len() > limit {
                let error = failure::too_long(&response, limit);
                return Err(Broken {
                    failure: Failure::Final,
                    error,
                });
            }
            response.body.extend_from_slice(&chunk);
        }
        Ok(response)
    }

    /// How an attempt failed, if it did.
    fn judge(&self, attempt: &Attempt) -> Option<Failure> {
        let answer = match attempt {
            Ok(answer) => answer,
            Err(broken) => return Some(broken.failure),
        };
        if answer.status.is_success() {
            return None;
        }
        let refused = self.limit.is_some() && answer.status.is_client_error() && says_refused(answer);
        if refused || answer.status == StatusCode::TOO_MANY_REQUESTS {
            return Some(Failure::Throttled);
        }
        Some(Failure::Status {
            status: answer.status(),
            asked: failure::retry_after_of(answer).is_some(),
        })
    }

    /// How long to wait before the next attempt: as the app asks, as the limit says, or ever longer.
    fn wait(&self, failure: Failure, attempt: &Attempt, count: u32) -> Duration {
        let asked = attempt.as_ref().ok().and_then(failure::retry_after_of);
        let limit = match (&self.limit, failure) {
            (Some((_, limiter)), Failure::Throttled) if self.enforced => limiter.wait_after_refusal(),
            _ => None,
        };
        asked.or(limit).unwrap_or_else(|| self.retry.back_off(count))
    }

    /// The last attempt's outcome, with the seconds to wait where the app gave none.
    fn give_up(
        &self,
        attempt: Attempt,
        failure: Failure,
        wait: Duration,
    ) -> Result<HttpResponse, ConnectorError> {
        match attempt {
            Ok(answer) if self.request.accept_any_status => Ok(answer),
            Ok(answer) => {
                let error = answer.into_error();
                let told = error.metadata().retry_after_seconds.is_some();
                let limited = failure == Failure::Throttled && self.limit.is_some();
                let error = match limited && error.code() != &ErrorCode::RateLimit {
                    true => error.into_rate_limit(),
                    false => error,
                };
                let seconds = i64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(i64::MAX);
                Err(if told || !limited {
                    error
                } else {
                    error.with_retry_after(seconds)
                })
            }
            Err(broken) => Err(broken.error),
        }
    }

    /// What the log says of the request: no query, no user.
    fn name(&self) -> String {
        format!(
            "{} {}",
            self.request.method,
            failure::without_query(&self.request.url)
        )
    }
}

fn failure_of(error: &reqwest::Error, redirected: bool) -> Failure {
    if error.is_connect() && !redirected && !failure::is_refused_by_proxy(error) {
        Failure::Unsent
    } else if error.is_redirect() || error.is_builder() || failure::is_refused_by_proxy(error) {
        Failure::Final
    } else {
        Failure::Unknown
    }
}

fn says_refused(answer: &HttpResponse) -> bool {
    let text = answer.text().to_ascii_lowercase();
    REFUSALS.iter().any(|refusal| text.contains(refusal))
}

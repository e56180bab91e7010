//! Constant load on one connector, and what became of every call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::agent::Agent;

/// One call.
pub(crate) struct Sample {
    pub(crate) began: Instant,
    pub(crate) took: Duration,
    /// The status code and the answer; an error of the connection is 0.
    pub(crate) status: u16,
    pub(crate) answer: Value,
}

/// Callers that call one after the other until they are stopped.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    callers: Vec<JoinHandle<Vec<Sample>>>,
}

impl Load {
    /// Starts `callers`, each with a connection of its own. `body` makes the request of a caller's n-th call.
    pub(crate) fn start(
        agent: &Agent,
        token: &str,
        path: &str,
        callers: usize,
        body: impl Fn(usize, usize) -> Value + Send + Sync + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let body = Arc::new(body);
        let one = |caller: usize| {
            let (stop, body) = (Arc::clone(&stop), Arc::clone(&body));
            let (client, token) = (agent.client(), token.to_owned());
            let url = format!("{}/{path}", agent.base_url);
            tokio::spawn(async move {
                let mut samples = Vec::new();
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let began = Instant::now();
                    let request = client.post(&url).bearer_auth(&token).json(&body(caller, n));
                    let (status, answer) = outcome(request).await;
                    let took = began.elapsed();
                    if status != 200 {
                        // Who is refused comes again a little later, or the refusals would be all the load.
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    samples.push(Sample {
                        began,
                        took,
                        status,
                        answer,
                    });
                }
                samples
            })
        };
        let callers = (0..callers).map(one).collect();
        Load { stop, callers }
    }

    /// Lets the last calls end; the samples of each caller in order.
    pub(crate) async fn stop(self) -> Vec<Vec<Sample>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for caller in self.callers {
            all.push(caller.await.unwrap());
        }
        all
    }
}

async fn outcome(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return (0, json!(format!("{error:?}"))),
    };
    let status = response.status().as_u16();
    match response.json().await {
        Ok(answer) => (status, answer),
        Err(error) => (0, json!(format!("{error:?}"))),
    }
}

/// The 99th percentile of calls that began in the given span, and how many there were.
pub(crate) fn p99<'a>(
    samples: impl Iterator<Item = &'a Sample>,
    from: Instant,
    until: Instant,
) -> (Duration, usize) {
    let mut took: Vec<Duration> = samples
        .filter(|sample| (from..until).contains(&sample.began))
        .map(|sample| sample.took)
        .collect();
    took.sort_unstable();
    let at = (took.len() * 99 / 100).min(took.len().saturating_sub(1));
    (took.get(at).copied().unwrap_or_default(), took.len())
}

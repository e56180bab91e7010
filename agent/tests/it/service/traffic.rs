//! Constant load by clients of every kind, and whatever became of a call but its answer.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

/// Whom to call, and how.
#[derive(Clone)]
pub(super) struct Target {
    /// `https://HOST:PORT/connectors`
    pub(super) base_url: String,
    pub(super) token: String,
    /// The authority to trust, in PEM.
    pub(super) ca: Vec<u8>,
}

/// How a client connects.
#[derive(Clone, Copy, PartialEq)]
enum Client {
    /// A connection for each call.
    New,
    /// HTTP/1.1, kept.
    Kept,
    /// HTTP/2, kept.
    Streams,
}

/// Callers on a thread of their own until they are stopped.
pub(super) struct Traffic {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    thread: JoinHandle<Vec<String>>,
}

impl Traffic {
    /// Starts; with `network`, from within that network namespace.
    pub(super) fn start(target: Target, network: Option<File>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let (told, count) = (stop.clone(), answered.clone());
        let thread = std::thread::spawn(move || {
            if let Some(network) = network {
                let kind = Some(rustix::thread::LinkNameSpaceType::Network);
                rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&network), kind).unwrap();
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(all(target, told, count))
        });
        Traffic {
            stop,
            answered,
            thread,
        }
    }

    /// Calls that were answered so far.
    pub(super) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Waits until so many more have been.
    #[track_caller]
    pub(super) fn goes_on(&self, more: usize) {
        let wanted = self.answered() + more;
        let begun = std::time::Instant::now();
        while self.answered() < wanted {
            assert!(!self.thread.is_finished(), "a caller failed");
            assert!(begun.elapsed() < Duration::from_secs(90), "no answers any more");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What went wrong.
    pub(super) fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

async fn all(target: Target, stop: Arc<AtomicBool>, answered: Arc<AtomicUsize>) -> Vec<String> {
    let kinds = [
        Client::New,
        Client::New,
        Client::New,
        Client::Kept,
        Client::Kept,
        Client::Streams,
    ];
    let callers = kinds
        .into_iter()
        .enumerate()
        .map(|(number, kind)| caller(target.clone(), kind, number, stop.clone(), answered.clone()));
    let failures = futures_util::future::join_all(callers).await;
    failures.into_iter().flatten().collect()
}

async fn caller(
    target: Target,
    kind: Client,
    number: usize,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
) -> Vec<String> {
    let client = client(&target.ca, kind);
    let mut failures = Vec::new();
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        // Writes, some of them long: nobody may send those again. On HTTP/2 too, where a client could.
        let ms = if n % 10 == 0 {
            300 + number * 40
        } else {
            5 + number
        };
        let url = format!("{}/scenario/create_account", target.base_url);
        let request = client.post(url).bearer_auth(&target.token);
        match outcome(request.json(&json!({"request": {"ms": ms}}))).await {
            Ok(()) => {
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(failure) => failures.push(format!("caller {number}, call {n}: {failure}")),
        }
    }
    failures
}

fn client(ca: &[u8], kind: Client) -> reqwest::Client {
    let builder = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(ca).unwrap()])
        .no_proxy()
        .timeout(Duration::from_secs(90));
    let builder = match kind {
        Client::New => builder.pool_max_idle_per_host(0).http1_only(),
        Client::Kept => builder.http1_only(),
        Client::Streams => builder,
    };
    builder.build().unwrap()
}

async fn outcome(request: reqwest::RequestBuilder) -> Result<(), String> {
    let response = request.send().await.map_err(|error| format!("{error:?}"))?;
    let status = response.status();
    let answer: Value = response.json().await.map_err(|error| format!("{error:?}"))?;
    if status.is_success() && answer["is_error"] != true {
        return Ok(());
    }
    Err(format!("{status}: {answer}"))
}

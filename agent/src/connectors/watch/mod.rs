//! Watches the connectors directory and tells which files have settled, changed or gone.
//!
//! ```text
//!   hint (inotify …) ─┐
//!   rescan interval ──┼─► list ─► settle ─► Report
//!   a look is due ────┘
//! ```
//! Truth comes from listings alone; see [`settle`] for the rules and [`notify`] for the hints.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::config::Config;

mod names;
mod notify;
mod scan;
mod settle;

pub(super) use names::{Name, classify, stem};
pub(super) use settle::Change;

use self::notify::Hints;
use settle::Settle;

/// Hints that come closer together than this make one look.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// How often the directory is listed where no hints can be had.
const POLL: Duration = Duration::from_secs(2);

/// What a look found.
#[derive(Debug)]
pub(super) enum Report {
    /// The listing was complete.
    Looked(Vec<Change>),
    /// It failed: nothing is known.
    Failed(String),
}

/// What is asked of the watch.
#[derive(Debug)]
pub(super) enum Ask {
    /// Look now, and answer when the report has been sent.
    Rescan(oneshot::Sender<()>),
    /// Report these files again at the next look.
    Forget(Vec<String>),
}

/// How to watch.
#[derive(Debug)]
pub(super) struct WatchOptions {
    pub(super) directory: PathBuf,
    /// For the interval between listings; whoever changes that asks for a look, from which the new one counts.
    pub(super) config: watch::Receiver<Arc<Config>>,
    /// Files that an earlier agent knew.
    pub(super) expected: Vec<String>,
    /// Whether to use events at all; without them only the interval counts.
    pub(super) hints: bool,
}

/// Watches until `stop` fires. Reports go to `reports`, which may be slow.
pub(super) async fn run(
    mut options: WatchOptions,
    reports: mpsc::Sender<Report>,
    mut asks: mpsc::Receiver<Ask>,
    stop: CancellationToken,
) {
    let mut hints = Hints::new(&options.directory, options.hints);
    let mut settle = Settle::new(std::mem::take(&mut options.expected));
    let mut waiting: Vec<oneshot::Sender<()>> = Vec::new();
    loop {
        // A dead network mount may hold up a look for ever; that must not hold up the end.
        let looked = tokio::select! {
            () = stop.cancelled() => return,
            looked = look(&options.directory, hints, &mut settle) => looked,
        };
        let report;
        (hints, report) = looked;
        let interval = options.config.borrow().connectors.rescan_interval;
        let pause = if hints.working() || !options.hints {
            interval
        } else {
            interval.min(POLL)
        };
        // After a failure nothing is due: what a look would find is not known any better at once.
        let wait = if matches!(report, Report::Failed(_)) {
            POLL.min(pause)
        } else {
            DEBOUNCE
        };
        let earliest = Instant::now() + wait;
        if reports.send(report).await.is_err() {
            return;
        }
        for asker in waiting.drain(..) {
            let _ = asker.send(());
        }
        let rescan = (Instant::now() + pause).max(earliest);
        loop {
            let due = settle
                .next_look()
                .map_or(rescan, |due| due.max(earliest).min(rescan));
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep_until(due) => break,
                () = hints.next() => {
                    sleep_until(earliest).await;
                    break;
                }
                ask = asks.recv() => match ask {
                    Some(Ask::Rescan(asker)) => {
                        waiting.push(asker);
                        break;
                    }
                    Some(Ask::Forget(names)) => names.iter().for_each(|name| settle.forget(name)),
                    None => return,
                },
            }
        }
    }
}

async fn look(directory: &Path, mut hints: Hints, settle: &mut Settle) -> (Hints, Report) {
    let path = directory.to_owned();
    let looking = tokio::task::spawn_blocking(move || {
        hints.renew();
        (hints, scan::scan(&path))
    });
    let (hints, listed) = looking.await.expect("looking does not panic");
    let report = match listed {
        Ok(listing) => Report::Looked(settle.observe(&listing, Instant::now())),
        Err(error) => Report::Failed(format!(
            "the connectors directory {} cannot be listed: {error}; what was loaded from it goes on serving",
            directory.display()
        )),
    };
    (hints, report)
}

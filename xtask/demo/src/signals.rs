//! Being told to stop: ctrl-c, and SIGTERM where there is such a thing.

use anyhow::Context;

/// From the call on neither ends this process any more; the future resolves at the first of them.
#[cfg(unix)]
pub(crate) fn stop() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for ctrl-c")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// From the call on ctrl-c does not end this process any more; the future resolves at the first.
#[cfg(not(unix))]
pub(crate) fn stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c().context("cannot watch for ctrl-c")?;
    Ok(async move {
        interrupt.recv().await;
    })
}

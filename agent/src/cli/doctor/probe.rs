//! Looking without being held up: a file server that is gone must not hang `doctor` too.

#[cfg(unix)]
use std::io::Read as _;
#[cfg(unix)]
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;
#[cfg(unix)]
use std::time::Instant;

use tokio::sync::oneshot;

use super::finding::{Area, Check, Findings};

/// What one group of checks may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// What a program that is asked may take.
#[cfg(unix)]
const PROGRAM: Duration = Duration::from_secs(3);

/// Runs `look` on a thread of its own. One that does not come back is left behind; the process ends without it.
pub(super) async fn within<T: Send + 'static>(
    look: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Duration> {
    let (answer, outcome) = oneshot::channel();
    let thread = thread::Builder::new().name("probe".into()).spawn(move || {
        let _ = answer.send(look());
    });
    if thread.is_err() {
        return Err(Duration::ZERO);
    }
    match tokio::time::timeout(PATIENCE, outcome).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(_)) | Err(_) => Err(PATIENCE),
    }
}

/// The findings of `look`, or one that says that it came to none.
pub(super) async fn findings(area: Area, look: impl FnOnce(&mut Findings) + Send + 'static) -> Findings {
    let run = move || {
        let mut found = Findings::default();
        look(&mut found);
        found
    };
    within(run).await.unwrap_or_else(|patience| {
        let mut found = Findings::default();
        found.warning(
            Check::NotExamined,
            format!(
                "{} could not be examined within {} s",
                area.word(),
                patience.as_secs()
            ),
            "see whether a disk or a network file system does not answer",
        );
        found
    })
}

/// What `command` prints, up to `most` bytes; `None` if it cannot be run, fails, or takes too long. Blocks.
#[cfg(unix)]
pub(crate) fn output_of(command: &mut Command, most: u64) -> Option<String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let pipe = child.stdout.take()?;
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.take(most).read_to_end(&mut bytes);
        bytes
    });
    let deadline = Instant::now() + PROGRAM;
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status.success(),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                break false;
            }
        }
    };
    let bytes = reader.join().ok()?;
    let whole = ended || bytes.len() as u64 == most;
    whole.then(|| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_hangs_is_told_and_left_behind() {
        let (_held, never) = std::sync::mpsc::channel::<()>();
        let found = findings(Area::Disk, move |_| {
            let _ = never.recv();
        })
        .await;
        assert_eq!(
            found.told(),
            "Warning not_examined: disk could not be examined within 5 s\n    see whether a disk or a network file system does not answer"
        );
    }

    #[test]
    fn programs_are_asked_and_ended() {
        assert_eq!(
            output_of(Command::new("echo").arg("hello"), 100).as_deref(),
            Some("hello\n")
        );
        assert_eq!(output_of(&mut Command::new("false"), 100), None);
        assert_eq!(output_of(&mut Command::new("/nonexistent"), 100), None);
        let begun = Instant::now();
        assert_eq!(output_of(Command::new("sleep").arg("600"), 100), None);
        assert!(begun.elapsed() < Duration::from_secs(300));
    }
}

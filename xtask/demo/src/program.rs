//! A program that was started and ends again.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::{Child, ChildStdout, Command};

/// How long a program may take to end when asked to.
const GRACE: Duration = Duration::from_secs(15);

/// A running program. Killed if it is dropped without having been [ended](Program::end).
#[derive(Debug)]
pub struct Program(Child);

impl Program {
    /// Starts it.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        command.kill_on_drop(true).spawn().map(Self)
    }

    /// What it prints, once, if it was started with a pipe for that.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.0.stdout.take()
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.0.id()
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// If the system cannot tell.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.0.wait().await
    }

    /// Asks it to end and waits; kills it if it does not.
    pub async fn end(mut self) {
        drop(self.0.stdin.take());
        self.ask_to_end();
        if tokio::time::timeout(GRACE, self.0.wait()).await.is_err() {
            // Only fails if it has ended meanwhile.
            let _ = self.0.kill().await;
        }
    }

    #[cfg(unix)]
    fn ask_to_end(&mut self) {
        use rustix::process::{Pid, Signal, kill_process};
        let id = self
            .0
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(id) = id {
            // Only fails if it has ended meanwhile.
            let _ = kill_process(id, Signal::TERM);
        }
    }

    #[cfg(not(unix))]
    fn ask_to_end(&mut self) {
        // A console program cannot be asked from outside of its console.
        let _ = self.0.start_kill();
    }
}

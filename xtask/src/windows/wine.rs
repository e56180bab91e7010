//! A Windows of our own: a Wine prefix that lives as long as a check. Every wait in it is bounded, so that a program that
//! hangs fails the check and not the machine.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::need::MINGW_CC;
use crate::run::{run, say};

/// How long a command may take before something is wrong. Starting Wine itself takes longest.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Rust's standard library imports one function that Wine 8 does not have. A fixture; never shipped.
const RANDOM: &str = "\
#include <stddef.h>
unsigned char __stdcall SystemFunction036(void *to, unsigned long length);
__declspec(dllexport) int __stdcall ProcessPrng(unsigned char *to, size_t length)
{
    return SystemFunction036(to, (unsigned long)length);
}
";

/// A prefix with its server, which ends with it.
#[derive(Debug)]
pub(crate) struct Wine {
    directory: tempfile::TempDir,
}

/// How a command ended, and what it printed.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A program that goes on; ended when dropped.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Wine {
    /// Makes the prefix, and starts its server.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("lumos-wine-").tempdir()?;
        let wine = Wine { directory };
        let prefix = wine.directory.path().join("prefix");
        std::fs::create_dir(&prefix)?;
        wine.keep_alive()?;
        wine.run(&["wineboot", "--init"])?;
        wine.add_random()?;
        let version = Command::new("wine")
            .arg("--version")
            .output()
            .context("cannot run wine")?;
        say(&format!("   {}", String::from_utf8_lossy(&version.stdout).trim()));
        Ok(wine)
    }

    /// A file of drive C.
    pub(crate) fn drive(&self, path: &str) -> PathBuf {
        self.directory.path().join("prefix/drive_c").join(path)
    }

    /// A directory for files of the check itself.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `wine` with these arguments, and without anything of this machine's environment that an agent would heed.
    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = self.tool("wine");
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs a command that must succeed.
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> anyhow::Result<Outcome> {
        let outcome = self.outcome(self.command(arguments))?;
        ensure!(
            outcome.status.success(),
            "{}: {}\n{}{}",
            line(arguments),
            outcome.status,
            outcome.stdout,
            outcome.stderr
        );
        Ok(outcome)
    }

    /// Runs a command to its end.
    pub(crate) fn outcome(&self, mut command: Command) -> anyhow::Result<Outcome> {
        // Files rather than pipes: what a command leaves running would hold pipes open.
        let mut out = tempfile::tempfile_in(self.directory.path())?;
        let mut err = tempfile::tempfile_in(self.directory.path())?;
        command.stdout(out.try_clone()?).stderr(err.try_clone()?);
        let mut child = Running(command.spawn().context("cannot run wine")?);
        let status = child
            .ended_within(PATIENCE)
            .with_context(|| format!("{command:?}"))?;
        Ok(Outcome {
            status,
            stdout: text(&mut out)?,
            stderr: text(&mut err)?,
        })
    }

    /// Starts a command whose output goes to `log`.
    pub(crate) fn start(&self, mut command: Command, log: &Path) -> anyhow::Result<Running> {
        let log = File::options().create(true).append(true).open(log)?;
        command.stdout(log.try_clone()?).stderr(log);
        Ok(Running(command.spawn().context("cannot run wine")?))
    }

    /// Ends everything in the prefix, as a machine that goes down does; the next command starts it anew.
    pub(crate) fn restart(&self) -> anyhow::Result<()> {
        self.end();
        self.keep_alive()?;
        self.run(&["wineboot"])?;
        Ok(())
    }

    /// Without this services would end with the last command.
    fn keep_alive(&self) -> anyhow::Result<()> {
        let status = self
            .tool("wineserver")
            .arg("--persistent")
            .stdin(Stdio::null())
            .status();
        ensure!(
            status.context("cannot run wineserver")?.success(),
            "wineserver does not start"
        );
        Ok(())
    }

    fn end(&self) {
        let mut kill = self.tool("wineserver");
        kill.arg("-k")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let _ = kill.status();
        let mut wait = self.tool("wineserver");
        wait.arg("-w")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Ok(child) = wait.spawn() {
            let _ = Running(child).ended_within(Duration::from_secs(20));
        }
    }

    fn add_random(&self) -> anyhow::Result<()> {
        let library = self.drive("windows/system32/bcryptprimitives.dll");
        if library.exists() {
            return Ok(());
        }
        let source = self.scratch("random.c");
        std::fs::write(&source, RANDOM)?;
        let mut cc = Command::new(MINGW_CC);
        cc.args(["-shared", "-O2", "-o"])
            .arg(&library)
            .arg(&source)
            .arg("-ladvapi32");
        run(&mut cc)
    }

    fn tool(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear();
        for name in ["PATH", "HOME", "LANG"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("WINEPREFIX", self.directory.path().join("prefix"))
            .env("WINEDEBUG", "-all")
            // Neither asks for Mono and Gecko, nor puts anything into a menu, nor debugs what crashes, which takes seconds.
            .env(
                "WINEDLLOVERRIDES",
                "mscoree,mshtml,winemenubuilder.exe,winedbg.exe=d",
            );
        command
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        self.end();
    }
}

impl Running {
    /// Its process on this machine.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Waits for its end.
    pub(crate) fn ended_within(&mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        let mut ended = None;
        eventually("the end of the program", patience, || {
            ended = self.0.try_wait()?;
            Ok(ended.is_some())
        })?;
        ended.context("it has not ended")
    }

    /// Ends it without warning.
    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Looks again and again, for so long at most.
pub(crate) fn eventually(
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        if look()? {
            return Ok(());
        }
        if begun.elapsed() > patience {
            bail!("waited {} s for {what}", patience.as_secs());
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

fn text(file: &mut File) -> anyhow::Result<String> {
    use std::io::Seek as _;
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn line<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> String {
    let words: Vec<_> = arguments
        .iter()
        .map(|word| word.as_ref().to_string_lossy())
        .collect();
    words.join(" ")
}

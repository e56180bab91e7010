//! Running programs so that a reader of the log sees what was run, how long it took and what failed.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};

/// Runs one step of a task under a heading, and says how long it took.
pub(crate) fn step(heading: &str, action: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    say(&format!(
        "\n── {heading} {}",
        "─".repeat(76_usize.saturating_sub(heading.chars().count()))
    ));
    let start = Instant::now();
    action().with_context(|| format!("failed: {heading}"))?;
    say(&format!(
        "   {heading}: ok, {:.1} s",
        start.elapsed().as_secs_f32()
    ));
    Ok(())
}

/// A line of the task's own, in order with the output of the programs that it runs.
pub(crate) fn say(line: &str) {
    println!("{line}");
    // Output that cannot be written is nobody's to read.
    let _ = std::io::stdout().flush();
}

/// Shows the command line and runs it; its output is shown as it comes.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let line = line_of(command);
    say(&format!("   $ {line}"));
    let status = command.status().with_context(|| format!("cannot run: {line}"))?;
    if status.success() {
        return Ok(());
    }
    bail!("{line}: {status}")
}

/// Runs the command without showing anything. Whether it succeeded; false too if it cannot be run.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(short).collect::<Vec<_>>().join(" ")
}

/// A program by its name, without where it is.
fn short(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    match word.rsplit_once('/') {
        Some((directory, name)) if directory.ends_with("/bin") => name.to_owned(),
        _ => word.into_owned(),
    }
}

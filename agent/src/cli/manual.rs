//! What packages carry besides the program, made from the same definitions: completions for shells, and manual pages.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::args::Cli;
use super::exit::{Exit, Failure};
use super::output;
use crate::config::manual;

/// `completions`.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// `manual`.
#[derive(Debug, Args)]
pub(super) struct ManualArgs {
    /// Where to write the pages; must exist
    directory: PathBuf,
}

/// Prints the script for a shell.
pub(super) fn completions(args: CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "lumos-agent", &mut script);
    output::bytes(script.trim_ascii_end())?;
    Ok(Exit::Ok)
}

/// Writes a page for each command, and agent.toml(5).
pub(super) fn write(args: &ManualArgs) -> Result<Exit, Failure> {
    let directory: &Path = &args.directory;
    let failed = |error: std::io::Error| Failure::file("write into", directory, &error);
    clap_mangen::generate_to(Cli::command(), directory).map_err(failed)?;
    std::fs::write(directory.join("agent.toml.5"), manual::page()).map_err(failed)?;
    Ok(Exit::Ok)
}

//! Standard output is for results, JSON wherever a program may read it; standard error is for messages.

use std::io::{self, IsTerminal as _, Write as _};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::exit::{Exit, Failure};
use crate::telemetry::plain;

/// `--output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For programs
    Json,
    /// For people
    Table,
}

/// Commands whose result can be read by people or by programs.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct OutputArgs {
    /// How to print the result [default: table on a terminal, json otherwise]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(super) output: Option<Format>,
}

impl OutputArgs {
    /// The format asked for, or the one that fits where the output goes.
    #[must_use]
    pub(super) fn format(self) -> Format {
        let fits = if io::stdout().is_terminal() {
            Format::Table
        } else {
            Format::Json
        };
        self.output.unwrap_or(fits)
    }

    /// Prints `value` as JSON, or what `table` makes of it.
    ///
    /// # Errors
    /// If standard output can't be written.
    pub(super) fn print<T: Serialize>(
        self,
        value: &T,
        table: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        match self.format() {
            Format::Json => json(value),
            Format::Table => text(&table(value)),
        }
    }
}

/// Prints `value` as indented JSON.
///
/// # Errors
/// If standard output can't be written.
pub(super) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("can't print the result: {error}"),
            "report this",
        )
    })?;
    // In JSON, a terminal must not obey what a connector wrote either; escaped, it is the same JSON.
    let lines: Vec<_> = text.lines().map(plain::json).collect();
    self::text(&lines.join("\n"))
}

/// Prints a text and a line's end.
///
/// # Errors
/// If standard output can't be written.
pub(super) fn text(text: &str) -> Result<(), Failure> {
    bytes(text.trim_end_matches('\n').as_bytes())
}

/// Prints bytes and a line's end.
///
/// # Errors
/// If standard output can't be written. A reader that went away (`| head`) is no error.
pub(super) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out
        .write_all(bytes)
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
            Exit::Failed,
            format!("can't write the result: {error}"),
            "check where standard output goes",
        )),
        _ => Ok(()),
    }
}

/// Writes a message to standard error; there is nowhere to tell if that fails.
pub(super) fn note(message: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{message}");
}

/// Rows with aligned columns below their headings.
#[must_use]
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(headings[column].len())
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: Vec<String>| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(headings.iter().map(|text| (*text).to_owned()).collect())];
    lines.extend(
        rows.iter()
            .map(|row| line(row.iter().map(|cell| printable(cell)).collect())),
    );
    lines.join("\n")
}

/// A moment that came as text, to the second; what is none is left as it is.
#[must_use]
pub(super) fn moment(text: &str) -> String {
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Err(_) => printable(text),
    }
}

/// A terminal must not obey what a connector wrote.
#[must_use]
pub(super) fn printable(text: &str) -> String {
    plain::text(text).into_owned()
}

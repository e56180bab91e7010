//! Do our models and those of the reference SDK (connector-py) agree?
//!
//! ```text
//!  types        every type of ours: how to read and write it, and its schema
//!  schemas      field by field against the schemas of the reference
//!  documents    what the reference reads, refuses and writes, against what we do; and the other way round
//!  requests     the same requests sent to a connector that has every capability
//!  properties   what we write we read again, and no document makes us panic   (needs no reference)
//!  differences  where we mean to differ, and why
//! ```
//!
//! Nothing of the reference is kept here: it is asked, through `tests/reference/models.py`, in a virtual environment of its
//! own. `cargo xtask test` makes that and runs these tests; otherwise they are ignored. `LUMOS_TEST_REFERENCE` names another
//! virtual environment.

mod differences;
mod documents;
mod generate;
mod properties;
mod requests;
mod schemas;
mod types;

use std::io::Write;
use std::process::{Command, Stdio};

use crate::comparison;

/// Asks the reference, and gives its answer's lines.
fn ask(question: &str, input: String) -> Vec<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/models.py");
    let python = comparison::python();
    let mut child = Command::new(&python)
        .args([script, question])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask test` makes it", python.display()));
    let mut stdin = child.stdin.take().unwrap();
    // The reference answers while it is still being asked, so the two need a thread each.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script} {question} failed");
    writer.join().unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Fails with a readable list.
fn fail_unless_empty(heading: &str, lines: &[String]) {
    const SHOWN: usize = 60;
    let more = lines.len().saturating_sub(SHOWN);
    let shown = lines.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n  ");
    assert!(
        lines.is_empty(),
        "{heading}:\n  {shown}\n  {}",
        if more > 0 {
            format!("… and {more} more")
        } else {
            String::new()
        }
    );
}

//! The way that the agent replaces: a process for every call.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use demo::installation::{Installation, run};

use crate::answers::SHORT;
use crate::load::BODY;
use crate::table::{count, median};

/// Calls `connector` so many times with `call --file`, and compares with `resident` calls a second.
pub(crate) async fn measure(
    installation: &Installation,
    connector: &Path,
    times: usize,
    resident: f64,
) -> anyhow::Result<()> {
    let connector = connector.to_str().context("the connector's path is not text")?;
    let mut took = Vec::new();
    for _ in 0..times {
        let arguments = ["call", "--file", connector, SHORT, "--json", BODY];
        let begun = Instant::now();
        run(&mut installation.command(&arguments)).await?;
        took.push(begun.elapsed().as_secs_f64());
    }
    let each = median(took);
    println!(
        "\nThe same connector in a new process for every call takes {:.1} ms a call; the resident one, called one at a \
         time,\ngives {} times as many calls a second.",
        each * 1e3,
        count(resident * each)
    );
    Ok(())
}

//! The answers that all servers of a run give, byte for byte, and the connectors in C that carry them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use demo::installation::{Installation, run};
use tokio::process::Command;

use crate::load::BODY;

/// Answers with about 200 bytes.
pub(crate) const SHORT: &str = "validate_credentials";
/// Answers with about 500 KB.
pub(crate) const LONG: &str = "list_accounts";
pub(crate) const CAPABILITIES: [&str; 2] = [SHORT, LONG];

/// Where in `directory` the answer to `capability` is.
pub(crate) fn file_of(directory: &Path, capability: &str) -> PathBuf {
    directory.join(format!("{capability}.json"))
}

/// Asks the Rust connector, in a process of its own, and writes its answers to `directory`.
pub(crate) async fn record(
    installation: &Installation,
    connector: &Path,
    directory: &Path,
) -> anyhow::Result<()> {
    let connector = connector.to_str().context("the connector's path is not text")?;
    for capability in CAPABILITIES {
        let arguments = ["call", "--file", connector, capability, "--json", BODY];
        let printed = run(&mut installation.command(&arguments)).await?;
        fs::write(file_of(directory, capability), printed.trim_ascii_end())
            .context("cannot write an answer")?;
    }
    Ok(())
}

/// Compiles the connector in C under the name `app_id`. The long answer is left out where it is not needed.
pub(crate) async fn connector(
    source: &Path,
    include: &Path,
    answers: &Path,
    app_id: &str,
    long: bool,
) -> anyhow::Result<PathBuf> {
    let library = answers.join(format!("{app_id}.so"));
    let embedded = |capability| format!("\"{}\"", file_of(answers, capability).display());
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-o"]);
    cc.arg(&library).arg("-I").arg(include).arg(source);
    cc.arg(format!("-DAPP_ID=\"{app_id}\""));
    cc.arg(format!("-DSHORT_ANSWER={}", embedded(SHORT)));
    cc.arg(format!(
        "-DLONG_ANSWER={}",
        embedded(if long { LONG } else { SHORT })
    ));
    run(&mut cc).await?;
    Ok(library)
}

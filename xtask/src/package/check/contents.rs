//! What the packages hold, as tools see it: lintian, the manual's formatter, the shells, cargo.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::super::components::linked_names;
use super::super::{Packages, stage};
use crate::run::{run, say};
use crate::workspace::Workspace;

pub(super) fn check(workspace: &Workspace, packages: &Packages) -> anyhow::Result<()> {
    same_files(packages)?;
    let stage = stage::directory(workspace);
    pages(&stage.join("man"))?;
    completions(&stage.join("completions"))?;
    components(workspace, &stage.join("doc/sbom.cdx.json"))?;
    lintian(&packages.deb)
}

/// Both come from one list, and hold the same.
fn same_files(packages: &Packages) -> anyhow::Result<()> {
    let listed = |command: &mut Command| -> anyhow::Result<String> {
        let output = command.output()?;
        ensure!(output.status.success(), "{command:?}: {}", output.status);
        Ok(String::from_utf8(output.stdout)?)
    };
    let deb = listed(Command::new("dpkg-deb").arg("--contents").arg(&packages.deb))?;
    let deb: BTreeSet<&str> = deb
        .lines()
        .filter(|line| !line.starts_with('d'))
        .filter_map(|line| line.split_whitespace().nth(5))
        .map(|path| path.trim_start_matches('.'))
        .collect();
    let rpm = listed(
        Command::new("rpm")
            .args(["--query", "--list", "--package"])
            .arg(&packages.rpm),
    )?;
    let rpm: BTreeSet<&str> = rpm.lines().collect();
    let difference: Vec<_> = deb.symmetric_difference(&rpm).collect();
    ensure!(difference.is_empty(), "in one package only: {difference:?}");
    ensure!(
        deb.contains("/usr/bin/lumos-agent"),
        "the packages lack the agent"
    );
    say(&format!("   {} files in each", deb.len()));
    Ok(())
}

/// The formatter has nothing to complain of.
fn pages(directory: &Path) -> anyhow::Result<()> {
    let mut pages = 0;
    for page in fs::read_dir(directory)? {
        let page = page?.path();
        let mut man = Command::new("man");
        man.args([
            "--warnings",
            "--encoding=UTF-8",
            "--troff-device=utf8",
            "--ditroff",
            "--local-file",
        ]);
        let output = man
            .arg(&page)
            .env("LC_ALL", "C.UTF-8")
            .env("MANWIDTH", "80")
            .output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success() && told.is_empty(),
            "{}: {told}",
            page.display()
        );
        pages += 1;
    }
    ensure!(pages > 20, "only {pages} pages");
    say(&format!("   {pages} pages of the manual"));
    Ok(())
}

/// Each shell can read its own.
fn completions(directory: &Path) -> anyhow::Result<()> {
    for (shell, option, file) in [
        ("bash", "-n", "lumos-agent"),
        ("zsh", "-n", "_lumos-agent"),
        ("fish", "--no-execute", "lumos-agent.fish"),
    ] {
        let path = directory.join(file);
        ensure!(
            fs::read_to_string(&path)?.contains("connector"),
            "{file} knows no connector"
        );
        run(Command::new(shell).arg(option).arg(path))?;
    }
    // What somebody types who wants to see the connectors.
    let script = format!(
        "source {}; COMP_WORDS=(lumos-agent connector li); COMP_CWORD=2; complete=$(complete -p lumos-agent); complete=${{complete#*-F }}; ${{complete%% *}} lumos-agent li connector; echo \"${{COMPREPLY[@]}}\"",
        directory.join("lumos-agent").display()
    );
    let output = Command::new("bash").args(["-c", &script]).output()?;
    let offered = String::from_utf8_lossy(&output.stdout);
    ensure!(
        offered.trim() == "list",
        "bash completes `connector li` to {offered:?}"
    );
    Ok(())
}

/// The list names all that cargo links, and nothing else.
fn components(workspace: &Workspace, file: &Path) -> anyhow::Result<()> {
    let sbom: Value = serde_json::from_str(&fs::read_to_string(file)?).context("the SBOM is not JSON")?;
    ensure!(sbom["bomFormat"] == "CycloneDX", "the SBOM is none");
    let entries = sbom["components"]
        .as_array()
        .context("the SBOM has no components")?;
    let named: BTreeSet<String> = entries
        .iter()
        .filter_map(|entry| {
            Some(format!(
                "{}@{}",
                entry["name"].as_str()?,
                entry["version"].as_str()?
            ))
        })
        .collect();
    let linked = linked_names(workspace)?;
    ensure!(linked.len() > 100, "cargo names only {} crates", linked.len());
    let difference: Vec<_> = named.symmetric_difference(&linked).collect();
    ensure!(
        difference.is_empty(),
        "the SBOM and cargo differ in {difference:?}"
    );
    say(&format!("   {} components in the SBOM", named.len()));
    Ok(())
}

/// No error; warnings are shown.
fn lintian(deb: &Path) -> anyhow::Result<()> {
    run(Command::new("lintian")
        .args(["--allow-root", "--fail-on", "error", "--tag-display-limit", "0"])
        .arg(deb))
}

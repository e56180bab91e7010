//! The archives themselves, by the usual tools, from one list of files: `[package.metadata.deb]` of the agent's manifest.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

use crate::need;
use crate::run::run;
use crate::workspace::Workspace;

const CARGO_DEB: (&str, &str) = ("cargo-deb", "3.8.0");
const CARGO_GENERATE_RPM: (&str, &str) = ("cargo-generate-rpm", "0.21.1");

/// Installs the tools if they are missing.
pub(super) fn tools(workspace: &Workspace) -> anyhow::Result<()> {
    need::package_tools()?;
    need::cargo_tool(workspace, CARGO_DEB)?;
    need::cargo_tool(workspace, CARGO_GENERATE_RPM)
}

/// Makes the `.deb` of what is staged.
pub(super) fn deb(workspace: &Workspace, version: &str, directory: &Path) -> anyhow::Result<PathBuf> {
    let file = directory.join(format!("lumos-agent_{version}-1_{}.deb", architecture().0));
    let mut deb = workspace.command(need::cargo_tool_path(workspace, CARGO_DEB.0));
    deb.args(["deb", "--quiet", "--package", "lumos-agent", "--locked"])
        // Built and stripped already, the same for all packages.
        .args([
            "--no-build",
            "--no-strip",
            "--no-dbgsym",
            "--no-separate-debug-symbols",
        ])
        .args([
            "--compress-system",
            "--deb-version",
            &format!("{version}-1"),
            "--output",
        ])
        .arg(&file);
    run(&mut deb)?;
    Ok(file)
}

/// How what is inside an `.rpm` is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payload {
    /// As it is released; the tool takes minutes.
    Small,
    /// Not at all.
    Plain,
}

/// Makes the `.rpm` of the same.
pub(super) fn rpm(
    workspace: &Workspace,
    version: &str,
    directory: &Path,
    payload: Payload,
) -> anyhow::Result<PathBuf> {
    let file = directory.join(format!("lumos-agent-{version}-1.{}.rpm", architecture().1));
    let list = workspace.target().join("release/package/rpm.toml");
    fs::write(&list, rpm_metadata(workspace, version)?)?;
    let mut rpm = workspace.command(need::cargo_tool_path(workspace, CARGO_GENERATE_RPM.0));
    let compression = match payload {
        Payload::Small => "zstd",
        Payload::Plain => "none",
    };
    rpm.args(["generate-rpm", "--package", "agent", "--auto-req", "builtin"])
        .args(["--payload-compress", compression])
        .arg("--target-dir")
        .arg(workspace.target())
        .arg("--metadata-overwrite")
        .arg(&list)
        .arg("--output")
        .arg(&file);
    run(&mut rpm)?;
    Ok(file)
}

/// What cargo-generate-rpm is told in place of a list of its own.
fn rpm_metadata(workspace: &Workspace, version: &str) -> anyhow::Result<String> {
    let metadata = workspace.metadata(&["--no-deps"])?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo knows no packages")?;
    let agent = packages.iter().find(|package| package["name"] == "lumos-agent");
    let assets = agent.and_then(|agent| agent["metadata"]["deb"]["assets"].as_array());
    let mut text = format!("version = {version:?}\nrelease = \"1\"\n");
    for (key, file) in [
        ("post_install_script", "post"),
        ("pre_uninstall_script", "preun"),
        ("post_uninstall_script", "postun"),
    ] {
        let script = fs::read_to_string(workspace.path("packaging/linux/rpm").join(file))?;
        let _ = writeln!(text, "{key} = {}", Value::from(script));
    }
    let _ = writeln!(text, "assets = [");
    for asset in assets.context("the agent's manifest lists no assets")? {
        let [source, dest, mode] = ["source", "dest", "mode"].map(|key| &asset[key]);
        let doc = dest
            .as_str()
            .is_some_and(|dest| dest.starts_with("/usr/share/doc/"));
        let _ = writeln!(
            text,
            "  {{ source = {source}, dest = {dest}, mode = {mode}, doc = {doc} }},"
        );
    }
    text.push_str("]\n");
    Ok(text)
}

/// This machine's, as Debian and as rpm call it.
fn architecture() -> (&'static str, &'static str) {
    match std::env::consts::ARCH {
        "x86_64" => ("amd64", "x86_64"),
        "aarch64" => ("arm64", "aarch64"),
        other => (other, other),
    }
}

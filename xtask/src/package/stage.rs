//! Lays out what the packages carry and the repository does not hold: `target/release/package`, whatever the profile, since
//! that is where the list of files looks for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::{Profile, components, notices};
use crate::run::run;
use crate::workspace::Workspace;

/// What cargo calls it, and what the packages do.
const PROGRAMS: [(&str, &str); 3] = [
    ("lumos-agent", "bin/lumos-agent"),
    ("mockapp-server", "bin/mockapp-server"),
    ("libmockapp.so", "lib/mockapp.so"),
];
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "lumos-agent"),
    ("zsh", "_lumos-agent"),
    ("fish", "lumos-agent.fish"),
];

/// The directories of an installation, for an image: a new volume takes over their owner and mode.
const PLACES: [(&str, u32); 4] = [
    ("", 0o755),
    ("connectors", 0o755),
    ("state", 0o700),
    ("logs", 0o700),
];

/// Where it all goes.
pub(super) fn directory(workspace: &Workspace) -> PathBuf {
    workspace.target().join("release").join("package")
}

/// Everything, made anew.
pub(super) fn all(workspace: &Workspace, profile: Profile) -> anyhow::Result<()> {
    let stage = directory(workspace);
    if stage.exists() {
        fs::remove_dir_all(&stage)?;
    }
    for part in ["bin", "lib", "man", "completions", "doc"] {
        fs::create_dir_all(stage.join(part))?;
    }
    for (from, to) in PROGRAMS {
        let to = stage.join(to);
        let from = profile.directory(workspace).join(from);
        fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        let sections = ["--strip-unneeded", "--remove-section=.comment"];
        run(Command::new("strip").args(sections).arg(&to))?;
    }
    let agent = stage.join("bin/lumos-agent");
    manual(&agent, &stage.join("man"))?;
    completions(&agent, &stage.join("completions"))?;
    places(&stage.join("volume/lumos"))?;
    documents(workspace, &stage.join("doc"))
}

fn manual(agent: &Path, directory: &Path) -> anyhow::Result<()> {
    run(Command::new(agent).arg("manual").arg(directory))?;
    for page in fs::read_dir(directory)? {
        compress(&page?.path())?;
    }
    Ok(())
}

fn places(home: &Path) -> anyhow::Result<()> {
    for (name, mode) in PLACES {
        let place = home.join(name);
        fs::create_dir_all(&place)?;
        let mode = format!("{mode:o}");
        anyhow::ensure!(Command::new("chmod").arg(mode).arg(&place).status()?.success());
    }
    Ok(())
}

fn completions(agent: &Path, directory: &Path) -> anyhow::Result<()> {
    for (shell, file) in COMPLETIONS {
        let output = Command::new(agent).args(["completions", shell]).output()?;
        anyhow::ensure!(output.status.success(), "no completions for {shell}");
        fs::write(directory.join(file), output.stdout)?;
    }
    Ok(())
}

fn documents(workspace: &Workspace, directory: &Path) -> anyhow::Result<()> {
    let shipped = components::shipped(workspace)?;
    let notices = directory.join("third-party-licences.txt");
    fs::write(&notices, notices::text(&shipped)?)?;
    compress(&notices)?;
    let sbom = components::sbom(&shipped);
    fs::write(
        directory.join("sbom.cdx.json"),
        serde_json::to_string_pretty(&sbom)? + "\n",
    )?;
    let changelog = directory.join("changelog.Debian");
    fs::write(&changelog, changes(workspace)?)?;
    compress(&changelog)
}

/// Debian wants to know of each version; what changed stands in the history.
fn changes(workspace: &Workspace) -> anyhow::Result<String> {
    let version = workspace.version("lumos-agent")?;
    let mut git = workspace.command("git");
    let date = match git.args(["log", "-1", "--format=%cD"]).output() {
        Ok(output) if output.status.success() => output,
        _ => Command::new("date").arg("-R").output()?,
    };
    let date = String::from_utf8_lossy(&date.stdout).trim().to_owned();
    Ok(format!(
        "lumos-agent ({version}-1) stable; urgency=medium\n\n  * Version {version}.\n\n -- Lumos <support@lumos.com>  {date}\n"
    ))
}

/// Without name and time, so that the same content makes the same file.
fn compress(file: &Path) -> anyhow::Result<()> {
    let compressed = Command::new("gzip").args(["-9", "-n", "-f"]).arg(file).status()?;
    anyhow::ensure!(compressed.success(), "cannot compress {}", file.display());
    Ok(())
}

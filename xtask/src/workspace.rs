//! Where things are: the sources and what is built from them.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde_json::Value;

/// The workspace that these tasks belong to.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
    version: Option<String>,
}

impl Workspace {
    /// Asks cargo, which knows `CARGO_TARGET_DIR` and its configuration files.
    pub(crate) fn find() -> anyhow::Result<Self> {
        // `cargo run` says where it found this package, which may be another copy than the one that was compiled.
        let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let manifest = Path::new(&package).join("../Cargo.toml");
        let output = Command::new(cargo())
            .args([
                "metadata",
                "--no-deps",
                "--format-version",
                "1",
                "--manifest-path",
            ])
            .arg(manifest)
            .output()
            .context("cannot run cargo")?;
        let metadata: Value = serde_json::from_slice(&output.stdout).with_context(|| {
            format!(
                "cargo metadata failed: {}",
                String::from_utf8_lossy(&output.stderr)
            )
        })?;
        let path = |name: &str| {
            let text = metadata[name].as_str();
            text.map(PathBuf::from)
                .with_context(|| format!("cargo metadata gives no {name}"))
        };
        Ok(Self {
            root: path("workspace_root")?,
            target: path("target_directory")?,
            version: version_of(&metadata, "lumos-agent"),
        })
    }

    /// The version of the agent.
    pub(crate) fn version(&self) -> anyhow::Result<String> {
        self.version
            .clone()
            .context("cargo metadata knows no lumos-agent")
    }

    /// A path below the workspace's root.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Where cargo builds to.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// A directory for what is compiled without cargo; made if missing.
    pub(crate) fn c_target(&self) -> anyhow::Result<PathBuf> {
        let directory = self.target.join("c");
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("cannot make the directory {}", directory.display()))?;
        Ok(directory)
    }

    /// A program or library that cargo built with the dev profile.
    pub(crate) fn built(&self, file: &str) -> PathBuf {
        self.target.join("debug").join(file)
    }

    /// `program`, to be run at the root.
    pub(crate) fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(program.into());
        command.current_dir(&self.root);
        command
    }

    /// The cargo that runs this task, to be run at the root.
    pub(crate) fn cargo(&self) -> Command {
        self.command(cargo())
    }
}

fn version_of(metadata: &Value, package: &str) -> Option<String> {
    let packages = metadata["packages"].as_array()?;
    let found = packages.iter().find(|one| one["name"] == package)?;
    found["version"].as_str().map(str::to_owned)
}

fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

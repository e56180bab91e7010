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
}

impl Workspace {
    /// Asks cargo, which knows `CARGO_TARGET_DIR` and its configuration files.
    pub(crate) fn find() -> anyhow::Result<Self> {
        // `cargo run` says where it found this package, which may be another copy than the one that was compiled.
        let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let metadata = metadata(&Path::new(&package).join("../Cargo.toml"), &["--no-deps"])?;
        let path = |name: &str| {
            let text = metadata[name].as_str();
            text.map(PathBuf::from)
                .with_context(|| format!("cargo metadata gives no {name}"))
        };
        Ok(Self {
            root: path("workspace_root")?,
            target: path("target_directory")?,
        })
    }

    /// What cargo knows of the workspace, and of what it depends on.
    pub(crate) fn metadata(&self, options: &[&str]) -> anyhow::Result<Value> {
        metadata(&self.path("Cargo.toml"), options)
    }

    /// The version of one of its packages.
    pub(crate) fn version(&self, package: &str) -> anyhow::Result<String> {
        let metadata = self.metadata(&["--no-deps"])?;
        let packages = metadata["packages"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let found = packages.iter().find(|entry| entry["name"] == package);
        let version = found.and_then(|entry| entry["version"].as_str());
        version
            .map(str::to_owned)
            .with_context(|| format!("there is no package {package}"))
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

fn metadata(manifest: &Path, options: &[&str]) -> anyhow::Result<Value> {
    let output = Command::new(cargo())
        .args(["metadata", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .args(options)
        .output()
        .context("cannot run cargo")?;
    serde_json::from_slice(&output.stdout).with_context(|| {
        format!(
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

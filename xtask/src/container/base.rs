//! What the image is made on and of. The base stands in for `gcr.io/distroless/cc-debian12`, which no test can fetch: files
//! of the Debian packages that it is made of, and so the C and C++ libraries, but nothing that could be run. The builder
//! stands in for `rust`: Debian, with a cargo that knows one answer.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::engine::Engine;
use crate::package::{Base, Root};
use crate::run::run;
use crate::workspace::Workspace;

/// What the Containerfile's arguments are set to.
pub(super) const BASE: &str = "localhost/lumos-base";
pub(super) const BUILDER: &str = "localhost/lumos-builder";

/// It insists on the one command, and on sources without what `.dockerignore` leaves out.
const CARGO: &str = r#"#!/bin/sh
set -e
test "$*" = "xtask package --stage"
test -f Cargo.lock -a -f LICENSE -a ! -e .git -a ! -e target
mkdir -p target/release
cp -a /built target/release/package
"#;

/// By the names under which dpkg lists their files.
const PACKAGES: [&str; 5] = [
    "base-files",
    "libc6:amd64",
    "libgcc-s1:amd64",
    "libstdc++6:amd64",
    "tzdata",
];
/// Links to the directories below /usr.
const MERGED: [&str; 4] = ["bin", "lib", "lib64", "sbin"];
/// Authorities, which the machine has if anything on it talks to the world.
const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";

pub(super) fn import(workspace: &Workspace, engine: &Engine, stage: &Path) -> anyhow::Result<()> {
    let made = tempfile::tempdir_in(workspace.target())?;
    let debian = Base::prepare(workspace)?;
    engine.import(&base(&debian.unpack()?, made.path())?, BASE)?;
    engine.import(&builder(&debian.unpack()?, made.path(), stage)?, BUILDER)
}

/// A root with those packages' files, as an archive.
fn base(root: &Root, made: &Path) -> anyhow::Result<PathBuf> {
    let list = made.join("list");
    fs::write(&list, listed(root.path())?.join("\n"))?;
    if let Ok(authorities) = fs::read(Path::new("/").join(AUTHORITIES)) {
        fs::create_dir_all(root.file("etc/ssl/certs"))?;
        fs::write(root.file(AUTHORITIES), authorities)?;
    }
    let archive = made.join("base.tar");
    run(Command::new("tar")
        .arg("-C")
        .arg(root.path())
        .args(["--no-recursion", "-cf"])
        .arg(&archive)
        .arg("-T")
        .arg(&list))?;
    Ok(archive)
}

/// The paths, below /usr where Debian says /lib.
fn listed(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut paths: BTreeSet<String> = MERGED.iter().map(|link| format!("./{link}")).collect();
    paths.insert("./usr/lib64/ld-linux-x86-64.so.2".to_owned());
    for package in PACKAGES {
        let list = root.join(format!("var/lib/dpkg/info/{package}.list"));
        let text = fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
        for path in text.lines().filter_map(|line| line.strip_prefix('/')) {
            let first = path.split('/').next().unwrap_or_default();
            let place = match MERGED.contains(&first) {
                true if path == first => continue,
                true => format!("./usr/{path}"),
                false => format!("./{path}"),
            };
            paths.insert(place);
        }
    }
    paths.insert(format!("./{AUTHORITIES}"));
    paths.retain(|path| root.join(path).symlink_metadata().is_ok());
    ensure!(paths.len() > 100, "the base has only {} files", paths.len());
    Ok(paths.into_iter().collect())
}

fn builder(root: &Root, made: &Path, stage: &Path) -> anyhow::Result<PathBuf> {
    let cargo = root.file("usr/local/bin/cargo");
    fs::write(&cargo, CARGO)?;
    run(Command::new("chmod").arg("755").arg(&cargo))?;
    run(Command::new("cp").arg("-a").arg(stage).arg(root.file("built")))?;
    let archive = made.join("builder.tar");
    run(Command::new("tar")
        .arg("-C")
        .arg(root.path())
        .arg("-cf")
        .arg(&archive)
        .arg("."))?;
    Ok(archive)
}

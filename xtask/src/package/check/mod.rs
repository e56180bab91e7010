//! `cargo xtask package --check`: what an administrator does with the packages, done in a fresh Debian root that nothing else
//! uses, and what tools for packages say about them.

mod contents;
mod life;
pub(crate) mod root;
mod systems;

use std::fs;

use super::archives::Payload;
use super::{Packages, archives};
use crate::need;
use crate::run::{run, say, step};
use crate::workspace::Workspace;
use root::Base;
use systems::{Debian, Rpm};

/// Older than any release.
const PREVIOUS: &str = "0.0.1";

/// Checks the packages. A fresh root takes root's rights; without them that part is left out.
pub(super) fn check(workspace: &Workspace, packages: &Packages) -> anyhow::Result<()> {
    step("what checks packages", need::package_checks)?;
    step("what the packages hold", || contents::check(workspace, packages))?;
    if !root::possible() {
        say("   packages are not installed here: that takes root and namespaces for mounts");
        return Ok(());
    }
    let previous = previous(workspace)?;
    let mut base = None;
    step("a fresh Debian root", || {
        base = Some(Base::prepare(workspace)?);
        Ok(())
    })?;
    let base = base.ok_or_else(|| anyhow::anyhow!("there is no root"))?;
    step("deb: install, run, upgrade, remove, purge", || {
        life::check(&base, &Debian, &previous.deb, &packages.deb)
    })?;
    step("deb: an upgrade under load, with a real systemd", || {
        let mut cargo = workspace.cargo();
        // All crates, as when all tests are run: what was built for that is used again.
        cargo.args(["test", "--locked", "--quiet", "--workspace", "--test", "it"]);
        cargo.args(["--", "an_upgrade_of_the_package", "--nocapture"]);
        cargo.env("LUMOS_TEST_DEB_BEFORE", &previous.deb);
        cargo.env("LUMOS_TEST_DEB", &packages.deb);
        cargo.env("NO_PROXY", "127.0.0.1,localhost");
        run(&mut cargo)
    })?;
    step("rpm: install, run, upgrade, remove", || {
        life::check(&base, &Rpm, &previous.rpm, &packages.rpm)
    })
}

/// The same content under a lower version, for upgrades.
fn previous(workspace: &Workspace) -> anyhow::Result<Packages> {
    let directory = workspace.target().join("package").join("previous");
    fs::create_dir_all(&directory)?;
    Ok(Packages {
        deb: archives::deb(workspace, PREVIOUS, &directory)?,
        rpm: archives::rpm(workspace, PREVIOUS, &directory, Payload::Plain)?,
    })
}

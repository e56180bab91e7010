//! `cargo xtask container`: makes the image by `packaging/container/Containerfile` and runs it as `docs/container.md` says,
//! command by command.
//!
//! No registry is asked: both images that the Containerfile begins with are made of Debian's packages ([`base`]). The builder's
//! cargo does not compile for many minutes again; it hands out what was built here. Podman and its containers live in namespaces of their own
//! ([`engine`]), so that nothing of this machine's is used or left changed.

mod base;
mod engine;
mod guide;
mod life;

use crate::need;
use crate::package::{self, Profile};
use crate::run::{say, step};
use crate::workspace::Workspace;
use engine::Engine;

/// The whole check. Left out, with the reason, where no container can be run.
pub(crate) fn check(workspace: &Workspace, profile: Profile) -> anyhow::Result<()> {
    if !package::root_possible() {
        say("   no container is run here: that takes root and namespaces for mounts");
        return Ok(());
    }
    step("what runs containers", || {
        need::package_checks()?;
        need::containers()
    })?;
    let stage = package::stage(workspace, profile)?;
    let mut engine = None;
    step("an engine of its own, and a base without a shell", || {
        let started = Engine::start(workspace)?;
        base::import(workspace, &started, &stage)?;
        match started.runs_containers() {
            Ok(()) => engine = Some(started),
            Err(why) => say(&format!("   no container can be run here: {why:#}")),
        }
        Ok(())
    })?;
    let Some(engine) = engine else {
        return Ok(());
    };
    let guide = guide::Guide::read(workspace)?;
    step("the guide to containers, as it stands", || {
        guide.follow(workspace, &engine)
    })?;
    step("the image, and what runs of it", || life::check(&engine))?;
    step("as Kubernetes runs it", || life::pod(&engine, &guide))?;
    step("where the engine forbids walls", || {
        life::without_landlock(&engine)
    })
}

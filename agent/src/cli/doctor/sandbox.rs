//! How far connectors are walled off, and how far they could be.

use super::finding::{Area, Check, Findings};
use super::running::Running;
use crate::connectors::Listing;
use crate::os::sandbox::Level;
use crate::os::{self, Walls};

pub(super) fn check(running: Option<&Running>, found: &mut Findings) {
    if cfg!(windows) {
        // Job objects limit hosts; nothing isolates them there, which the documentation says.
        return;
    }
    let connectors = running.map_or(&[][..], |agent| &agent.connectors);
    judge(&os::walls(), connectors, found);
}

fn judge(walls: &Walls, connectors: &[Listing], found: &mut Findings) {
    match walls.landlock_abi {
        Some(version) => found.fine(
            Area::Sandbox,
            format!("Linux {} offers Landlock {version}", walls.kernel),
        ),
        None => found.warning(
            Check::NoLandlock,
            format!(
                "Linux {} offers no Landlock: connectors can read what the agent can",
                walls.kernel
            ),
            "use Linux 5.13 or later, with `landlock` among the modules of the boot parameter lsm=; in a container, a \
             seccomp profile that allows landlock_create_ruleset, landlock_add_rule and landlock_restrict_self",
        ),
    }
    if !walls.seccomp {
        found.warning(
            Check::NoSeccomp,
            "the kernel filters no system calls (seccomp)",
            "use a kernel with CONFIG_SECCOMP_FILTER",
        );
    }
    for listing in connectors {
        let Some(level) = listing.isolation_level else {
            continue;
        };
        let notes = listing.sandbox.as_ref().map(|sandbox| &sandbox.notes[..]);
        let why = notes.unwrap_or_default().join("; ");
        match level {
            Level::Full => found.fine(Area::Sandbox, format!("{} is walled off in full", listing.app_id)),
            Level::Partial => found.note(
                Check::NotIsolated,
                format!("{} is walled off in part: {why}", listing.app_id),
                "a newer kernel has the rest",
            ),
            Level::None => found.warning(
                Check::NotIsolated,
                format!("{} is not isolated: {why}", listing.app_id),
                format!(
                    "look at isolation and sandbox in [connectors.settings.{}], and at the kernel",
                    listing.app_id
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::connectors::tests::listing;
    use super::*;
    use crate::connectors::State;
    use crate::os::sandbox::Confined;

    #[test]
    fn missing_walls_are_told() {
        let walls = Walls {
            kernel: "5.10.0".into(),
            landlock_abi: None,
            seccomp: false,
        };
        let mut open = listing("open", State::Ready);
        open.isolation_level = Some(Level::None);
        open.sandbox = Some(Confined::switched_off());
        let mut found = Findings::default();
        judge(&walls, &[open], &mut found);
        insta::assert_snapshot!(found.told());
    }

    #[test]
    fn whole_walls_are_fine() {
        let walls = Walls {
            kernel: "6.12".into(),
            landlock_abi: Some(6),
            seccomp: true,
        };
        let mut closed = listing("closed", State::Ready);
        closed.isolation_level = Some(Level::Full);
        let mut found = Findings::default();
        judge(&walls, &[closed], &mut found);
        assert_eq!(found.told(), "");
    }
}

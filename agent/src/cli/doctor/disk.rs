//! Room for state, logs and connectors.

use std::path::Path;

use bytesize::ByteSize;

use super::finding::{Area, Check, Findings};
use crate::config::Config;
use crate::os::{self, Space};

/// Less than this is as good as nothing: one copy of a connector needs it.
const FULL: u64 = 32 << 20;
/// Less than this will not last.
const LOW: u64 = 256 << 20;

/// Whether the agent writes there.
struct Place<'a> {
    what: &'static str,
    path: &'a Path,
    written: bool,
}

pub(super) fn check(config: &Config, found: &mut Findings) {
    let places = [
        ("the state directory", &config.agent.state_dir, true),
        ("the log directory", &config.log.directory, config.log.files),
        ("the connectors directory", &config.connectors.directory, false),
    ];
    for (what, path, written) in places {
        // What is not there yet will be made below what is.
        let Some(there) = path.ancestors().find(|path| path.exists()) else {
            continue;
        };
        let place = Place { what, path, written };
        if let Ok(space) = os::space(there) {
            judge(&place, &space, found);
        }
    }
}

fn judge(place: &Place<'_>, space: &Space, found: &mut Findings) {
    let named = format!("{}, {}", place.what, place.path.display());
    if space.read_only && place.written {
        found.failure(
            Check::DiskReadOnly,
            format!("{named}, lies on a file system that is mounted read-only"),
            "look into the kernel's log for disk errors, and mount it writable",
        );
        return;
    }
    if !place.written {
        return;
    }
    let free = ByteSize(space.free_bytes).display().iec();
    const ROOM: &str = "make room, or move it: agent.state_dir, log.directory, log.retention_days";
    if space.free_bytes < FULL {
        found.failure(Check::DiskFull, format!("{free} are free for {named}"), ROOM);
    } else if space.free_bytes < LOW {
        found.warning(Check::DiskLow, format!("only {free} are free for {named}"), ROOM);
    }
    match space.inodes {
        Some((free, _)) if free < 64 => found.failure(
            Check::DiskFull,
            format!("{free} inodes are free for {named}: no file can be made"),
            "delete small files that nobody needs on that file system",
        ),
        Some((free, all)) if free < all / 100 => found.warning(
            Check::InodesLow,
            format!("only {free} of {all} inodes are free for {named}"),
            "delete small files that nobody needs on that file system",
        ),
        _ => {}
    }
    found.fine(Area::Disk, format!("{free} are free for {named}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(free_bytes: u64, inodes: Option<(u64, u64)>, read_only: bool, written: bool) -> String {
        let place = Place {
            what: "the state directory",
            path: Path::new("/var/lib/lumos-agent"),
            written,
        };
        let space = Space {
            free_bytes,
            total_bytes: 1 << 40,
            inodes,
            read_only,
        };
        let mut found = Findings::default();
        judge(&place, &space, &mut found);
        found.told()
    }

    #[test]
    fn room_is_fine_and_the_want_of_it_is_told() {
        assert_eq!(told(1 << 30, Some((1000, 2000)), false, true), "");
        assert_eq!(told(0, None, true, false), "", "connectors are only read");
        let cases = [
            told(0, None, false, true),
            told(100 << 20, None, false, true),
            told(1 << 30, Some((3, 2000)), false, true),
            told(1 << 30, Some((100, 20_000)), false, true),
            told(1 << 30, None, true, true),
        ];
        insta::assert_snapshot!(cases.join("\n"));
    }

    #[test]
    fn this_machine_can_be_asked() {
        let space = os::space(&std::env::temp_dir()).unwrap();
        assert!(space.total_bytes >= space.free_bytes && space.total_bytes > 0);
    }
}

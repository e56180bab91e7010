//! Whose files these are, and who else could read or change them.

use std::path::{Path, PathBuf};

use super::finding::{Area, Check, Findings};
use crate::config::Config;
use crate::os::{self, FileFacts, FileKind, Owner};

/// What a path is for, and so who may do what with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nobody else may change it, nor anything above it.
    Trusted,
    /// Nobody else may read it either.
    Secret,
    /// Only its owner may enter.
    Private,
}

/// One path as it was found.
#[derive(Debug)]
struct Look {
    /// What it is to the agent.
    what: &'static str,
    path: PathBuf,
    kind: Kind,
    /// `None` where this user may not look.
    facts: Option<FileFacts>,
    /// What lies above it, from the nearest.
    above: Vec<(PathBuf, FileFacts)>,
}

/// Looks at everything that the agent trusts or keeps secret.
pub(super) fn check(config: &Config, found: &mut Findings) {
    let tls = &config.dispatch.tls;
    let authority = tls.certificate.parent().map(|directory| directory.join("ca.key"));
    let mut paths = vec![
        ("the configuration", config.file.clone(), Kind::Trusted),
        ("the private key", tls.private_key.clone(), Kind::Secret),
        ("the token file", config.agent.token_file.clone(), Kind::Trusted),
        (
            "the state directory",
            config.agent.state_dir.clone(),
            Kind::Private,
        ),
        ("the log directory", config.log.directory.clone(), Kind::Trusted),
    ];
    if let Some(authority) = authority {
        paths.push(("the authority's key", authority, Kind::Secret));
    }
    let looks: Vec<Look> = paths.into_iter().filter_map(look).collect();
    // Whoever owns the configuration or the state could make the agent do anything already.
    let own = [&config.file, &config.agent.state_dir].map(|path| os::path_facts(path).ok());
    let trusted: Vec<Owner> = own.into_iter().flatten().map(|facts| facts.owner).collect();
    for look in &looks {
        judge(look, &trusted, found);
    }
    if let Err(why) = crate::connectors::trusts_directory(config) {
        let directory = config.connectors.directory.display();
        found.failure(
            Check::OwnerNotTrusted,
            format!("no connector in {directory} is loaded: {why}"),
            "",
        );
    }
    found.fine(Area::Permissions, "nobody else can change what the agent trusts");
}

/// `None` where there is no such thing; whether there should be is the configuration's concern.
fn look((what, path, kind): (&'static str, PathBuf, Kind)) -> Option<Look> {
    let real = behind_links(&path);
    let facts = match os::path_facts(&real) {
        Ok(facts) => Some(facts),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(_) => None,
    };
    // On Windows the access list of the thing itself decides.
    let levels = if cfg!(windows) { 0 } else { 64 };
    let mut above: Vec<(PathBuf, FileFacts)> = Vec::new();
    for directory in [&path, &real]
        .into_iter()
        .flat_map(|path| path.ancestors().skip(1).take(levels))
        .filter(|path| !path.as_os_str().is_empty())
    {
        let known = above.iter().any(|(path, _)| path == directory);
        if !known && let Ok(facts) = os::path_facts(directory) {
            above.push((directory.to_owned(), facts));
        }
    }
    Some(Look {
        what,
        above,
        path,
        kind,
        facts,
    })
}

/// What is used in the end: Kubernetes mounts secrets behind links. A link's own mode says nothing.
fn behind_links(path: &Path) -> PathBuf {
    let is_link = os::path_facts(path).is_ok_and(|facts| facts.kind == FileKind::Link);
    let real = is_link.then(|| std::fs::canonicalize(path).ok()).flatten();
    real.unwrap_or_else(|| path.to_owned())
}

fn judge(look: &Look, trusted: &[Owner], found: &mut Findings) {
    let (what, path) = (look.what, look.path.display());
    let Some(facts) = &look.facts else {
        found.note(
            Check::NotExamined,
            format!("{what}, {path}, cannot be examined by this user"),
            "run doctor as root, or as the user whom the installation belongs to",
        );
        return;
    };
    owned(facts, what, &look.path, trusted, found);
    let open = match look.kind {
        Kind::Trusted => writable(facts).then_some(("change", "go-w")),
        Kind::Secret if writable(facts) || facts.world_readable => Some(("read or change", "o-rwx,g-w")),
        Kind::Secret => None,
        Kind::Private => (!facts.is_private()).then_some(("enter", "go-rwx")),
    };
    if let Some((verb, mode)) = open {
        found.failure(
            Check::PermissionTooWide,
            format!("others than its owner may {verb} {what}, {path}"),
            close(mode, &look.path),
        );
    }
    for (path, facts) in &look.above {
        let place = format!("the directory of {what}");
        owned(facts, &place, path, trusted, found);
        if writable(facts) && !facts.sticky {
            found.failure(
                Check::PermissionTooWide,
                format!(
                    "others could replace {what}: they may write to {}, which is above it",
                    path.display()
                ),
                close("go-w", path),
            );
        }
    }
}

fn writable(facts: &FileFacts) -> bool {
    facts.group_writable || facts.world_writable
}

fn owned(facts: &FileFacts, what: &str, path: &Path, trusted: &[Owner], found: &mut Findings) {
    if facts.owner.is_system() || trusted.contains(&facts.owner) {
        return;
    }
    let (path, owner) = (path.display(), &facts.owner);
    let remedy = if cfg!(windows) {
        format!("give it to the administrators: icacls \"{path}\" /setowner Administrators")
    } else {
        format!("give it to root: chown root {path}")
    };
    found.failure(
        Check::OwnerNotTrusted,
        format!("{what}, {path}, belongs to {owner}, who is neither root nor the agent's user"),
        remedy,
    );
}

fn close(mode: &str, path: &Path) -> String {
    let path = path.display();
    if cfg!(windows) {
        return format!("take the rights from everyone else with icacls \"{path}\"");
    }
    format!("close it: chmod {mode} {path}")
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::os::Stamp;

    fn facts(owner: u32, mode: u32) -> FileFacts {
        FileFacts {
            kind: FileKind::Regular,
            owner: Owner::User(owner),
            group_writable: mode & 0o020 != 0,
            world_writable: mode & 0o002 != 0,
            group_readable: mode & 0o040 != 0,
            world_readable: mode & 0o004 != 0,
            sticky: mode & 0o1000 != 0,
            stamp: Stamp {
                size: 0,
                modified: 0,
                changed: 0,
                device: 0,
                inode: 0,
            },
        }
    }

    fn told(kind: Kind, own: Option<FileFacts>, above: &[(&str, FileFacts)]) -> String {
        let look = Look {
            what: "the thing",
            path: "/a/b".into(),
            kind,
            facts: own,
            above: above
                .iter()
                .map(|(path, facts)| (PathBuf::from(path), facts.clone()))
                .collect(),
        };
        let mut found = Findings::default();
        judge(&look, &[Owner::User(7)], &mut found);
        found.told()
    }

    #[test]
    fn what_is_closed_is_fine() {
        let above = [("/a", facts(0, 0o755)), ("/tmp", facts(0, 0o1777))];
        assert_eq!(told(Kind::Trusted, Some(facts(7, 0o644)), &above), "");
        assert_eq!(told(Kind::Secret, Some(facts(0, 0o640)), &above), "");
        assert_eq!(told(Kind::Private, Some(facts(7, 0o700)), &above), "");
    }

    #[test]
    fn of_a_link_counts_what_it_leads_to_and_both_places() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().canonicalize().unwrap().join(name);
        std::fs::create_dir(place("data")).unwrap();
        std::fs::write(place("data/key"), "").unwrap();
        std::fs::set_permissions(place("data/key"), Permissions::from_mode(0o440)).unwrap();
        std::os::unix::fs::symlink("data/key", place("key")).unwrap();
        let look = look(("the key", place("key"), Kind::Secret)).unwrap();
        let facts = look.facts.as_ref().unwrap();
        assert!(!writable(facts) && !facts.world_readable, "{facts:?}");
        for name in ["", "data"] {
            let wanted = place(name).components().collect::<PathBuf>();
            assert!(look.above.iter().any(|(path, _)| *path == wanted), "{look:?}");
        }
    }

    #[test]
    fn what_is_open_is_told_with_the_command_that_closes_it() {
        let cases = [
            told(Kind::Trusted, Some(facts(0, 0o664)), &[]),
            told(Kind::Secret, Some(facts(0, 0o604)), &[]),
            told(Kind::Private, Some(facts(0, 0o750)), &[]),
            told(Kind::Trusted, Some(facts(8, 0o644)), &[("/a", facts(0, 0o777))]),
            told(Kind::Trusted, None, &[]),
        ];
        insta::assert_snapshot!(cases.join("\n"));
    }
}

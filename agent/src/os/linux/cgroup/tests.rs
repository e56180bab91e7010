use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use super::*;

const MOUNTS: &str = "\
24 1 254:1 / / rw,relatime - ext4 /dev/vda rw
30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate
";

#[test]
fn the_own_group_is_found_where_it_is_mounted() {
    let found = |group: &str, mounts: &str| place(group, mounts);
    assert_eq!(
        found("0::/system.slice/lumos-agent.service\n", MOUNTS),
        Some("/sys/fs/cgroup/system.slice/lumos-agent.service".into())
    );
    // Both versions side by side: the second one's line and mount count.
    let hybrid = "30 24 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                  31 24 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    assert_eq!(
        found("4:memory:/a\n0::/b\n", hybrid),
        Some("/sys/fs/cgroup/unified/b".into())
    );
    // A container that shows its own part of the tree only.
    let part = "31 24 0:27 /docker/7 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    assert_eq!(found("0::/docker/7/x\n", part), Some("/sys/fs/cgroup/x".into()));
    assert_eq!(found("0::/elsewhere\n", part), None);
    assert_eq!(found("4:memory:/a\n", MOUNTS), None);
    assert_eq!(found("0::/a\n", "31 24 0:27 / /proc rw - proc proc rw\n"), None);
}

/// What a delegated group looks like, as plain files. `None` where the file system takes no marks.
fn delegated(controllers: &str, members: &str) -> Option<tempfile::TempDir> {
    let dir = tempfile::tempdir().unwrap();
    let none = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(dir.path(), MARKS[0], b"1", none).ok()?;
    let put = |file: &str, text: &str| fs::write(dir.path().join(file), text).unwrap();
    put("cgroup.controllers", controllers);
    put("cgroup.subtree_control", "");
    put("cgroup.procs", members);
    fs::create_dir(dir.path().join(AGENT)).unwrap();
    put("agent/cgroup.procs", "");
    Some(dir)
}

#[test]
fn the_agent_moves_aside_and_passes_the_controller_on() {
    let Some(dir) = delegated("cpu memory pids", &std::process::id().to_string()) else {
        println!("skipped: no extended attributes here");
        return;
    };
    fs::create_dir(dir.path().join("host-3")).unwrap();
    claim(dir.path(), MEMORY).unwrap();
    let now = |file: &str| fs::read_to_string(dir.path().join(file)).unwrap();
    assert_eq!(now("cgroup.subtree_control"), "+memory");
    assert_eq!(now("agent/cgroup.procs"), std::process::id().to_string());
    assert!(
        !dir.path().join("host-3").exists(),
        "left by an agent that was killed"
    );
    // The next start in the agent's own group, as with DelegateSubgroup=agent.
    fs::write(dir.path().join("cgroup.subtree_control"), "memory").unwrap();
    let again = claim(&dir.path().join(AGENT), MEMORY).unwrap();
    assert_eq!(again.0.root, dir.path());
}

#[test]
fn what_is_not_delegated_is_left_as_it_is() {
    let refused = |dir: &tempfile::TempDir| claim(dir.path(), MEMORY).unwrap_err();
    let untouched = |dir: &tempfile::TempDir| {
        let read = |file: &str| fs::read_to_string(dir.path().join(file)).unwrap();
        (read("cgroup.subtree_control"), read("agent/cgroup.procs")) == (String::new(), String::new())
    };
    let this = std::process::id().to_string();
    let Some(shared) = delegated("memory", &format!("1\n{this}\n")) else {
        println!("skipped: no extended attributes here");
        return;
    };
    assert!(refused(&shared).contains("other processes run in"));
    assert!(untouched(&shared));
    let lacking = delegated("cpu pids", &this).unwrap();
    assert!(refused(&lacking).contains("has no memory controller"));
    assert!(untouched(&lacking));
    if rustix::process::geteuid().is_root() {
        let foreign = delegated("memory", &this).unwrap();
        rustix::fs::removexattr(foreign.path(), MARKS[0]).unwrap();
        assert!(refused(&foreign).contains("is not delegated to the agent"));
        assert!(untouched(&foreign));
    }
}

/// A group of the real tree for this test; `None` where that may not be made.
fn real_leaf() -> Option<Leaf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let own = place("0::/\n", &mounts)?;
    let path = own.join(format!("lumos-agent-test-{}", std::process::id()));
    fs::create_dir(&path).ok()?;
    Some(Leaf { path })
}

#[tokio::test]
async fn a_group_ends_what_is_in_it_and_goes() {
    let Some(leaf) = real_leaf() else {
        println!("skipped: no cgroup of version 2 may be made here");
        return;
    };
    let mut sleeper = Command::new("sleep")
        .arg("1000")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    assert!(!leaf.holds(sleeper.id()));
    let entered = leaf.door().and_then(|mut door| write!(door, "{}", sleeper.id()));
    if let Err(error) = entered {
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
        println!("skipped: the kernel lets nobody in: {error}");
        return;
    }
    assert!(leaf.holds(sleeper.id()));
    assert!(!leaf.ran_out());
    leaf.remove().await;
    assert!(!leaf.path.exists());
    assert_eq!(sleeper.wait().unwrap().signal(), Some(9));
}

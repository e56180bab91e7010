//! A disk that is full, and one that is read-only: small file systems in memory, mounted by the test.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{condition, get, measured, ok, prepared, until_over, until_raised};
use crate::support::home::text;

/// A small file system in memory, gone when dropped.
struct Disk(PathBuf);

impl Disk {
    /// Mounted at `path`; `None`, with a word about it, where this user may not mount.
    #[expect(clippy::print_stderr, reason = "says why nothing was tested")]
    fn mounted(path: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let options = format!("size={size},mode=0700");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "lumos-test"])
            .arg(path)
            .output();
        match mount {
            Ok(output) if output.status.success() => Some(Disk(path.to_owned())),
            other => {
                eprintln!("skipped: a tmpfs cannot be mounted here ({other:?}); run the test as root");
                None
            }
        }
    }

    fn remount(&self, options: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(&self.0)
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Leaves no byte free.
    fn fill(&self) {
        let mut filler = fs::File::options()
            .create(true)
            .append(true)
            .open(self.filler())
            .unwrap();
        for block in [64 * 1024, 4096, 1] {
            while filler.write_all(&vec![b'x'; block]).is_ok() {}
        }
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Puts state, tokens and logs on the disk.
fn move_onto(disk: &Path, installation: &crate::support::agent::Installation) {
    installation.configure_all(
        "agent.state_dir = \"disk/state\"\nagent.token_file = \"disk/tokens.json\"\n\
         connectors.directory = \"disk/connectors\"\nlog.directory = \"disk/logs\"\n",
    );
    for name in ["state", "connectors", "logs"] {
        fs::create_dir(disk.join(name)).unwrap();
    }
    fs::copy(installation.file("tokens.json"), disk.join("tokens.json")).unwrap();
    fs::copy(
        installation.file("connectors/scenario.so"),
        disk.join("connectors/scenario.so"),
    )
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_calls_go_on_and_changes_are_refused() {
    let (installation, token) = prepared("");
    let path = installation.file("disk");
    let Some(disk) = Disk::mounted(&path, "8m") else {
        return;
    };
    move_onto(&path, &installation);
    // What is left of the days before; each is a page of the disk.
    let yesterday = jiff::Zoned::now().date().yesterday().unwrap();
    let old: Vec<PathBuf> = ["a", "b", "c"]
        .map(|name| path.join(format!("logs/{name}_{yesterday}.log")))
        .into();
    for file in &old {
        fs::write(file, vec![b'x'; 4096]).unwrap();
    }
    let mut agent = installation.start();
    agent.wait_for("scenario", "ready");
    ok(&agent, &token).await;

    disk.fill();
    until_raised(&mut agent, "disk_full");
    assert!(measured(&agent, "disk_full").await);
    let ready = reqwest::get(format!("{}/readyz", agent.admin_url)).await.unwrap();
    assert_eq!(ready.status(), 200);
    assert!(ready.text().await.unwrap().contains("no space is left"));

    // Each of these is refused, and changes nothing. The agent may have made a page of room for its log meanwhile.
    let tokens = fs::read(path.join("tokens.json")).unwrap();
    disk.fill();
    let refused = agent
        .installation
        .run(["token", "create", "--name", "more", "--scope", "*:*"]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused.stderr));
    assert!(
        text(&refused.stderr).contains("make room"),
        "{}",
        text(&refused.stderr)
    );
    assert_eq!(fs::read(path.join("tokens.json")).unwrap(), tokens);
    let other = crate::support::cc::connector("ok", &[]);
    let refused = agent
        .installation
        .run(["connector", "install", other.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains("make room"),
        "{}",
        text(&refused.stderr)
    );

    // More lines than there is room for: the oldest files make room, and calls do not notice.
    let mut calls = 0;
    while old.iter().any(|file| file.exists()) {
        ok(&agent, &token).await;
        calls += 1;
        assert!(calls < 2000, "the old logs are still there\n{}", agent.log());
    }
    let log = agent.log();
    assert!(log.contains("the oldest log file was deleted"), "{log}");

    // It starts on a full disk, too.
    let (code, installation) = agent.stop();
    assert_eq!(code, Some(0));
    disk.fill();
    let mut agent = installation.start();
    agent.wait_for("scenario", "ready");
    ok(&agent, &token).await;
    until_raised(&mut agent, "disk_full");

    fs::remove_file(disk.filler()).unwrap();
    until_over(&mut agent, "disk_full");
    assert!(!measured(&agent, "disk_full").await);
    agent.installation.token("more", &["*:*"]);
    ok(&agent, &token).await;
    assert!(agent.log().contains("no longer so"));
    let (_, _installation) = agent.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_log_directory_leaves_standard_error() {
    let (installation, token) = prepared("log.connector_level = \"DEBUG\"\n");
    let path = installation.file("logs");
    let Some(disk) = Disk::mounted(&path, "8m") else {
        return;
    };
    disk.remount("ro");
    let mut agent = installation.start();
    agent.wait_for("scenario", "ready");
    until_raised(&mut agent, "log_files_unavailable");
    let ready = get(format!("{}/readyz", agent.admin_url)).await;
    assert!(ready.contains("standard error only"), "{ready}");

    let said = serde_json::json!({"request": {"said": "read-only\u{2028}words"}});
    let (status, _) = agent
        .call(&token, "scenario", "validate_credentials", &said)
        .await;
    assert_eq!(status, 200);
    agent.eventually("the connector's line", |agent| {
        let log = agent.log();
        let mut lines = log.lines();
        lines
            .any(|line| line.contains("connector: ") && line.contains("read-only"))
            .then_some(())
    });
    assert!(fs::read_dir(&path).unwrap().next().is_none());

    disk.remount("rw");
    agent.eventually("log files again", |agent| {
        let _ = agent
            .installation
            .run(["call", "scenario", "validate_credentials"]);
        let files = fs::read_dir(&path).unwrap().count();
        (files == 2 && condition(agent, "log_files_unavailable").is_none()).then_some(())
    });
    let (_, _installation) = agent.stop();
}

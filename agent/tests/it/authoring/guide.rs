//! The guides in `docs/`: a new project is made, as they say; blocks that name a file become that file; commands are run as
//! they stand, against a mock app, and must answer what stands below them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use mockapp_server::{Options, Server};
use serde_json::Value;

use crate::support::connectors::{cargo, workspace};
use crate::support::home::{AGENT, text};

/// Where the guides say that the mock app listens.
const APP: &str = "127.0.0.1:8000";

/// A fenced block: its language, what follows that, and its text.
struct Block {
    language: String,
    mark: String,
    text: String,
}

fn blocks(guide: &str) -> Vec<Block> {
    let text = fs::read_to_string(workspace().join("docs").join(guide)).unwrap();
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match (line.strip_prefix("```"), inside) {
            (Some(_), true) => inside = false,
            (Some(info), false) => {
                let (language, mark) = info.split_once(' ').unwrap_or((info, ""));
                let (language, mark) = (language.to_owned(), mark.to_owned());
                blocks.push(Block {
                    language,
                    mark,
                    text: String::new(),
                });
                inside = true;
            }
            (None, true) => blocks.last_mut().unwrap().text += &format!("{line}\n"),
            (None, false) => {}
        }
    }
    blocks
}

/// A project in the making.
struct Project {
    directory: PathBuf,
    app: Server,
}

impl Project {
    fn of(directory: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(directory);
        // Left by an earlier run.
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let app = Server::spawn(Options::default()).unwrap();
        Project { directory, app }
    }

    /// Runs a block, and gives what it printed.
    fn run(&self, script: &str) -> String {
        let clean = cargo();
        let path = format!(
            "{}:{}",
            Path::new(AGENT).parent().unwrap().display(),
            std::env::var("PATH").unwrap()
        );
        let mut shell = Command::new("sh");
        shell
            .arg("-ec")
            .arg(script.replace(APP, &self.app.address().to_string()));
        for (name, value) in clean.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell
            .env("PATH", path)
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env_remove("LUMOS_AGENT_CONFIG");
        let output = shell.current_dir(&self.directory).output().unwrap();
        assert!(
            output.status.success(),
            "{script}\n{}\n{}",
            text(&output.stdout),
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// What `connector new` made. What is compiled for other tests need not be compiled again.
    fn enter(&mut self, script: &str) {
        self.run(script);
        self.directory.push("mockapp");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        symlink(target, self.directory.join("target")).unwrap();
        let manifest = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
        let profiles =
            &manifest[manifest.find("[profile.dev]").unwrap()..manifest.find("[profile.release]").unwrap()];
        fs::create_dir(self.directory.join(".cargo")).unwrap();
        fs::write(
            self.directory.join(".cargo/config.toml"),
            format!("{profiles}\n[net]\noffline = true\n"),
        )
        .unwrap();
    }

    /// Does what a guide says, block by block.
    fn follow(&mut self, guide: &str) {
        let mut printed = String::new();
        let mut compared = 0;
        for block in blocks(guide) {
            match (block.language.as_str(), block.mark.as_str()) {
                ("sh", "new") => self.enter(&block.text),
                ("sh", "run" | "scaffold") => printed = self.run(&block.text),
                // An optimised build would take minutes, and show nothing more.
                ("sh", "release") => {
                    printed = self.run(
                        &block
                            .text
                            .replace(" --release", "")
                            .replace("/release/", "/debug/"),
                    );
                }
                ("json", "answer") => {
                    let said: Value = serde_json::from_str(&block.text).unwrap();
                    let given: Value = serde_json::from_str(&printed).unwrap();
                    assert_eq!(given, said, "{guide}");
                    compared += 1;
                }
                (_, "") => {}
                (_, file) => {
                    fs::write(self.directory.join(file), &block.text).unwrap();
                }
            }
        }
        assert!(compared > 2, "{guide} shows no answers");
    }
}

#[test]
fn the_guide_for_rust_leads_to_a_connector() {
    let mut project = Project::of("guide-rust");
    project.follow("connector-rust.md");
    let release = project.directory.join("dist/mockapp-0.1.0.so");
    assert!(release.is_file());
    assert_eq!(fs::read_dir(release.parent().unwrap()).unwrap().count(), 2);
}

#[test]
fn the_guide_for_c_leads_to_a_connector() {
    let mut project = Project::of("guide-c");
    project.follow("connector-c.md");
    assert!(project.directory.join("dist/mockapp-0.1.0.so").is_file());
}

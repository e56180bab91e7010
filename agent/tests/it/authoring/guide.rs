//! The guides in `docs/`: a new project is made, as they say; blocks that name a file become that file; commands are run as
//! they stand, against a mock app, and must answer what stands below them. `dev` keeps running beside them, and has to load
//! what they build.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use mockapp_server::{Options, Server};
use serde_json::Value;

use super::dev::Dev;
use crate::support::blocks::blocks;
use crate::support::connectors::{cargo, workspace};
use crate::support::home::{AGENT, text};

/// Where the guides say that the mock app listens.
const APP: &str = "127.0.0.1:8000";
/// Where they say that `dev` serves.
const DEV: &str = "127.0.0.1:8080";

/// A project in the making.
struct Project {
    directory: PathBuf,
    app: Server,
    dev: Option<Dev>,
    /// The generation that `dev` serves.
    generation: u32,
}

impl Project {
    fn of(directory: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(directory);
        // Left by an earlier run.
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let app = Server::spawn(Options::default()).unwrap();
        Project {
            directory,
            app,
            dev: None,
            generation: 0,
        }
    }

    /// A shell that runs a block as an author's would.
    fn shell(&self, script: &str) -> Command {
        let path = format!(
            "{}:{}",
            Path::new(AGENT).parent().unwrap().display(),
            std::env::var("PATH").unwrap()
        );
        let mut script = script.replace(APP, &self.app.address().to_string());
        if let Some(dev) = &self.dev {
            script = script.replace(DEV, &dev.address);
        }
        let mut shell = Command::new("sh");
        shell.arg("-ec").arg(script);
        for (name, value) in cargo().get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell
            .env("PATH", path)
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env_remove("LUMOS_AGENT_CONFIG")
            .current_dir(&self.directory);
        shell
    }

    /// Runs a block, and gives what it printed.
    fn run(&self, script: &str) -> String {
        let output = self.shell(script).output().unwrap();
        assert!(
            output.status.success(),
            "{script}\n{}\n{}",
            text(&output.stdout),
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// Starts `dev`, on a port that nobody else has.
    fn develop(&mut self, script: &str) {
        let script = format!("exec {} --port 0", script.trim_end());
        self.dev = Some(Dev::start(&mut self.shell(&script)));
        self.expect_next_generation();
    }

    fn expect_next_generation(&mut self) {
        self.generation += 1;
        let ready = format!("mockapp generation {}: ready", self.generation);
        self.dev.as_ref().expect("dev runs").wait_for(&ready);
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
                ("sh", "dev") => self.develop(&block.text),
                ("sh", "rebuild") => {
                    self.run(&block.text);
                    self.expect_next_generation();
                }
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
        let dev = self.dev.take();
        dev.unwrap_or_else(|| panic!("{guide} does not show dev")).end();
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

//! A throw-away installation, and commands in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The binary under test.
pub(crate) const AGENT: &str = env!("CARGO_BIN_EXE_lumos-agent");

/// Copies the binary under test, to be run. By another process: a child that a parallel test forks from this one would hold
/// the copy open for writing, and nothing can be run for so long.
#[cfg(unix)]
pub(crate) fn copy_agent(to: &Path) {
    let copied = Command::new("cp").arg(AGENT).arg(to).status().unwrap();
    assert!(copied.success());
}

/// A directory with an installation, removed when dropped.
pub(crate) struct Home {
    directory: tempfile::TempDir,
}

impl Home {
    /// What `init` makes.
    pub(crate) fn new() -> Self {
        let home = Home::empty();
        let output = home
            .command(&["init", "--dir", "agent", "--host", "agent.example.com"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        home
    }

    /// An empty directory.
    pub(crate) fn empty() -> Self {
        Home {
            directory: tempfile::Builder::new().prefix("lumos-it-").tempdir().unwrap(),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A file of the installation.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join("agent").join(name)
    }

    /// Writes `agent.toml`: `lines`, with the paths of this installation before them where a section lacks them.
    pub(crate) fn configure(&self, lines: &str) {
        std::fs::write(self.file("agent.toml"), lines).unwrap();
    }

    /// The agent with these arguments, in this directory, with a bare environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(Path::new(AGENT), arguments)
    }

    /// The same with another executable.
    pub(crate) fn command_of(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.path()).env_clear();
        for name in ["PATH", "SystemRoot", "TEMP", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    /// Runs a command of the installation to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let config = self.file("agent.toml");
        self.command(arguments)
            .env("LUMOS_AGENT_CONFIG", config)
            .output()
            .unwrap()
    }

    /// Standard output and error and the exit code as one text, with this directory's name taken out.
    pub(crate) fn transcript(&self, output: &Output) -> String {
        let name = self.path().display().to_string();
        let part = |title: &str, bytes: &[u8]| match text(bytes).replace(&name, "DIR") {
            empty if empty.is_empty() => String::new(),
            shown => format!("--- {title}\n{}\n", shown.trim_end()),
        };
        let code = output
            .status
            .code()
            .map_or_else(|| "none".into(), |code| code.to_string());
        format!(
            "exit {code}\n{}{}",
            part("stdout", &output.stdout),
            part("stderr", &output.stderr)
        )
    }
}

/// Bytes as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

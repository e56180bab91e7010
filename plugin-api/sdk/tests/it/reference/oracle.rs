//! The reference SDK in a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::{Value, json};

/// Answers calls as the reference does.
pub(super) struct Oracle {
    process: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
}

impl Oracle {
    /// Starts it, if there is one.
    pub(super) fn start() -> Option<Self> {
        let environment = std::env::var_os("LUMOS_TEST_REFERENCE")?;
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
        let mut process = Command::new(python(&environment.into()))
            .arg("-B")
            .arg(directory.join("oracle.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("LUMOS_TEST_REFERENCE names a virtual environment that has an interpreter");
        Some(Self {
            input: process.stdin.take().unwrap(),
            output: BufReader::new(process.stdout.take().unwrap()),
            process,
        })
    }

    pub(super) fn call(&mut self, integration: &str, capability: &str, body: &str) -> Value {
        self.ask(&json!({"integration": integration, "capability": capability, "body": body}))
    }

    /// Whether a custom capability can have that name.
    pub(super) fn accepts(&mut self, name: &str) -> bool {
        self.ask(&json!({"name": name}))["accepted"] == true
    }

    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.input, "{question}").expect("the reference listens");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the reference answers");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("the reference failed at {question}: {line:?}"))
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn python(environment: &PathBuf) -> PathBuf {
    let environment = Path::new(environment);
    if cfg!(windows) {
        environment.join("Scripts/python.exe")
    } else {
        environment.join("bin/python")
    }
}

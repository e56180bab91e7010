//! The reference SDK in a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::{Value, json};

/// Answers calls as the reference does.
pub(super) struct Oracle {
    process: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
}

impl Oracle {
    pub(super) fn start() -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
        let mut process = Command::new(crate::conformance::python())
            .arg("-B")
            .arg(directory.join("oracle.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is the reference SDK: cargo xtask test makes its environment");
        Self {
            input: process.stdin.take().unwrap(),
            output: BufReader::new(process.stdout.take().unwrap()),
            process,
        }
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

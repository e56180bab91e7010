//! The reference SDK in a process of its own, which answers one line with one line.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A program of ours that asks the reference.
pub(crate) struct Oracle {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Oracle {
    pub(crate) fn start(script: &Path, arguments: &[&str]) -> Self {
        let mut process = Command::new(python())
            .arg("-B")
            .arg(script)
            .args(arguments)
            .env("NO_PROXY", "127.0.0.1,localhost")
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

    pub(crate) fn ask(&mut self, question: &Value) -> Value {
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

/// The Python that has the reference SDK.
pub(crate) fn python() -> PathBuf {
    let environment = match std::env::var_os("LUMOS_TEST_REFERENCE") {
        Some(environment) => environment.into(),
        None => PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../reference"),
    };
    environment.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    })
}

//! What commands of root meet where the service's account, or what has taken it over, answers in the agent's place: it may
//! write to the state directory, and listen on the control socket there. And as whom root tries a connector.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Output};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use crate::support::agent::Installation;
use crate::support::home::{AGENT, text};

/// Answers each request on the control socket with what `answer` makes of its path, and hands out the heads.
fn listen(installation: &Installation, answer: impl Fn(&str) -> Value + Send + 'static) -> Receiver<String> {
    let listener = UnixListener::bind(installation.file("state/control.sock")).unwrap();
    let (heads, heard) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Some(head) = head(&stream.unwrap(), &answer) else {
                continue;
            };
            if heads.send(head).is_err() {
                return;
            }
        }
    });
    heard
}

fn head(mut stream: &UnixStream, answer: impl Fn(&str) -> Value) -> Option<String> {
    let mut lines = Vec::new();
    for line in BufReader::new(stream).lines() {
        let line = line.ok()?;
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    let body = answer(&path).to_string();
    let length = body.len();
    let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(reply.as_bytes()).ok()?;
    Some(lines.join("\n"))
}

fn listing(file: &str) -> Value {
    json!([{
        "app_id": "okta", "version": "1.0.0", "kind": "native", "state": "ready", "generation": 1, "sha256": null,
        "since": "2026-05-01T00:00:00Z", "last_error": "\u{9b}31m", "in_flight": 0, "capabilities": [],
        "file": file, "isolation": "process", "pid": 1,
    }])
}

fn status(installation: &Installation) -> Output {
    // A command that hangs here would hang a test for ever.
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", "120", AGENT, "status", "--output", "json"]);
    command.env("LUMOS_AGENT_CONFIG", installation.file("agent.toml"));
    command.output().unwrap()
}

#[test]
fn who_answers_does_not_choose_what_is_deleted() {
    for name in ["../victim", "/absolute", "connectors/../../victim", ".."] {
        let installation = Installation::new();
        installation.configure("");
        fs::create_dir_all(installation.file("state")).unwrap();
        fs::write(installation.file("victim"), "precious").unwrap();
        fs::write(installation.file("state/control.cookie"), "0".repeat(64)).unwrap();
        let file = match name {
            "/absolute" => installation.file("victim").display().to_string(),
            other => other.to_owned(),
        };
        let _heads = listen(&installation, move |path| match path {
            "/control/connectors" => listing(&file),
            _ => json!({}),
        });
        let listed = installation.run(["connector", "list", "--output", "json"]);
        let listed = text(&listed.stdout);
        assert!(listed.contains(r"\u009b31m"), "no terminal is steered: {listed}");
        let output = installation.run(["connector", "remove", "okta"]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert!(installation.file("victim").exists(), "{name}");
    }
}

#[test]
fn who_listens_is_shown_nothing_that_root_alone_may_read() {
    let installation = Installation::new();
    installation.configure("");
    fs::create_dir_all(installation.file("state")).unwrap();
    let cookie = installation.file("state/control.cookie");
    let heads = listen(&installation, |_| json!({}));
    let secret = installation.file("secret");
    fs::write(&secret, "a".repeat(64)).unwrap();
    symlink(&secret, &cookie).unwrap();
    assert_eq!(
        status(&installation).status.code(),
        Some(69),
        "a link is not followed"
    );

    fs::remove_file(&cookie).unwrap();
    assert!(Command::new("mkfifo").arg(&cookie).status().unwrap().success());
    assert_eq!(
        status(&installation).status.code(),
        Some(69),
        "nobody writes to a pipe"
    );

    fs::remove_file(&cookie).unwrap();
    fs::write(&cookie, "of more than one line\n").unwrap();
    let output = status(&installation);
    assert_eq!(output.status.code(), Some(69));
    assert!(text(&output.stderr).contains("is not the secret of who listens there"));
    assert!(heads.try_recv().is_err(), "nothing was asked for");

    fs::write(&cookie, "f".repeat(64)).unwrap();
    assert_eq!(status(&installation).status.code(), Some(0));
    assert!(heads.recv().unwrap().contains(&"f".repeat(64)));
}

/// Even where the configuration takes the walls away: the agent itself would load it as the service's account.
#[test]
fn root_tries_no_connector_as_root() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let (source, library) = (home.path().join("who.c"), home.path().join("who.so"));
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/examples/c/example_c.c");
    let code = "#include <unistd.h>\n\
        __attribute__((constructor)) static void who(void) { fprintf(stderr, \"loaded as %d %d\\n\", getuid(), getegid()); }\n";
    let code = format!("#include \"{example}\"\n#include <stdio.h>\n{code}");
    fs::write(&source, code).unwrap();
    let mut compile = Command::new("cc");
    compile.args([
        "-shared",
        "-fPIC",
        "-I",
        concat!(env!("CARGO_MANIFEST_DIR"), "/../plugin-api/include"),
    ]);
    assert!(
        compile
            .arg("-o")
            .arg(&library)
            .arg(&source)
            .status()
            .unwrap()
            .success()
    );

    let installation = Installation::new();
    for sandbox in ["", "[connectors.settings.example-c.sandbox]\nenabled = false\n"] {
        installation.configure(sandbox);
        let output = installation
            .command(["connector", "install"])
            .arg(&library)
            .output()
            .unwrap();
        let told = text(&output.stderr);
        assert!(output.status.success(), "{told}");
        assert!(
            told.contains("loaded as ") && !told.contains("loaded as 0"),
            "{told}"
        );
        let installed = installation.connectors().join("example-c.so");
        assert_eq!(installed.metadata().unwrap().permissions().mode() & 0o7777, 0o755);
    }
}

//! The program: what it prints, and how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use mockapp_server::{Options, Server};

/// A running program that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the program on a free port; gives its address.
fn start(arguments: &[&str]) -> (Running, String, impl Read) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mockapp-server"))
        .args(["--listen", "127.0.0.1:0"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let child = Running(child);
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a line");
    let address = line
        .trim_end()
        .strip_prefix("listening on http://")
        .expect("the announcement")
        .to_owned();
    (child, address, stdout)
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer valid-token\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn it_serves_as_many_users_as_asked_and_ends_with_stdin() {
    let (mut child, address, mut stdout) = start(&["--users", "7", "--exit-with-stdin"]);
    assert!(get(&address, "/api/users?limit=1").contains("\"total\":7"));
    drop(child.0.stdin.take());
    assert!(child.0.wait().expect("it ends").success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("the rest");
    assert_eq!(rest, "", "more than one line on stdout");
}

#[cfg(unix)]
#[test]
fn it_ends_on_sigterm_with_a_connection_open() {
    let (mut child, address, _stdout) = start(&[]);
    let _idle = TcpStream::connect(&address).expect("a connection");
    let id = child.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .expect("kill runs")
            .success()
    );
    assert!(child.0.wait().expect("it ends").success());
}

#[test]
fn an_address_in_use_is_an_error_that_names_it() {
    let (_child, address, _stdout) = start(&[]);
    let second = Command::new(env!("CARGO_BIN_EXE_mockapp-server"))
        .args(["--listen", &address])
        .output()
        .expect("the program runs");
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains(&address));
}

#[test]
fn a_spawned_server_is_gone_when_dropped() {
    let server = Server::spawn(Options {
        users: 3,
        ..Options::default()
    })
    .expect("a server");
    let address = server.address().to_string();
    assert_eq!(server.url(), format!("http://{address}"));
    assert!(get(&address, "/api/users").contains("\"total\":3"));
    drop(server);
    // A program that another test is just starting holds a copy of the listener for a moment.
    while TcpStream::connect(&address).is_ok() {
        std::thread::yield_now();
    }
}

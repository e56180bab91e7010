//! A stand-in for a machine with the package installed: the real agent, connector and mock app, with the package's places
//! below a directory and other ports. Only `sudo`, `systemctl` and the places are not the real ones.

use std::cell::RefCell;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use regex::{Captures, Regex};

use crate::support::connectors::{mockapp, mockapp_server};
use crate::support::home::{AGENT, text};

/// Ports as the documents write them.
const PORTS: [&str; 5] = ["8443", "10002", "8444", "10003", "8000"];

pub(super) struct Machine {
    directory: tempfile::TempDir,
    /// What the documents write, and what it is here. Earlier ones contain later ones.
    places: Vec<(String, String)>,
    /// What runs on until the end.
    started: RefCell<Vec<Child>>,
}

impl Machine {
    pub(super) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("lumos-doc-").tempdir().unwrap();
        let here = |name: &str| directory.path().join(name).display().to_string();
        // Held until all are chosen, so that no two are the same.
        let held: Vec<TcpListener> = PORTS
            .iter()
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let ports = held
            .iter()
            .map(|socket| socket.local_addr().unwrap().port().to_string());
        let mut places: Vec<(String, String)> = [
            ("/var/lib/lumos-agent/connectors", here("agent/connectors")),
            ("/var/lib/lumos-agent", here("agent/state")),
            ("/var/log/lumos-agent", here("agent/logs")),
            ("/etc/lumos-agent", here("agent")),
            ("/usr/lib/lumos-agent", here("lib")),
            ("/srv", here("srv")),
        ]
        .map(|(written, real)| (written.to_owned(), real))
        .into();
        places.extend(PORTS.iter().map(|port| (*port).to_owned()).zip(ports));
        let machine = Machine {
            directory,
            places,
            started: RefCell::default(),
        };
        machine.install();
        machine
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn install(&self) {
        for name in ["bin", "work", "srv", "lib/connectors"] {
            fs::create_dir_all(self.file(name)).unwrap();
        }
        fs::copy(mockapp(), self.file("lib/connectors/mockapp.so")).unwrap();
        std::os::unix::fs::symlink(mockapp_server(), self.file("lib/mockapp-server")).unwrap();
        let ours = |script: &str| {
            script
                .replace("AGENT", AGENT)
                .replace("HERE", &self.directory.path().display().to_string())
                .replace("8443", &self.real("8443"))
                .replace("10002", &self.real("10002"))
        };
        let programs = [
            ("lumos-agent", LUMOS_AGENT),
            ("sudo", "#!/bin/sh\nexec \"$@\"\n"),
            ("systemctl", SYSTEMCTL),
        ];
        for (name, script) in programs {
            let path = self.file("bin").join(name);
            fs::write(&path, ours(script)).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// As it is here.
    pub(super) fn real(&self, written: &str) -> String {
        let pairs = self.places.iter().map(|(from, to)| (from.as_str(), to.as_str()));
        replaced(written, pairs).replace("0.0.0.0", "127.0.0.1")
    }

    /// As the documents write it.
    pub(super) fn written(&self, real: &str) -> String {
        replaced(
            real,
            self.places.iter().map(|(to, from)| (from.as_str(), to.as_str())),
        )
    }

    /// Runs a script as it stands in a document; its output as a document would show it. `codes` are those that it may end
    /// with.
    pub(super) fn run(&self, script: &str, codes: &[i32]) -> String {
        let output = self.shell(&self.real(script)).output().unwrap();
        let journal = fs::read_to_string(self.file("journal")).unwrap_or_default();
        let code = output.status.code().unwrap_or(-1);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert!(
            codes.contains(&code),
            "{script}\nended with {code}\n{stdout}\n{stderr}\nthe agent's log:\n{journal}"
        );
        self.written(&stdout)
    }

    /// Starts a program that runs on, and waits until it answers.
    pub(super) fn background(&self, command: &str) {
        let real = self.real(command.trim());
        let log = fs::File::create(self.file("background.log")).unwrap();
        let mut shell = self.shell(&format!("exec {real}"));
        let child = shell
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.started.borrow_mut().push(child);
        let answers = match real.strip_suffix(" run") {
            Some(agent) => format!("{agent} status"),
            // The only other one that is started so.
            None => format!("curl -s http://127.0.0.1:{}/", self.real("8000")),
        };
        let wait =
            format!("for i in $(seq 600); do {answers} > /dev/null 2>&1 && exit 0; sleep 0.1; done; exit 1");
        let answered = self.shell(&wait).status().unwrap();
        let log = fs::read_to_string(self.file("background.log")).unwrap();
        assert!(answered.success(), "{command}\n{log}");
    }

    fn shell(&self, script: &str) -> Command {
        let path = std::env::var("PATH").unwrap();
        let mut shell = Command::new("sh");
        shell
            .args(["-ec", script])
            .current_dir(self.file("work"))
            .env_clear()
            .env("PATH", format!("{}:{path}", self.file("bin").display()))
            .env("HOME", self.file("work"))
            .env("LUMOS_AGENT_CONFIG", self.file("agent/agent.toml"))
            .env("NO_PROXY", "127.0.0.1,localhost")
            .stdin(Stdio::null());
        shell
    }

    /// Gives keys of a configuration the values that `toml` says, as somebody with an editor would.
    pub(super) fn set(&self, file: &str, toml: &str) {
        let file = PathBuf::from(self.real(file));
        let mut lines: Vec<String> = fs::read_to_string(&file)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect();
        let mut section = 0;
        for line in self.real(toml).lines() {
            if line.starts_with('[') {
                section = lines.iter().position(|own| own == line).unwrap_or_else(|| {
                    lines.push(line.to_owned());
                    lines.len() - 1
                });
                continue;
            }
            let key = line.split('=').next().unwrap().trim().to_owned();
            let rest = &lines[section + 1..];
            let end = rest
                .iter()
                .position(|own| own.starts_with('['))
                .unwrap_or(rest.len());
            let names = |own: &String| own.split('=').next().unwrap().trim() == key && own.contains('=');
            match rest[..end].iter().position(names) {
                Some(at) => lines[section + 1 + at] = line.to_owned(),
                None => lines.insert(section + 1, line.to_owned()),
            }
        }
        fs::write(&file, lines.join("\n") + "\n").unwrap();
    }
}

/// In one pass, so that nothing is replaced in what was put in.
fn replaced<'p>(text: &str, pairs: impl Iterator<Item = (&'p str, &'p str)>) -> String {
    let pairs: Vec<(&str, &str)> = pairs.collect();
    let names: Vec<String> = pairs.iter().map(|(from, _)| regex::escape(from)).collect();
    let any = Regex::new(&names.join("|")).unwrap();
    let with = |found: &Captures<'_>| {
        let pair = pairs.iter().find(|(from, _)| *from == &found[0]);
        pair.unwrap().1.to_owned()
    };
    any.replace_all(text, with).into_owned()
}

impl Drop for Machine {
    fn drop(&mut self) {
        for child in self.started.get_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
        // The one that `systemctl` started. Only if it still is ours: a number may have been given to somebody else.
        let pid = fs::read_to_string(self.file("pid")).unwrap_or_default();
        let pid = pid.trim().parse().ok().and_then(rustix::process::Pid::from_raw);
        let ours = |pid: &rustix::process::Pid| {
            let program = fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero()));
            program.is_ok_and(|program| program == Path::new(AGENT))
        };
        if let Some(pid) = pid.filter(ours) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// The real one, which sets up its own places.
const LUMOS_AGENT: &str = r#"#!/bin/sh
if [ "$1" = init ]; then
    case " $* " in
        *" --dir "*) ;;
        *)
            AGENT "$@" --dir HERE/agent || exit
            exec sed -i -e 's/^# listen = "0.0.0.0:.*/listen = "127.0.0.1:8443"/' \
                -e 's/^# listen = "127.0.0.1:.*/listen = "127.0.0.1:10002"/' HERE/agent/agent.toml
            ;;
    esac
fi
exec AGENT "$@"
"#;

/// As much of it as the documents use.
const SYSTEMCTL: &str = r#"#!/bin/sh
set -e
lives() { kill -0 "$1" 2> /dev/null && ! grep -q ') Z' "/proc/$1/stat"; }
start() {
    lumos-agent run >> HERE/journal 2>&1 < /dev/null &
    pid=$!
    echo $pid > HERE/pid
    for i in $(seq 600); do
        lumos-agent status > /dev/null 2>&1 && return
        lives $pid || exit 1
        sleep 0.1
    done
    exit 1
}
stop() {
    pid=$(cat HERE/pid)
    kill -TERM "$pid"
    while lives "$pid"; do sleep 0.05; done
}
case "$*" in
    'enable --now lumos-agent' | 'start lumos-agent') start ;;
    'stop lumos-agent') stop ;;
    'restart lumos-agent') stop; start ;;
    *) echo "not stood in for: systemctl $*" >&2; exit 1 ;;
esac
"#;

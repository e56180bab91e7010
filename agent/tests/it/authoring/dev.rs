//! `lumos-agent dev` at work, as an author has it in a terminal.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Patience with a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running `dev`; it ends with this.
pub(super) struct Dev {
    child: Child,
    lines: Arc<(Mutex<Vec<String>>, Condvar)>,
    /// Where it serves, such as `127.0.0.1:40123`.
    pub(super) address: String,
}

impl Dev {
    /// Starts the command, which must take a free port and print what `dev` prints.
    pub(super) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines: Arc<(Mutex<Vec<String>>, Condvar)> = Arc::default();
        let (printed, output) = (lines.clone(), BufReader::new(child.stderr.take().unwrap()));
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                printed.0.lock().unwrap().push(line);
                printed.1.notify_all();
            }
        });
        let mut dev = Self {
            child,
            lines,
            address: String::new(),
        };
        let line = dev.wait_for(" at http://");
        let address = line.split_once(" at http://").unwrap().1;
        dev.address = address[..address.find('/').unwrap()].to_owned();
        dev
    }

    /// Waits until a line with this text was printed, and gives the line.
    pub(super) fn wait_for(&self, text: &str) -> String {
        let lines = self.lines.0.lock().unwrap();
        let missing = |lines: &mut Vec<String>| !lines.iter().any(|line| line.contains(text));
        let (lines, _) = self.lines.1.wait_timeout_while(lines, PATIENCE, missing).unwrap();
        let found = lines.iter().find(|line| line.contains(text));
        found
            .unwrap_or_else(|| panic!("dev never said {text:?}: {lines:#?}"))
            .clone()
    }

    /// Ends it as Ctrl-C does.
    pub(super) fn end(mut self) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "dev ended with {status}");
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

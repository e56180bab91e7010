//! Standard error, where the agent's log goes whatever else happens.
//!
//! The journal of systemd stamps each line itself and takes its level from a prefix (sd-daemon(3)); where standard error is
//! the journal, lines are written so. Elsewhere they are written as they are.
#![forbid(unsafe_code)]

use std::io::{self, Write};

/// `2026-01-02T12:00:00.500000Z `
const STAMP: usize = 28;
/// What stands before the level in a line of JSON: `{"timestamp":"2026-01-02T12:00:00.500000Z","level":"`
const JSON_LEVEL: usize = 52;

/// Where lines go. Each ends with a newline and has none within.
pub(super) struct Console {
    out: Box<dyn Write + Send>,
    journal: bool,
}

impl Console {
    /// Standard error of this process.
    pub(super) fn stderr() -> Self {
        Console {
            out: Box::new(io::stderr()),
            journal: is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref()),
        }
    }

    #[cfg(test)]
    pub(super) fn to(out: impl Write + Send + 'static, journal: bool) -> Self {
        Console {
            out: Box::new(out),
            journal,
        }
    }

    /// Writes whole lines. There is nowhere to tell that this fails.
    pub(super) fn write(&mut self, lines: &[u8]) {
        let _ = match self.journal {
            true => self.out.write_all(&for_journal(lines)),
            false => self.out.write_all(lines),
        };
        let _ = self.out.flush();
    }
}

fn for_journal(lines: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(lines.len() + 64);
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let stamped = line.len() > STAMP && line[STAMP - 2..STAMP] == *b"Z ";
        let (level, line) = match line.first() {
            Some(b'{') => (line.get(JSON_LEVEL..).unwrap_or_default(), line),
            _ if stamped => (line[STAMP..].trim_ascii_start(), line[STAMP..].trim_ascii_start()),
            _ => (&[][..], line),
        };
        out.extend_from_slice(priority(level));
        out.extend_from_slice(line);
    }
    out
}

fn priority(level: &[u8]) -> &'static [u8] {
    match level {
        [b'E', b'R', ..] => b"<3>",
        [b'W', b'A', ..] => b"<4>",
        [b'D', b'E', ..] | [b'T', b'R', ..] => b"<7>",
        _ => b"<6>",
    }
}

/// Whether standard error is the stream that the variable names: it is inherited by whoever redirects, too.
#[cfg(target_os = "linux")]
fn is_journal(variable: Option<&str>) -> bool {
    let named = variable.and_then(|text| {
        let (device, inode) = text.split_once(':')?;
        Some((device.parse::<u64>().ok()?, inode.parse::<u64>().ok()?))
    });
    let Some(named) = named else { return false };
    rustix::fs::fstat(io::stderr()).is_ok_and(|found| (found.st_dev, found.st_ino) == named)
}

#[cfg(not(target_os = "linux"))]
fn is_journal(_: Option<&str>) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_gets_levels_and_stamps_lines_itself() {
        let lines = "2026-01-02T12:00:00.500000Z  WARN hot\n\
                     2026-01-02T12:00:00.500000Z ERROR broken\n\
                     {\"timestamp\":\"2026-01-02T12:00:00.500000Z\",\"level\":\"DEBUG\",\"message\":\"m\"}\n\
                     something else\n";
        assert_eq!(
            String::from_utf8(for_journal(lines.as_bytes())).unwrap(),
            "<4>WARN hot\n<3>ERROR broken\n\
             <7>{\"timestamp\":\"2026-01-02T12:00:00.500000Z\",\"level\":\"DEBUG\",\"message\":\"m\"}\n\
             <6>something else\n"
        );
    }

    #[test]
    fn a_variable_that_names_another_stream_is_none() {
        for variable in [None, Some(""), Some("1"), Some("8:1"), Some("x:y")] {
            assert!(!is_journal(variable), "{variable:?}");
        }
    }
}

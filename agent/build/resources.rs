//! What Windows reads from the program itself: its version, and the texts of its events.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

#[path = "../src/telemetry/event_log/catalogue.rs"]
mod catalogue;

use catalogue::EVENTS;

/// `RT_MESSAGETABLE`.
const MESSAGE_TABLE: u32 = 11;

/// Compiles the resources into the program, where it is built for Windows.
pub(crate) fn compile(out: &Path) -> io::Result<()> {
    println!("cargo::rerun-if-changed=src/telemetry/event_log/catalogue.rs");
    if env::var_os("CARGO_CFG_WINDOWS").is_none() {
        return Ok(());
    }
    fs::write(out.join("events.bin"), message_table())?;
    let script = out.join("lumos-agent.rc");
    fs::write(&script, version_and_messages())?;
    embed_resource::compile_for(&script, ["lumos-agent"], embed_resource::NONE)
        .manifest_required()
        .map_err(|error| io::Error::other(error.to_string()))
}

/// `MESSAGE_RESOURCE_DATA`: a block for each message, then the messages.
fn message_table() -> Vec<u8> {
    let mut events: Vec<_> = EVENTS.iter().collect();
    events.sort_by_key(|event| event.code());
    let mut blocks = Vec::new();
    let mut entries = Vec::new();
    let start = 4 + 12 * events.len();
    for event in &events {
        let at = (start + entries.len()) as u32;
        for number in [event.code(), event.code(), at] {
            blocks.extend(number.to_le_bytes());
        }
        // The line of the log takes the place of %1.
        let text = format!("%1\r\n\r\n{}\r\n\0", event.advice.replace('%', "%%"));
        let mut units: Vec<u16> = text.encode_utf16().collect();
        if units.len() % 2 == 1 {
            units.push(0);
        }
        let length = (4 + 2 * units.len()) as u16;
        // 1 says that the text is in UTF-16.
        for number in [length, 1] {
            entries.extend(number.to_le_bytes());
        }
        entries.extend(units.into_iter().flat_map(u16::to_le_bytes));
    }
    let count = (events.len() as u32).to_le_bytes();
    [count.as_slice(), &blocks, &entries].concat()
}

fn version_and_messages() -> String {
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let numbers: Vec<&str> = version.split(['.', '-']).take(3).collect();
    let numbers = numbers.join(",");
    let mut text = format!("1 {MESSAGE_TABLE} \"events.bin\"\n\n1 VERSIONINFO\n");
    let _ = writeln!(text, "FILEVERSION {numbers},0\nPRODUCTVERSION {numbers},0");
    // A program (1) for Windows NT (0x40004).
    text.push_str("FILEOS 0x40004\nFILETYPE 0x1\nBEGIN\n  BLOCK \"StringFileInfo\"\n  BEGIN\n    BLOCK \"040904b0\"\n    BEGIN\n");
    for (name, value) in [
        ("CompanyName", "Lumos"),
        ("ProductName", "Lumos Agent"),
        ("FileDescription", "Lumos Agent"),
        ("OriginalFilename", "lumos-agent.exe"),
        ("FileVersion", &version),
        ("ProductVersion", &version),
    ] {
        let _ = writeln!(text, "      VALUE \"{name}\", \"{value}\"");
    }
    text.push_str("    END\n  END\n  BLOCK \"VarFileInfo\"\n  BEGIN\n    VALUE \"Translation\", 0x409, 1200\n  END\nEND\n");
    text
}

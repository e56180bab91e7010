//! Judges a copy by its bytes: is it a whole shared library for this machine?

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use object::read::ReadCache;

use super::{Refusal, elf, pe, unreadable};

/// Judges the `size` bytes of `file`.
pub(super) fn verify(mut file: &File, size: u64) -> Result<(), Refusal> {
    let mut head = Vec::with_capacity(512);
    file.take(512)
        .read_to_end(&mut head)
        .map_err(|error| unreadable(&error))?;
    file.seek(SeekFrom::Start(0))
        .map_err(|error| unreadable(&error))?;
    let native = if cfg!(windows) { Kind::Pe } else { Kind::Elf };
    let kind = Kind::of(&head);
    if kind != native {
        return Err(kind.refusal());
    }
    let cache = ReadCache::new(file);
    match kind {
        Kind::Pe => pe::verify(&cache, size),
        _ => elf::verify(&cache, size),
    }
}

/// What the first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Elf,
    Pe,
    MachO,
    StaticLibrary,
    Compressed,
    /// Nothing but zeros: room was made for a file that is yet to be written.
    Blank,
    Text,
    Other,
}

impl Kind {
    fn of(head: &[u8]) -> Self {
        const MACH_O: [[u8; 4]; 4] = [
            [0xCF, 0xFA, 0xED, 0xFE],
            [0xCE, 0xFA, 0xED, 0xFE],
            [0xFE, 0xED, 0xFA, 0xCF],
            [0xCA, 0xFE, 0xBA, 0xBE],
        ];
        match head {
            [0x7F, b'E', b'L', b'F', ..] => Kind::Elf,
            [b'M', b'Z', ..] => Kind::Pe,
            [b'!', b'<', b'a', b'r', b'c', b'h', b'>', ..] => Kind::StaticLibrary,
            [0x1F, 0x8B, ..] | [b'P', b'K', 3, 4, ..] => Kind::Compressed,
            _ if MACH_O.iter().any(|magic| head.starts_with(magic)) => Kind::MachO,
            _ if head.iter().all(|byte| *byte == 0) => Kind::Blank,
            _ if is_text(head) => Kind::Text,
            _ => Kind::Other,
        }
    }

    fn refusal(self) -> Refusal {
        let wanted = if cfg!(windows) {
            "a Windows library (.dll)"
        } else {
            "a Linux shared library (.so)"
        };
        let what = match self {
            Kind::Elf => "it is a Linux library",
            Kind::Pe => "it is a Windows library",
            Kind::MachO => "it is a macOS library",
            Kind::StaticLibrary => "it is a static library",
            Kind::Compressed => "it is a compressed archive",
            Kind::Text => "it is a text file",
            Kind::Blank => {
                return Refusal::Incomplete("the file holds only zeros yet; waiting for its content".into());
            }
            Kind::Other => "its content is not that of a library",
        };
        Refusal::File(format!(
            "{what}; build the connector as {wanted} for {}",
            std::env::consts::ARCH
        ))
    }
}

fn is_text(head: &[u8]) -> bool {
    // The last character may be cut.
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.valid_up_to() + 4 > head.len() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !valid.is_empty() && valid.chars().all(|c| !c.is_control() || c.is_ascii_whitespace())
}

/// The file ends before the table or section that reaches to `needed`.
pub(super) fn incomplete(size: u64, needed: u64) -> Refusal {
    Refusal::Incomplete(format!(
        "the file is incomplete: it has {size} bytes of at least {needed}; waiting for the rest. If nothing is copying it, copy it again"
    ))
}

/// The tables contradict themselves.
pub(super) fn broken(what: &str) -> Refusal {
    Refusal::File(format!("the library is damaged ({what}); build it again"))
}

/// Built for another processor.
pub(super) fn foreign(machine: &str) -> Refusal {
    Refusal::File(format!(
        "it is built for {machine}, this machine is {}; build it for this machine",
        std::env::consts::ARCH
    ))
}

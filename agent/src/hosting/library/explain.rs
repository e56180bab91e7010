//! Says in people's words why the system's loader will not take a file.
#![forbid(unsafe_code)]

use std::io::Read;
use std::path::Path;

use crate::hosting::backend::LoadError;

/// Looks at the first bytes of the file: the loader's own message for a library of another CPU or system ("no such file")
/// sends people the wrong way.
pub(super) fn check_image(path: &Path) -> Result<(), LoadError> {
    let mut head = [0; 0x400];
    let mut file = std::fs::File::open(path).map_err(|error| {
        LoadError::failed(format!("the private copy of the library cannot be read: {error}"))
    })?;
    let mut length = 0;
    while length < head.len() {
        match file.read(&mut head[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) => {
                return Err(LoadError::failed(format!(
                    "the private copy of the library cannot be read: {error}"
                )));
            }
        }
    }
    match image_problem(&head[..length], cfg!(windows), std::env::consts::ARCH) {
        None => Ok(()),
        Some(problem) => Err(LoadError::refused(problem)),
    }
}

/// What is wrong with a library that begins with `head`, for a host of this system and CPU.
fn image_problem(head: &[u8], windows: bool, arch: &str) -> Option<String> {
    let system = if windows { "Windows" } else { "Linux" };
    let (found, cpu) = if head.starts_with(b"\x7fELF") {
        ("Linux", elf_cpu(head))
    } else if head.starts_with(b"MZ") {
        ("Windows", pe_cpu(head))
    } else if head.starts_with(&[0xcf, 0xfa, 0xed, 0xfe]) {
        ("macOS", None)
    } else {
        return Some(format!(
            "the file is not a shared library; install the connector as it was built for {system} on {arch}"
        ));
    };
    if found != system {
        return Some(format!(
            "the library is built for {found}, this agent runs on {system}; install the {system} build of the connector"
        ));
    }
    match cpu {
        Some(cpu) if cpu == arch => None,
        cpu => Some(format!(
            "the library is built for the CPU {}, this agent runs on {arch}; install the {arch} build of the connector",
            cpu.unwrap_or("of an unknown kind")
        )),
    }
}

fn elf_cpu(head: &[u8]) -> Option<&'static str> {
    let class = *head.get(4)?;
    let machine = u16::from_le_bytes(head.get(18..20)?.try_into().ok()?);
    Some(match (class, machine) {
        (2, 62) => "x86_64",
        (2, 183) => "aarch64",
        (2, 243) => "riscv64",
        (1, 3) => "x86 (32 bit)",
        (1, 40) => "arm (32 bit)",
        _ => return None,
    })
}

fn pe_cpu(head: &[u8]) -> Option<&'static str> {
    let at = u32::from_le_bytes(head.get(0x3c..0x40)?.try_into().ok()?) as usize;
    let machine = head.get(at.checked_add(4)?..at.checked_add(6)?)?;
    Some(match u16::from_le_bytes(machine.try_into().ok()?) {
        0x8664 => "x86_64",
        0xaa64 => "aarch64",
        0x014c => "x86 (32 bit)",
        _ => return None,
    })
}

/// Makes a message of what `dlopen` or `LoadLibrary` said.
pub(super) fn load_error(said: &str) -> LoadError {
    let said: String = said
        .chars()
        .take(600)
        .collect::<String>()
        .escape_debug()
        .to_string();
    let missing = said.contains("cannot open shared object file") || said.contains("Module not found");
    if missing {
        // An administrator may install what is missing, so the same bytes may load later.
        return LoadError::failed(format!(
            "the library needs another library that is not installed: {said}; install it on this machine, or link it \
             statically into the connector"
        ));
    }
    if said.contains("GLIBC_") || said.contains("GLIBCXX_") {
        return LoadError::refused(format!(
            "the library was built on a newer system than this one: {said}; build it on the oldest system it must run on"
        ));
    }
    if said.contains("undefined symbol") {
        return LoadError::refused(format!(
            "the library uses a function that nothing provides: {said}; link what it needs into it"
        ));
    }
    if said.contains("failed to map segment") {
        return LoadError::failed(format!(
            "the library cannot be mapped: {said}; is the agent's state directory on a file system mounted noexec?"
        ));
    }
    LoadError::refused(format!(
        "the library cannot be loaded: {said}; copy it again, or rebuild it for this system"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(class: u8, machine: u16) -> Vec<u8> {
        let mut head = b"\x7fELF".to_vec();
        head.resize(64, 0);
        head[4] = class;
        head[18..20].copy_from_slice(&machine.to_le_bytes());
        head
    }

    #[test]
    fn a_library_for_another_machine_is_told_from_one_for_this() {
        assert_eq!(image_problem(&elf(2, 62), false, "x86_64"), None);
        let wrong = image_problem(&elf(2, 183), false, "x86_64").unwrap();
        assert!(
            wrong.contains("CPU aarch64") && wrong.contains("x86_64 build"),
            "{wrong}"
        );
        let wrong = image_problem(&elf(1, 3), false, "x86_64").unwrap();
        assert!(wrong.contains("32 bit"), "{wrong}");
        let wrong = image_problem(b"MZ", false, "x86_64").unwrap();
        assert!(wrong.contains("built for Windows"), "{wrong}");
        let wrong = image_problem(b"#!/bin/sh", false, "x86_64").unwrap();
        assert!(wrong.contains("not a shared library"), "{wrong}");
    }

    #[test]
    fn a_missing_dependency_may_appear_later() {
        let error = load_error("libfoo.so.1: cannot open shared object file: No such file or directory");
        assert!(!error.refused && error.text.contains("libfoo.so.1"));
        let error = load_error("x.so: undefined symbol: curl_easy_init");
        assert!(error.refused && error.text.contains("curl_easy_init"));
        assert!(
            load_error("version `GLIBC_2.99' not found")
                .text
                .contains("newer system")
        );
    }
}

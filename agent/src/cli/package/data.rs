//! The data files of a connector: they are compiled into its library, because an agent takes, checks, signs and replaces one
//! file. What can go wrong then is a library that was built before the files were changed, so that is looked at.

use std::io;
use std::path::{Path, PathBuf};

use crate::cli::exit::{Exit, Failure};

/// Every file that is named, or below a directory that is named, in a fixed order.
///
/// # Errors
/// If one cannot be read, or the library does not hold its bytes.
pub(super) fn confirm(library: &[u8], named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in named {
        collect(path, &mut files).map_err(|error| Failure::file("read", path, &error))?;
    }
    for file in &files {
        let data = std::fs::read(file).map_err(|error| Failure::file("read", file, &error))?;
        if !holds(library, &data) {
            return Err(Failure::new(
                Exit::Failed,
                format!("the library does not hold {} as it is now", file.display()),
                "compile it in (`include_bytes!` or `include_str!` in Rust, `.incbin` in C), and build again",
            ));
        }
    }
    Ok(files)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !std::fs::metadata(path)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries = std::fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    entries.iter().try_for_each(|entry| collect(entry, files))
}

/// An empty file is held by any library.
fn holds(library: &[u8], data: &[u8]) -> bool {
    data.is_empty() || library.windows(data.len()).any(|part| part == data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_found_wherever_it_lies_and_only_whole() {
        let library = b"\x7fELF....a file....";
        for (data, held) in [
            (&b""[..], true),
            (b"\x7fELF", true),
            (b"a file", true),
            (b"....a file....", true),
            (b"a file.....", false),
            (b"another", false),
        ] {
            assert_eq!(holds(library, data), held, "{data:?}");
        }
        assert!(!holds(b"a", b"ab"));
    }
}

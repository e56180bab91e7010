//! Lists the sources that `connector new` lays beside a new connector, so that it can be built without this repository, and
//! compiles what Windows reads from the program.

#[path = "build/resources.rs"]
mod resources;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let agent = variable("CARGO_MANIFEST_DIR")?;
    let api = agent.join("../plugin-api").canonicalize()?;
    let mut text = String::new();
    let mut sdk = Vec::new();
    for package in ["abi", "models", "sdk"] {
        sdk.push(api.join(package).join("Cargo.toml"));
        below(&api.join(package).join("src"), &mut sdk)?;
    }
    list(&mut text, "SDK", &api, &mut sdk);
    for (name, language) in [("RUST", "rust"), ("C", "c")] {
        let root = agent.join("templates").join(language);
        let mut files = Vec::new();
        below(&root, &mut files)?;
        list(&mut text, name, &root, &mut files);
    }
    let out = variable("OUT_DIR")?;
    fs::write(out.join("sources.rs"), text)?;
    resources::compile(&out)
}

fn variable(name: &str) -> io::Result<PathBuf> {
    env::var_os(name)
        .map(PathBuf::from)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("cargo has not set {name}")))
}

/// All files below `directory` but modules of unit tests, which nothing builds there.
fn below(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", directory.display());
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            below(&path, files)?;
        } else if path.file_name() != Some("tests.rs".as_ref()) {
            files.push(path);
        }
    }
    Ok(())
}

/// A constant with the files' paths below `root`, and their texts. In order, so that the same sources make the same program.
fn list(text: &mut String, name: &str, root: &Path, files: &mut [PathBuf]) {
    files.sort();
    let _ = writeln!(text, "pub(super) const {name}: &[(&str, &str)] = &[");
    for file in files {
        println!("cargo::rerun-if-changed={}", file.display());
        let below = file.strip_prefix(root).unwrap_or(file);
        let below = below.to_string_lossy().replace('\\', "/");
        let _ = writeln!(text, "    ({below:?}, include_str!({file:?})),");
    }
    text.push_str("];\n");
}

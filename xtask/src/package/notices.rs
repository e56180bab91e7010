//! The licences of others' code in the programs, which ask that their text comes along.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context;

use super::components::Component;

const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT"];

/// Each text once, below the crates that it is of.
pub(super) fn text(components: &[Component]) -> anyhow::Result<String> {
    let mut out = "Code of others in these programs, and its licences.\n".to_owned();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let _ = writeln!(out);
    for component in components.iter().filter(|component| !component.own) {
        let license = component.license.as_deref().unwrap_or("see below");
        let repository = component.repository.as_deref().unwrap_or("");
        let _ = writeln!(
            out,
            "{} {}  {license}  {repository}",
            component.name, component.version
        );
        for text in licences(&component.directory)? {
            texts.entry(text).or_default().push(component.name.clone());
        }
    }
    for (text, of) in &texts {
        let _ = write!(
            out,
            "\n{}\n{}\n\n{}\n",
            "=".repeat(100),
            of.join(", "),
            text.trim()
        );
    }
    Ok(out)
}

fn licences(directory: &Path) -> anyhow::Result<Vec<String>> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_ascii_uppercase();
        if entry.path().is_file() && NAMES.iter().any(|start| name.starts_with(start)) {
            found.push(String::from_utf8_lossy(&fs::read(entry.path())?).into_owned());
        }
    }
    found.sort();
    Ok(found)
}

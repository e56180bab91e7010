//! What is linked into the programs, as cargo resolved it, and the list of it (SBOM) in CycloneDX.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Value, json};

use super::CRATES;
use crate::workspace::Workspace;

/// One crate.
#[derive(Debug)]
pub(super) struct Component {
    pub(super) name: String,
    pub(super) version: String,
    /// An SPDX expression.
    pub(super) license: Option<String>,
    pub(super) repository: Option<String>,
    /// Whether it is of this workspace.
    pub(super) own: bool,
    /// Where its sources are.
    pub(super) directory: PathBuf,
    /// `name version`, of what it uses.
    uses: BTreeSet<String>,
}

impl Component {
    fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    fn url(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version)
    }
}

/// Everything that the shipped programs and connectors are made of, for the system that this runs on: neither what only
/// tests use nor what only runs while building.
pub(super) fn shipped(workspace: &Workspace) -> anyhow::Result<Vec<Component>> {
    let metadata = workspace.metadata(&["--locked", "--filter-platform", &host()?])?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let by_id = |list: Vec<Value>| -> BTreeMap<String, Value> {
        let id = |entry: &Value| entry["id"].as_str().unwrap_or_default().to_owned();
        list.into_iter().map(|entry| (id(&entry), entry)).collect()
    };
    let packages = by_id(list(&metadata["packages"]));
    let nodes = by_id(list(&metadata["resolve"]["nodes"]));
    let is_root =
        |entry: &Value| CRATES.iter().any(|name| entry["name"] == *name) && entry["source"].is_null();
    let mut waiting: Vec<String> = packages
        .iter()
        .filter(|(_, entry)| is_root(entry))
        .map(|(id, _)| id.clone())
        .collect();
    anyhow::ensure!(
        waiting.len() == CRATES.len(),
        "not all shipped crates are known to cargo"
    );
    let mut seen = BTreeMap::new();
    while let Some(id) = waiting.pop() {
        if seen.contains_key(&id) {
            continue;
        }
        let uses = linked(&nodes[&id]);
        waiting.extend(uses.iter().cloned());
        seen.insert(id, uses);
    }
    let mut components: Vec<Component> = seen
        .iter()
        .map(|(id, uses)| component(&packages[id], uses.iter().map(|used| &packages[used])))
        .collect::<anyhow::Result<_>>()?;
    let linked = linked_names(workspace)?;
    components.retain(|component| linked.contains(&component.id()));
    for component in &mut components {
        component.uses.retain(|used| linked.contains(used));
    }
    components.sort_by_key(Component::id);
    Ok(components)
}

/// `name@version` of all that the shipped crates link with the features that they are built with. The graph of the whole
/// workspace, which has all else that is told of a crate, knows only the features of all its members together.
pub(super) fn linked_names(workspace: &Workspace) -> anyhow::Result<BTreeSet<String>> {
    let mut tree = workspace.cargo();
    tree.args([
        "tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}",
    ]);
    tree.args(CRATES.iter().flat_map(|name| ["--package", name]));
    let output = tree.stderr(std::process::Stdio::inherit()).output()?;
    anyhow::ensure!(output.status.success(), "cargo tree: {}", output.status);
    let names = String::from_utf8(output.stdout)?
        .lines()
        .filter_map(|line| line.split_once(" v"))
        .filter_map(|(name, rest)| Some(format!("{name}@{}", rest.split_whitespace().next()?)))
        .collect();
    Ok(names)
}

/// What a crate links, by cargo's ids.
fn linked(node: &Value) -> BTreeSet<String> {
    let ordinary = |dependency: &&Value| {
        let kinds = dependency["dep_kinds"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
    };
    let dependencies = node["deps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ids = dependencies
        .iter()
        .filter(ordinary)
        .filter_map(|dependency| dependency["pkg"].as_str());
    ids.map(str::to_owned).collect()
}

fn component<'p>(entry: &Value, uses: impl Iterator<Item = &'p Value>) -> anyhow::Result<Component> {
    let text = |entry: &Value, key: &str| entry[key].as_str().map(str::to_owned);
    let manifest = text(entry, "manifest_path").context("a crate without a manifest")?;
    let name = |entry: &Value| {
        format!(
            "{}@{}",
            entry["name"].as_str().unwrap_or_default(),
            entry["version"].as_str().unwrap_or_default()
        )
    };
    Ok(Component {
        name: text(entry, "name").context("a crate without a name")?,
        version: text(entry, "version").context("a crate without a version")?,
        license: text(entry, "license"),
        repository: text(entry, "repository"),
        own: entry["source"].is_null(),
        directory: Path::new(&manifest).parent().unwrap_or(Path::new("/")).to_owned(),
        uses: uses.map(name).collect(),
    })
}

/// The list in CycloneDX 1.5. Of the same sources the same: it has no serial number and no time.
pub(super) fn sbom(components: &[Component]) -> Value {
    let main = components.iter().find(|component| component.name == CRATES[0]);
    let entries: Vec<Value> = components.iter().map(entry).collect();
    let dependencies: Vec<Value> = components
        .iter()
        .map(|component| json!({"ref": component.id(), "dependsOn": component.uses}))
        .collect();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {
            "type": "application",
            "bom-ref": "package",
            "name": "lumos-agent",
            "version": main.map(|component| &component.version),
            "licenses": [{"expression": "Apache-2.0"}],
        }},
        "components": entries,
        "dependencies": dependencies,
    })
}

fn entry(component: &Component) -> Value {
    let kind = if CRATES.contains(&component.name.as_str()) {
        "application"
    } else {
        "library"
    };
    let mut entry = json!({
        "type": kind,
        "bom-ref": component.id(),
        "name": component.name,
        "version": component.version,
        "purl": component.url(),
    });
    if let Some(license) = &component.license {
        // Cargo took a slash for "or" once.
        entry["licenses"] = json!([{"expression": license.replace('/', " OR ")}]);
    }
    if let Some(repository) = &component.repository {
        entry["externalReferences"] = json!([{"type": "vcs", "url": repository}]);
    }
    entry
}

/// The target that the compiler builds for by itself.
fn host() -> anyhow::Result<String> {
    let output = std::process::Command::new("rustc").arg("-vV").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned)
        .context("rustc does not say what it builds for")
}

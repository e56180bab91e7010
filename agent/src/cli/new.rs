//! `connector new`: a project that builds and passes its tests as it is. All that it needs of this repository is in the
//! program: the SDK's sources, the C header, and the versions of third-party crates that they were tested with.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::args::{Language, NewArgs};
use super::exit::{Exit, Failure};
use super::files::{self, Access};
use super::output;
use crate::domain::AppId;

include!(concat!(env!("OUT_DIR"), "/sources.rs"));

const WORKSPACE: &str = include_str!("../../../Cargo.toml");
const LOCK: &str = include_str!("../../../Cargo.lock");
const HEADER: &str = include_str!("../../../plugin-api/include/lumos_connector.h");
const C_CONNECTOR: &str = include_str!("../../../plugins/examples/c/example_c.c");
const C_CHECK: &str = include_str!("../../../plugins/examples/c/check.c");

/// A file of the project: its path below it, and its text.
type File = (String, String);

pub(super) fn run(args: &NewArgs) -> Result<Exit, Failure> {
    let app_id: AppId = args.name.parse().map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("{error}"),
            "the name becomes the connector's app_id; for example: lumos-agent connector new my-app",
        )
    })?;
    let names = Names::of(&app_id);
    let files = match args.lang {
        Language::Rust => rust(&names)?,
        Language::C => c(&names),
        Language::Python => {
            return Err(Failure::new(
                Exit::Usage,
                "connectors in Python are not in this version",
                "--lang rust or --lang c",
            ));
        }
    };
    let directory = args.dir.clone().unwrap_or_else(|| PathBuf::from(app_id.as_str()));
    write(&directory, &files)?;
    output::note(format!(
        "{app_id} is in {}; README.md there says how to go on",
        directory.display()
    ));
    Ok(Exit::Ok)
}

/// What the connector is called in different places.
struct Names {
    app_id: String,
    /// The Cargo package. Never a keyword or the name of a crate of the language's own.
    package: String,
    /// The same as an identifier: the library's name.
    library: String,
    /// For people.
    title: String,
}

impl Names {
    fn of(app_id: &AppId) -> Self {
        let lower = app_id.as_str().to_ascii_lowercase();
        let package = match lower.starts_with(|first: char| first.is_ascii_digit()) {
            true => format!("app-{lower}-connector"),
            false => format!("{lower}-connector"),
        };
        let capital = |word: &str| {
            let (first, rest) = word.split_at(1);
            first.to_ascii_uppercase() + rest
        };
        let words = app_id.as_str().split(['-', '_']).filter(|word| !word.is_empty());
        Names {
            title: words.map(capital).collect::<Vec<_>>().join(" "),
            library: package.replace('-', "_"),
            app_id: app_id.as_str().to_owned(),
            package,
        }
    }

    fn fill(&self, text: &str) -> String {
        text.replace("{{app_id}}", &self.app_id)
            .replace("{{package}}", &self.package)
            .replace("{{crate}}", &self.library)
            .replace("{{title}}", &self.title)
            .replace("{{rust_version}}", env!("CARGO_PKG_RUST_VERSION"))
    }

    fn filled(&self, templates: &[(&str, &str)]) -> Vec<File> {
        let name = |path: &str| match path.strip_suffix(".in") {
            Some("gitignore") => ".gitignore".to_owned(),
            Some(name) => name.to_owned(),
            None => path.to_owned(),
        };
        let fill = |(path, text): &(&str, &str)| (name(path), self.fill(text));
        templates.iter().map(fill).collect()
    }
}

fn rust(names: &Names) -> Result<Vec<File>, Failure> {
    let mut files = names.filled(RUST);
    let below = |(path, text): &(&str, &str)| (format!("vendor/lumos/{path}"), (*text).to_owned());
    files.extend(SDK.iter().map(below));
    let manifest = vendored_manifest().map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("the SDK in this program is damaged: {error}"),
            "install the agent anew",
        )
    })?;
    files.push(("vendor/lumos/Cargo.toml".to_owned(), manifest));
    // Cargo takes out what the connector does not need, and keeps the versions of the rest.
    files.push(("Cargo.lock".to_owned(), LOCK.to_owned()));
    Ok(files)
}

fn c(names: &Names) -> Vec<File> {
    let mut files = names.filled(C);
    let renamed = |text: &str| {
        text.replace("example-c", &names.app_id)
            .replace("example_c.c", "connector.c")
            .replace("Example in C", &names.title)
    };
    files.push(("connector.c".to_owned(), renamed(C_CONNECTOR)));
    files.push(("check.c".to_owned(), renamed(C_CHECK)));
    files.push(("lumos_connector.h".to_owned(), HEADER.to_owned()));
    files
}

/// The workspace of the vendored crates: this one's, with what they inherit from it and nothing else.
fn vendored_manifest() -> Result<String, toml::de::Error> {
    let ours: Table = toml::from_str(WORKSPACE)?;
    let workspace = table(&ours, "workspace");
    let manifests: Vec<(&str, Table)> = SDK
        .iter()
        .filter_map(|(path, text)| Some((path.strip_suffix("/Cargo.toml")?, text)))
        .map(|(directory, text)| Ok((directory, toml::from_str(text)?)))
        .collect::<Result<_, toml::de::Error>>()?;
    let own = |name: &str| {
        let named = |manifest: &Table| table(manifest, "package")["name"].as_str() == Some(name);
        manifests.iter().find(|(_, manifest)| named(manifest))
    };
    let inherits = |name: &str| {
        let sections = ["dependencies", "dev-dependencies"];
        let has = |manifest: &Table| {
            sections
                .iter()
                .any(|section| table(manifest, section).contains_key(name))
        };
        manifests.iter().any(|(_, manifest)| has(manifest))
    };
    let mut dependencies = Table::new();
    for (name, version) in table(&workspace, "dependencies") {
        if let Some((directory, _)) = own(&name) {
            let path = Value::String((*directory).to_owned());
            dependencies.insert(name, Value::Table(Table::from_iter([("path".to_owned(), path)])));
        } else if inherits(&name) {
            dependencies.insert(name, version);
        }
    }
    let members = ["abi", "models", "sdk"].map(|member| Value::String(member.to_owned()));
    let vendored = Table::from_iter([
        ("resolver".to_owned(), workspace["resolver"].clone()),
        ("members".to_owned(), Value::Array(members.into())),
        ("package".to_owned(), workspace["package"].clone()),
        ("lints".to_owned(), workspace["lints"].clone()),
        ("dependencies".to_owned(), Value::Table(dependencies)),
    ]);
    let text = Table::from_iter([("workspace".to_owned(), Value::Table(vendored))]).to_string();
    Ok(format!(
        "# The Connector SDK of lumos-agent {}.\n\n{text}",
        env!("CARGO_PKG_VERSION")
    ))
}

fn table(of: &Table, name: &str) -> Table {
    of.get(name)
        .and_then(Value::as_table)
        .cloned()
        .unwrap_or_default()
}

/// Writes them into a directory that is not there yet, or is empty.
fn write(directory: &Path, project: &[File]) -> Result<(), Failure> {
    match std::fs::read_dir(directory).map(|mut entries| entries.next().is_some()) {
        Ok(false) => {}
        Ok(true) => {
            return Err(Failure::new(
                Exit::Failed,
                format!("{} is not empty, and nothing is overwritten", directory.display()),
                "name another directory with --dir",
            ));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Failure::file("list", directory, &error)),
    }
    for (path, text) in project {
        let path = directory.join(path);
        let above = path.parent().unwrap_or(directory);
        files::directory(above, Access::Public)
            .map_err(|error| Failure::file("make the directory", above, &error))?;
        files::create(&path, text.as_bytes(), Access::Public)
            .map_err(|error| Failure::file("write", &path, &error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_makes_a_package_that_cargo_takes() {
        for (app_id, package, title) in [
            ("mockapp", "mockapp-connector", "Mockapp"),
            ("0kta", "app-0kta-connector", "0kta"),
            ("Big_App-2", "big_app-2-connector", "Big App 2"),
            ("a-", "a--connector", "A"),
        ] {
            let names = Names::of(&app_id.parse().unwrap());
            assert_eq!((names.package.as_str(), names.title.as_str()), (package, title));
        }
    }

    #[test]
    fn no_placeholder_is_left() {
        let names = Names::of(&"x".parse().unwrap());
        for (path, text) in names.filled(RUST).into_iter().chain(names.filled(C)) {
            assert!(
                !text.contains("{{app") && !text.contains("{{crate") && !text.contains("{{title"),
                "{path}"
            );
        }
    }

    #[test]
    fn the_vendored_crates_find_what_they_inherit() {
        let vendored: Table = toml::from_str(&vendored_manifest().unwrap()).unwrap();
        let dependencies = table(&table(&vendored, "workspace"), "dependencies");
        for (path, text) in SDK.iter().filter(|(path, _)| path.ends_with("Cargo.toml")) {
            let manifest: Table = toml::from_str(text).unwrap();
            for (name, _) in table(&manifest, "dependencies") {
                assert!(dependencies.contains_key(&name), "{path} needs {name}");
            }
        }
        assert!(!dependencies.contains_key("axum"));
        assert_eq!(dependencies["lumos-connector-abi"]["path"].as_str(), Some("abi"));
    }
}

//! Defaults, file, environment and flags become one [`Config`], or a [`ConfigError`] that names everything wrong at once.
//!
//! The `config` crate merges the layers. It forgets where a value stood, so every layer is first checked against the table
//! of keys with its positions; what the merge then converts can only be right.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{Config as Merged, File, FileFormat, Map, Source as _, Value, ValueKind};
use toml::Spanned;
use toml::de::DeValue;

use super::environment::{self, Environment, Setting};
use super::file::{self, Origins, dotted};
use super::keys::{Default, SECTIONS};
use super::model::Config;
use super::paths::{credential, credentials_directory};
use super::report::{ConfigError, Origin, Problem, Severity, Source};

const MAX_FILE: u64 = 1 << 20;

/// Loads one configuration, as often as asked: the file is read anew, the environment and the flags stay.
#[derive(Debug, Clone)]
pub struct Loader {
    file: PathBuf,
    variables: Vec<(String, String)>,
    flags: Vec<Flag>,
}

/// A key that the command line sets.
#[derive(Debug, Clone)]
struct Flag {
    path: Vec<String>,
    value: String,
    name: String,
}

/// A configuration in which every value has the right form.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Arc<Config>,
    /// Where they came from.
    pub provenance: Provenance,
}

/// Where values came from, for messages that come up later.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// The file.
    pub source: Source,
    origins: Origins,
}

impl Loader {
    /// Of `file`, with this process's environment.
    #[must_use]
    pub fn new(file: &Path) -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.to_ascii_uppercase().starts_with("LUMOS_"));
        Self::with_environment(file, variables.collect())
    }

    /// Of `file`, with these variables.
    #[must_use]
    pub fn with_environment(file: &Path, mut variables: Vec<(String, String)>) -> Self {
        variables.sort();
        Loader {
            file: std::path::absolute(file).unwrap_or_else(|_| file.to_owned()),
            variables,
            flags: Vec::new(),
        }
    }

    /// Has `flag` set the dotted `key` to a text of the right form.
    #[must_use]
    pub fn flag(mut self, flag: &str, key: &str, value: &str) -> Self {
        self.flags.push(Flag {
            path: key.split('.').map(str::to_owned).collect(),
            value: value.to_owned(),
            name: flag.to_owned(),
        });
        self
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The value of a variable that may set something.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(own, _)| own == name)?;
        Some(&found.1)
    }

    /// Reads and checks everything.
    ///
    /// # Errors
    /// If the file can't be read, or any key or value of the file, the environment or the flags is wrong.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let text = read(&self.file)?;
        let source = Source {
            file: self.file.clone(),
            text: text.into(),
        };
        let walk = file::walk(&source.text);
        let environment = environment::read(&self.variables, &walk);
        let mut problems: Vec<Problem> = walk
            .problems
            .iter()
            .chain(&environment.problems)
            .cloned()
            .collect();
        problems.sort_by_key(Problem::line_order);
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(ConfigError { source, problems });
        }
        let mut origins = walk.origins;
        for setting in &environment.settings {
            origins.insert(
                dotted(&setting.path.iter().map(String::as_str).collect::<Vec<_>>()),
                Origin::Variable(setting.variable.clone()),
            );
        }
        if environment.admin_port.is_some() {
            let variable = "LUMOS_ON_PREMISE_AGENT_HTTP_SERVER_PORT".to_owned();
            origins.insert("admin.listen".into(), Origin::Variable(variable));
        }
        for flag in &self.flags {
            origins.insert(flag.path.join("."), Origin::Flag(flag.name.clone()));
        }
        match self.merge(&source.text, &environment) {
            Ok(config) => Ok(Loaded {
                config: Arc::new(config),
                provenance: Provenance { source, origins },
            }),
            Err(error) => Err(ConfigError {
                source,
                problems: vec![Problem::error(
                    Origin::WholeFile,
                    format!("the configuration does not fit together: {error}"),
                    "compare it with the commented default, config/agent.toml",
                )],
            }),
        }
    }

    /// The state directory as far as it can be made out, for a command that asks a running agent: that one goes on with
    /// its last good configuration, and must be reachable while the file is being repaired.
    #[must_use]
    pub fn state_dir(&self) -> Option<PathBuf> {
        let variable = self
            .variables
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("LUMOS_AGENT__AGENT__STATE_DIR"));
        let text = std::fs::read_to_string(&self.file).ok()?;
        let (document, _) = toml::de::DeTable::parse_recoverable(&text);
        let agent = document.get_ref().get("agent");
        let written = agent.and_then(|agent| agent.get_ref().get("state_dir")?.get_ref().as_str());
        let directory = match (variable, written) {
            (Some((_, value)), _) => PathBuf::from(value),
            (None, Some(text)) => PathBuf::from(text),
            (None, None) => super::paths::Place::State.path(),
        };
        Some(self.file.parent()?.join(directory))
    }

    fn merge(&self, text: &str, environment: &Environment<'_>) -> Result<Config, config::ConfigError> {
        let mut merged = Merged::builder()
            .add_source(Layer(defaults()))
            .add_source(File::from_str(text, FileFormat::Toml))
            .add_source(Layer(environment.settings.iter().map(of_setting).collect()))
            .add_source(Layer(self.flags.iter().map(of_flag).collect()))
            .build()?
            .try_deserialize::<Config>()?;
        merged.admin.listen = environment.admin_listen(merged.admin.listen);
        merged
            .log
            .redacted_keys
            .extend(environment.more_redacted_keys.iter().cloned());
        Ok(self.finish(merged))
    }

    /// Fills in what depends on the machine and makes paths absolute.
    fn finish(&self, mut config: Config) -> Config {
        if config.agent.name.is_empty() {
            config.agent.name = gethostname::gethostname().to_string_lossy().into_owned();
        }
        let base = self.file.parent().unwrap_or(Path::new("/"));
        let absolute = |path: &mut PathBuf| {
            let joined = base.join(&path);
            *path = std::path::absolute(&joined).unwrap_or(joined);
        };
        let credentials = credentials_directory();
        let secret = |path: &mut PathBuf| match credential(path, &credentials) {
            Some(file) => *path = file,
            None => absolute(path),
        };
        absolute(&mut config.agent.state_dir);
        absolute(&mut config.agent.token_file);
        secret(&mut config.dispatch.tls.certificate);
        secret(&mut config.dispatch.tls.private_key);
        config.dispatch.tls.client_ca.iter_mut().for_each(absolute);
        config.dispatch.tls.client_crl.iter_mut().for_each(absolute);
        absolute(&mut config.connectors.directory);
        absolute(&mut config.log.directory);
        let tenants = config
            .connectors
            .tenants
            .values_mut()
            .flat_map(|names| names.values_mut());
        tenants
            .filter_map(|tenant| tenant.credentials_file.as_mut())
            .for_each(secret);
        for settings in config.connectors.settings.values_mut() {
            let sandbox = &mut settings.sandbox;
            let lists = [
                &mut sandbox.read,
                &mut sandbox.write,
                &mut sandbox.execute,
                &mut sandbox.unix_sockets,
            ];
            lists.into_iter().flatten().for_each(absolute);
        }
        config.file = self.file.clone();
        config
    }
}

impl Provenance {
    /// Where the dotted `key` was given.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        self.origins
            .get(&key.to_lowercase())
            .cloned()
            .unwrap_or(Origin::Default)
    }

    /// Dotted keys that were given, and where.
    pub(super) fn origins(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.origins.iter().map(|(key, origin)| (key.as_str(), origin))
    }

    /// The variables that set something, by name.
    #[must_use]
    pub fn overriding_variables(&self) -> Vec<String> {
        let name = |origin: &Origin| match origin {
            Origin::Variable(name) => Some(name.clone()),
            _ => None,
        };
        let mut names: Vec<String> = self.origins.values().filter_map(name).collect();
        names.sort();
        names.dedup();
        names
    }

    /// An error about the dotted `key`; the message follows its name.
    #[must_use]
    pub fn problem(&self, key: &str, message: impl std::fmt::Display, help: impl Into<String>) -> Problem {
        Problem::error(self.origin(key), format!("`{key}` {message}"), help)
    }

    /// That one error as a [`ConfigError`].
    #[must_use]
    pub fn failure(&self, problems: Vec<Problem>) -> ConfigError {
        ConfigError {
            source: self.source.clone(),
            problems,
        }
    }
}

fn read(file: &Path) -> Result<String, ConfigError> {
    let fail = |message: String, help: &str| ConfigError::of_file(file, message, help);
    let metadata = std::fs::metadata(file).map_err(|error| unreadable(file, &error))?;
    if !metadata.is_file() {
        return Err(fail(
            "this is not a file".into(),
            "name the file `agent.toml` itself with --config",
        ));
    }
    if metadata.len() > MAX_FILE {
        return Err(fail(
            format!(
                "the file has {} bytes, which no configuration needs",
                metadata.len()
            ),
            "is it the right file? name another with --config",
        ));
    }
    let bytes = std::fs::read(file).map_err(|error| unreadable(file, &error))?;
    String::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        let line = before.matches('\n').count() + 1;
        fail(format!("line {line} is not UTF-8"), "save the file as UTF-8")
    })
}

fn unreadable(file: &Path, error: &std::io::Error) -> ConfigError {
    match error.kind() {
        std::io::ErrorKind::NotFound => ConfigError::of_file(
            file,
            "there is no configuration file",
            "make one with `lumos-agent init`, or name another with --config or LUMOS_AGENT_CONFIG",
        ),
        std::io::ErrorKind::PermissionDenied => ConfigError::of_file(
            file,
            "the configuration file can't be read: permission denied",
            "run the command as the owner of the file (`sudo lumos-agent …` in a packaged installation)",
        ),
        _ => ConfigError::of_file(
            file,
            format!("the configuration file can't be read: {error}"),
            "name another file with --config",
        ),
    }
}

/// One layer for the `config` crate: paths and values.
#[derive(Debug, Clone)]
struct Layer(Vec<(Vec<String>, Value)>);

impl config::Source for Layer {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        let mut root = Map::new();
        for (path, value) in &self.0 {
            insert(&mut root, path, value.clone());
        }
        Ok(root)
    }
}

fn insert(table: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [last] => {
            table.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let inner = table
                .entry(first.clone())
                .or_insert_with(|| Value::from(Map::<String, Value>::new()));
            if let ValueKind::Table(inner) = &mut inner.kind {
                insert(inner, rest, value);
            }
        }
    }
}

fn defaults() -> Vec<(Vec<String>, Value)> {
    let fixed = SECTIONS.iter().filter(|section| !section.path.contains(&"*"));
    let keys = fixed.flat_map(|section| section.keys.iter().map(move |key| (section, key)));
    keys.filter_map(|(section, key)| {
        let value = match key.default {
            Default::None(_) => return None,
            Default::Toml(text) => literal(text),
            Default::Place(place) => Value::from(place.path().to_string_lossy().into_owned()),
        };
        let path = section
            .path
            .iter()
            .chain([&key.name])
            .map(|part| (*part).to_owned());
        Some((path.collect(), value))
    })
    .collect()
}

fn literal(text: &str) -> Value {
    let map = File::from_str(&format!("value = {text}"), FileFormat::Toml).collect();
    let mut map = map.expect("defaults are TOML, as a test checks");
    map.remove("value").expect("it was just put there")
}

fn of_setting(setting: &Setting<'_>) -> (Vec<String>, Value) {
    (setting.path.clone(), of_toml(&setting.value))
}

fn of_flag(flag: &Flag) -> (Vec<String>, Value) {
    (flag.path.clone(), Value::from(flag.value.clone()))
}

/// What a variable can hold.
fn of_toml(value: &Spanned<DeValue<'_>>) -> Value {
    match value.get_ref() {
        DeValue::Boolean(on) => Value::from(*on),
        DeValue::Integer(number) => {
            Value::from(i64::from_str_radix(number.as_str(), number.radix()).unwrap_or(i64::MAX))
        }
        DeValue::Array(items) => Value::from(items.iter().map(of_toml).collect::<Vec<_>>()),
        other => Value::from(other.as_str().unwrap_or_default().to_owned()),
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;

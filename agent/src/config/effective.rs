//! The configuration in force, key by key with where each value came from, for the support bundle. Values of keys that hold
//! what connectors are given (variables, settings) are left out: they may be secrets, whatever their names.

use super::keys::{self, Default, Key, SECTIONS};
use super::load::{Loaded, Loader};
use super::report::Origin;

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Effective {
    /// Dotted.
    pub(crate) key: String,
    /// As TOML or as the variable has it; `None` if it is not shown.
    pub(crate) value: Option<String>,
    /// Where it was given.
    pub(crate) from: String,
}

/// Every key that has a value: those of the file, the environment and the command line, and the defaults.
pub(crate) fn effective(loader: &Loader, loaded: &Loaded) -> Vec<Effective> {
    let given = loaded.provenance.origins().filter_map(|(dotted, origin)| {
        let key = key_of(dotted)?;
        Some(entry(dotted, key, origin, loader, loaded))
    });
    let mut all: Vec<Effective> = given.collect();
    for section in SECTIONS.iter().filter(|section| !section.path.contains(&"*")) {
        for key in section.keys {
            let dotted = format!("{}.{}", section.path.join("."), key.name);
            let known = all.iter().any(|entry| entry.key == dotted);
            if !known && !matches!(key.default, Default::None(_)) {
                all.push(entry(&dotted, key, &Origin::Default, loader, loaded));
            }
        }
    }
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all
}

fn key_of(dotted: &str) -> Option<&'static Key> {
    let parts: Vec<&str> = dotted.split('.').collect();
    let (name, path) = parts.split_last()?;
    keys::section(path)?.key(name)
}

fn entry(dotted: &str, key: &Key, origin: &Origin, loader: &Loader, loaded: &Loaded) -> Effective {
    let source = &loaded.provenance.source;
    let value = match origin {
        Origin::File(span) => source.text.get(span.clone()).map(str::to_owned),
        Origin::Variable(name) => loader.variable(name).map(str::to_owned),
        Origin::Default => match key.default {
            Default::None(_) => None,
            Default::Toml(text) => Some(text.to_owned()),
            Default::Place(place) => Some(format!("{:?}", place.path().display().to_string())),
        },
        Origin::Flag(_) | Origin::WholeFile => None,
    };
    Effective {
        key: dotted.to_owned(),
        value: value.filter(|_| !key.kind.is_private()),
        from: match origin {
            Origin::Default => "default".into(),
            other => source.place(other),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_with_their_origin_and_without_what_connectors_are_given() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("agent.toml");
        let text = "[dispatch]\nmax_in_flight = 7\n[connectors.settings.Okta]\ntimeout = \"5m\"\n\
                    environment = { API_KEY = \"canary-1\" }\n[connectors.tenants.okta.acme]\nsettings = { x = \"canary-2\" }\n";
        std::fs::write(&file, text).unwrap();
        let variables = vec![("LUMOS_LOG_LEVEL".to_owned(), "DEBUG".to_owned())];
        let loader = Loader::with_environment(&file, variables);
        let shown = effective(&loader, &loader.load().unwrap());
        let of = |key: &str| {
            let entry = shown.iter().find(|entry| entry.key == key).unwrap();
            let from = entry.from.replace(&dir.path().display().to_string(), "DIR");
            (entry.value.clone(), from)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            of("dispatch.max_in_flight"),
            (some("7"), "DIR/agent.toml:2:17".into())
        );
        assert_eq!(of("connectors.settings.okta.timeout").0, some("\"5m\""));
        assert_eq!(of("connectors.settings.okta.environment").0, None);
        assert_eq!(of("connectors.tenants.okta.acme.settings").0, None);
        assert_eq!(
            of("log.connector_level"),
            (some("DEBUG"), "environment variable LUMOS_LOG_LEVEL".into())
        );
        assert_eq!(of("admin.enabled").1, "default");
        assert!(!format!("{shown:?}").contains("canary"));
    }
}

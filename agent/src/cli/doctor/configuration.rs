//! The configuration: whether it loads, what it warns about, what the environment overrides.

use std::time::SystemTime;

use super::finding::{Area, Check, Findings};
use crate::config::{ConfigError, Loaded, Problem, Provenance, Severity, Source, semantics};

/// What keeps the configuration from being used at all.
pub(super) fn unusable(error: &ConfigError, found: &mut Findings) {
    for problem in &error.problems {
        told(&error.source, problem, found);
    }
}

/// What can be said of one that has the right form.
pub(super) fn usable(loaded: &Loaded, now: SystemTime, found: &mut Findings) {
    for problem in semantics::check(loaded, now) {
        told(&loaded.provenance.source, &problem, found);
    }
    overrides(&loaded.provenance, found);
    let file = loaded.config.file.display();
    found.fine(Area::Configuration, format!("{file} can be used"));
}

/// Only the names: a value may be a secret.
fn overrides(from: &Provenance, found: &mut Findings) {
    let names = from.overriding_variables();
    if names.is_empty() {
        return;
    }
    found.note(
        Check::EnvironmentOverrides,
        format!(
            "variables of this command's environment win over the file: {}",
            names.join(", ")
        ),
        "a service has an environment of its own; put what is to last into the file",
    );
}

fn told(source: &Source, problem: &Problem, found: &mut Findings) {
    let key = problem.message.strip_prefix('`').unwrap_or_default();
    let severe = problem.severity == Severity::Error;
    let check = match (severe, key) {
        (true, key) if key.starts_with("dispatch.tls.") => Check::CertificateUnusable,
        (false, key) if key.starts_with("dispatch.tls.") => Check::CertificateWarning,
        (true, key) if key.starts_with("agent.token_file") => Check::TokensUnusable,
        (false, key) if key.starts_with("agent.token_file") => Check::NoTokens,
        (true, _) => Check::ConfigurationUnusable,
        (false, _) => Check::ConfigurationWarning,
    };
    let message = format!("{}: {}", source.place(&problem.origin), problem.message);
    if severe {
        found.failure(check, message, &problem.help);
    } else {
        found.warning(check, message, &problem.help);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loader;

    fn judge(text: &str, variables: &[(&str, &str)]) -> String {
        let home = crate::config::semantics_tests::home(text);
        let file = home.path().join("agent.toml");
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut found = Findings::default();
        match Loader::with_environment(&file, variables.collect()).load() {
            Ok(loaded) => usable(&loaded, SystemTime::now(), &mut found),
            Err(error) => unusable(&error, &mut found),
        }
        found.told().replace(&home.path().display().to_string(), "DIR")
    }

    #[test]
    fn each_problem_is_told_with_its_place() {
        insta::assert_snapshot!(judge("[log]\nlevel = \"LOUD\"\nformat = \"xml\"\n", &[]));
        insta::assert_snapshot!(
            "warnings",
            judge(
                "[admin]\nlisten = \"0.0.0.0:10002\"\n",
                &[
                    ("LUMOS_AGENT__AGENT__NAME", "a-secret"),
                    ("LUMOS_LOG_LEVEL", "DEBUG")
                ]
            )
        );
    }
}

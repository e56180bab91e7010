//! Configuration: `agent.toml`, the environment and the flags become one [`Config`].
//!
//! ```text
//! file ─ toml spans ─┐
//! LUMOS_AGENT__… ────┼─ checked against keys ─┬─ merged by `config` ─ Config ─ semantic checks ─ watch channel
//! flags ─────────────┘                        └─ ConfigError: everything wrong, with its place and remedy
//! ```
#![forbid(unsafe_code)]

mod certificate;
pub(crate) mod check;
mod client_certificates;
mod effective;
mod environment;
mod file;
mod keys;
mod kind;
mod load;
pub(crate) mod manual;
pub mod model;
pub(crate) mod paths;
pub mod reload;
mod report;
#[cfg(test)]
mod schema;
pub mod semantics;
#[cfg(test)]
pub(crate) mod semantics_tests;
pub(crate) mod template;
pub(crate) mod value;

pub(crate) use effective::effective;
pub use load::{Loaded, Loader, Provenance};
pub use model::Config;
pub use paths::{is_delivered, packaged_config};
pub use reload::ConfigHandle;
pub use report::{ConfigError, Origin, Problem, Severity, Source};

/// The valid word that was probably meant.
pub(crate) fn nearest<'w>(given: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let given = given.to_lowercase();
    let scored = words.map(|word| {
        let lower = word.to_lowercase();
        let slips = strsim::damerau_levenshtein(&given, &lower);
        let close = strsim::jaro_winkler(&given, &lower);
        // Short words are far apart by the one measure after a single slip.
        let close = if slips <= 1 && given.len() > 2 {
            close.max(0.9)
        } else {
            close
        };
        (if lower == given { 2.0 } else { close }, word)
    });
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.85).then_some(best.1)
}

//! Builds of `fixtures/scenario.c`.

use std::path::PathBuf;

use super::agent::{Agent, Installation};
use super::cc;
use super::connectors::drop_in;

/// What a build says of itself.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) app_id: &'static str,
    pub(crate) version: &'static str,
    pub(crate) build: &'static str,
    pub(crate) info_app_id: Option<&'static str>,
    pub(crate) abi_major: u32,
}

impl Default for Scenario {
    fn default() -> Self {
        Scenario {
            app_id: "scenario",
            version: "1.0.0",
            build: "a",
            info_app_id: None,
            abi_major: 1,
        }
    }
}

/// Compiles it; the same one twice costs nothing.
pub(crate) fn build(scenario: &Scenario) -> PathBuf {
    let text = |key: &str, value: &str| format!("{key}=\"{value}\"");
    let defines = [
        text("APP_ID", scenario.app_id),
        text("VERSION", scenario.version),
        text("BUILD", scenario.build),
        text("INFO_APP_ID", scenario.info_app_id.unwrap_or(scenario.app_id)),
        format!("MAJOR={}", scenario.abi_major),
    ];
    let defines: Vec<&str> = defines.iter().map(String::as_str).collect();
    cc::connector("scenario", &defines)
}

/// A running agent that serves it, and a token for everything.
pub(crate) fn serving(configuration: &str) -> (Agent, String) {
    let installation = Installation::new();
    installation.configure(configuration);
    let token = installation.token("test", &["*:*"]);
    drop_in(
        &build(&Scenario::default()),
        &installation.connectors(),
        "scenario.so",
    );
    let mut agent = installation.start();
    agent.wait_for("scenario", "ready");
    (agent, token)
}

//! Where a packaged installation keeps its files.

use std::path::PathBuf;

/// A directory or file whose place depends on the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// `agent.toml`, tokens, certificates.
    Configuration,
    /// Private state.
    State,
    /// The watched directory.
    Connectors,
    /// Logs of connectors.
    Logs,
}

impl Place {
    /// As the documentation writes it for Linux.
    pub(crate) fn on_linux(self) -> &'static str {
        match self {
            Place::Configuration => "/etc/lumos-agent",
            Place::State => "/var/lib/lumos-agent",
            Place::Connectors => "/var/lib/lumos-agent/connectors",
            Place::Logs => "/var/log/lumos-agent",
        }
    }

    /// On this machine.
    #[cfg(not(windows))]
    pub(crate) fn path(self) -> PathBuf {
        PathBuf::from(self.on_linux())
    }

    /// On this machine: below `%ProgramData%`.
    #[cfg(windows)]
    pub(crate) fn path(self) -> PathBuf {
        let data = std::env::var_os("ProgramData").unwrap_or_else(|| r"C:\ProgramData".into());
        let base = PathBuf::from(data).join("Lumos").join("Agent");
        match self {
            Place::Configuration => base,
            Place::State => base.join("state"),
            Place::Connectors => base.join("connectors"),
            Place::Logs => base.join("logs"),
        }
    }
}

/// The configuration file of a packaged installation.
#[must_use]
pub fn packaged_config() -> PathBuf {
    Place::Configuration.path().join("agent.toml")
}

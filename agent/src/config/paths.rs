//! Where a packaged installation keeps its files.

use std::path::{Path, PathBuf};

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
        let base = program_data().join("Lumos").join("Agent");
        match self {
            Place::Configuration => base,
            Place::State => base.join("state"),
            Place::Connectors => base.join("connectors"),
            Place::Logs => base.join("logs"),
        }
    }
}

/// `%ProgramData%` as the system has it: an environment variable could be anything, and an administrator's command believes
/// what it finds there.
#[cfg(windows)]
fn program_data() -> PathBuf {
    const FOLDERS: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList";
    let path = windows_registry::LOCAL_MACHINE
        .open(FOLDERS)
        .and_then(|key| key.get_string("ProgramData"))
        .unwrap_or_else(|_| r"%SystemDrive%\ProgramData".into());
    let drive = std::env::var("SystemDrive").unwrap_or_else(|_| "C:".into());
    PathBuf::from(path.replace("%SystemDrive%", &drive))
}

/// The configuration file of a packaged installation.
#[must_use]
pub fn packaged_config() -> PathBuf {
    Place::Configuration.path().join("agent.toml")
}

/// What begins so names a credential of the service manager, not a file.
const CREDENTIAL: &str = "credential:";
/// Where systemd puts those of the packaged service; root can look at them there while the agent runs.
const CREDENTIALS: &str = "/run/credentials/lumos-agent.service";

/// Where the service manager delivers credentials to this process, or would deliver them to the service.
pub(super) fn credentials_directory() -> PathBuf {
    let given = std::env::var_os("CREDENTIALS_DIRECTORY");
    PathBuf::from(given.unwrap_or_else(|| CREDENTIALS.into()))
}

/// Whether a file is what the service manager delivers, and not to be written.
#[must_use]
pub fn is_delivered(file: &Path) -> bool {
    file.starts_with(credentials_directory())
}

/// The file of a value like `credential:NAME`; `None` if it is an ordinary path.
pub(super) fn credential(value: &Path, directory: &Path) -> Option<PathBuf> {
    let name = value.to_str()?.strip_prefix(CREDENTIAL)?;
    // The name is one component: systemd allows no other, and nothing is to lead out of there.
    let fits = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\']);
    fits.then(|| directory.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_a_file_in_its_directory_and_nowhere_else() {
        let found = |value: &str| credential(Path::new(value), Path::new("/run/c"));
        assert_eq!(found("credential:server.key"), Some("/run/c/server.key".into()));
        for other in [
            "tls/server.key",
            "credential:",
            "credential:..",
            "credential:../x",
            "credential:a/b",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
    }
}

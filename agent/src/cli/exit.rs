//! How a command ends: the exit codes, and the one form in which a failure is told.

use std::fmt;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::control::client::ClientError;

/// The exit codes. They are part of the interface; scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Ok = 0,
    /// The connector answered with an error envelope, or what was asked for failed.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The configuration is wrong.
    Config = 64,
    /// The agent can't be reached.
    Unreachable = 69,
    /// Not permitted.
    NotPermitted = 77,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a command failed, for a person.
#[derive(Debug)]
pub struct Failure {
    /// The code to exit with.
    pub exit: Exit,
    /// What is wrong, and where. A configuration's problems come as finished blocks.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
}

impl Failure {
    /// A failure with a remedy.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>, help: impl Into<String>) -> Self {
        Failure {
            exit,
            message: message.into(),
            help: Some(help.into()),
        }
    }

    /// A file that could not be used.
    #[must_use]
    pub fn file(action: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let (exit, help) = match error.kind() {
            std::io::ErrorKind::PermissionDenied => (
                Exit::NotPermitted,
                "run the command as its owner, for example with sudo",
            ),
            std::io::ErrorKind::NotFound => (Exit::Failed, "check the path"),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => (
                Exit::Failed,
                "the disk is full and the file is as it was: make room, and try again",
            ),
            std::io::ErrorKind::ReadOnlyFilesystem => {
                (Exit::Failed, "make the file system writable, and try again")
            }
            _ => (Exit::Failed, "check the disk and the path, and try again"),
        };
        // A temporary file beside the one meant is nobody's business; what the system said is behind it.
        let reason = match error.get_ref().and_then(std::error::Error::source) {
            Some(behind) => behind.to_string(),
            None => error.to_string(),
        };
        Failure::new(exit, format!("can't {action} {}: {reason}", path.display()), help)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.message.starts_with("error:") || self.message.starts_with("warning:") {
            f.write_str(&self.message)?;
        } else {
            write!(f, "error: {}", self.message)?;
        }
        match &self.help {
            Some(help) => write!(f, "\n help: {help}"),
            None => Ok(()),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Failure {
            exit: Exit::Config,
            message: error.to_string(),
            help: None,
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let (exit, help) = match &error {
            ClientError::Unreachable { address, .. } if address.starts_with("http") => (
                Exit::Unreachable,
                "check --url, that the agent runs, and that --ca is the authority that signed its certificate",
            ),
            ClientError::Unreachable { .. } => (
                Exit::Unreachable,
                "start the agent (`lumos-agent run`), or name the --config that it runs with",
            ),
            ClientError::NotPermitted(_) => (
                Exit::NotPermitted,
                "run the command as root or as the user whom the installation belongs to, for example with sudo",
            ),
            ClientError::Silent { .. } => (
                Exit::Unreachable,
                "see whether its process is stopped or overloaded; restart it if need be",
            ),
            ClientError::Broken { .. } => (Exit::Unreachable, "look into the agent's log, and try again"),
            ClientError::Certificate { .. } => (
                Exit::Usage,
                "give the two files that `lumos-agent cert client` wrote",
            ),
            ClientError::Authority { .. } => (Exit::Usage, "give the ca.pem that `lumos-agent init` printed"),
        };
        Failure::new(exit, error.to_string(), help)
    }
}

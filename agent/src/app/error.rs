//! Why the agent does not start: each text names the key, the value and the remedy.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::tls::TlsError;

/// Why the agent does not start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The state directory cannot be used.
    #[error("cannot use agent.state_dir = {}; it must be a directory that the agent's user may write", path.display())]
    StateDir {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Two agents would fight over the state.
    #[error(
        "another agent runs with agent.state_dir = {}; stop it, or give this one a state directory of its own",
        path.display()
    )]
    AlreadyRunning {
        /// Which.
        path: PathBuf,
    },
    /// Certificate or key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address cannot be listened on.
    #[error("cannot listen on {key} = {address}: {remedy}")]
    Bind {
        /// The configuration key.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What is the matter and what to do.
        remedy: &'static str,
        /// Who has it, if that can be found out.
        holder: Option<String>,
        /// What the system says.
        source: io::Error,
    },
    /// A socket of the service manager cannot be used.
    #[error("a socket that the service manager holds cannot be used")]
    Activated(#[source] io::Error),
    /// `dev` serves without TLS and so must not leave the machine.
    #[error(
        "`dev` serves without TLS and listens on loopback only, not on {0}; use `lumos-agent run` to be reached from outside"
    )]
    NotLoopback(SocketAddr),
    /// The control socket.
    #[error("cannot make the control socket {}", path.display())]
    Control {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Host processes cannot be started at all.
    #[error("host processes cannot be started")]
    Launcher(#[source] io::Error),
    /// The thread that writes connectors' logs.
    #[error("connectors' logs cannot be written")]
    Logs(#[source] io::Error),
    /// The connectors' own state.
    #[error("cannot keep the connectors' state in agent.state_dir = {}", path.display())]
    Connectors {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl BuildError {
    /// Whether another configuration would help (exit code 64), rather than another moment.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        !matches!(
            self,
            BuildError::AlreadyRunning { .. }
                | BuildError::Launcher(_)
                | BuildError::Activated(_)
                | BuildError::Logs(_)
        )
    }
}

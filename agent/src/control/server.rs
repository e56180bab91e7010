//! Where the control socket is, who may connect, and serving it.
//!
//! Linux: a Unix socket in the state directory, which only its owner may enter; each peer's user id is checked besides.
//! Windows: a named pipe that only the system, administrators and the agent's own account may open.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::{Router, middleware};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::cookie::{self, Cookie};
use crate::auth::Peer;
use crate::http::connection::{self, Protocol};

/// Local commands at one time.
const MAX_CONNECTIONS: usize = 32;
/// How long they may take to end when the agent does.
const CLOSING: Duration = Duration::from_secs(2);

/// Where the agent with this state directory listens.
#[cfg(unix)]
#[must_use]
pub fn endpoint(state_dir: &Path) -> PathBuf {
    state_dir.join("control.sock")
}

/// Where the agent with this state directory listens.
#[cfg(windows)]
#[must_use]
pub fn endpoint(state_dir: &Path) -> PathBuf {
    let digest = crate::domain::Sha256::of(state_dir.as_os_str().as_encoded_bytes()).to_string();
    PathBuf::from(format!(r"\\.\pipe\lumos-agent-{}", &digest[..16]))
}

/// The bound control socket.
pub(crate) struct ControlServer {
    acceptor: platform::Acceptor,
    cookie: Cookie,
}

impl ControlServer {
    /// Binds. Whoever holds the state directory's lock may remove what an agent that was killed left behind.
    ///
    /// # Errors
    /// If the socket or the secret that its users show cannot be made.
    pub(crate) fn bind(state_dir: &Path) -> io::Result<Self> {
        let cookie = Cookie::make(state_dir)?;
        let acceptor = platform::Acceptor::bind(state_dir)?;
        Ok(ControlServer { acceptor, cookie })
    }

    /// Serves until `close` fires.
    pub(crate) async fn serve(mut self, router: Router, close: CancellationToken) {
        let router = router.layer(middleware::from_fn_with_state(self.cookie, cookie::admit));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            if connections.len() >= MAX_CONNECTIONS {
                connections.join_next().await;
            }
            let Some(accepted) = close.run_until_cancelled(self.acceptor.accept()).await else {
                break;
            };
            match accepted {
                Ok(io) => {
                    let peer = Peer {
                        address: None,
                        certificate: None,
                    };
                    connections.spawn(connection::serve(
                        io,
                        Protocol::Http1,
                        router.clone(),
                        peer,
                        close.clone(),
                    ));
                }
                Err(error) => {
                    tracing::warn!(%error, "a local command was not let in");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
        let all = async { while connections.join_next().await.is_some() {} };
        if timeout(CLOSING, all).await.is_err() {
            connections.shutdown().await;
        }
    }
}

#[cfg(unix)]
mod platform {
    use std::io;
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
    use std::path::{Path, PathBuf};

    use tokio::net::{UnixListener, UnixStream};

    /// Longest path of a Unix socket on Linux, without the NUL.
    const MAX_PATH: usize = 107;

    pub(super) struct Acceptor {
        listener: UnixListener,
        path: PathBuf,
        /// User ids that may connect besides root.
        users: [u32; 2],
    }

    impl Acceptor {
        pub(super) fn bind(state_dir: &Path) -> io::Result<Self> {
            let path = super::endpoint(state_dir);
            if path.as_os_str().len() > MAX_PATH {
                let text =
                    format!("the path has more than {MAX_PATH} bytes; choose a shorter agent.state_dir");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
            remove_stale(&path)?;
            let listener = UnixListener::bind(&path)?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
            let owner = std::fs::metadata(state_dir)?.uid();
            let own = rustix::process::geteuid().as_raw();
            Ok(Acceptor {
                listener,
                path,
                users: [owner, own],
            })
        }

        pub(super) async fn accept(&mut self) -> io::Result<UnixStream> {
            let (stream, _) = self.listener.accept().await?;
            let uid = stream.peer_cred()?.uid();
            if uid == 0 || self.users.contains(&uid) {
                return Ok(stream);
            }
            Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("user {uid} may not control this agent"),
            ))
        }
    }

    impl Drop for Acceptor {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.path);
        }
    }

    fn remove_stale(path: &Path) -> io::Result<()> {
        match std::fs::symlink_metadata(path) {
            Ok(metadata) if metadata.file_type().is_socket() => std::fs::remove_file(path),
            Ok(_) => Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "a file that is no socket is in its place; remove it",
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[cfg(windows)]
mod platform {
    use std::io;
    use std::path::{Path, PathBuf};

    use tokio::net::windows::named_pipe::NamedPipeServer;

    use crate::os::create_control_pipe;

    pub(super) struct Acceptor {
        path: PathBuf,
        next: NamedPipeServer,
    }

    impl Acceptor {
        pub(super) fn bind(state_dir: &Path) -> io::Result<Self> {
            let path = super::endpoint(state_dir);
            let next = create_control_pipe(&path, true)?;
            Ok(Acceptor { path, next })
        }

        pub(super) async fn accept(&mut self) -> io::Result<NamedPipeServer> {
            self.next.connect().await?;
            let next = create_control_pipe(&self.path, false)?;
            Ok(std::mem::replace(&mut self.next, next))
        }
    }
}

//! The sockets: those that the service manager holds already, and those that the configuration names.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::BuildError;
use crate::config::Config;
use crate::control::{self, ControlServer};
use crate::manager::Activated;

/// All bound.
pub(super) struct Sockets {
    pub(super) dispatch: TcpListener,
    pub(super) admin: Option<TcpListener>,
    pub(super) control: ControlServer,
    /// Which of them the service manager holds.
    pub(super) activated: Vec<&'static str>,
}

impl Sockets {
    pub(super) async fn bind(settings: &Config, activated: Activated) -> Result<Self, BuildError> {
        let mut held = Vec::new();
        let configured = settings.dispatch.listen;
        let dispatch = take_or_bind("dispatch", activated.dispatch, configured, &mut held).await?;
        let admin = match settings.admin.enabled {
            true => Some(take_or_bind("admin", activated.admin, settings.admin.listen, &mut held).await?),
            false => None,
        };
        let state_dir = &settings.agent.state_dir;
        let control = ControlServer::bind(state_dir).map_err(|source| BuildError::Control {
            path: control::endpoint(state_dir),
            source,
        })?;
        Ok(Sockets {
            dispatch,
            admin,
            control,
            activated: held,
        })
    }
}

async fn take_or_bind(
    name: &'static str,
    activated: Option<std::net::TcpListener>,
    configured: SocketAddr,
    held: &mut Vec<&'static str>,
) -> Result<TcpListener, BuildError> {
    let Some(socket) = activated else {
        return bind(name, configured).await;
    };
    let socket = TcpListener::from_std(socket).map_err(BuildError::Activated)?;
    let address = socket.local_addr().map_err(BuildError::Activated)?;
    if address != configured {
        tracing::info!(socket = name, %address, %configured, "the service manager holds this socket; its address counts, not the configured one");
    }
    held.push(name);
    Ok(socket)
}

async fn bind(name: &str, address: SocketAddr) -> Result<TcpListener, BuildError> {
    let key = if name == "admin" {
        "admin.listen"
    } else {
        "dispatch.listen"
    };
    TcpListener::bind(address).await.map_err(|source| {
        let taken = source.kind() == io::ErrorKind::AddrInUse;
        let remedy = match source.kind() {
            io::ErrorKind::AddrInUse => "another program listens there; stop it, or choose another port",
            io::ErrorKind::PermissionDenied => {
                "ports below 1024 need a privilege that this user lacks; choose a higher one"
            }
            io::ErrorKind::AddrNotAvailable => {
                "this machine has no such address; use one of its own, or 0.0.0.0 for all"
            }
            _ => "the system refuses it; check the address",
        };
        BuildError::Bind {
            key,
            address,
            remedy,
            holder: taken.then(|| crate::os::port_holder(address)).flatten(),
            source,
        }
    })
}

/// Where a local client reaches `socket`.
pub(super) fn base_url(scheme: &str, socket: &TcpListener) -> String {
    match socket.local_addr() {
        Ok(address) if address.ip().is_unspecified() => format!("{scheme}://localhost:{}", address.port()),
        Ok(address) => format!("{scheme}://{address}"),
        Err(_) => format!("{scheme}://localhost"),
    }
}

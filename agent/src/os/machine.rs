//! Facts of the machine, for whoever looks for what is wrong with it.

use std::net::{IpAddr, SocketAddr};

/// What is left of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this user may still write.
    pub free_bytes: u64,
    /// All of it.
    pub total_bytes: u64,
    /// Free inodes and all of them, where it counts them.
    pub inodes: Option<(u64, u64)>,
    /// Whether it is mounted read-only.
    pub read_only: bool,
}

/// What the system has to wall in a host with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walls {
    /// The kernel's version.
    pub kernel: String,
    /// Landlock's, if it is there and switched on.
    pub landlock_abi: Option<u32>,
    /// Whether system calls can be filtered.
    pub seccomp: bool,
}

/// Somebody who listens on a TCP port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// On which address.
    pub address: IpAddr,
    /// The processes that hold the socket, as far as this user may see them.
    pub pids: Vec<u32>,
    /// Name of the first of them.
    pub program: Option<String>,
    /// Number of the user whose socket it is, where the system tells it to everybody.
    pub user: Option<u32>,
}

impl Listener {
    /// Whether nobody else can listen at `ip` meanwhile.
    #[must_use]
    pub fn is_in_the_way_of(&self, ip: IpAddr) -> bool {
        self.address == ip || self.address.is_unspecified() || ip.is_unspecified()
    }

    /// `nginx (process 1234)`; `None` if this user may not know.
    #[must_use]
    pub fn process(&self) -> Option<String> {
        let pid = self.pids.first()?;
        let program = self.program.as_deref().unwrap_or("a program");
        Some(format!("{} (process {pid})", program.escape_debug()))
    }
}

/// Names who listens where `address` cannot, as far as this user may know.
#[must_use]
pub fn port_holder(address: SocketAddr) -> Option<String> {
    let mut listeners = super::tcp_listeners(address.port())?;
    listeners.retain(|listener| listener.is_in_the_way_of(address.ip()));
    if let Some(named) = listeners.iter().find_map(Listener::process) {
        return Some(named);
    }
    let user = listeners.first()?.user?;
    Some(format!("a process of user {user}"))
}

#[cfg(all(test, unix))]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn our_own_listeners_are_found() {
        for wanted in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
            let Ok(socket) = TcpListener::bind(wanted) else {
                continue;
            };
            let address = socket.local_addr().unwrap();
            let holder = port_holder(address).unwrap();
            let own = format!("(process {})", std::process::id());
            assert!(holder.ends_with(&own), "{wanted}: {holder}");
            let everywhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
            assert_eq!(port_holder(everywhere), Some(holder));
            drop(socket);
        }
    }
}

//! Who listens on a port that is taken.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// `LISTEN` in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// Names the process that listens where `address` cannot, as far as this user may know: `nginx (process 1234)`.
#[must_use]
pub fn port_holder(address: SocketAddr) -> Option<String> {
    let mut sockets = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        sockets.extend(text.lines().filter_map(listener));
    }
    let socket = sockets
        .into_iter()
        .find(|socket| socket.is_in_the_way_of(address))?;
    let named = process_with(&format!("socket:[{}]", socket.inode));
    Some(named.unwrap_or_else(|| format!("a process of user {}", socket.user)))
}

struct Listener {
    address: SocketAddr,
    user: u32,
    inode: u64,
}

impl Listener {
    fn is_in_the_way_of(&self, wanted: SocketAddr) -> bool {
        let (taken, wanted_ip) = (self.address.ip(), wanted.ip());
        let overlap = taken == wanted_ip || taken.is_unspecified() || wanted_ip.is_unspecified();
        self.address.port() == wanted.port() && overlap
    }
}

/// A line of `/proc/net/tcp` (proc(5)): `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …`
fn listener(line: &str) -> Option<Listener> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    if *fields.get(3)? != LISTENING {
        return None;
    }
    let (ip, port) = fields.get(1)?.split_once(':')?;
    Some(Listener {
        address: SocketAddr::new(ip_of(ip)?, u16::from_str_radix(port, 16).ok()?),
        user: fields.get(7)?.parse().ok()?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// The kernel writes addresses as numbers of 32 bits in the machine's byte order.
fn ip_of(text: &str) -> Option<IpAddr> {
    let mut bytes = Vec::new();
    for word in text.as_bytes().chunks(8) {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    if let Ok(bytes) = <[u8; 4]>::try_from(&*bytes) {
        return Some(Ipv4Addr::from(bytes).into());
    }
    let ip = Ipv6Addr::from(<[u8; 16]>::try_from(&*bytes).ok()?);
    Some(ip.to_ipv4_mapped().map_or(ip.into(), Into::into))
}

fn process_with(link: &str) -> Option<String> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut numbered = processes.filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, entry.path()))
    });
    let (pid, path) = numbered.find(|(_, path)| holds(path, link))?;
    let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
    Some(format!("{} (process {pid})", name.trim_end().escape_debug()))
}

fn holds(process: &Path, link: &str) -> bool {
    let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    let mut targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.any(|target| target.as_os_str() == link)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

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

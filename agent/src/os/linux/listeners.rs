//! Who listens on a TCP port of this machine.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::os::Listener;

/// State `TCP_LISTEN` of `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// All that listen on `port` in this network namespace; `None` if the system does not tell. A process is named where this
/// user may look into it.
#[must_use]
pub fn tcp_listeners(port: u16) -> Option<Vec<Listener>> {
    let mut found = Vec::new();
    let mut told = false;
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        let Ok(text) = fs::read_to_string(table) else {
            continue;
        };
        told = true;
        found.extend(text.lines().skip(1).filter_map(|line| row(line, port)));
    }
    if !told {
        return None;
    }
    let inodes: Vec<String> = found
        .iter()
        .map(|socket| format!("socket:[{}]", socket.inode))
        .collect();
    let holders = if inodes.is_empty() {
        Vec::new()
    } else {
        holders(&inodes)
    };
    let listener = |(index, socket): (usize, Socket)| {
        let own = holders.iter().filter(|(of, _)| *of == index);
        let pids: Vec<u32> = own.map(|(_, pid)| *pid).collect();
        Listener {
            address: socket.address,
            program: pids.first().and_then(|pid| program(*pid)),
            pids,
            user: Some(socket.user),
        }
    };
    Some(found.into_iter().enumerate().map(listener).collect())
}

struct Socket {
    address: IpAddr,
    user: u32,
    inode: u64,
}

/// A listener on `port`, if the line is about one (proc(5)): `sl local_address rem_address st tx:rx tr:when retrnsmt uid
/// timeout inode …`
fn row(line: &str, port: u16) -> Option<Socket> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (address, own_port) = words.get(1)?.split_once(':')?;
    if *words.get(3)? != LISTEN || u16::from_str_radix(own_port, 16).ok()? != port {
        return None;
    }
    Some(Socket {
        address: parse(address)?,
        user: words.get(7)?.parse().ok()?,
        inode: words.get(9)?.parse().ok()?,
    })
}

/// The kernel prints addresses as 32-bit words in the machine's order.
fn parse(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = hex.get(at * 8..at * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    if hex.len() == 8 {
        return Some(IpAddr::V4(Ipv4Addr::from(word(0)?)));
    }
    let mut bytes = [0; 16];
    for (at, chunk) in bytes.chunks_mut(4).enumerate() {
        chunk.copy_from_slice(&word(at)?);
    }
    Some(IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical())
}

/// Which processes hold which of the sockets.
fn holders(sockets: &[String]) -> Vec<(usize, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let descriptors = fs::read_dir(entry.path().join("fd"));
        for descriptor in descriptors.into_iter().flatten().flatten() {
            let Ok(target) = fs::read_link(descriptor.path()) else {
                continue;
            };
            if let Some(index) = sockets.iter().position(|socket| target.as_os_str() == &**socket) {
                found.push((index, pid));
            }
        }
    }
    found
}

fn program(pid: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_of_ours_is_found_with_its_process() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let found = tcp_listeners(port).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].address, IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert!(found[0].pids.contains(&std::process::id()), "{found:?}");
        drop(socket);
        assert_eq!(tcp_listeners(port), Some(Vec::new()));
    }

    #[test]
    fn addresses_are_read_as_the_kernel_prints_them() {
        if cfg!(target_endian = "big") {
            return;
        }
        assert_eq!(parse("0100007F"), Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert_eq!(
            parse("00000000000000000000000001000000"),
            Some(IpAddr::V6(Ipv6Addr::LOCALHOST))
        );
        assert_eq!(
            parse("0000000000000000FFFF00000100007F"),
            Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            "an IPv4 address in the table of IPv6"
        );
        assert_eq!(parse("xyz"), None);
    }
}

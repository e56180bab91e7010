//! Who listens on a TCP port of this machine.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::os::Listener;

/// State `TCP_LISTEN` of `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// All that listen on `port` in this network namespace. A process is named where this user may look into it.
#[must_use]
pub fn tcp_listeners(port: u16) -> Vec<Listener> {
    let mut found = Vec::new();
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        found.extend(text.lines().skip(1).filter_map(|line| row(line, port)));
    }
    let inodes: Vec<String> = found
        .iter()
        .map(|(_, inode)| format!("socket:[{inode}]"))
        .collect();
    let holders = if inodes.is_empty() {
        Vec::new()
    } else {
        holders(&inodes)
    };
    let listener = |(index, (address, _)): (usize, (IpAddr, String))| {
        let own = holders.iter().filter(|(of, _)| *of == index);
        let pids: Vec<u32> = own.map(|(_, pid)| *pid).collect();
        Listener {
            address,
            program: pids.first().and_then(|pid| program(*pid)),
            pids,
        }
    };
    found.into_iter().enumerate().map(listener).collect()
}

/// Address and inode, if the line is about a listener on `port`.
fn row(line: &str, port: u16) -> Option<(IpAddr, String)> {
    let mut words = line.split_whitespace().skip(1);
    let (address, own_port) = words.next()?.split_once(':')?;
    let state = words.nth(1)?;
    let inode = words.nth(5)?;
    if state != LISTEN || u16::from_str_radix(own_port, 16).ok()? != port {
        return None;
    }
    Some((parse(address)?, inode.to_owned()))
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
    Some(IpAddr::V6(Ipv6Addr::from(bytes)))
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
        let found = tcp_listeners(port);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].address, IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert!(found[0].pids.contains(&std::process::id()), "{found:?}");
        drop(socket);
        assert_eq!(tcp_listeners(port), []);
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
        assert_eq!(parse("xyz"), None);
    }
}

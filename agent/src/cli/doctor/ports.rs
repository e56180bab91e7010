//! The listeners: whether they are the agent's, taken by somebody else, or shut off.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::finding::{Area, Check, Findings};
use super::running::Running;
use crate::config::Config;
use crate::os::{self, Listener};

const CONNECT: Duration = Duration::from_secs(1);

/// One configured address, and who is there.
#[derive(Debug)]
struct Facts {
    key: &'static str,
    address: SocketAddr,
    /// `None` where the system does not tell.
    listeners: Option<Vec<Listener>>,
    /// Whether somebody takes connections there.
    answers: bool,
    /// Why this machine cannot use the address, whatever the port.
    unusable: Option<String>,
    /// Ports below this one are root's.
    first_free_port: u16,
    privileged: bool,
}

pub(super) fn check(config: &Config, running: Option<&Running>, found: &mut Findings) {
    let mut addresses = vec![("dispatch.listen", config.dispatch.listen)];
    if config.admin.enabled {
        addresses.push(("admin.listen", config.admin.listen));
    }
    for (key, address) in addresses {
        // Port 0 is a free one each time: for tests.
        if address.port() != 0 {
            judge(&gather(key, address), running.map(|agent| agent.pid), found);
        }
    }
    reach(config.dispatch.listen, firewall(), found);
}

fn gather(key: &'static str, address: SocketAddr) -> Facts {
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    let near = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new([127, 0, 0, 1].into(), address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => {
            SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), address.port())
        }
        _ => address,
    };
    Facts {
        key,
        address,
        listeners: os::tcp_listeners(address.port()),
        answers: TcpStream::connect_timeout(&near, CONNECT).is_ok(),
        unusable: TcpListener::bind((address.ip(), 0))
            .err()
            .map(|error| error.to_string()),
        first_free_port: first.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0),
        privileged: os::current_user_is_privileged(),
    }
}

fn judge(facts: &Facts, agent: Option<u32>, found: &mut Findings) {
    let Facts { key, address, .. } = facts;
    let others: Vec<&Listener> = facts
        .listeners
        .iter()
        .flatten()
        .filter(|listener| listener.is_in_the_way_of(address.ip()))
        .collect();
    let taken = if facts.listeners.is_some() {
        !others.is_empty()
    } else {
        facts.answers
    };
    let listens = format!("the agent listens on {address} ({key})");
    match (agent, taken) {
        (Some(pid), true) if ours(&others, pid) => found.fine(Area::Ports, listens),
        (Some(_), true) | (None, true) if kept_by_manager(&others) => {
            found.fine(
                Area::Ports,
                format!("systemd keeps {address} for the agent ({key})"),
            );
        }
        (_, true) => found.failure(
            Check::PortTaken,
            format!("{key} is {address}, but {} listens there", holder(&others)),
            "stop that program, or choose another port",
        ),
        (Some(_), false) => found.failure(
            Check::PortNotListening,
            format!("{key} is {address}, but the running agent does not listen there"),
            "restart the agent: addresses count from its start on",
        ),
        (None, false) => free(facts, found),
    }
}

/// Nobody is there; could the agent be?
fn free(facts: &Facts, found: &mut Findings) {
    let Facts { key, address, .. } = facts;
    if let Some(why) = &facts.unusable {
        found.failure(
            Check::AddressMissing,
            format!("{key} is {address}, which this machine cannot use: {why}"),
            "give an address of its own, or 0.0.0.0 for all",
        );
    } else if address.port() < facts.first_free_port && !facts.privileged {
        found.warning(
            Check::PortPrivileged,
            format!(
                "{key} is {address}: ports below {} are root's",
                facts.first_free_port
            ),
            "choose a higher port",
        );
    } else {
        found.fine(Area::Ports, format!("{address} is free ({key})"));
    }
}

/// The agent's, or one of which this user cannot see whose it is: then the agent that answers is believed.
fn ours(listeners: &[&Listener], pid: u32) -> bool {
    listeners
        .iter()
        .all(|listener| listener.pids.is_empty() || listener.pids.contains(&pid))
}

/// Socket activation: the first process holds the socket, perhaps besides the agent.
fn kept_by_manager(listeners: &[&Listener]) -> bool {
    !listeners.is_empty()
        && listeners
            .iter()
            .all(|listener| listener.pids.contains(&1) && listener.program.as_deref() == Some("systemd"))
}

fn holder(listeners: &[&Listener]) -> String {
    let named = listeners.iter().find_map(|listener| listener.process());
    named.unwrap_or_else(|| {
        if os::current_user_is_privileged() || cfg!(windows) {
            "another program".into()
        } else {
            "another program (root sees which)".into()
        }
    })
}

/// Which firewall is at work, as far as everybody may see it, and how it is told to let calls in.
fn firewall() -> Option<(&'static str, &'static str)> {
    let ufw = std::fs::read_to_string("/etc/ufw/ufw.conf").unwrap_or_default();
    if ufw.lines().any(|line| line.trim() == "ENABLED=yes") {
        return Some(("ufw", "ufw allow PORT/tcp"));
    }
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut names = processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("comm")).ok());
    names.any(|name| name.trim() == "firewalld").then_some((
        "firewalld",
        "firewall-cmd --permanent --add-port=PORT/tcp && firewall-cmd --reload",
    ))
}

fn reach(dispatch: SocketAddr, firewall: Option<(&str, &str)>, found: &mut Findings) {
    if dispatch.ip().is_loopback() {
        found.note(
            Check::LoopbackOnly,
            format!("dispatch.listen is {dispatch}: only this machine can call"),
            "listen on 0.0.0.0, unless a proxy on this machine hands calls on",
        );
    } else if let Some((name, command)) = firewall {
        found.note(
            Check::FirewallActive,
            format!("{name} is at work on this machine"),
            format!(
                "if calls do not come in, open the port: {}",
                command.replace("PORT", &dispatch.port().to_string())
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(address: &str, pid: u32, program: &str) -> Listener {
        Listener {
            address: address.parse().unwrap(),
            pids: (pid > 0).then_some(pid).into_iter().collect(),
            program: (pid > 0).then(|| program.to_owned()),
            user: None,
        }
    }

    fn facts(listeners: Vec<Listener>) -> Facts {
        Facts {
            key: "dispatch.listen",
            address: "0.0.0.0:8443".parse().unwrap(),
            listeners: Some(listeners),
            answers: false,
            unusable: None,
            first_free_port: 1024,
            privileged: false,
        }
    }

    fn told(facts: &Facts, agent: Option<u32>) -> String {
        let mut found = Findings::default();
        judge(facts, agent, &mut found);
        found.told()
    }

    #[test]
    fn a_port_of_ours_and_a_free_one_are_fine() {
        assert_eq!(
            told(&facts(vec![listener("0.0.0.0", 7, "lumos-agent")]), Some(7)),
            ""
        );
        assert_eq!(told(&facts(vec![listener("::", 0, "")]), Some(7)), "");
        assert_eq!(told(&facts(vec![listener("0.0.0.0", 1, "systemd")]), None), "");
        assert_eq!(told(&facts(vec![]), None), "");
    }

    #[test]
    fn what_stands_in_the_way_is_named() {
        let missing = Facts {
            unusable: Some("Cannot assign requested address".into()),
            ..facts(vec![])
        };
        let low = Facts {
            address: "127.0.0.1:443".parse().unwrap(),
            ..facts(vec![])
        };
        let unknown = Facts {
            listeners: None,
            answers: true,
            ..facts(vec![])
        };
        let cases = [
            told(&facts(vec![listener("127.0.0.1", 812, "nginx")]), None),
            told(&facts(vec![listener("0.0.0.0", 812, "nginx")]), Some(7)),
            told(&facts(vec![]), Some(7)),
            told(&missing, None),
            told(&low, None),
            told(&unknown, None).replace(" (root sees which)", ""),
        ];
        insta::assert_snapshot!(cases.join("\n"));
    }

    #[test]
    fn who_can_reach_it_is_a_note() {
        let mut found = Findings::default();
        reach("127.0.0.1:8443".parse().unwrap(), None, &mut found);
        reach(
            "0.0.0.0:8443".parse().unwrap(),
            Some(("ufw", "ufw allow PORT/tcp")),
            &mut found,
        );
        insta::assert_snapshot!(found.told());
    }
}

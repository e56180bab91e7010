//! Proxies: what the environment of this command, of the service and of each connector says about them. Addresses are shown
//! without user name and password.

use std::net::ToSocketAddrs as _;
use std::time::Duration;

use url::Url;

use super::finding::{Area, Check, Findings};
use crate::config::Config;

const PROXIES: [&str; 3] = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"];
const EXCEPTIONS: &str = "NO_PROXY";
const CONNECT: Duration = Duration::from_secs(3);

/// The variables of one environment.
#[derive(Debug)]
struct Environment {
    /// Whose.
    of: String,
    variables: Vec<(String, String)>,
}

pub(super) fn check(config: Option<&Config>, connect: bool, found: &mut Findings) {
    for environment in gather(config) {
        for url in judge(&environment, found) {
            if connect {
                reach(&url, found);
            }
        }
    }
}

fn gather(config: Option<&Config>) -> Vec<Environment> {
    let own = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut all = vec![Environment {
        of: "this command's environment".into(),
        variables: own.filter(|(name, _)| concerns(name)).collect(),
    }];
    let Some(config) = config else {
        return all;
    };
    // The packaged unit reads it.
    let file = config.file.with_file_name("environment");
    if let Ok(text) = std::fs::read_to_string(&file) {
        all.push(Environment {
            of: file.display().to_string(),
            variables: lines(&text),
        });
    }
    for (app_id, settings) in &config.connectors.settings {
        let own = settings.environment.iter().filter(|(name, _)| concerns(name));
        all.push(Environment {
            of: format!("[connectors.settings.{app_id}] environment"),
            variables: own.map(|(name, value)| (name.clone(), value.clone())).collect(),
        });
    }
    all
}

fn concerns(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    upper == EXCEPTIONS || PROXIES.contains(&upper.as_str())
}

/// `NAME=VALUE` lines, as systemd reads them.
fn lines(text: &str) -> Vec<(String, String)> {
    let pairs = text.lines().filter_map(|line| line.trim().split_once('='));
    let unquoted = |value: &str| value.trim().trim_matches(['"', '\'']).to_owned();
    pairs
        .filter(|(name, _)| concerns(name))
        .map(|(name, value)| (name.to_owned(), unquoted(value)))
        .collect()
}

/// The proxies that are usable as they stand.
fn judge(environment: &Environment, found: &mut Findings) -> Vec<Url> {
    let of = &environment.of;
    let mut usable: Vec<Url> = Vec::new();
    for (name, value) in environment
        .variables
        .iter()
        .filter(|(_, value)| !value.is_empty())
    {
        let upper = name.to_ascii_uppercase();
        if upper == EXCEPTIONS {
            exceptions(of, name, value, found);
            continue;
        }
        let twin = environment
            .variables
            .iter()
            .find(|(other, _)| other != name && other.eq_ignore_ascii_case(name));
        if let Some((other, differing)) = twin
            && differing != value
            && *name == upper
        {
            found.warning(
                Check::ProxyAmbiguous,
                format!("{of} sets {name} and {other} to different values"),
                "set one of them; programs differ in which they read",
            );
        }
        match parse(value) {
            Ok(url) => {
                found.note(
                    Check::ProxySet,
                    format!("{of} sends calls through {} ({name})", shown(&url)),
                    "",
                );
                if !usable.contains(&url) {
                    usable.push(url);
                }
            }
            Err(why) => found.failure(
                Check::ProxyInvalid,
                format!("{name} in {of} {why}"),
                "write http://HOST:PORT, with %40 for @ and %3A for : in a user name or password",
            ),
        }
    }
    if usable.is_empty() {
        found.fine(Area::Proxy, format!("none in {of}"));
    }
    usable
}

/// The reason never holds the value: it may have a password.
fn parse(value: &str) -> Result<Url, &'static str> {
    let value = value.trim();
    let whole = if value.contains("://") {
        value.to_owned()
    } else {
        format!("http://{value}")
    };
    let url = Url::parse(&whole).map_err(|_| "is no address")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("names a kind of proxy other than http and https");
    }
    match url.host_str() {
        None | Some("") => Err("names no host"),
        Some(_) if !matches!(url.path(), "" | "/") => Err("has a path behind the host"),
        Some(_) => Ok(url),
    }
}

fn shown(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{}://{}:{port}", url.scheme(), url.host_str().unwrap_or_default())
}

fn exceptions(of: &str, name: &str, value: &str, found: &mut Findings) {
    let entries = value.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let wrong = |entry: &&str| {
        entry.contains("://") || entry.contains(char::is_whitespace) || (entry.contains('*') && *entry != "*")
    };
    for entry in entries.filter(wrong) {
        found.warning(
            Check::ProxyExceptionsInvalid,
            format!("{name} in {of} holds `{entry}`, which matches nothing"),
            "write names (example.com and .example.com mean all below it), addresses or 10.0.0.0/8, with commas between",
        );
    }
}

/// Whether somebody takes connections there. Nothing is sent.
fn reach(url: &Url, found: &mut Findings) {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(80);
    let refused = |why: String, found: &mut Findings| {
        found.failure(
            Check::ProxyUnreachable,
            format!("the proxy {} cannot be reached: {why}", shown(url)),
            "check its name and port, and that a firewall lets this machine reach it",
        );
    };
    let addresses = match (host, port).to_socket_addrs() {
        Ok(addresses) => addresses,
        Err(error) => return refused(error.to_string(), found),
    };
    let mut last = "its name has no address".to_owned();
    for address in addresses.take(2) {
        match std::net::TcpStream::connect_timeout(&address, CONNECT) {
            Ok(_) => return found.fine(Area::Proxy, format!("{} can be reached", shown(url))),
            Err(error) => last = error.to_string(),
        }
    }
    refused(last, found);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(variables: &[(&str, &str)]) -> String {
        let environment = Environment {
            of: "the environment".into(),
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let mut found = Findings::default();
        judge(&environment, &mut found);
        found.told()
    }

    #[test]
    fn what_is_wrong_is_told_without_what_is_secret() {
        let all = told(&[
            ("HTTPS_PROXY", "http://user:canary-1@proxy.example.com:3128"),
            ("https_proxy", "proxy.example.com:3128"),
            ("HTTP_PROXY", "http://user:canary-2#@proxy:port"),
            ("ALL_PROXY", "socks5://user:canary-3@proxy:1080"),
            ("NO_PROXY", "localhost, .example.com,10.0.0.0/8,10.1.*,https://x"),
        ]);
        assert!(!all.contains("canary"), "{all}");
        insta::assert_snapshot!(all);
    }

    #[test]
    fn files_of_variables_are_read_as_systemd_does() {
        let text = "# comment\nHTTPS_PROXY=\"http://p:1\"\nOTHER=x\n no_proxy=a,b\n";
        let wanted = [("HTTPS_PROXY", "http://p:1"), ("no_proxy", "a,b")];
        assert_eq!(
            lines(text),
            wanted.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn a_proxy_is_tried_without_sending_anything() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = parse(&listener.local_addr().unwrap().to_string()).unwrap();
        let mut found = Findings::default();
        reach(&url, &mut found);
        assert_eq!(found.told(), "");
        drop(listener);
        reach(&url, &mut found);
        assert!(found.told().contains("proxy_unreachable"), "{}", found.told());
    }
}

//! `init`: an agent that can be started, and what Lumos has to know about it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde::Serialize;

use super::args::{BlockFormat, InitArgs};
use super::exit::{Exit, Failure};
use super::files::{self, Access};
use super::output;
use crate::auth::TokenFile;
use crate::config::paths::Place;
use crate::config::template;
use crate::domain::Scopes;
use crate::tls::describe::describe;
use crate::tls::issue;

/// Where everything goes.
struct Layout {
    config: PathBuf,
    tokens: PathBuf,
    tls: PathBuf,
    connectors: PathBuf,
    state: PathBuf,
    logs: PathBuf,
}

/// What to paste into Lumos.
#[derive(Serialize)]
struct Block {
    base_url: String,
    ca_certificate: String,
    ca_fingerprint_sha256: String,
    token: String,
    config: PathBuf,
}

pub(super) fn run(args: &InitArgs) -> Result<Exit, Failure> {
    let layout = Layout::of(args.dir.as_deref())?;
    layout.refuse_existing()?;
    #[cfg(windows)]
    if args.dir.is_none() {
        super::installed::secure()?;
    }
    let names = names(&args.hosts);
    let ca_certificate = lay_out(&layout, &names)?;
    let token = TokenFile::new(&layout.tokens)
        .create("lumos", all_connectors(), None)
        .map_err(|error| {
            Failure::new(
                Exit::Failed,
                error.to_string(),
                "check the directory, and try again",
            )
        })?;
    configure(&layout, args.dir.is_some())?;

    let description = describe(ca_certificate.as_bytes())
        .map_err(|error| Failure::new(Exit::Failed, error, "try again"))?;
    let block = Block {
        base_url: base_url(&names),
        ca_certificate,
        ca_fingerprint_sha256: description.fingerprint_sha256,
        token: token.expose_secret().to_owned(),
        config: layout.config,
    };
    report(args, &block)?;
    Ok(Exit::Ok)
}

/// Sets up the agent of the installed package, but for a token, which nobody would see: an installer has no terminal.
/// Whether there was none.
#[cfg(windows)]
pub(super) fn for_installer() -> Result<bool, Failure> {
    super::installed::secure()?;
    let layout = Layout::of(None)?;
    if layout.config.exists() {
        return Ok(false);
    }
    layout.refuse_existing()?;
    lay_out(&layout, &names(&[]))?;
    configure(&layout, false)?;
    Ok(true)
}

/// Makes the directories, the authority and the server's certificate. Gives the authority's certificate.
fn lay_out(layout: &Layout, names: &[String]) -> Result<String, Failure> {
    let now = Timestamp::now();
    let bad_name = |error: issue::IssueError| {
        Failure::new(
            Exit::Usage,
            error.to_string(),
            "give --host a DNS name or an IP address, without scheme or port",
        )
    };
    let authority = issue::authority(names, now).map_err(bad_name)?;
    let server = issue::server(&authority, names, now).map_err(bad_name)?;
    for (path, access) in layout.directories() {
        files::directory(path, access).map_err(|error| Failure::file("make", path, &error))?;
    }
    let made = [
        ("ca.pem", &authority.certificate, Access::Public),
        ("ca.key", &authority.private_key, Access::Private),
        ("server.pem", &server.certificate, Access::Public),
        ("server.key", &server.private_key, Access::Service),
    ];
    for (name, content, access) in made {
        create(&layout.tls.join(name), content, access)?;
    }
    Ok(authority.certificate)
}

/// Writes the configuration, which comes last: without it nothing that was begun counts as an installation.
fn configure(layout: &Layout, private: bool) -> Result<(), Failure> {
    let set = if private {
        template::private_paths()
    } else {
        Vec::new()
    };
    create(&layout.config, &template::config_file(&set), Access::Public)?;
    #[cfg(windows)]
    if !private {
        super::installed::secure()?;
    }
    Ok(())
}

/// The scope of the first token: every connector, but not the agent's administration.
fn all_connectors() -> Scopes {
    Scopes(vec!["*:*".parse().expect("this is a scope")])
}

fn create(path: &Path, content: &str, access: Access) -> Result<(), Failure> {
    files::create(path, content.as_bytes(), access).map_err(|error| Failure::file("write", path, &error))
}

fn report(args: &InitArgs, block: &Block) -> Result<(), Failure> {
    // The block is what somebody copies, whether they see it on a terminal or in a file.
    if args.output == BlockFormat::Json {
        output::json(block)?;
    } else {
        output::text(&format!(
            "base_url: {}\ntoken: {}\nca_fingerprint_sha256: {}\nca_certificate: |\n{}",
            block.base_url,
            block.token,
            block.ca_fingerprint_sha256,
            indent(&block.ca_certificate)
        ))?;
    }
    let config = block.config.display();
    let flag = if args.dir.is_some() {
        format!(" --config {config}")
    } else {
        String::new()
    };
    let start = match args.dir {
        None => how_to_start(),
        Some(_) => format!("lumos-agent run{flag}"),
    };
    output::note(format!(
        "\nThe agent is set up: {config}\nPaste the block above into Lumos. The token is not shown again.\nStart it: {start}"
    ));
    Ok(())
}

/// A packaged installation.
fn how_to_start() -> String {
    #[cfg(target_os = "linux")]
    if super::service::is_packaged() {
        return "systemctl enable --now lumos-agent".to_owned();
    }
    "lumos-agent run; or as a service: lumos-agent service install".to_owned()
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

impl Layout {
    fn of(dir: Option<&Path>) -> Result<Self, Failure> {
        let Some(dir) = dir else {
            let home = Place::Configuration.path();
            return Ok(Layout {
                config: home.join("agent.toml"),
                tokens: home.join("tokens.json"),
                tls: home.join("tls"),
                connectors: Place::Connectors.path(),
                state: Place::State.path(),
                logs: Place::Logs.path(),
            });
        };
        let dir = std::path::absolute(dir).map_err(|error| Failure::file("use", dir, &error))?;
        Ok(Layout {
            config: dir.join("agent.toml"),
            tokens: dir.join("tokens.json"),
            tls: dir.join("tls"),
            connectors: dir.join("connectors"),
            state: dir.join("state"),
            logs: dir.join("logs"),
        })
    }

    /// In the order in which they are made.
    fn directories(&self) -> Vec<(&Path, Access)> {
        let home = self.config.parent().unwrap_or(Path::new("."));
        vec![
            (home, Access::Public),
            (&self.tls, Access::Private),
            (&self.state, Access::Private),
            (&self.logs, Access::Private),
            (&self.connectors, Access::Public),
        ]
    }

    fn refuse_existing(&self) -> Result<(), Failure> {
        let tls = ["ca.pem", "ca.key", "server.pem", "server.key"].map(|name| self.tls.join(name));
        let files = [&self.config, &self.tokens].into_iter().chain(&tls);
        let there: Vec<String> = files
            .filter(|path| path.exists())
            .map(|path| path.display().to_string())
            .collect();
        if there.is_empty() {
            return Ok(());
        }
        Err(Failure::new(
            Exit::Failed,
            format!("this would overwrite {}", there.join(", ")),
            "an agent is set up there already: use it, name another --dir, or move these files away",
        ))
    }
}

/// The names of the certificate: the given ones, the machine's, and loopback; the first is the one for Lumos.
fn names(given: &[String]) -> Vec<String> {
    let mut names: Vec<String> = given.to_vec();
    let host = gethostname::gethostname().to_string_lossy().to_ascii_lowercase();
    names.extend(qualified(&host));
    names.push(host);
    names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    let mut unique: Vec<String> = Vec::new();
    for name in names {
        // The machine's own name may be one that no certificate can hold; one that was asked for is refused later.
        let fits = given.contains(&name) || rustls_pki_types::ServerName::try_from(name.as_str()).is_ok();
        if fits && !unique.contains(&name) {
            unique.push(name);
        }
    }
    unique
}

/// The machine's fully qualified name, if the hosts file tells it.
fn qualified(host: &str) -> Option<String> {
    if host.contains('.') {
        return None;
    }
    let hosts = if cfg!(windows) {
        r"C:\Windows\System32\drivers\etc\hosts"
    } else {
        "/etc/hosts"
    };
    let text = std::fs::read_to_string(hosts).ok()?.to_ascii_lowercase();
    let prefix = format!("{host}.");
    let mut words = text
        .lines()
        .filter_map(|line| line.split('#').next())
        .flat_map(str::split_whitespace);
    words.find(|word| word.starts_with(&prefix)).map(str::to_owned)
}

fn base_url(names: &[String]) -> String {
    let host = names.first().map_or("localhost", String::as_str);
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    format!("https://{host}:8443/connectors")
}

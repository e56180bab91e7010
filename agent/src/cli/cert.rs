//! `cert show` and `cert renew`; `cert client` is in [`super::client_cert`].

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use zeroize::Zeroizing;

use super::args::{CertArgs, CertCommand, Context};
use super::exit::{Exit, Failure};
use super::files::{self, Access};
use super::output;
use crate::config::{Config, is_delivered};
use crate::tls::describe::{Description, ListDescription, describe, describe_all, describe_lists};
use crate::tls::issue::{self, Issued};

#[derive(Serialize)]
struct Shown {
    server: Description,
    authority: Option<Description>,
    /// Whose client certificates count (`dispatch.tls.client_ca`).
    client_authorities: Vec<Description>,
    /// Which of them do not (`dispatch.tls.client_crl`).
    revocation_lists: Vec<ListDescription>,
}

pub(super) fn run(context: &Context, args: CertArgs) -> Result<Exit, Failure> {
    let config = context.load()?.config;
    match args.command {
        CertCommand::Show(output) => output.print(&with_clients(own(&config)?, &config)?, table)?,
        CertCommand::Renew(output) => {
            renew(&config)?;
            // Whether the callers' files can be shown has nothing to do with it.
            output.print(&own(&config)?, table)?;
        }
        CertCommand::Client(args) => super::client_cert::run(&config, &args)?,
    }
    Ok(Exit::Ok)
}

/// What the agent shows itself with.
fn own(config: &Config) -> Result<Shown, Failure> {
    let authority = authority_files(config).0;
    Ok(Shown {
        server: read(&config.dispatch.tls.certificate)?,
        authority: authority.exists().then(|| read(&authority)).transpose()?,
        client_authorities: Vec::new(),
        revocation_lists: Vec::new(),
    })
}

/// And what its callers are known by.
fn with_clients(own: Shown, config: &Config) -> Result<Shown, Failure> {
    let tls = &config.dispatch.tls;
    let client_ca = tls
        .client_ca
        .as_deref()
        .map(|path| described(path, describe_all, "client_ca"));
    let client_crl = tls
        .client_crl
        .as_deref()
        .map(|path| described(path, describe_lists, "client_crl"));
    Ok(Shown {
        client_authorities: client_ca.transpose()?.unwrap_or_default(),
        revocation_lists: client_crl.transpose()?.unwrap_or_default(),
        ..own
    })
}

fn read(path: &Path) -> Result<Description, Failure> {
    described(path, describe, "certificate")
}

/// What `describe` finds in the file that `dispatch.tls.KEY` names.
fn described<T>(
    path: &Path,
    describe: impl FnOnce(&[u8]) -> Result<T, String>,
    key: &str,
) -> Result<T, Failure> {
    let pem = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    describe(&pem).map_err(|reason| {
        Failure::new(
            Exit::Failed,
            format!("{} can't be shown: {reason}", path.display()),
            format!("name a PEM file with dispatch.tls.{key}"),
        )
    })
}

fn table(shown: &Shown) -> String {
    let mut text = String::new();
    let own = [
        ("server certificate", Some(&shown.server)),
        ("authority", shown.authority.as_ref()),
    ];
    let own = own.into_iter().filter_map(|(title, one)| Some((title, one?)));
    let clients = shown
        .client_authorities
        .iter()
        .map(|one| ("client authority", one));
    for (title, one) in own.chain(clients) {
        let _ = write!(
            text,
            "{title}\n  subject      {}\n  issuer       {}\n",
            output::printable(&one.subject),
            output::printable(&one.issuer)
        );
        if !one.names.is_empty() {
            let _ = writeln!(
                text,
                "  names        {}",
                output::printable(&one.names.join(", "))
            );
        }
        let _ = write!(
            text,
            "  valid        {} to {}\n  fingerprint  {}\n",
            output::moment(&one.not_before.to_string()),
            output::moment(&one.not_after.to_string()),
            one.fingerprint_sha256
        );
    }
    for list in &shown.revocation_lists {
        let due = list
            .next_update
            .map_or_else(|| "never".to_owned(), |at| output::moment(&at.to_string()));
        let _ = write!(
            text,
            "revocation list\n  issuer       {}\n  revoked      {}\n  made         {}\n  next due     {due}\n",
            output::printable(&list.issuer),
            list.revoked,
            output::moment(&list.issued_at.to_string())
        );
    }
    text
}

/// The authority that `init` made stands beside the certificate.
fn authority_files(config: &Config) -> (PathBuf, PathBuf) {
    let directory = config.dispatch.tls.certificate.parent().unwrap_or(Path::new("."));
    (directory.join("ca.pem"), directory.join("ca.key"))
}

fn renew(config: &Config) -> Result<(), Failure> {
    let key = &config.dispatch.tls.private_key;
    if is_delivered(key) {
        return Err(Failure::new(
            Exit::Failed,
            format!(
                "the private key {} is a credential that systemd delivers, which this cannot replace",
                key.display()
            ),
            "renew the certificate where the credential comes from, and restart the service",
        ));
    }
    let (certificate, key) = authority_files(config);
    match certificate.try_exists() {
        Ok(true) => {}
        Ok(false) => {
            return Err(Failure::new(
                Exit::Failed,
                format!("there is no authority {} to sign with", certificate.display()),
                "this certificate was not issued by `lumos-agent init`; renew it where it came from",
            ));
        }
        Err(error) => return Err(Failure::file("read", &certificate, &error)),
    }
    let text = |path: &Path| {
        std::fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|error| Failure::file("read", path, &error))
    };
    let authority = Issued {
        certificate: String::clone(&*text(&certificate)?),
        private_key: text(&key)?,
    };
    let old = read(&config.dispatch.tls.certificate)?;
    let fresh = issue::server(&authority, &old.names, Timestamp::now()).map_err(|error| {
        Failure::new(
            Exit::Failed,
            error.to_string(),
            format!(
                "check that {} and {} belong together",
                certificate.display(),
                key.display()
            ),
        )
    })?;
    // The agent takes up a pair that fits and stands still; until both are there it goes on with the old one.
    write(
        &config.dispatch.tls.private_key,
        &fresh.private_key,
        Access::Service,
    )?;
    write(
        &config.dispatch.tls.certificate,
        &fresh.certificate,
        Access::Public,
    )?;
    output::note("issued; a running agent takes it up within seconds");
    Ok(())
}

fn write(path: &Path, text: &str, access: Access) -> Result<(), Failure> {
    files::replace(path, text.as_bytes(), access).map_err(|error| Failure::file("write", path, &error))
}

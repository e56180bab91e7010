//! `cert client`: certificates for callers, from an authority that is made for this at the first use, and their revocation.
//!
//! Beside the server's certificate: `client-ca.pem` and `client-ca.key`, `client-ca.crl` with what is revoked, and
//! `client-certificates.json`, which remembers what was issued, so that a name can be revoked. No client key is kept.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::args::ClientArgs;
use super::exit::{Exit, Failure};
use super::files::{self, Access};
use super::output;
use super::token::expiry;
use crate::config::Config;
use crate::tls::client::normal;
use crate::tls::describe::describe;
use crate::tls::issue::{IssueError, Issued};
use crate::tls::issue_client;

/// How long a certificate lasts if nothing else is said.
const EXPIRES: &str = "365d";

/// One certificate that was issued.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    name: String,
    /// Hexadecimal, as openssl prints it.
    serial: String,
    expires_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

/// The authority's files. Locked while it exists.
struct Authority {
    directory: PathBuf,
    issued: Issued,
    records: Vec<Record>,
    _lock: File,
}

pub(super) fn run(config: &Config, args: &ClientArgs) -> Result<(), Failure> {
    match (&args.name, &args.revoke) {
        (Some(name), None) => make(config, name, args),
        (_, Some(which)) => revoke(config, which),
        (None, None) => Err(Failure::new(
            Exit::Usage,
            "there is neither --name nor --revoke",
            "say whom the certificate is for: --name lumos.example.com",
        )),
    }
}

fn make(config: &Config, name: &str, args: &ClientArgs) -> Result<(), Failure> {
    let until = expiry(args.expires.as_deref().unwrap_or(EXPIRES))?;
    let name = normal(name);
    let mut authority = Authority::open(config, true)?;
    let serial = serial()?;
    let issued = issue_client::client(&authority.issued, &name, &serial, Timestamp::now(), until)
        .map_err(|error| authority.refused(&error))?;
    authority.records.push(Record {
        name: name.clone(),
        serial: hex::encode_upper(&serial),
        expires_at: until,
        revoked_at: None,
    });
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("."));
    let out = std::path::absolute(&out).map_err(|error| Failure::file("use", &out, &error))?;
    files::directory(&out, Access::Private).map_err(|error| Failure::file("make", &out, &error))?;
    let stem = file_stem(&name);
    let certificate = out.join(format!("{stem}.pem"));
    let key = out.join(format!("{stem}.key"));
    if let Some(there) = [&certificate, &key].into_iter().find(|path| path.exists()) {
        return Err(Failure::new(
            Exit::Failed,
            format!("this would overwrite {}", there.display()),
            "name another directory with --out, or move the file away",
        ));
    }
    // What is not remembered could not be revoked, so that comes first.
    authority.save()?;
    create(&key, &issued.private_key, Access::Private)?;
    create(&certificate, &issued.certificate, Access::Public)?;

    let fingerprint = |pem: &str| {
        describe(pem.as_bytes())
            .map(|shown| shown.fingerprint_sha256)
            .ok()
    };
    output::json(&json!({
        "name": name,
        "certificate": certificate,
        "private_key": key,
        "serial": hex::encode_upper(&serial),
        "expires_at": until,
        "fingerprint_sha256": fingerprint(&issued.certificate),
        "client_ca": authority.file(CERTIFICATE),
        "client_ca_fingerprint_sha256": fingerprint(&authority.issued.certificate),
        "client_crl": authority.file(LIST),
        "toml": authority.toml(config, &name),
    }))?;
    output::note(
        if config
            .dispatch
            .tls
            .client_names
            .keys()
            .any(|key| normal(key) == name)
        {
            "the name has its scopes in dispatch.tls.client_names already"
        } else {
            "add the lines of `toml` to [dispatch.tls] in the configuration, with the scopes that the caller shall have"
        },
    );
    Ok(())
}

fn revoke(config: &Config, which: &str) -> Result<(), Failure> {
    let mut authority = Authority::open(config, false)?;
    let (name, serial) = (normal(which), which.replace(':', "").to_ascii_uppercase());
    let now = Timestamp::now();
    let mut revoked = Vec::new();
    for record in &mut authority.records {
        let meant = record.name == name || record.serial == serial;
        if meant && record.revoked_at.is_none() {
            record.revoked_at = Some(now);
            revoked.push(record.clone());
        }
    }
    if revoked.is_empty() {
        return Err(Failure::new(
            Exit::Failed,
            format!(
                "no certificate in force has the name or serial number `{}`",
                which.escape_debug()
            ),
            format!(
                "{} lists those that were issued",
                authority.file(RECORDS).display()
            ),
        ));
    }
    authority.save()?;
    output::json(&json!({ "revoked": revoked, "client_crl": authority.file(LIST) }))?;
    let list = authority.file(LIST);
    output::note(
        if config.dispatch.tls.client_crl.as_deref() == Some(list.as_path()) {
            "a running agent refuses it within seconds".to_owned()
        } else {
            format!(
                "it is refused only once the configuration says dispatch.tls.client_crl = \"{}\"",
                list.display()
            )
        },
    );
    Ok(())
}

const CERTIFICATE: &str = "client-ca.pem";
const KEY: &str = "client-ca.key";
const LIST: &str = "client-ca.crl";
const RECORDS: &str = "client-certificates.json";
const LOCK: &str = ".client-ca.lock";

impl Authority {
    /// The authority beside the server's certificate; `make` it if there is none.
    fn open(config: &Config, make: bool) -> Result<Self, Failure> {
        let directory = config.dispatch.tls.certificate.parent();
        let directory = directory.unwrap_or(Path::new(".")).to_owned();
        let lock = lock(&directory.join(LOCK))?;
        let (certificate, key) = (directory.join(CERTIFICATE), directory.join(KEY));
        if !certificate.exists() {
            if !make {
                return Err(Failure::new(
                    Exit::Failed,
                    format!("there is no authority {}", certificate.display()),
                    "revoke the certificate where it was issued, and name that list with dispatch.tls.client_crl",
                ));
            }
            let issued =
                issue_client::authority(Timestamp::now()).map_err(|error| told(&error, &directory))?;
            // The certificate comes last: with it, the authority is there.
            replace(&key, &issued.private_key, Access::Private)?;
            replace(&certificate, &issued.certificate, Access::Public)?;
        }
        let issued = Issued {
            certificate: String::clone(&*text(&certificate)?),
            private_key: text(&key)?,
        };
        let records = directory.join(RECORDS);
        let records = match std::fs::read(&records) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                Failure::new(
                    Exit::Failed,
                    format!("{} can't be understood: {error}", records.display()),
                    "restore it from a backup; without it nothing can be revoked by name",
                )
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Failure::file("read", &records, &error)),
        };
        Ok(Authority {
            directory,
            issued,
            records,
            _lock: lock,
        })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Writes down what was issued, then the list of what is revoked.
    fn save(&self) -> Result<(), Failure> {
        let revoked: Vec<(Vec<u8>, Timestamp)> = self
            .records
            .iter()
            .filter_map(|record| Some((hex::decode(&record.serial).ok()?, record.revoked_at?)))
            .collect();
        let list = issue_client::revocation_list(&self.issued, &revoked, Timestamp::now())
            .map_err(|error| self.refused(&error))?;
        let mut records = serde_json::to_string_pretty(&self.records)
            .map_err(|error| Failure::new(Exit::Failed, error.to_string(), "report this"))?;
        records.push('\n');
        replace(&self.file(RECORDS), &records, Access::Private)?;
        replace(&self.file(LIST), &list, Access::Public)
    }

    fn refused(&self, error: &IssueError) -> Failure {
        told(error, &self.directory)
    }

    /// The lines that the configuration lacks.
    fn toml(&self, config: &Config, name: &str) -> String {
        let tls = &config.dispatch.tls;
        let home = config.file.parent().unwrap_or(Path::new("."));
        let mut lines = Vec::new();
        for (key, now, file) in [
            ("client_ca", &tls.client_ca, self.file(CERTIFICATE)),
            ("client_crl", &tls.client_crl, self.file(LIST)),
        ] {
            if now.as_ref() != Some(&file) {
                let short = file.strip_prefix(home).unwrap_or(&file);
                lines.push(format!("{key} = {}", toml_text(&short.display().to_string())));
            }
        }
        if !tls.client_names.keys().any(|key| normal(key) == name) {
            lines.push(format!("client_names = {{ {} = [\"*:read\"] }}", toml_text(name)));
        }
        lines.join("\n")
    }
}

/// A TOML string. Windows paths have backslashes.
fn toml_text(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn told(error: &IssueError, directory: &Path) -> Failure {
    match error {
        IssueError::ClientName(_) => Failure::new(
            Exit::Usage,
            error.to_string(),
            "give --name a DNS name such as lumos.example.com, or a URI such as spiffe://example.com/lumos",
        ),
        _ => Failure::new(
            Exit::Failed,
            error.to_string(),
            format!(
                "check that {} and {} belong together",
                directory.join(CERTIFICATE).display(),
                directory.join(KEY).display()
            ),
        ),
    }
}

/// 127 random bits: positive, and unique without being counted.
fn serial() -> Result<Vec<u8>, Failure> {
    let mut bytes = vec![0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("the operating system gave no random numbers: {error}"),
            "try again",
        )
    })?;
    // Neither negative nor with a leading zero, which DER would drop.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(bytes)
}

/// A name as a file's: without what file systems take for something else.
fn file_stem(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let stem: String = name
        .chars()
        .map(|c| if fits(c) { c } else { '_' })
        .take(100)
        .collect();
    match stem.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => stem,
    }
}

fn lock(path: &Path) -> Result<File, Failure> {
    let open = || -> io::Result<File> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?;
        file.lock()?;
        Ok(file)
    };
    open().map_err(|error| Failure::file("lock", path, &error))
}

fn text(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)
        .and_then(|mut file| file.read_to_string(&mut text))
        .map_err(|error| Failure::file("read", path, &error))?;
    Ok(text)
}

fn create(path: &Path, text: &str, access: Access) -> Result<(), Failure> {
    files::create(path, text.as_bytes(), access).map_err(|error| Failure::file("write", path, &error))
}

fn replace(path: &Path, text: &str, access: Access) -> Result<(), Failure> {
    files::replace(path, text.as_bytes(), access).map_err(|error| Failure::file("write", path, &error))
}

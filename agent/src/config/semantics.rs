//! What no single value can show: that files are there and fit, and that settings fit together. `check-config`, `run` and
//! every reload ask here. Nothing is bound, loaded or changed.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::Path;
use std::time::SystemTime;

use super::certificate::{self, Finding};
use super::client_certificates;
use super::load::{Loaded, Provenance};
use super::model::{Config, ConnectorSettings, Events, Isolation, Sandbox};
use super::report::{Problem, Severity};
use crate::domain::AppId;

/// Everything that stands against running with `loaded`; warnings among it. `now` decides about certificates.
#[must_use]
pub fn check(loaded: &Loaded, now: SystemTime) -> Vec<Problem> {
    check_all(loaded, now, Severity::Error)
}

/// The same for an agent that has served connectors: it has its private copies of them, so that a connectors directory which
/// cannot be read now is no reason to serve nothing.
#[must_use]
pub fn check_serving(loaded: &Loaded, now: SystemTime) -> Vec<Problem> {
    check_all(loaded, now, Severity::Warning)
}

fn check_all(loaded: &Loaded, now: SystemTime, unreadable: Severity) -> Vec<Problem> {
    let mut check = Check {
        config: &loaded.config,
        from: &loaded.provenance,
        problems: Vec::new(),
    };
    check.listeners();
    check.sizes();
    check.connectors_directory(unreadable);
    check.directories();
    check.tls(now);
    check.tokens();
    check.connectors();
    check.tenants();
    check.problems.sort_by_key(Problem::line_order);
    check.problems
}

/// Whether any of `problems` keeps the agent from running.
#[must_use]
pub fn is_fatal(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}

struct Check<'c> {
    config: &'c Config,
    from: &'c Provenance,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn error(&mut self, key: &str, message: impl std::fmt::Display, help: impl Into<String>) {
        self.problems.push(self.from.problem(key, message, help));
    }

    fn warning(&mut self, key: &str, message: impl std::fmt::Display, help: impl Into<String>) {
        self.problems
            .push(self.from.problem(key, message, help).as_warning());
    }

    fn listeners(&mut self) {
        let (admin, dispatch) = (&self.config.admin, self.config.dispatch.listen);
        if !admin.enabled {
            return;
        }
        let listen = admin.listen;
        let overlap =
            listen.ip() == dispatch.ip() || dispatch.ip().is_unspecified() || listen.ip().is_unspecified();
        if listen.port() == dispatch.port() && listen.port() != 0 && overlap {
            self.error(
                "admin.listen",
                format!("is {listen}, but dispatch.listen takes {dispatch}"),
                "give one of the two another port",
            );
        }
        if !listen.ip().is_loopback() {
            self.warning(
                "admin.listen",
                format!(
                    "is {listen}: everyone who reaches it can read states and metrics without a credential"
                ),
                "listen on 127.0.0.1, or let a firewall decide who reaches it",
            );
        }
    }

    fn sizes(&mut self) {
        let dispatch = &self.config.dispatch;
        if dispatch.max_body_bytes > dispatch.max_buffered_bytes {
            self.error(
                "dispatch.max_body_bytes",
                "is more than dispatch.max_buffered_bytes, so that the largest bodies could never be taken",
                "lower the first or raise the second",
            );
        }
        let connectors = &self.config.connectors;
        if let (Some(idle), Some(limit)) = (connectors.idle_memory_limit, connectors.memory_limit)
            && idle > limit
        {
            self.error(
                "connectors.idle_memory_limit",
                "is more than connectors.memory_limit",
                "lower the first or raise the second",
            );
        }
    }

    fn connectors_directory(&mut self, unreadable: Severity) {
        const KEY: &str = "connectors.directory";
        let directory = &self.config.connectors.directory;
        let shown = directory.display();
        let found = metadata(directory).and_then(|found| {
            let listed = std::fs::read_dir(directory).map_err(|error| error.kind());
            if found.is_dir() {
                listed.map(|_| true)
            } else {
                Ok(false)
            }
        });
        let (message, help) = match found {
            Ok(true) => return,
            Ok(false) => {
                let help = "name the directory that connectors are dropped into";
                return self.error(KEY, format!("names {shown}, which is a file"), help);
            }
            Err(ErrorKind::NotFound) => (
                format!("names {shown}, which does not exist"),
                format!("make it: mkdir -p {shown}; or run `lumos-agent init`"),
            ),
            Err(kind) => (refused(directory, kind), READ_HELP.to_owned()),
        };
        match unreadable {
            Severity::Error => self.error(KEY, message, help),
            Severity::Warning => self.warning(KEY, message, help),
        }
    }

    fn directories(&mut self) {
        let config = self.config;
        self.own_directory("agent.state_dir", &config.agent.state_dir);
        if config.log.files {
            self.own_directory("log.directory", &config.log.directory);
        }
    }

    /// A directory that the agent makes if its parent is there.
    fn own_directory(&mut self, key: &str, directory: &Path) {
        match metadata(directory) {
            Ok(found) if !found.is_dir() => self.error(
                key,
                format!("names {}, which is a file", directory.display()),
                "name a directory",
            ),
            // Without its files, the log still goes to standard error.
            Ok(found) if found.permissions().readonly() && key == "log.directory" => self.warning(
                key,
                format!("names {}, which is read-only", directory.display()),
                "make it writable for the agent's user, or write log.files = false",
            ),
            Ok(found) if found.permissions().readonly() => self.error(
                key,
                format!("names {}, which is read-only", directory.display()),
                "make it writable for the agent's user",
            ),
            Ok(_) => {}
            Err(ErrorKind::NotFound) => {
                let parent = directory.parent().map(metadata);
                if !matches!(parent, Some(Ok(found)) if found.is_dir()) {
                    self.error(
                        key,
                        format!(
                            "names {}, and the directory above it does not exist either",
                            directory.display()
                        ),
                        format!("make it: mkdir -p {}", directory.display()),
                    );
                }
            }
            Err(kind) => self.error(key, refused(directory, kind), READ_HELP),
        }
    }

    fn tls(&mut self, now: SystemTime) {
        let tls = &self.config.dispatch.tls;
        self.take(certificate::check(&tls.certificate, &tls.private_key, now));
        let findings = client_certificates::check(tls);
        self.take(findings);
    }

    fn take(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            let problem = self.from.problem(finding.key, finding.message, finding.help);
            self.problems.push(if finding.fatal {
                problem
            } else {
                problem.as_warning()
            });
        }
    }

    fn tokens(&mut self) {
        let file = &self.config.agent.token_file;
        match metadata(file) {
            Err(ErrorKind::NotFound) => self.warning(
                "agent.token_file",
                format!(
                    "names {}, which does not exist: every call is refused",
                    file.display()
                ),
                "make a token: lumos-agent token create --name lumos --scope '*:*'",
            ),
            Err(kind) => self.error("agent.token_file", refused(file, kind), READ_HELP),
            Ok(found) if !found.is_file() => self.error(
                "agent.token_file",
                format!("names {}, which is not a file", file.display()),
                "name the file that `lumos-agent token` writes",
            ),
            Ok(found) => {
                if let Some(mode) = open_to_all(&found) {
                    self.error(
                        "agent.token_file",
                        format!(
                            "names {}, which everyone on this machine can read (mode {mode:o})",
                            file.display()
                        ),
                        format!("close it: chmod 600 {}", file.display()),
                    );
                } else if let Err(error) = crate::auth::TokenFile::new(file).list() {
                    // Starting with no tokens would look as if there had never been any.
                    let told = format!("can't be used: {error}");
                    self.error("agent.token_file", told, error.remedy());
                }
            }
        }
    }

    fn connectors(&mut self) {
        let connectors = &self.config.connectors;
        let limits = [
            ("memory_limit", connectors.memory_limit),
            ("idle_memory_limit", connectors.idle_memory_limit),
        ];
        for (name, limit) in limits {
            if connectors.isolation == Isolation::InProcess && limit.is_some() {
                self.error(
                    &format!("connectors.{name}"),
                    "can't go together with connectors.isolation = \"in-process\": a part of the agent can't be limited",
                    "move it to the settings of those connectors that run in a process, or delete the line",
                );
            }
        }
        if connectors.require_signed && connectors.trusted_keys.is_empty() {
            self.error(
                "connectors.require_signed",
                "is on, but connectors.trusted_keys names no key: every connector would be refused",
                "add the line that begins with RW of your minisign.pub to connectors.trusted_keys",
            );
        }
        for name in &connectors.trusted_owners {
            if matches!(crate::os::resolve_owner(name), Ok(None)) {
                self.warning(
                    "connectors.trusted_owners",
                    format!("names `{name}`, who is no user of this machine"),
                    "correct the name, or give the user's number (SID on Windows)",
                );
            }
        }
        for (app_id, settings) in &connectors.settings {
            let key = |name: &str| format!("connectors.settings.{app_id}.{name}");
            if settings.isolation.unwrap_or(connectors.isolation) == Isolation::InProcess {
                self.in_process(app_id, settings);
            }
            if settings
                .timeout
                .is_some_and(|timeout| timeout > self.config.dispatch.timeout)
            {
                self.warning(
                    &key("timeout"),
                    "is more than dispatch.timeout, which ends calls before",
                    "lower the first or raise the second",
                );
            }
            if !settings.sandbox.enabled {
                self.warning(
                    &key("sandbox.enabled"),
                    "is false: the connector can reach all that the agent can, keys and tokens included",
                    "delete the line, and open what the connector needs with read, write or execute",
                );
            }
            if connectors.require_pinned && settings.enabled && settings.sha256.is_empty() {
                self.warning(
                    &format!("connectors.settings.{app_id}"),
                    "has no sha256, and connectors.require_pinned is on: it will be refused",
                    "add sha256 = [\"…\"] with what `sha256sum FILE` prints",
                );
            }
        }
    }

    /// What needs a process of its own is refused, rather than left out in silence.
    fn in_process(&mut self, app_id: &AppId, settings: &ConnectorSettings) {
        let unmet = [
            ("memory_limit", settings.memory_limit.is_some()),
            ("cpu_warning", settings.cpu_warning.is_some()),
            ("max_open_files", settings.max_open_files.is_some()),
            ("environment", !settings.environment.is_empty()),
            ("sandbox", settings.sandbox != Sandbox::default()),
        ];
        for (name, _) in unmet.into_iter().filter(|(_, given)| *given) {
            let message = match settings.isolation {
                Some(_) => "can't go together with isolation = \"in-process\": it needs a process of its own",
                None => {
                    "can't go together with connectors.isolation = \"in-process\": it needs a process of its own"
                }
            };
            self.error(
                &format!("connectors.settings.{app_id}.{name}"),
                message,
                format!("write isolation = \"process\" in connectors.settings.{app_id}, or delete the line"),
            );
        }
        let limited = self.config.connectors.memory_limit.is_some();
        if limited && settings.isolation == Some(Isolation::InProcess) {
            self.warning(
                &format!("connectors.settings.{app_id}.isolation"),
                "is \"in-process\", where connectors.memory_limit does not hold",
                "write isolation = \"process\" to have this connector limited",
            );
        }
    }

    fn tenants(&mut self) {
        let tenants = self.config.connectors.tenants.iter();
        for (app_id, name, tenant) in
            tenants.flat_map(|(app_id, names)| names.iter().map(move |(n, t)| (app_id, n, t)))
        {
            let key = |what: &str| format!("connectors.tenants.{app_id}.{name}.{what}");
            if tenant.events != Events::Off {
                self.error(
                    &key("events"),
                    "is not available in this version but as \"off\"",
                    "write events = \"off\"",
                );
            }
            let Some(file) = &tenant.credentials_file else {
                continue;
            };
            match metadata(file) {
                Err(kind) => self.error(&key("credentials_file"), refused(file, kind), READ_HELP),
                Ok(found) => {
                    if let Some(mode) = open_to_all(&found) {
                        self.error(
                            &key("credentials_file"),
                            format!("names {}, which others can read (mode {mode:o})", file.display()),
                            format!("close it: chmod 600 {}", file.display()),
                        );
                    }
                }
            }
        }
    }
}

const READ_HELP: &str = "correct the path, or let the agent's user read it";
fn metadata(path: &Path) -> Result<Metadata, ErrorKind> {
    std::fs::metadata(path).map_err(|error| error.kind())
}

/// Why a file can't be used, to follow a key's name.
pub(super) fn refused(path: &Path, kind: ErrorKind) -> String {
    let path = path.display();
    match kind {
        ErrorKind::NotFound => format!("names {path}, which does not exist"),
        ErrorKind::PermissionDenied => format!("names {path}, which can't be read: permission denied"),
        other => format!("names {path}, which can't be read: {other}"),
    }
}

/// The permission bits, if others than owner and group have any.
#[cfg(unix)]
pub(super) fn open_to_all(found: &Metadata) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let mode = found.mode() & 0o777;
    (mode & 0o007 != 0).then_some(mode)
}

/// Access lists are checked where files are opened.
#[cfg(not(unix))]
pub(super) fn open_to_all(_found: &Metadata) -> Option<u32> {
    None
}

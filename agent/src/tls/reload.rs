//! The pair in force, and the task that replaces it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::{ServerConfig, ServerConnection};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::client::ClientCertificate;
use super::load::{CertificateInfo, Loaded, Pair, TlsError, load, provider, stamps};
use super::trust::Trust;
use crate::conditions::{Conditions, Name};
use crate::config::Config;
use crate::config::model::Tls;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// A certificate that ends sooner is a condition.
const SOON: jiff::SignedDuration = jiff::SignedDuration::from_hours(14 * 24);

/// Certificate and key of the dispatch listener, and whose client certificates it accepts.
#[derive(Debug)]
pub(crate) struct ServerTls {
    current: ArcSwap<Loaded>,
    conditions: Conditions,
}

impl ServerTls {
    /// Loads the pair. An expired certificate is used, with an alarm: refusing to start would help nobody.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub(crate) fn load(settings: &Tls, conditions: Conditions) -> Result<Self, TlsError> {
        let tls = ServerTls {
            current: ArcSwap::from_pointee(load(settings)?),
            conditions,
        };
        tls.announce();
        tls.look_at_dates();
        Ok(tls)
    }

    /// For the next handshake.
    pub(crate) fn handshake(self: &Arc<Self>) -> Handshake {
        Handshake {
            tls: self.clone(),
            loaded: self.current.load_full(),
        }
    }

    /// Whose client certificates count now.
    pub(super) fn trust(&self) -> Option<Arc<Trust>> {
        self.current.load().trust.clone()
    }

    /// Of the certificate in force.
    pub(crate) fn certificate(&self) -> CertificateInfo {
        self.current.load().pair.info.clone()
    }

    /// Raises and clears what comes with time alone.
    pub(crate) fn look_at_dates(&self) {
        let now = Timestamp::now();
        let not_after = self.certificate().not_after;
        let expired = not_after <= now;
        let soon = !expired && not_after.duration_since(now) < SOON;
        let renew =
            || "make a new one with `lumos-agent cert renew`, or put that of your own authority in its place";
        self.conditions.set(
            Name::CertificateExpired,
            expired.then(|| {
                let text =
                    format!("the certificate expired at {not_after}: it is served, but callers refuse it");
                (text, renew().to_owned())
            }),
        );
        self.conditions.set(
            Name::CertificateExpiresSoon,
            soon.then(|| {
                (
                    format!("the certificate expires at {not_after}"),
                    renew().to_owned(),
                )
            }),
        );
        let lists_until = self.trust().and_then(|trust| trust.lists_until);
        let outdated = lists_until.filter(|until| *until < now);
        self.conditions.set(
            Name::RevocationListOutdated,
            outdated.map(|until| {
                let text = format!(
                    "a revocation list of client certificates should have been replaced at {until}; it goes on to count"
                );
                (text, "fetch the authority's new list into dispatch.tls.client_crl".to_owned())
            }),
        );
    }

    /// Looks at the files until `stop` fires. Blocks for a few small files when they changed.
    pub(crate) async fn watch(&self, config: watch::Receiver<Arc<Config>>, stop: CancellationToken) {
        let mut tried = self.current.load().stamps;
        let mut before = tried;
        let mut paths = tls_of(&config);
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            let settings = tls_of(&config);
            let now = stamps(&settings);
            let moved = settings != paths;
            // What belongs together are several files: a change counts once both have been quiet for one look.
            if (now != tried || moved) && now == before {
                tried = now;
                paths = settings;
                self.take_up(&paths);
            }
            before = now;
            self.look_at_dates();
        }
    }

    /// Takes up what can be used. The pair and the authority of clients are independent of each other: for what cannot be
    /// used, the last good one stays.
    fn take_up(&self, settings: &Tls) {
        let current = self.current.load_full();
        let stamps = stamps(settings);
        let pair = Pair::load(settings);
        let trust = Trust::load(settings, &provider());
        let (mut pair_error, trust_error) = (
            pair.as_ref().err().map(describe),
            trust.as_ref().err().map(describe),
        );
        let pair = pair.unwrap_or_else(|_| current.pair.clone());
        let trust = match trust {
            Ok(trust) => trust.map(Arc::new),
            Err(_) => current.trust.clone(),
        };
        match Loaded::new(settings, pair, trust, stamps) {
            Ok(loaded) => self.current.store(Arc::new(loaded)),
            Err(error) => pair_error = Some(describe(&error)),
        }
        if pair_error.is_none() {
            self.announce();
        }
        let remedy = "put the file right; it is read again when it changes";
        let stays = |what: &str, error: String| (format!("{what} in force: {error}"), remedy.to_owned());
        self.conditions.set(
            Name::CertificateNotLoaded,
            pair_error.map(|error| stays("the old certificate stays", error)),
        );
        self.conditions.set(
            Name::ClientCaNotLoaded,
            trust_error.map(|error| stays("the old authority of client certificates stays", error)),
        );
        self.look_at_dates();
    }

    fn announce(&self) {
        let CertificateInfo {
            not_after,
            fingerprint_sha256: fingerprint,
        } = self.certificate();
        tracing::info!(%not_after, %fingerprint, "the certificate is in force");
    }
}

/// What is loaded; names are looked up in the configuration itself.
fn tls_of(config: &watch::Receiver<Arc<Config>>) -> Tls {
    Tls {
        client_names: BTreeMap::new(),
        ..config.borrow().dispatch.tls.clone()
    }
}

/// What one handshake goes by, from its begin to its end.
pub(crate) struct Handshake {
    tls: Arc<ServerTls>,
    loaded: Arc<Loaded>,
}

impl Handshake {
    /// For rustls.
    pub(crate) fn server_config(&self) -> Arc<ServerConfig> {
        self.loaded.server.clone()
    }

    /// The certificate that the client proved to have.
    pub(crate) fn client_certificate(&self, connection: &ServerConnection) -> Option<ClientCertificate> {
        let trust = self.loaded.trust.clone()?;
        ClientCertificate::new(connection.peer_certificates()?, self.tls.clone(), trust)
    }
}

fn describe(error: &TlsError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::{ClientAuth, TlsVersion};
    use std::path::Path;

    fn write_pair(dir: &Path, name: &str) -> Tls {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let settings = Tls {
            certificate: dir.join("server.pem"),
            private_key: dir.join("server.key"),
            client_ca: None,
            client_auth: ClientAuth::Optional,
            client_crl: None,
            client_names: BTreeMap::new(),
            min_version: TlsVersion::Tls12,
        };
        std::fs::write(&settings.certificate, made.cert.pem()).unwrap();
        write_private(&settings.private_key, &made.signing_key.serialize_pem());
        settings
    }

    fn write_private(path: &Path, text: &str) {
        let _ = std::fs::remove_file(path);
        std::fs::write(path, text).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
    }

    #[test]
    fn a_bad_pair_leaves_the_old_one_in_force() {
        let dir = tempfile::tempdir().unwrap();
        let settings = write_pair(dir.path(), "localhost");
        let conditions = Conditions::default();
        let tls = ServerTls::load(&settings, conditions.clone()).unwrap();
        let first = tls.certificate();
        let key = std::fs::read_to_string(&settings.private_key).unwrap();

        write_pair(dir.path(), "localhost");
        write_private(&settings.private_key, &key);
        tls.take_up(&settings);
        assert_eq!(tls.certificate(), first);
        let held = conditions.list();
        assert_eq!(held[0].name, Name::CertificateNotLoaded);
        assert!(held[0].message.contains("does not belong"), "{held:?}");

        write_pair(dir.path(), "localhost");
        tls.take_up(&settings);
        assert_ne!(tls.certificate(), first);
        assert_eq!(conditions.list(), []);
    }

    #[test]
    fn a_missing_authority_keeps_the_old_one_and_lets_the_pair_be_renewed() {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = write_pair(dir.path(), "localhost");
        let authority = dir.path().join("clients.pem");
        std::fs::copy(&settings.certificate, &authority).unwrap();
        settings.client_ca = Some(authority.clone());
        let conditions = Conditions::default();
        let tls = ServerTls::load(&settings, conditions.clone()).unwrap();
        let first = (tls.certificate(), tls.trust().unwrap());

        std::fs::rename(&authority, dir.path().join("elsewhere")).unwrap();
        write_pair(dir.path(), "localhost");
        tls.take_up(&settings);
        assert!(Arc::ptr_eq(&tls.trust().unwrap(), &first.1));
        assert_ne!(tls.certificate(), first.0);
        assert_eq!(conditions.list()[0].name, Name::ClientCaNotLoaded);

        std::fs::rename(dir.path().join("elsewhere"), &authority).unwrap();
        tls.take_up(&settings);
        assert!(!Arc::ptr_eq(&tls.trust().unwrap(), &first.1));
        assert_eq!(conditions.list(), []);
    }

    #[test]
    fn stamps_change_with_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let settings = write_pair(dir.path(), "localhost");
        let before = stamps(&settings);
        assert_eq!(before, stamps(&settings));
        std::fs::remove_file(&settings.certificate).unwrap();
        assert_ne!(before, stamps(&settings));
    }

    #[test]
    fn each_mistake_has_its_message() {
        let dir = tempfile::tempdir().unwrap();
        let good = write_pair(dir.path(), "localhost");
        let shown = |settings: &Tls| {
            describe(&load(settings).unwrap_err()).replace(&dir.path().display().to_string(), "DIR")
        };
        let text = dir.path().join("text.pem");
        write_private(&text, "hello\n");
        let mut messages = vec![
            shown(&Tls {
                certificate: dir.path().join("absent.pem"),
                ..good.clone()
            }),
            shown(&Tls {
                certificate: text.clone(),
                ..good.clone()
            }),
            shown(&Tls {
                private_key: text.clone(),
                ..good.clone()
            }),
        ];
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&good.private_key, std::fs::Permissions::from_mode(0o644)).unwrap();
            messages.push(shown(&good));
        }
        insta::assert_snapshot!(messages.join("\n"));
    }
}

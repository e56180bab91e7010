//! The pair in force, and the task that replaces it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use rustls::{ServerConfig, ServerConnection};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::client::ClientCertificate;
use super::load::{CertificateInfo, Loaded, TlsError, load, stamps};
use super::trust::Trust;
use crate::config::Config;
use crate::config::model::Tls;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// A certificate that ends sooner is mentioned in the log.
const SOON: jiff::SignedDuration = jiff::SignedDuration::from_hours(14 * 24);

/// Certificate and key of the dispatch listener, and whose client certificates it accepts.
#[derive(Debug)]
pub(crate) struct ServerTls {
    current: ArcSwap<Loaded>,
    problem: ArcSwapOption<String>,
}

impl ServerTls {
    /// Loads the pair. An expired certificate is used, with a warning: refusing to start would help nobody.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub(crate) fn load(settings: &Tls) -> Result<Self, TlsError> {
        let loaded = load(settings)?;
        announce(&loaded.info);
        Ok(ServerTls {
            current: ArcSwap::from_pointee(loaded),
            problem: ArcSwapOption::empty(),
        })
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
        self.current.load().info.clone()
    }

    /// Why the files on disk are not those in force, or why callers refuse the certificate; for `/readyz`.
    pub(crate) fn problem(&self) -> Option<String> {
        if let Some(problem) = self.problem.load_full() {
            return Some(problem.as_ref().clone());
        }
        let info = self.certificate();
        if info.expired() {
            return Some(format!(
                "the certificate expired at {}; `lumos-agent cert renew` makes a new one",
                info.not_after
            ));
        }
        let until = self.trust()?.lists_until?;
        (until < Timestamp::now()).then(|| {
            format!(
                "a revocation list of client certificates should have been replaced at {until}; it goes on to count"
            )
        })
    }

    /// Looks at the files until `stop` fires. Blocks for two small files when they changed.
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
        }
    }

    fn take_up(&self, settings: &Tls) {
        match load(settings) {
            Ok(loaded) => {
                announce(&loaded.info);
                self.current.store(Arc::new(loaded));
                self.problem.store(None);
            }
            Err(error) => {
                let text = describe(&error);
                tracing::error!(error = %text, "the new certificates are not used; the old ones stay in force");
                self.problem.store(Some(Arc::new(format!(
                    "the old certificates stay in force: {text}"
                ))));
            }
        }
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

fn announce(info: &CertificateInfo) {
    let (not_after, fingerprint) = (info.not_after, info.fingerprint_sha256);
    if info.expired() {
        tracing::warn!(%not_after, %fingerprint, "the certificate has expired: callers will refuse it");
    } else if not_after.duration_since(Timestamp::now()) < SOON {
        tracing::warn!(%not_after, %fingerprint, "the certificate expires soon");
    } else {
        tracing::info!(%not_after, %fingerprint, "the certificate is in force");
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
        let tls = ServerTls::load(&settings).unwrap();
        let first = tls.certificate();
        let key = std::fs::read_to_string(&settings.private_key).unwrap();

        write_pair(dir.path(), "localhost");
        write_private(&settings.private_key, &key);
        tls.take_up(&settings);
        assert_eq!(tls.certificate(), first);
        assert!(
            tls.problem().unwrap().contains("does not belong"),
            "{:?}",
            tls.problem()
        );

        write_pair(dir.path(), "localhost");
        tls.take_up(&settings);
        assert_ne!(tls.certificate(), first);
        assert_eq!(tls.problem(), None);
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

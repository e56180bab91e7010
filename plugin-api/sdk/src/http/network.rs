//! What lies between a connector and its app: a proxy, and authorities that the system does not know.
#![forbid(unsafe_code)]

use std::path::Path;

use lumos_connector_models::BasicCredential;
use reqwest::{Proxy, Url};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

use crate::error::{ConnectorError, ErrorKind};

/// How the app is reached. The default is the way that the environment describes.
#[derive(Clone, Default)]
pub(super) struct Network {
    pub(super) roots: Vec<CertificateDer<'static>>,
    proxy: Option<(Url, Option<BasicCredential>)>,
    pub(super) direct: bool,
    /// Whether redirects are left to the caller.
    pub(super) stay: bool,
}

impl Network {
    pub(super) fn set_proxy(
        &mut self,
        url: &str,
        credential: Option<&BasicCredential>,
    ) -> Result<(), ConnectorError> {
        let url = Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.ok_or_else(|| invalid("The proxy's address is not an http or https URL."))?;
        self.proxy = Some((url, credential.cloned()));
        Ok(())
    }

    /// Adds the authorities in a PEM text.
    pub(super) fn trust(&mut self, pem: &[u8]) -> Result<(), ConnectorError> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match found {
            Ok(found) if !found.is_empty() => self.roots.extend(found),
            _ => {
                return Err(invalid(
                    "The certificate authorities are not certificates in PEM.",
                ));
            }
        }
        Ok(())
    }

    pub(super) fn trust_file(&mut self, path: &Path) -> Result<(), ConnectorError> {
        let pem = std::fs::read(path).map_err(|error| {
            invalid(format!(
                "The file of certificate authorities {} cannot be read: {error}",
                path.display()
            ))
        })?;
        self.trust(&pem)
    }

    /// The same for two that lead the same way.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update([u8::from(self.direct), u8::from(self.stay)]);
        let mut add = |part: &[u8]| {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        };
        if let Some((url, credential)) = &self.proxy {
            add(url.as_str().as_bytes());
            if let Some(credential) = credential {
                add(credential.username.as_bytes());
                add(credential.password.expose().as_bytes());
            }
        }
        add(b"");
        for root in &self.roots {
            add(root);
        }
        digest.finalize().into()
    }

    /// The proxy, where the environment is not to decide.
    pub(super) fn proxy(&self) -> Result<Option<Proxy>, ConnectorError> {
        let Some((url, credential)) = &self.proxy else {
            return Ok(None);
        };
        let proxy = Proxy::all(url.clone()).map_err(|_| invalid("The proxy's address cannot be used."))?;
        Ok(Some(match credential {
            Some(credential) => proxy.basic_auth(&credential.username, credential.password.expose()),
            None => proxy,
        }))
    }
}

fn invalid(message: impl Into<String>) -> ConnectorError {
    ConnectorError::of(ErrorKind::InvalidConfiguration).with_message(message)
}

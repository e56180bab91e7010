//! The cookie of the control socket: proof that who asks can read the agent's state directory.
//!
//! A connector's host runs under the agent's user, so the socket's peer credentials do not tell the two apart, and no kernel
//! before Linux 7.1 can close a single unix socket to it. The sandbox closes the state directory in any case.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};

use crate::domain::Sha256;
use crate::os;

/// The header that carries it.
pub(super) const HEADER: &str = "x-lumos-control";

/// Where it is kept.
fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("control.cookie")
}

/// The digest of the one cookie that is accepted.
#[derive(Clone, Copy)]
pub(super) struct Cookie([u8; 32]);

impl Cookie {
    /// Makes a new one, which replaces that of an earlier agent.
    pub(super) fn make(state_dir: &Path) -> io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        // 64 hexadecimal digits of something random: the digest's way to write itself.
        let text = SecretString::from(Sha256::of(&bytes).to_string());
        let path = path(state_dir);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        os::create_private(&path)?.write_all(text.expose_secret().as_bytes())?;
        Ok(Cookie::of(text.expose_secret().as_bytes()))
    }

    fn of(text: &[u8]) -> Self {
        Cookie(*Sha256::of(text).as_bytes())
    }

    /// `router` for those who know it.
    pub(super) fn guard(self, router: Router) -> Router {
        router.layer(from_fn(move |request: Request, next: Next| async move {
            let given = request
                .headers()
                .get(HEADER)
                .map(|value| Cookie::of(value.as_bytes()));
            // Digests of secrets: what their comparison's time tells is of no use.
            match given {
                Some(given) if given.0 == self.0 => next.run(request).await,
                _ => refusal(),
            }
        }))
    }
}

/// For a client: what to send, if it may be read.
pub(super) fn read(state_dir: &Path) -> Option<SecretString> {
    let text = std::fs::read_to_string(path(state_dir)).ok()?;
    Some(SecretString::from(text))
}

fn refusal() -> Response {
    let text = "the control socket answers only those who can read control.cookie in the state directory; ask as the agent's user or as root";
    (
        StatusCode::FORBIDDEN,
        axum::Json(serde_json::json!({ "error": text })),
    )
        .into_response()
}

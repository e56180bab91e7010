//! What a local command shows besides its user id: a secret that stands in the state directory.
//!
//! A connector's host runs as the agent's own user, so the user id of a peer does not tell the two apart. But the sandbox
//! keeps hosts out of the state directory, so the secret does. It is new at every start of the agent.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use subtle::ConstantTimeEq as _;

use crate::durable;
use crate::os::Owner;

/// Carries the secret.
const HEADER: HeaderName = HeaderName::from_static("x-lumos-control");
/// Hexadecimal digits of it.
const DIGITS: usize = 64;

/// The secret of one run of the agent. Cheap to clone.
#[derive(Clone)]
pub(super) struct Cookie(SecretString);

impl Cookie {
    /// A new one, readable by the owner of the state directory alone.
    ///
    /// # Errors
    /// If there is no randomness, or the file cannot be made.
    pub(super) fn make(state_dir: &Path) -> io::Result<Self> {
        let mut bytes = zeroize::Zeroizing::new([0; DIGITS / 2]);
        getrandom::fill(&mut *bytes).map_err(|error| io::Error::other(error.to_string()))?;
        let cookie = Cookie(SecretString::from(hex::encode(*bytes)));
        let path = file(state_dir);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        crate::os::create_private(&path)?.write_all(cookie.0.expose_secret().as_bytes())?;
        Ok(cookie)
    }

    /// That of the agent with this state directory, to be shown to `listener`, who listens on its socket. Another user may
    /// write to the directory: what is not his, and no such secret, is not for him to see.
    ///
    /// # Errors
    /// If it cannot be read: there is no agent, or this user may not ask it. If it is not the listener's secret.
    pub(super) fn read(state_dir: &Path, listener: Option<&Owner>) -> io::Result<Self> {
        let path = file(state_dir);
        let (bytes, owner) = durable::read_small(&path, DIGITS as u64)?;
        let text = String::from_utf8(bytes)
            .ok()
            .filter(|text| text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match text {
            Some(text) if listener.is_none_or(|listener| *listener == owner) => {
                Ok(Cookie(SecretString::from(text)))
            }
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{} is not the secret of who listens there", path.display()),
            )),
        }
    }

    /// The header that shows it.
    pub(super) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let mut value = HeaderValue::from_str(self.0.expose_secret()).ok()?;
        value.set_sensitive(true);
        Some((HEADER, value))
    }

    fn shown_by(&self, headers: &HeaderMap) -> bool {
        let own = self.0.expose_secret().as_bytes();
        headers
            .get(HEADER)
            .is_some_and(|shown| shown.as_bytes().ct_eq(own).into())
    }
}

fn file(state_dir: &Path) -> PathBuf {
    state_dir.join("control.cookie")
}

/// Lets only those in who show the secret.
pub(super) async fn admit(State(cookie): State<Cookie>, request: Request, next: Next) -> Response {
    if cookie.shown_by(request.headers()) {
        return next.run(request).await;
    }
    let error = json!({ "error": "the control socket takes only what shows the secret in control.cookie" });
    (StatusCode::UNAUTHORIZED, axum::Json(error)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_new_at_every_start_and_known_to_readers_of_the_state_directory() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Cookie::read(dir.path(), None).is_err());
        let first = Cookie::make(dir.path()).unwrap();
        let second = Cookie::make(dir.path()).unwrap();
        let shown = HeaderMap::from_iter(Cookie::read(dir.path(), None).unwrap().header());
        assert!(second.shown_by(&shown));
        assert!(!first.shown_by(&shown));
        assert!(!second.shown_by(&HeaderMap::new()));
        let empty = HeaderMap::from_iter([(HEADER, HeaderValue::from_static(""))]);
        assert!(!second.shown_by(&empty));
    }

    #[cfg(unix)]
    #[test]
    fn nothing_but_the_listeners_own_secret_is_shown_to_him() {
        let dir = tempfile::tempdir().unwrap();
        let (own, other) = (crate::os::current_owner(), Owner::User(4_000_000_000));
        Cookie::make(dir.path()).unwrap();
        assert!(Cookie::read(dir.path(), Some(&own)).is_ok());
        assert!(Cookie::read(dir.path(), Some(&other)).is_err());
        let secret = dir.path().join("secret");
        std::fs::rename(file(dir.path()), &secret).unwrap();
        std::os::unix::fs::symlink(&secret, file(dir.path())).unwrap();
        assert!(Cookie::read(dir.path(), Some(&own)).is_err());
        std::fs::remove_file(file(dir.path())).unwrap();
        std::fs::write(
            file(dir.path()),
            "a password, or some line of a private key of sixty-four bytes or more",
        )
        .unwrap();
        assert!(Cookie::read(dir.path(), Some(&own)).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn it_is_private_and_follows_no_link() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = dir.path().join("elsewhere");
        symlink(&elsewhere, file(dir.path())).unwrap();
        Cookie::make(dir.path()).unwrap();
        assert!(!elsewhere.exists());
        let mode = std::fs::metadata(file(dir.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

//! The tokens in force, as the running agent sees them: the token file, re-read when it changes.
//!
//! The file's stamp is looked at with every request, but not twice within [`FRESH`], so that a revoked token is refused from
//! the next request on (a command cannot end and a request be made within that), without a restart or a signal. A file that cannot be read or trusted means that no token is in force.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::token_file::{self, TokenRecord};
use super::{Principal, Via, token};
use crate::conditions::{Conditions, Name};
use crate::stamp::Stamp;

/// How long a look at the file counts.
#[cfg(not(test))]
const FRESH: Duration = Duration::from_millis(1);
#[cfg(test)]
const FRESH: Duration = Duration::ZERO;

pub(super) struct TokenStore {
    path: PathBuf,
    conditions: Conditions,
    current: ArcSwap<Loaded>,
    epoch: Instant,
    /// Nanoseconds after `epoch` at which the file was last looked at.
    looked: AtomicU64,
    reloading: Mutex<()>,
}

struct Loaded {
    stamp: Option<Stamp>,
    tokens: HashMap<[u8; 32], Entry>,
    /// What is wrong, and what to do about it.
    problem: Option<(String, String)>,
}

struct Entry {
    id: Arc<str>,
    principal: Principal,
    expires_at: Option<Timestamp>,
}

impl TokenStore {
    pub(super) fn new(path: PathBuf, conditions: Conditions) -> Self {
        let loaded = Loaded::from_file(&path);
        loaded.tell(&conditions);
        TokenStore {
            path,
            conditions,
            current: ArcSwap::from_pointee(loaded),
            epoch: Instant::now(),
            looked: AtomicU64::new(0),
            reloading: Mutex::new(()),
        }
    }

    /// Who owns the token with this digest, and the token's id. `None` if it is unknown, expired or revoked.
    pub(super) fn find(&self, digest: &[u8; 32]) -> Option<(Principal, Arc<str>)> {
        self.refresh();
        let loaded = self.current.load();
        // What a search by digest tells by its time is about the digest, which nobody can choose bit by bit.
        let (own, entry) = loaded.tokens.get_key_value(digest)?;
        let expired = entry.expires_at.is_some_and(|at| at <= Timestamp::now());
        (token::equal(own, digest) && !expired).then(|| (entry.principal.clone(), entry.id.clone()))
    }

    /// Looks at the file, if nobody has just done so.
    pub(super) fn refresh(&self) {
        // Noted before looking: what changes afterwards is seen at the next look.
        let now = u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let since = now.saturating_sub(self.looked.load(Ordering::Acquire));
        if self.looked.load(Ordering::Relaxed) > 0 && u128::from(since) < FRESH.as_nanos() {
            return;
        }
        self.look();
        self.looked.store(now, Ordering::Release);
    }

    fn look(&self) {
        if stamp(&self.path) == self.current.load().stamp {
            return;
        }
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current.load();
        if stamp(&self.path) != current.stamp {
            let loaded = Loaded::from_file(&self.path);
            loaded.tell(&self.conditions);
            self.current.store(Arc::new(loaded));
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    std::fs::metadata(path).ok().map(|metadata| Stamp::of(&metadata))
}

impl Loaded {
    fn from_file(path: &Path) -> Self {
        // Before reading: a file that changes meanwhile has another stamp at the next request.
        let stamp = stamp(path);
        let (tokens, problem) = match token_file::load(path) {
            Ok(records) => (records.into_iter().map(entry).collect(), None),
            Err(error) => {
                let problem = (with_source(&error), error.remedy().to_owned());
                (HashMap::new(), Some(problem))
            }
        };
        Loaded {
            stamp,
            tokens,
            problem,
        }
    }

    fn tell(&self, conditions: &Conditions) {
        match &self.problem {
            Some((problem, remedy)) => conditions.raise(
                Name::TokensUnavailable,
                format!("no token is accepted: {problem}"),
                remedy.as_str(),
            ),
            None => {
                conditions.clear(Name::TokensUnavailable);
                tracing::info!(tokens = self.tokens.len(), "tokens were read");
            }
        }
    }
}

fn with_source(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn entry(record: TokenRecord) -> ([u8; 32], Entry) {
    let entry = Entry {
        id: record.id.into(),
        principal: Principal {
            name: record.name.into(),
            scopes: Arc::new(record.scopes),
            via: Via::Token,
        },
        expires_at: record.expires_at,
    };
    (*record.sha256.as_bytes(), entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::TokenFile;
    use crate::domain::Scopes;
    use secrecy::ExposeSecret;

    fn scopes() -> Scopes {
        Scopes(vec!["*:*".parse().unwrap()])
    }

    #[test]
    fn revoked_expired_and_narrowed_tokens_count_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile::new(dir.path().join("tokens.json"));
        let good = file.create("good", scopes(), None).unwrap();
        let old = file.create("old", scopes(), Some(Timestamp::UNIX_EPOCH)).unwrap();
        let store = TokenStore::new(file.path().to_owned(), Conditions::default());
        let good = token::digest(good.expose_secret());
        assert!(store.find(&good).is_some());
        assert!(store.find(&token::digest(old.expose_secret())).is_none());

        file.revoke("good").unwrap();
        assert!(store.find(&good).is_none());
    }

    #[test]
    fn an_unreadable_file_denies_all_until_it_is_put_right() {
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile::new(dir.path().join("tokens.json"));
        let token = token::digest(file.create("t", scopes(), None).unwrap().expose_secret());
        let conditions = Conditions::default();
        let store = TokenStore::new(file.path().to_owned(), conditions.clone());
        let text = std::fs::read(file.path()).unwrap();

        std::fs::write(file.path(), "{").unwrap();
        assert!(store.find(&token).is_none());
        assert!(conditions.holds(Name::TokensUnavailable));

        std::fs::write(file.path(), text).unwrap();
        assert!(store.find(&token).is_some());
        assert!(!conditions.holds(Name::TokensUnavailable));

        std::fs::remove_file(file.path()).unwrap();
        assert!(store.find(&token).is_none());
    }
}

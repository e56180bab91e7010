//! The files of the connectors directory, each with what is known of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::examine::Rejection;
use super::now;
use crate::config::Config;
use crate::connectors::artifact::Artifact;
use crate::connectors::intake::Refusal;
use crate::connectors::listing::{Listing, State};
use crate::connectors::memory::Files;
use crate::connectors::settings::{pinned, signed};
use crate::connectors::watch::stem;
use crate::domain::{AppId, Sha256};

/// One file.
#[derive(Debug)]
pub(super) struct FileState {
    /// The examination that counts; 0 before the first.
    pub(super) ticket: u64,
    /// What it offers, perhaps from before its content was refused.
    pub(super) held: Option<Arc<Artifact>>,
    /// What served under its name before the restart.
    pub(super) recalled: Option<Arc<Artifact>>,
    /// What is wrong with its content now.
    pub(super) trouble: Option<String>,
    /// Who may sign has changed, and it has not been examined since.
    pub(super) rejudging: bool,
    /// The file of the same app_id that is served instead.
    pub(super) shadowed_by: Option<String>,
    state: State,
    since: Timestamp,
    sha256: Option<Sha256>,
    version: Option<String>,
}

impl FileState {
    pub(super) fn new() -> Self {
        FileState {
            ticket: 0,
            held: None,
            recalled: None,
            trouble: None,
            rejudging: false,
            shadowed_by: None,
            state: State::Discovered,
            since: now(),
            sha256: None,
            version: None,
        }
    }

    pub(super) fn enter(&mut self, state: State) {
        if self.state != state {
            self.state = state;
            self.since = now();
        }
    }

    /// Whether its first examination is still due or under way.
    pub(super) fn in_examination(&self) -> bool {
        self.held.is_none() && self.trouble.is_none()
    }

    pub(super) fn accept(&mut self, artifact: Arc<Artifact>) {
        self.sha256 = Some(artifact.sha256);
        self.version = Some(artifact.manifest.version.to_string());
        self.trouble = None;
        self.held = Some(artifact);
        self.enter(State::Ready);
    }

    /// Whether this says something new.
    pub(super) fn reject(&mut self, rejection: &Rejection) -> bool {
        let state = match rejection.refusal {
            Refusal::File(_) | Refusal::Surroundings(_) => State::Refused,
            Refusal::Incomplete(_) | Refusal::Changing => State::Discovered,
        };
        let text = rejection.refusal.to_string();
        self.enter(state);
        self.sha256 = rejection.sha256;
        self.version.clone_from(&rejection.version);
        let news = self.trouble.as_ref() != Some(&text);
        self.trouble = Some(text);
        news
    }

    /// Whether `config` lets what it holds be served.
    pub(super) fn check(&self, config: &Config) -> Result<(), String> {
        let Some(held) = &self.held else { return Ok(()) };
        pinned(config, &held.manifest.app_id, held.sha256)?;
        if self.rejudging {
            return Ok(());
        }
        signed(config, held.signed_by)
    }

    /// The configuration no longer allows what it holds.
    pub(super) fn unpin(&mut self, text: String) {
        self.held = None;
        self.trouble = Some(text);
        self.enter(State::Refused);
    }

    fn row(&self, name: &str, app_id: &str, served: Option<&Artifact>) -> Listing {
        let shadow = self.shadowed_by.as_ref().map(|winner| {
            format!(
                "`{winner}` offers the same connector in the same or a higher version; remove one of them"
            )
        });
        let state = if shadow.is_some() {
            State::Shadowed
        } else {
            self.state
        };
        Listing {
            app_id: app_id.to_owned(),
            version: served
                .map(|held| held.manifest.version.to_string())
                .or_else(|| self.version.clone()),
            kind: "native".into(),
            state,
            generation: None,
            sha256: served.map(|held| held.sha256).or(self.sha256),
            since: self.since,
            last_error: self.trouble.clone().or(shadow),
            in_flight: 0,
            capabilities: Vec::new(),
            file: Some(name.to_owned()),
            isolation: None,
            pid: None,
            isolation_level: None,
            sandbox: None,
            signed_by: served.and_then(|held| held.signed_by),
            pinned: false,
            host: None,
            warning: None,
        }
    }
}

/// The file of `app_id` to serve: the highest version; of equals the one in service, else the first by name.
pub(super) fn choose(
    files: &BTreeMap<String, FileState>,
    app_id: &AppId,
    current: Option<&str>,
) -> Option<String> {
    let offers = files.iter().filter_map(|(name, file)| {
        let held = file
            .held
            .as_ref()
            .filter(|held| held.manifest.app_id == *app_id)?;
        Some((&held.manifest.version, current == Some(name.as_str()), name))
    });
    // Of equal elements `max_by` takes the last, so the order is reversed.
    let best = offers
        .rev()
        .max_by(|a, b| a.0.cmp_precedence(b.0).then(a.1.cmp(&b.1)));
    best.map(|(_, _, name)| name.clone())
}

/// The files that are not in service.
pub(super) fn rows(files: &BTreeMap<String, FileState>, remembered: &Files) -> Vec<Listing> {
    let mut rows = Vec::new();
    for (name, file) in files {
        match &file.held {
            Some(held) if file.shadowed_by.is_some() => {
                rows.push(file.row(name, held.manifest.app_id.as_str(), Some(held)));
            }
            Some(_) => {}
            None => {
                let known = remembered.get(name).map(|remembered| remembered.app_id.as_str());
                rows.push(file.row(name, known.unwrap_or_else(|| stem(name)), None));
            }
        }
    }
    rows
}

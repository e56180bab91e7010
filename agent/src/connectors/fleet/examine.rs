//! The examination of one file, from its settling to an artifact or a refusal. Runs beside the fleet's task.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::Config;
use crate::connectors::artifact::Artifact;
use crate::connectors::driver::turn;
use crate::connectors::intake::{self, Owners, Refusal, Signers, Taken};
use crate::connectors::memory::Remembered;
use crate::connectors::registry::Shared;
use crate::connectors::settings::{pinned, pinned_by_anyone, signed};
use crate::connectors::starter::Starter;
use crate::connectors::store::Store;
use crate::connectors::walls;
use crate::connectors::watch::{Name, classify};
use crate::domain::{AppId, Sha256};
use crate::hosting::{Manifest, StartError};
use tokio::sync::Semaphore;

/// What an examination needs.
#[derive(Clone)]
pub(super) struct Examiner {
    pub(super) directory: PathBuf,
    pub(super) config: Arc<Config>,
    pub(super) owners: Arc<Owners>,
    pub(super) store: Store,
    pub(super) starter: Starter,
    pub(super) starts: Arc<Semaphore>,
    /// Files that may be copied at the same time.
    pub(super) takes: Arc<Semaphore>,
    pub(super) shared: Arc<Shared>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) file: String,
    /// Of several examinations of a file the latest counts.
    pub(super) ticket: u64,
    pub(super) verdict: Result<Arc<Artifact>, Rejection>,
    /// At a file's first examination: what served well under its name before, from the private copies.
    pub(super) recalled: Option<Arc<Artifact>>,
    /// What of the private copies is to be served if the verdict is none.
    pub(super) stand_in: Option<Arc<Artifact>>,
}

/// Why a file is not taken.
#[derive(Debug)]
pub(super) struct Rejection {
    pub(super) refusal: Refusal,
    /// Its content, if it got that far.
    pub(super) sha256: Option<Sha256>,
    pub(super) version: Option<String>,
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Rejection {
            refusal,
            sha256: None,
            version: None,
        }
    }
}

impl Examiner {
    /// Examines `file`. `bound` is the connector that it has served so far, `remembered` what is known from before a restart.
    pub(super) async fn examine(
        self,
        file: String,
        ticket: u64,
        bound: Option<AppId>,
        remembered: Option<Remembered>,
    ) -> Finding {
        let verdict = self.judge(&file, bound.as_ref()).await;
        let recalled = match remembered {
            Some(remembered) => {
                let good = remembered.good.into_iter().chain([remembered.sha256]);
                let current = verdict.as_ref().ok().map(|artifact| artifact.sha256);
                let candidates = good.filter(|sha256| Some(*sha256) != current).collect();
                self.recall(&file, remembered.app_id, candidates).await
            }
            None => None,
        };
        Finding {
            file,
            ticket,
            verdict,
            stand_in: recalled.clone(),
            recalled,
        }
    }

    /// Stands in for an examination while the directory cannot be listed, for `reason`: nothing says that `file` holds
    /// anything else than before.
    pub(super) async fn remember(self, file: String, remembered: Remembered, reason: String) -> Finding {
        let (app_id, good) = (remembered.app_id, remembered.good);
        let held = std::iter::once(remembered.sha256).chain(good).collect();
        let stand_in = self.recall(&file, app_id.clone(), held).await;
        let recalled = self.recall(&file, app_id, good.into_iter().collect()).await;
        Finding {
            file,
            ticket: 0,
            verdict: Err(Refusal::Surroundings(reason).into()),
            recalled,
            stand_in,
        }
    }

    async fn judge(&self, file: &str, bound: Option<&AppId>) -> Result<Arc<Artifact>, Rejection> {
        if let Name::Unsupported(what) = classify(file) {
            return Err(Refusal::File(format!(
                "{what} are not supported by this version of the agent; only shared libraries are. Remove the file, or upgrade the agent"
            ))
            .into());
        }
        let taken = self.take(file).await?;
        let rejected = |refusal| Rejection {
            refusal,
            sha256: Some(taken.sha256),
            version: None,
        };
        pinned_by_anyone(&self.config, taken.sha256).map_err(|text| rejected(Refusal::File(text)))?;
        let manifest = self.manifest(&taken).await.map_err(rejected)?;
        self.accept(file, taken.clone(), manifest, bound)
            .map_err(|(refusal, version)| Rejection {
                refusal,
                sha256: Some(taken.sha256),
                version: Some(version),
            })
    }

    async fn take(&self, file: &str) -> Result<Taken, Refusal> {
        let (this, file) = (self.clone(), file.to_owned());
        let _turn = self.takes.acquire().await.ok();
        let taken = tokio::task::spawn_blocking(move || {
            let signers = Signers::of(&this.config);
            intake::take(&this.directory, &file, &this.owners, &signers, &this.store)
        });
        taken.await.unwrap_or_else(|error| {
            Err(Refusal::File(format!(
                "the agent failed while examining it ({error}); please report it"
            )))
        })
    }

    async fn manifest(&self, taken: &Taken) -> Result<Manifest, Refusal> {
        if let Some(manifest) = self.store.manifest(taken.sha256) {
            return Ok(manifest);
        }
        let walls = walls::for_inspection(&self.config);
        let turn = turn(&self.starts).await;
        let inspected = self.starter.inspect(&taken.library, walls).await;
        drop(turn);
        let manifest = inspected.map_err(|error| match error {
            StartError::Refused(text) => Refusal::File(text),
            StartError::Spawn(_) | StartError::Failed(_) | StartError::Stuck(_) => {
                Refusal::Surroundings(error.to_string())
            }
        })?;
        if let Err(error) = self.store.remember(taken.sha256, &manifest) {
            self.shared.write_failed(&error);
        }
        Ok(manifest)
    }

    fn accept(
        &self,
        file: &str,
        taken: Taken,
        manifest: Manifest,
        bound: Option<&AppId>,
    ) -> Result<Arc<Artifact>, (Refusal, String)> {
        let version = manifest.version.to_string();
        if let Some(bound) = bound.filter(|bound| **bound != manifest.app_id) {
            let text = format!(
                "wrong app_id: the file served connector `{bound}` and now holds connector `{}`; give each connector a file of its own, or remove this one first",
                manifest.app_id
            );
            return Err((Refusal::File(text), version));
        }
        pinned(&self.config, &manifest.app_id, taken.sha256)
            .map_err(|text| (Refusal::File(text), version))?;
        Ok(Arc::new(Artifact {
            file: file.into(),
            sha256: taken.sha256,
            manifest: Arc::new(manifest),
            library: taken.library,
            signed_by: taken.signed_by,
        }))
    }

    /// The first of `candidates` of which there is a private copy that is whole, and may still be served.
    async fn recall(&self, file: &str, app_id: AppId, candidates: Vec<Sha256>) -> Option<Arc<Artifact>> {
        let (this, file) = (self.clone(), file.to_owned());
        let search = move || {
            let mut candidates = candidates.into_iter();
            candidates.find_map(|sha256| this.stored(&file, &app_id, sha256))
        };
        tokio::task::spawn_blocking(search).await.ok().flatten()
    }

    fn stored(&self, file: &str, app_id: &AppId, sha256: Sha256) -> Option<Arc<Artifact>> {
        pinned(&self.config, app_id, sha256).ok()?;
        let manifest = self
            .store
            .manifest(sha256)
            .filter(|manifest| manifest.app_id == *app_id)?;
        let library = self.store.find(sha256)?;
        let signature = self.store.signature(sha256);
        let signed_by = signature.and_then(|text| Signers::of(&self.config).of_stored(&text, &library));
        signed(&self.config, signed_by).ok()?;
        Some(Arc::new(Artifact {
            file: file.into(),
            sha256,
            manifest: Arc::new(manifest),
            library,
            signed_by,
        }))
    }
}

//! What outlives the agent: the memory of what served, and the private copies that somebody may still need.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use super::Fleet;
use crate::connectors::artifact::Artifact;
use crate::connectors::memory::Remembered;
use crate::domain::Sha256;

impl Fleet {
    /// Writes down what changed.
    ///
    /// # Errors
    /// If the state directory cannot be written.
    pub(super) async fn save(&mut self) -> io::Result<()> {
        for (name, file) in &self.files {
            let Some(held) = &file.held else { continue };
            let entry = self.drivers.get(&held.manifest.app_id).map(|(entry, _)| entry);
            let before = self
                .remembered
                .get(name)
                .filter(|known| known.app_id == held.manifest.app_id);
            let generation = entry.and_then(|entry| entry.status.load().generation);
            let good = entry.and_then(|entry| entry.last_good.load_full());
            let good = good.filter(|good| good.file == held.file && good.sha256 != held.sha256);
            let remembered = Remembered {
                app_id: held.manifest.app_id.clone(),
                sha256: held.sha256,
                good: good.map(|good| good.sha256),
                generation: generation.max(before.and_then(|known| known.generation)),
            };
            self.remembered.insert(name.clone(), remembered);
        }
        if self.saved.as_ref() != Some(&self.remembered) {
            let (memory, files) = (self.parts.memory.clone(), self.remembered.clone());
            let saving = tokio::task::spawn_blocking(move || memory.save(&files));
            saving
                .await
                .unwrap_or_else(|error| Err(io::Error::other(error)))?;
            self.saved = Some(self.remembered.clone());
        }
        self.collect().await
    }

    /// Deletes contents that nobody may need again. Not while one is just being taken in.
    async fn collect(&mut self) -> io::Result<()> {
        if !self.jobs.is_empty() || self.first.is_none() {
            return Ok(());
        }
        let mut needed: HashSet<Sha256> = HashSet::new();
        for remembered in self.remembered.values() {
            needed.insert(remembered.sha256);
            needed.extend(remembered.good);
        }
        for (entry, desired) in self.drivers.values() {
            let good = entry.last_good.load_full();
            let desired = desired.borrow();
            let artifacts: [Option<&Arc<Artifact>>; 3] = [
                good.as_ref(),
                desired.candidate.as_ref(),
                desired.last_good.as_ref(),
            ];
            needed.extend(artifacts.into_iter().flatten().map(|artifact| artifact.sha256));
            needed.extend(entry.status.load().sha256);
        }
        if needed == self.stored {
            return Ok(());
        }
        let (store, kept) = (self.parts.store.clone(), needed.clone());
        let collecting = tokio::task::spawn_blocking(move || store.collect(&kept));
        collecting
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))?;
        self.stored = needed;
        Ok(())
    }
}

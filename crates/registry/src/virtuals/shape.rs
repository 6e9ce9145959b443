//! What a virtual repository is made of, whoever asks: read once for as long as the configuration stands still.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use formats::Merging;
use model::state::RepoKind;
use model::{Code, RepoId, RepoKey};

use super::settings::VirtualSettings;
use crate::authorize::{Grant, Read, SeenThrough};
use crate::error::{Error, Result};
use crate::remembered::Remembered;
use crate::rules::{Claimant, Claims};
use crate::versions::format_of;

/// Repositories that are looked at at most, for one virtual one.
const MOST: usize = 1000;

/// Shapes by their repository.
pub(crate) type Shapes = Remembered<RepoId, Shape>;

/// A virtual repository taken apart.
pub(crate) struct Shape {
    /// Local and remote ones, in the order in which they are asked. Each once.
    pub(super) members: Vec<SeenThrough>,
    /// The rules that claim names: of this repository, of virtual ones in it, and of hosted members.
    pub(super) claims: Arc<[Claims]>,
    pub(super) settings: VirtualSettings,
    pub(super) merging: Merging,
}

impl Grant<Read> {
    pub(super) async fn shape(&self) -> Result<Arc<Shape>> {
        let (shapes, config) = (&self.registry().inner.shapes, self.call().moment.config);
        if let Some(known) = shapes.get(config, &self.repo_id()) {
            return Ok(known);
        }
        let shape = Arc::new(Box::pin(self.taken_apart()).await?);
        shapes.put(config, self.repo_id(), Arc::clone(&shape));
        Ok(shape)
    }

    async fn taken_apart(&self) -> Result<Shape> {
        let settings = self.repo_settings()?.virtual_.clone().unwrap_or_default();
        let merging = settings.merging(format_of(self.repo())?)?;
        let (mut members, claims) = self.flattened().await?;
        if settings.hosted_first {
            members.sort_by_key(|member| member.kind() == RepoKind::Remote);
        }
        Ok(Shape { members, claims: claims.into(), settings, merging })
    }

    /// Members of members stand where the one stands that they are in. With the rules that claim names.
    async fn flattened(&self) -> Result<(Vec<SeenThrough>, Vec<Claims>)> {
        let (registry, moment) = (self.registry(), self.call().moment);
        let mut waiting: VecDeque<RepoKey> = self.repo().members.iter().cloned().collect();
        let mut seen = HashSet::from([self.repo().key.clone()]);
        let own = self.claims().await?.map(|rules| Claims { claimant: Claimant::of(self.repo()), rules });
        let (mut members, mut claims) = (Vec::new(), Vec::from_iter(own));
        while let Some(key) = waiting.pop_front() {
            if !seen.insert(key.clone()) {
                continue;
            }
            // One that is passed over would not claim its names.
            if seen.len() > MOST {
                let why = format!("{} is made of more than {MOST} repositories", self.repo().key);
                return Err(Error::refuse(Code::ServiceUnavailable, why));
            }
            let Some(repo) = registry.repository(moment, &key).await? else { continue };
            let member = SeenThrough::of(self.repo(), &repo);
            let rules = self.through(&member).whoever_asks().claims().await?;
            claims.extend(rules.map(|rules| Claims { claimant: Claimant::of(&repo), rules }));
            match repo.kind {
                RepoKind::Virtual => repo.members.iter().rev().for_each(|key| waiting.push_front(key.clone())),
                RepoKind::Local | RepoKind::Remote => members.push(member),
            }
        }
        Ok((members, claims))
    }
}

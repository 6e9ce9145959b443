//! Seeded histories over few names, so that things get into each other's way.

use std::sync::Arc;
use std::time::Duration;

use model::state::{CopyKind, MarkKind, RepoKind, VersionState};
use model::{
    Ambient, EntryPath, ManualClock, RefName, RepoId, RepoKey, Role, SeededRandom, Sha256Digest, Subject, TenantId,
    Timestamp, VersionId, VersionName,
};
use store::admission::{Limits, SetPolicy};
use store::blobs::{NewBlob, NewBody, Reach};
use store::entries::{NewEntry, PutEntries, RemoveEntry};
use store::events::Act;
use store::manifests::PutManifest;
use store::marks::SetMark;
use store::packages::Coordinate;
use store::publish::{PublishFile, Replace};
use store::refs::{Expected, PutRef};
use store::repositories::{CreateRepository, RetireRepository, SetBinding};
use store::tokens::{MintToken, NewToken, Revoke, RevokeTokens};
use store::tombstones::{PutTombstone, Restore};
use store::uploads::{AbortUpload, CreateUpload, ExpireUploads};
use store::versions::{CreateDraft, PublishVersion, SealLater, SealVersion};

use crate::dice::Dice;
use crate::steps::Step;
use crate::world::{Version, World};

const MIB: u64 = 1 << 20;
/// The contents that exist, by their length; the first byte of the digest is the number.
const LENGTHS: [u64; 5] = [1, 300, MIB, 2 * MIB, 3 * MIB];
/// Names of packages, which are also the paths of single files.
const NAMES: [&str; 4] = ["a", "b/c", "B/c", "d"];
/// Paths of entries.
pub(crate) const PATHS: [&str; 12] = ["a", "b/c", "B/c", "d", "e/1", "e/2", "e/3", "E/1", "f", "g", "h", "i"];
const KEYS: [&str; 3] = ["apps", "libs", "tools"];
const SUBJECTS: [&str; 2] = ["alice", "bob"];

pub(crate) fn digest(number: usize) -> Sha256Digest {
    Sha256Digest([u8::try_from(number).expect("small") + 1; 32])
}

fn is_draft(version: &Version) -> bool {
    version.state == VersionState::Draft
}

pub(crate) struct Generator {
    dice: Dice,
    clock: Arc<ManualClock>,
    ambient: Ambient,
    tenant: TenantId,
}

impl Generator {
    pub(crate) fn new(seed: u64, tenant: TenantId) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp(1_700_000_000_000_000)));
        let ambient = Ambient::new(clock.clone(), Arc::new(SeededRandom::new(seed)));
        Self { dice: Dice::new(seed), clock, ambient, tenant }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.ambient.now()
    }

    fn later(&mut self) -> Timestamp {
        let seconds = 1 + self.dice.roll(12) as u64;
        self.now().plus(Duration::from_secs(seconds))
    }

    fn act(&self) -> Act {
        let (event, at) = (self.ambient.id(), self.now());
        Act { event, tenant: self.tenant, at, actor: "alice".to_owned(), correlation: None }
    }

    fn limits() -> Limits {
        Limits { storage_bytes: 14 * MIB, upload_sessions: 2, pending_jobs: 100 }
    }

    /// The next step, a second later. Without a repository there is not much to do.
    pub(crate) fn next(&mut self, world: &World) -> Step {
        self.clock.advance(Duration::from_secs(1));
        let repos: Vec<RepoId> = world.repos.keys().copied().collect();
        let Some(repo) = self.dice.pick(&repos).copied() else { return self.create_repository() };
        match self.dice.roll(100) {
            0..4 => self.create_repository(),
            4..6 => Step::RetireRepository(RetireRepository { act: self.act(), id: repo }),
            6..10 => self.bind(repo),
            10..15 => self.mint(world),
            15..18 => self.revoke(world),
            18..21 => self.policy(),
            21..31 => self.publish_file(repo),
            31..40 => self.draft(repo),
            40..51 => self.put_entries(world),
            51..54 => self.remove_entry(world),
            54..60 => self.manifest(world),
            60..67 => self.publish(world),
            67..69 => self.seal(world),
            69..72 => self.tombstone(world),
            72..74 => self.restore(world),
            74..77 => self.mark(world),
            77..81 => self.put_ref(world),
            81..91 => self.upload(repo, world),
            91..95 => self.abort(world),
            95..96 => self.expire_uploads(),
            96..98 => self.expire_pins(),
            _ => Step::Crash,
        }
    }

    fn create_repository(&mut self) -> Step {
        let key = self.dice.pick(&KEYS).expect("keys");
        Step::CreateRepository(CreateRepository {
            act: self.act(),
            id: self.ambient.id(),
            key: RepoKey::parse(key).expect("a key"),
            format: "raw".to_owned(),
            kind: RepoKind::Local,
            description: String::new(),
            anonymous_read: false,
            upstream_url: None,
            upstream_auth: None,
            members: Vec::new(),
            settings: "{}".to_owned(),
        })
    }

    fn subject(&mut self) -> Subject {
        Subject::parse(self.dice.pick(&SUBJECTS).expect("subjects")).expect("a subject")
    }

    fn bind(&mut self, repo: RepoId) -> Step {
        let roles: Vec<Role> = Role::ALL.into_iter().filter(|_| self.dice.once_in(3)).collect();
        Step::SetBinding(SetBinding { act: self.act(), repo, subject: self.subject(), roles })
    }

    fn mint(&mut self, world: &World) -> Step {
        let tokens: Vec<_> = world.tokens.keys().copied().collect();
        let parent = if self.dice.once_in(2) { self.dice.pick(&tokens).copied() } else { None };
        let mut hash = [0; 32];
        hash[..16].copy_from_slice(self.ambient.id::<uuid::Uuid>().as_bytes());
        let token = NewToken {
            id: self.ambient.id(),
            hash,
            subject: self.subject(),
            new_principal: self.ambient.id(),
            name: String::new(),
            scopes: Vec::new(),
            parent,
            expires_at: self.later(),
        };
        Step::MintToken(MintToken { act: self.act(), token })
    }

    fn revoke(&mut self, world: &World) -> Step {
        let tokens: Vec<_> = world.tokens.keys().copied().collect();
        let one = self.dice.pick(&tokens).copied().unwrap_or_else(|| self.ambient.id());
        let which = match self.dice.roll(4) {
            0 => Revoke::Subject(self.subject()),
            1 => Revoke::AllBut(one),
            _ => Revoke::Token(one),
        };
        Step::RevokeTokens(RevokeTokens { act: self.act(), which })
    }

    fn policy(&mut self) -> Step {
        let storage_bytes = (10 + self.dice.roll(8) as u64) * MIB;
        let upload_sessions = 1 + self.dice.roll(3) as u64;
        let limits = Limits { storage_bytes, upload_sessions, pending_jobs: 100 };
        Step::SetPolicy(SetPolicy { act: self.act(), limits })
    }

    fn name(&mut self) -> &'static str {
        self.dice.pick(&NAMES).expect("names")
    }

    fn path(&mut self) -> EntryPath {
        EntryPath::parse(self.dice.pick(&PATHS).expect("paths")).expect("a path")
    }

    fn coordinate(&mut self) -> Coordinate {
        let name = self.name().to_owned();
        Coordinate { kind: "raw".to_owned(), namespace: String::new(), name: name.clone(), display_name: name }
    }

    fn blob(&mut self, number: usize) -> NewBlob {
        let length = LENGTHS[number];
        let body = if length < 1000 {
            NewBody::Inline(vec![0; usize::try_from(length).expect("small")])
        } else {
            NewBody::Stored { kind: CopyKind::File, place: format!("blobs/{}", self.ambient.id::<uuid::Uuid>()) }
        };
        NewBlob { digest: digest(number), length, sums: vec![0; 8], copy: self.ambient.id(), body }
    }

    fn publish_file(&mut self, repo: RepoId) -> Step {
        let number = self.dice.roll(LENGTHS.len());
        let replace = match self.dice.roll(7) {
            0 => Replace::Nothing,
            1 => Replace::Something,
            2 => Replace::OneOf((0..2).map(|_| digest(self.dice.roll(LENGTHS.len()))).collect()),
            _ => Replace::Anything,
        };
        let package = self.coordinate();
        Step::PublishFile(PublishFile {
            act: self.act(),
            repo,
            path: EntryPath::parse(&package.name).expect("a path"),
            package,
            new_package: self.ambient.id(),
            version: self.ambient.id(),
            media_type: None,
            blob: self.blob(number),
            overwrite: self.dice.once_in(2),
            replace,
            upstream: None,
            limits: Self::limits(),
        })
    }

    fn draft(&mut self, repo: RepoId) -> Step {
        let name = ["1", "2", "x"][self.dice.roll(3)];
        Step::CreateDraft(CreateDraft {
            act: self.act(),
            repo,
            package: self.coordinate(),
            new_package: self.ambient.id(),
            id: self.ambient.id(),
            version: VersionName::parse(name).expect("a version"),
        })
    }

    /// A version and its repository, mostly one that is `apt`; now and then one that does not exist,
    /// or another repository.
    fn version(&mut self, world: &World, apt: impl Fn(&Version) -> bool) -> (RepoId, VersionId) {
        let repos: Vec<_> = world.repos.keys().copied().collect();
        let chosen = |wanted: &dyn Fn(&Version) -> bool| -> Vec<_> {
            world.versions.iter().filter(|(_, it)| wanted(it)).map(|(id, it)| (it.repo, *id)).collect()
        };
        let (apt, any) = (chosen(&apt), chosen(&|_| true));
        let from = if apt.is_empty() || self.dice.once_in(6) { &any } else { &apt };
        let stranger = (*self.dice.pick(&repos).expect("a repository"), self.ambient.id());
        let (repo, id) = self.dice.pick(from).copied().unwrap_or(stranger);
        if self.dice.once_in(40) { (stranger.0, id) } else { (repo, id) }
    }

    fn put_entries(&mut self, world: &World) -> Step {
        let holding =
            |it: &Version| is_draft(it) && (0..LENGTHS.len()).any(|number| world.holds(it.repo, digest(number)));
        let (repo, version) = self.version(world, holding);
        let mut entries: Vec<NewEntry> = Vec::new();
        for _ in 0..=self.dice.roll(2) {
            let held: Vec<_> = (0..LENGTHS.len()).filter(|number| world.holds(repo, digest(*number))).collect();
            let any = self.dice.roll(LENGTHS.len());
            let number = self.dice.pick(&held).copied().filter(|_| any > 0).unwrap_or(any);
            let path = self.path();
            let location = if self.dice.once_in(6) { self.path() } else { path.clone() };
            let size = if self.dice.once_in(15) { 7 } else { LENGTHS[number] };
            if entries.iter().all(|known| known.path != path) {
                entries.push(NewEntry { path, location, digest: digest(number), size, sha1: None, media_type: None });
            }
        }
        Step::PutEntries(PutEntries { act: self.act(), repo, version, entries })
    }

    fn remove_entry(&mut self, world: &World) -> Step {
        let (repo, version) = self.version(world, |it| is_draft(it) && !it.entries.is_empty());
        let there: Vec<_> = world.versions.get(&version).map(|it| it.entries.keys().collect()).unwrap_or_default();
        let path = match self.dice.pick(&there) {
            Some(path) => EntryPath::parse(path).expect("a path"),
            None => self.path(),
        };
        Step::RemoveEntry(RemoveEntry { act: self.act(), repo, version, path })
    }

    fn manifest(&mut self, world: &World) -> Step {
        let (repo, version) = self.version(world, |it| is_draft(it) && !it.entries.is_empty());
        let body = format!("{{\"n\":{}}}", self.dice.roll(9));
        let held: Vec<_> = (0..LENGTHS.len()).map(digest).filter(|it| world.holds(repo, *it)).collect();
        let blob = if !self.dice.once_in(4) { self.dice.pick(&held).copied() } else { None };
        Step::PutManifest(PutManifest { act: self.act(), repo, version, body, blob })
    }

    fn publish(&mut self, world: &World) -> Step {
        let ready = |it: &Version| is_draft(it) && !it.entries.is_empty() && it.manifest.is_some();
        let (repo, version) = self.version(world, ready);
        let seal = self.dice.once_in(2).then(|| SealLater { job: self.ambient.id(), at: self.now() });
        let overwrite = self.dice.once_in(2);
        Step::PublishVersion(PublishVersion { act: self.act(), repo, version, overwrite, seal, limits: Self::limits() })
    }

    fn seal(&mut self, world: &World) -> Step {
        let (repo, version) = self.version(world, |it| it.state == VersionState::Published);
        Step::SealVersion(SealVersion { act: self.act(), repo, version })
    }

    fn tombstone(&mut self, world: &World) -> Step {
        let drafts = self.dice.once_in(3);
        let apt = |it: &Version| it.state == VersionState::Published || (drafts && is_draft(it));
        let (repo, version) = self.version(world, apt);
        let (id, retain_until) = (self.ambient.id(), self.later());
        Step::PutTombstone(PutTombstone { act: self.act(), repo, version, id, reason: "why".to_owned(), retain_until })
    }

    fn restore(&mut self, world: &World) -> Step {
        let (repo, version) = self.version(world, |it| it.state == VersionState::Tombstoned);
        Step::Restore(Restore { act: self.act(), repo, version })
    }

    fn mark(&mut self, world: &World) -> Step {
        let (repo, version) = self.version(world, |it| it.state == VersionState::Published);
        let kind = *self.dice.pick(MarkKind::ALL).expect("marks");
        let text = (!self.dice.once_in(3)).then(|| ["", "old"][self.dice.roll(2)].to_owned());
        Step::SetMark(SetMark { act: self.act(), repo, version, id: self.ambient.id(), kind, text })
    }

    fn put_ref(&mut self, world: &World) -> Step {
        let (repo, version) = self.version(world, |it| it.state == VersionState::Published);
        let pointed: Vec<_> = world.refs.values().copied().collect();
        let expected = match self.dice.roll(4) {
            0 => Expected::Nothing,
            1 => self.dice.pick(&pointed).map_or(Expected::Nothing, |version| Expected::Version(*version)),
            _ => Expected::Anything,
        };
        let name = RefName::parse(["latest", "next"][self.dice.roll(2)]).expect("a ref");
        Step::PutRef(PutRef { act: self.act(), repo, id: self.ambient.id(), name, version, expected, fixed: false })
    }

    fn upload(&mut self, repo: RepoId, world: &World) -> Step {
        let number = self.dice.roll(LENGTHS.len());
        let length = if self.dice.once_in(10) { 9 } else { LENGTHS[number] };
        let every = self.dice.once_in(8);
        let keys = world.repos.values().map(|it| it.key.clone()).filter(|_| !self.dice.once_in(4)).collect();
        let reach = Reach { every, keys, ..Reach::default() };
        Step::CreateUpload(CreateUpload {
            act: self.act(),
            id: self.ambient.id(),
            repo,
            digest: digest(number),
            length,
            expires_at: self.later(),
            reach,
            pin_until: self.later(),
            limits: Self::limits(),
        })
    }

    fn abort(&mut self, world: &World) -> Step {
        let finished = self.dice.once_in(3);
        let wanted = world.uploads.iter().filter(|(_, upload)| finished || upload.state.is_open());
        let uploads: Vec<_> = wanted.map(|(id, upload)| (upload.repo, *id)).collect();
        let repos: Vec<_> = world.repos.keys().copied().collect();
        let stranger = (*self.dice.pick(&repos).expect("a repository"), self.ambient.id());
        let (repo, upload) = self.dice.pick(&uploads).copied().unwrap_or(stranger);
        let repo = if self.dice.once_in(9) { stranger.0 } else { repo };
        Step::AbortUpload(AbortUpload { act: self.act(), repo, upload, reason: "why".to_owned() })
    }

    fn expire_pins(&mut self) -> Step {
        let keep_until = self.later();
        Step::ExpirePins(store::pins::Expire { act: self.act(), limit: 100, keep_until })
    }

    fn expire_uploads(&mut self) -> Step {
        let events = (0..3).map(|_| self.ambient.id()).collect();
        Step::ExpireUploads(ExpireUploads { act: self.act(), events })
    }
}

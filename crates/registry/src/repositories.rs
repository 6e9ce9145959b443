//! Repositories: making, listing, changing, retiring; who holds which role on them.

use std::ops::Deref;
use std::sync::OnceLock;

use formats::Format;
use model::state::RepoKind;
use model::{Code, RefName, RefPattern, RepoKey, Role, Subject};
use serde::{Deserialize, Serialize};
use store::repositories::{
    Binding, CreateRepository, Repository, RetireRepository, SetBinding, UpdateRepository, UpstreamColumns, bindings,
    list,
};

use crate::authorize::{Admin, Grant, TenantAdmin, TenantGrant};
use crate::call::Call;
use crate::error::{Error, Result};
use crate::settings_change::{SettingsChange, with_named};
use crate::upstreams::{RemoteSettings, UpstreamAuth, UpstreamSettings, UpstreamUrl, Wish};
use crate::versions::format_of;
use crate::virtuals::{VirtualSettings, check_members, no_virtuals};

/// Patterns in one setting at most.
const PATTERNS: usize = 100;

/// What can be set on a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RepoSettings {
    /// Whether a published path may get a later version; in a remote repository, when its file has changed upstream.
    /// Default: no.
    pub allow_overwrite: bool,
    /// Refs whose names fit one of these patterns never move once they point somewhere. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub immutable_refs: Vec<RefPattern>,
    /// Whether a manifest is taken although blobs that it names are not here. Default: no.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sparse_manifests: bool,
    /// Whether a version whose files come one by one appears all at once: when its uploader's client says that it is
    /// complete, or when nothing has come for a while. Default: no.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub atomic_deploy: bool,
    /// How the upstream of a remote repository is treated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<UpstreamSettings>,
    /// What a remote repository keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<RemoteSettings>,
    /// How a virtual repository puts its members together.
    #[serde(rename = "virtual", skip_serializing_if = "Option::is_none")]
    pub virtual_: Option<VirtualSettings>,
}

/// A repository as it is remembered: what is in its row is read once.
#[derive(Debug)]
pub(crate) struct KnownRepository {
    row: Repository,
    settings: OnceLock<RepoSettings>,
}

impl KnownRepository {
    pub(crate) fn new(row: Repository) -> Self {
        Self { row, settings: OnceLock::new() }
    }

    pub(crate) fn settings(&self) -> Result<&RepoSettings> {
        match self.settings.get() {
            Some(settings) => Ok(settings),
            None => {
                let read = RepoSettings::of(&self.row)?;
                Ok(self.settings.get_or_init(|| read))
            }
        }
    }
}

impl Deref for KnownRepository {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        &self.row
    }
}

impl RepoSettings {
    /// The settings of a repository.
    pub fn of(repo: &Repository) -> Result<Self> {
        serde_json::from_str(&repo.settings)
            .map_err(|error| Error::Defect(format!("settings of {}: {error}", repo.key)))
    }

    /// Whether a ref of this name never moves.
    pub(crate) fn fixes(&self, name: &RefName) -> bool {
        self.immutable_refs.iter().any(|pattern| pattern.matches(name))
    }

    /// The settings as they are kept; 400 where a repository of this format and kind cannot have them.
    fn text(&self, format: &'static dyn Format, kind: RepoKind) -> Result<String> {
        self.check(format, kind)?;
        serde_json::to_string(self).map_err(|error| Error::Defect(error.to_string()))
    }

    /// Each is judged by itself, so that some of them can be changed without a look at the others.
    pub(crate) fn check(&self, format: &'static dyn Format, kind: RepoKind) -> Result<()> {
        match (kind, &self.upstream) {
            (RepoKind::Remote, upstream) => {
                let may_change = format.upstream().is_some_and(|upstream| upstream.may_change());
                self.expect_nothing_of_publishing(may_change)?;
                upstream.as_ref().map_or(Ok(()), UpstreamSettings::check)?;
            }
            (RepoKind::Virtual, None) => self.expect_nothing_of_publishing(false)?,
            (_, Some(_)) => {
                let why = format!("settings.upstream is for remote repositories, and this one is {kind}");
                return Err(Error::bad_field("settings.upstream", why));
            }
            (_, None) => {}
        }
        match &self.remote {
            Some(remote) if kind == RepoKind::Remote => remote.check()?,
            Some(_) => {
                let why = format!("settings.remote is for remote repositories, and this one is {kind}");
                return Err(Error::bad_field("settings.remote", why));
            }
            None => {}
        }
        match &self.virtual_ {
            Some(_) if kind != RepoKind::Virtual => {
                let why = format!("settings.virtual is for virtual repositories, and this one is {kind}");
                return Err(Error::bad_field("settings.virtual", why));
            }
            Some(together) => together.check(format)?,
            None => {}
        }
        if self.atomic_deploy && !format.has_deployments() {
            let why = format!("atomicDeploy is not for the format {}: its versions appear whole", format.key());
            return Err(Error::bad_request(why));
        }
        if self.immutable_refs.len() > PATTERNS {
            return Err(Error::bad_request(format!("immutableRefs has at most {PATTERNS} patterns")));
        }
        Ok(())
    }

    /// What says how to publish has no meaning where nobody publishes. `may_change`: what comes from elsewhere may change
    /// there.
    fn expect_nothing_of_publishing(&self, may_change: bool) -> Result<()> {
        let set = [
            ("settings.allowOverwrite", self.allow_overwrite && !may_change),
            ("settings.immutableRefs", !self.immutable_refs.is_empty()),
            ("settings.sparseManifests", self.sparse_manifests),
            ("settings.atomicDeploy", self.atomic_deploy),
        ];
        let Some((field, _)) = set.into_iter().find(|(_, set)| *set) else { return Ok(()) };
        let also = if field == "settings.allowOverwrite" { " and remote ones of raw files" } else { "" };
        let why = format!("{field} is for local repositories{also}: nobody publishes to any other");
        Err(Error::bad_field(field, why))
    }
}

/// A repository to be made.
#[derive(Clone, Debug)]
pub struct NewRepository {
    /// Its key; never used before.
    pub key: RepoKey,
    /// The format's word.
    pub format: String,
    /// Local, remote or virtual.
    pub kind: RepoKind,
    /// For people.
    pub description: String,
    /// Whether everybody may read.
    pub anonymous_read: bool,
    /// Settings.
    pub settings: RepoSettings,
    /// For remotes: where the upstream is.
    pub upstream_url: Option<UpstreamUrl>,
    /// For remotes: who we are to it.
    pub upstream_auth: Option<UpstreamAuth>,
    /// For virtuals: the members, in their order.
    pub members: Vec<RepoKey>,
}

/// Changes to a repository; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct RepoChange {
    /// The revision that the caller has seen.
    pub expected_revision: Option<u64>,
    /// For people.
    pub description: Option<String>,
    /// Whether everybody may read.
    pub anonymous_read: Option<bool>,
    /// Settings; those that are not named stay as they are too.
    pub settings: Option<SettingsChange>,
    /// The ordered rule list as JSON.
    pub rules: Option<String>,
    /// For remotes: where the upstream is.
    pub upstream_url: Option<UpstreamUrl>,
    /// For remotes: who we are to it; `Some(None)`: nobody.
    pub upstream_auth: Option<Option<UpstreamAuth>>,
    /// For virtuals: all members, in their order.
    pub members: Option<Vec<RepoKey>>,
}

impl TenantGrant<TenantAdmin> {
    /// Makes a repository. 409 when the key is in use or retired.
    pub async fn create_repository(&self, new: NewRepository) -> Result<Repository> {
        let Some(format) = formats::by_key(&new.format) else {
            let known = formats::ALL.map(|format| format.key()).join(", ");
            return Err(Error::bad_request(format!("there is no format {}; there are {known}", new.format)));
        };
        let id = self.registry().ambient().id();
        let mut settings = new.settings;
        let wish = Wish { url: new.upstream_url, auth: new.upstream_auth.map(Some) };
        let (url, auth) = match new.kind {
            RepoKind::Local => {
                wish.expect_none(new.kind)?;
                (None, None)
            }
            RepoKind::Remote => {
                expect_upstream(format)?;
                let kept = settings.upstream.get_or_insert_default();
                let (url, auth) = self.registry().new_upstream(id, wish, kept)?;
                (Some(url.to_string()), auth)
            }
            RepoKind::Virtual => {
                wish.expect_none(new.kind)?;
                format.merging().ok_or_else(|| no_virtuals(format))?;
                check_members(&new.members)?;
                self.call().expect_target(settings.virtual_.as_ref(), format).await?;
                (None, None)
            }
        };
        if new.kind != RepoKind::Virtual {
            expect_no_members(&new.members, new.kind)?;
        }
        let write = CreateRepository {
            act: self.act(),
            id,
            key: new.key.clone(),
            format: new.format,
            kind: new.kind,
            description: new.description,
            anonymous_read: new.anonymous_read,
            upstream_url: url,
            upstream_auth: auth,
            members: new.members,
            settings: settings.text(format, new.kind)?,
        };
        self.store().write(write).await?;
        let (tenant, key) = (self.tenant(), new.key);
        let found = self.store().read(async |session| store::repositories::by_key(session, tenant, &key).await).await?;
        found.ok_or_else(|| Error::Defect("a repository vanished".to_owned()))
    }
}

fn expect_no_members(members: &[RepoKey], kind: RepoKind) -> Result<()> {
    if members.is_empty() {
        return Ok(());
    }
    Err(Error::bad_field("memberRepos", format!("memberRepos is for virtual repositories, and this one is {kind}")))
}

fn expect_upstream(format: &dyn Format) -> Result<()> {
    match format.upstream() {
        Some(_) => Ok(()),
        None => Err(Error::bad_field("repoType", format!("repositories of the format {} are local", format.key()))),
    }
}

impl Call {
    /// The repositories that the caller may read, after the key `after`, in the order of their keys.
    pub async fn repositories(&self, after: &str, limit: u32) -> Result<Vec<Repository>> {
        let tenant = self.registry.tenant();
        let mut readable = Vec::new();
        let mut after = after.to_owned();
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        while readable.len() < wanted {
            let page = self.registry.store().read(async |session| list(session, tenant, &after, 200).await).await?;
            let Some(last) = page.last() else { break };
            last.key.as_str().clone_into(&mut after);
            let full = page.len() == 200;
            readable.extend(page.into_iter().filter(|repo| self.may(repo, Role::Read)));
            if !full {
                break;
            }
        }
        readable.truncate(wanted);
        Ok(readable)
    }
}

impl Grant<Admin> {
    /// Changes a repository; returns its new revision. 412 when it is not at the expected one.
    pub async fn update_repository(&self, change: RepoChange) -> Result<u64> {
        let (format, kind) = (format_of(self.repo())?, self.repo().kind);
        let wish = Wish { url: change.upstream_url, auth: change.upstream_auth };
        let mut expected_revision = change.expected_revision;
        let named = |setting| change.settings.as_ref().and_then(|change| change.of(setting)).cloned();
        let (named_upstream, named_virtual) = (named("upstream"), named("virtual"));
        let mut settings = change.settings.map(|settings| settings.named_for(format, kind)).transpose()?;
        let mut upstream = UpstreamColumns::default();
        if kind != RepoKind::Remote {
            wish.expect_none(kind)?;
        } else if !wish.is_empty() || named_upstream.is_some() {
            // Where credentials go is judged by what is there now, and holds only if it still is when it is written.
            let now = self.call().repository_now(&self.repo().key).await?;
            let (columns, treated) = self.registry().changed_upstream(&now, wish, named_upstream.as_ref())?;
            expected_revision = expected_revision.or(Some(now.revision));
            upstream = columns;
            if let (Some(settings), Some(treated)) = (&mut settings, treated) {
                let treated = serde_json::to_value(treated).map_err(|error| Error::Defect(error.to_string()))?;
                settings.insert("upstream".to_owned(), treated);
            }
        }
        if let (Some(settings), Some(named)) = (&mut settings, named_virtual) {
            let now = self.call().repository_now(&self.repo().key).await?;
            let kept = RepoSettings::of(&now)?.virtual_.unwrap_or_default();
            let treated = with_named("settings.virtual", &kept, &named)?;
            if treated.deploy_to != kept.deploy_to {
                self.call().expect_target(Some(&treated), format).await?;
            }
            expected_revision = expected_revision.or(Some(now.revision));
            let treated = serde_json::to_value(treated).map_err(|error| Error::Defect(error.to_string()))?;
            settings.insert("virtual".to_owned(), treated);
        }
        if let Some(members) = &change.members {
            match kind {
                RepoKind::Virtual => {
                    check_members(members)?;
                    self.call().expect_readable(&self.repo().members, members).await?;
                }
                other => expect_no_members(members, other)?,
            }
        }
        let write = UpdateRepository {
            act: self.act(),
            id: self.repo_id(),
            expected_revision,
            description: change.description,
            anonymous_read: change.anonymous_read,
            settings,
            rules: change.rules,
            upstream,
            members: change.members.filter(|_| kind == RepoKind::Virtual),
        };
        Ok(self.store().write(write).await?)
    }

    /// Retires an empty repository: its key is never given away again. 409 when it is not empty.
    pub async fn retire_repository(&self) -> Result<()> {
        Ok(self.store().write(RetireRepository { act: self.act(), id: self.repo_id() }).await?)
    }

    /// Who holds which roles.
    pub async fn bindings(&self) -> Result<Vec<Binding>> {
        let repo = self.repo_id();
        Ok(self.store().read(async |session| bindings(session, repo).await).await?)
    }

    /// Replaces the roles of a subject.
    pub async fn bind(&self, subject: Subject, roles: Vec<Role>) -> Result<()> {
        if roles.is_empty() {
            return Err(Error::bad_request("at least one role is needed; to remove a binding, delete it"));
        }
        Ok(self.store().write(SetBinding { act: self.act(), repo: self.repo_id(), subject, roles }).await?)
    }

    /// Removes the roles of a subject. 404 when there are none.
    pub async fn unbind(&self, subject: Subject) -> Result<()> {
        Ok(self.store().write(SetBinding { act: self.act(), repo: self.repo_id(), subject, roles: Vec::new() }).await?)
    }
}

impl Call {
    /// 400 where what is published through a virtual repository cannot go to where its settings say.
    async fn expect_target(&self, settings: Option<&VirtualSettings>, format: &dyn Format) -> Result<()> {
        let Some(target) = settings.and_then(|settings| settings.deploy_to.as_ref()) else { return Ok(()) };
        let fits = match self.repository_now(target).await {
            Ok(repo) => repo.kind == RepoKind::Local && repo.format == format.key(),
            Err(error) if error.code() == Some(Code::NotFound) => false,
            Err(error) => return Err(error),
        };
        let why = || format!("deployTo names {target}, which is no local repository of the format {}", format.key());
        if fits { Ok(()) } else { Err(Error::bad_field("settings.virtual.deployTo", why())) }
    }

    /// A repository as it is right now, for answers to those who have just changed it.
    pub async fn repository_now(&self, key: &RepoKey) -> Result<Repository> {
        let tenant = self.registry.tenant();
        let found =
            self.registry.store().read(async |session| store::repositories::by_key(session, tenant, key).await).await?;
        found
            .filter(|repo| self.may(repo, Role::Read))
            .ok_or_else(|| Error::not_found(&format!("the repository {key}")))
    }
}

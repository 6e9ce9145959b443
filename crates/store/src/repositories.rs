//! Repositories, their members and the roles bound on them.

use model::state::RepoKind;
use model::{Code, RepoId, RepoKey, Role, Secret, Subject, TenantId, Timestamp};
use serde_json::{Map, Value as Json, json};

use crate::args;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::hosted_rules::{self, HostedRules};
use crate::members;
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::value::Row;

/// A repository as it is read back.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Its id.
    pub id: RepoId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its key.
    pub key: RepoKey,
    /// The format's word.
    pub format: String,
    /// Local, remote or virtual.
    pub kind: RepoKind,
    /// For people.
    pub description: String,
    /// Whether everybody may read.
    pub anonymous_read: bool,
    /// For remotes.
    pub upstream_url: Option<String>,
    /// For remotes: sealed credentials.
    pub upstream_auth: Option<Secret<Vec<u8>>>,
    /// Settings, JSON.
    pub settings: String,
    /// The ordered rule list, JSON.
    pub rules: String,
    /// Raised by every change; the ETag.
    pub revision: u64,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// For virtuals: the members' keys in order.
    pub members: Vec<RepoKey>,
    /// For remotes that are read by their key: the rule lists of the local repositories of their format, JSON.
    pub hosted_rules: Vec<HostedRules>,
}

fn repository(row: &Row) -> Result<Repository> {
    let key: String = row.get(2)?;
    let kind: String = row.get(4)?;
    Ok(Repository {
        id: row.get(0)?,
        tenant: row.get(1)?,
        key: RepoKey::parse(&key).map_err(|error| Error::Defect(error.to_string()))?,
        format: row.get(3)?,
        kind: RepoKind::from_word(&kind).ok_or_else(|| Error::Defect(format!("repository kind {kind}")))?,
        description: row.get(5)?,
        anonymous_read: row.get(6)?,
        upstream_url: row.get(7)?,
        upstream_auth: row.get::<Option<Vec<u8>>>(8)?.map(Secret::new),
        settings: row.get(9)?,
        rules: row.get(10)?,
        revision: row.get(11)?,
        created_by: row.get(12)?,
        created_at: row.get(13)?,
        updated_at: row.get(14)?,
        members: Vec::new(),
        hosted_rules: Vec::new(),
    })
}

/// A living repository by key.
pub async fn by_key(session: &mut Session<'_>, tenant: TenantId, key: &RepoKey) -> Result<Option<Repository>> {
    const SQL: &str =
        "SELECT id, tenant_id, key, format, kind, description, anonymous_read, upstream_url, upstream_auth,
         settings, rules, revision, created_by, created_at, updated_at FROM repositories WHERE tenant_id = $1 AND key = $2 AND retired_at IS NULL";
    let Some(row) = session.row(SQL, args![tenant, *key]).await? else { return Ok(None) };
    let mut found = repository(&row)?;
    match found.kind {
        RepoKind::Virtual => found.members = members::of(session, found.id).await?,
        RepoKind::Remote => found.hosted_rules = hosted_rules::of(session, tenant, &found.format).await?,
        RepoKind::Local => {}
    }
    Ok(Some(found))
}

/// Living repositories after the key `after`, in the order of their keys.
pub async fn list(session: &mut Session<'_>, tenant: TenantId, after: &str, limit: u32) -> Result<Vec<Repository>> {
    const SQL: &str =
        "SELECT id, tenant_id, key, format, kind, description, anonymous_read, upstream_url, upstream_auth,
         settings, rules, revision, created_by, created_at, updated_at FROM repositories
         WHERE tenant_id = $1 AND key > $2 AND retired_at IS NULL ORDER BY key LIMIT $3";
    let mut found: Vec<_> =
        session.rows(SQL, args![tenant, *after, limit]).await?.iter().map(repository).collect::<Result<_>>()?;
    for repo in found.iter_mut().filter(|repo| repo.kind == RepoKind::Virtual) {
        repo.members = members::of(session, repo.id).await?;
    }
    Ok(found)
}

/// Makes a repository. Its key must never have been used before.
#[derive(Clone, Debug)]
pub struct CreateRepository {
    /// Who and when.
    pub act: Act,
    /// Its id.
    pub id: RepoId,
    /// Its key.
    pub key: RepoKey,
    /// The format's word.
    pub format: String,
    /// Local, remote or virtual.
    pub kind: RepoKind,
    /// For people.
    pub description: String,
    /// Whether everybody may read.
    pub anonymous_read: bool,
    /// For remotes.
    pub upstream_url: Option<String>,
    /// For remotes: sealed credentials.
    pub upstream_auth: Option<Secret<Vec<u8>>>,
    /// For virtuals.
    pub members: Vec<RepoKey>,
    /// JSON.
    pub settings: String,
}

impl Write for CreateRepository {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let act = &self.act;
        let sql =
            "INSERT INTO repositories (id, tenant_id, key, format, kind, description, anonymous_read, upstream_url,
             upstream_auth, settings, rules, revision, created_by, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '[]', 1, $11, $12, $12) ON CONFLICT DO NOTHING";
        let kind = self.kind.word();
        let sealed = self.upstream_auth.as_ref().map(|sealed| sealed.expose().clone());
        let args = args![
            self.id,
            act.tenant,
            self.key,
            self.format,
            *kind,
            self.description,
            self.anonymous_read,
            self.upstream_url,
            sealed,
            self.settings,
            act.actor,
            act.at
        ];
        if tx.execute(sql, args).await? == 0 {
            return Err(Error::conflict(format!("the repository key {} is in use or retired", self.key)));
        }
        members::set(tx, act, self.id, &self.format, &self.members).await?;
        let detail = json!({
            "repoKey": self.key, "format": self.format, "repoType": kind, "anonymousRead": self.anonymous_read,
            "upstreamUrl": self.upstream_url, "upstreamAuthSet": self.upstream_auth.is_some(), "memberRepos": self.members,
        });
        let id = self.id.to_string();
        record(tx, act, "repo.created", On { repo: Some(self.id), kind: "repository", id: &id }, &detail).await?;
        tx.touch_config().await
    }
}

/// Changes a repository. `None` leaves a field as it is.
#[derive(Clone, Debug)]
pub struct UpdateRepository {
    /// Who and when.
    pub act: Act,
    /// Which.
    pub id: RepoId,
    /// The revision that the caller has seen; refused with 412 when it has changed since.
    pub expected_revision: Option<u64>,
    /// For people.
    pub description: Option<String>,
    /// Whether everybody may read.
    pub anonymous_read: Option<bool>,
    /// Settings to put in place of those of the same name; the others stay.
    pub settings: Option<Map<String, Json>>,
    /// JSON: the ordered rule list.
    pub rules: Option<String>,
    /// For remotes.
    pub upstream: UpstreamColumns,
    /// For virtuals: all members, in their order.
    pub members: Option<Vec<RepoKey>>,
}

/// What changes of the upstream of a remote repository; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct UpstreamColumns {
    /// Where it is.
    pub url: Option<String>,
    /// Sealed credentials; `Some(None)` removes them.
    pub auth: Option<Option<Secret<Vec<u8>>>>,
}

impl UpstreamColumns {
    /// Of the credentials the journal learns what became of them and nothing else.
    fn auth_word(&self) -> Option<&'static str> {
        self.auth.as_ref().map(|auth| if auth.is_some() { "replaced" } else { "removed" })
    }
}

impl Write for UpdateRepository {
    type Out = u64;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<u64> {
        let act = &self.act;
        let settings = self.merged(tx).await?;
        let sql = "UPDATE repositories SET description = coalesce($2, description), anonymous_read = coalesce($3, anonymous_read),
             settings = coalesce($4, settings), rules = coalesce($5, rules), revision = revision + 1, updated_at = $6,
             upstream_url = coalesce($8, upstream_url), upstream_auth = CASE WHEN $9 THEN $10 ELSE upstream_auth END
             WHERE id = $1 AND retired_at IS NULL AND revision = coalesce($7, revision) RETURNING revision, format";
        let upstream = &self.upstream;
        let reseals = upstream.auth.is_some();
        let sealed = upstream.auth.as_ref().and_then(|auth| auth.as_ref().map(|sealed| sealed.expose().clone()));
        let args = args![
            self.id,
            self.description,
            self.anonymous_read,
            settings,
            self.rules,
            act.at,
            self.expected_revision,
            upstream.url,
            reseals,
            sealed
        ];
        let Some(row) = tx.row(sql, args).await? else {
            return Err(Error::refuse(model::Code::PreconditionFailed, "the repository has changed since it was read"));
        };
        if let Some(members) = &self.members {
            let format: String = row.get(1)?;
            members::set(tx, act, self.id, &format, members).await?;
        }
        let detail = json!({
            "description": self.description, "anonymousRead": self.anonymous_read,
            "settingsChanged": self.settings.is_some(), "rulesChanged": self.rules.is_some(),
            "upstreamUrl": upstream.url, "upstreamAuth": upstream.auth_word(), "memberRepos": self.members,
        });
        let id = self.id.to_string();
        record(tx, act, "repo.updated", On { repo: Some(self.id), kind: "repository", id: &id }, &detail).await?;
        tx.touch_config().await?;
        row.get(0)
    }
}

impl UpdateRepository {
    async fn merged(&self, tx: &mut Tx<'_>) -> Result<Option<String>> {
        let Some(named) = &self.settings else { return Ok(None) };
        let row = tx.row("SELECT settings FROM repositories WHERE id = $1 FOR NO KEY UPDATE", args![self.id]).await?;
        let Some(kept) = row.map(|row| row.get::<String>(0)).transpose()? else { return Ok(None) };
        let kept: Option<Map<String, Json>> = serde_json::from_str(&kept).ok();
        let mut merged = kept.ok_or_else(|| Error::Defect("settings are no object".to_owned()))?;
        merged.extend(named.clone());
        Ok(Some(Json::Object(merged).to_string()))
    }
}

/// Refuses with 404 what comes for a repository that was retired meanwhile. It cannot be retired
/// before this transaction ends.
pub(crate) async fn expect_living(tx: &mut Tx<'_>, repo: RepoId) -> Result<()> {
    let sql = "SELECT retired_at FROM repositories WHERE id = $1 FOR KEY SHARE";
    let row = tx.row(sql, args![repo]).await?;
    let retired = row.map(|row| row.get::<Option<Timestamp>>(0)).transpose()?.flatten();
    if retired.is_some() { Err(Error::not_found("the repository")) } else { Ok(()) }
}

/// Refuses what was begun under other settings or rules. They stay as they are until the commit.
pub(crate) async fn expect_revision(tx: &mut Tx<'_>, repo: RepoId, revision: u64) -> Result<()> {
    let row = tx.row("SELECT revision FROM repositories WHERE id = $1 FOR SHARE", args![repo]).await?;
    match row.map(|row| row.get::<u64>(0)).transpose()? {
        Some(now) if now == revision => Ok(()),
        _ => Err(Error::refuse(Code::PreconditionFailed, "the repository was changed meanwhile")),
    }
}

/// Retires a repository. One that ever held a package is refused: its versions are tombstoned first.
#[derive(Clone, Debug)]
pub struct RetireRepository {
    /// Who and when.
    pub act: Act,
    /// Which.
    pub id: RepoId,
}

impl Write for RetireRepository {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let act = &self.act;
        // What is being published meanwhile is waited for, and what comes later finds it retired.
        tx.row("SELECT 1 FROM repositories WHERE id = $1 FOR UPDATE", args![self.id]).await?;
        let living = "SELECT 1 FROM packages p JOIN versions v ON v.package_id = p.id
             WHERE p.repo_id = $1 AND v.state IN ('draft', 'published') LIMIT 1";
        if tx.row(living, args![self.id]).await?.is_some() {
            return Err(Error::conflict(
                "the repository is not empty: use mode=tombstone to withdraw its versions as well",
            ));
        }
        let member = "SELECT r.key FROM members m JOIN repositories r ON r.id = m.repo_id WHERE m.member_id = $1 AND r.retired_at IS NULL LIMIT 1";
        if let Some(row) = tx.row(member, args![self.id]).await? {
            return Err(Error::conflict(format!("the repository is a member of {}", row.get::<String>(0)?)));
        }
        let sql = "UPDATE repositories SET retired_at = $2, updated_at = $2, revision = revision + 1 WHERE id = $1 AND retired_at IS NULL";
        if tx.execute(sql, args![self.id, act.at]).await? == 0 {
            return Err(Error::not_found("the repository"));
        }
        tx.execute("DELETE FROM repo_bindings WHERE repo_id = $1", args![self.id]).await?;
        let id = self.id.to_string();
        record(tx, act, "repo.deleted", On { repo: Some(self.id), kind: "repository", id: &id }, &json!({})).await?;
        tx.touch_auth().await?;
        tx.touch_config().await
    }
}

/// Roles bound to a subject on a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// To whom.
    pub subject: String,
    /// Which roles.
    pub roles: Vec<Role>,
    /// When the first of them was bound.
    pub updated_at: Timestamp,
}

/// The bindings of a repository in the order of their subjects.
pub async fn bindings(session: &mut Session<'_>, repo: RepoId) -> Result<Vec<Binding>> {
    let sql = "SELECT subject, role, created_at FROM repo_bindings WHERE repo_id = $1 ORDER BY subject, role";
    let mut found: Vec<Binding> = Vec::new();
    for row in session.rows(sql, args![repo]).await? {
        let (subject, role): (String, String) = (row.get(0)?, row.get(1)?);
        let role: Role = role.parse().map_err(|_| Error::Defect(format!("role {role}")))?;
        match found.last_mut() {
            Some(last) if last.subject == subject => last.roles.push(role),
            _ => found.push(Binding { subject, roles: vec![role], updated_at: row.get(2)? }),
        }
    }
    Ok(found)
}

/// Replaces the roles of a subject on a repository; no roles removes the binding.
#[derive(Clone, Debug)]
pub struct SetBinding {
    /// Who and when.
    pub act: Act,
    /// Where.
    pub repo: RepoId,
    /// To whom.
    pub subject: Subject,
    /// Which.
    pub roles: Vec<Role>,
}

impl Write for SetBinding {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let act = &self.act;
        // Two changes of one binding must not add up.
        tx.row("SELECT 1 FROM repositories WHERE id = $1 FOR NO KEY UPDATE", args![self.repo]).await?;
        let removed = tx
            .execute("DELETE FROM repo_bindings WHERE repo_id = $1 AND subject = $2", args![self.repo, self.subject])
            .await?;
        if self.roles.is_empty() && removed == 0 {
            return Err(Error::not_found(&format!("a binding of {}", self.subject)));
        }
        let sql =
            "INSERT INTO repo_bindings (repo_id, subject, role, created_by, created_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING";
        for role in &self.roles {
            tx.execute(sql, args![self.repo, self.subject, *role.word(), act.actor, act.at]).await?;
        }
        let action = if self.roles.is_empty() { "repo.binding.deleted" } else { "repo.binding.upserted" };
        let detail = json!({"subject": self.subject, "roles": self.roles});
        let id = self.repo.to_string();
        record(tx, act, action, On { repo: Some(self.repo), kind: "repository", id: &id }, &detail).await?;
        tx.touch_auth().await
    }
}

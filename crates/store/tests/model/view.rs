//! What readers see, as a set of lines, of the model and of a store.

use std::collections::BTreeSet;

use model::state::VersionState;
use model::{PackageId, RepoId, TenantId, Timestamp, VersionId};
use store::{Result, Session, Store};
use store::{entries, locations, manifests, marks, packages, refs, repositories, tokens, tombstones, versions};

use crate::generate::PATHS;
use crate::world::{Version, World};

type Lines = BTreeSet<String>;

/// Everything on one page.
const ALL: u32 = 1000;

fn repo_line(key: &str) -> String {
    format!("repository {key}")
}

fn binding_line(key: &str, subject: &str, roles: &BTreeSet<&str>) -> String {
    format!("binding {key} {subject} {roles:?}")
}

fn package_line(repo: RepoId, name: &str, latest: Option<VersionId>) -> String {
    format!("package {repo} {name} {latest:?}")
}

fn version_line(id: VersionId, package: PackageId, name: &str, state: VersionState, sealed: bool) -> String {
    format!("version {id} of {package} {name} {state} sealed {sealed}")
}

pub(crate) fn of_world(world: &World, now: Timestamp) -> Lines {
    let mut lines = Lines::new();
    for repo in world.repos.values().filter(|repo| !repo.retired) {
        lines.insert(repo_line(repo.key.as_str()));
    }
    for repo in world.repos.values() {
        let key = repo.key.as_str();
        lines.extend(repo.bindings.iter().map(|(subject, roles)| binding_line(key, subject, roles)));
    }
    packages_of_world(world, &mut lines);
    for (id, version) in &world.versions {
        version_of_world(*id, version, &mut lines);
    }
    for ((package, name), version) in &world.refs {
        lines.insert(format!("ref {package} {name} {version}"));
    }
    for ((repo, path), (_, version, entry)) in &world.locations {
        let entry = &world.versions[version].entries[entry];
        let state = world.versions[version].state;
        lines.insert(format!("location {repo} {path} {state} {} {}", entry.digest, entry.size));
    }
    for (id, token) in world.tokens.iter().filter(|(_, token)| !token.revoked && token.expires > now) {
        lines.insert(format!("token {id} {}", token.subject));
    }
    lines.insert(format!("used {} {} {}", world.used_bytes, world.used_sessions, world.seals.len()));
    lines.insert(format!("events {}", world.events));
    lines
}

fn packages_of_world(world: &World, lines: &mut Lines) {
    for (id, package) in &world.packages {
        let of = || world.versions.iter().filter(|(_, version)| version.package == *id);
        let latest = of().filter(|(_, it)| it.state == VersionState::Published).map(|(id, _)| *id).max();
        if latest.is_some() || of().any(|(_, it)| it.state == VersionState::Draft) {
            lines.insert(package_line(package.repo, &package.name, latest));
        }
    }
}

fn version_of_world(id: VersionId, version: &Version, lines: &mut Lines) {
    lines.insert(version_line(id, version.package, &version.name, version.state, version.sealed));
    for (path, entry) in &version.entries {
        lines.insert(format!("entry {id} {path} {} {} {}", entry.location, entry.digest, entry.size));
    }
    lines.extend(version.manifest.iter().map(|body| format!("manifest {id} {body}")));
    lines.extend(version.marks.iter().map(|(kind, text)| format!("mark {id} {kind} {text:?}")));
    lines.extend(version.retained.map(|until| format!("tombstone {id} {until}")));
}

/// The same of a store. Of `world` only the names are used, to know what to ask for.
pub(crate) async fn of_store(store: &Store, world: &World, tenant: TenantId, now: Timestamp) -> Lines {
    let look = async |session: &mut Session<'_>| {
        let mut lines = Lines::new();
        for repo in repositories::list(session, tenant, "", ALL).await? {
            lines.insert(repo_line(repo.key.as_str()));
        }
        for (id, repo) in &world.repos {
            for binding in repositories::bindings(session, *id).await? {
                let roles = binding.roles.iter().map(|role| role.word()).collect();
                lines.insert(binding_line(repo.key.as_str(), &binding.subject, &roles));
            }
            repository(session, *id, &mut lines).await?;
        }
        for package in world.packages.keys() {
            for version in versions::list(session, *package, None, true, ALL).await? {
                self::version(session, &version, &mut lines).await?;
            }
            for it in refs::list(session, *package, "", ALL).await? {
                lines.insert(format!("ref {package} {} {}", it.name, it.version));
            }
        }
        for (id, token) in &world.tokens {
            if let Some(found) = tokens::credentials(session, &token.hash, now).await? {
                lines.insert(format!("token {id} {}", found.subject));
            }
        }
        let used = store::admission::usage(session, tenant).await?;
        lines.insert(format!("used {} {} {}", used.storage_bytes, used.upload_sessions, used.pending_jobs));
        let summary = store::ops::summary(session, tenant, now).await?;
        lines.insert(format!("events {}", summary.pending_events));
        Ok(lines)
    };
    store.read(look).await.expect("a view")
}

async fn repository(session: &mut Session<'_>, repo: RepoId, lines: &mut Lines) -> Result<()> {
    for package in packages::list(session, repo, "", ("", ""), packages::Beside::Drafts, ALL, store::When::Now).await? {
        lines.insert(package_line(repo, &package.at.name, package.latest.map(|latest| latest.id)));
    }
    for path in PATHS {
        if let Some(found) = locations::find(session, repo, path).await? {
            let (state, digest, size) = (found.state, found.digest, found.size);
            lines.insert(format!("location {repo} {path} {state} {digest} {size}"));
        }
    }
    Ok(())
}

async fn version(session: &mut Session<'_>, version: &versions::Version, lines: &mut Lines) -> Result<()> {
    let id = version.id;
    lines.insert(version_line(id, version.package, &version.version, version.state, version.sealed_at.is_some()));
    for entry in entries::list(session, id, "", ALL).await? {
        lines.insert(format!("entry {id} {} {} {} {}", entry.path, entry.location, entry.digest, entry.size));
    }
    if let Some(manifest) = manifests::find(session, id).await? {
        lines.insert(format!("manifest {id} {}", manifest.body));
    }
    for mark in marks::in_force(session, id).await? {
        lines.insert(format!("mark {id} {} {:?}", mark.kind, mark.text));
    }
    if let Some(tombstone) = tombstones::in_force(session, id).await? {
        lines.insert(format!("tombstone {id} {}", tombstone.retain_until));
    }
    Ok(())
}

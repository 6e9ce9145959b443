//! Lines of builds: a file that does not say of which build it is joins the youngest, where the caller began that one and
//! it has no such file yet, or begins the next. Decided in the transaction that writes it, one at a time for a package.

use model::line::{Built, Line};
use model::state::VersionState;
use model::{RepoId, Sha256Digest, Timestamp, VersionId};

use crate::error::{Error, Result};
use crate::releases::{NewFile, PublishRelease};
use crate::session::{Session, Tx};
use crate::store::Write as _;
use crate::value::Row;
use crate::{args, packages};

/// Among so many of the greatest names the youngest build is looked for.
const LOOKED_AT: u32 = 100;

/// A version of a line, in whatever state.
struct Build {
    id: VersionId,
    name: String,
    created_by: String,
    /// Whether files may join it: it is being gathered, or published and not sealed.
    open: bool,
}

/// The names of a line's builds, in whatever state they are, the youngest first: as many as there are among a hundred
/// versions at most.
pub async fn names(session: &mut Session<'_>, repo: RepoId, line: &dyn Line) -> Result<Vec<String>> {
    let builds = builds(session, repo, line).await?;
    Ok(builds.into_iter().map(|build| build.name).collect())
}

async fn builds(session: &mut Session<'_>, repo: RepoId, line: &dyn Line) -> Result<Vec<Build>> {
    let sql = "SELECT v.id, v.version, v.created_by, v.state, v.sealed_at FROM packages p
         JOIN versions v ON v.package_id = p.id
         WHERE p.repo_id = $1 AND p.name = $2 AND p.namespace = $3 AND v.version >= $4 AND v.version < $5
         ORDER BY v.version DESC LIMIT $6";
    let ((namespace, name), (from, below)) = (line.package(), line.bounds());
    let rows = session.rows(sql, args![repo, *name, *namespace, from, below, LOOKED_AT]).await?;
    let found: Vec<Build> = rows.iter().map(build).collect::<Result<_>>()?;
    let names: Vec<&str> = found.iter().map(|build| build.name.as_str()).collect();
    let order: Vec<String> = line.builds(&names).into_iter().map(str::to_owned).collect();
    let mut builds: Vec<_> = found.into_iter().filter_map(|build| Some((place(&order, &build)?, build))).collect();
    builds.sort_by_key(|(place, _)| *place);
    Ok(builds.into_iter().map(|(_, build)| build).collect())
}

fn place(order: &[String], build: &Build) -> Option<usize> {
    order.iter().position(|name| *name == build.name)
}

fn build(row: &Row) -> Result<Build> {
    let (state, sealed_at): (String, Option<Timestamp>) = (row.get(3)?, row.get(4)?);
    let state = VersionState::from_word(&state).ok_or_else(|| Error::Defect(format!("version state {state}")))?;
    let open = matches!(state, VersionState::Draft | VersionState::Published) && sealed_at.is_none();
    Ok(Build { id: row.get(0)?, name: row.get(1)?, created_by: row.get(2)?, open })
}

/// Publishes the one file of a release as that of a build. The same bytes as those of the youngest build change nothing.
pub(crate) async fn publish(tx: &mut Tx<'_>, release: &PublishRelease, line: &dyn Line) -> Result<()> {
    let [file] = release.files.as_slice() else {
        return Err(Error::Defect("a build of a line comes file by file".to_owned()));
    };
    let act = &release.act;
    let package = packages::ensure(tx, release.repo, &release.package, release.new_package, act.at).await?;
    packages::lock(tx, package).await?;
    let builds = builds(tx, release.repo, line).await?;
    let youngest = builds.first();
    let named = |name: &str| line.built(name).map_err(|error| Error::Defect(error.to_string()));
    if let Some(build) = youngest.filter(|build| build.open && build.created_by == act.actor) {
        let built = named(&build.name)?;
        match has(tx, build.id, built.path.as_str()).await? {
            None => return of_build(release, file, built).apply(tx).await.map(drop),
            Some(digest) if digest == file.bytes.named().0 => return Ok(()),
            Some(_) => {}
        }
    }
    let next = line.next(youngest.map(|build| build.name.as_str()), act.at);
    of_build(release, file, named(&next)?).apply(tx).await.map(drop)
}

async fn has(session: &mut Session<'_>, version: VersionId, path: &str) -> Result<Option<Sha256Digest>> {
    let sql = "SELECT digest FROM entries WHERE version_id = $1 AND path = $2";
    session.row(sql, args![version, *path]).await?.map(|row| row.get(0)).transpose()
}

fn of_build(release: &PublishRelease, file: &NewFile, built: Built) -> PublishRelease {
    let Built { version, path, location, manifest } = built;
    PublishRelease { version, manifest, files: vec![NewFile { path, location, ..file.clone() }], ..release.clone() }
}

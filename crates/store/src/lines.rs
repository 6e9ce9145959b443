//! Lines of builds: a file that does not say of which build it is joins the one that the caller began, if it has no such
//! file yet, or begins the next. Decided in the transaction that writes it, one at a time for a package.

use std::collections::HashMap;
use std::time::Duration;

use model::line::{Built, Line};
use model::state::VersionState;
use model::{Code, EntryPath, RepoId, Sha256Digest, Timestamp, VersionId};

use crate::error::{Error, Result};
use crate::events::Act;
use crate::releases::{NewFile, PublishRelease};
use crate::session::{Session, Tx};
use crate::store::Write as _;
use crate::value::Row;
use crate::{args, packages};

/// So many names are looked at at once: the `LIMIT` of the statements.
const PAGE: usize = 100;
/// For so long a build is joined after others were begun: its run goes on beside theirs.
const RUN: Duration = Duration::from_secs(600);

/// A version of a line, in whatever state.
struct Build {
    id: VersionId,
    name: String,
    created_by: String,
    created_at: Timestamp,
    state: VersionState,
    sealed: bool,
}

impl Build {
    /// Whether files of this caller may join it although it is not the youngest, or because it is.
    fn takes(&self, act: &Act, is_youngest: bool) -> bool {
        let open = match self.state {
            VersionState::Draft => true,
            VersionState::Published => !self.sealed && (is_youngest || act.at <= self.created_at.plus(RUN)),
            _ => false,
        };
        open && self.created_by == act.actor
    }
}

/// The names of a line's youngest builds, in whatever state they are, the youngest first.
pub async fn names(session: &mut Session<'_>, repo: RepoId, line: &dyn Line) -> Result<Vec<String>> {
    let builds = builds(session, repo, line).await?;
    Ok(builds.into_iter().map(|build| build.name).collect())
}

/// The youngest builds of the line, the youngest first. Of those of one second the longest names are the youngest, but not
/// the greatest.
async fn builds(session: &mut Session<'_>, repo: RepoId, line: &dyn Line) -> Result<Vec<Build>> {
    let (from, mut below) = line.bounds();
    loop {
        let page = versions(session, GREATEST, (repo, line), (from.clone(), below)).await?;
        let last = page.last().map(|build| build.name.clone()).filter(|_| page.len() == PAGE);
        let mut found = sorted(line, page);
        if let Some(youngest) = found.first() {
            let beside = versions(session, LONGEST, (repo, line), line.beside(&youngest.name)).await?;
            found.retain(|one| beside.iter().all(|other| other.id != one.id));
            found.extend(beside);
            return Ok(sorted(line, found));
        }
        match last {
            Some(last) => below = last,
            None => return Ok(Vec::new()),
        }
    }
}

macro_rules! versions {
    ($order:literal) => {
        concat!(
            "SELECT v.id, v.version, v.created_by, v.created_at, v.state, v.sealed_at FROM packages p
         JOIN versions v ON v.package_id = p.id
         WHERE p.repo_id = $1 AND p.name = $2 AND p.namespace = $3 AND v.version >= $4 AND v.version < $5
         ORDER BY ",
            $order,
            " LIMIT 100"
        )
    };
}

const GREATEST: &str = versions!("v.version DESC");
const LONGEST: &str = versions!("length(v.version) DESC, v.version DESC");

async fn versions(
    session: &mut Session<'_>,
    sql: &'static str,
    (repo, line): (RepoId, &dyn Line),
    (from, below): (String, String),
) -> Result<Vec<Build>> {
    let (namespace, name) = line.package();
    session.rows(sql, args![repo, *name, *namespace, from, below]).await?.iter().map(build).collect()
}

/// Those that are builds of the line, the youngest first.
fn sorted(line: &dyn Line, versions: Vec<Build>) -> Vec<Build> {
    let names: Vec<&str> = versions.iter().map(|build| build.name.as_str()).collect();
    let order: HashMap<String, usize> =
        line.builds(&names).into_iter().enumerate().map(|(place, name)| (name.to_owned(), place)).collect();
    let mut builds: Vec<_> = versions.into_iter().filter_map(|build| Some((*order.get(&build.name)?, build))).collect();
    builds.sort_by_key(|(place, _)| *place);
    builds.into_iter().map(|(_, build)| build).collect()
}

fn build(row: &Row) -> Result<Build> {
    let state: String = row.get(4)?;
    Ok(Build {
        id: row.get(0)?,
        name: row.get(1)?,
        created_by: row.get(2)?,
        created_at: row.get(3)?,
        state: VersionState::from_word(&state).ok_or_else(|| Error::Defect(format!("version state {state}")))?,
        sealed: row.get::<Option<Timestamp>>(5)?.is_some(),
    })
}

/// Publishes the one file of a release as that of a build. What the build that it would join has already begins the next; but
/// for the very file that came last, which is sent again where an answer was lost.
pub(crate) async fn publish(tx: &mut Tx<'_>, release: &PublishRelease, line: &dyn Line) -> Result<()> {
    let [file] = release.files.as_slice() else {
        return Err(Error::Defect("a build of a line comes file by file".to_owned()));
    };
    let act = &release.act;
    let package = packages::ensure(tx, release.repo, &release.package, release.new_package, act.at).await?;
    packages::lock(tx, package).await?;
    let builds = builds(tx, release.repo, line).await?;
    let own = builds.iter().enumerate().find(|(place, build)| build.takes(act, *place == 0));
    if let Some((_, build)) = own {
        let built = named(line, &build.name)?;
        match has(tx, build.id, &built.path).await? {
            Has::Nothing => return of_build(release, file, built).apply(tx).await.map(drop),
            Has::Last(digest) if digest == file.bytes.named().0 => return Ok(()),
            Has::Last(_) | Has::Before => {}
        }
    }
    let youngest = builds.first().map(|build| build.name.as_str());
    let next = line.next(youngest, act.at);
    if line.builds(&[&next]).is_empty() {
        return Err(Error::conflict(format!("no build can follow {}", youngest.unwrap_or_default())));
    }
    of_build(release, file, named(line, &next)?).apply(tx).await.map(drop)
}

/// Names of builds are longer than those that files came with.
fn named(line: &dyn Line, build: &str) -> Result<Built> {
    line.built(build).map_err(|error| Error::refuse(Code::BadRequest, format!("as a file of {build}: {error}")))
}

/// What a build has at a path.
enum Has {
    Nothing,
    /// The file that came last of all.
    Last(Sha256Digest),
    Before,
}

async fn has(session: &mut Session<'_>, version: VersionId, path: &EntryPath) -> Result<Has> {
    let sql = "SELECT path, digest, added_at FROM entries WHERE version_id = $1 ORDER BY added_at DESC";
    let rows = session.rows(sql, args![version]).await?;
    let times = rows.iter().take(2).map(|row| row.get(2)).collect::<Result<Vec<Timestamp>>>()?;
    // Those of a deployment appear at one time, whichever came last.
    let one_is_last = times.first() != times.get(1);
    for (place, row) in rows.iter().enumerate() {
        if row.get::<String>(0)? == path.as_str() {
            return Ok(if place == 0 && one_is_last { Has::Last(row.get(1)?) } else { Has::Before });
        }
    }
    Ok(Has::Nothing)
}

fn of_build(release: &PublishRelease, file: &NewFile, built: Built) -> PublishRelease {
    let Built { version, path, location, manifest } = built;
    PublishRelease { version, manifest, files: vec![NewFile { path, location, ..file.clone() }], ..release.clone() }
}

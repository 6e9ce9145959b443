//! Lines of builds: a file that does not say of which build it is joins the last one that the caller began, while its run
//! goes on and if it has no such file yet, or begins the next. Decided in the transaction that writes it, one at a time for
//! a package.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::line::{Built, Line};
use model::state::VersionState;
use model::{Code, EntryPath, RepoId, Sha256Digest, Timestamp, VersionId};

use crate::deposit::Deposit;
use crate::error::{Error, Result};
use crate::releases::{NewFile, PublishRelease};
use crate::session::{Session, Tx};
use crate::value::Row;
use crate::{args, packages};

/// So many names are looked at at once: the `LIMIT` of the statements.
const PAGE: usize = 100;
/// Of so many builds of each kind checksums are compared.
const COMPARED: usize = 10;
/// A run is over when for so long no file has come.
const RUN: Duration = Duration::from_secs(120);

/// The line of which a release is a build's, whichever that is then.
#[derive(Clone, Debug)]
pub struct Joining {
    /// The line.
    pub line: Arc<dyn Line>,
    /// When the file began to come.
    pub begun_at: Timestamp,
}

/// A version of a line, in whatever state.
struct Build {
    id: VersionId,
    name: String,
    state: VersionState,
    /// Sealed, or yanked.
    over: bool,
}

/// The names of the builds of which a file may be that this subject has sent lately, in whatever state they are: the
/// youngest that the subject began, then the youngest of all.
pub async fn names(session: &mut Session<'_>, repo: RepoId, line: &dyn Line, subject: &str) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for by in [Some(subject), None] {
        for build in builds(session, repo, line, by, COMPARED).await? {
            if !names.contains(&build.name) {
                names.push(build.name);
            }
        }
    }
    Ok(names)
}

/// The youngest builds of the line that this subject began, or anybody, the youngest first: so many at most. Of those of one
/// second the longest names are the youngest, but not the greatest.
async fn builds(
    session: &mut Session<'_>,
    repo: RepoId,
    line: &dyn Line,
    by: Option<&str>,
    count: usize,
) -> Result<Vec<Build>> {
    let (from, mut below) = line.bounds();
    let mut found: Vec<Build> = Vec::new();
    loop {
        let page = versions(session, GREATEST, (repo, line, by), (from.clone(), below)).await?;
        let last = page.last().map(|build| build.name.clone()).filter(|_| page.len() == PAGE);
        let first = found.is_empty();
        found.extend(sorted(line, page));
        if let Some(youngest) = found.first().filter(|_| first) {
            let beside = versions(session, LONGEST, (repo, line, by), line.beside(&youngest.name)).await?;
            found.retain(|one| beside.iter().all(|other| other.id != one.id));
            found.extend(beside);
            found = sorted(line, found);
        }
        match last.filter(|_| found.len() < count) {
            Some(last) => below = last,
            None => {
                found.truncate(count);
                return Ok(found);
            }
        }
    }
}

macro_rules! versions {
    ($order:literal) => {
        concat!(
            "SELECT v.id, v.version, v.state, v.sealed_at IS NOT NULL OR EXISTS (SELECT 1 FROM marks m
         WHERE m.version_id = v.id AND m.path = '' AND m.kind = 'yanked' AND m.to_at IS NULL) FROM packages p
         JOIN versions v ON v.package_id = p.id
         WHERE p.repo_id = $1 AND p.name = $2 AND p.namespace = $3 AND v.version >= $4 AND v.version < $5
         AND (v.created_by = $6 OR $6 = '')
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
    (repo, line, by): (RepoId, &dyn Line, Option<&str>),
    (from, below): (String, String),
) -> Result<Vec<Build>> {
    let (namespace, name) = line.package();
    session
        .rows(sql, args![repo, *name, *namespace, from, below, by.unwrap_or_default()])
        .await?
        .iter()
        .map(build)
        .collect()
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
    let state: String = row.get(2)?;
    Ok(Build {
        id: row.get(0)?,
        name: row.get(1)?,
        state: VersionState::from_word(&state).ok_or_else(|| Error::Defect(format!("version state {state}")))?,
        over: row.get(3)?,
    })
}

/// Publishes the one file of a release as that of a build. What the build that it would join has already begins the next; but
/// for the very file that came last, which is sent again where an answer was lost.
pub(crate) async fn publish(tx: &mut Tx<'_>, release: &PublishRelease, joining: &Joining) -> Result<()> {
    let [file] = release.files.as_slice() else {
        return Err(Error::Defect("a build of a line comes file by file".to_owned()));
    };
    let (act, line) = (&release.act, &*joining.line);
    let package = packages::ensure(tx, release.repo, &release.package, release.new_package, act.at).await?;
    packages::lock(tx, package).await?;
    // Where this one is over, an older one is not taken up again.
    if let Some(own) = builds(tx, release.repo, line, Some(&act.actor), 1).await?.first() {
        let built = named(line, &own.name)?;
        match own.room(tx, &built.path, joining.begun_at).await? {
            Room::Free => return of_build(release, file, built).apply(tx).await.map(drop),
            Room::Last(digest) if digest == file.bytes.named().0 => return Ok(()),
            Room::Last(_) | Room::Taken => {}
        }
    }
    let youngest = builds(tx, release.repo, line, None, 1).await?;
    let youngest = youngest.first().map(|build| build.name.as_str());
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
enum Room {
    Free,
    /// The file that came last of all.
    Last(Sha256Digest),
    /// Another file, or the build takes none.
    Taken,
}

impl Build {
    /// Whether there is room at `path` for a file that began to come at this time.
    async fn room(&self, session: &mut Session<'_>, path: &EntryPath, begun_at: Timestamp) -> Result<Room> {
        let gathered = self.state == VersionState::Draft;
        if !gathered && (self.state != VersionState::Published || self.over) {
            return Ok(Room::Taken);
        }
        let sql = "SELECT path, digest, added_at FROM entries WHERE version_id = $1 ORDER BY added_at DESC";
        let rows = session.rows(sql, args![self.id]).await?;
        let times = rows.iter().take(2).map(|row| row.get(2)).collect::<Result<Vec<Timestamp>>>()?;
        if !gathered && times.first().is_some_and(|last| begun_at > last.plus(RUN)) {
            return Ok(Room::Taken);
        }
        // Those of a deployment appear at one time, whichever came last.
        let one_is_last = times.first() != times.get(1);
        for (place, row) in rows.iter().enumerate() {
            if row.get::<String>(0)? == path.as_str() {
                return Ok(if place == 0 && one_is_last { Room::Last(row.get(1)?) } else { Room::Taken });
            }
        }
        Ok(Room::Free)
    }
}

fn of_build(release: &PublishRelease, file: &NewFile, built: Built) -> PublishRelease {
    let Built { version, path, location, manifest } = built;
    PublishRelease { version, manifest, files: vec![NewFile { path, location, ..file.clone() }], ..release.clone() }
}

//! Which version answers at a path of a repository: the read behind every download by path.

use model::state::VersionState;
use model::{Code, EntryPath, PackageId, RepoId, Sha256Digest, Timestamp, VersionId};

use crate::args;
use crate::blobs::{copy_at, copy_columns, epochs, epochs_at};
use crate::copy::Copy;
use crate::error::{Error, Result};
use crate::session::{Session, Tx};
use crate::value::Row;
use crate::when::shown;

/// What is at a path.
#[derive(Clone, Debug)]
pub struct Located {
    /// The package that owns the path.
    pub package: PackageId,
    /// The version that answers.
    pub version: VersionId,
    /// That version's name.
    pub version_name: String,
    /// Published, tombstoned or collected; a draft while its files are gathered.
    pub state: VersionState,
    /// Who began the version.
    pub created_by: String,
    /// The blob.
    pub digest: Sha256Digest,
    /// Its length.
    pub size: u64,
    /// The media type given at upload.
    pub media_type: Option<String>,
    /// More that the format keeps of it, JSON.
    pub attributes: Option<String>,
    /// When the entry was published.
    pub modified_at: Timestamp,
    /// The good copies, oldest first.
    pub copies: Vec<Copy>,
}

macro_rules! located {
    ($more:expr, $from:literal, $which:literal) => {
        concat!(
            "SELECT v.package_id, v.id, v.state, e.digest, e.size, e.media_type, e.added_at, ",
            copy_columns!(),
            ", e.attributes, v.created_by, v.version",
            $more,
            $from,
            " LEFT JOIN copies c ON c.digest = e.digest AND c.state = 'good'
         LEFT JOIN inline_bytes i ON i.copy_id = c.id ",
            $which,
            " ORDER BY c.created_at, c.id"
        )
    };
}

macro_rules! find {
    ($more:expr) => {
        located!(
            $more,
            " FROM locations l
         JOIN versions v ON v.id = l.version_id
         LEFT JOIN entries e ON e.version_id = l.version_id AND e.path = l.entry_path",
            "WHERE l.repo_id = $1 AND l.path = $2"
        )
    };
}

/// Looks a path up: one statement.
pub async fn find(session: &mut Session<'_>, repo: RepoId, path: &str) -> Result<Option<Located>> {
    located(&session.rows(find!(""), args![repo, *path]).await?)
}

/// The same. 410 for what was collected: the path stays taken, and there is no file.
pub async fn find_or_gone(session: &mut Session<'_>, repo: RepoId, path: &str) -> Result<Option<Located>> {
    let rows = session.rows(find!(""), args![repo, *path]).await?;
    let state = rows.first().map(|row| row.get::<String>(2)).transpose()?;
    match state.is_some_and(|state| state == VersionState::Collected.word()) {
        true => Err(collected(path)),
        false => located(&rows),
    }
}

/// The same with the counters of rights and of configuration at that very moment: still one
/// statement, so that a reader who remembers both needs no other.
pub async fn find_as_of(session: &mut Session<'_>, repo: RepoId, path: &str) -> Result<Option<(Located, (u64, u64))>> {
    const SQL: &str = find!(epochs!());
    let rows = session.rows(SQL, args![repo, *path]).await?;
    let (Some(located), Some(first)) = (located(&rows)?, rows.first()) else { return Ok(None) };
    Ok(Some((located, epochs_at(first, 16)?)))
}

/// What was at a path at a moment: as [`find`], with the state of that moment. Two or three statements. 410 for what was
/// collected since.
pub async fn find_at(session: &mut Session<'_>, repo: RepoId, path: &str, at: Timestamp) -> Result<Option<Located>> {
    const SQL: &str = located!(
        concat!(", ", shown!("v", "$3")),
        " FROM versions v JOIN entries e ON e.version_id = v.id AND e.path = $2",
        "WHERE v.id = $1"
    );
    let Some((version, entry)) = answered_at(session, repo, path, at).await? else { return Ok(None) };
    let rows = session.rows(SQL, args![version, entry, at]).await?;
    let (Some(located), Some(first)) = (located(&rows)?, rows.first()) else { return Err(collected(path)) };
    if located.state == VersionState::Collected {
        return Err(collected(path));
    }
    let state = if first.get(16)? { VersionState::Published } else { VersionState::Tombstoned };
    Ok(Some(Located { state, ..located }))
}

/// The version that answered at a path, and the entry. The one that answers now, if it had been published; where paths
/// move, the last before the moment.
async fn answered_at(
    session: &mut Session<'_>,
    repo: RepoId,
    path: &str,
    at: Timestamp,
) -> Result<Option<(VersionId, String)>> {
    let sql = "SELECT l.package_id, l.version_id, l.entry_path, v.published_at, e.added_at, v.state FROM locations l
         JOIN versions v ON v.id = l.version_id
         LEFT JOIN entries e ON e.version_id = l.version_id AND e.path = l.entry_path
         WHERE l.repo_id = $1 AND l.path = $2";
    let Some(row) = session.row(sql, args![repo, *path]).await? else { return Ok(None) };
    let (package, version, entry): (PackageId, VersionId, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (published, added): (Option<Timestamp>, Option<Timestamp>) = (row.get(3)?, row.get(4)?);
    let collected = row.get::<String>(5)? == VersionState::Collected.word();
    let before = |time: Option<Timestamp>| time.is_some_and(|time| time <= at);
    if before(published) && (before(added) || collected) {
        return Ok(Some((version, entry)));
    }
    let sql = "SELECT v.id FROM versions v JOIN entries e ON e.version_id = v.id AND e.path = $2
         WHERE v.package_id = $1 AND e.location = $4 AND v.published_at <= $3 AND e.added_at <= $3
         ORDER BY e.added_at DESC, v.id DESC LIMIT 1";
    let row = session.row(sql, args![package, entry, at, *path]).await?;
    row.map(|row| Ok((row.get(0)?, entry))).transpose()
}

/// That there was something, and is nothing now.
pub(crate) fn collected(what: &str) -> Error {
    let why = format!("{what} was withdrawn and has been collected since: its bytes are gone for every moment");
    Error::refuse(Code::Gone, why)
}

/// What is at every path of published versions of a repository under which clients fetch this content: path, name of
/// the version, attributes.
pub async fn of_content(
    session: &mut Session<'_>,
    repo: RepoId,
    digest: Sha256Digest,
) -> Result<Vec<(String, String, Option<String>)>> {
    let sql = "SELECT e.location, v.version, e.attributes FROM entries e JOIN versions v ON v.id = e.version_id
         WHERE e.digest = $1 AND e.repo_id = $2 AND v.state = 'published' AND e.location IS NOT NULL ORDER BY e.location";
    let rows = session.rows(sql, args![digest, repo]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// An entry of the published version that a ref of a package points at, with the version's name and the
/// counters as in [`find_as_of`]: one statement.
pub async fn find_pointed_as_of(
    session: &mut Session<'_>,
    repo: RepoId,
    (namespace, package): (&str, &str),
    name: &str,
    entry: &str,
) -> Result<Option<(String, Located, (u64, u64))>> {
    const SQL: &str = located!(
        epochs!(),
        " FROM packages p
         JOIN refs r ON r.package_id = p.id AND r.to_at IS NULL
         JOIN versions v ON v.id = r.version_id
         JOIN entries e ON e.version_id = v.id AND e.path = $5",
        "WHERE p.repo_id = $1 AND p.name = $2 AND p.namespace = $3 AND r.name = $4 AND v.state = 'published'"
    );
    let rows = session.rows(SQL, args![repo, *package, *namespace, *name, *entry]).await?;
    let (Some(located), Some(first)) = (located(&rows)?, rows.first()) else { return Ok(None) };
    Ok(Some((located.version_name.clone(), located, epochs_at(first, 16)?)))
}

fn located(rows: &[Row]) -> Result<Option<Located>> {
    let Some(first) = rows.first() else { return Ok(None) };
    let Some(digest) = first.get(3)? else { return Ok(None) };
    let state: String = first.get(2)?;
    Ok(Some(Located {
        package: first.get(0)?,
        version: first.get(1)?,
        state: VersionState::from_word(&state).ok_or_else(|| Error::Defect(format!("version state {state}")))?,
        digest,
        size: first.get(4)?,
        media_type: first.get(5)?,
        modified_at: first.get(6)?,
        attributes: first.get(13)?,
        created_by: first.get(14)?,
        version_name: first.get(15)?,
        copies: rows.iter().filter_map(|row| copy_at(row, 7).transpose()).collect::<Result<_>>()?,
    }))
}

/// Lets `version` of `package` answer at the location. A path stays with its package; it moves to
/// a later version only where the repository allows overwriting.
pub(crate) async fn occupy(
    tx: &mut Tx<'_>,
    repo: RepoId,
    location: &str,
    package: PackageId,
    version: VersionId,
    entry: &EntryPath,
    overwrite: bool,
) -> Result<()> {
    let sql = "INSERT INTO locations (repo_id, path, package_id, version_id, entry_path) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING";
    if tx.execute(sql, args![repo, *location, package, version, *entry]).await? == 1 {
        return Ok(());
    }
    let taken = || Error::conflict(format!("the path {location} is taken: published paths never change"));
    if !overwrite {
        return Err(taken());
    }
    let sql =
        "UPDATE locations SET version_id = $4, entry_path = $5 WHERE repo_id = $1 AND path = $2 AND package_id = $3";
    if tx.execute(sql, args![repo, *location, package, version, *entry]).await? == 1 { Ok(()) } else { Err(taken()) }
}

/// Lets every entry of a draft that is about to be published answer at its location, as [`occupy`]
/// does for one.
pub(crate) async fn occupy_all(tx: &mut Tx<'_>, version: VersionId, entries: u64, overwrite: bool) -> Result<()> {
    const KEEP: &str = "INSERT INTO locations (repo_id, path, package_id, version_id, entry_path)
         SELECT e.repo_id, e.location, v.package_id, e.version_id, e.path
         FROM entries e JOIN versions v ON v.id = e.version_id WHERE e.version_id = $1 ORDER BY e.location
         ON CONFLICT DO NOTHING";
    const MOVE: &str = "INSERT INTO locations (repo_id, path, package_id, version_id, entry_path)
         SELECT e.repo_id, e.location, v.package_id, e.version_id, e.path
         FROM entries e JOIN versions v ON v.id = e.version_id WHERE e.version_id = $1 ORDER BY e.location
         ON CONFLICT (repo_id, path) DO UPDATE SET version_id = excluded.version_id, entry_path = excluded.entry_path
         WHERE locations.package_id = excluded.package_id";
    if tx.execute(if overwrite { MOVE } else { KEEP }, args![version]).await? == entries {
        return Ok(());
    }
    let sql = "SELECT e.location FROM entries e JOIN locations l ON l.repo_id = e.repo_id AND l.path = e.location
         WHERE e.version_id = $1 AND l.version_id <> $1 ORDER BY e.location LIMIT 1";
    let taken: Option<String> = tx.row(sql, args![version]).await?.map(|row| row.get(0)).transpose()?;
    Err(Error::conflict(format!("the path {} is taken: published paths never change", taken.unwrap_or_default())))
}

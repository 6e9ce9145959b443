//! What is in a folder of a repository whose paths are names.

use model::{RepoId, Sha256Digest, Timestamp};

use crate::args;
use crate::error::{Error, Result};
use crate::packages::last;
use crate::session::Session;
use crate::value::Row;
use crate::when::{When, shown};

/// Rows read at once, at most.
const BATCH: u64 = 128;
/// Withdrawn files read in a row before a folder is listed although nothing in it was found.
const PATIENCE: u64 = 256;

/// Something in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Its name in the folder.
    pub name: String,
    /// The file; `None` for a folder.
    pub file: Option<File>,
}

/// A published file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The content's name.
    pub digest: Sha256Digest,
    /// Its length in bytes.
    pub size: u64,
    /// When it was published.
    pub modified_at: Timestamp,
    /// What the format keeps of it, JSON.
    pub attributes: Option<String>,
}

impl Child {
    /// What to pass as `after` to go on behind this child: its name, with a slash for a folder.
    pub fn cursor(&self) -> String {
        let slash = if self.file.is_some() { "" } else { "/" };
        format!("{}{slash}", self.name)
    }
}

/// A row: a path, whether its version is shown, and the file behind it.
struct Place {
    path: String,
    published: bool,
    file: File,
}

fn place(row: &Row) -> Result<Place> {
    let (digest, size, modified_at, attributes) = (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
    let file = File { digest, size, modified_at, attributes };
    Ok(Place { path: row.get(0)?, published: row.get(1)?, file })
}

/// The children of `folder` (empty: the root) behind the cursor `after`, in the order of their
/// paths. Withdrawn files are left out, and so are folders in which nothing else is; a folder that
/// begins with more than 256 withdrawn files is listed all the same.
///
/// The cost grows with the children that are returned and not with what lies below them: behind the
/// first file of a folder the search goes on behind the folder.
pub async fn list(
    session: &mut Session<'_>,
    repo: RepoId,
    folder: &str,
    after: Option<&str>,
    limit: usize,
    when: When,
) -> Result<Vec<Child>> {
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let mut walk = Walk {
        from: after.map_or_else(|| prefix.clone(), |after| behind(&format!("{prefix}{after}"))),
        end: if folder.is_empty() { last() } else { behind(&prefix) },
        batch: 2,
        empty: (String::new(), 0),
        children: Vec::new(),
        prefix,
    };
    while walk.children.len() < limit {
        let places = look(session, repo, (&walk.from, &walk.end), walk.batch, when).await?;
        let all = (places.len() as u64) < walk.batch;
        if walk.take(places, limit)? && all {
            break;
        }
    }
    Ok(walk.children)
}

/// Whether anything was ever published in `folder`, which is not the root.
pub async fn held(session: &mut Session<'_>, repo: RepoId, folder: &str, when: When) -> Result<bool> {
    let prefix = format!("{folder}/");
    Ok(!look(session, repo, (&prefix, &behind(&prefix)), 1, when).await?.is_empty())
}

/// The paths in `folder`, which is not the root, and below it, in their order, behind the path `after`; withdrawn files too.
pub async fn beneath(
    session: &mut Session<'_>,
    repo: RepoId,
    folder: &str,
    after: Option<&str>,
    limit: u32,
    when: When,
) -> Result<Vec<String>> {
    let prefix = format!("{folder}/");
    let from = after.map_or_else(|| prefix.clone(), behind);
    let places = look(session, repo, (&from, &behind(&prefix)), u64::from(limit), when).await?;
    Ok(places.into_iter().map(|place| place.path).collect())
}

/// The version that answers at the path of `l`. As of a moment that is another one than now only where paths move.
macro_rules! answering {
    () => {
        "l.version_id"
    };
    ($at:literal) => {
        concat!(
            "CASE WHEN (SELECT c.added_at FROM entries c WHERE c.version_id = l.version_id AND c.path = l.entry_path)
                <= ",
            $at,
            " THEN l.version_id
             ELSE (SELECT o.id FROM versions o JOIN entries c ON c.version_id = o.id AND c.path = l.entry_path
                WHERE o.package_id = l.package_id AND c.location = l.path AND o.published_at <= ",
            $at,
            " AND c.added_at <= ",
            $at,
            "
                ORDER BY c.added_at DESC, o.id DESC LIMIT 1) END"
        )
    };
}

/// ` AND` that something was published at all.
macro_rules! and_ever {
    () => {
        " AND v.state <> 'draft'"
    };
    ($at:literal) => {
        concat!(" AND v.published_at <= ", $at)
    };
}

macro_rules! places {
    ($($at:literal)?) => {
        concat!(
            "SELECT l.path, ", shown!("v" $(, $at)?), ", e.digest, e.size, e.added_at, e.attributes FROM locations l
         JOIN versions v ON v.id = ", answering!($($at)?), "
         JOIN entries e ON e.version_id = v.id AND e.path = l.entry_path
         WHERE l.repo_id = $1 AND l.path >= $2 AND l.path < $3", and_ever!($($at)?), " ORDER BY l.path LIMIT $4"
        )
    };
}

async fn look(
    session: &mut Session<'_>,
    repo: RepoId,
    (from, end): (&str, &str),
    limit: u64,
    when: When,
) -> Result<Vec<Place>> {
    let args = args![repo, *from, *end, limit];
    session.rows_as_of(when, [places!(), places!("$5")], args).await?.iter().map(place).collect()
}

/// The first path behind a file, or behind everything in a folder (which ends with a slash). No path
/// holds a character below a space, and a slash is followed by a zero.
fn behind(path: &str) -> String {
    match path.strip_suffix('/') {
        Some(folder) => format!("{folder}0"),
        None => format!("{path} "),
    }
}

struct Walk {
    prefix: String,
    from: String,
    end: String,
    batch: u64,
    /// The folder in which only withdrawn files were seen so far, and how many.
    empty: (String, u64),
    children: Vec<Child>,
}

impl Walk {
    /// Takes the children among `places`. Returns whether it went through all of them; otherwise the
    /// look begins anew behind a folder.
    fn take(&mut self, places: Vec<Place>, limit: usize) -> Result<bool> {
        for place in places {
            if self.children.len() >= limit {
                return Ok(true);
            }
            let rest = place.path.strip_prefix(&self.prefix).map(str::to_owned);
            let rest = rest.ok_or_else(|| Error::Defect(format!("{} is not in {}", place.path, self.prefix)))?;
            self.from = behind(&place.path);
            match rest.split_once('/') {
                None => self.file(rest, place),
                Some((name, _)) => {
                    if self.folder(name, &place) {
                        return Ok(false);
                    }
                }
            }
        }
        self.batch = (self.batch * 2).min(BATCH);
        Ok(true)
    }

    fn file(&mut self, name: String, place: Place) {
        if place.published {
            self.children.push(Child { name, file: Some(place.file) });
        }
    }

    /// Returns whether the folder is known to be worth listing; then the walk goes on behind it.
    fn folder(&mut self, name: &str, place: &Place) -> bool {
        if self.empty.0 != name {
            self.empty = (name.to_owned(), 0);
        }
        self.empty.1 += 1;
        if !place.published && self.empty.1 <= PATIENCE {
            return false;
        }
        self.children.push(Child { name: name.to_owned(), file: None });
        self.from = behind(&format!("{}{name}/", self.prefix));
        self.batch = 2;
        true
    }
}

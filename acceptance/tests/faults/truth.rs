//! What must be true after any fault: what was acknowledged is there, and everything that is visible is whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use acceptance::server::{Persona, Server};
use acceptance::{Result, Trouble};
use serde_json::Value;

use crate::load::{File, REPO, Told};

/// What a comparison of the ledger with the server found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Score {
    /// Acknowledged files that are missing or have other bytes.
    pub(crate) lost: usize,
    /// Files that are listed and not fetchable, or the other way round, or whose bytes are not those that were sent.
    pub(crate) half: usize,
    /// Refused files that are there all the same.
    pub(crate) unwanted: usize,
    /// Acknowledged files that are there.
    pub(crate) kept: usize,
}

impl Score {
    /// Adds another comparison.
    pub(crate) fn add(&mut self, other: Score) {
        self.lost += other.lost;
        self.half += other.half;
        self.unwanted += other.unwanted;
        self.kept += other.kept;
    }

    /// Fails unless everything is as it was told.
    pub(crate) fn perfect(&self, what: &str) -> Result<()> {
        match (self.lost, self.half, self.unwanted) {
            (0, 0, 0) => Ok(()),
            _ => Err(Trouble::new(format!("{what}: {self:?}"))),
        }
    }
}

/// Fetches every file of `outcomes`, compares it byte by byte, and compares what can be fetched with what is listed in
/// `folders`, which together hold all of them.
pub(crate) async fn compare(persona: &Persona, folders: &[String], outcomes: &[(File, Told)]) -> Result<Score> {
    let mut listed = BTreeSet::new();
    for folder in folders {
        listed.extend(list(persona, folder).await?);
    }
    let mut score = Score::default();
    for (file, told) in outcomes {
        let answer = persona.get(&file.url()).send().await?;
        let whole = answer.status == 200 && answer.body == file.bytes();
        let there = listed.remove(&file.path);
        if there != whole || (answer.status != 404 && !whole) {
            println!("{} was told {told:?}: listed {there}, answers {}", file.path, answer.status);
            score.half += 1;
        }
        match told {
            Told::Published if whole => score.kept += 1,
            Told::Published => score.lost += 1,
            // 503 and 507 may come after the bytes and before the outcome is known; a plain refusal may not lie.
            Told::Refused(status) if *status < 500 && whole => score.unwanted += 1,
            _ => {}
        }
    }
    if !listed.is_empty() {
        println!("listed, and never sent: {listed:?}");
        score.half += listed.len();
    }
    Ok(score)
}

/// The paths of all files directly in `folder`; none when there is no such folder.
pub(crate) async fn list(persona: &Persona, folder: &str) -> Result<BTreeSet<String>> {
    let mut paths = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let url = format!("/repository/{REPO}/{folder}/?format=json&limit=200{cursor}");
        let answer = persona.get(&url).send().await?;
        if answer.status == 404 {
            return Ok(paths);
        }
        let page = answer.expect(&[200])?.json()?;
        let items = page["items"].as_array().into_iter().flatten();
        paths.extend(items.filter_map(|item| item["path"].as_str().map(str::to_string)));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(paths),
        }
    }
}

/// Statements that find something broken: each must answer 0.
const SOUND: [(&str, &str); 5] = [
    (
        "published versions without an entry",
        "SELECT count(*) FROM versions v WHERE v.state = 'published'
         AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.version_id = v.id)",
    ),
    (
        "published versions without their event",
        "SELECT count(*) FROM versions v WHERE v.state = 'published'
         AND NOT EXISTS (SELECT 1 FROM events e WHERE e.id = v.published_event)",
    ),
    (
        "published entries without their location",
        "SELECT count(*) FROM entries e JOIN versions v ON v.id = e.version_id WHERE v.state = 'published'
         AND NOT EXISTS (SELECT 1 FROM locations l WHERE l.repo_id = e.repo_id AND l.path = e.location)",
    ),
    (
        "entries without a good copy",
        "SELECT count(*) FROM entries e WHERE NOT EXISTS (SELECT 1 FROM copies c WHERE c.digest = e.digest
         AND c.state = 'good')",
    ),
    (
        "inline copies without bytes",
        "SELECT count(*) FROM copies c WHERE c.kind = 'inline'
         AND NOT EXISTS (SELECT 1 FROM inline_bytes i WHERE i.copy_id = c.id)",
    ),
];

/// Looks past the program: every row that readers rely on has what it points at, every stored copy its bytes.
pub(crate) fn sound(server: &Server) -> Result<()> {
    for (what, sql) in SOUND {
        let count = server.sql(sql)?;
        if count != "0" {
            return Err(Trouble::new(format!("{what}: {count}")));
        }
    }
    for (place, end) in places(server)? {
        let length = fs::metadata(server.blobs().join(&place)).map(|found| found.len());
        if !length.as_ref().is_ok_and(|length| *length >= end) {
            return Err(Trouble::new(format!("the copy at {place} must have {end} bytes: {length:?}")));
        }
    }
    Ok(())
}

/// Where good copies lie outside the database, and where the last of each ends.
pub(crate) fn places(server: &Server) -> Result<Vec<(String, u64)>> {
    let sql = "SELECT c.place, max(c.start + b.length) FROM copies c JOIN blobs b ON b.digest = c.digest
         WHERE c.kind <> 'inline' AND c.state = 'good' GROUP BY c.place";
    let rows = server.sql(sql)?;
    let rows = rows.lines().filter_map(|line| line.split_once('|'));
    rows.map(|(place, end)| Ok((place.to_string(), end.parse()?))).collect()
}

/// The keys of everything that lies in the blob store, staged files included.
pub(crate) fn stored(server: &Server) -> Result<BTreeSet<String>> {
    let mut keys = BTreeSet::new();
    for area in ["blobs", "packs", "parts", "staging"] {
        collect(server.blobs(), &server.blobs().join(area), &mut keys)?;
    }
    Ok(keys)
}

fn collect(root: &Path, folder: &Path, keys: &mut BTreeSet<String>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, keys)?;
        } else {
            let key = path.strip_prefix(root).map_err(|_| Trouble::new("a path outside its root"))?;
            keys.insert(key.display().to_string());
        }
    }
    Ok(())
}

/// The state of each dependency that `/health/ready` names, and its status code.
pub(crate) async fn readiness(server: &Server) -> Result<(u16, Value)> {
    let answer = server.http()?.get("/health/ready").send().await?;
    Ok((answer.status, answer.json()?))
}

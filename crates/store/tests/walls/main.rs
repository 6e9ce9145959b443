//! Law 3 from below: what raw SQL may not do, on both engines, with a test for every trigger.
#![expect(clippy::expect_used, reason = "tests")]

#[path = "../engines/mod.rs"]
mod engines;

use std::collections::BTreeSet;

use engines::{Bench, LIMITS, Raw};
use model::state::MarkKind;
use model::{EntryPath, RefName, RepoId, VersionId, VersionName};
use store::blobs::NewBody;
use store::entries::{NewEntry, PutEntries};
use store::manifests::PutManifest;
use store::marks::SetMark;
use store::packages::Coordinate;
use store::refs::{Expected, PutRef};
use store::tombstones::{PutTombstone, Restore};
use store::uploads::{AbortUpload, CreateUpload};
use store::versions::{CreateDraft, PublishVersion};

both! {
    every_wall_stands;
    every_trigger_is_attacked;
    what_is_allowed_is_allowed;
}

/// (trigger, attacks that it refuses).
const WALLS: &[(&str, &[&str])] = &[
    (
        "versions_keep_identity",
        &[
            "UPDATE versions SET version = '9' WHERE state = 'published'",
            "UPDATE versions SET created_by = 'mallory' WHERE state = 'published'",
            "UPDATE versions SET published_at = published_at + 1 WHERE state = 'published'",
            "UPDATE versions SET published_by = NULL WHERE state = 'tombstoned'",
            "UPDATE versions SET published_event = created_event FROM (SELECT id AS created_event FROM events LIMIT 1) AS e WHERE state = 'published'",
            "UPDATE versions SET sealed_at = NULL WHERE state = 'published'",
            "UPDATE versions SET sealed_at = sealed_at + 1 WHERE state = 'tombstoned'",
        ],
    ),
    (
        "versions_keep_order",
        &[
            "UPDATE versions SET state = 'draft' WHERE state = 'published'",
            "UPDATE versions SET state = 'collected' WHERE state = 'published'",
            "UPDATE versions SET state = 'draft' WHERE state = 'tombstoned'",
            "UPDATE versions SET state = 'collected' WHERE state = 'draft'",
        ],
    ),
    ("versions_stay", &["DELETE FROM versions WHERE state = 'published'", "DELETE FROM versions WHERE state = 'draft'"]),
    (
        "entries_keep",
        &[
            "UPDATE entries SET size = size + 1 WHERE version_id IN (SELECT id FROM versions WHERE state = 'published')",
            "UPDATE entries SET path = 'other' WHERE version_id IN (SELECT id FROM versions WHERE state = 'tombstoned')",
        ],
    ),
    (
        "entries_stay",
        &[
            "DELETE FROM entries WHERE version_id IN (SELECT id FROM versions WHERE state = 'published')",
            "DELETE FROM entries WHERE version_id IN (SELECT id FROM versions WHERE state = 'tombstoned')",
        ],
    ),
    (
        "entries_join",
        &[
            "INSERT INTO entries (version_id, path, repo_id, location, digest, size, added_at)
             SELECT v.id, 'late', v.repo_id, 'late', b.digest, b.length, 0 FROM versions v, blobs b WHERE v.state = 'published'",
            "INSERT INTO entries (version_id, path, repo_id, location, digest, size, added_at)
             SELECT v.id, 'late', v.repo_id, 'late', b.digest, b.length, 0 FROM versions v, blobs b WHERE v.state = 'tombstoned'",
        ],
    ),
    (
        "manifests_keep",
        &["UPDATE manifests SET body = '[]' WHERE version_id IN (SELECT id FROM versions WHERE state = 'published')"],
    ),
    (
        "manifests_stay",
        &["DELETE FROM manifests WHERE version_id IN (SELECT id FROM versions WHERE state = 'published')"],
    ),
    (
        "manifests_join",
        &["INSERT INTO manifests (version_id, body, updated_at) SELECT id, '{}', 0 FROM versions v WHERE state = 'published'
             AND NOT EXISTS (SELECT 1 FROM manifests m WHERE m.version_id = v.id)"],
    ),
    (
        "events_keep",
        &[
            "UPDATE events SET actor = 'mallory'",
            "UPDATE events SET detail = '{}', seq = 1000",
            "UPDATE events SET at = at + 1, seq = 1000",
        ],
    ),
    ("events_stay", &["DELETE FROM events"]),
    (
        "packages_keep",
        &["UPDATE packages SET name = 'other'", "UPDATE packages SET generation = generation - 1"],
    ),
    ("packages_stay", &["DELETE FROM packages"]),
    (
        "repositories_keep",
        &["UPDATE repositories SET key = 'other'", "UPDATE repositories SET format = 'npm'", "UPDATE repositories SET kind = 'remote'"],
    ),
    ("repositories_stay", &["DELETE FROM repositories"]),
    (
        "locations_keep",
        &["UPDATE locations SET path = 'other' WHERE path = 'single'",
          "UPDATE locations SET package_id = (SELECT id FROM packages WHERE name = 'tool') WHERE path = 'single'"],
    ),
    ("locations_stay", &["DELETE FROM locations"]),
    (
        "locations_lie",
        &["UPDATE locations SET version_id = (SELECT id FROM versions WHERE state = 'draft') WHERE path = 'shelved'",
          "UPDATE locations SET entry_path = 'other' WHERE path = 'shelved'"],
    ),
    (
        "refs_keep",
        &[
            "UPDATE refs SET name = 'other' WHERE to_at IS NULL",
            "UPDATE refs SET version_id = (SELECT id FROM versions WHERE state = 'draft') WHERE to_at IS NULL",
            "UPDATE refs SET to_at = 5 WHERE to_at IS NOT NULL",
        ],
    ),
    ("refs_stay", &["DELETE FROM refs"]),
    ("refs_say_who", &["UPDATE refs SET by_subject = 'mallory', to_at = 5, to_event = from_event WHERE to_at IS NULL"]),
    ("subjects_keep", &["UPDATE subjects SET subject = 'other'"]),
    ("subjects_stay", &["DELETE FROM subjects"]),
    (
        "marks_keep",
        &["UPDATE marks SET text = 'other' WHERE to_at IS NULL", "UPDATE marks SET to_at = NULL WHERE to_at IS NOT NULL"],
    ),
    ("marks_stay", &["DELETE FROM marks"]),
    (
        "tombstones_keep",
        &[
            "UPDATE tombstones SET reason = 'other', to_at = 5 WHERE to_at IS NULL",
            "UPDATE tombstones SET retain_until = 0 WHERE to_at IS NULL",
            "UPDATE tombstones SET to_at = 5 WHERE to_at IS NOT NULL",
        ],
    ),
    ("tombstones_stay", &["DELETE FROM tombstones"]),
    (
        "uploads_keep",
        &[
            "UPDATE uploads SET state = 'initiated' WHERE state = 'aborted'",
            "UPDATE uploads SET reason = 'other' WHERE state = 'aborted'",
            "UPDATE uploads SET expected_length = 1 WHERE state = 'initiated'",
            "UPDATE uploads SET repo_id = tenant_id WHERE state = 'initiated'",
        ],
    ),
    (
        "copies_keep",
        &[
            "UPDATE copies SET place = 'other' WHERE state = 'good'",
            "UPDATE copies SET state = 'good' WHERE state = 'damaged'",
        ],
    ),
    (
        "copies_fresh",
        &["INSERT INTO copies (id, digest, kind, place, start, sums, state, created_at)
             SELECT e.id, b.digest, 'file', t.place, 0, b.digest, 'good', 0 FROM (SELECT id FROM events LIMIT 1) AS e,
             (SELECT digest FROM blobs LIMIT 1) AS b, (SELECT place FROM trash LIMIT 1) AS t"],
    ),
    ("trash_stay", &["DELETE FROM trash"]),
    ("trash_keep", &["UPDATE trash SET place = 'other', removed_at = 5"]),
    ("blobs_keep", &["UPDATE blobs SET length = length + 1"]),
    ("observations_keep", &["UPDATE observations SET media_type = 'other'", "UPDATE observations SET digest = NULL"]),
    ("observations_stay", &["DELETE FROM observations"]),
    (
        "waivers_keep",
        &[
            "UPDATE waivers SET until = until + 1",
            "UPDATE waivers SET version = '2', ended_at = 1",
            "UPDATE waivers SET ended_at = 2 WHERE ended_at IS NOT NULL",
        ],
    ),
    ("waivers_stay", &["DELETE FROM waivers"]),
];

/// Tables that PostgreSQL would empty in one statement, past the triggers of their rows.
const FULL: &[&str] = &[
    "blobs",
    "copies",
    "entries",
    "events",
    "inline_bytes",
    "locations",
    "manifests",
    "marks",
    "observations",
    "packages",
    "refs",
    "repositories",
    "subjects",
    "tombstones",
    "trash",
    "versions",
    "waivers",
];

/// A repository of another format, and a path in it.
const SHELF: &[&str] = &[
    "INSERT INTO repositories (id, tenant_id, key, format, kind, description, anonymous_read, settings, rules, revision,
         created_by, created_at, updated_at)
     SELECT v.id, r.tenant_id, 'shelf', 'npm', r.kind, '', r.anonymous_read, '{}', '[]', 1, 'ada', 0, 0
     FROM repositories r JOIN versions v ON v.repo_id = r.id WHERE v.state = 'draft'",
    "INSERT INTO locations (repo_id, path, package_id, version_id, entry_path)
     SELECT r.id, 'shelved', l.package_id, l.version_id, l.entry_path FROM repositories r, locations l
     WHERE r.key = 'shelf' AND l.path = 'single'",
];

/// A repository with one of everything: published, withdrawn, draft; refs, marks and tombstones in
/// force and over; uploads open and over; a good copy, a damaged one, something in the trash.
async fn furnish(bench: &Bench) {
    let repo = bench.repository("libs").await;
    bench.publish(repo, "single", bench.blob(NewBody::Inline(vec![1; 5]), 1, 5)).await;
    let mut ids = Vec::new();
    for name in ["1", "2", "3", "4"] {
        ids.push(draft(bench, repo, name).await);
    }
    for id in &ids[..3] {
        let act = bench.act();
        let limits = LIMITS;
        let write = PublishVersion { act, repo, version: *id, overwrite: false, seal: None, limits };
        bench.store.write(write).await.expect("published");
    }
    for version in [ids[0], ids[1]] {
        let name = RefName::parse("latest").expect("a name");
        let write = PutRef {
            act: bench.act(),
            repo,
            id: bench.ambient.id(),
            name,
            version,
            expected: Expected::Anything,
            fixed: false,
        };
        bench.store.write(write).await.expect("a ref");
    }
    for text in ["one", "two"] {
        let (id, kind, text) = (bench.ambient.id(), MarkKind::Deprecated, Some(text.to_owned()));
        bench.store.write(SetMark { act: bench.act(), repo, version: ids[0], id, kind, text }).await.expect("a mark");
    }
    for version in [ids[1], ids[2]] {
        let (act, id, reason) = (bench.act(), bench.ambient.id(), "bad".to_owned());
        let retain_until = act.at.plus(std::time::Duration::from_secs(60));
        bench.store.write(PutTombstone { act, repo, version, id, reason, retain_until }).await.expect("withdrawn");
    }
    bench.store.write(Restore { act: bench.act(), repo, version: ids[1] }).await.expect("restored");
    for abort in [true, false] {
        let id = bench.ambient.id();
        let write = CreateUpload {
            act: bench.act(),
            id,
            repo,
            digest: model::Sha256Digest([9; 32]),
            length: 9,
            expires_at: model::Timestamp(i64::MAX),
            reach: store::blobs::Reach::default(),
            pin_until: model::Timestamp(0),
            limits: LIMITS,
        };
        bench.deposit(write).await.expect("an upload");
        if abort {
            let reason = "enough".to_owned();
            bench.store.write(AbortUpload { act: bench.act(), repo, upload: id, reason }).await.expect("aborted");
        }
    }
    let subject = "INSERT INTO subjects (package_id, subject, version_id)
         SELECT package_id, 'sha256:1', id FROM versions WHERE state = 'published'";
    run(bench, subject).await.expect("subjects");
    let damaged = NewBody::Stored { kind: model::state::CopyKind::File, place: "blobs/aa/1".to_owned() };
    bench.publish(repo, "damaged", bench.blob(damaged, 2, 5)).await;
    run(bench, "UPDATE copies SET state = 'damaged' WHERE kind = 'file'").await.expect("damaged");
    run(bench, "INSERT INTO trash (place, created_at) VALUES ('blobs/aa/2', 0)").await.expect("trash");
    let seen = "INSERT INTO observations (id, repo_id, target, digest, length, media_type, address, seen_at)
         SELECT r.id, r.id, 'demo', b.digest, b.length, 'text/plain', '', 0
         FROM (SELECT id FROM repositories LIMIT 1) AS r, (SELECT digest, length FROM blobs LIMIT 1) AS b";
    run(bench, seen).await.expect("an answer of an upstream");
    let waived = "INSERT INTO waivers (id, repo_id, package, reason, by_subject, created_at, until, ended_at)
         SELECT id, id, 'demo', 'r', 'ada', 0, 9, 1 FROM repositories LIMIT 1";
    run(bench, waived).await.expect("a waiver that was ended");
    for sql in SHELF {
        run(bench, sql).await.expect(sql);
    }
}

/// A draft with an entry and a manifest.
async fn draft(bench: &Bench, repo: RepoId, name: &str) -> VersionId {
    let write = CreateDraft {
        act: bench.act(),
        repo,
        package: Coordinate {
            kind: "raw".to_owned(),
            namespace: String::new(),
            name: "tool".to_owned(),
            display_name: "tool".to_owned(),
        },
        new_package: bench.ambient.id(),
        id: bench.ambient.id(),
        version: VersionName::parse(name).expect("a version"),
    };
    let version = bench.store.write(write).await.expect("a draft").version.id;
    let path = |text: &str| EntryPath::parse(text).expect("a path");
    let entry = NewEntry {
        path: path("file"),
        location: path(&format!("tool/{name}/file")),
        digest: model::Sha256Digest([1; 32]),
        size: 5,
        sha1: None,
        media_type: None,
    };
    bench.store.write(PutEntries { act: bench.act(), repo, version, entries: vec![entry] }).await.expect("entered");
    let body = "{}".to_owned();
    bench.store.write(PutManifest { act: bench.act(), repo, version, body, blob: None }).await.expect("a manifest");
    version
}

async fn run(bench: &Bench, sql: &'static str) -> store::Result<u64> {
    bench.store.write(Raw(sql)).await
}

async fn every_wall_stands(bench: &mut Bench) {
    furnish(bench).await;
    for (wall, attacks) in WALLS {
        for attack in *attacks {
            let refused = run(bench, attack).await.expect_err(attack).to_string();
            assert!(refused.contains("artifortress: "), "{wall}: {attack}: {refused}");
        }
    }
    if bench.store.engine() == store::Engine::Postgres {
        for table in FULL {
            let attack: &'static str = String::leak(format!("TRUNCATE {table} CASCADE"));
            let refused = run(bench, attack).await.expect_err(attack).to_string();
            assert!(refused.contains(&format!("artifortress: {table} is never emptied")), "{attack}: {refused}");
        }
    }
}

async fn every_trigger_is_attacked(bench: &mut Bench) {
    let names: Vec<String> = match bench.store.engine() {
        store::Engine::Sqlite => bench.column("SELECT name FROM sqlite_schema WHERE type = 'trigger'").await,
        store::Engine::Postgres => {
            bench.column("SELECT CAST(tgname AS TEXT) FROM pg_trigger WHERE NOT tgisinternal").await
        }
    };
    let found: BTreeSet<String> = names.into_iter().collect();
    let mut attacked: BTreeSet<String> = WALLS.iter().map(|(wall, _)| (*wall).to_owned()).collect();
    if bench.store.engine() == store::Engine::Postgres {
        attacked.extend(FULL.iter().map(|table| format!("{table}_full")));
    }
    assert_eq!(found, attacked);
}

/// A wall that refuses everything proves nothing: these steps are the same statements, permitted.
async fn what_is_allowed_is_allowed(bench: &mut Bench) {
    furnish(bench).await;
    for sql in [
        "UPDATE versions SET state = 'collected' WHERE state = 'tombstoned'",
        "DELETE FROM entries WHERE version_id IN (SELECT id FROM versions WHERE state IN ('draft', 'collected'))",
        "DELETE FROM manifests WHERE version_id IN (SELECT id FROM versions WHERE state = 'draft')",
        "UPDATE versions SET state = 'tombstoned' WHERE state = 'published'",
        "UPDATE packages SET generation = generation + 1",
        "UPDATE repositories SET description = 'other'",
        "UPDATE refs SET to_at = 5, to_event = from_event WHERE to_at IS NULL",
        "UPDATE marks SET to_at = 5, to_event = from_event WHERE to_at IS NULL",
        "UPDATE tombstones SET to_at = 5, to_event = from_event WHERE to_at IS NULL",
        "UPDATE copies SET state = 'damaged' WHERE state = 'good'",
        "UPDATE trash SET removed_at = 5",
        "UPDATE blobs SET condemned_at = 5",
        "UPDATE uploads SET state = 'parts_uploading' WHERE state = 'initiated'",
    ] {
        assert!(run(bench, sql).await.expect(sql) > 0, "{sql}");
    }
}

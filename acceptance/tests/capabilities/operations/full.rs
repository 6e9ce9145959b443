//! A store that has been used for years: what is done in the background and for requests finds its rows by an index,
//! however many there are.

use std::time::Duration;

use acceptance::server::Server;
use acceptance::{Result, Trouble};
use serde_json::json;

use crate::site::{ensure, plan};

/// Of each kind; a statement that goes through 5,000 rows says so in the log.
const MANY: u32 = 12_000;

/// Rows of years, made of those of one file, one upload, one token and one event. Their triggers are asked; that they
/// point at each other is not (`sqlite3` does not look), so each names what is there.
const YEARS: &str = "
    CREATE TEMP TABLE n AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many}) SELECT i,
        CAST(printf('%016d', i) AS BLOB) AS id, CAST(printf('%032d', i) AS BLOB) AS digest FROM n;
    CREATE TEMP TABLE one AS SELECT v.id AS version, p.id AS package, e.path AS entry, r.id AS repo, c.id AS copy FROM entries e
        JOIN versions v ON v.id = e.version_id JOIN packages p ON p.id = v.package_id JOIN repositories r ON r.id = e.repo_id
        JOIN copies c ON c.digest = e.digest WHERE e.location = 'one' LIMIT 1;
    INSERT INTO blobs (digest, length, created_at, condemned_at)
        SELECT digest, 5, 1, CASE WHEN i % 40 = 0 THEN 1 END FROM n;
    INSERT INTO copies (id, digest, kind, place, start, sums, state, created_at)
        SELECT n.id, n.digest, c.kind, hex(n.id), 0, c.sums, 'good', 1 FROM n JOIN one JOIN copies c ON c.id = one.copy;
    INSERT INTO inline_bytes (copy_id, bytes) SELECT n.id, b.bytes FROM n JOIN one JOIN inline_bytes b ON b.copy_id = one.copy;
    INSERT INTO copies (id, digest, kind, place, start, sums, state, created_at)
        SELECT randomblob(16), c.digest, 'file', 'gone', 0, c.sums, 'damaged', 1 FROM one JOIN copies c ON c.id = one.copy;
    INSERT INTO packages (id, repo_id, type, namespace, name, display_name, generation, created_at)
        SELECT n.id, p.repo_id, p.type, '', 'y' || n.i, 'y' || n.i, 2, 1 FROM n JOIN one JOIN packages p ON p.id = one.package;
    INSERT INTO versions (id, repo_id, package_id, version, state, created_by, created_at, published_by, published_at,
            published_event)
        SELECT n.id, v.repo_id, n.id, v.version, CASE WHEN n.i % 40 = 0 THEN 'draft' ELSE 'published' END, v.created_by, 1,
            v.published_by, 1, v.published_event FROM n JOIN one JOIN versions v ON v.id = one.version;
    INSERT INTO entries (version_id, path, repo_id, location, digest, size, added_at)
        SELECT n.id, 'y', one.repo, 'y/' || n.i, n.digest, 5, 1 FROM n JOIN one WHERE n.i % 40 > 0;
    INSERT INTO locations (repo_id, path, package_id, version_id, entry_path)
        SELECT one.repo, 'y/' || n.i, n.id, n.id, 'y' FROM n JOIN one WHERE n.i % 40 > 0;
    INSERT INTO aliases (algorithm, value, digest) SELECT 'sha512', n.digest, n.digest FROM n WHERE n.i % 40 > 0;
    INSERT INTO cached (repo_id, digest, size, cached_at, used_at)
        SELECT r.id, n.digest, 5, 1, 1 FROM n JOIN repositories r ON r.kind = 'remote' WHERE n.i % 40 > 0;
    INSERT INTO pins (repo_id, digest, until, charged)
        SELECT one.repo, n.digest, CASE WHEN n.i % 50 = 1 THEN 1 ELSE 4000000000000000 END, 0 FROM n JOIN one WHERE n.i % 40 > 0;
    INSERT INTO uploads (id, tenant_id, repo_id, state, expected_digest, expected_length, deduped, created_by, created_at,
            expires_at, ended_at, reason)
        SELECT n.id, r.tenant_id, r.id, 'aborted', n.digest, 5, 0, 'ada', 1, 2, 2, 'expired'
        FROM n JOIN one JOIN repositories r ON r.id = one.repo;
    INSERT INTO trash (place, created_at, removed_at) SELECT 'old/' || n.i, 1, 2 FROM n;
    INSERT INTO tokens (id, tenant_id, principal_id, hash, name, scopes, created_by, created_at, expires_at)
        SELECT n.id, t.tenant_id, t.principal_id, n.digest, '', '[]', t.created_by, 1, 2 FROM n JOIN (SELECT * FROM tokens LIMIT 1) t;
    INSERT INTO idempotency (principal_id, key, request, status, body, attempt, created_at)
        SELECT n.id, 'k', n.digest, 200, '{}', n.id, 1 FROM n;
    INSERT INTO observations (id, repo_id, target, digest, length, media_type, address, seen_at)
        SELECT n.id, r.id, 'y' || n.i, NULL, 0, '', '', 1 FROM n JOIN repositories r ON r.kind = 'remote';
    INSERT INTO events (id, seq, tenant_id, at, actor, action, repo_id, resource_kind, resource_id, detail)
        SELECT n.id, (SELECT max(seq) FROM events) + n.i, e.tenant_id, 1, e.actor, e.action, e.repo_id, e.resource_kind,
            'y' || n.i, '{}' FROM n JOIN (SELECT * FROM events ORDER BY seq LIMIT 1) e;
    UPDATE consumers SET seq = (SELECT max(seq) FROM events);";

/// Whether the background has nothing left to do with those rows.
const DONE: &str =
    "SELECT (SELECT count(*) FROM inline_bytes i JOIN copies c ON c.id = i.copy_id WHERE c.created_at = 1)
    + (SELECT count(*) FROM blobs WHERE condemned_at = 1) + (SELECT count(*) FROM pins WHERE until = 1)
    + (SELECT count(*) FROM idempotency WHERE created_at = 1) + (SELECT count(*) FROM copies WHERE state = 'damaged')
    + (SELECT count(*) FROM jobs)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_through_a_whole_table() -> Result<()> {
    let plan = plan().variable("ARTIFORTRESS_LOG", "info,store=debug");
    let mut server = plan.start().await?;
    server.repository("files", "raw").await?;
    let far = json!({"repoKey": "far", "format": "raw", "repoType": "remote", "upstreamUrl": "http://127.0.0.1:9"});
    server.admin()?.post("/v1/repos").json(&far).send().await?.expect(&[201])?;
    server.admin()?.put("/repository/files/one").body("12345").send().await?.expect(&[201])?;
    server.stop()?;
    server.sql(&YEARS.replace("{many}", &MANY.to_string()))?;
    server.resume().await?;
    tokio::time::timeout(Duration::from_secs(60), until_done(&server))
        .await
        .map_err(|_| Trouble::new(format!("{} rows are left", server.sql(DONE).unwrap_or_default())))??;
    use_it(&server).await?;
    let log = server.log();
    let slow: Vec<&str> = log.lines().filter(|line| line.contains("went through a whole table")).collect();
    ensure(slow.is_empty(), slow.join("\n"))
}

async fn until_done(server: &Server) -> Result<()> {
    while server.sql(DONE)? != "0" {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// What clients and people ask for.
async fn use_it(server: &Server) -> Result<()> {
    let admin = server.admin()?;
    for path in [
        "/repository/files/one",
        "/repository/files/y/77",
        "/repository/files/",
        "/repository/files/y/",
        "/v1/repos",
        "/v1/repos/files",
        "/v1/repos/files/packages?limit=20",
        "/v1/repos/files/packages/versions?package=y77",
        "/v1/repos/files/search/packages?q=y1",
        "/v1/search?q=y1",
        "/v1/auth/whoami",
        "/v1/admin/auth/pats?limit=20",
        "/v1/admin/jobs",
        "/v1/audit?limit=20",
        "/v1/admin/ops/summary",
        "/health/ready",
    ] {
        let answer = admin.get(path).send().await?;
        ensure(answer.status == 200, format!("{path}: {}", answer.text()))?;
    }
    admin.put("/repository/files/two").body("new bytes").send().await?.expect(&[201])?;
    admin.put("/repository/files/three").body("12345").send().await?.expect(&[201])?;
    admin.delete("/repository/files/two").send().await?.expect(&[200, 202, 204])?;
    Ok(())
}

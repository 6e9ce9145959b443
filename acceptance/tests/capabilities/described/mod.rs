//! The description of the API says what the API does: every endpoint of the table is called with valid input, and its
//! answer is what the document promises.

mod schema;
mod tour;

use std::time::Duration;

use acceptance::Result;
use acceptance::http::Answer;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::site::{Site, ensure, mint};
use tour::{Sent, Tour};

/// A new endpoint is called here, or this fails.
#[tokio::test]
async fn every_endpoint_works_as_described() -> Result<()> {
    let site = Site::embedded().await?;
    let mut tour = Tour::begin(&site.admin).await?;
    for open in ["GET /", "GET /v1/openapi.json", "GET /v1/docs"] {
        tour.call(open, &[], Sent::Nothing).await?;
    }
    tokens(&mut tour, &site).await?;
    tenant(&mut tour).await?;
    repositories(&mut tour).await?;
    let digest = uploads(&mut tour).await?;
    let version = publishing(&mut tour, &digest).await?;
    lookups(&mut tour, &digest).await?;
    refs(&mut tour, &version).await?;
    withdrawing(&mut tour, &version).await?;
    operations(&mut tour, &site).await?;
    let libs = [("repo", "libs"), ("subject", "somebody")];
    tour.call("DELETE /v1/repos/{repo}/bindings/{subject}", &libs, Sent::Nothing).await?;
    tour.call("DELETE /v1/repos/{repo}?mode=tombstone", &libs, Sent::Nothing).await?;
    tour.call("POST /v1/admin/auth/pats/revoke-all", &[], Sent::Nothing).await?;
    println!("{} endpoints", tour.seen());
    ensure(tour.unseen().is_empty(), format!("described and called by nobody here: {:#?}", tour.unseen()))
}

/// A list with something in it: an empty one proves nothing about its items.
fn filled(answer: &Answer) -> Result<()> {
    let items = answer.json()?["items"].as_array().map_or(0, Vec::len);
    ensure(items > 0, format!("an empty list: {}", answer.text()))
}

async fn tokens(tour: &mut Tour<'_>, site: &Site) -> Result<()> {
    tour.call("GET /v1/auth/whoami", &[], Sent::Nothing).await?;
    let wanted = json!({"subject": "alice", "scopes": ["repo:libs:read"], "ttlMinutes": 60, "name": "laptop"});
    tour.call("POST /v1/auth/pats", &[], Sent::Json(wanted)).await?;
    filled(&tour.call("GET /v1/auth/pats?limit=5", &[], Sent::Nothing).await?)?;
    filled(&tour.call("GET /v1/admin/auth/pats", &[], Sent::Nothing).await?)?;
    let token = mint(&site.admin, "to-be-revoked", &["repo:x:read"]).await?.id;
    tour.call("POST /v1/auth/pats/revoke", &[], Sent::Json(json!({"tokenId": token}))).await?;
    tour.call("POST /v1/admin/auth/pats/revoke-subject", &[], Sent::Json(json!({"subject": "alice"}))).await?;
    tour.call("GET /v1/admin/auth/pat-policy", &[], Sent::Nothing).await?;
    tour.call("PUT /v1/admin/auth/pat-policy", &[], Sent::Json(json!({"maxTtlMinutes": 10080}))).await?;
    tour.call("GET /v1/admin/auth/pat-policy", &[], Sent::Nothing).await?;
    Ok(())
}

async fn tenant(tour: &mut Tour<'_>) -> Result<()> {
    let who = [("subject", "somebody")];
    let account = json!({"subject": "somebody", "description": "builds"});
    tour.call("POST /v1/admin/service-accounts", &[], Sent::Json(account)).await?;
    filled(&tour.call("GET /v1/admin/service-accounts", &[], Sent::Nothing).await?)?;
    for disabled in [true, false] {
        let body = Sent::Json(json!({"disabled": disabled}));
        tour.call("PATCH /v1/admin/service-accounts/{subject}", &who, body).await?;
    }
    tour.call("DELETE /v1/admin/service-accounts/{subject}", &who, Sent::Nothing).await?;
    filled(&tour.call("GET /v1/admin/service-accounts", &[], Sent::Nothing).await?)?;
    let roles = json!({"roles": ["auditor", "operator"]});
    tour.call("PUT /v1/admin/tenant-role-bindings/{subject}", &who, Sent::Json(roles)).await?;
    filled(&tour.call("GET /v1/admin/tenant-role-bindings", &[], Sent::Nothing).await?)?;
    tour.call("DELETE /v1/admin/tenant-role-bindings/{subject}", &who, Sent::Nothing).await?;
    let limits =
        json!({"maxLogicalStorageBytes": 10 << 20, "maxConcurrentUploadSessions": 5, "maxPendingSearchJobs": 5});
    tour.call("GET /v1/admin/tenant-admission-policy", &[], Sent::Nothing).await?;
    tour.call("PUT /v1/admin/tenant-admission-policy", &[], Sent::Json(limits)).await?;
    tour.call("GET /v1/admin/tenant-admission-policy", &[], Sent::Nothing).await?;
    Ok(())
}

async fn repositories(tour: &mut Tour<'_>) -> Result<()> {
    let libs = [("repo", "libs"), ("subject", "somebody")];
    let repo = json!({"repoKey": "libs", "format": "raw", "repoType": "local", "description": "d",
        "anonymousRead": true, "settings": {"allowOverwrite": true}});
    tour.call("POST /v1/repos", &[], Sent::Json(repo)).await?;
    filled(&tour.call("GET /v1/repos", &[], Sent::Nothing).await?)?;
    tour.call("GET /v1/repos/{repo}", &libs, Sent::Nothing).await?;
    let change = json!({"description": "e", "anonymousRead": false, "settings": {"allowOverwrite": false}});
    tour.call("PATCH /v1/repos/{repo}", &libs, Sent::Json(change)).await?;
    let rules = json!({"rules": [{"kind": "claim", "pattern": "own-*"}]});
    tour.call("PUT /v1/repos/{repo}/rules", &libs, Sent::Json(rules)).await?;
    tour.call("GET /v1/repos/{repo}/rules", &libs, Sent::Nothing).await?;
    tour.call("PUT /v1/repos/{repo}/rules", &libs, Sent::Json(json!({"rules": []}))).await?;
    ruled(tour).await?;
    let roles = json!({"roles": ["read", "promote"]});
    tour.call("PUT /v1/repos/{repo}/bindings/{subject}", &libs, Sent::Json(roles)).await?;
    tour.call("GET /v1/repos/{repo}/bindings/{subject}", &libs, Sent::Nothing).await?;
    filled(&tour.call("GET /v1/repos/{repo}/bindings", &libs, Sent::Nothing).await?)
}

/// A remote repository whose rules keep something out. Its upstream is never asked.
async fn ruled(tour: &mut Tour<'_>) -> Result<()> {
    let up = [("repo", "up")];
    let repo = json!({"repoKey": "up", "format": "npm", "repoType": "remote", "upstreamUrl": "https://up.example"});
    tour.call("POST /v1/repos", &[], Sent::Json(repo)).await?;
    let rules = json!({"rules": [
        {"kind": "claim", "pattern": "own-*"}, {"kind": "allow", "pattern": "good"},
        {"kind": "block", "pattern": "bad", "reason": "r"}, {"kind": "block", "pattern": "*", "versions": "<1"},
        {"kind": "minimumAge", "hours": 24}, {"kind": "freeze", "notAfter": "2026-01-01T00:00:00Z"}]});
    tour.call("PUT /v1/repos/{repo}/rules", &up, Sent::Json(rules)).await?;
    // Some time ahead.
    let wanted = json!({"subject": "bob", "scopes": ["repo:up:read"], "ttlMinutes": 60, "name": "clock"});
    let until = tour.call("POST /v1/auth/pats", &[], Sent::Json(wanted)).await?.string("/expiresAtUtc")?;
    let waiver = json!({"package": "bad", "version": "1.0.0", "reason": "r", "until": until});
    let given = tour.call("POST /v1/repos/{repo}/waivers", &up, Sent::Json(waiver)).await?.string("/waiverId")?;
    filled(&tour.call("GET /v1/repos/{repo}/waivers", &up, Sent::Nothing).await?)?;
    let one = [("repo", "up"), ("waiver", given.as_str())];
    tour.call("DELETE /v1/repos/{repo}/waivers/{waiver}", &one, Sent::Nothing).await?;
    let items = json!({"items": [{"name": "own-tool", "version": "1.0.0", "files": ["x"]}], "waitSeconds": 1});
    let said = tour.call("POST /v1/repos/{repo}/prefetch", &up, Sent::Json(items)).await?.json()?;
    ensure(said["items"][0]["state"] == "missing", said.to_string())?;
    let offline = json!({"settings": {"upstream": {"offline": true}}});
    tour.call("PATCH /v1/repos/{repo}", &up, Sent::Json(offline)).await?;
    let said = tour.call("POST /v1/repos/{repo}/upstream/check", &up, Sent::Nothing).await?.json()?;
    ensure(said["problem"] == "offline", said.to_string())?;
    let file = "own-tool/-/own-tool-1.0.0.tgz";
    let asked = [("name=own-tool", "hide"), ("name=bad", "deny")].map(|(asked, verdict)| (asked.to_owned(), verdict));
    for (asked, verdict) in asked.into_iter().chain(["", "/"].map(|slash| (format!("path={slash}{file}"), "hide"))) {
        let said = tour.call(&format!("GET /v1/repos/{{repo}}/explain?{asked}"), &up, Sent::Nothing).await?.json()?;
        ensure(said["verdict"] == verdict && said["rules"][0]["rule"]["kind"] == "claim", said.to_string())?;
    }
    Ok(())
}

/// Uploads a file and answers with its digest.
async fn uploads(tour: &mut Tour<'_>) -> Result<String> {
    let bytes = b"bytes of the tour".to_vec();
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let announced = |digest: &str| Sent::Json(json!({"expectedDigest": digest, "expectedLength": bytes.len()}));
    let libs = [("repo", "libs")];
    let begun = tour.call("POST /v1/repos/{repo}/uploads", &libs, announced(&digest)).await?.expect(&[201])?;
    let upload = begun.string("/uploadId")?;
    let at = [("repo", "libs"), ("upload", upload.as_str()), ("number", "1")];
    let part = json!({"partNumber": 1, "sizeBytes": bytes.len()});
    tour.call("POST /v1/repos/{repo}/uploads/{upload}/parts", &at, Sent::Json(part)).await?;
    let part = Sent::Bytes(bytes.clone());
    let sent = tour.call("PUT /v1/repos/{repo}/uploads/{upload}/parts/{number}", &at, part).await?.string("/eTag")?;
    let read = tour.call("GET /v1/repos/{repo}/uploads/{upload}", &at, Sent::Nothing).await?.json()?;
    ensure(read["parts"][0]["eTag"] == sent, format!("{read}"))?;
    let parts = json!({"parts": [{"partNumber": 1, "eTag": sent}]});
    tour.call("POST /v1/repos/{repo}/uploads/{upload}/complete", &at, Sent::Json(parts)).await?;
    tour.call("POST /v1/repos/{repo}/uploads/{upload}/commit", &at, Sent::Nothing).await?;
    let again = tour.call("POST /v1/repos/{repo}/uploads", &libs, announced(&digest)).await?.expect(&[200])?;
    ensure(again.json()?["deduped"] == true, again.text())?;
    for body in [Sent::Nothing, Sent::Json(json!({"reason": "the tour goes on"}))] {
        let other = tour.call("POST /v1/repos/{repo}/uploads", &libs, announced(&"0".repeat(64))).await?;
        let at = [("repo", "libs"), ("upload", &other.string("/uploadId")?)];
        tour.call("POST /v1/repos/{repo}/uploads/{upload}/abort", &at, body).await?;
        tour.call("GET /v1/repos/{repo}/uploads/{upload}", &at, Sent::Nothing).await?;
    }
    Ok(digest)
}

/// Publishes version 1.0 of `tool` and answers with its id.
async fn publishing(tour: &mut Tour<'_>, digest: &str) -> Result<String> {
    let wanted = json!({"packageType": "raw", "packageName": "tool", "version": "1.0"});
    let drafts = "POST /v1/repos/{repo}/packages/versions/drafts";
    let draft = tour.call(drafts, &[("repo", "libs")], Sent::Json(wanted.clone())).await?.expect(&[201])?;
    tour.call(drafts, &[("repo", "libs")], Sent::Json(wanted)).await?.expect(&[200])?;
    let version = draft.string("/versionId")?;
    let at = [("repo", "libs"), ("version", version.as_str()), ("path", "lib/b")];
    let entry = |path: &str| json!({"relativePath": path, "blobDigest": digest, "sizeBytes": 17, "checksumSha256": digest, "mediaType": "text/plain"});
    let entries = Sent::Json(json!({"entries": [entry("bin/a"), entry("lib/b")]}));
    tour.call("POST /v1/repos/{repo}/packages/versions/{version}/entries", &at, entries).await?;
    tour.call("DELETE /v1/repos/{repo}/packages/versions/{version}/entries/{path}", &at, Sent::Nothing).await?;
    let manifest = Sent::Json(json!({"manifest": {"name": "tool"}}));
    tour.call("PUT /v1/repos/{repo}/packages/versions/{version}/manifest", &at, manifest).await?;
    tour.call("GET /v1/repos/{repo}/packages/versions/{version}/manifest", &at, Sent::Nothing).await?;
    tour.call("GET /v1/repos/{repo}/packages/versions/{version}", &at, Sent::Nothing).await?;
    tour.call("POST /v1/repos/{repo}/packages/versions/{version}/publish", &at, Sent::Nothing).await?;
    tour.call("POST /v1/repos/{repo}/packages/versions/{version}/publish", &at, Sent::Nothing).await?;
    filled(&tour.call("GET /v1/repos/{repo}/packages/versions/{version}/entries", &at, Sent::Nothing).await?)?;
    Ok(version)
}

async fn lookups(tour: &mut Tour<'_>, digest: &str) -> Result<()> {
    let libs = [("repo", "libs"), ("digest", digest)];
    tour.call("GET /v1/repos/{repo}/blobs/{digest}", &libs, Sent::Nothing).await?;
    for list in [
        "GET /v1/repos/{repo}/packages?prefix=to",
        "GET /v1/repos/{repo}/packages/versions?package=tool&limit=1",
        "GET /v1/repos/{repo}/search/packages?q=to",
        "GET /v1/search?q=to&repo=libs&format=raw",
    ] {
        filled(&tour.call(list, &libs, Sent::Nothing).await?)?;
    }
    let resolve = "GET /v1/repos/{repo}/packages/versions/resolve?name=tool&version=1.0";
    tour.call(resolve, &libs, Sent::Nothing).await?;
    Ok(())
}

async fn refs(tour: &mut Tour<'_>, version: &str) -> Result<()> {
    let libs = [("repo", "libs")];
    let moved = json!({"name": "stable", "versionId": version, "expectedVersionId": null});
    tour.call("PUT /v1/repos/{repo}/refs", &libs, Sent::Json(moved)).await?;
    filled(&tour.call("GET /v1/repos/{repo}/refs?package=tool", &libs, Sent::Nothing).await?)?;
    tour.call("PUT /v1/repos/{repo}/refs", &libs, Sent::Json(json!({"name": "old", "versionId": version}))).await?;
    let old = format!("DELETE /v1/repos/{{repo}}/refs?package=tool&name=old&expectedVersionId={version}");
    tour.call(&old, &libs, Sent::Nothing).await?;
    filled(&tour.call("GET /v1/repos/{repo}/refs/history?package=tool&name=stable", &libs, Sent::Nothing).await?)
}

/// Marks, withdrawal and back.
async fn withdrawing(tour: &mut Tour<'_>, version: &str) -> Result<()> {
    let at = [("repo", "libs"), ("version", version)];
    for (verb, body) in [
        ("yank", Sent::Json(json!({"reason": "broken"}))),
        ("unyank", Sent::Nothing),
        ("yank", Sent::Nothing),
        ("deprecate", Sent::Json(json!({"text": "use 1.1"}))),
        ("seal", Sent::Nothing),
        ("tombstone", Sent::Json(json!({"reason": "bad", "retentionDays": 7}))),
    ] {
        tour.call(&format!("POST /v1/repos/{{repo}}/packages/versions/{{version}}/{verb}"), &at, body).await?;
    }
    let detail = "GET /v1/repos/{repo}/packages/versions/{version}";
    let found = tour.call(detail, &at, Sent::Nothing).await?.json()?;
    for (what, count) in [("entries", 1), ("refs", 1), ("marks", 2)] {
        ensure(found[what].as_array().map(Vec::len) == Some(count), format!("{count} {what}: {found}"))?;
    }
    ensure(found["tombstone"].is_object() && found["events"][0].is_object(), format!("{found}"))?;
    tour.call("POST /v1/repos/{repo}/packages/versions/{version}/restore", &at, Sent::Nothing).await?;
    tour.call(detail, &at, Sent::Nothing).await?;
    Ok(())
}

async fn operations(tour: &mut Tour<'_>, site: &Site) -> Result<()> {
    tour.call("GET /v1/admin/ops/summary", &[], Sent::Nothing).await?;
    let audit = "GET /v1/audit?subject=admin&action=repo&order=oldest&limit=5";
    // Events are numbered a moment after they happened, and only then listed.
    for _ in 0..3000 {
        let events = tour.call(audit, &[], Sent::Nothing).await?.json()?;
        if events["items"].as_array().is_some_and(|items| !items.is_empty()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    filled(&tour.call(audit, &[], Sent::Nothing).await?)?;
    tour.call("GET /v1/audit/export?repo=libs", &[], Sent::Nothing).await?;
    let id = "01a1fd17-0000-7000-8000-000000000001";
    // A job that failed too often.
    site.server.sql(&format!(
        "INSERT INTO jobs (id, tenant_id, kind, dedupe, payload, state, run_at, attempts, fence, again, last_error, created_at) \
         SELECT X'{}', tenant_id, 'of the tour', 'tour', '{{}}', 'dead', 0, 5, 0, 0, 'it failed', 0 FROM repositories LIMIT 1",
        id.replace('-', "")
    ))?;
    let letters = tour.call("GET /v1/admin/jobs", &[], Sent::Nothing).await?;
    filled(&letters)?;
    ensure(letters.json()?["items"][0]["jobId"] == id, letters.text())?;
    let one = tour.call("POST /v1/admin/jobs", &[], Sent::Json(json!({"jobId": id}))).await?.json()?;
    ensure(one["replayed"] == 1, format!("{one}"))?;
    tour.call("POST /v1/admin/jobs", &[], Sent::Json(json!({"all": true}))).await?;
    Ok(())
}

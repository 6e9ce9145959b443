//! `admin`.

use serde_json::json;

use super::registry::Registry;
use super::wire::Reply;
use super::{Person, TOKEN};

#[tokio::test]
async fn lists_follow_their_pages() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    let told = person.run(&["admin", "tokens", "list"]).await.ok();
    let lines: Vec<&str> = told.out.lines().collect();
    assert!(lines.len() == 3 && lines[0].starts_with("ID") && lines[2].contains("repo:*:read"), "{told:?}");
    let told = person.run(&["admin", "tokens", "list", "--json"]).await.ok().json();
    assert_eq!(told["items"].as_array().expect("items").len(), 2);
}

#[tokio::test]
async fn a_minted_token_is_the_only_thing_on_standard_output() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    let mint = ["admin", "tokens", "mint", "--scope", "repo:libs:write", "--name", "ci", "--ttl-minutes", "60"];
    let told = person.run(&mint).await.ok();
    assert_eq!(told.out, format!("{TOKEN}\n"));
    assert!(!told.err.contains(TOKEN), "{told:?}");
    let asked = registry.seen("POST /v1/auth/pats").pop().expect("asked");
    assert_eq!(
        asked.json(),
        json!({ "subject": "alice", "scopes": ["repo:libs:write"], "name": "ci", "ttlMinutes": 60 })
    );
    assert_eq!(asked.header("idempotency-key"), None, "minting is never replayed");
    person.run(&["admin", "tokens", "mint", "--scope", "repo:libs:owner"]).await.failed(2, &["scope"]);
}

#[tokio::test]
async fn requests_say_what_was_asked_for() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    registry.rule(|seen| {
        let ours = seen.method != "GET" && (seen.path.starts_with("/v1/repos") || seen.path.starts_with("/v1/admin"));
        ours.then(|| Reply { status: 204, ..Reply::default() })
    });
    registry
        .rule(|seen| (seen.line() == "GET /v1/repos/libs").then(|| Reply::json(200, &json!({})).with("ETag", "\"7\"")));
    let last = |line: &str| registry.seen(line).pop().unwrap_or_else(|| panic!("{line} was not asked"));

    let create = ["admin", "repos", "create", "libs", "--anonymous-read", "--setting", "allowOverwrite=true"];
    person.run(&create).await.ok();
    let expected = json!({ "repoKey": "libs", "format": "raw", "repoType": "local", "anonymousRead": true,
        "settings": { "allowOverwrite": true } });
    assert_eq!(last("POST /v1/repos").json(), expected);
    person.run(&["admin", "repos", "update", "libs", "--description", "d"]).await.ok();
    assert_eq!(last("PATCH /v1/repos/libs").header("if-match"), Some("\"7\""));
    person.run(&["admin", "repos", "update", "libs"]).await.failed(2, &["at least one"]);
    person.run(&["admin", "repos", "delete", "libs", "--tombstone"]).await.ok();
    assert_eq!(last("DELETE /v1/repos/libs").query, "mode=tombstone");
    person.run(&["admin", "bindings", "set", "--repo", "libs", "bob", "read", "write"]).await.ok();
    assert_eq!(last("PUT /v1/repos/libs/bindings/bob").json(), json!({ "roles": ["read", "write"] }));
    person.run(&["admin", "bindings", "remove", "--tenant", "bob"]).await.ok();
    last("DELETE /v1/admin/tenant-role-bindings/bob");
    person.run(&["admin", "bindings", "list"]).await.failed(2, &["--repo"]);
    person.run(&["admin", "service-accounts", "create", "ci"]).await.ok();
    assert_eq!(last("POST /v1/admin/service-accounts").json(), json!({ "subject": "ci" }));
    person.run(&["admin", "tokens", "revoke", "--subject", "bob"]).await.ok();
    last("POST /v1/admin/auth/pats/revoke-subject");
    person.run(&["admin", "tokens", "revoke", "bob"]).await.failed(2, &["no id"]);
}

#[tokio::test]
async fn the_journal_is_filtered_by_the_server() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    registry.rule(|seen| {
        let event = json!({ "action": "repo.created\u{1b}[31m", "subject": "alice" });
        (seen.path == "/v1/audit").then(|| Reply::json(200, &json!({ "items": [event], "nextCursor": "endless" })))
    });
    let told = person.run(&["admin", "audit", "--subject", "alice", "--since", "1d", "--limit", "1"]).await.ok();
    assert!(told.out.contains("repo.created") && !told.out.contains('\u{1b}'), "{told:?}");
    let asked = registry.seen("GET /v1/audit");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].query, "limit=1&subject=alice&since=2026-01-01T03%3A04%3A05.000000Z");
    person
        .run(&["admin", "audit", "--repo", "libs", "--resource-type", "version", "--oldest", "--limit", "1"])
        .await
        .ok();
    let asked = registry.seen("GET /v1/audit");
    assert_eq!(asked[1].query, "limit=1&resourceType=version&repo=libs&order=oldest");
}

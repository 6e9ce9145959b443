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
    registry.rule(|seen| (seen.path == "/v1/repos/libs").then(|| Reply::json(200, &json!({ "format": "raw" }))));
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
    assert!(!told.err.contains("warning"), "{told:?}");
    let typo = ["--scope", "repo:tpyo:read", "--scope", "repo:tpyo:write", "--scope", "repo:*:read"];
    let told = person.run(&[&mint[..], &typo].concat()).await.ok();
    assert_eq!(told.out, format!("{TOKEN}\n"));
    assert_eq!(told.err.matches("no repository tpyo yet").count(), 1, "{told:?}");
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
    person.run(&["admin", "repos", "delete", "libs", "--tombstone", "--yes"]).await.ok();
    assert_eq!(last("DELETE /v1/repos/libs").query, "mode=tombstone");
    person.run(&["admin", "bindings", "set", "--repo", "libs", "bob", "read", "write"]).await.ok();
    assert_eq!(last("PUT /v1/repos/libs/bindings/bob").json(), json!({ "roles": ["read", "write"] }));
    person.run(&["admin", "bindings", "remove", "--tenant", "bob"]).await.ok();
    last("DELETE /v1/admin/tenant-role-bindings/bob");
    person.run(&["admin", "bindings", "list"]).await.failed(2, &["--repo"]);
    person.run(&["admin", "service-accounts", "create", "ci"]).await.ok();
    assert_eq!(last("POST /v1/admin/service-accounts").json(), json!({ "subject": "ci" }));
    for (verb, disabled) in [("disable", true), ("enable", false)] {
        person.run(&["admin", "service-accounts", verb, "ci"]).await.ok();
        assert_eq!(last("PATCH /v1/admin/service-accounts/ci").json(), json!({ "disabled": disabled }));
    }
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

#[tokio::test]
async fn what_is_hard_to_take_back_is_asked_about() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    registry.rule(|seen| (seen.method == "DELETE").then(|| Reply { status: 204, ..Reply::default() }));
    let delete = ["admin", "repos", "delete", "libs", "--tombstone"];
    let asked = || registry.seen("DELETE /v1/repos/libs").len();
    person.run(&delete).await.failed(2, &["nobody is at a terminal", "--yes"]);
    for no in ["", "\n", "n\n", "yep\n"] {
        person
            .type_at_a_terminal(no, &delete)
            .await
            .failed(1, &["everything that is in it? [y/N]", "nothing was done"]);
    }
    assert_eq!(asked(), 0);
    for yes in ["y\n", "Yes\n"] {
        person.type_at_a_terminal(yes, &delete).await.ok();
    }
    person.run(&["admin", "repos", "delete", "libs"]).await.ok();
    assert_eq!(asked(), 3);
    let delete = ["admin", "service-accounts", "delete", "ci"];
    person.run(&delete).await.failed(2, &["delete the service account ci for good", "--yes"]);
    assert!(registry.seen("DELETE /v1/admin/service-accounts/ci").is_empty());
    person.run(&[&delete[..], &["--yes"]].concat()).await.ok();
}

#[tokio::test]
async fn versions_are_found_by_name_whatever_became_of_them() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    let withdrawn = "/v1/repos/libs/packages/versions";
    registry.rule(move |seen| match seen.path.as_str() {
        "/v1/repos/libs/packages/versions/resolve" if seen.query.contains("version=2.0") => {
            Some(Reply::json(410, &json!({ "status": 410, "code": "gone", "title": "Gone", "detail": "withdrawn" })))
        }
        "/v1/repos/libs/packages/versions/resolve" => Some(Reply::json(200, &json!({ "versionId": "v1" }))),
        path if path == withdrawn => {
            let items = json!([{ "version": "2.0.1", "versionId": "v3", "markKinds": ["yanked", "deprecated"], "refNames": ["latest", "2"] }, { "version": "2.0", "versionId": "v2" }]);
            Some(Reply::json(200, &json!({ "items": items, "nextCursor": null })))
        }
        "/v1/admin/tenant-admission-policy" if seen.method == "GET" => Some(Reply::json(
            200,
            &json!({ "maxLogicalStorageBytes": 1, "maxConcurrentUploadSessions": 2, "maxPendingSearchJobs": 3, "usage": {} }),
        )),
        _ => (seen.method != "GET").then(|| Reply::json(200, &json!({}))),
    });
    let last = |line: &str| registry.seen(line).pop().unwrap_or_else(|| panic!("{line} was not asked"));
    let at = |rest: &str| format!("POST /v1/repos/libs/packages/versions/{rest}");

    person.run(&["admin", "versions", "yank", "libs", "tool", "1.0", "--namespace", "@a", "--reason", "r"]).await.ok();
    assert_eq!(last(&at("v1/yank")).json(), json!({ "reason": "r" }));
    let resolve = last("GET /v1/repos/libs/packages/versions/resolve");
    assert_eq!(resolve.query, "name=tool&version=1.0&namespace=%40a");
    person.run(&["admin", "versions", "unyank", "libs", "tool", "1.0"]).await.ok();
    last(&at("v1/unyank"));
    person.run(&["admin", "versions", "deprecate", "libs", "tool", "1.0", "--text", " "]).await.failed(2, &["--text"]);
    person.run(&["admin", "versions", "undeprecate", "libs", "tool", "1.0"]).await.ok();
    assert_eq!(last(&at("v1/deprecate")).json(), json!({ "text": "" }));
    let tombstone = ["admin", "versions", "tombstone", "libs", "tool", "1.0", "--reason", "r"];
    person.run(&tombstone).await.failed(2, &["withdraw tool 1.0 from libs", "--yes"]);
    person.run(&[&tombstone[..], &["--retention-days", "3", "--yes"]].concat()).await.ok();
    assert_eq!(last(&at("v1/tombstone")).json(), json!({ "reason": "r", "retentionDays": 3 }));
    person.run(&["admin", "versions", "restore", "libs", "tool", "2.0"]).await.ok();
    last(&at("v2/restore"));
    person.run(&["admin", "refs", "set", "libs", "tool", "current", "1.0"]).await.ok();
    assert_eq!(last("PUT /v1/repos/libs/refs").json(), json!({ "name": "current", "versionId": "v1" }));
    person.run(&["admin", "refs", "delete", "libs", "tool", "current"]).await.ok();
    assert_eq!(last("DELETE /v1/repos/libs/refs").query, "package=tool&name=current");
    person.run(&["admin", "refs", "delete", "libs", "tool", "current", "--expected", "1.0"]).await.ok();
    assert_eq!(last("DELETE /v1/repos/libs/refs").query, "package=tool&name=current&expectedVersionId=v1");
    let told = person.run(&["admin", "versions", "list", "libs", "tool"]).await.ok();
    assert!(told.out.contains("2.0.1") && told.out.contains("yanked, deprecated  latest, 2"), "{told:?}");
    person.run(&["admin", "quotas", "set", "--upload-sessions", "9"]).await.ok();
    let expected = json!({ "maxLogicalStorageBytes": 1, "maxConcurrentUploadSessions": 9, "maxPendingSearchJobs": 3 });
    assert_eq!(last("PUT /v1/admin/tenant-admission-policy").json(), expected);
    person.run(&["admin", "quotas", "set"]).await.failed(2, &["--storage-bytes"]);
    person.run(&["admin", "jobs", "retry", "j1"]).await.ok();
    assert_eq!(last("POST /v1/admin/jobs").json(), json!({ "jobId": "j1" }));
    person.run(&["admin", "jobs", "retry", "--all"]).await.ok();
    assert_eq!(last("POST /v1/admin/jobs").json(), json!({ "all": true }));
    person.run(&["admin", "jobs", "retry"]).await.failed(2, &["JOB_ID"]);
    person.run(&["admin", "token-policy", "set", "--max-ttl-minutes", "60"]).await.ok();
    assert_eq!(last("PUT /v1/admin/auth/pat-policy").json(), json!({ "maxTtlMinutes": 60 }));
}

#[tokio::test]
async fn a_remote_repository_gets_its_secrets_from_files_and_the_environment() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    registry.rule(|seen| {
        (seen.method != "GET" && seen.path.starts_with("/v1/repos")).then(|| Reply { status: 204, ..Reply::default() })
    });
    registry
        .rule(|seen| (seen.line() == "GET /v1/repos/up").then(|| Reply::json(200, &json!({})).with("ETag", "\"7\"")));
    let last = |line: &str| registry.seen(line).pop().unwrap_or_else(|| panic!("{line} was not asked")).json();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    std::fs::write(&file, "hunter2\n").expect("written");
    let file = file.to_str().expect("a path");

    let remote = ["admin", "repos", "create", "up", "--type", "remote", "--upstream-url", "https://up.example"];
    let with = |more: &[&'static str]| -> Vec<&str> { remote.iter().copied().chain(more.iter().copied()).collect() };
    person.run(&remote).await.ok();
    let expected =
        json!({ "repoKey": "up", "format": "raw", "repoType": "remote", "upstreamUrl": "https://up.example" });
    assert_eq!(last("POST /v1/repos"), expected);
    let told = person
        .run(
            &[
                &remote[..],
                &["--upstream-user", "ada", "--upstream-password-file", file, "--upstream-realm", "https://l"],
            ]
            .concat(),
        )
        .await
        .ok();
    let basic = json!({ "kind": "basic", "user": "ada", "password": "hunter2", "realm": "https://l" });
    assert_eq!(last("POST /v1/repos")["upstreamAuth"], basic);
    assert!(!format!("{told:?}").contains("hunter2"));
    person.run(&[&remote[..], &["--upstream-token-file", file]].concat()).await.ok();
    assert_eq!(last("POST /v1/repos")["upstreamAuth"], json!({ "kind": "bearer", "token": "hunter2" }));

    person.run(&with(&["--upstream-user", "ada"])).await.failed(2, &["ARTIFORTRESS_UPSTREAM_PASSWORD"]);
    person.run(&with(&["--upstream-realm", "https://l"])).await.failed(2, &["--upstream-realm"]);
    person.run(&with(&["--upstream-token-file", "/nowhere/token"])).await.failed(2, &["/nowhere/token"]);
    person
        .run(&with(&["--upstream-user", "ada", "--upstream-token-file", "x"]))
        .await
        .failed(2, &["cannot be used with"]);
    let person = person.with("ARTIFORTRESS_UPSTREAM_PASSWORD", "in the air");
    person.run(&with(&["--upstream-user", "ada"])).await.ok();
    assert_eq!(
        last("POST /v1/repos")["upstreamAuth"],
        json!({ "kind": "basic", "user": "ada", "password": "in the air" })
    );
    let person = person.with("ARTIFORTRESS_UPSTREAM_TOKEN", "floating");
    person.run(&remote).await.ok();
    assert_eq!(last("POST /v1/repos")["upstreamAuth"], json!({ "kind": "bearer", "token": "floating" }));

    person.run(&["admin", "repos", "update", "up", "--description", "d"]).await.ok();
    assert_eq!(last("PATCH /v1/repos/up"), json!({ "description": "d" }), "what is in the air changes nothing");
    person.run(&["admin", "repos", "update", "up", "--no-upstream-auth"]).await.ok();
    assert_eq!(last("PATCH /v1/repos/up"), json!({ "upstreamAuth": null }));
    let setting = "upstream={\"indexSeconds\": 10}";
    person.run(&["admin", "repos", "update", "up", "--setting", setting]).await.ok();
    assert_eq!(last("PATCH /v1/repos/up"), json!({ "settings": { "upstream": { "indexSeconds": 10 } } }));
}

//! `login`, `logout`, `whoami`, `init`, `health`, `doctor`.

use std::os::unix::fs::PermissionsExt;

use super::registry::Registry;
use super::wire::Reply;
use super::{Person, TOKEN, text};

#[tokio::test]
async fn a_login_is_checked_kept_privately_used_and_forgotten() {
    let registry = Registry::start().await;
    let person = Person::stranger(&registry);
    person.run(&["whoami"]).await.failed(4, &["not logged in to"]);
    person.type_and_run("wrong\n", &["login"]).await.failed(4, &["who are you?"]);
    let stored = person.path(".config/artifortress/credentials.toml");
    assert!(!stored.exists(), "a token that does not work is not kept");
    let told = person.type_and_run(&format!("{TOKEN}\n"), &["login"]).await.ok();
    assert!(told.out.contains("alice") && !told.out.contains(TOKEN) && !told.err.contains(TOKEN), "{told:?}");
    assert_eq!(stored.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    let who = person.run(&["whoami", "--json"]).await.ok().json();
    assert_eq!(who["subject"], "alice");
    person.run(&["logout"]).await.ok();
    person.run(&["whoami"]).await.failed(4, &["not logged in to", &registry.base, "artifortress login"]);
    let nowhere = Person::stranger(&registry).with("ARTIFORTRESS_SERVER", "http://127.0.0.1:1");
    nowhere.run(&["whoami"]).await.failed(4, &["not logged in to http://127.0.0.1:1"]);
}

#[tokio::test]
async fn the_last_login_names_the_server_and_tokens_stay_with_theirs() {
    let (one, two) = (Registry::start().await, Registry::start().await);
    let mut person = Person::stranger(&one);
    person.variables.retain(|(name, _)| name != "ARTIFORTRESS_SERVER");
    person.type_and_run(TOKEN, &["login", "--server", &one.base]).await.ok();
    person.run(&["whoami"]).await.ok();
    person.run(&["whoami", "--server", &two.base]).await.failed(4, &["not logged in"]);
    let _ = person.run(&["doctor", "--server", &two.base]).await;
    assert!(two.seen("GET /v1/auth/whoami").iter().all(|seen| seen.header("authorization").is_none()));
}

#[tokio::test]
async fn a_login_says_what_it_replaces_and_what_stays() {
    let (one, two) = (Registry::start().await, Registry::start().await);
    let person = Person::stranger(&one);
    let login = async |server: &str| person.type_and_run(TOKEN, &["login", "--server", server]).await.ok().err;
    assert_eq!(login(&one.base).await, "");
    assert_eq!(login(&one.base).await, "", "it is the same");
    let stored = person.path(".config/artifortress/credentials.toml");
    let other = String::from_utf8(super::read(&stored)).expect("text").replace(TOKEN, "another");
    std::fs::write(&stored, other).expect("written");
    assert!(login(&one.base).await.contains(&format!("replaces the login of alice to {}", one.base)));
    let told = login(&two.base).await;
    assert!(told.contains(&format!("the login to {} is kept", one.base)) && !told.contains("replaces"), "{told}");
    person.run(&["whoami", "--server", &one.base]).await.ok();
}

#[tokio::test]
async fn the_authorities_of_a_login_are_remembered() {
    let registry = Registry::start().await;
    let person = Person::stranger(&registry).with("ARTIFORTRESS_BOOTSTRAP_TOKEN", "first");
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let file = text(&person.write("ca.pem", certified.cert.pem().as_bytes()));
    person.run(&["init", "--ca-file", &file]).await.ok();
    person.run(&["whoami"]).await.ok();
    person.type_and_run(TOKEN, &["login"]).await.ok();
    std::fs::remove_file(&file).expect("removed");
    person.run(&["whoami"]).await.failed(1, &[&file]);
    person.run(&["logout"]).await.ok();
    person.type_and_run(TOKEN, &["login"]).await.ok();
}

#[tokio::test]
async fn a_token_comes_from_a_file_too_but_not_from_both() {
    let registry = Registry::start().await;
    let person = Person::stranger(&registry);
    let path = text(&person.write("token", format!("{TOKEN}\n").as_bytes()));
    person.run(&["login", "--token-file", &path]).await.ok();
    let person = person.with("ARTIFORTRESS_TOKEN_FILE", &path);
    person.run(&["whoami"]).await.ok();
    person.with("ARTIFORTRESS_TOKEN", TOKEN).run(&["whoami"]).await.failed(2, &["choose one"]);
}

#[tokio::test]
async fn credentials_that_others_can_read_are_refused() {
    let registry = Registry::start().await;
    let person = Person::stranger(&registry);
    let path = person.write(".config/artifortress/credentials.toml", b"");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("set");
    person.run(&["whoami"]).await.failed(1, &["others may read", "chmod 600"]);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("set");
    person.write(".config/artifortress/credentials.toml", b"token = 'hunter2' garbage");
    let failed = person.run(&["whoami"]).await.failed(1, &["cannot be understood"]);
    assert!(!failed.err.contains("hunter2"), "{failed:?}");
}

#[tokio::test]
async fn init_exchanges_the_bootstrap_token_of_the_data_folder() {
    let registry = Registry::start().await;
    let person = Person::stranger(&registry);
    person.write("data/bootstrap-token", b"first\n");
    let told = person.run(&["init", "--subject", "root"]).await.ok();
    assert!(told.out.contains("artifortress push files") && !told.out.contains(TOKEN), "{told:?}");
    let minted = registry.seen("POST /v1/auth/pats").pop().expect("asked");
    assert_eq!(minted.json()["subject"], "root");
    assert_eq!(minted.json()["scopes"], serde_json::json!(["repo:*:admin"]));
    let made = registry.seen("POST /v1/repos").pop().expect("asked");
    assert_eq!((made.json()["repoKey"].as_str(), made.json()["format"].as_str()), (Some("files"), Some("raw")));
    person.run(&["whoami"]).await.ok();
}

#[tokio::test]
async fn init_takes_the_token_from_the_environment_and_says_when_it_is_dead() {
    let registry = Registry::start().await;
    let person = Person::stranger(&registry).with("ARTIFORTRESS_BOOTSTRAP_TOKEN", "first");
    person.run(&["init", "--repo", ""]).await.ok();
    assert!(registry.seen("POST /v1/repos").is_empty());
    let late = Person::stranger(&registry).with("ARTIFORTRESS_BOOTSTRAP_TOKEN", "used");
    let failed = late.run(&["init"]).await.failed(4, &["works once"]);
    assert!(!failed.err.contains("used ") && !failed.err.contains("'used'"), "{failed:?}");
    let typo = Person::stranger(&registry).with("ARTIFORTRESS_BOOTSTRAP_TOKN", "first");
    typo.run(&["init"]).await.failed(2, &["ARTIFORTRESS_BOOTSTRAP_TOKN"]);
}

#[tokio::test]
async fn health_says_what_is_unwell() {
    let registry = Registry::start().await;
    let person = Person::stranger(&registry);
    assert!(person.run(&["health"]).await.ok().out.contains("is ready"));
    registry.rule(|seen| {
        let sick =
            serde_json::json!({ "status": "not_ready", "dependencies": [{ "name": "database", "healthy": false }] });
        (seen.path == "/health/ready").then(|| Reply::json(503, &sick))
    });
    let failed = person.run(&["health"]).await.failed(1, &["not ready"]);
    assert!(failed.out.contains("database is unwell"), "{failed:?}");
    person.run(&["health", "--live"]).await.ok();
}

#[tokio::test]
async fn doctor_passes_a_healthy_setup_and_fails_a_sick_one() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    std::fs::create_dir(person.path("data")).expect("made");
    let told = person.run(&["doctor", "--json"]).await.ok().json();
    let checks = told["checks"].as_array().expect("checks").clone();
    assert!(checks.iter().all(|check| check["state"] == "PASS"), "{told}");
    let named = |name: &str| checks.iter().any(|check| check["check"] == name);
    assert!(
        ["configuration", "data folder", "clock", "free space", "server", "TLS", "clocks", "readiness", "login"]
            .map(named)
            .iter()
            .all(|found| *found),
        "{told}"
    );
    assert_eq!(std::fs::read_dir(person.path("data")).expect("a folder").count(), 0, "nothing is left behind");

    let sick = Person::stranger(&registry).with("ARTIFORTRESS_TOKEN", "old").with("ARTIFORTRESS_TYPO", "1");
    let failed = sick.run(&["doctor"]).await.failed(1, &["2 checks failed"]);
    assert!(failed.out.contains("ARTIFORTRESS_TYPO") && failed.out.contains("FAIL  login"), "{failed:?}");
}

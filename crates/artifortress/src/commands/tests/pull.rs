//! `pull`.

use std::fs;

use super::registry::{Registry, serve};
use super::wire::Reply;
use super::{Person, digest, noise, read, text};

#[tokio::test]
async fn a_file_is_fetched_by_path_and_by_digest() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    let bytes = noise(100_000);
    registry.state().files.insert("x/a b.bin".into(), bytes.clone());
    registry.state().blobs.insert(digest(&bytes), bytes.clone());
    let out = person.path("out");
    person.run(&["pull", "files", "x/a b.bin", "-o", &text(&out)]).await.ok();
    assert_eq!(read(&out), bytes);
    let named = format!("sha256:{}", digest(&bytes));
    let told = person.run(&["pull", "files", "--digest", &named, "-o", &text(&person.path("by")), "--json"]).await.ok();
    assert_eq!(told.json()["files"][0]["sha256"], digest(&bytes));
    assert_eq!(read(&person.path("by")), bytes);
    let again = person.run(&["pull", "files", "x/a b.bin", "-o", &text(&out)]).await.ok();
    assert!(again.out.contains("unchanged"), "{again:?}");
    assert_eq!(registry.seen("GET /repository").len(), 1);
}

#[tokio::test]
async fn a_folder_is_fetched_whole() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    for (path, bytes) in [("x/a", &b"a"[..]), ("x/y/b", b"b"), ("x/y/z/empty", b""), ("other", b"o")] {
        registry.state().files.insert(path.into(), bytes.to_vec());
    }
    let out = person.path("out");
    person.run(&["pull", "files", "x", "-o", &text(&out)]).await.ok();
    assert_eq!(
        (read(&out.join("a")), read(&out.join("y/b")), read(&out.join("y/z/empty"))),
        (b"a".into(), b"b".into(), vec![])
    );
    assert!(!out.join("other").exists());
    person.run(&["pull", "files", "/", "-o", &text(&person.path("all"))]).await.ok();
    assert!(person.path("all/other").exists() && person.path("all/x/y/b").exists());
}

#[tokio::test]
async fn bytes_that_do_not_match_never_get_the_name() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    registry.state().files.insert("a".into(), b"right".to_vec());
    registry.rule(|seen| {
        let mut reply = serve(seen, b"right");
        reply.body = b"wrong".to_vec();
        (seen.method == "GET" && seen.path.ends_with("/a")).then_some(reply)
    });
    let out = person.path("to/out");
    person.run(&["pull", "files", "a", "-o", &text(&out)]).await.failed(1, &["do not match", &digest(b"right")]);
    assert_eq!(fs::read_dir(person.path("to")).expect("a folder").count(), 0, "nothing is left");
    let named = digest(b"other");
    registry.rule(|seen| seen.path.contains("/blobs/").then(|| serve(seen, b"right")));
    person.run(&["pull", "files", "--digest", &named, "-o", &text(&out)]).await.failed(1, &["another SHA-256"]);
    assert!(!out.exists());
}

#[tokio::test]
async fn a_server_that_names_no_checksum_is_not_believed() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    registry
        .rule(|seen| seen.path.ends_with("/a").then(|| Reply { status: 200, body: b"x".to_vec(), ..Reply::default() }));
    person.run(&["pull", "files", "a", "-o", &text(&person.path("out"))]).await.failed(1, &["no SHA-256"]);
    assert!(!person.path("out").exists());
}

#[tokio::test]
async fn a_cut_connection_is_resumed_within_the_command() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    let bytes = noise(500_000);
    registry.state().files.insert("a".into(), bytes.clone());
    let (mut cuts, held) = (2, bytes.clone());
    registry.rule(move |seen| {
        let cut = seen.method == "GET" && cuts > 0;
        cuts -= i32::from(cut);
        cut.then(|| Reply { cut: Some(100_000), ..serve(seen, &held) })
    });
    person.run(&["pull", "files", "a", "-o", &text(&person.path("out"))]).await.ok();
    assert_eq!(read(&person.path("out")), bytes);
    let ranges: Vec<_> = registry.seen("GET").iter().map(|seen| seen.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges[0], None);
    assert!(ranges.len() == 3 && ranges[1..].iter().all(Option::is_some), "{ranges:?}");
}

#[tokio::test]
async fn a_broken_pull_goes_on_in_the_next_command() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    let bytes = noise(500_000);
    registry.state().files.insert("a".into(), bytes.clone());
    let (mut calls, held) = (0, bytes.clone());
    registry.rule(move |seen| {
        calls += i32::from(seen.method == "GET");
        let cut = if calls == 1 { 300_000 } else { 0 };
        (seen.method == "GET" && calls <= 4).then(|| Reply { cut: Some(cut), ..serve(seen, &held) })
    });
    let pull = ["pull", "files", "a", "-o", &text(&person.path("out"))];
    person.run(&pull).await.failed(1, &["broke", "run the same command again"]);
    assert!(!person.path("out").exists());
    person.run(&pull).await.ok();
    assert_eq!(read(&person.path("out")), bytes);
    let last = registry.seen("GET").pop().expect("asked");
    assert_ne!(last.header("range"), None);
    assert_eq!(last.header("if-range"), Some(format!("\"{}\"", digest(&bytes)).as_str()));
}

#[tokio::test]
async fn a_partial_file_that_was_damaged_here_is_fetched_anew() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    registry.state().files.insert("a".into(), b"the whole".to_vec());
    let partial = format!(".out.{}.part", &digest(b"the whole")[..32]);
    for damaged in [&b"THE "[..], b"the whole and more"] {
        person.write(&partial, damaged);
        person.run(&["pull", "files", "a", "-o", &text(&person.path("out"))]).await.ok();
        assert_eq!(read(&person.path("out")), b"the whole");
        fs::remove_file(person.path("out")).expect("removed");
    }
    person.write("victim", b"precious");
    std::os::unix::fs::symlink(person.path("victim"), person.path(&partial)).expect("linked");
    person.run(&["pull", "files", "a", "-o", &text(&person.path("out"))]).await.failed(1, &["cannot write"]);
    assert_eq!(read(&person.path("victim")), b"precious");
}

#[tokio::test]
async fn nothing_is_written_outside_the_target_folder() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    for name in ["a/b", "..", "../up", "/etc/x", "a/../../up", ""] {
        let person = Person::of(&registry);
        registry.rule(move |seen| {
            let item = serde_json::json!({ "name": name, "kind": "file", "size": 1, "sha256": digest(b"x") });
            let list = serde_json::json!({ "items": [item], "nextCursor": null });
            (seen.path.ends_with("/evil/")).then(|| Reply::json(200, &list))
        });
        person.run(&["pull", "files", "evil/", "-o", &text(&person.path("out"))]).await.failed(1, &["unsafe name"]);
        assert!(!person.path("up").exists() && !person.path("out").exists());
        registry.state().forget_rules();
    }
    registry.state().files.insert("x/sub/a".into(), b"a".to_vec());
    fs::create_dir_all(person.path("out")).expect("made");
    fs::create_dir_all(person.path("elsewhere")).expect("made");
    std::os::unix::fs::symlink(person.path("elsewhere"), person.path("out/sub")).expect("linked");
    person.run(&["pull", "files", "x/", "-o", &text(&person.path("out"))]).await.failed(1, &["link"]);
    assert_eq!(fs::read_dir(person.path("elsewhere")).expect("a folder").count(), 0);
}

#[tokio::test]
async fn a_repository_for_other_clients_is_said_to_be_one() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    let file = text(&person.write("a.bin", b"a"));
    let format = |format: &'static str| {
        let found = serde_json::json!({ "format": format, "repoType": "local" });
        registry.state().forget_rules();
        registry.rule(move |seen| (seen.path == "/v1/repos/libs").then(|| Reply::json(200, &found)));
    };
    let pushes = [&["push", "libs", &file][..], &["push", "libs", &file, "--package", "a", "--version", "1"]];
    for words in pushes.into_iter().chain([&["pull", "libs", "x/y"][..]]) {
        format("npm");
        let told = person.run(words).await;
        assert!(told.code != 0 && told.err.contains("format npm, for npm, pnpm"), "{words:?} {told:?}");
        assert!(told.err.contains("artifortress client-config libs"), "{told:?}");
        format("raw");
        let told = person.run(words).await;
        assert!(told.code != 0 && !told.err.contains("client-config"), "{words:?} {told:?}");
    }
}

#[tokio::test]
async fn exit_codes_tell_what_happened() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    person.run(&["pull", "files", "absent"]).await.failed(3, &["no such thing", "not_found"]);
    person.run(&["pull", "files", "absent/"]).await.failed(3, &[]);
    person.run(&["pull", "files", "../x"]).await.failed(2, &["segment"]);
    person.run(&["pull", "secret", "x"]).await.failed(4, &[]);
    person.run(&["pull", "files", "--digest", "sha256:AB"]).await.failed(2, &["64 lower-case hex"]);
}

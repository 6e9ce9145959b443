//! `push`.

use super::registry::Registry;
use super::wire::Reply;
use super::{Person, digest, noise, text};

#[tokio::test]
async fn a_folder_arrives_file_by_file_and_a_second_push_sends_nothing_large_again() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    person.write("tree/a b.txt", b"small");
    person.write("tree/deep/large.bin", &noise(2 << 20));
    person.write("tree/empty", b"");
    let tree = text(&person.path("tree"));
    let first = person.run(&["push", "files", &tree, "--to", "x", "--json"]).await.ok().json();
    assert_eq!(first["files"].as_array().expect("files").len(), 3);
    let files = registry.state().files.clone();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["x/a b.txt", "x/deep/large.bin", "x/empty"]);
    assert_eq!(files["x/deep/large.bin"], noise(2 << 20));

    let again = person.run(&["push", "files", &tree, "--to", "x", "--json"]).await.ok().json();
    assert!(again["files"].as_array().expect("files").iter().all(|file| file["state"] == "unchanged"), "{again}");
    assert_eq!(registry.seen("PUT /repository/files/x/deep/large.bin").len(), 1);
}

#[tokio::test]
async fn a_path_with_other_bytes_is_a_conflict() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    let path = text(&person.write("a.txt", b"one"));
    person.run(&["push", "files", &path]).await.ok();
    person.write("a.txt", b"two");
    let failed = person.run(&["push", "files", &path]).await.failed(1, &["a.txt", "code conflict (409)", "corr-1"]);
    assert!(failed.err.starts_with("artifortress: ") && failed.err.contains("the path is taken"), "{failed:?}");
}

#[tokio::test]
async fn a_package_appears_with_all_its_files() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    let large = noise((33 << 20) + 5);
    person.write("dist/large.bin", &large);
    person.write("dist/one.txt", b"same");
    person.write("dist/two.txt", b"same");
    let dist = text(&person.path("dist"));
    let told =
        person.run(&["push", "files", &dist, "--package", "tool", "--version", "1.0", "--json"]).await.ok().json();
    assert_eq!(told["version"]["state"], "published");
    let state = registry.state();
    assert!(state.published);
    assert_eq!(state.blobs[&digest(&large)], large);
    assert_eq!(state.entries.keys().collect::<Vec<_>>(), ["large.bin", "one.txt", "two.txt"]);
    assert_eq!(state.entries["large.bin"]["sizeBytes"], large.len());
    // Equal bytes are sent once: 3 parts of 16 MiB at most, and one small part.
    assert_eq!(state.sessions.values().map(|session| session.parts.len()).sum::<usize>(), 4);
}

#[tokio::test]
async fn a_broken_push_goes_on_with_the_missing_parts() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    let large = noise(33 << 20);
    let path = text(&person.write("large.bin", &large));
    let push = ["push", "files", &path, "--package", "tool", "--version", "1.0", "--jobs", "1"];
    let mut broken = true;
    registry.rule(move |seen| {
        let third = seen.line().starts_with("PUT") && seen.path.ends_with("/parts/3");
        (third && std::mem::take(&mut broken)).then(|| Reply::problem(500, "internal", "lightning"))
    });
    person.run(&push).await.failed(1, &["large.bin", "lightning"]);
    assert!(!registry.state().published);
    person.run(&push).await.ok();
    assert!(registry.state().published);
    assert_eq!(registry.state().sessions.len(), 1, "the session was used again");
    for (part, times) in [("1", 1), ("2", 1), ("3", 2)] {
        assert_eq!(registry.seen(&format!("PUT /v1/repos/files/uploads/u0/parts/{part}")).len(), times, "part {part}");
    }
    assert_eq!(registry.state().blobs[&digest(&large)], large);
}

#[tokio::test]
async fn a_session_that_the_server_forgot_is_begun_anew() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    let path = text(&person.write("a.bin", b"bytes"));
    let push = ["push", "files", &path, "--package", "tool", "--version", "1.0"];
    let mut broken = true;
    registry.rule(move |seen| {
        (seen.path.ends_with("/complete") && std::mem::take(&mut broken))
            .then(|| Reply::problem(500, "internal", "lightning"))
    });
    person.run(&push).await.failed(1, &["lightning"]);
    registry.state().sessions.get_mut("u0").expect("a session").state = "aborted";
    person.run(&push).await.ok();
    assert_eq!(registry.state().sessions.len(), 2);
}

#[tokio::test]
async fn damage_on_the_way_is_refused_by_the_server_and_told() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    let path = text(&person.write("a.bin", b"bytes"));
    registry.rule(|seen| {
        seen.path.ends_with("/parts/1").then(|| Reply::json(200, &serde_json::json!({})).with("ETag", "\"1\""))
    });
    let mut forged = true;
    registry.rule(move |seen| {
        (seen.path.ends_with("/complete") && std::mem::take(&mut forged))
            .then(|| Reply::json(200, &serde_json::json!({})))
    });
    let push = ["push", "files", &path, "--package", "tool", "--version", "1.0"];
    person.run(&push).await.failed(1, &["a.bin", "upload_verification_failed"]);
    assert!(!registry.state().published);
}

#[tokio::test]
async fn what_an_earlier_push_left_in_the_draft_does_not_slip_in() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    registry.state().drafted = true;
    registry.state().entries.insert("old/x".into(), serde_json::json!({ "relativePath": "old/x" }));
    let path = text(&person.write("a.txt", b"a"));
    let push = ["push", "files", &path, "--package", "tool", "--version", "1.0"];
    person.run(&push).await.failed(1, &["old/x", "--replace"]);
    person.run(&[&push[..], &["--replace"]].concat()).await.ok();
    assert_eq!(registry.state().entries.keys().collect::<Vec<_>>(), ["a.txt"]);
}

#[tokio::test]
async fn an_unavailable_server_is_asked_again() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    let path = text(&person.write("a.txt", b"a"));
    let mut left = 2;
    registry.rule(move |seen| {
        let busy = seen.method == "PUT" && left > 0;
        left -= i32::from(busy);
        busy.then(|| Reply::problem(503, "service_unavailable", "soon").with("Retry-After", "0"))
    });
    person.run(&["push", "files", &path]).await.ok();
    assert_eq!(registry.seen("PUT").len(), 3);
}

#[tokio::test]
async fn a_package_of_a_format_without_publishers_goes_where_it_says() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    registry.rule(|seen| {
        (seen.line() == "GET /v1/repos/files").then(|| Reply::json(200, &serde_json::json!({ "format": "go" })))
    });
    registry
        .rule(|seen| seen.line().starts_with("PUT").then(|| Reply::json(201, &serde_json::json!({ "sum": "h1:" }))));
    person.write("tool/go.mod", b"module example.com/Acme/tool\n");
    person.write("tool/a.go", b"package tool\n");
    person.write("tool/.git/config", b"not ours");
    let tool = text(&person.path("tool"));
    let told = person.run(&["push", "files", &tool, "--version", "v1.0.0", "--json"]).await.ok().json();
    assert_eq!(told["files"][0]["path"], "example.com/!acme/tool/@v/v1.0.0.zip");
    let sent = registry.seen("PUT");
    assert_eq!(sent.len(), 1);
    assert_eq!(told["files"][0]["sha256"], digest(&sent[0].body));
    let holds = |text: &[u8]| sent[0].body.windows(text.len()).any(|window| window == text);
    assert!(holds(b"example.com/Acme/tool@v1.0.0/a.go") && !holds(b".git/config"));
    // The archive itself, as it is; and what is no package.
    let archive = text(&person.write("tool.zip", &sent[0].body));
    person.run(&["push", "files", &archive]).await.ok();
    assert_eq!(registry.seen("PUT")[1].body, sent[0].body);
    person.run(&["push", "files", &archive, "--version", "v1.0.0"]).await.failed(2, &["--version is for a folder"]);
    person.run(&["push", "files", &archive, "--to", "x"]).await.failed(2, &["--to"]);
    person.run(&["push", "files", &tool]).await.failed(2, &["does not say its version"]);
    person.run(&["push", "files", &text(&person.path("tool/a.go"))]).await.failed(1, &["a.go", "ZIP archive"]);
}

#[tokio::test]
async fn a_refusal_in_plain_words_is_told() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    let path = text(&person.write("a.txt", b"a"));
    registry.rule(|seen| {
        let body = b"the moon is full\n".to_vec();
        let reply = Reply { status: 422, body, ..Reply::default() }.with("Content-Type", "text/plain; charset=utf-8");
        seen.line().starts_with("PUT").then_some(reply)
    });
    person.run(&["push", "files", &path]).await.failed(1, &["the moon is full", "422"]);
}

#[tokio::test]
async fn exit_codes_tell_what_happened() {
    let registry = Registry::start().await;
    let person = Person::of(&registry);
    let path = text(&person.write("a.txt", b"a"));
    person.run(&["push", "files"]).await.failed(2, &["PATH"]);
    person.run(&["push", "Files", &path]).await.failed(2, &["lower-case"]);
    person.run(&["push", "files", &path, "--package", "x"]).await.failed(2, &["--version"]);
    person.run(&["push", "files", &path, "--version", "1"]).await.failed(3, &["not_found"]);
    person.run(&["push", "files", "/nowhere/x"]).await.failed(2, &["/nowhere/x"]);
    person.run(&["push", "absent", &path]).await.failed(3, &["not_found"]);
    person.run(&["push", "secret", &path]).await.failed(4, &["you may not", "forbidden"]);
    Person::stranger(&registry).run(&["push", "files", &path]).await.failed(4, &["who are you?", "login"]);
}

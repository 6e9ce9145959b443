//! Deployments to a Maven repository with `atomicDeploy`, file by file: others see nothing of a version, and then all.

use std::time::Duration;

use bytes::Bytes;
use formats::{Asked, Method, Operation, PackageAt, Site};
use model::{Code, RepoKey};
use registry::{Call, Read, Registry, RepoSettings, Result, Worker, WorkerSettings, Write};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, code, content, path};
use crate::both;

both! {
    others_see_nothing_and_then_all;
    signs_of_life_keep_a_slow_deployment_together;
    of_many_deployers_one_wins;
    settings_that_are_not_named_stay;
    the_setting_is_for_formats_that_know_the_end;
    nobody_reaches_in_from_the_side;
}

const DEMO: &str = "com/example/demo/1.0/demo-1.0";
const INDEX: &str = "com/example/demo/maven-metadata.xml";
const SITE: Site<'static> = Site { base: "https://host/repository/libs", auth_required: true, subject: None };

async fn repository(bench: &Bench) -> RepoKey {
    bench.repository_of("maven", "libs", RepoSettings { atomic_deploy: true, ..RepoSettings::default() }).await
}

/// A PUT as clients send it.
async fn send(call: &Call, repo: &RepoKey, to: &str, pieces: &[Bytes]) -> Result<()> {
    let format = formats::by_key("maven").expect("a format");
    let Ok(Operation::Receive(intake)) = format.parse(&Asked::plain(Method::Put, to)) else { unreachable!("{to}") };
    let mut receiving = call.authorize::<Write>(repo).await?.take_in(intake);
    for piece in pieces {
        receiving.write(piece.clone()).await?;
    }
    receiving.end().await?.perform().await.map(drop)
}

async fn put(call: &Call, repo: &RepoKey, to: &str, bytes: &'static [u8]) -> Result<()> {
    send(call, repo, to, &[Bytes::from_static(bytes)]).await
}

/// What a caller sees: the file, the index, the children of the root.
async fn seen(call: &Call, repo: &RepoKey) -> (bool, bool, usize) {
    let grant = call.authorize::<Read>(repo).await.expect("a reader");
    let at = PackageAt { namespace: "com.example".to_owned(), name: "demo".to_owned() };
    let file = grant.find(&path(&format!("{DEMO}.jar"))).await;
    let index = grant.index(&at, 0, &SITE).await;
    for refused in [file.as_ref().err(), index.as_ref().err()].into_iter().flatten() {
        assert_eq!(refused.code(), Some(Code::NotFound), "{refused:?}");
    }
    let children = grant.list_folder(None, None, 10).await.map_or(0, |children| children.len());
    (file.is_ok(), index.is_ok(), children)
}

/// A worker that looks often; the clock is the test's.
struct Background(CancellationToken, tokio::task::JoinHandle<()>);

impl Background {
    fn begin(registry: &Registry) -> Self {
        let over = CancellationToken::new();
        let settings = WorkerSettings { poll: Duration::from_millis(10), ..WorkerSettings::default() };
        let task = tokio::spawn(Worker::run(registry.clone(), settings, over.clone()));
        Self(over, task)
    }

    async fn end(self) {
        self.0.cancel();
        self.1.await.expect("ended");
    }
}

/// Waits until `done` says so; a minute at most.
async fn until(done: impl AsyncFn() -> bool) {
    let wait = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("within a minute");
}

const LOOKS: &str = "SELECT count(*) FROM jobs WHERE kind = 'deployment.appear'";

async fn others_see_nothing_and_then_all(bench: &Bench) {
    let repo = repository(bench).await;
    let (dora, rita) =
        (bench.somebody("dora", &["repo:libs:write"]).await, bench.somebody("rita", &["repo:libs:write"]).await);
    put(&dora, &repo, &format!("{DEMO}.jar"), b"jar").await.expect("gathered");
    put(&dora, &repo, &format!("{DEMO}.jar"), b"jar").await.expect("the same again, after an answer that was lost");
    assert_eq!(code(put(&dora, &repo, &format!("{DEMO}.jar"), b"other").await), Code::Conflict);
    put(&dora, &repo, &format!("{DEMO}.jar.md5"), b"68995fcbf432492d15484d04a9d2ac40").await.expect("its checksum");
    assert_eq!(
        code(put(&dora, &repo, &format!("{DEMO}.jar.md5"), b"00000000000000000000000000000000").await),
        Code::Unprocessable
    );
    assert_eq!(seen(&dora, &repo).await, (true, false, 0), "whoever sends it reads it back");
    assert_eq!(seen(&rita, &repo).await, (false, false, 0));
    // Whose it is not says nothing of it, and neither completes nor adds.
    assert_eq!(
        code(put(&rita, &repo, &format!("{DEMO}.jar.md5"), b"68995fcbf432492d15484d04a9d2ac40").await),
        Code::Conflict
    );
    put(&rita, &repo, INDEX, b"<metadata/>").await.expect("taken and left");
    assert_eq!(code(put(&rita, &repo, &format!("{DEMO}.pom"), b"<project/>").await), Code::Unprocessable);
    assert_eq!(code(put(&rita, &repo, &format!("{DEMO}-rita.jar"), b"hers").await), Code::Conflict);
    assert_eq!(seen(&rita, &repo).await, (false, false, 0));
    put(&dora, &repo, &format!("{INDEX}.sha1"), b"no index").await.expect("taken and left");
    put(&dora, &repo, &format!("{DEMO}-sources.jar"), b"src").await.expect("gathered");
    assert_eq!(seen(&rita, &repo).await, (false, false, 0), "a checksum is no index");

    put(&dora, &repo, INDEX, b"<metadata/>").await.expect("complete");
    assert_eq!(seen(&rita, &repo).await, (true, true, 1));
    assert_eq!(bench.used().await.0, 6);
    // From then on files join as they do elsewhere, whoever sends them.
    put(&rita, &repo, &format!("{DEMO}-rita.jar"), b"hers").await.expect("joined");
    let joined = rita.authorize::<Read>(&repo).await.expect("a reader").find(&path(&format!("{DEMO}-rita.jar"))).await;
    joined.expect("there");
}

async fn signs_of_life_keep_a_slow_deployment_together(bench: &Bench) {
    let repo = repository(bench).await;
    let dora = bench.somebody("dora", &["repo:libs:write"]).await;
    let rita = bench.somebody("rita", &["repo:libs:read"]).await;
    let background = Background::begin(&bench.registry);
    put(&dora, &repo, &format!("{DEMO}.jar"), b"jar").await.expect("gathered");
    // A body that takes longer than the quiet period.
    let format = formats::by_key("maven").expect("a format");
    let to = format!("{DEMO}-dist.zip");
    let Ok(Operation::Receive(intake)) = format.parse(&Asked::plain(Method::Put, &to)) else { unreachable!() };
    let mut receiving = dora.authorize::<Write>(&repo).await.expect("a writer").take_in(intake);
    for piece in 0..4 {
        receiving.write(content(piece, 1000)).await.expect("taken");
        bench.clock.advance(Duration::from_secs(40));
    }
    // The look after the first sixty seconds has come and planned another.
    until(async || bench.count("SELECT count(*) FROM jobs WHERE run_at > 1700000060000000").await == 1).await;
    assert_eq!(seen(&rita, &repo).await, (false, false, 0));
    receiving.end().await.expect("whole").perform().await.expect("gathered");
    assert_eq!(seen(&rita, &repo).await, (false, false, 0));
    // Nothing more comes, and nobody says that it is complete.
    bench.clock.advance(Duration::from_secs(61));
    until(async || seen(&rita, &repo).await == (true, true, 1)).await;
    rita.authorize::<Read>(&repo).await.expect("a reader").find(&path(&to)).await.expect("whole");
    until(async || bench.count(LOOKS).await == 0).await;
    background.end().await;
}

async fn of_many_deployers_one_wins(bench: &Bench) {
    let repo = repository(bench).await;
    let mut tasks = Vec::new();
    for number in 0..64_u64 {
        let (call, repo) = (bench.somebody(&format!("dora{number}"), &["repo:libs:write"]).await, repo.clone());
        tasks.push(tokio::spawn(async move {
            let bytes = [content(number, 20)];
            send(&call, &repo, &format!("{DEMO}.jar"), &bytes).await?;
            send(&call, &repo, &format!("{DEMO}-sources.jar"), &bytes).await?;
            send(&call, &repo, INDEX, &[Bytes::from_static(b"<metadata/>")]).await
        }));
    }
    let mut won = 0;
    for task in tasks {
        match task.await.expect("no panic") {
            Ok(()) => won += 1,
            refused => assert_eq!(code(refused), Code::Conflict),
        }
    }
    assert_eq!((won, bench.count("SELECT count(*) FROM versions").await), (1, 1));
    assert_eq!(bench.count("SELECT count(*) FROM entries").await, 2);
    assert_eq!(bench.count("SELECT count(DISTINCT digest) FROM entries").await, 1, "both files are the winner's");
    assert_eq!(bench.used().await.0, 40);
}

fn setting(named: serde_json::Value) -> registry::RepoChange {
    let settings = model::json::from_value(named).expect("settings");
    registry::RepoChange { settings: Some(settings), ..registry::RepoChange::default() }
}

async fn settings_that_are_not_named_stay(bench: &Bench) {
    let immutable_refs = vec![model::RefPattern::parse("v*").expect("a pattern")];
    let key = bench.repository_of("oci", "images", RepoSettings { immutable_refs, ..RepoSettings::default() }).await;
    let admin = bench.grant::<registry::Admin>(&key).await;
    admin.update_repository(setting(json!({"sparseManifests": true}))).await.expect("changed");
    let kept = async || RepoSettings::of(bench.grant::<registry::Read>(&key).await.repo()).expect("settings");
    assert!(kept().await.sparse_manifests && kept().await.immutable_refs.len() == 1);
    admin.update_repository(setting(json!({"immutableRefs": []}))).await.expect("changed");
    assert!(kept().await.sparse_manifests && kept().await.immutable_refs.is_empty());
}

async fn the_setting_is_for_formats_that_know_the_end(bench: &Bench) {
    let repo = bench.repository("files", false).await;
    let change = setting(json!({"atomicDeploy": true}));
    let admin = bench.grant::<registry::Admin>(&repo).await;
    assert_eq!(code(admin.update_repository(change.clone()).await), Code::BadRequest);
    let maven = bench.repository_of("maven", "libs", RepoSettings::default()).await;
    bench.grant::<registry::Admin>(&maven).await.update_repository(change).await.expect("changed");
    let dora = bench.somebody("dora", &["repo:libs:write"]).await;
    put(&dora, &maven, &format!("{DEMO}.jar"), b"jar").await.expect("gathered");
    // Switched off, what was begun is gathered to its end.
    let off = setting(json!({"atomicDeploy": false}));
    bench.grant::<registry::Admin>(&maven).await.update_repository(off).await.expect("changed");
    let dora = bench.somebody("dora", &["repo:libs:write"]).await;
    put(&dora, &maven, &format!("{DEMO}-sources.jar"), b"src").await.expect("gathered");
    let rita = bench.somebody("rita", &["repo:libs:read"]).await;
    assert_eq!(seen(&rita, &maven).await, (false, false, 0));
    put(&dora, &maven, INDEX, b"<metadata/>").await.expect("complete");
    assert_eq!(seen(&rita, &maven).await, (true, true, 1));
}

async fn nobody_reaches_in_from_the_side(bench: &Bench) {
    let repo = repository(bench).await;
    let dora = bench.somebody("dora", &["repo:libs:write"]).await;
    put(&dora, &repo, &format!("{DEMO}.jar"), b"jar").await.expect("gathered");
    let grant = dora.authorize::<Write>(&repo).await.expect("a writer");
    let reader = grant.to_read();
    let look = async |session: &mut store::Session<'_>| {
        session.row("SELECT id FROM versions", &[]).await?.expect("a version").get::<model::VersionId>(0)
    };
    let id = bench.registry.store().read(look).await.expect("an id");
    assert_eq!(code(grant.publish_version(id).await), Code::BadRequest);
    assert_eq!(code(grant.put_manifest(id, "{}".to_owned(), None).await), Code::BadRequest);
    assert_eq!(code(grant.put_entries(id, vec![crate::bench::entry("x", b"jar")]).await), Code::BadRequest);
    assert_eq!(code(grant.remove_entry(id, path("demo-1.0.jar")).await), Code::BadRequest);
    assert_eq!(code(reader.find_blob(crate::bench::digest(b"jar")).await), Code::NotFound);
    let rita = bench.somebody("rita", &["repo:libs:read"]).await.authorize::<Read>(&repo).await.expect("a reader");
    assert_eq!(code(rita.version(id).await), Code::NotFound);
}

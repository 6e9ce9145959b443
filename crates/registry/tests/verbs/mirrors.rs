//! Images of another registry: what reading them costs once they are here, and what they count.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use formats::oci::{ImageAt, location};
use formats::{Change, Named, PackageAt, What};
use model::state::RepoKind;
use model::{Code, RefName};
use registry::{
    Grant, Need, NewRepository, Reached, Read, RemoteSettings, RepoSettings, TenantAdmin, UpstreamUrl, Write,
};

use crate::bench::{Bench, code, content, digest, put, repo_key};
use crate::evicting::{evict, most};
use crate::statements::{cost, written};

crate::both! {
    what_is_read_through_is_kept_and_counted;
    what_is_too_much_is_refused_and_not_kept;
    a_withdrawn_manifest_does_not_come_back;
    a_layer_that_was_let_go_comes_again;
}

const KIND: &str = "application/vnd.oci.image.manifest.v1+json";

/// A registry with the image `app:v1`, whose one blob has this length, and without referrers.
struct Upstream {
    address: String,
    manifest: String,
    blob: Vec<u8>,
    asked: Arc<AtomicUsize>,
}

fn upstream(length: usize) -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let (blob, asked) = (vec![length as u8; length], Arc::<AtomicUsize>::default());
    let layer = format!(r#"{{"mediaType":"a/b","digest":"sha256:{}","size":{length}}}"#, digest(&blob));
    let manifest = format!(r#"{{"schemaVersion":2,"mediaType":"{KIND}","layers":[{layer}]}}"#);
    let known = Upstream { address, manifest, blob, asked };
    let (manifest, blob, asked) = (known.manifest.clone(), known.blob.clone(), Arc::clone(&known.asked));
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            asked.fetch_add(1, Ordering::SeqCst);
            drop(answer(client, manifest.as_bytes(), &blob));
        }
    });
    known
}

fn answer(mut client: TcpStream, manifest: &[u8], blob: &[u8]) -> std::io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let (status, body) = match head.split(' ').nth(1).unwrap_or_default() {
        path if path.contains("/blobs/") => (200, blob),
        path if path.contains("/manifests/sha256-") => (404, &b""[..]),
        path if path.contains("/manifests/") => (200, manifest),
        _ => (404, &b""[..]),
    };
    let digest = digest(body);
    let (length, close) = (body.len(), "connection: close");
    let told = format!("content-type: {KIND}\r\ndocker-content-digest: sha256:{digest}\r\ncontent-length: {length}");
    client.write_all(format!("HTTP/1.1 {status} Told\r\n{close}\r\n{told}\r\n\r\n").as_bytes())?;
    if head.starts_with("GET") { client.write_all(body) } else { Ok(()) }
}

async fn mirror(bench: &Bench, upstream: &Upstream) -> Grant<Read> {
    let remote = RemoteSettings { eviction: Some(most(1)) };
    let new = NewRepository {
        key: repo_key("mirror"),
        format: "oci".to_owned(),
        kind: RepoKind::Remote,
        description: String::new(),
        anonymous_read: false,
        settings: RepoSettings { remote: Some(remote), ..RepoSettings::default() },
        upstream_url: Some(UpstreamUrl::parse(&upstream.address).expect("an address")),
        upstream_auth: None,
        members: Vec::new(),
    };
    let admin = bench.admin().await.authorize_tenant::<TenantAdmin>().expect("an admin");
    admin.create_repository(new).await.expect("a repository");
    bench.grant::<Read>(&repo_key("mirror")).await
}

/// The image, its tag, and the names of its manifest and its blob.
fn names(upstream: &Upstream) -> (PackageAt, RefName, Named, Named) {
    let named = |bytes: &[u8]| Named::Sha256(digest(bytes));
    let tag = RefName::parse("v1").expect("a tag");
    (PackageAt::named("app"), tag, named(upstream.manifest.as_bytes()), named(&upstream.blob))
}

async fn pull(grant: &Grant<Read>, upstream: &Upstream) -> registry::Result<()> {
    let (app, tag, manifest, blob) = names(upstream);
    let path = location(&ImageAt::of("mirror/app").expect("an image"), &manifest).expect("a path");
    let pointed = grant.points_at(&app, &tag).await?;
    assert_eq!((&*pointed.told, pointed.stale_since), (manifest.to_string().as_str(), None));
    grant.reach_version(&app, &manifest, &path, Need::Bytes).await?;
    let found = match grant.reach_blob(&app, &blob, Need::Bytes).await? {
        Reached::Here(found) => found,
        Reached::Coming(coming) => coming.whole().await?,
    };
    assert_eq!(found.size(), upstream.blob.len() as u64);
    Ok(())
}

async fn what_is_read_through_is_kept_and_counted(bench: &Bench) {
    let upstream = upstream(300);
    let grant = mirror(bench, &upstream).await;
    pull(&grant, &upstream).await.expect("pulled");
    assert_eq!(upstream.asked.load(Ordering::SeqCst), 2, "the tag and the blob");
    assert_eq!(bench.used().await.0, 2 * upstream.manifest.len() as u64 + 300, "an answer, a manifest, a blob");
    let events = bench.count("SELECT count(*) FROM events").await;
    for _ in 0..3 {
        pull(&grant, &upstream).await.expect("pulled");
    }
    assert_eq!((upstream.asked.load(Ordering::SeqCst), bench.count("SELECT count(*) FROM events").await), (2, events));
    assert_eq!(bench.count("SELECT count(*) FROM versions WHERE sealed_at IS NOT NULL").await, 1);
    assert_eq!(bench.count("SELECT count(*) FROM pins").await, 0);
    bench.clock.advance(Duration::from_secs(301));
    let grant = bench.grant::<Read>(&repo_key("mirror")).await;
    pull(&grant, &upstream).await.expect("pulled");
    assert_eq!(upstream.asked.load(Ordering::SeqCst), 3, "the head of the tag");
    let (app, .., manifest, _) = names(&upstream);
    let none = grant.belonging_there(&app, &manifest.to_string()).await.expect("asked").expect("remote");
    assert_eq!((none.told, upstream.asked.load(Ordering::SeqCst)), (Vec::new(), 5), "both ways to tell");
}

async fn what_is_too_much_is_refused_and_not_kept(bench: &Bench) {
    let upstream = upstream(7 << 20);
    let grant = mirror(bench, &upstream).await;
    let files = bench.repository("files", false).await;
    put(&bench.grant::<Write>(&files).await, "a", &content(1, 4 << 20)).await.expect("published");
    let (app, .., blob) = names(&upstream);
    for _ in 0..2 {
        // Its length is told, so it does not even begin to come.
        assert_eq!(code(grant.reach_blob(&app, &blob, Need::Bytes).await), Code::TooManyRequests);
    }
    assert_eq!((bench.count("SELECT count(*) FROM pins").await, bench.used().await.0), (0, 4 << 20));
}

async fn a_withdrawn_manifest_does_not_come_back(bench: &Bench) {
    let upstream = upstream(30);
    let grant = mirror(bench, &upstream).await;
    pull(&grant, &upstream).await.expect("pulled");
    let (package, version) = (PackageAt::named("app"), names(&upstream).2.to_string());
    let what = What::Withdraw { version, repeated: false };
    grant.change(vec![Change { package, what }]).await.expect("withdrawn");
    let asked = upstream.asked.load(Ordering::SeqCst);
    for _ in 0..2 {
        assert_eq!(code(pull(&grant, &upstream).await), Code::Gone);
        let (app, _, _, blob) = names(&upstream);
        assert_eq!(code(grant.reach_blob(&app, &blob, Need::Bytes).await), Code::Gone);
    }
    assert_eq!(upstream.asked.load(Ordering::SeqCst), asked);
    assert_eq!(bench.count("SELECT count(*) FROM versions WHERE state = 'published'").await, 0);
}

/// The layer goes, the manifest is small and stays.
async fn a_layer_that_was_let_go_comes_again(bench: &Bench) {
    let upstream = upstream(300_000);
    let grant = mirror(bench, &upstream).await;
    pull(&grant, &upstream).await.expect("pulled");
    let held = bench.used().await.0;
    evict(bench, grant.repo().id).await;
    assert_eq!(bench.used().await.0, held - 300_000);
    let grant = bench.grant::<Read>(&repo_key("mirror")).await;
    let (app, .., blob) = names(&upstream);
    let asked = upstream.asked.load(Ordering::SeqCst);
    let head = grant.reach_blob(&app, &blob, Need::Head).await.expect("known");
    assert!(matches!(head, Reached::Here(found) if found.size() == 300_000));
    let found = match grant.reach_blob(&app, &blob, Need::Bytes).await.expect("on its way") {
        Reached::Here(found) => found,
        Reached::Coming(coming) => coming.whole().await.expect("come"),
    };
    let mut content = found.open(None).await.expect("its bytes");
    assert_eq!(content.next().await.expect("a block").expect("bytes"), upstream.blob);
    assert_eq!((upstream.asked.load(Ordering::SeqCst), bench.used().await.0), (asked + 1, held));
    assert_eq!(bench.count("SELECT count(*) FROM pins").await, 0, "it is part of the version still");
}

#[tokio::test]
async fn once_it_is_here_a_pull_costs_what_it_does_where_images_are_pushed() {
    for (bench, expected) in [(Bench::sqlite().await, [0, 0, 1]), (Bench::postgres().await, [1, 1, 1])] {
        let upstream = upstream(30);
        let grant = mirror(&bench, &upstream).await;
        pull(&grant, &upstream).await.expect("pulled");
        pull(&grant, &upstream).await.expect("pulled");
        let (app, tag, manifest, blob) = names(&upstream);
        let path = location(&ImageAt::of("mirror/app").expect("an image"), &manifest).expect("a path");
        let before = written(&bench.registry).await;
        let (pointed, found) = Box::pin(cost(grant.points_at(&app, &tag))).await;
        found.expect("a digest");
        let (version, found) = Box::pin(cost(grant.reach_version(&app, &manifest, &path, Need::Bytes))).await;
        found.expect("a manifest");
        let (bytes, found) = Box::pin(cost(grant.reach_blob(&app, &blob, Need::Bytes))).await;
        found.expect("a blob");
        assert_eq!([pointed, version, bytes], expected);
        if expected[0] == 0 {
            assert_eq!(written(&bench.registry).await, before, "nothing is written");
        }
    }
}

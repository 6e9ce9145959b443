//! Images: how many statements their hot routes cost, and tokens that are handed out again.

use std::time::Duration;

use bytes::Bytes;
use formats::oci::{ImageAt, MANIFEST, Push, Reference, location};
use formats::{Named, PackageAt};
use model::{EntryPath, RefName, Scope};
use registry::{Read, RepoSettings, Write};
use sha2::{Digest, Sha256};

use crate::bench::{Bench, repo_key};
use crate::statements::{cost, written};

fn named(bytes: &[u8]) -> Named {
    Named::Sha256(model::Sha256Digest(Sha256::digest(bytes).into()))
}

/// Pushes a manifest of one blob. Returns its name.
async fn push(bench: &Bench, tag: &str, blob: &'static str) -> Named {
    blobs(bench, &[blob]).await;
    push_manifest(bench, tag, &[blob], "").await
}

async fn blobs(bench: &Bench, blobs: &[&'static str]) {
    let grant = bench.grant::<Write>(&repo_key("images")).await;
    for blob in blobs {
        let mut incoming = grant.receive_blob(&named(blob.as_bytes()), None, None).expect("begun");
        incoming.write(Bytes::from_static(blob.as_bytes())).await.expect("taken");
        incoming.finish().await.expect("kept");
    }
}

/// Pushes a manifest of these blobs. `note`: what makes it another one.
async fn push_manifest(bench: &Bench, tag: &str, blobs: &[&'static str], note: &str) -> Named {
    let grant = bench.grant::<Write>(&repo_key("images")).await;
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let layer =
        |blob: &&str| format!(r#"{{"mediaType":"a/b","digest":"{}","size":{}}}"#, named(blob.as_bytes()), blob.len());
    let layers = blobs.iter().map(layer).collect::<Vec<_>>().join(",");
    let text = format!(r#"{{"schemaVersion":2,"mediaType":"{kind}","note":"{note}","layers":[{layers}]}}"#);
    let name = named(text.as_bytes());
    let reference = Reference::parse(tag).expect("a tag");
    let at = ImageAt::of("images/app").expect("an image");
    let mut receiving = grant.take_in(Box::new(Push::new(at, reference, Vec::new(), kind)));
    receiving.write(Bytes::from(text)).await.expect("taken");
    receiving.end().await.expect("understood").perform().await.expect("published");
    name
}

#[tokio::test]
async fn a_pull_costs_a_statement_for_a_tag_and_one_for_each_blob() {
    let bench = Bench::sqlite().await;
    bench.repository_of("oci", "images", RepoSettings::default()).await;
    let name = Box::pin(push(&bench, "v1", "layer")).await;
    let (at, package) = (ImageAt::of("images/app").expect("an image"), PackageAt::named("app"));
    let tag = RefName::parse("v1").expect("a tag");
    let grant = bench.grant::<Read>(&repo_key("images")).await;
    let path = location(&at, &name).expect("a path");
    grant.find(&path).await.expect("the manifest");

    let sent = store::statements_sent;
    let before = sent();
    assert_eq!(*grant.pointed(&package, &tag).await.expect("a version"), name.to_string());
    assert_eq!(sent() - before, 1, "tag");
    assert_eq!(*grant.pointed(&package, &tag).await.expect("a version"), name.to_string());
    assert_eq!(sent() - before, 1, "a tag is remembered");
    grant.find(&path).await.expect("the manifest");
    assert_eq!(sent() - before, 1, "a manifest by digest is remembered");
    grant.find_named(&named(b"layer")).await.expect("the layer");
    assert_eq!(sent() - before, 2, "blob");
    grant.belonging(&package, &name.to_string(), None, 100).await.expect("a list");
    assert_eq!(sent() - before, 3, "referrers");
    grant.ref_names(&package, "", 100).await.expect("a list");
    assert_eq!(sent() - before, 5, "tags");
}

#[tokio::test]
async fn a_remembered_tag_is_seen_to_move_to_end_and_to_come_back() {
    let bench = Bench::sqlite().await;
    bench.repository_of("oci", "images", RepoSettings::default()).await;
    let (package, tag) = (PackageAt::named("app"), RefName::parse("v1").expect("a tag"));
    let grant = bench.grant::<Read>(&repo_key("images")).await;
    let change = |what| grant.change(vec![formats::Change { package: package.clone(), what }]);
    for round in 0..3 {
        let name = Box::pin(push_manifest(&bench, "v1", &[], &round.to_string())).await.to_string();
        for _ in 0..2 {
            assert_eq!(*grant.pointed(&package, &tag).await.expect("a version"), name, "{round}");
        }
        if round == 1 {
            change(formats::What::Drop { name: tag.clone() }).await.expect("ended");
            grant.pointed(&package, &tag).await.expect_err("it has ended");
        }
    }
    let last = grant.pointed(&package, &tag).await.expect("a version").to_string();
    change(formats::What::Withdraw { version: last, repeated: false }).await.expect("withdrawn");
    grant.pointed(&package, &tag).await.expect_err("what it pointed at is gone");
}

#[tokio::test]
async fn scaled_out_each_step_of_a_pull_is_one_statement() {
    let bench = Bench::postgres().await;
    let repo = bench.repository_of("oci", "images", RepoSettings::default()).await;
    let name = Box::pin(push(&bench, "v1", "layer")).await;
    let (at, package) = (ImageAt::of("images/app").expect("an image"), PackageAt::named("app"));
    let tag = RefName::parse("v1").expect("a tag");
    let (path, entry) = (location(&at, &name).expect("a path"), EntryPath::parse(MANIFEST).expect("a path"));
    bench.grant::<Read>(&repo).await;
    let correlation = bench.registry.ambient().id();
    let presume =
        async || bench.registry.presume(Some(bench.admin_token()), &repo, correlation).await.expect("remembered");

    let (by_tag, found) = cost(async { presume().await.find_pointed(&package, &tag, &entry).await }).await;
    let (_, version, found) = found.expect("an answer").expect("the manifest");
    assert_eq!((by_tag, version), (1, name.to_string()));
    assert_eq!(found.media_type(), Some("application/vnd.oci.image.manifest.v1+json"));
    let (by_digest, found) = cost(async { presume().await.find(&path).await }).await;
    assert!(by_digest == 1 && found.expect("an answer").is_some());
    let Named::Sha256(layer) = named(b"layer") else { return };
    let (blob, found) = cost(async { presume().await.find_blob(layer).await }).await;
    let (_, found) = found.expect("an answer").expect("the layer");
    assert_eq!((blob, found.size()), (1, 5));

    // What is not there, or not readable any more, is asked for in the ordinary way.
    let missing = RefName::parse("v2").expect("a tag");
    assert!(presume().await.find_pointed(&package, &missing, &entry).await.expect("an answer").is_none());
    assert!(presume().await.find_blob(model::Sha256Digest([9; 32])).await.expect("an answer").is_none());
    let late = (presume().await, presume().await);
    let somebody = bench.somebody("ben", &["repo:images:read"]).await;
    somebody.revoke_token(somebody.identity().expect("known").token).await.expect("revoked");
    assert!(late.0.find_pointed(&package, &tag, &entry).await.expect("an answer").is_none(), "rights have changed");
    assert!(late.1.find_blob(layer).await.expect("an answer").is_none(), "rights have changed");
}

#[tokio::test]
async fn a_manifest_is_a_fixed_number_of_statements_and_three_for_each_blob() {
    const BLOBS: [&str; 8] = ["l0", "l1", "l2", "l3", "l4", "l5", "l6", "l7"];
    for bench in [Bench::sqlite().await, Bench::postgres().await] {
        bench.repository_of("oci", "images", RepoSettings::default()).await;
        let engine = bench.registry.store().engine();
        let shared = u64::from(bench.registry.shares_its_database());
        Box::pin(push(&bench, "first", "layer")).await;
        let again = async |tag: &str, held: usize, note: &str| {
            let before = written(&bench.registry).await;
            push_manifest(&bench, tag, &BLOBS[..held], note).await;
            written(&bench.registry).await - before - shared
        };
        let cost_of = async |tag: &str, held: usize, note: &str| {
            blobs(&bench, &BLOBS[..held]).await;
            again(tag, held, note).await
        };
        let new_tag = [cost_of("a", 1, "1").await, cost_of("b", 2, "2").await, cost_of("c", 8, "3").await];
        assert_eq!(new_tag, [NEW + 3, NEW + 6, NEW + 24], "{engine:?}");
        let moved = cost_of("a", 1, "4").await;
        // Who pushes the same again sees that the blobs are there.
        let same = (again("a", 1, "4").await, again("c", 8, "3").await);
        assert_eq!((moved, same), (NEW + 3 + 1, (AGAIN + 2, AGAIN + 16)), "{engine:?}: a tag that moves, or not");
    }
}

/// Statements of a new manifest with a new tag, beside those of its blobs, and of one that is there.
const NEW: u64 = 18;
const AGAIN: u64 = 13;

#[tokio::test]
async fn a_push_costs_the_same_beside_ten_thousand_tags() {
    for bench in [Bench::sqlite().await, Bench::postgres().await] {
        bench.repository_of("oci", "images", RepoSettings::default()).await;
        blobs(&bench, &["layer"]).await;
        let push = async |tag: &str, note: &str| {
            let before = written(&bench.registry).await;
            push_manifest(&bench, tag, &["layer"], note).await;
            written(&bench.registry).await - before
        };
        push("t00001", "0").await;
        let few = (push("t00001", "1").await, push("t00002", "2").await);
        let made = bench.run(if bench.registry.shares_its_database() { MANY_SHARED } else { MANY }).await;
        assert_eq!(made.expect("ten thousand tags"), 10_000);
        let many = (push("z09999", "3").await, push("t00003", "4").await);
        assert_eq!(few, many, "{:?}", bench.registry.store().engine());

        let grant = bench.grant::<Read>(&repo_key("images")).await;
        let package = PackageAt::named("app");
        let mut seen: Vec<String> = Vec::new();
        loop {
            let after = seen.last().cloned().unwrap_or_default();
            let (sent, page) = cost(grant.ref_names(&package, &after, 999)).await;
            let page = page.expect("a page");
            assert!(sent == 2 && page.len() <= 999);
            if page.is_empty() {
                break;
            }
            seen.extend(page);
        }
        assert!(seen.len() == 10_003 && seen.is_sorted());
    }
}

const MANY: &str = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10000)
     INSERT INTO refs (id, package_id, name, version_id, from_at, from_event, by_subject)
     SELECT randomblob(16), r.package_id, printf('z%05d', n), r.version_id, r.from_at, r.from_event, r.by_subject
     FROM numbers CROSS JOIN refs r WHERE r.name = 't00002'";
const MANY_SHARED: &str = "INSERT INTO refs (id, package_id, name, version_id, from_at, from_event, by_subject)
     SELECT gen_random_uuid(), r.package_id, 'z' || lpad(n::text, 5, '0'), r.version_id, r.from_at, r.from_event,
         r.by_subject
     FROM generate_series(1, 10000) n CROSS JOIN refs r WHERE r.name = 't00002'";

#[tokio::test]
async fn a_token_for_a_while_is_handed_out_again_until_rights_change() {
    let bench = Bench::sqlite().await;
    bench.repository_of("oci", "images", RepoSettings::default()).await;
    let scopes = |text: &str| vec![text.parse::<Scope>().expect("a scope")];
    let mint = async |call: &registry::Call, text: &str| {
        let minted = call.mint_for_a_while(scopes(text), Duration::from_secs(3600), "client").await.expect("a token");
        (minted.secret.text().to_owned(), minted.scopes)
    };
    let reader = bench.somebody("rita", &["repo:images:read"]).await;
    let (first, given) = mint(&reader, "repo:images:read").await;
    assert_eq!(given, scopes("repo:images:read"));
    assert_eq!(mint(&reader, "repo:images:read").await.0, first);
    assert!(mint(&reader, "repo:images:write").await.1.is_empty(), "no more than the caller may");
    assert_ne!(mint(&bench.somebody("rita", &["repo:images:read"]).await, "repo:images:read").await.0, first);
    reader.revoke_token(reader.identity().expect("known").token).await.expect("revoked");
    let again = bench.registry.call(Some(&first), bench.registry.ambient().id()).await;
    assert!(again.is_err(), "it dies with the token that it came from");
}

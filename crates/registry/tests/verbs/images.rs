//! Images: how many statements their hot routes cost, and tokens that are handed out again.

use std::time::Duration;

use bytes::Bytes;
use formats::oci::{ImageAt, Push, Reference, location};
use formats::{Named, PackageAt};
use model::{RefName, Scope};
use registry::{Read, RepoSettings, Write};
use sha2::{Digest, Sha256};

use crate::bench::{Bench, repo_key};

fn named(bytes: &[u8]) -> Named {
    Named::Sha256(model::Sha256Digest(Sha256::digest(bytes).into()))
}

/// Pushes a manifest of one blob. Returns its name.
async fn push(bench: &Bench, tag: &str, blob: &'static str) -> Named {
    let grant = bench.grant::<Write>(&repo_key("images")).await;
    let layer = named(blob.as_bytes());
    let mut incoming = grant.receive_blob(&layer, None, None).expect("begun");
    incoming.write(Bytes::from_static(blob.as_bytes())).await.expect("taken");
    incoming.finish().await.expect("kept");
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{kind}","layers":[{{"mediaType":"a/b","digest":"{layer}","size":{}}}]}}"#,
        blob.len()
    );
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
    assert_eq!(grant.pointed(&package, &tag).await.expect("a version"), name.to_string());
    assert_eq!(sent() - before, 1, "tag");
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
async fn a_push_costs_the_same_however_many_tags_there_are() {
    struct Sent;
    impl store::Write for Sent {
        type Out = u64;
        async fn apply(&self, _: &mut store::Tx<'_>) -> store::Result<u64> {
            Ok(store::statements_sent())
        }
    }
    let bench = Bench::sqlite().await;
    bench.repository_of("oci", "images", RepoSettings::default()).await;
    let sent = async || bench.registry.store().write(Sent).await.expect("a count");
    let mut costs = Vec::new();
    for number in 0..40 {
        let before = sent().await;
        Box::pin(push(&bench, &format!("v{number}"), "layer")).await;
        costs.push(sent().await - before);
    }
    assert_eq!(costs[1], costs[39], "{costs:?}");
}

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

//! The rules of remote repositories of images: tags, digests, layers, and the time since which they are known here.

use std::time::Duration;

use formats::oci::{ImageAt, location};
use formats::{Named, PackageAt};
use model::{Code, PackageName, RefName, Timestamp, VersionName};
use registry::{Admin, Explanation, Need, NewWaiver, Promote, Question, Reached, RepoSettings, Result, Write};
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::bench::{Bench, code, repo_key};
use crate::ruled::{Desk, HOUR, block_of, minimum};

crate::both! {
    an_image_waits_from_its_first_sight_on;
    a_tag_that_moves_leaves_the_older_image_to_pull;
    a_digest_that_is_asked_for_directly_waits_too;
    what_an_index_lists_comes_with_it;
    a_frozen_repository_has_what_was_known_before;
    a_rule_that_comes_later_keeps_out_what_is_here;
    names_are_blocked_and_claimed_and_nothing_else_is;
    a_waiver_lifts_a_tag_or_a_digest;
    what_is_kept_out_is_not_mounted;
    an_image_that_was_withdrawn_is_explained_by_its_tag_and_its_digest;
}

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn named(bytes: &str) -> Named {
    Named::Sha256(model::Sha256Digest(sha2::Sha256::digest(bytes).into()))
}

/// What the upstream has: an image of one layer under a tag and its digest.
fn has(desk: &Desk<'_>, tag: &str, layer: &str) -> Named {
    let manifest = json!({"schemaVersion": 2, "mediaType": IMAGE, "layers": [
        {"mediaType": "a/b", "digest": named(layer).to_string(), "size": layer.len()}]});
    desk.upstream.says(&format!("/v2/app/blobs/{}", named(layer)), "", layer);
    says(desk, tag, IMAGE, &manifest)
}

fn says(desk: &Desk<'_>, tag: &str, kind: &str, manifest: &Value) -> Named {
    let text = manifest.to_string();
    let digest = named(&text);
    let head = format!("Content-Type: {kind}\r\nDocker-Content-Digest: {digest}\r\n");
    for reference in [tag, &digest.to_string()] {
        desk.upstream.says(&format!("/v2/app/manifests/{reference}"), &head, text.clone());
    }
    digest
}

fn app() -> PackageAt {
    PackageAt::named("app")
}

async fn tag(desk: &Desk<'_>, name: &str) -> Result<String> {
    let tag = RefName::parse(name).expect("a tag");
    Ok(desk.grant().await.points_at(&app(), &tag).await?.told.to_string())
}

async fn manifest(desk: &Desk<'_>, named: &Named) -> Result<()> {
    let path = location(&ImageAt::of("up/app").expect("an image"), named).expect("a path");
    desk.grant().await.reach_version(&app(), named, &path, Need::Bytes).await.map(drop)
}

async fn blob(desk: &Desk<'_>, layer: &str) -> Result<()> {
    match desk.grant().await.reach_blob(&app(), &named(layer), Need::Bytes).await? {
        Reached::Here(_) => Ok(()),
        Reached::Coming(coming) => coming.whole().await.map(drop),
    }
}

async fn tags(desk: &Desk<'_>) -> Vec<String> {
    desk.grant().await.names_of_refs(&app(), "", 100).await.expect("tags").told
}

async fn explained(desk: &Desk<'_>, name: &str, version: Option<&str>) -> Explanation {
    let name = PackageName::parse(name).expect("a name");
    desk.explain(Question::Package(name, version.map(str::to_owned))).await
}

fn lists(desk: &Desk<'_>, tags: &[&str]) {
    let body = json!({"name": "app", "tags": tags}).to_string();
    desk.upstream.says("/v2/app/tags/list?n=1000", "Content-Type: application/json\r\n", body);
}

async fn an_image_waits_from_its_first_sight_on(bench: &Bench) {
    let desk = Desk::new(bench, "oci", minimum(72)).await;
    let digest = has(&desk, "v1", "layer");
    has(&desk, "unasked", "other layer");
    lists(&desk, &["v1", "unasked"]);
    assert_eq!(tags(&desk).await, ["unasked", "v1"], "nothing is known of them");
    let until = desk.ago(0).plus(Duration::from_secs(72 * HOUR));
    let (sentence, block) = block_of(tag(&desk, "v1").await);
    assert_eq!((block.lifted_by.as_str(), block.until), ("an admin of up", Some(until)), "{sentence}");
    for part in ["app v1", &until.to_seconds(), "artifortress explain up app:v1"] {
        assert!(sentence.contains(part), "{part}: {sentence}");
    }
    assert_eq!(block.link, "/v1/repos/up/explain?name=app&version=v1");
    assert_eq!(code(manifest(&desk, &digest).await), Code::PolicyDenied);
    assert_eq!(code(blob(&desk, "layer").await), Code::PolicyDenied);
    assert!(!desk.upstream.asked().iter().any(|asked| asked.contains("/blobs/")), "what is kept out is not fetched");
    assert_eq!(tags(&desk).await, ["unasked"], "what is known to be kept out is not listed");
    let why = explained(&desk, "app:v1", None).await;
    assert_eq!((why.verdict, why.version.as_deref(), why.until), ("deny", Some("v1"), Some(until)));
    let why = explained(&desk, "app", Some(&digest.to_string())).await;
    assert_eq!((why.verdict, why.published_at), ("deny", Some(desk.ago(0))));
    let why = explained(&desk, "app", None).await;
    assert_eq!(why.kept_out.iter().map(|(tag, _)| tag.as_str()).collect::<Vec<_>>(), ["v1"]);

    desk.later(71);
    assert_eq!(code(tag(&desk, "v1").await), Code::PolicyDenied);
    desk.later(1);
    assert_eq!(tag(&desk, "v1").await.expect("old enough"), digest.to_string());
    assert_eq!(code(blob(&desk, "layer").await), Code::PolicyDenied, "no image that names it was pulled");
    manifest(&desk, &digest).await.expect("old enough");
    blob(&desk, "layer").await.expect("part of it");
    blob(&desk, "layer").await.expect("here by now");
    assert_eq!(code(blob(&desk, "other layer").await), Code::PolicyDenied);
    assert_eq!(tags(&desk).await, ["unasked", "v1"]);
    assert_eq!(explained(&desk, "app:v1", None).await.verdict, "allow");
}

async fn a_tag_that_moves_leaves_the_older_image_to_pull(bench: &Bench) {
    let desk = Desk::new(bench, "oci", minimum(72)).await;
    let old = has(&desk, "v1", "old");
    assert_eq!(code(tag(&desk, "v1").await), Code::PolicyDenied);
    desk.later(72);
    tag(&desk, "v1").await.expect("old enough");
    manifest(&desk, &old).await.expect("old enough");
    let new = has(&desk, "v1", "new");
    desk.later(1);
    let (sentence, _) = block_of(tag(&desk, "v1").await);
    assert!(sentence.contains(&format!("app@{old}, for which v1 stood before, is let in")), "{sentence}");
    manifest(&desk, &old).await.expect("as before");
    blob(&desk, "old").await.expect("as before");
    assert_eq!(code(manifest(&desk, &new).await), Code::PolicyDenied);
    desk.later(72);
    assert_eq!(tag(&desk, "v1").await.expect("old enough"), new.to_string());
}

async fn a_digest_that_is_asked_for_directly_waits_too(bench: &Bench) {
    let desk = Desk::new(bench, "oci", minimum(10)).await;
    let digest = has(&desk, "v1", "layer");
    let (sentence, block) = block_of(manifest(&desk, &digest).await);
    assert_eq!(block.until, Some(desk.ago(0).plus(Duration::from_secs(10 * HOUR))), "{sentence}");
    desk.later(9);
    assert_eq!(code(manifest(&desk, &digest).await), Code::PolicyDenied);
    desk.later(1);
    manifest(&desk, &digest).await.expect("old enough");
    assert_eq!(code(manifest(&desk, &named("nothing")).await), Code::NotFound);
    // Other bytes than those that were asked for are nothing that was seen.
    desk.upstream.says(&format!("/v2/app/manifests/{}", named("wrong")), "", json!({"schemaVersion": 2}).to_string());
    assert_eq!(code(manifest(&desk, &named("wrong")).await), Code::ServiceUnavailable);
}

async fn what_an_index_lists_comes_with_it(bench: &Bench) {
    let desk = Desk::new(bench, "oci", minimum(72)).await;
    let part = has(&desk, "part", "layer");
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": IMAGE, "digest": part.to_string(), "size": 10}], "annotations": {"note": named("x").to_string()}});
    let many = says(&desk, "many", INDEX, &index);
    assert_eq!(code(tag(&desk, "many").await), Code::PolicyDenied);
    desk.later(72);
    manifest(&desk, &many).await.expect("old enough");
    manifest(&desk, &part).await.expect("it is as old as the index that lists it");
    blob(&desk, "layer").await.expect("and what it is made of");
    desk.upstream.says(&format!("/v2/app/blobs/{}", named("x")), "", "x");
    assert_eq!(code(blob(&desk, "x").await), Code::PolicyDenied, "words are no list");
}

async fn a_frozen_repository_has_what_was_known_before(bench: &Bench) {
    let desk = Desk::new(bench, "oci", json!([])).await;
    let old = has(&desk, "old", "old");
    tag(&desk, "old").await.expect("seen");
    desk.later(1);
    desk.rule(json!([{"kind": "freeze", "notAfter": desk.ago(0).to_string()}])).await.expect("rules");
    desk.later(1);
    has(&desk, "new", "new");
    let (sentence, block) = block_of(tag(&desk, "new").await);
    assert!(sentence.contains("first seen after") && block.until.is_none(), "{sentence}");
    tag(&desk, "old").await.expect("known before");
    manifest(&desk, &old).await.expect("known before");
    blob(&desk, "old").await.expect("part of it");
}

async fn a_rule_that_comes_later_keeps_out_what_is_here(bench: &Bench) {
    let desk = Desk::new(bench, "oci", json!([])).await;
    let digest = has(&desk, "v1", "layer");
    manifest(&desk, &digest).await.expect("no rules");
    blob(&desk, "layer").await.expect("no rules");
    let asked = desk.upstream.asked().len();
    for rules in [minimum(1), json!([{"kind": "block", "pattern": "a*", "reason": "an evil image"}])] {
        desk.rule(rules).await.expect("rules");
        assert_eq!(code(manifest(&desk, &digest).await), Code::PolicyDenied);
        assert_eq!(code(blob(&desk, "layer").await), Code::PolicyDenied);
        let Named::Sha256(layer) = named("layer") else { return };
        assert_eq!(code(desk.grant().await.find_blob(layer).await), Code::PolicyDenied);
    }
    let (sentence, _) = block_of(tag(&desk, "v1").await);
    assert!(sentence.contains("an evil image"), "{sentence}");
    assert_eq!(code(desk.grant().await.names_of_refs(&app(), "", 9).await), Code::PolicyDenied);
    assert_eq!(desk.upstream.asked().len(), asked, "nobody is asked for what is blocked");
}

async fn an_image_that_was_withdrawn_is_explained_by_its_tag_and_its_digest(bench: &Bench) {
    let desk = Desk::new(bench, "oci", json!([{"kind": "block", "pattern": "other"}])).await;
    let digest = has(&desk, "v1", "layer");
    manifest(&desk, &digest).await.expect("let in");
    let place = location(&ImageAt::of("up/app").expect("an image"), &digest).expect("a path");
    bench.grant::<Promote>(&desk.key).await.withdraw(&place).await.expect("withdrawn");
    assert_eq!(code(manifest(&desk, &digest).await), Code::Gone);
    for (name, version) in [("app", Some("v1")), ("app:v1", None), ("app", Some(digest.to_string().as_str()))] {
        let told = explained(&desk, name, version).await;
        assert_eq!((told.verdict, told.is_refused), ("deny", true), "{name} {version:?}: {}", told.detail);
    }
}

async fn names_are_blocked_and_claimed_and_nothing_else_is(bench: &Bench) {
    let desk = Desk::new(bench, "oci", json!([{"kind": "claim", "pattern": "app"}])).await;
    let digest = has(&desk, "v1", "layer");
    assert_eq!(code(tag(&desk, "v1").await), Code::NotFound);
    assert_eq!(code(manifest(&desk, &digest).await), Code::NotFound);
    assert_eq!(code(blob(&desk, "layer").await), Code::NotFound);
    assert_eq!(explained(&desk, "app:v1", None).await.verdict, "hide");
    assert!(desk.upstream.asked().is_empty(), "a claimed name is asked of nobody");
    for odd in [
        json!([{"kind": "block", "pattern": "app", "versions": "<2"}]),
        json!([{"kind": "allow", "pattern": "/app/*"}]),
    ] {
        assert_eq!(code(desk.rule(odd).await), Code::BadRequest);
    }
    desk.rule(json!([{"kind": "allow", "pattern": "app"}, {"kind": "minimumAge", "hours": 9}])).await.expect("rules");
    tag(&desk, "v1").await.expect("let in by name");
    manifest(&desk, &digest).await.expect("let in by name");
    blob(&desk, "layer").await.expect("let in by name");
}

async fn a_waiver_lifts_a_tag_or_a_digest(bench: &Bench) {
    let desk = Desk::new(bench, "oci", minimum(72)).await;
    let (one, other) = (has(&desk, "v1", "layer"), has(&desk, "v2", "second"));
    for version in ["v1".to_owned(), other.to_string()] {
        let new = NewWaiver {
            package: PackageName::parse("app").expect("a name"),
            version: Some(VersionName::parse(&version).expect("a version")),
            reason: "a fix".to_owned(),
            until: Timestamp(desk.ago(0).0 + 3_600_000_000),
        };
        bench.grant::<Admin>(&desk.key).await.waive(new).await.expect("waived");
    }
    assert_eq!(code(manifest(&desk, &one).await), Code::PolicyDenied, "nobody asked yet what the tag stands for");
    tag(&desk, "v1").await.expect("waived");
    for (version, layer) in [(&one, "layer"), (&other, "second")] {
        manifest(&desk, version).await.expect("waived");
        blob(&desk, layer).await.expect("part of it");
    }
    assert_eq!(tag(&desk, "v2").await.expect("its digest is waived"), other.to_string());
    has(&desk, "v3", "third");
    assert_eq!(code(tag(&desk, "v3").await), Code::PolicyDenied);
    desk.later(2);
    assert_eq!(code(tag(&desk, "v1").await), Code::PolicyDenied, "it has ended");
}

async fn what_is_kept_out_is_not_mounted(bench: &Bench) {
    let desk = Desk::new(bench, "oci", json!([])).await;
    let digest = has(&desk, "v1", "layer");
    manifest(&desk, &digest).await.expect("no rules");
    blob(&desk, "layer").await.expect("no rules");
    bench.repository_of("oci", "own", RepoSettings::default()).await;
    desk.rule(minimum(72)).await.expect("rules");
    let own = bench.grant::<Write>(&repo_key("own")).await;
    for from in [None, Some(&desk.key)] {
        assert!(!own.mount(&named("layer"), from).await.expect("asked"), "{from:?}");
    }
    desk.rule(json!([])).await.expect("no rules");
    let own = bench.grant::<Write>(&repo_key("own")).await;
    assert!(own.mount(&named("layer"), None).await.expect("asked"));
}

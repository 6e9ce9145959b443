//! Documents from facts.

use model::{Sha256Digest, Timestamp, VersionId};

use super::*;
use crate::{FileFacts, VersionHead};

const SITE: Site<'static> = Site { base: "https://host/repository/js", auth_required: true, subject: None };

fn head(version: &str, minute: i64) -> VersionHead {
    VersionHead {
        id: VersionId(Default::default()),
        version: version.to_owned(),
        published_at: Some(Timestamp(minute * 60_000_000)),
        changed_at: Timestamp(minute * 60_000_000),
        yanked: None,
        deprecated: None,
        unlisted: false,
    }
}

fn facts(head: VersionHead, attributes: Option<&str>) -> VersionFacts {
    let path = format!("tool-{}.tgz", head.version);
    let file = FileFacts {
        location: format!("@acme/tool/-/{path}"),
        path,
        digest: Some(Sha256Digest([0; 32])),
        size: Some(3),
        attributes: attributes.map(str::to_owned),
        added_at: head.published_at,
        yanked: None,
    };
    let manifest = json!({"name": "@acme/Tool", "version": head.version, "scripts": {"test": "x"}, "bin": {"t": "t.js"},
        "deprecated": "a lie", "dist": {"tarball": "http://elsewhere.example/x"}});
    VersionFacts { head, manifest: manifest.to_string(), files: vec![file] }
}

fn packument(view: View, versions: &[VersionFacts], refs: &[(&str, &str)]) -> Option<Json> {
    let fragments: Vec<_> = versions.iter().map(|one| Npm.fragment(view, one, &SITE).map(Arc::from)).collect();
    let head = Head {
        around: Vec::new(),
        namespace: String::new(),
        name: "@acme/tool".to_owned(),
        display: "@acme/Tool".to_owned(),
        generation: 9,
        versions: versions.iter().map(|one| one.head.clone()).collect(),
        refs: refs.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect(),
    };
    let document = Npm.assemble(view, &head, &fragments, &SITE)?;
    Some(model::json::from_slice(&document.body).expect("JSON"))
}

#[test]
fn a_packument_has_true_times_and_our_addresses() {
    let deprecated = VersionHead { deprecated: Some("use 2".to_owned()), ..head("1.0.0", 1) };
    let attributes = r#"{"integrity":"sha512-x","shasum":"ff","fileCount":2,"unpackedSize":9,"hasInstallScript":true}"#;
    let versions = [facts(deprecated, Some(attributes)), facts(head("2.0.0", 2), None)];
    let full = packument(FULL, &versions, &[("latest", "2.0.0"), ("gone", "9.9.9")]).expect("a packument");
    let one = &full["versions"]["1.0.0"];
    assert_eq!(one["dist"]["tarball"], "https://host/repository/js/@acme/Tool/-/tool-1.0.0.tgz");
    assert_eq!((&one["dist"]["integrity"], &one["deprecated"]), (&json!("sha512-x"), &json!("use 2")));
    assert_eq!(one["scripts"]["test"], "x");
    assert_eq!(full["versions"]["2.0.0"].get("deprecated"), None);
    assert!(full["versions"]["2.0.0"]["dist"]["integrity"].as_str().expect("text").starts_with("sha256-"));
    assert_eq!(
        full["time"],
        json!({"created": "1970-01-01T00:01:00.000Z", "modified": "1970-01-01T00:02:00.000Z",
        "1.0.0": "1970-01-01T00:01:00.000Z", "2.0.0": "1970-01-01T00:02:00.000Z"})
    );
    assert_eq!(full["dist-tags"], json!({"latest": "2.0.0"}));
    assert_eq!(full["_rev"], "9-2");

    let short = packument(ABBREVIATED, &versions, &[]).expect("a packument");
    assert_eq!(short["versions"]["1.0.0"].get("scripts"), None);
    assert_eq!(short["versions"]["1.0.0"]["hasInstallScript"], true);
    assert_eq!(short["versions"]["1.0.0"]["bin"]["t"], "t.js");
    assert_eq!((&short["modified"], &short["dist-tags"]["latest"]), (&full["time"]["modified"], &json!("2.0.0")));
}

/// What the client says of it does not count.
#[test]
fn what_installing_does_is_read_from_the_archive() {
    for truth in [false, true] {
        let said = json!({"name": "a", "version": "1.0.0", "hasInstallScript": !truth, "_hasShrinkwrap": !truth});
        let manifest = said.to_string();
        let mut members = vec![("package/package.json", manifest.as_bytes())];
        members
            .extend([("package/binding.gyp", &b"{}"[..]), ("package/npm-shrinkwrap.json", b"{}")].repeat(truth.into()));
        let release = publish(&publishing(&said, &packed(&members))).expect("a plan").release.expect("a release");
        let mut one = facts(head("1.0.0", 1), release.files[0].attributes.as_deref());
        (one.manifest, one.files[0].path) = (release.manifest, release.files[0].path.to_string());
        for (view, key) in
            [FULL, ABBREVIATED].into_iter().flat_map(|view| [(view, "hasInstallScript"), (view, "_hasShrinkwrap")])
        {
            let shown = packument(view, std::slice::from_ref(&one), &[]).expect("a packument");
            assert_eq!(shown["versions"]["1.0.0"].get(key), truth.then_some(&json!(true)), "{view:?} {key}");
        }
    }
}

#[test]
fn what_decides_on_installing_is_what_the_archive_says() {
    let shown = |stated: serde_json::Value, said: serde_json::Value| {
        let whole = |more: &serde_json::Value| {
            let mut object = json!({"name": "a", "version": "1.0.0", "dependencies": {"b": "1", "c": "2"}});
            object.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            object
        };
        let archive = packed(&[("package/package.json", whole(&stated).to_string().as_bytes())]);
        let plan = publish(&publishing(&whole(&said), &archive)).expect("a plan");
        let manifest: serde_json::Value =
            serde_json::from_str(&plan.release.expect("a release").manifest).expect("an object");
        ["os", "engines", "bundleDependencies", "bundledDependencies"].map(|key| manifest.get(key).cloned())
    };
    let lies =
        json!({"os": ["!linux"], "engines": {"node": "1"}, "bundleDependencies": ["b"], "bundledDependencies": ["b"]});
    assert_eq!(shown(json!({}), lies.clone()), [None, None, None, None]);
    let truth = json!({"os": "linux", "engines": {"node": ">=20"}, "bundledDependencies": ["c"]});
    let expected = [Some(json!("linux")), Some(json!({"node": ">=20"})), Some(json!(["c"])), None];
    assert_eq!(shown(truth, lies), expected);
    assert_eq!(shown(json!({"bundleDependencies": true}), json!({}))[2], Some(json!(["b", "c"])));
    assert_eq!(shown(json!({"bundleDependencies": false}), json!({}))[2], None);
}

#[test]
fn what_is_unlisted_is_not_there() {
    let hidden = VersionHead { unlisted: true, ..head("1.0.0", 1) };
    assert_eq!(packument(FULL, &[facts(hidden.clone(), None)], &[]), None);
    let both = packument(FULL, &[facts(hidden, None), facts(head("0.9.0", 2), None)], &[("latest", "1.0.0")]);
    let both = both.expect("a packument");
    assert_eq!(both["dist-tags"], json!({"latest": "0.9.0"}));
    assert!(both["versions"].get("1.0.0").is_none() && both["time"].get("1.0.0").is_none());
}

#[test]
fn provenance_is_kept_as_it_came() {
    let statement = base64(br#"{"predicateType":"https://slsa.dev/provenance/v1"}"#);
    let bundle = format!(r#"{{"mediaType":"m",  "dsseEnvelope":{{"payload":"{statement}"}}}}"#);
    let attributes = format!(r#"{{"provenance":{bundle}}}"#);
    let one = facts(head("1.0.0", 1), Some(&attributes));
    let full = packument(FULL, std::slice::from_ref(&one), &[]).expect("a packument");
    let attestations = &full["versions"]["1.0.0"]["dist"]["attestations"];
    assert_eq!(attestations["url"], "https://host/repository/js/-/npm/v1/attestations/@acme%2fTool@1.0.0");
    assert_eq!(attestations["provenance"]["predicateType"], "https://slsa.dev/provenance/v1");
    let body = crate::npm::packument::attestations(&one).expect("a document").body;
    assert!(String::from_utf8(body).expect("text").contains(&bundle));
    assert!(crate::npm::packument::attestations(&facts(head("1.0.0", 1), None)).is_none());
}

#[test]
fn a_version_that_is_taken_is_said_as_npm_shows_it() {
    let told = |reason, detail| {
        let answer = Npm.refuse(&Refused { status: 409, code: "conflict", detail, reason }).expect("an answer");
        (answer.status, String::from_utf8(answer.body).expect("text"))
    };
    let (status, body) = told(Some(Reason::Taken), "tool 1.0.0 already exists: published versions never change");
    assert!(status == 403 && body.contains("cannot publish over the previously published versions"), "{body}");
    assert_eq!(told(None, "Tool and tool, which exists here, are one name: publish as tool").0, 403);
    assert_eq!(told(Some(Reason::Changed), "tool has changed meanwhile: look again").0, 409);
    let (status, body) = told(None, "look-again-never 1.0.0 is being put together");
    assert!(status == 403 && !body.contains("previously published"), "words are no reasons: {body}");
}

#[test]
fn a_search_takes_what_it_shows_and_no_more() {
    let long = "x".repeat(1 << 20);
    let manifest = json!({"name": "tool", "description": "d", "keywords": ["k"], "exports": long}).to_string();
    assert_eq!(Npm.brief(&manifest).as_deref(), Some(r#"{"description":"d","keywords":["k"]}"#));
}

//! What other registries say, in the layouts of several.

mod hostile;

use std::sync::Arc;

use model::{Sha256Digest, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::npm::names::{archive, normal};
use crate::{
    Ask, Asked, Known, KnownVersion, Method, Operation, Origin, PackageAt, Said, Sums, Unreadable, Upstream, Wanting,
};

const SITE: Site<'static> = Site { base: "https://ours.example/repository/js", auth_required: false, subject: None };
const ADDRESS: &str = "https://there.example/npm/tool";

fn at(name: &str) -> PackageAt {
    PackageAt::named(name)
}

fn read_at(address: &str, name: &str, body: &[u8]) -> Result<Option<Known>, Unreadable> {
    let said = Said { body, media_type: "application/json", address, changed_at: None };
    Upstream::read(&Npm, &at(name), Wanting::All, &[Some(said)])
}

fn read(body: &Json) -> Result<Option<Known>, Unreadable> {
    read_at(ADDRESS, "tool", body.to_string().as_bytes())
}

/// The packument of `tool` with one version 1.0.0, of which this is said too.
fn one(more: Json) -> Json {
    let mut version = json!({"name": "tool", "version": "1.0.0", "dist": {
        "tarball": "https://there.example/npm/tool/-/tool-1.0.0.tgz", "shasum": "0a".repeat(20)}});
    version.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    json!({"_id": "tool", "name": "tool", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version},
        "time": {"created": "2020-01-01T00:00:00.000Z", "1.0.0": "2020-01-02T03:04:05.678Z"}})
}

/// The same with another `dist`.
fn dist(more: Json) -> Json {
    let mut dist = json!({"tarball": "https://there.example/npm/tool/-/tool-1.0.0.tgz"});
    dist.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    one(json!({"dist": dist}))
}

/// The version 1.0.0, if it was taken.
fn taken(body: &Json) -> Option<KnownVersion> {
    read(body).expect("an answer").expect("a package").versions.pop()
}

fn render(known: Known, name: &str) -> Json {
    let (head, facts) = known.facts(&at(name), 3, Timestamp(0));
    rendered(&head, &facts).expect("a packument")
}

fn rendered(head: &Head, facts: &[VersionFacts]) -> Option<Json> {
    let fragments: Vec<_> = facts.iter().map(|one| Npm.fragment(FULL, one, &SITE).map(Arc::from)).collect();
    let body = Npm.assemble(FULL, head, &fragments, &SITE)?.body;
    Some(model::json::from_slice(&body).expect("JSON"))
}

#[test]
fn the_whole_packument_is_asked_for() {
    let target = |name: &str| {
        let [ask]: [Ask; 1] = Npm.asks(&at(name), Wanting::All).try_into().expect("one");
        assert_eq!(ask.accept, "application/json");
        ask.target
    };
    for (name, there) in
        [("tool", "tool"), ("@acme/tool", "@acme%2ftool"), ("JSONStream", "JSONStream"), ("@A/B", "@A%2fB")]
    {
        assert_eq!(target(name), there);
    }
    for odd in ["", "../x", "a/b", "a?b", "@a/b/c"] {
        assert_eq!(Npm.asks(&at(odd), Wanting::All), [], "{odd}");
    }
    assert_eq!(Upstream::read(&Npm, &at("tool"), Wanting::All, &[None]), Ok(None));
}

#[test]
fn a_packument_of_a_public_registry_becomes_our_document() {
    let integrity = integrity(b"bytes");
    let signatures = json!([{"keyid": "SHA256:k", "sig": "MEUC"}]);
    let body = json!({
        "_id": "@acme/tool", "_rev": "12-abc", "name": "@acme/tool", "dist-tags": {"latest": "2.0.0", "next": "3.0.0-rc.1",
            "gone": "9.9.9", "1.x": "1.0.0", "a b": "1.0.0"},
        "versions": {
            "1.0.0": {"name": "@acme/tool", "version": "1.0.0", "_id": "@acme/tool@1.0.0", "_npmUser": {"name": "ann"},
                "_nodeVersion": "20.1.0", "deprecated": "use 2", "scripts": {"postinstall": "node x"}, "readme": "# long",
                "bundledDependencies": ["left"], "dependencies": {"left": "^1"}, "_hasShrinkwrap": false,
                "dist": {"integrity": integrity, "shasum": "0a".repeat(20), "fileCount": 4, "unpackedSize": 99,
                    "tarball": "https://there.example/npm/@acme/tool/-/tool-1.0.0.tgz", "signatures": signatures,
                    "npm-signature": "old"}},
            "3.0.0-rc.1": {"name": "@acme/tool", "version": "3.0.0-rc.1", "deprecated": "", "_hasShrinkwrap": true,
                "dist": {"shasum": "0b".repeat(20), "tarball": "https://there.example/npm/@acme/tool/-/tool-3.0.0-rc.1.tgz"}},
            "2.0.0": {"name": "@acme/tool", "version": "2.0.0", "deprecated": false, "bundleDependencies": false,
                "dist": {"tarball": "https://there.example/npm/@acme/tool/-/tool-2.0.0.tgz"}},
        },
        "time": {"created": "2020-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
            "1.0.0": "2020-01-02T03:04:05.678Z", "2.0.0": "2021-01-01T00:00:00+02:00"},
        "readme": "long", "maintainers": [{"name": "ann"}], "users": {"bob": true},
    });
    // As text, for the order of the versions counts.
    let text = body.to_string().replace("\"readme\":\"long\"", "\"readme\":\"cut off in \\ud83d\"");
    let known = read_at("https://there.example/npm/@acme%2ftool", "@acme/tool", text.as_bytes());
    let known = known.expect("a packument").expect("a package");
    assert_eq!(known.display, "@acme/tool");
    assert_eq!(known.refs, [("latest", "2.0.0"), ("next", "3.0.0-rc.1")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    let [first, second, third] = known.versions.as_slice() else { panic!("three versions: {known:?}") };
    assert_eq!([first, second, third].map(|one| one.version.as_str()), ["1.0.0", "2.0.0", "3.0.0-rc.1"]);
    let file = &first.files[0];
    assert_eq!((file.path.as_str(), file.location.as_str()), ("tool-1.0.0.tgz", "@acme/tool/-/tool-1.0.0.tgz"));
    assert_eq!(file.target, "https://there.example/npm/@acme/tool/-/tool-1.0.0.tgz");
    let sums = Sums { sha1: Some([10; 20]), sha512: Some(sha2::Sha512::digest(b"bytes").into()), ..Sums::default() };
    assert_eq!((&file.sums, file.sha256, file.size), (&sums, None, None));
    assert_eq!(second.files[0].sums, Sums::default(), "nothing is declared");
    assert_eq!(Npm.origin(&file.location), Some(Origin::Listed(at("@acme/tool"))));
    let time = Timestamp::parse("2020-01-02T03:04:05.678Z");
    assert_eq!((first.published_at, file.published_at, third.published_at), (time, time, None));
    assert_eq!(second.published_at, Timestamp::parse("2020-12-31T22:00:00Z"));
    assert_eq!((first.deprecated.as_deref(), &second.deprecated, &third.deprecated), (Some("use 2"), &None, &None));

    let ours = render(known, "@acme/tool");
    let first = &ours["versions"]["1.0.0"];
    assert_eq!(first["dist"]["tarball"], "https://ours.example/repository/js/@acme/tool/-/tool-1.0.0.tgz");
    assert_eq!((&first["dist"]["integrity"], &first["dist"]["signatures"]), (&json!(integrity), &signatures));
    assert_eq!((&first["dist"]["fileCount"], &first["dist"]["unpackedSize"]), (&json!(4), &json!(99)));
    assert_eq!((&first["hasInstallScript"], &first["bundleDependencies"]), (&json!(true), &json!(["left"])));
    assert_eq!((&first["_nodeVersion"], &first["_id"]), (&json!("20.1.0"), &json!("@acme/tool@1.0.0")));
    for gone in ["readme", "_npmUser", "bundledDependencies"] {
        assert_eq!(first.get(gone), None, "{gone}");
    }
    assert_eq!(ours["versions"]["2.0.0"].get("bundleDependencies"), None);
    assert_eq!(ours["versions"]["3.0.0-rc.1"]["_hasShrinkwrap"], true);
    assert_eq!((&ours["time"]["1.0.0"], ours["time"].get("3.0.0-rc.1")), (&json!("2020-01-02T03:04:05.678Z"), None));
    assert!(!ours.to_string().contains("there.example"), "every address is ours: {ours}");
}

/// The archive is where the answer says, in whatever layout; here it is where ours are.
#[test]
fn other_servers_have_other_addresses() {
    for (address, tarball, target) in [
        // Behind a proxy that ends TLS.
        ("https://v.example/tool", "http://v.example/tool/-/tool-1.0.0.tgz", "https://v.example/tool/-/tool-1.0.0.tgz"),
        (
            "http://v.example:4873/tool",
            "http://[::1]:4873/tool/-/tool-1.0.0.tgz",
            "http://[::1]:4873/tool/-/tool-1.0.0.tgz",
        ),
        (
            "https://a.example/artifactory/api/npm/js/tool",
            "https://a.example/artifactory/api/npm/js/tool/-/tool-1.0.0.tgz",
            "https://a.example/artifactory/api/npm/js/tool/-/tool-1.0.0.tgz",
        ),
        (
            "https://n.example/repository/npm-group/tool",
            "https://n.example/repository/npm-group/tool/-/tool-1.0.0.tgz",
            "https://n.example/repository/npm-group/tool/-/tool-1.0.0.tgz",
        ),
        (
            "https://g.example/download/x",
            "https://files.example/download/@a/tool/1.0.0/6d3c71?se=2030&sig=a%2Bb",
            "https://files.example/download/@a/tool/1.0.0/6d3c71?se=2030&sig=a%2Bb",
        ),
        // Plain files.
        ("https://s.example/m/tool", "tool-1.0.0.tgz", "https://s.example/m/tool-1.0.0.tgz"),
        ("https://s.example/m/tool/index.json", "./-/tool-1.0.0.tgz", "https://s.example/m/tool/-/tool-1.0.0.tgz"),
        ("https://s.example/m/tool", "/m/tool/-/tool-1.0.0.tgz", "https://s.example/m/tool/-/tool-1.0.0.tgz"),
        ("https://s.example/m/tool", "//cdn.example/tool-1.0.0.tgz", "https://cdn.example/tool-1.0.0.tgz"),
    ] {
        let body = dist(json!({"tarball": tarball})).to_string();
        let known = read_at(address, "tool", body.as_bytes()).expect("an answer").expect("a package");
        let file = &known.versions[0].files[0];
        assert_eq!((file.target.as_str(), file.location.as_str()), (target, "tool/-/tool-1.0.0.tgz"), "{tarball}");
    }
}

#[test]
fn digests_are_those_that_are_declared() {
    let strong = integrity(b"bytes");
    let both = format!("sha1-{} {strong}", base64(&[1; 20]));
    let signed = json!([{"keyid": "k", "sig": "s"}]);
    let file = taken(&dist(json!({"integrity": both, "signatures": signed}))).expect("a version").files.remove(0);
    let kept: Json = serde_json::from_str(&file.attributes.expect("attributes")).expect("JSON");
    assert_eq!((&kept["integrity"], kept.get("signatures")), (&json!(strong), None), "they signed another text");
    assert_eq!((file.sums.sha512, file.sums.sha1), (Some(sha2::Sha512::digest(b"bytes").into()), None));
    let sha256 = format!("sha256-{}", base64(&[7; 32]));
    assert_eq!(
        taken(&dist(json!({"integrity": sha256}))).expect("a version").files[0].sha256,
        Some(Sha256Digest([7; 32]))
    );
    for odd in [json!({"integrity": "garbage"}), json!({"shasum": "00"}), json!({"integrity": "sha384-AAAA"})] {
        assert_eq!(taken(&dist(odd.clone())), None, "it cannot be checked: {odd}");
    }
    for odd in [json!("x"), json!({"a": 1}), json!(["x".repeat(70_000)])] {
        let file = taken(&dist(json!({"integrity": strong, "signatures": odd}))).expect("a version").files.remove(0);
        assert!(!file.attributes.expect("attributes").contains("signatures"), "{odd}");
    }
}

#[test]
fn what_installing_does_is_said_in_several_ways() {
    for (said, runs) in [
        (json!({"hasInstallScript": true}), true),
        (json!({"gypfile": true}), true),
        (json!({"scripts": {"preinstall": "x"}}), true),
        (json!({"scripts": {"test": "x"}, "hasInstallScript": "yes"}), false),
        (json!({"scripts": "install"}), false),
    ] {
        let known = read(&one(said.clone())).expect("an answer").expect("a package");
        let shown = render(known, "tool")["versions"]["1.0.0"].get("hasInstallScript").cloned();
        assert_eq!(shown, runs.then_some(json!(true)), "{said}");
    }
}

/// They are from before versions were strict, and lockfiles name them.
#[test]
fn versions_are_kept_to_the_letter() {
    for version in ["1.0.0beta", "3.0.0rc5", "1.2.3-rc.1+build", "1.0.0+a", "0.0.0"] {
        let mut body = one(json!({"version": version}));
        body["versions"] = json!({version: body["versions"]["1.0.0"]});
        let known = taken(&body).expect(version);
        let location = format!("tool/-/tool-{version}.tgz");
        assert_eq!((known.version.as_str(), known.files[0].location.as_str()), (version, location.as_str()));
    }
    let mut body = one(json!({"version": "v1.0.0"}));
    body["versions"]["1.0.0+a"] = body["versions"]["1.0.0"].clone();
    let known = read(&body).expect("an answer").expect("a package");
    assert_eq!(known.versions.len(), 2, "they say the same version in other words");
}

/// The public registry has `JSONStream` and `jsonstream`, by different people.
#[test]
fn names_that_differ_in_case_stay_two_packages() {
    let said = |name: &str, version: &str| {
        let dist = json!({"tarball": format!("https://there.example/npm/{name}/-/{name}-1.0.0.tgz")});
        json!({"name": name, "versions": {"1.0.0": {"name": version, "version": "1.0.0", "dist": dist}}}).to_string()
    };
    let known = |asked: &str, name: &str, version: &str| {
        let known = read_at(ADDRESS, asked, said(name, version).as_bytes())?.expect("a package");
        let location = known.versions.first().map(|one| one.files[0].location.to_string());
        Ok::<_, Unreadable>((known.display.clone(), location, render(known, asked)))
    };
    for (asked, name, location) in [
        ("JSONStream", "JSONStream", "JSONStream/-/jsonstream-1.0.0.tgz"),
        ("jsonstream", "jsonstream", "jsonstream/-/jsonstream-1.0.0.tgz"),
        ("@Acme/Tool", "@Acme/Tool", "@Acme/Tool/-/tool-1.0.0.tgz"),
        // A registry to which they are one: ours, for one.
        ("jsonstream", "JSONStream", "jsonstream/-/jsonstream-1.0.0.tgz"),
        ("@acme/tool", "@Acme/tool", "@acme/tool/-/tool-1.0.0.tgz"),
    ] {
        for version in [name, asked] {
            let (display, found, shown) = known(asked, name, version).expect("an answer");
            assert_eq!((display.as_str(), found.as_deref()), (name, Some(location)), "{asked}");
            let shown = &shown["versions"]["1.0.0"];
            assert_eq!((&shown["name"], &shown["_id"]), (&json!(asked), &json!(format!("{asked}@1.0.0"))));
            assert_eq!(shown["dist"]["tarball"], format!("{}/{location}", SITE.base));
        }
    }
    for (asked, name) in
        [("JSONStream", "jsonstream"), ("JSONStream", "JsonStream"), ("@A/b", "@a/b"), ("@a/b", "@a/c")]
    {
        assert!(known(asked, name, name).is_err(), "{name} is not {asked}");
    }
}

/// Where an address leads in a repository whose packages are another server's.
fn led(rest: &str) -> Operation {
    Npm.parse(&Asked { as_written: true, ..Asked::plain(Method::Get, rest) }).expect("an operation")
}

#[test]
fn only_archives_come_from_there() {
    let origin = |path: &str| Npm.origin(&EntryPath::parse(path).expect("a path"));
    assert_eq!(origin("tool/-/tool-1.0.0.tgz"), Some(Origin::Listed(at("tool"))));
    assert_eq!(origin("@acme/tool/-/tool-1.0.0-rc.1.tgz"), Some(Origin::Listed(at("@acme/tool"))));
    assert_eq!(origin("JSONStream/-/jsonstream-1.0.0.tgz"), Some(Origin::Listed(at("JSONStream"))));
    for path in [
        "tool",
        "tool/-/other-1.0.0.tgz",
        "Tool/-/Tool-1.0.0.tgz",
        "tool/-/tool-1.0.0.zip",
        "a/b/-/b-1.tgz",
        "-/tool/-/tool-1.0.0.tgz",
        "tool/-/-/tool-1.0.0.tgz",
        "tool/-/tool-1/2.tgz",
        "@acme/-/acme-1.0.0.tgz",
    ] {
        assert_eq!(origin(path), None, "{path}");
    }
}

fn facts(name: &str, versions: &[(String, Option<String>, bool, i64)]) -> (Head, Vec<VersionFacts>) {
    let versions: Vec<VersionFacts> = versions
        .iter()
        .map(|(version, deprecated, plain, millis)| {
            let published_at = Some(Timestamp(millis * 1000));
            let head = crate::VersionHead {
                id: model::VersionId(Default::default()),
                version: version.clone(),
                published_at,
                changed_at: Timestamp(millis * 1000),
                yanked: None,
                deprecated: deprecated.clone(),
                unlisted: false,
            };
            let path = archive(name, version);
            let attributes = json!({"integrity": integrity(version.as_bytes()), "shasum": "0c".repeat(20),
                "fileCount": 3, "unpackedSize": millis, "hasInstallScript": millis % 2 == 0, "hasShrinkwrap": millis % 3 == 0});
            let file = crate::FileFacts {
                location: format!("{}/-/{path}", normal(name)),
                path,
                digest: Some(Sha256Digest([9; 32])),
                size: Some(7),
                attributes: (!plain).then(|| attributes.to_string()),
                added_at: published_at,
                yanked: None,
            };
            let manifest = json!({"name": name, "version": version, "dependencies": {"a": "^1"}, "os": ["linux"],
                "bundleDependencies": ["a"], "x": {"y": [1.5, null, "\u{1f600}"]}});
            VersionFacts { head, manifest: manifest.to_string(), files: vec![file] }
        })
        .collect();
    let head = Head {
        namespace: String::new(),
        name: name.to_owned(),
        display: name.to_owned(),
        generation: 3,
        versions: versions.iter().map(|one| one.head.clone()).collect(),
        refs: versions.last().map(|one| vec![("beta".to_owned(), one.head.version.clone())]).unwrap_or_default(),
        around: Vec::new(),
    };
    (head, versions)
}

proptest! {
    /// One of us as the upstream of another: what is read back renders the same document.
    #[test]
    fn what_we_say_reads_back_as_the_same_facts(
        name in prop::sample::select(vec!["tool", "@acme/tool", "JSONStream", "@Acme/Tool"]),
        versions in prop::collection::btree_map("[0-9]\\.(0|[1-9][0-9]{0,2})\\.[0-9](-rc\\.[0-9])?",
            (proptest::option::of("[a-z\u{e9}\"<]{1,20}"), any::<bool>(), 0i64..2_000_000_000_000), 1..6),
    ) {
        let versions: Vec<_> = versions.into_iter().map(|(key, (why, plain, at))| (key, why, plain, at)).collect();
        let (head, facts) = facts(name, &versions);
        let ours = rendered(&head, &facts).expect("a packument");
        let address = format!("https://ours.example/repository/js/{name}");
        let known = read_at(&address, name, ours.to_string().as_bytes()).expect("an answer").expect("a package");
        for (known, facts) in known.versions.iter().zip(&facts) {
            prop_assert_eq!(known.published_at, facts.head.published_at);
            let location = format!("{name}/-/{}", facts.files[0].path);
            prop_assert_eq!(known.files[0].location.as_str(), &location);
            prop_assert_eq!(&known.files[0].target, &format!("https://ours.example/repository/js/{location}"));
        }
        prop_assert_eq!(render(known, name), ours);
    }

    /// What we show leads to what we know, and from there to the package, however the other server writes its name.
    #[test]
    fn addresses_that_we_show_are_those_of_the_files(
        name in "(@[A-Za-z0-9]([A-Za-z0-9._~-]{0,3}[a-z0-9])?/)?[A-Za-z]([A-Za-z0-9._~-]{0,6}[A-Za-z0-9])?",
        loud in any::<bool>(),
        version in "[0-9]\\.[0-9]\\.[0-9](-[A-Za-z]{1,3}\\.[0-9])?(\\+[a-z])?",
    ) {
        prop_assume!(EntryPath::parse(&name).is_ok());
        let shown = if loud && normal(&name) == name { name.to_uppercase() } else { name.clone() };
        let body = json!({"name": shown, "versions": {version.clone(): {"name": shown, "version": version,
            "dist": {"tarball": "https://there.example/x"}}}}).to_string();
        let known = read_at(ADDRESS, &name, body.as_bytes()).expect("an answer").expect("a package");
        let location = known.versions[0].files[0].location.clone();
        prop_assert_eq!(Npm.origin(&location), Some(Origin::Listed(at(&name))));
        let shown = render(known, &name);
        let tarball = shown["versions"][&version]["dist"]["tarball"].as_str().expect("an address").to_owned();
        let rest = tarball.strip_prefix(SITE.base).and_then(|rest| rest.strip_prefix('/')).expect("ours");
        for rest in [rest, location.as_str()] {
            prop_assert!(matches!(led(rest), Operation::Fetch(path) if path == location), "{rest}");
        }
        for rest in [name.clone(), name.replace('/', "%2f")] {
            prop_assert!(matches!(led(&rest), Operation::Index(found, _) if found == at(&name)), "{rest}");
        }
    }
}

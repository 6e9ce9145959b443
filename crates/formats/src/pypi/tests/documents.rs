//! Indexes and what is told of projects.

use std::sync::Arc;

use model::{Sha256Digest, Timestamp, VersionId, VersionName};
use serde_json::Value as Json;

use super::super::{HTML, JSON, PLAIN_HTML, PROJECT, Pypi};
use crate::{Catalogue, Document, FileFacts, Format as _, Head, Listed, Refused, Site, VersionFacts, VersionHead};

const SITE: Site<'static> = Site { base: "https://host/repository/libs", auth_required: true, subject: None };

fn facts(version: &str, yanked: Option<&str>) -> VersionFacts {
    let head = VersionHead {
        id: VersionId(Default::default()),
        version: version.to_owned(),
        published_at: Some(Timestamp(1_500_000)),
        changed_at: Timestamp(1_500_000),
        yanked: yanked.map(str::to_owned),
        deprecated: None,
        unlisted: false,
    };
    let file = |path: &str, attributes: Option<&str>| FileFacts {
        path: path.to_owned(),
        location: format!("packages/demo/{version}/{path}"),
        digest: Some(Sha256Digest([7; 32])),
        size: Some(42),
        attributes: attributes.map(str::to_owned),
        added_at: Some(Timestamp(1_500_000)),
        yanked: None,
    };
    let kept = r#"{"filetype": "bdist_wheel", "python": "py3", "requires_python": ">=3.8,<4", "metadata": "00ff",
        "attested": true, "md5": "01010101010101010101010101010101"}"#;
    let wheel = format!("demo-{version}-py3-none-any.whl");
    let files = vec![file(&wheel, Some(kept)), file(&format!("{wheel}.metadata"), None)];
    let manifest = format!(r#"{{"name": "Demo", "version": "{version}", "info": {{"summary": "<b>"}}}}"#);
    VersionFacts { head, manifest, files }
}

fn shown(view: u8, versions: &[VersionFacts]) -> Option<Document> {
    let head = Head {
        namespace: String::new(),
        name: "demo".to_owned(),
        display: "Demo".to_owned(),
        generation: 9,
        versions: versions.iter().map(|one| one.head.clone()).collect(),
        refs: Vec::new(),
        around: Vec::new(),
    };
    let parts: Vec<_> = versions.iter().map(|one| Pypi.fragment(view, one, &SITE).map(Arc::from)).collect();
    Pypi.assemble(view, &head, &parts, &SITE)
}

fn json(view: u8, versions: &[VersionFacts]) -> Json {
    model::json::from_slice(&shown(view, versions).expect("a document").body).expect("JSON")
}

fn html(versions: &[VersionFacts]) -> String {
    String::from_utf8(shown(PLAIN_HTML, versions).expect("a document").body).expect("text")
}

#[test]
fn the_index_tells_of_archives_and_not_of_what_belongs_to_them() {
    let index = json(JSON, &[facts("1.0+a", None)]);
    assert_eq!(index["meta"]["api-version"], "1.3");
    assert_eq!((&index["name"], &index["versions"]), (&"demo".into(), &serde_json::json!(["1.0+a"])));
    assert_eq!(index["files"].as_array().map(Vec::len), Some(1));
    let file = &index["files"][0];
    assert_eq!(file["url"], "../../packages/demo/1.0%2Ba/demo-1.0%2Ba-py3-none-any.whl");
    assert_eq!(file["upload-time"], "1970-01-01T00:00:01.500000Z");
    assert_eq!((&file["size"], file.get("yanked")), (&42.into(), None));
    assert_eq!(file["core-metadata"]["sha256"], "00ff");
    assert_eq!(file.get("dist-info-metadata"), None, "pip 23.0 fails at it");
    assert_eq!(
        file["provenance"],
        "https://host/repository/libs/packages/demo/1.0%2Ba/demo-1.0%2Ba-py3-none-any.whl.provenance"
    );
}

#[test]
fn html_carries_the_same_and_nothing_that_breaks_out() {
    let page = html(&[facts("1.0", Some("bad \"><script>"))]);
    for part in [
        "<meta name=\"pypi:repository-version\" content=\"1.3\">",
        "href=\"../../packages/demo/1.0/demo-1.0-py3-none-any.whl#sha256=0707",
        "data-requires-python=\"&gt;=3.8,&lt;4\"",
        "data-core-metadata=\"sha256=00ff\"",
        "data-yanked=\"bad &quot;&gt;&lt;script&gt;\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("<script>"));
    assert_eq!(
        shown(HTML, &[facts("1.0", None)]).map(|page| page.media_type),
        Some("application/vnd.pypi.simple.v1+html")
    );
}

#[test]
fn yanks_say_why_or_only_that() {
    assert_eq!(json(JSON, &[facts("1.0", Some("broken"))])["files"][0]["yanked"], "broken");
    assert_eq!(json(JSON, &[facts("1.0", Some(""))])["files"][0]["yanked"], true);
    assert!(html(&[facts("1.0", Some(""))]).contains(" data-yanked=\"\""));
    assert!(!html(&[facts("1.0", None)]).contains("data-yanked"));
}

#[test]
fn what_is_unlisted_is_left_out_and_nothing_is_no_project() {
    let mut hidden = facts("2.0", None);
    hidden.head.unlisted = true;
    assert_eq!(json(JSON, &[facts("1.0", None), hidden.clone()])["versions"], serde_json::json!(["1.0"]));
    for view in [JSON, HTML, PLAIN_HTML, PROJECT] {
        assert!(shown(view, std::slice::from_ref(&hidden)).is_none() && shown(view, &[]).is_none(), "{view}");
    }
}

#[test]
fn a_project_shows_its_greatest_stable_version_that_is_not_yanked() {
    let all = [facts("1.10", None), facts("1.9", None), facts("2.0a1", None), facts("1.11", Some("bad"))];
    let project = json(PROJECT, &all);
    assert_eq!((&project["info"]["version"], &project["info"]["summary"]), (&"1.10".into(), &"<b>".into()));
    assert_eq!(project["releases"].as_object().map(serde_json::Map::len), Some(4));
    assert_eq!(project["releases"]["1.11"][0]["yanked_reason"], "bad");
    let url = &project["urls"][0];
    assert_eq!(url["url"], "https://host/repository/libs/packages/demo/1.10/demo-1.10-py3-none-any.whl");
    assert_eq!((&url["packagetype"], &url["python_version"]), (&"bdist_wheel".into(), &"py3".into()));
    assert_eq!(url["md5_digest"], "01010101010101010101010101010101");
    // Only what is left counts.
    assert_eq!(json(PROJECT, &[facts("2.0a1", None)])["info"]["version"], "2.0a1");
}

#[test]
fn the_list_names_projects_as_people_write_them() {
    let listed = Listed {
        namespace: String::new(),
        name: "demo-lib".to_owned(),
        display: "Demo.Lib".to_owned(),
        version: "1.0".to_owned(),
        published_at: Some(Timestamp(0)),
        brief: None,
    };
    let asked = |view| Catalogue { view, prefix: String::new(), after: String::new(), limit: None, skip: 0 };
    let list = |view| Pypi.catalogue(&asked(view), std::slice::from_ref(&listed), false, &SITE).expect("a list").body;
    let found: Json = model::json::from_slice(&list(JSON)).expect("JSON");
    assert_eq!(found["projects"], serde_json::json!([{"name": "Demo.Lib"}]));
    let page = String::from_utf8(list(PLAIN_HTML)).expect("text");
    assert!(page.contains("<a href=\"demo-lib/\">Demo.Lib</a>"), "{page}");
}

#[test]
fn only_files_that_are_there_are_a_conflict_to_clients() {
    let refuse = |status, detail, reason| Pypi.refuse(&Refused { status, code: "conflict", detail, reason });
    let there = Some(model::Reason::OtherBytes);
    assert!(refuse(409, "demo-1.0.tar.gz already exists: published files never change", there).is_none());
    assert!(refuse(403, "no", None).is_none());
    let sealed = refuse(409, "demo already exists 1.0 is sealed: it takes no more files", Some(model::Reason::Taken))
        .expect("an answer");
    assert_eq!((sealed.status, sealed.media_type), (400, "application/problem+json"));
}

#[test]
fn one_version_is_one_whatever_its_spelling() {
    let twin = |text: &str| Pypi.twin(&VersionName::parse(text).expect("a version"));
    assert_eq!(twin("1.0"), twin("1.0.0"));
    assert_ne!(twin("1.0"), twin("1.0+a"));
}

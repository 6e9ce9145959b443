//! What is told of a release in every form that a format has: documents are well-formed, whatever was published.

use std::collections::BTreeSet;

use formats::{
    Catalogue, Document, FileFacts, Format, Head, Listed, Release, ReleaseFile, Site, Source, VersionFacts, VersionHead,
};
use model::{EntryPath, Sha256Digest, Timestamp, VersionId};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use serde_json::Value;

use crate::publish::digest;

/// Indexes and answers are asked for with every number that a format might use.
pub(crate) const VIEWS: std::ops::Range<u8> = 0..16;
const AT: Timestamp = Timestamp(1_700_000_000_000_000);
/// Elements of HTML that have no end.
const VOID: [&[u8]; 2] = [b"meta", b"br"];

/// Renders a release as it was published, with marks, and unlisted.
pub(crate) fn render(format: &dyn Format, release: &Release) {
    let plain = VersionHead {
        id: VersionId(Default::default()),
        version: release.version.to_string(),
        published_at: Some(AT),
        changed_at: AT,
        yanked: None,
        deprecated: None,
        unlisted: false,
    };
    let (yanked, deprecated) = (Some("it is \"bad\" <b>".to_owned()), Some("use another & better".to_owned()));
    let marked = VersionHead { yanked, deprecated, ..plain.clone() };
    let unlisted = VersionHead { unlisted: true, ..plain.clone() };
    for head in [plain, marked, unlisted] {
        let files = release.files.iter().map(file_facts).collect();
        let facts = VersionFacts { head, manifest: release.manifest.clone(), files };
        for view in VIEWS {
            documents(format, release, &facts, view).iter().for_each(|document| check(format, document));
        }
    }
}

fn documents(format: &dyn Format, release: &Release, facts: &VersionFacts, view: u8) -> Vec<Document> {
    let site = Site { base: "https://host.example/repository/libs", auth_required: true, subject: None };
    let fragment = format.fragment(view, facts, &site).map(std::sync::Arc::from);
    let head = head(format, release, facts);
    for file in &release.files {
        let folders = file.location.as_str().split('/');
        let parts: BTreeSet<&str> = folders.filter(|part| format.belongs(&facts.head.version, part)).collect();
        assert!(parts.len() < 2, "a version is in two parts: {parts:?}");
    }
    let asked = Catalogue { view, prefix: String::new(), after: String::new(), limit: None, skip: 0 };
    [
        format.assemble(view, &head, &[fragment], &site),
        format.version(view, &head, facts, &site),
        format.catalogue(&asked, &[listed(format, release)], true, &site),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn head(format: &dyn Format, release: &Release, facts: &VersionFacts) -> Head {
    let refs = || release.refs.iter().map(ToString::to_string);
    let around = format.around(&release.package);
    let around = around.map(|around| refs().filter(|name| name.starts_with(around.refs)).collect::<Vec<_>>());
    Head {
        namespace: release.package.namespace.clone(),
        name: release.package.name.clone(),
        display: release.display.clone(),
        generation: 7,
        versions: vec![facts.head.clone()],
        refs: refs().map(|name| (name, release.version.to_string())).collect(),
        around: around.unwrap_or_default().into_iter().map(|name| (release.package.name.clone(), name)).collect(),
    }
}

fn listed(format: &dyn Format, release: &Release) -> Listed {
    Listed {
        namespace: release.package.namespace.clone(),
        name: release.package.name.clone(),
        display: release.display.clone(),
        version: release.version.to_string(),
        published_at: Some(AT),
        brief: format.brief(&release.manifest),
    }
}

fn file_facts(file: &ReleaseFile) -> FileFacts {
    let (digest, size) = match &file.source {
        Source::Derived(bytes) => (digest(bytes), bytes.len() as u64),
        Source::Staged(_) => (Sha256Digest([7; 32]), 100),
        Source::Held { size, .. } => (Sha256Digest([8; 32]), *size),
    };
    let (path, location) = (file.path.to_string(), EntryPath::to_string(&file.location));
    let (digest, size, added_at) = (Some(digest), Some(size), Some(AT));
    FileFacts { path, location, digest, size, attributes: file.attributes.clone(), added_at, yanked: None }
}

pub(crate) fn check(format: &dyn Format, document: &Document) {
    let text = std::str::from_utf8(&document.body).expect("documents are UTF-8");
    let json = |text: &str| serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object());
    match document.media_type {
        kind if kind.contains("json") => assert!(json(text), "a document of JSON is an object: {text}"),
        kind if kind.contains("xml") => markup(text, &[]),
        kind if kind.contains("html") => markup(text, &VOID),
        _ if format.key() == "cargo" => assert!(text.lines().all(json), "each line of an index is an object: {text}"),
        _ => {}
    }
}

/// One element with all others in it, each closed, and nothing that a reader would take for something else.
fn markup(text: &str, void: &[&[u8]]) {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = false;
    let (mut open, mut roots) = (Vec::new(), 0);
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error}: {text}")) {
            Event::Start(tag) => {
                attributes(&tag);
                roots += usize::from(open.is_empty());
                open.extend((!void.contains(&tag.name().as_ref())).then(|| tag.name().as_ref().to_vec()));
            }
            Event::End(tag) => {
                assert_eq!(open.pop().as_deref(), Some(tag.name().as_ref()), "another one is open: {text}");
            }
            Event::Text(text) => assert!(!open.is_empty() || text.trim_ascii().is_empty(), "text outside: {text:?}"),
            Event::GeneralRef(name) => {
                let known = matches!(&*name, b"amp" | b"lt" | b"gt" | b"quot" | b"apos" | b"#39");
                assert!(known, "nobody knows {name:?}");
            }
            Event::Decl(_) | Event::DocType(_) => assert_eq!(roots, 0, "it comes first"),
            Event::Eof => break,
            other => panic!("{other:?} stands in {text}"),
        }
    }
    assert!(open.is_empty() && roots == 1, "{roots} roots, {} open: {text}", open.len());
}

fn attributes(tag: &BytesStart<'_>) {
    for attribute in tag.attributes() {
        let attribute = attribute.unwrap_or_else(|error| panic!("{error}: {tag:?}"));
        attribute.normalized_value(XmlVersion::Implicit1_0).unwrap_or_else(|error| panic!("{error}: {tag:?}"));
    }
}

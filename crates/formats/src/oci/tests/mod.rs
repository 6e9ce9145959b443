//! Manifests in every shape, cut anywhere, and what must not be taken.

use std::io::Cursor;

use bytes::Bytes;
use model::{Code, Sha256Digest};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

mod remote;

use super::*;
use crate::{Intake, Named, Piece, Plan, Refused, Source, StagedFile, Sums};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn digest(byte: &str) -> String {
    format!("sha256:{}", byte.repeat(32))
}

fn descriptor(kind: &str, byte: &str, size: u64) -> Json {
    json!({"mediaType": kind, "digest": digest(byte), "size": size})
}

fn image() -> Json {
    json!({
        "schemaVersion": 2, "mediaType": IMAGE, "config": descriptor("application/vnd.oci.image.config.v1+json", "aa", 2),
        "layers": [descriptor(LAYER, "bb", 3), descriptor(LAYER, "bb", 3)],
    })
}

fn parse(value: &Json, content_type: &str) -> Result<Manifest, model::Refusal> {
    Manifest::parse(value.to_string().as_bytes(), content_type)
}

fn with(field: &str, value: Json) -> Json {
    let mut image = image();
    image[field] = value;
    image
}

#[test]
fn an_image_holds_its_blobs_once() {
    let found = parse(&image(), IMAGE).expect("a manifest");
    assert_eq!(found.media_type, IMAGE);
    assert_eq!(found.artifact_type.as_deref(), Some("application/vnd.oci.image.config.v1+json"));
    assert_eq!(found.blobs.iter().map(|blob| (blob.size, blob.required)).collect::<Vec<_>>(), [(2, true), (3, true)]);
}

#[test]
fn an_index_holds_nothing_and_may_be_sparse() {
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(IMAGE, "cc", 5)]});
    assert!(parse(&index, INDEX).is_ok_and(|found| found.blobs.is_empty() && found.artifact_type.is_none()));
}

#[test]
fn an_index_holds_the_blobs_that_it_lists_where_they_are_here() {
    let signed = descriptor("application/vnd.docker.distribution.manifest.v1+prettyjws", "cc", 9);
    let layer = descriptor("application/vnd.oci.image.layer.v1.tar+gzip", "aa", 9);
    let about = descriptor("application/vnd.buildkit.cacheconfig.v0", "bb", 9);
    let config = descriptor("application/vnd.oci.image.config.v1+json", "dd", 9);
    let child = descriptor("application/vnd.oci.image.manifest.v1+json", "ee", 9);
    let listed = json!([signed, layer, about, config, child]);
    let index = parse(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}), INDEX).expect("an index");
    let blobs: Vec<String> = index.blobs.iter().map(|held| held.content.to_string()).collect();
    assert_eq!(blobs, ["aa", "bb", "dd"].map(digest));
    assert!(index.blobs.iter().all(|held| !held.required));
    assert_eq!(index.children.iter().map(ToString::to_string).collect::<Vec<_>>(), ["cc", "ee"].map(digest));
}

#[test]
fn artifacts_of_any_type_are_taken() {
    let artifact = json!({
        "schemaVersion": 2, "artifactType": "application/x", "blobs": [descriptor("text/plain", "dd", 1)],
        "subject": descriptor(IMAGE, "ee", 9), "annotations": {"a": "b"},
    });
    let found = parse(&artifact, "application/vnd.oci.artifact.manifest.v1+json").expect("an artifact");
    assert_eq!((found.blobs.len(), found.subject.map(|name| name.to_string())), (1, Some(digest("ee"))));
    assert!(parse(&artifact, "application/vnd.example.anything+json; charset=utf-8").is_ok());
}

#[test]
fn foreign_layers_need_not_be_here() {
    for kind in [
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ] {
        let found = parse(&with("layers", json!([descriptor(kind, "bb", 3)])), IMAGE).expect("a manifest");
        assert_eq!(found.blobs.iter().filter(|blob| blob.required).count(), 1, "{kind}");
    }
    let mut elsewhere = descriptor(LAYER, "bb", 3);
    elsewhere["urls"] = json!(["https://example.org/layer"]);
    assert!(
        parse(&with("layers", json!([elsewhere])), IMAGE)
            .is_ok_and(|found| !found.blobs.iter().all(|blob| blob.required))
    );
}

/// An object with so many keys.
fn keys(count: usize) -> Json {
    (0..count).map(|number| (number.to_string(), json!(1))).collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn what_readers_could_read_in_two_ways_is_refused() {
    let text = image().to_string();
    let twice = text.replacen("\"layers\"", "\"layers\":[],\"layers\"", 1);
    for bad in [
        with("manifests", json!([])).to_string(),
        with("Layers", json!([])).to_string(),
        with("mediatype", json!("x/y")).to_string(),
        with("layer\u{17f}", json!([])).to_string(),
        with("Manife\u{17f}ts", json!([])).to_string(),
        with("layers", json!([{"mediaType": LAYER, "digest": digest("bb"), "size": 3, "\u{17f}ize": 4}])).to_string(),
        with("layers", json!([{"mediaType": LAYER, "digest": digest("bb"), "Digest": digest("cc"), "size": 3}]))
            .to_string(),
        with("layers", json!([descriptor(LAYER, "aa", 77)])).to_string(),
        twice,
        text.replacen("\"layers\"", "\"annotations\":{\"a\":\"b\",\"a\":\"c\"},\"layers\"", 1),
        text.replacen("\"layers\"", "\"x\":[{\"a\":1,\"a\":1}],\"layers\"", 1),
        format!("{text}{{}}"),
        text.replacen("\"layers\"", &format!("\"x\":{}1{},\"layers\"", "[".repeat(65), "]".repeat(65)), 1),
        with("x", keys(4001)).to_string(),
    ] {
        let refused = Manifest::parse(bad.as_bytes(), IMAGE).expect_err(&bad);
        assert_eq!(refused.code, Code::Unprocessable);
    }
    Manifest::parse(with("x", keys(4000)).to_string().as_bytes(), IMAGE).expect("so many may be");
}

#[test]
fn a_list_of_referrers_cannot_be_made_of_megabytes() {
    let mut long = with("annotations", json!({"a": "x".repeat(64 << 10)}));
    assert!(parse(&long, IMAGE).is_ok(), "nobody repeats these");
    long["subject"] = descriptor(IMAGE, "ee", 3);
    assert!(parse(&long, IMAGE).expect_err("too long").detail.contains("annotations"));
    long["annotations"]["a"] = json!("x".repeat(60 << 10));
    assert!(parse(&long, IMAGE).is_ok());
}

#[test]
fn contradictions_and_nonsense_are_refused() {
    let wrong = [
        (image(), INDEX),
        (image(), "text/plain"),
        (with("schemaVersion", json!(1)), IMAGE),
        (with("schemaVersion", json!("2")), IMAGE),
        (with("mediaType", json!(INDEX)), INDEX),
        (with("mediaType", json!("no type")), ""),
        (with("layers", json!([{"mediaType": LAYER, "digest": "sha256:zz", "size": 1}])), IMAGE),
        (with("layers", json!([{"mediaType": LAYER, "digest": "md5:00", "size": 1}])), IMAGE),
        (with("layers", json!([{"mediaType": LAYER, "digest": digest("bb"), "size": -1}])), IMAGE),
        (with("layers", json!([{"mediaType": LAYER, "digest": digest("bb"), "size": u64::MAX}])), IMAGE),
        (with("layers", json!("x")), IMAGE),
        (with("subject", json!({"digest": "../../x", "mediaType": "a/b", "size": 1})), IMAGE),
        (with("annotations", json!({"a": 1})), IMAGE),
        (json!([]), IMAGE),
        (json!("x"), IMAGE),
        (json!({}), IMAGE),
    ];
    for (value, content_type) in wrong {
        assert!(parse(&value, content_type).is_err(), "{value} as {content_type}");
    }
    let deep = format!("{{\"schemaVersion\":2,\"x\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Manifest::parse(deep.as_bytes(), IMAGE).is_err());
    let many: Vec<Json> = (0..4001).map(|_| descriptor(LAYER, "bb", 3)).collect();
    assert!(parse(&with("layers", json!(many)), IMAGE).is_err());
}

#[test]
fn a_manifest_without_a_type_gets_the_one_of_its_shape() {
    let mut plain = image();
    plain.as_object_mut().expect("an object").remove("mediaType");
    assert!(parse(&plain, "").is_ok_and(|found| found.media_type == IMAGE));
    assert!(parse(&plain, "application/vnd.docker.distribution.manifest.v2+json").is_ok());
}

fn push(reference: &str, tags: &[&str], body: &[u8], cut: usize) -> Result<Plan, model::Refusal> {
    let at = ImageAt::of("k/team/app").expect("an image");
    let tags = tags.iter().map(|tag| model::RefName::parse(tag).expect("a tag")).collect();
    let mut intake = Box::new(Push::new(at, Reference::parse(reference).expect("a reference"), tags, IMAGE));
    let mut out = Vec::new();
    for piece in body.chunks(cut) {
        intake.push(Bytes::copy_from_slice(piece), &mut out)?;
    }
    intake.end(&mut out)?;
    assert!(matches!(out.first(), Some(Piece::Begin(_))) && matches!(out.last(), Some(Piece::End)));
    let bytes: Vec<u8> = out
        .iter()
        .flat_map(|piece| if let Piece::Bytes(bytes) = piece { bytes.to_vec() } else { Vec::new() })
        .collect();
    let (length, sha256) = (bytes.len() as u64, Sha256Digest([7; 32]));
    let sums = Sums { sha512: Some([9; 64]), ..Sums::default() };
    intake.plan(&mut [StagedFile { length, sha256, sums, bytes: Box::new(Cursor::new(bytes)) }])
}

#[test]
fn a_push_is_a_version_named_by_its_digest() {
    let body = with("subject", descriptor(IMAGE, "ee", 9)).to_string();
    let plan = push("latest", &["v1", "latest"], body.as_bytes(), 1000).expect("a plan");
    let release = plan.release.expect("a release");
    assert_eq!(release.version.as_str(), Named::Sha256(Sha256Digest([7; 32])).to_string());
    assert_eq!(release.refs.iter().map(ToString::to_string).collect::<Vec<_>>(), ["latest", "v1"]);
    assert_eq!((release.subject, release.again, release.files.len()), (Some(digest("ee")), true, 3));
    assert!(release.files.iter().skip(1).all(|file| matches!(file.source, Source::Held { required: true, .. })));
    let header = |name| plan.answer.headers.iter().find(|(found, _)| *found == name).map(|(_, value)| value.clone());
    assert_eq!(header("oci-subject"), Some(digest("ee")));
    assert!(header("location").is_some_and(|location| location.starts_with("/v2/k/team/app/manifests/sha256:07")));
}

#[test]
fn a_push_by_sha512_keeps_that_name_and_is_checked() {
    let body = image().to_string();
    let good = format!("sha512:{}", "09".repeat(64));
    let plan = push(&good, &[], body.as_bytes(), 64).expect("a plan");
    assert_eq!(plan.release.map(|release| release.version.as_str().to_owned()), Some(good));
    let bad = push(&format!("sha512:{}", "08".repeat(64)), &[], body.as_bytes(), 64).expect_err("another digest");
    assert_eq!(bad.code, Code::UploadVerificationFailed);
}

#[test]
fn a_manifest_of_four_mebibytes_is_taken_and_a_longer_one_is_not() {
    let mut body = with("annotations", json!({"pad": ""})).to_string();
    let pad = "x".repeat(LONGEST - body.len());
    body = with("annotations", json!({"pad": pad})).to_string();
    assert_eq!(body.len(), LONGEST);
    assert!(push("a", &[], body.as_bytes(), 1 << 16).is_ok());
    let refused = push("a", &[], format!("{body} ").as_bytes(), 1 << 16).expect_err("too long");
    assert_eq!(refused.code, Code::PayloadTooLarge);
}

#[test]
fn refusals_have_the_codes_of_the_specification() {
    let code = |about: About, code: &str, status: u16| {
        let answer = refuse(&about, &Refused { status, code, detail: "why", reason: None });
        let body: Json = model::json::from_slice(&answer.body).expect("JSON");
        assert_eq!(body["errors"][0]["message"], "why");
        format!("{} {}", answer.status, body["errors"][0]["code"].as_str().unwrap_or_default())
    };
    assert_eq!(code(About::Manifest, "gone", 410), "404 MANIFEST_UNKNOWN");
    assert_eq!(code(About::Push, "not_found", 404), "404 MANIFEST_BLOB_UNKNOWN");
    assert_eq!(code(About::Push, "unprocessable", 422), "400 MANIFEST_INVALID");
    assert_eq!(code(About::Blob, "not_found", 404), "404 BLOB_UNKNOWN");
    assert_eq!(code(About::Upload, "invalid_range", 416), "416 BLOB_UPLOAD_INVALID");
    assert_eq!(code(About::Bytes, "upload_verification_failed", 409), "400 DIGEST_INVALID");
    assert_eq!(code(About::Name, "unauthorized", 401), "401 UNAUTHORIZED");
    assert_eq!(code(About::Push, "forbidden", 403), "403 DENIED");
    assert_eq!(code(About::Push, "too_many_requests", 429), "429 TOOMANYREQUESTS");
    assert_eq!(code(About::Push, "payload_too_large", 413), "413 SIZE_INVALID");
    assert_eq!(code(About::Name, "service_unavailable", 503), "503 UNKNOWN");
}

#[test]
fn referrers_are_filtered_and_paged() {
    let kept =
        |kind: &str| format!(r#"{{"mediaType":"{IMAGE}","size":5,"artifactType":"{kind}","annotations":{{"a":"b"}}}}"#);
    let all = vec![(digest("01"), kept("x/sig")), (digest("02"), kept("x/sbom"))];
    let at = ImageAt::of("k/a").expect("an image");
    let read = |answer: &crate::Answer| model::json::from_slice::<Json>(&answer.body).expect("JSON");
    let plain = read(&referrers(&at, &digest("00"), &all, &[], None));
    assert_eq!((plain["mediaType"].as_str(), plain["manifests"].as_array().map(Vec::len)), (Some(INDEX), Some(2)));
    let some = referrers(&at, &digest("00"), &all, &["x/sbom".to_owned()], Some("7"));
    assert_eq!(read(&some)["manifests"][0]["digest"], digest("02"));
    assert!(some.headers.iter().any(|header| header.0 == "oci-filters-applied"));
    let link = some.headers.iter().find(|header| header.0 == "link").map(|header| header.1.clone());
    assert_eq!(link, Some(format!("</v2/k/a/referrers/{}?artifactType=x%2Fsbom&after=7>; rel=\"next\"", digest("00"))));
    let none = read(&referrers(&at, &digest("00"), &[], &[], None));
    assert_eq!(none["manifests"], json!([]), "never null");
}

proptest! {
    #[test]
    fn a_manifest_is_one_however_it_is_cut(cut in 1usize..700) {
        let body = image().to_string();
        let plan = push("v1", &[], body.as_bytes(), cut).expect("a plan");
        prop_assert_eq!(plan.release.map(|release| release.files.len()), Some(3));
    }

    #[test]
    fn a_manifest_that_stops_short_is_refused(short in 1usize..300) {
        let body = image().to_string();
        prop_assert!(push("v1", &[], &body.as_bytes()[..body.len().saturating_sub(short)], 50).is_err());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in "\\PC{0,20}") {
        let _ = Manifest::parse(&bytes, &kind);
    }
}

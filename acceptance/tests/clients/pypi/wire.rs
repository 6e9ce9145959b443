//! What Python's clients do not show: forms of the index, conditions, ranges, and uploads that are refused.

use acceptance::Result;
use acceptance::http::Answer;
use acceptance::server::Backing;
use acceptance::shelf::hex;
use bytes::Bytes;
use md5::Md5;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::python::{act, packed};
use crate::desk::Desk;

const JSON: &str = "application/vnd.pypi.simple.v1+json";
const PIP: &str = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01";
const FILE: &str = "greeting-1.0-py3-none-any.whl";

/// A repository, and a wheel that is not in it yet.
async fn opened() -> Result<(Desk, Vec<u8>)> {
    let desk = Desk::open(Backing::Embedded, "pypi").await?;
    let said = json!({"name": "greeting", "version": "1.0", "python": ">=3.8,<9"});
    let wheel = std::fs::File::open(packed(&desk, "dist", "wheel", &said)?)?;
    Ok((desk, bytes_of(wheel)?))
}

fn bytes_of(mut file: std::fs::File) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut bytes)?;
    Ok(bytes)
}

const BOUNDARY: &str = "a-boundary";

/// A field of a form and its value.
type Field<'a> = (&'a str, &'a str);

/// The body of an upload.
fn form(fields: &[Field<'_>], file: &str, content: &[u8]) -> Vec<u8> {
    let own = [(":action", "file_upload"), ("protocol_version", "1"), ("name", "greeting"), ("version", "1.0")];
    let kind = [("filetype", "bdist_wheel"), ("pyversion", "py3")];
    let own = own.into_iter().chain(kind).filter(|(name, _)| !fields.iter().any(|(known, _)| known == name));
    let mut body = Vec::new();
    for (name, value) in own.chain(fields.iter().copied()) {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(head.as_bytes());
    }
    let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"content\"; filename=\"{file}\"\r\n\r\n");
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    body
}

async fn upload(desk: &Desk, fields: &[(&str, &str)], file: &str, content: &[u8]) -> Result<Answer> {
    let post = desk.admin.post("/repository/pypi/legacy/").header("User-Agent", "twine/7.0.0");
    let post = post.header("Content-Type", format!("multipart/form-data; boundary={BOUNDARY}"));
    post.body(form(fields, file, content)).send().await
}

#[tokio::test]
async fn the_index_has_the_form_that_is_asked_for_and_is_sent_once() -> Result<()> {
    let (desk, wheel) = opened().await?;
    upload(&desk, &[], FILE, &wheel).await?.expect(&[200])?;
    let at = |path: &str| format!("/repository/pypi/{path}");
    for path in ["simple/", "simple/greeting/"] {
        for (accept, media_type) in [
            ("", "text/html; charset=utf-8"),
            ("*/*", "text/html; charset=utf-8"),
            (PIP, JSON),
            ("application/vnd.pypi.simple.latest+json", JSON),
            ("application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.v1+html"),
            ("application/vnd.pypi.simple.v1+json;q=0.2, text/html;q=0.9", "text/html; charset=utf-8"),
        ] {
            let get = || desk.admin.get(&at(path)).header("Accept", accept);
            let first = get().send().await?.expect(&[200])?;
            assert_eq!(first.header("content-type"), Some(media_type), "{path} {accept}");
            assert!(first.header("vary").unwrap_or_default().contains("Accept"));
            let tag = first.header("etag").unwrap_or_default().to_owned();
            get().header("If-None-Match", &tag).send().await?.expect(&[304])?;
            let head = desk.admin.head(&at(path)).header("Accept", accept).send().await?.expect(&[200])?;
            assert_eq!(head.header("etag"), Some(tag.as_str()));
        }
        let none = desk.admin.get(&at(path)).header("Accept", "application/vnd.pypi.simple.v2+json").send().await?;
        assert!(none.expect(&[406])?.text().contains(JSON));
        let asked = desk.admin.get(&at(&format!("{path}?format={JSON}"))).send().await?.expect(&[200])?;
        assert_eq!(asked.header("content-type"), Some(JSON));
    }
    for (path, there) in
        [("simple", "simple/"), ("simple/Greeting", "greeting/"), ("simple/GREETING/", "../greeting/"), ("", "simple/")]
    {
        let moved = desk.admin.get(&at(path)).send().await?.expect(&[308])?;
        assert_eq!(moved.header("location"), Some(there), "{path}");
    }
    // A tag of the old state is not one of the new.
    let get = || desk.admin.get(&at("simple/greeting/")).header("Accept", JSON);
    let tag = get().send().await?.expect(&[200])?.header("etag").unwrap_or_default().to_owned();
    act(&desk, "greeting", "1.0", "yank", "broken <b>").await?;
    let yanked = get().header("If-None-Match", &tag).send().await?.expect(&[200])?.json()?;
    assert_eq!(yanked["files"][0]["yanked"], "broken <b>");
    let page = desk.admin.get(&at("simple/greeting/")).send().await?.expect(&[200])?.text();
    assert!(page.contains("data-yanked=\"broken &lt;b&gt;\""), "{page}");
    act(&desk, "greeting", "1.0", "tombstone", "gone").await?;
    get().send().await?.expect(&[404])?;
    desk.admin.get(&at(&format!("packages/greeting/1.0/{FILE}"))).send().await?.expect(&[410])?;
    desk.admin.get(&at("simple/nothing/")).send().await?.expect(&[404])?;
    Ok(())
}

#[tokio::test]
async fn files_come_whole_in_parts_and_with_what_belongs_to_them() -> Result<()> {
    let (desk, wheel) = opened().await?;
    let signature = "-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n";
    let sums = (hex(&Sha256::digest(&wheel)), hex(&Md5::digest(&wheel)));
    let fields = [("sha256_digest", sums.0.as_str()), ("md5_digest", &sums.1), ("gpg_signature", signature)];
    upload(&desk, &fields, FILE, &wheel).await?.expect(&[200])?;
    let index = desk.admin.get("/repository/pypi/simple/greeting/").header("Accept", JSON).send().await?;
    let index = index.expect(&[200])?.json()?;
    assert_eq!(index["versions"], json!(["1.0"]));
    let file = &index["files"][0];
    assert_eq!((&file["size"], &file["gpg-sig"]), (&Json::from(wheel.len()), &Json::Bool(true)));
    assert_eq!((&file["hashes"]["sha256"], &file["requires-python"]), (&sums.0.into(), &">=3.8,<9".into()));
    let time = file["upload-time"].as_str().unwrap_or_default();
    assert!(time.len() == 27 && time.ends_with('Z') && time.starts_with("20"), "{time}");
    let there = file["url"].as_str().unwrap_or_default().replace("../..", "/repository/pypi");

    let whole = desk.admin.get(&there).send().await?.expect(&[200])?;
    assert_eq!(whole.body.as_ref(), wheel);
    assert!(whole.header("cache-control").unwrap_or_default().contains("immutable"));
    assert_eq!(whole.header("content-encoding"), None);
    let head = desk.admin.head(&there).send().await?.expect(&[200])?;
    assert_eq!(head.header("content-length"), Some(wheel.len().to_string().as_str()));
    assert_eq!(head.header("accept-ranges"), Some("bytes"));
    let tail = desk.admin.get(&there).range("bytes=-20").send().await?.expect(&[206])?;
    assert_eq!(tail.body.as_ref(), wheel.get(wheel.len() - 20..).unwrap_or_default());
    desk.admin.get(&there).range("bytes=9999999-").send().await?.expect(&[416])?;
    let tag = whole.header("etag").unwrap_or_default().to_owned();
    desk.admin.get(&there).header("If-None-Match", tag).send().await?.expect(&[304])?;

    let metadata = desk.admin.get(&format!("{there}.metadata")).send().await?.expect(&[200])?;
    assert_eq!(file["core-metadata"]["sha256"], hex(&Sha256::digest(&metadata.body)));
    assert!(metadata.text().contains("Name: greeting"));
    assert_eq!(desk.admin.get(&format!("{there}.asc")).send().await?.expect(&[200])?.text(), signature);
    desk.admin.get(&format!("{there}.provenance")).send().await?.expect(&[404])?;

    let project = desk.admin.get("/repository/pypi/pypi/greeting/json").send().await?.expect(&[200])?.json()?;
    assert_eq!(project["info"]["summary"], "<greets> & more");
    assert_eq!(project["urls"][0]["md5_digest"], sums.1);
    let url = project["urls"][0]["url"].as_str().unwrap_or_default().to_owned();
    assert!(url.starts_with(&desk.url()?), "{url}");
    desk.admin.get("/repository/pypi/pypi/greeting/1.0/json").send().await?.expect(&[200])?;
    desk.admin.get("/repository/pypi/pypi/greeting/2.0/json").send().await?.expect(&[404])?;
    Ok(())
}

#[tokio::test]
async fn a_body_may_come_in_any_pieces() -> Result<()> {
    let (desk, wheel) = opened().await?;
    let body = form(&[], FILE, &wheel);
    let pieces: Vec<Bytes> = body.chunks(37).map(Bytes::copy_from_slice).collect();
    let post = desk.admin.post("/repository/pypi/").header("User-Agent", "poetry/2.5.1");
    let post = post.header("Content-Type", format!("multipart/form-data; boundary=\"{BOUNDARY}\""));
    post.chunks(pieces).send().await?.expect(&[200])?;
    desk.admin.get(&format!("/repository/pypi/packages/greeting/1.0/{FILE}")).send().await?.expect(&[200]).map(drop)
}

#[tokio::test]
async fn attestations_are_kept_with_the_file_that_they_are_about() -> Result<()> {
    use base64::Engine as _;
    let (desk, wheel) = opened().await?;
    let attestation = |sha256: &str| {
        let code = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let statement = json!({"subject": [{"name": FILE, "digest": {"sha256": sha256}}]}).to_string();
        json!([{"version": 1, "verification_material": {"certificate": "x", "transparency_entries": []},
            "envelope": {"statement": code(&statement), "signature": code("s")}}])
    };
    let wrong = attestation(&"0".repeat(64)).to_string();
    let refused = upload(&desk, &[("attestations", &wrong)], FILE, &wheel).await?.expect(&[422])?;
    assert!(refused.string("/detail")?.contains("an attestation is about a file of sha256 000"));
    let right = attestation(&hex(&Sha256::digest(&wheel)));
    upload(&desk, &[("attestations", &right.to_string())], FILE, &wheel).await?.expect(&[200])?;
    let index = desk.admin.get("/repository/pypi/simple/greeting/").header("Accept", JSON).send().await?;
    let there = index.expect(&[200])?.string("/files/0/provenance")?;
    let there = there.split_once("/repository/").map(|(_, rest)| format!("/repository/{rest}")).unwrap_or_default();
    let provenance = desk.admin.get(&there).send().await?.expect(&[200])?;
    assert_eq!(provenance.header("content-type"), Some("application/vnd.pypi.integrity.v1+json"));
    assert_eq!(provenance.json()?["attestation_bundles"][0]["attestations"], right);
    Ok(())
}

#[tokio::test]
async fn what_contradicts_itself_is_refused_in_words_and_leaves_nothing() -> Result<()> {
    let (desk, wheel) = opened().await?;
    let zeros = "0".repeat(64);
    let cases: [(&[Field<'_>], &str, u16, &str); 9] = [
        (&[("name", "other")], FILE, 422, "the form says name other, the archive says greeting"),
        (&[("version", "2.0")], FILE, 422, "the form says version 2.0, the archive says 1.0"),
        (&[("filetype", "sdist")], FILE, 422, "filetype sdist"),
        (&[], "other-1.0-py3-none-any.whl", 422, "the file is called other-1.0"),
        (&[("sha256_digest", &zeros)], FILE, 422, "sha256_digest is 000"),
        (&[("blake2_256_digest", &zeros)], FILE, 422, "blake2_256_digest is 000"),
        (&[(":action", "submit")], FILE, 400, "file_upload alone"),
        (&[], "greeting-1.0-py3.11.egg", 400, "neither a wheel"),
        (&[], "../greeting-1.0-py3-none-any.whl", 400, "the file name"),
    ];
    for (fields, file, status, why) in cases {
        let refused = upload(&desk, fields, file, &wheel).await?.expect(&[status])?;
        let detail = refused.string("/detail")?;
        assert!(detail.contains(why), "{why}: {detail}");
    }
    let cut = wheel.get(..wheel.len() / 2).unwrap_or_default();
    upload(&desk, &[], FILE, cut).await?.expect(&[422])?;
    for kind in ["application/json", "multipart/form-data", ""] {
        let post = desk.admin.post("/repository/pypi/legacy/").header("Content-Type", kind);
        post.body(form(&[], FILE, &wheel)).send().await?.expect(&[400])?;
    }
    let listed = desk.admin.get("/repository/pypi/simple/").header("Accept", JSON).send().await?.expect(&[200])?;
    assert_eq!(listed.json()?["projects"], json!([]));
    desk.admin.get("/repository/pypi/simple/greeting/").send().await?.expect(&[404])?;
    // Nothing of what was refused stands in the way.
    upload(&desk, &[], FILE, &wheel).await?.expect(&[200])?;
    upload(&desk, &[], FILE, &wheel).await?.expect(&[200])?;
    desk.admin.get("/repository/pypi/legacy/").send().await?.expect(&[405])?;
    let draft = json!({"packageType": "pypi", "packageName": "x", "version": "1.0"});
    let draft = desk.admin.post("/v1/repos/pypi/packages/versions/drafts").json(&draft).send().await?.expect(&[400])?;
    assert!(draft.text().contains("their own protocol"), "{}", draft.text());
    // Who is nobody is asked for a token.
    let nobody = desk.server.http()?.get("/repository/pypi/simple/").header("User-Agent", "pip/26.3").send().await?;
    let nobody = nobody.expect(&[401])?;
    assert!(nobody.all("www-authenticate").any(|challenge| challenge.starts_with("Basic")));
    Ok(())
}

#[tokio::test]
async fn a_sealed_version_takes_no_new_file_and_says_what_is_there() -> Result<()> {
    let (desk, wheel) = opened().await?;
    upload(&desk, &[], FILE, &wheel).await?.expect(&[200])?;
    act(&desk, "greeting", "1.0", "seal", "").await?;
    upload(&desk, &[], FILE, &wheel).await?.expect(&[200])?;
    let said = json!({"name": "greeting", "version": "1.0", "text": "x = 1\n"});
    let other = bytes_of(std::fs::File::open(packed(&desk, "other", "wheel", &said)?)?)?;
    let there = upload(&desk, &[], FILE, &other).await?.expect(&[409])?;
    assert!(there.string("/detail")?.contains("already exists"));
    // A file that is not there is no reason to skip it.
    let sdist = bytes_of(std::fs::File::open(packed(&desk, "other", "sdist", &said)?)?)?;
    let fields = [("filetype", "sdist"), ("pyversion", "source")];
    let sealed = upload(&desk, &fields, "greeting-1.0.tar.gz", &sdist).await?.expect(&[400])?;
    assert!(sealed.string("/detail")?.contains("is sealed: it takes no more files"));
    Ok(())
}

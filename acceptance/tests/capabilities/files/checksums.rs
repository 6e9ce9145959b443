//! What a client says of its bytes is checked, all of it.

use acceptance::Result;
use md5::{Digest, Md5};
use serde_json::json;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::{base64, hex, left_nothing, status};
use crate::shape::{ask, refused};
use crate::site::{Site, ensure};

/// A header that tells a digest: its name, and how the digest of `bytes` is written in it.
fn headers(bytes: &[u8]) -> Vec<(&'static str, String)> {
    let (md5, sha1) = (Md5::digest(bytes), Sha1::digest(bytes));
    let (sha256, sha512) = (Sha256::digest(bytes), Sha512::digest(bytes));
    vec![
        ("X-Checksum-Sha256", hex(&sha256)),
        ("X-Checksum-Sha512", hex(&sha512)),
        ("X-Checksum-Sha1", hex(&sha1)),
        ("X-Checksum-Md5", hex(&md5)),
        ("Content-MD5", base64(&md5)),
        ("Content-Digest", format!("sha-256=:{}:", base64(&sha256))),
        ("Content-Digest", format!("sha-512=:{}:", base64(&sha512))),
        ("Content-Digest", format!("sha-256=:{}:, sha-512=:{}:", base64(&sha256), base64(&sha512))),
        ("Repr-Digest", format!("sha-256=:{}:", base64(&sha256))),
        ("Digest", format!("SHA-256={}", base64(&sha256))),
        ("Digest", format!("sha-512={}", base64(&sha512))),
        ("Digest", format!("SHA={},MD5={}", base64(&sha1), base64(&md5))),
    ]
}

#[tokio::test]
async fn right_ones_are_taken_and_wrong_ones_leave_nothing() -> Result<()> {
    for site in [Site::embedded().await?, Site::scaled().await?] {
        site.repository("files", json!({})).await?;
        for size in [5, 200_000] {
            let bytes = super::noise(size, 1);
            let (right, wrong) = (headers(&bytes), headers(b"other"));
            for (number, ((name, value), (_, lie))) in right.iter().zip(&wrong).enumerate() {
                for (way, chunked) in [("sized", false), ("chunked", true)] {
                    let path = format!("/repository/files/{size}-{number}-{way}");
                    let put = |value: &str| {
                        let put = site.admin.put(&path).header(name, value);
                        if chunked { put.chunks(vec![bytes.clone()]) } else { put.body(bytes.clone()) }
                    };
                    let code = refused(put(lie), 409).await?;
                    ensure(code == "upload_verification_failed", format!("{name}: {lie}: {code}"))?;
                    ensure(status(site.admin.get(&path)).await? == 404, "nothing is left")?;
                    ask(put(value)).await?.expect(&[201])?;
                }
            }
        }
        ensure(stored_files(&site)? <= 24, "the refused bytes are gone from the store")?;
    }
    Ok(())
}

/// What is refused has nothing to do with what the body means: the doors of all formats compare alike.
#[tokio::test]
async fn every_door_compares() -> Result<()> {
    let site = Site::embedded().await?;
    for format in ["cargo", "go", "maven", "npm", "oci", "pypi", "raw"] {
        site.repository(&format!("my-{format}"), json!({"format": format})).await?;
    }
    let begin = |path: &str| site.admin.post(path).send();
    let upload = begin("/v2/my-oci/app/blobs/uploads/").await?.expect(&[202])?;
    let upload = upload.header("location").unwrap_or_default().to_owned();
    let body = &b"neither a package nor a manifest"[..];
    let digest = format!("sha256:{}", hex(&Sha256::digest(body)));
    let session = json!({"expectedDigest": digest, "expectedLength": body.len()});
    let session = site.admin.post("/v1/repos/my-raw/uploads").json(&session).send().await?.expect(&[201])?;
    let part = format!("/v1/repos/my-raw/uploads/{}/parts/1", session.string("/uploadId")?);
    let form =
        b"--x\r\nContent-Disposition: form-data; name=\"content\"; filename=\"a.whl\"\r\n\r\nno wheel\r\n--x--\r\n";
    for (method, path, body) in [
        ("PUT", "/repository/my-cargo/api/v1/crates/new".to_owned(), &b"\x02\0\0\0{}\0\0\0\0"[..]),
        ("PUT", "/repository/my-go/example.com/tool/@v/v1.0.0.zip".to_owned(), body),
        ("PUT", "/repository/my-maven/com/example/demo/1.0/demo-1.0.jar".to_owned(), body),
        ("PUT", "/repository/my-npm/tool".to_owned(), b"{}"),
        ("PUT", "/repository/my-npm/-/package/tool/dist-tags/next".to_owned(), b"\"1.0.0\""),
        ("POST", "/repository/my-pypi/legacy/".to_owned(), form),
        ("PUT", "/repository/my-raw/tool".to_owned(), body),
        ("PUT", "/v2/my-oci/app/manifests/1.0".to_owned(), body),
        ("POST", format!("/v2/my-oci/app/blobs/uploads/?digest={digest}"), body),
        ("PATCH", upload.clone(), body),
        ("PUT", part, body),
    ] {
        for (name, lie) in headers(b"other") {
            let sent = site.admin.request(method, &path).header("Content-Type", "multipart/form-data; boundary=x");
            let sent = sent.header(name, lie).body(body.to_vec()).send().await?;
            // 409 means "it is there already" to clients of PyPI, and container clients have codes of their own.
            let refused = match path.split('/').nth(2) {
                Some("my-pypi") => sent.status == 400 && sent.text().contains("upload_verification_failed"),
                _ if path.starts_with("/v2/") => sent.status == 400 && sent.text().contains("DIGEST_INVALID"),
                _ => sent.status == 409,
            };
            ensure(refused, format!("{method} {path}, {name}: {} {}", sent.status, sent.text()))?;
        }
    }
    site.admin.get(&format!("/v2/my-oci/app/blobs/{digest}")).send().await?.expect(&[404])?;
    site.admin.get("/v2/my-oci/app/manifests/1.0").send().await?.expect(&[404])?;
    site.admin.get("/repository/my-pypi/simple/a/").send().await?.expect(&[404])?;
    let right = site.admin.put("/repository/my-maven/com/example/demo/1.0/demo-1.0.jar");
    let right = headers(body).into_iter().fold(right, |put, (name, value)| put.header(name, value));
    right.body(body).send().await?.expect(&[201])?;
    Ok(())
}

/// How many files the blob store holds.
fn stored_files(site: &Site) -> Result<usize> {
    let mut folders = vec![site.server.blobs().to_path_buf()];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)?.flatten() {
            match entry.file_type()?.is_dir() {
                true => folders.push(entry.path()),
                false => count += usize::from(entry.metadata()?.len() == 200_000),
            }
        }
    }
    Ok(count)
}

#[tokio::test]
async fn malformed_and_conflicting_ones_are_refused() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("files", json!({})).await?;
    let body = b"hello";
    let good = hex(&Sha256::digest(body));
    let coded = base64(&Sha256::digest(body));
    let other = hex(&Sha256::digest(b"other"));
    let cases: Vec<(&str, Vec<(&str, String)>)> = vec![
        ("upper case", vec![("X-Checksum-Sha256", good.to_uppercase())]),
        ("too short", vec![("X-Checksum-Sha256", good[..62].to_string())]),
        ("too long", vec![("X-Checksum-Sha256", format!("{good}00"))]),
        ("odd", vec![("X-Checksum-Sha256", good[..63].to_string())]),
        ("no hex", vec![("X-Checksum-Sha256", "g".repeat(64))]),
        ("empty", vec![("X-Checksum-Sha256", String::new())]),
        ("with a prefix", vec![("X-Checksum-Sha256", format!("sha256:{good}"))]),
        ("of another kind", vec![("X-Checksum-Sha1", good.clone())]),
        (
            "the same header twice, differing",
            vec![("X-Checksum-Sha256", good.clone()), ("X-Checksum-Sha256", other.clone())],
        ),
        (
            "two headers that differ",
            vec![
                ("X-Checksum-Sha256", good.clone()),
                ("Digest", format!("SHA-256={}", base64(&Sha256::digest(b"other")))),
            ],
        ),
        (
            "a dictionary that contradicts itself",
            vec![("Content-Digest", format!("sha-256=:{coded}:, sha-256=:{}:", base64(&Sha256::digest(b"other"))))],
        ),
        ("an unknown algorithm", vec![("Content-Digest", "blake3=:AAAA:".to_string())]),
        ("an unknown one beside a known one", vec![("Content-Digest", format!("sha-256=:{coded}:, crc32=:AAAA:"))]),
        ("no dictionary", vec![("Content-Digest", coded.clone())]),
        ("broken base64", vec![("Content-Digest", "sha-256=:***:".to_string())]),
        ("hex for base64", vec![("Content-MD5", hex(&Md5::digest(body)))]),
        ("short base64", vec![("Digest", "SHA-256=AAAA".to_string())]),
        ("no text", vec![("X-Checksum-Sha256", "é".repeat(32))]),
    ];
    for (number, (what, headers)) in cases.iter().enumerate() {
        let path = format!("/repository/files/{number}");
        let put = headers.iter().fold(site.admin.put(&path), |put, (name, value)| put.header(name, value));
        let answer = ask(put.body(&body[..])).await?;
        ensure(answer.status == 400, format!("{what}: {} {}", answer.status, answer.text()))?;
        left_nothing(&site.admin, &path).await?;
    }
    // The digest of the compressed bytes alone says nothing of the file: coded bodies are not taken.
    for coding in ["gzip", "br", "zstd", "deflate", "gzip, identity", "x", ""] {
        let code =
            status(site.admin.put("/repository/files/coded").header("Content-Encoding", coding).body("x")).await?;
        ensure(code == 415, format!("{coding:?}: {code}"))?;
    }
    // A part of a file is not taken for the whole.
    for range in ["bytes 4-7/10", "bytes 0-0/1", "x"] {
        let code = status(site.admin.put("/repository/files/coded").header("Content-Range", range).body("x")).await?;
        ensure(code == 400, format!("{range:?}: {code}"))?;
    }
    left_nothing(&site.admin, "/repository/files/coded").await?;
    let agreeing = site
        .admin
        .put("/repository/files/agreeing")
        .header("X-Checksum-Sha256", &good)
        .header("Content-Digest", format!("sha-256=:{coded}:"));
    ask(agreeing.header("Content-Encoding", "identity").body(&body[..])).await?.expect(&[201])?;
    println!("{} cases", cases.len() + 7);
    Ok(())
}

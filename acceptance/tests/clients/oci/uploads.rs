//! Blobs on their way in, and out.

use acceptance::Result;
use bytes::Bytes;

use super::yard::{Yard, header, sha256, sha512, told};

async fn begin(yard: &Yard, image: &str) -> Result<String> {
    let begun = yard.admin.post(&format!("{image}/blobs/uploads/")).body("").send().await?.expect(&[202])?;
    assert_eq!(header(&begun, "range")?, "0-0");
    header(&begun, "location")
}

async fn holds(yard: &Yard, image: &str, digest: &str, bytes: &[u8]) -> Result<()> {
    let at = format!("{image}/blobs/{digest}");
    let head = yard.admin.head(&at).send().await?.expect(&[200])?;
    assert_eq!(header(&head, "content-length")?, bytes.len().to_string());
    assert_eq!(header(&head, "docker-content-digest")?, digest);
    let got = yard.admin.get(&at).send().await?.expect(&[200])?;
    assert_eq!((&got.body[..], header(&got, "docker-content-digest")?), (bytes, digest.to_owned()));
    Ok(())
}

pub(super) async fn a_blob_comes_at_once_or_in_chunks(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    for length in [0, 1, 5000, 300_000] {
        // At once.
        let bytes = yard.noise(length);
        let digest = yard.blob(&image, &bytes).await?;
        holds(yard, &image, &digest, &bytes).await?;
        // Begun, then whole.
        let (bytes, location) = (yard.noise(length), begin(yard, &image).await?);
        let digest = sha256(&bytes);
        let put = yard.admin.put(&format!("{location}?digest={digest}")).body(bytes.clone());
        let done = put.send().await?.expect(&[201])?;
        assert_eq!(header(&done, "location")?, format!("{image}/blobs/{digest}"));
        assert_eq!(header(&done, "docker-content-digest")?, digest);
        holds(yard, &image, &digest, &bytes).await?;
        // Streamed without a range, ended without bytes.
        let (bytes, location) = (yard.noise(length), begin(yard, &image).await?);
        let patch = yard.admin.patch(&location).chunks(bytes.chunks(70_000).map(Bytes::copy_from_slice).collect());
        let location = header(&patch.send().await?.expect(&[202])?, "location")?;
        let digest = sha256(&bytes);
        yard.admin.put(&format!("{location}?digest={digest}")).body("").send().await?.expect(&[201])?;
        holds(yard, &image, &digest, &bytes).await?;
        told(yard.admin.get(&location).send().await?, 404, "BLOB_UPLOAD_UNKNOWN")?;
    }
    // In chunks with ranges; the last comes with the end.
    let (bytes, mut location) = (yard.noise(250), begin(yard, &image).await?);
    for (from, to) in [(0, 99), (100, 199)] {
        let patch = yard.admin.patch(&location).header("Content-Range", format!("{from}-{to}"));
        let done = patch.body(bytes[from..=to].to_vec()).send().await?.expect(&[202])?;
        assert_eq!(header(&done, "range")?, format!("0-{to}"));
        location = header(&done, "location")?;
        let stands = yard.admin.get(&location).send().await?.expect(&[204])?;
        assert_eq!(header(&stands, "range")?, format!("0-{to}"), "it can be gone on with");
    }
    let put = yard.admin.put(&format!("{location}?digest={}", sha256(&bytes))).header("Content-Range", "200-249");
    put.body(bytes[200..].to_vec()).send().await?.expect(&[201])?;
    holds(yard, &image, &sha256(&bytes), &bytes).await
}

pub(super) async fn a_chunk_out_of_order_is_refused_and_told_where_to_go_on(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    let (bytes, location) = (yard.noise(20), begin(yard, &image).await?);
    let patch = async |range: &str, body: &[u8]| {
        yard.admin.patch(&location).header("Content-Range", range).body(body.to_vec()).send().await
    };
    told(patch("5-9", &bytes[5..10]).await?, 416, "BLOB_UPLOAD_INVALID")?;
    patch("0-9", &bytes[..10]).await?.expect(&[202])?;
    for range in ["0-9", "5-14", "11-20"] {
        let refused = told(patch(range, &bytes[10..]).await?, 416, "BLOB_UPLOAD_INVALID")?;
        assert_eq!((header(&refused, "range")?, header(&refused, "location")?), ("0-9".to_owned(), location.clone()));
    }
    let loose =
        ["+10-19", "10-+19", "bytes 10-19", "bytes=10-19", "10-19/20", "10-19/*", "10 - 19", "10-19-", "10-19,"];
    for range in ["10-12", "9-8", "x-y", "10", "-5", "10-99999999999999999999"].into_iter().chain(loose) {
        told(patch(range, &bytes[10..]).await?, 400, "BLOB_UPLOAD_INVALID")?;
    }
    patch("10-19", &bytes[10..]).await?.expect(&[202])?;
    yard.admin.put(&format!("{location}?digest={}", sha256(&bytes))).body("").send().await?.expect(&[201])?;
    holds(yard, &image, &sha256(&bytes), &bytes).await
}

pub(super) async fn what_is_not_as_announced_is_refused_and_gone(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    let (bytes, other) = (yard.noise(90_000), sha256(b"other"));
    let at_once = yard.admin.post(&format!("{image}/blobs/uploads/?digest={other}")).body(bytes.clone());
    told(at_once.send().await?, 400, "DIGEST_INVALID")?;
    for streamed in [true, false] {
        let location = begin(yard, &image).await?;
        if streamed {
            yard.admin.patch(&location).body(bytes.clone()).send().await?.expect(&[202])?;
        }
        let rest = if streamed { Vec::new() } else { bytes.clone() };
        for bad in ["", "?digest=", "?digest=md5:00", "?digest=sha256:zz", "?digest=x"] {
            let put = yard.admin.put(&format!("{location}{bad}")).body(rest.clone());
            told(put.send().await?, 400, "DIGEST_INVALID")?;
        }
        let put = yard.admin.put(&format!("{location}?digest={other}")).body(rest);
        told(put.send().await?, 400, "DIGEST_INVALID")?;
        told(yard.admin.get(&location).send().await?, 404, "BLOB_UPLOAD_UNKNOWN")?;
    }
    for digest in [other, sha256(&bytes)] {
        told(yard.admin.get(&format!("{image}/blobs/{digest}")).send().await?, 404, "BLOB_UNKNOWN")?;
    }
    told(yard.admin.get(&format!("{image}/blobs/sha256:00")).send().await?, 400, "DIGEST_INVALID").map(drop)
}

pub(super) async fn an_upload_is_given_up(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    let location = begin(yard, &image).await?;
    yard.admin.patch(&location).body(yard.noise(10)).send().await?.expect(&[202])?;
    let elsewhere = location.replacen("/v2/oci/", "/v2/other/", 1);
    told(yard.admin.get(&elsewhere).send().await?, 404, "BLOB_UPLOAD_UNKNOWN")?;
    yard.admin.delete(&location).send().await?.expect(&[204])?;
    for request in [yard.admin.get(&location), yard.admin.patch(&location).body("x"), yard.admin.delete(&location)] {
        told(request.send().await?, 404, "BLOB_UPLOAD_UNKNOWN")?;
    }
    let id = location.rsplit('/').next().unwrap_or_default();
    let announced = yard.admin.get(&format!("/v1/repos/oci/uploads/{id}")).send().await?;
    assert_eq!(announced.status, 404, "the API of announced uploads does not know these");
    told(yard.admin.get(&format!("{image}/blobs/uploads/none")).send().await?, 404, "BLOB_UPLOAD_UNKNOWN").map(drop)
}

pub(super) async fn blobs_go_by_sha512_too(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    for streamed in [false, true] {
        let bytes = yard.noise(100_000);
        let digest = sha512(&bytes);
        let location = begin(yard, &image).await?;
        let mut rest = bytes.clone();
        if streamed {
            yard.admin.patch(&location).body(rest.split_off(0)).send().await?.expect(&[202])?;
        }
        yard.admin.put(&format!("{location}?digest={digest}")).body(rest).send().await?.expect(&[201])?;
        holds(yard, &image, &digest, &bytes).await?;
        holds(yard, &image, &sha256(&bytes), &bytes).await?;
        // The name is known, but the other repository does not hold the bytes.
        let other = yard.image("other");
        told(yard.admin.get(&format!("{other}/blobs/{digest}")).send().await?, 404, "BLOB_UNKNOWN")?;
    }
    let wrong = yard.admin.post(&format!("{image}/blobs/uploads/?digest={}", sha512(b"x"))).body("y");
    told(wrong.send().await?, 400, "DIGEST_INVALID").map(drop)
}

pub(super) async fn blobs_are_read_in_parts(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    let bytes = yard.noise(200_000);
    let at = format!("{image}/blobs/{}", yard.blob(&image, &bytes).await?);
    let part = yard.admin.get(&at).range("bytes=100000-100099").send().await?.expect(&[206])?;
    assert_eq!(
        (&part.body[..], header(&part, "content-range")?),
        (&bytes[100_000..100_100], "bytes 100000-100099/200000".to_owned())
    );
    let rest = yard.admin.get(&at).range("bytes=199990-").send().await?.expect(&[206])?;
    assert_eq!(&rest.body[..], &bytes[199_990..]);
    for (range, from, said) in [
        ("bytes=-500", 199_500, "bytes 199500-199999/200000"),
        ("bytes=199000-300000", 199_000, "bytes 199000-199999/200000"),
    ] {
        let last = yard.admin.get(&at).range(range).send().await?.expect(&[206])?;
        assert_eq!((&last.body[..], header(&last, "content-range")?), (&bytes[from..], said.to_owned()));
        assert_eq!(header(&last, "content-length")?, (bytes.len() - from).to_string());
    }
    for outside in ["bytes=200000-", "bytes=300000-400000", "bytes=500-0"] {
        told(yard.admin.get(&at).range(outside).send().await?, 416, "SIZE_INVALID")?;
    }
    let tag = header(&part, "etag")?;
    yard.admin.get(&at).header("If-None-Match", tag).send().await?.expect(&[304]).map(drop)
}

pub(super) async fn a_blob_is_let_go(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    let at = format!("{image}/blobs/{}", yard.blob(&image, &yard.noise(9)).await?);
    yard.admin.delete(&at).send().await?.expect(&[202])?;
    told(yard.admin.get(&at).send().await?, 404, "BLOB_UNKNOWN")?;
    told(yard.admin.delete(&at).send().await?, 404, "BLOB_UNKNOWN")?;
    let manifest = yard.manifest(&image).await?;
    let layer = manifest["layers"][0]["digest"].as_str().unwrap_or_default().to_owned();
    let (body, layer) = (manifest.to_string(), format!("{image}/blobs/{layer}"));
    yard.push(&image, "v1", &body).await?.expect(&[201])?;
    told(yard.admin.delete(&layer).send().await?, 409, "DENIED")?;
    let digest = sha256(body.as_bytes());
    yard.admin.delete(&format!("{image}/manifests/{digest}")).send().await?.expect(&[202])?;
    told(yard.admin.get(&layer).send().await?, 404, "BLOB_UNKNOWN")?;
    yard.admin.delete(&layer).send().await?.expect(&[202]).map(drop)
}

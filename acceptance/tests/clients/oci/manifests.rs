//! Manifests and tags.

use acceptance::Result;
use serde_json::json;

use super::yard::{IMAGE, INDEX, LAYER, Yard, header, push_as, sha256, sha512, texts, told};

pub(super) async fn a_manifest_comes_back_byte_for_byte(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    // White space, order and unknown fields are the client's.
    let body = format!(" {}\n", yard.manifest(&image).await?.to_string().replacen('{', "{ \"x-unknown\": [1,  2],", 1));
    let (digest, long) = (sha256(body.as_bytes()), sha512(body.as_bytes()));
    let done = yard.push(&image, "v1.0", &body).await?.expect(&[201])?;
    assert_eq!(header(&done, "docker-content-digest")?, digest);
    assert_eq!(header(&done, "location")?, format!("{image}/manifests/{digest}"));
    assert_eq!(done.header("oci-subject"), None);
    yard.push(&image, &digest, &body).await?.expect(&[201])?;
    yard.push(&image, &long, &body).await?.expect(&[201])?;
    for (reference, named) in [("v1.0", &digest), (&digest, &digest), (&long, &long)] {
        let at = format!("{image}/manifests/{reference}");
        let got =
            yard.admin.get(&at).header("Accept", "application/vnd.docker.distribution.manifest.v2+json").send().await?;
        let got = got.expect(&[200])?;
        assert_eq!((got.text(), header(&got, "content-type")?), (body.clone(), IMAGE.to_owned()));
        assert_eq!(header(&got, "docker-content-digest")?, **named);
        let head = yard.admin.head(&at).send().await?.expect(&[200])?;
        assert_eq!(header(&head, "content-length")?, body.len().to_string());
        assert_eq!(header(&head, "docker-content-digest")?, **named);
    }
    let wrong = sha256(b"other");
    told(yard.push(&image, &wrong, &body).await?, 400, "DIGEST_INVALID")?;
    told(yard.push(&image, &sha512(b"other"), &body).await?, 400, "DIGEST_INVALID")?;
    for missing in ["none", &wrong, ".INVALID_MANIFEST_NAME", "sha256:00"] {
        let at = format!("{image}/manifests/{missing}");
        told(yard.admin.get(&at).send().await?, 404, "MANIFEST_UNKNOWN")?;
        assert_eq!(yard.admin.head(&at).send().await?.status, 404);
    }
    told(yard.push(&image, "-bad", &body).await?, 400, "MANIFEST_INVALID")?;
    told(yard.push(&image, "sha256:00", &body).await?, 400, "DIGEST_INVALID").map(drop)
}

pub(super) async fn a_manifest_needs_its_blobs_but_not_foreign_ones(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    let mut manifest = yard.manifest(&image).await?;
    let absent = sha256(&yard.noise(10));
    let first = manifest["layers"][0].clone();
    manifest["layers"] = json!([first, {"mediaType": LAYER, "digest": absent, "size": 10}]);
    told(yard.push(&image, "v1", &manifest.to_string()).await?, 404, "MANIFEST_BLOB_UNKNOWN")?;
    told(yard.admin.get(&format!("{image}/manifests/v1")).send().await?, 404, "MANIFEST_UNKNOWN")?;
    // Another repository holds it: that is not here.
    let bytes = yard.noise(10);
    let elsewhere = yard.blob(&yard.image("other"), &bytes).await?;
    manifest["layers"][1] = json!({"mediaType": LAYER, "digest": elsewhere, "size": 10});
    told(yard.push(&image, "v1", &manifest.to_string()).await?, 404, "MANIFEST_BLOB_UNKNOWN")?;
    let kind = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    manifest["layers"][1] = json!({"mediaType": kind, "digest": absent, "size": 10});
    yard.push(&image, "v1", &manifest.to_string()).await?.expect(&[201])?;
    told(yard.admin.get(&format!("{image}/blobs/{absent}")).send().await?, 404, "BLOB_UNKNOWN").map(drop)
}

pub(super) async fn contradictions_are_refused(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    let good = yard.manifest(&image).await?;
    let body = good.to_string();
    told(push_as(&yard.admin, &image, "v1", INDEX, &body).await?, 400, "MANIFEST_INVALID")?;
    let mut both = good.clone();
    both["manifests"] = json!([]);
    let mut size = good.clone();
    size["layers"][0]["size"] = json!(301);
    let mut twin = good.clone();
    twin["Layers"] = json!([]);
    for bad in [both.to_string(), size.to_string(), twin.to_string(), "{}".to_owned(), "[".to_owned(), String::new()] {
        told(yard.push(&image, "v1", &bad).await?, 400, "MANIFEST_INVALID")?;
    }
    let long = format!("{body}{}", " ".repeat((4 << 20) + 1 - body.len()));
    told(yard.push(&image, "v1", &long).await?, 413, "SIZE_INVALID")?;
    told(yard.admin.get(&format!("{image}/tags/list")).send().await?, 404, "NAME_UNKNOWN")?;
    yard.push(&image, "v1", &long[..4 << 20]).await?.expect(&[201])?;
    let got = yard.admin.get(&format!("{image}/manifests/v1")).send().await?.expect(&[200])?;
    assert_eq!(got.body.len(), 4 << 20);
    Ok(())
}

pub(super) async fn a_digest_may_be_pushed_again_after_it_was_withdrawn(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    let manifest = yard.manifest(&image).await?;
    let body = manifest.to_string();
    let (digest, at) = (sha256(body.as_bytes()), |reference: &str| format!("{image}/manifests/{reference}"));
    for tag in ["v1", "v1", "v2"] {
        yard.push(&image, tag, &body).await?.expect(&[201])?;
    }
    yard.admin.delete(&at(&digest)).send().await?.expect(&[202])?;
    for gone in ["v1", "v2", &digest] {
        told(yard.admin.get(&at(gone)).send().await?, 404, "MANIFEST_UNKNOWN")?;
    }
    told(yard.admin.delete(&at(&digest)).send().await?, 404, "MANIFEST_UNKNOWN")?;
    let list = yard.admin.get(&format!("{image}/tags/list")).send().await?.expect(&[200])?;
    assert!(texts(&list, "/tags")?.is_empty());
    // Its blobs went with it, so they come first.
    told(yard.push(&image, "v3", &body).await?, 404, "MANIFEST_BLOB_UNKNOWN")?;
    let again = yard.manifest(&image).await?.to_string();
    yard.push(&image, "v4", &again).await?.expect(&[201])?;
    yard.admin.delete(&at(&sha256(again.as_bytes()))).send().await?.expect(&[202])?;
    let (config, layer) = (yard.noise(20), yard.noise(300));
    let mut third = manifest;
    third["config"]["digest"] = json!(yard.blob(&image, &config).await?);
    third["layers"][0]["digest"] = json!(yard.blob(&image, &layer).await?);
    let third = third.to_string();
    let digest = sha256(third.as_bytes());
    yard.push(&image, "old", &third).await?.expect(&[201])?;
    yard.admin.delete(&at(&digest)).send().await?.expect(&[202])?;
    yard.blob(&image, &config).await?;
    yard.blob(&image, &layer).await?;
    yard.push(&image, "new", &third).await?.expect(&[201])?;
    assert_eq!(yard.admin.get(&at(&digest)).send().await?.expect(&[200])?.text(), third);
    let list = yard.admin.get(&format!("{image}/tags/list")).send().await?.expect(&[200])?;
    assert_eq!(texts(&list, "/tags")?, ["new"], "tags of before do not come back");
    Ok(())
}

pub(super) async fn tags_move_and_end_unless_they_are_fixed(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    let at = |reference: &str| format!("{image}/manifests/{reference}");
    let (first, body) = yard.tagged(&image, "latest").await?;
    let (second, other) = yard.tagged(&image, "latest").await?;
    let now = yard.admin.head(&at("latest")).send().await?.expect(&[200])?;
    assert_eq!(header(&now, "docker-content-digest")?, second);
    // It may point to an older one again: a time says nothing of a tag, but of a digest.
    yard.push(&image, "latest", &body).await?.expect(&[201])?;
    let since = |reference: &str| {
        yard.admin.get(&at(reference)).header("If-Modified-Since", now.header("last-modified").unwrap_or_default())
    };
    assert_eq!(header(&since("latest").send().await?.expect(&[200])?, "docker-content-digest")?, first);
    since(&second).send().await?.expect(&[304])?;
    yard.admin.get(&at(&first)).send().await?.expect(&[200])?;
    yard.admin.delete(&at("latest")).send().await?.expect(&[202])?;
    told(yard.admin.get(&at("latest")).send().await?, 404, "MANIFEST_UNKNOWN")?;
    told(yard.admin.delete(&at("latest")).send().await?, 404, "MANIFEST_UNKNOWN")?;
    yard.admin.get(&at(&second)).send().await?.expect(&[200])?;
    for _ in 0..2 {
        yard.push(&image, "fixed-1", &body).await?.expect(&[201])?;
    }
    told(yard.push(&image, "fixed-1", &other).await?, 409, "DENIED")?;
    told(yard.admin.delete(&at("fixed-1")).send().await?, 409, "DENIED")?;
    let kept = yard.admin.head(&at("fixed-1")).send().await?.expect(&[200])?;
    assert_eq!(header(&kept, "docker-content-digest")?, first);
    Ok(())
}

pub(super) async fn a_push_by_digest_may_name_tags(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    let body = yard.manifest(&image).await?.to_string();
    let digest = sha256(body.as_bytes());
    let done = yard.push(&image, &format!("{digest}?tag=one&tag=two"), &body).await?.expect(&[201])?;
    assert_eq!(done.all("oci-tag").collect::<Vec<_>>(), ["one", "two"]);
    for tag in ["one", "two"] {
        yard.admin.head(&format!("{image}/manifests/{tag}")).send().await?.expect(&[200])?;
    }
    assert_eq!(yard.push(&image, &format!("{digest}?tag=-bad"), &body).await?.status, 400);
    Ok(())
}

pub(super) async fn an_index_may_be_sparse_and_large(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    let (child, text) = yard.tagged(&image, "amd64").await?;
    let absent = sha256(b"never pushed");
    let platform = json!({"architecture": "amd64", "os": "linux"});
    let index = json!({
        "schemaVersion": 2, "mediaType": INDEX, "annotations": {"pad": "x".repeat(3_000_000)},
        "manifests": [
            {"mediaType": IMAGE, "digest": child, "size": text.len(), "platform": platform},
            {"mediaType": IMAGE, "digest": absent, "size": 7},
        ],
    })
    .to_string();
    push_as(&yard.admin, &image, "multi", INDEX, &index).await?.expect(&[201])?;
    let got = yard.admin.get(&format!("{image}/manifests/multi")).send().await?.expect(&[200])?;
    assert_eq!((header(&got, "content-type")?, got.body.len()), (INDEX.to_owned(), index.len()));
    yard.admin.get(&format!("{image}/manifests/{child}")).send().await?.expect(&[200])?;
    told(yard.admin.get(&format!("{image}/manifests/{absent}")).send().await?, 404, "MANIFEST_UNKNOWN").map(drop)
}

//! The kinds of content that the specifications of images and of their distribution know: each is pushed,
//! listed, looked at, pulled and deleted.

use acceptance::Result;
use serde_json::{Value, json};

use super::life::{CONFIG, Content, EMPTY};
use super::yard::{IMAGE, INDEX, LAYER, Yard, header, push_as, sha256, sha512, told};

fn add_layer(image: &mut Value, layer: Value) {
    if let Some(layers) = image["layers"].as_array_mut() {
        layers.push(layer);
    }
}

pub(super) async fn an_image_comes_and_goes(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    let image = content.image();
    content.tagged("image", &image);
    content.comes_and_goes().await
}

pub(super) async fn an_image_of_plain_layers_comes_and_goes(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    let (mut image, bytes) = (content.image(), yard.noise(900));
    image["layers"][0] = content.blob("application/vnd.oci.image.layer.v1.tar", bytes);
    content.tagged("plain", &image);
    content.comes_and_goes().await
}

pub(super) async fn an_index_comes_and_goes(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    let index = content.index();
    content.tagged("multi", &index);
    content.comes_and_goes().await
}

pub(super) async fn an_index_of_indexes_comes_and_goes(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    let (one, other) = (content.index(), content.index());
    let children = [content.tagged("one", &one), content.manifest(&other)];
    let nested = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children});
    content.tagged("nested", &nested);
    content.comes_and_goes().await
}

pub(super) async fn an_index_of_nothing_comes_and_goes(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    content.tagged("empty", &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}));
    content.comes_and_goes().await
}

/// What BuildKit keeps of a build, unless it is told to make an image of it: an index of layers.
pub(super) async fn an_index_of_layers_comes_and_goes(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    let (layer, about) = (yard.noise(700), br#"{"layers":[],"records":[]}"#.to_vec());
    let layer = content.blob(LAYER, layer);
    let listed = [layer.clone(), content.blob("application/vnd.buildkit.cacheconfig.v0", about)];
    content.tagged("cache", &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}));
    content.comes().await?;
    let layer = format!("{}/blobs/{}", content.image, layer["digest"].as_str().unwrap_or_default());
    told(yard.admin.delete(&layer).send().await?, 409, "DENIED")?;
    content.goes().await
}

pub(super) async fn an_image_without_layers_comes_and_goes(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    let mut image = content.image();
    image["layers"] = json!([]);
    content.tagged("bare", &image);
    content.comes_and_goes().await
}

pub(super) async fn an_artifact_comes_and_goes(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    let bytes = yard.noise(60);
    let layer = content.blob("application/x.report+json", bytes);
    let artifact = content.artifact("application/x.report", vec![layer]);
    content.tagged("report", &artifact);
    content.comes_and_goes().await
}

pub(super) async fn an_artifact_without_content_comes_and_goes(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    let nothing = content.blob(EMPTY, b"{}".to_vec());
    let artifact = content.artifact("application/x.mark", vec![nothing]);
    content.tagged("mark", &artifact);
    content.comes_and_goes().await
}

pub(super) async fn an_index_of_artifacts_comes_and_goes(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    let layers = [vec![content.layer()], vec![content.layer()]];
    let children: Vec<Value> = layers
        .into_iter()
        .map(|layers| {
            let artifact = content.artifact("application/x.report", layers);
            content.manifest(&artifact)
        })
        .collect();
    let kind = "application/x.reports";
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "artifactType": kind, "manifests": children});
    content.tagged("reports", &index);
    content.comes_and_goes().await
}

pub(super) async fn artifacts_belong_to_an_image(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    let image = content.image();
    let image = content.tagged("image", &image);
    let subject = image["digest"].as_str().unwrap_or_default().to_owned();
    for kind in ["application/x.one", "application/x.two"] {
        let layer = content.layer();
        let mut artifact = content.artifact(kind, vec![layer]);
        artifact["subject"] = image.clone();
        artifact["annotations"] = json!({"kind": kind});
        content.manifest(&artifact);
    }
    content.comes().await?;
    let all = content.referrers(&subject, "").await?;
    let known: Vec<&str> = all.iter().filter_map(|one| one["digest"].as_str()).collect();
    assert_eq!(known, [&content.manifests[1].0, &content.manifests[2].0]);
    let two = content.referrers(&subject, "?artifactType=application/x.two").await?;
    assert_eq!((two.len(), &two[0]["annotations"]), (1, &json!({"kind": "application/x.two"})));
    content.goes().await?;
    assert!(content.referrers(&subject, "").await?.is_empty());
    Ok(())
}

pub(super) async fn an_index_belongs_to_an_image(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    let (image, mut index) = (content.image(), content.index());
    let image = content.tagged("image", &image);
    index["subject"] = image.clone();
    index["artifactType"] = json!("application/x.set");
    let set = content.tagged("set", &index);
    content.comes().await?;
    let found = content.referrers(image["digest"].as_str().unwrap_or_default(), "").await?;
    assert_eq!(found.len(), 1);
    for field in ["mediaType", "digest", "size"] {
        assert_eq!(found[0][field], set[field], "{field}");
    }
    assert_eq!(found[0]["artifactType"], "application/x.set");
    content.goes().await
}

pub(super) async fn what_belongs_to_something_missing_comes_first(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    let image = content.image().to_string();
    let subject = sha256(image.as_bytes());
    let mut artifact = content.artifact("application/x.early", Vec::new());
    artifact["subject"] = json!({"mediaType": IMAGE, "digest": subject, "size": image.len()});
    content.tagged("early", &artifact);
    content.comes().await?;
    assert_eq!(content.referrers(&subject, "").await?.len(), 1);
    yard.push(&content.image, &subject, &image).await?.expect(&[201])?;
    assert_eq!(content.referrers(&subject, "").await?.len(), 1);
    yard.admin.delete(&content.at(&subject)).send().await?.expect(&[202])?;
    assert_eq!(content.referrers(&subject, "").await?.len(), 1, "it stays when its subject goes");
    content.goes().await
}

pub(super) async fn content_inside_descriptors_is_kept(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    let mut artifact = content.artifact("application/x.inline", Vec::new());
    artifact["config"]["data"] = json!("e30=");
    let hello = content.blob("text/plain", b"hello".to_vec());
    artifact["layers"] = json!([hello]);
    artifact["layers"][0]["data"] = json!("aGVsbG8=");
    content.tagged("inline", &artifact);
    content.comes_and_goes().await
}

pub(super) async fn layers_that_may_not_be_distributed_may_be_missing(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    let mut image = content.image();
    for kind in ["tar", "tar+gzip", "tar+zstd"] {
        let kind = format!("application/vnd.oci.image.layer.nondistributable.v1.{kind}");
        add_layer(&mut image, json!({"mediaType": kind, "digest": sha256(kind.as_bytes()), "size": 9}));
    }
    content.tagged("foreign", &image);
    content.comes_and_goes().await
}

pub(super) async fn fields_that_nobody_knows_are_kept(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    let (mut image, mut index) = (content.image(), content.index());
    let strange = json!({"list": [1, 2.5, null, {"a": "\u{e9}"}], "yes": true});
    image["org.example.strange"] = strange.clone();
    image["config"]["org.example.strange"] = strange.clone();
    index["org.example.strange"] = strange.clone();
    index["manifests"][0]["org.example.strange"] = strange.clone();
    let config = json!({"architecture": "amd64", "os": "linux", "org.example.strange": strange}).to_string();
    image["layers"][0] = content.blob(CONFIG, config.into_bytes());
    content.tagged("strange", &image);
    content.tagged("stranger", &index);
    content.comes_and_goes().await
}

pub(super) async fn a_manifest_of_four_megabytes_comes_and_goes(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    let mut image = content.image();
    image["annotations"] = json!({"long": ""});
    image["annotations"] = json!({"long": "x".repeat((4 << 20) - image.to_string().len())});
    assert_eq!(image.to_string().len(), 4 << 20);
    content.tagged("large", &image);
    content.comes_and_goes().await
}

pub(super) async fn everything_goes_by_sha512_too(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    content.by = sha512;
    let index = content.index();
    let index = content.manifest(&index);
    let mut artifact = content.artifact("application/x.long", Vec::new());
    artifact["subject"] = index.clone();
    content.manifest(&artifact);
    content.push().await?;
    content.is_there().await?;
    assert_eq!(content.referrers(index["digest"].as_str().unwrap_or_default(), "").await?.len(), 1);
    content.goes().await
}

/// Pushed by digest with tags as parameters.
async fn with_tags(yard: &Yard, by: fn(&[u8]) -> String) -> Result<()> {
    let mut content = Content::new(yard);
    content.by = by;
    let index = content.index();
    content.manifest(&index);
    content.push().await?;
    for (number, (digest, kind, body)) in content.manifests.iter().enumerate() {
        let tags: Vec<String> = (0..3).map(|tag| format!("v{number}.{tag}")).collect();
        let query: Vec<String> = tags.iter().map(|tag| format!("tag={tag}")).collect();
        let reference = format!("{digest}?{}", query.join("&"));
        let done = push_as(&yard.admin, &content.image, &reference, kind, body).await?.expect(&[201])?;
        assert_eq!(done.all("oci-tag").collect::<Vec<_>>(), tags);
        for tag in &tags {
            let got = yard.admin.get(&content.at(tag)).send().await?.expect(&[200])?;
            assert_eq!((got.text(), header(&got, "docker-content-digest")?), (body.clone(), digest.clone()));
        }
    }
    assert_eq!(content.listed().await?.len(), 9);
    content.goes().await?;
    assert!(content.listed().await?.is_empty());
    Ok(())
}

pub(super) async fn a_push_by_sha256_names_tags(yard: &Yard) -> Result<()> {
    with_tags(yard, sha256).await
}

pub(super) async fn a_push_by_sha512_names_tags(yard: &Yard) -> Result<()> {
    with_tags(yard, sha512).await
}

pub(super) async fn an_image_may_be_sparse_where_the_repository_says_so(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    let mut image = content.image();
    let missing = yard.noise(50);
    let late = sha256(&missing);
    add_layer(&mut image, json!({"mediaType": LAYER, "digest": late, "size": 50}));
    content.tagged("sparse", &image);
    let (named, body) = (content.manifests[0].0.clone(), content.manifests[0].2.clone());
    for (_, bytes) in &content.blobs {
        yard.blob(&content.image, bytes).await?;
    }
    told(yard.push(&content.image, &named, &body).await?, 404, "MANIFEST_BLOB_UNKNOWN")?;
    content.image = yard.image("sparse");
    content.comes().await?;
    let at = format!("{}/blobs/{late}", content.image);
    told(yard.admin.get(&at).send().await?, 404, "BLOB_UNKNOWN")?;
    // What was missing comes later, and the manifest again: then it is the manifest's.
    yard.blob(&content.image, &missing).await?;
    yard.push(&content.image, "sparse", &body).await?.expect(&[201])?;
    told(yard.admin.delete(&at).send().await?, 409, "DENIED")?;
    assert_eq!(yard.admin.get(&at).send().await?.expect(&[200])?.body[..], missing[..]);
    content.blobs.push((late, missing));
    content.is_there().await?;
    content.goes().await
}

pub(super) async fn a_foreign_layer_that_comes_later_stays(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    let (mut image, bytes) = (content.image(), yard.noise(80));
    let kind = "application/vnd.oci.image.layer.nondistributable.v1.tar";
    add_layer(&mut image, json!({"mediaType": kind, "digest": sha256(&bytes), "size": 80}));
    content.tagged("v1", &image);
    content.comes().await?;
    let digest = yard.blob(&content.image, &bytes).await?;
    for _ in 0..2 {
        yard.push(&content.image, "v1", &content.manifests[0].2).await?.expect(&[201])?;
        let got = yard.admin.get(&format!("{}/blobs/{digest}", content.image)).send().await?.expect(&[200])?;
        assert_eq!(got.body[..], bytes[..]);
    }
    told(yard.admin.delete(&format!("{}/blobs/{digest}", content.image)).send().await?, 409, "DENIED").map(drop)
}

pub(super) async fn an_image_with_a_wrong_digest_does_not_come(yard: &Yard) -> Result<()> {
    let mut content = Content::new(yard);
    let image = content.image();
    content.manifest(&image);
    let wrong = sha256(&yard.noise(9));
    for (_, bytes) in &content.blobs {
        let begun = yard.admin.post(&format!("{}/blobs/uploads/", content.image)).body("").send().await?;
        let location = header(&begun.expect(&[202])?, "location")?;
        let put = yard.admin.put(&format!("{location}?digest={wrong}")).body(bytes.clone());
        told(put.send().await?, 400, "DIGEST_INVALID")?;
    }
    told(yard.push(&content.image, &wrong, &content.manifests[0].2).await?, 400, "DIGEST_INVALID")?;
    for digest in content.blobs.iter().map(|(digest, _)| digest).chain([&wrong]) {
        let at = format!("{}/blobs/{digest}", content.image);
        assert_eq!(yard.admin.head(&at).send().await?.status, 404);
        told(yard.admin.get(&at).send().await?, 404, "BLOB_UNKNOWN")?;
        told(yard.admin.delete(&at).send().await?, 404, "BLOB_UNKNOWN")?;
    }
    told(yard.admin.delete(&content.at(&wrong)).send().await?, 404, "MANIFEST_UNKNOWN")?;
    let list = yard.admin.get(&format!("{}/tags/list", content.image)).send().await?;
    told(list, 404, "NAME_UNKNOWN").map(drop)
}

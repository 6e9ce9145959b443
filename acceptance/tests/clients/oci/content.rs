//! The kinds of content that the specifications of images and of their distribution know: each is pushed,
//! listed, looked at, pulled and deleted.

use acceptance::Result;
use acceptance::http::Answer;
use serde_json::{Value, json};

use super::yard::{IMAGE, INDEX, LAYER, Yard, header, push_as, sha256, sha512, texts, told};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// Blobs, and manifests in the order in which they are pushed.
struct Content<'y> {
    yard: &'y Yard,
    image: String,
    by: fn(&[u8]) -> String,
    blobs: Vec<(String, Vec<u8>)>,
    manifests: Vec<(String, &'static str, String)>,
    tags: Vec<(&'static str, String)>,
}

impl<'y> Content<'y> {
    fn new(yard: &'y Yard) -> Self {
        let (image, by): (_, fn(&[u8]) -> String) = (yard.image("oci"), sha256);
        Self { yard, image, by, blobs: Vec::new(), manifests: Vec::new(), tags: Vec::new() }
    }

    /// A descriptor of bytes that are pushed too.
    fn blob(&mut self, kind: &str, bytes: Vec<u8>) -> Value {
        let (digest, size) = ((self.by)(&bytes), bytes.len());
        if !self.blobs.iter().any(|(known, _)| *known == digest) {
            self.blobs.push((digest.clone(), bytes));
        }
        json!({"mediaType": kind, "digest": digest, "size": size})
    }

    fn layer(&mut self) -> Value {
        let bytes = self.yard.noise(700);
        self.blob(LAYER, bytes)
    }

    /// A descriptor of a manifest that is pushed too.
    fn manifest(&mut self, value: &Value) -> Value {
        let kind = if value.get("manifests").is_some() { INDEX } else { IMAGE };
        let body = value.to_string();
        let (digest, size) = ((self.by)(body.as_bytes()), body.len());
        self.manifests.push((digest.clone(), kind, body));
        json!({"mediaType": kind, "digest": digest, "size": size})
    }

    /// The same with a tag.
    fn tagged(&mut self, tag: &'static str, value: &Value) -> Value {
        let descriptor = self.manifest(value);
        self.tags.push((tag, descriptor["digest"].as_str().unwrap_or_default().to_owned()));
        descriptor
    }

    /// An image of two layers.
    fn image(&mut self) -> Value {
        let config = json!({"architecture": "amd64", "os": "linux", "author": sha256(&self.yard.noise(9))});
        let config = self.blob(CONFIG, config.to_string().into_bytes());
        json!({"schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [self.layer(), self.layer()]})
    }

    /// Two images in an index.
    fn index(&mut self) -> Value {
        let children: Vec<Value> = ["amd64", "arm64"]
            .into_iter()
            .map(|architecture| {
                let image = self.image();
                let mut child = self.manifest(&image);
                child["platform"] = json!({"architecture": architecture, "os": "linux"});
                child
            })
            .collect();
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children})
    }

    /// What is no image: its configuration is the empty one.
    fn artifact(&mut self, kind: &str, layers: Vec<Value>) -> Value {
        let config = self.blob(EMPTY, b"{}".to_vec());
        json!({"schemaVersion": 2, "mediaType": IMAGE, "artifactType": kind, "config": config, "layers": layers})
    }

    fn at(&self, reference: &str) -> String {
        format!("{}/manifests/{reference}", self.image)
    }

    async fn push(&self) -> Result<()> {
        let admin = &self.yard.admin;
        for (digest, bytes) in &self.blobs {
            let begun = admin.post(&format!("{}/blobs/uploads/", self.image)).body("").send().await?.expect(&[202])?;
            let put = admin.put(&format!("{}?digest={digest}", header(&begun, "location")?)).body(bytes.clone());
            put.send().await?.expect(&[201])?;
        }
        for (digest, kind, body) in &self.manifests {
            let done = push_as(admin, &self.image, digest, kind, body).await?.expect(&[201])?;
            assert_eq!(header(&done, "docker-content-digest")?, *digest);
            let subject = serde_json::from_str::<Value>(body)?["subject"]["digest"].as_str().map(str::to_owned);
            assert_eq!(done.header("oci-subject"), subject.as_deref());
        }
        for (tag, digest) in &self.tags {
            let Some((_, kind, body)) = self.manifests.iter().find(|(named, ..)| named == digest) else { continue };
            push_as(admin, &self.image, tag, kind, body).await?.expect(&[201])?;
        }
        Ok(())
    }

    async fn is_there(&self) -> Result<()> {
        let admin = &self.yard.admin;
        for (digest, bytes) in &self.blobs {
            let at = format!("{}/blobs/{digest}", self.image);
            let head = admin.head(&at).send().await?.expect(&[200])?;
            assert_eq!(header(&head, "content-length")?, bytes.len().to_string());
            let got = admin.get(&at).send().await?.expect(&[200])?;
            assert_eq!((&got.body[..], header(&got, "docker-content-digest")?), (&bytes[..], digest.clone()));
        }
        let by_digest = self.manifests.iter().map(|(digest, ..)| (digest.as_str(), digest));
        for (reference, digest) in by_digest.chain(self.tags.iter().map(|(tag, digest)| (*tag, digest))) {
            let Some((_, kind, body)) = self.manifests.iter().find(|(named, ..)| named == digest) else { continue };
            let same = |answer: &Answer| {
                assert_eq!(header(answer, "content-type")?, *kind);
                assert_eq!(header(answer, "content-length")?, body.len().to_string());
                assert_eq!(header(answer, "docker-content-digest")?, *digest);
                Ok::<_, acceptance::Trouble>(())
            };
            same(&admin.head(&self.at(reference)).send().await?.expect(&[200])?)?;
            let got = admin.get(&self.at(reference)).send().await?.expect(&[200])?;
            same(&got)?;
            assert_eq!(got.text(), *body, "byte for byte");
        }
        Ok(())
    }

    async fn listed(&self) -> Result<Vec<String>> {
        texts(&self.yard.admin.get(&format!("{}/tags/list", self.image)).send().await?.expect(&[200])?, "/tags")
    }

    /// What refers to `subject`, as descriptors.
    async fn referrers(&self, subject: &str, query: &str) -> Result<Vec<Value>> {
        let at = format!("{}/referrers/{subject}{query}", self.image);
        let found: Value = self.yard.admin.get(&at).send().await?.expect(&[200])?.json()?;
        Ok(found["manifests"].as_array().cloned().unwrap_or_default())
    }

    async fn goes(&self) -> Result<()> {
        let admin = &self.yard.admin;
        for (tag, digest) in &self.tags {
            admin.delete(&self.at(tag)).send().await?.expect(&[202])?;
            told(admin.get(&self.at(tag)).send().await?, 404, "MANIFEST_UNKNOWN")?;
            assert!(!self.listed().await?.iter().any(|listed| listed == tag));
            admin.head(&self.at(digest)).send().await?.expect(&[200])?;
        }
        for (digest, ..) in self.manifests.iter().rev() {
            admin.delete(&self.at(digest)).send().await?.expect(&[202])?;
            told(admin.get(&self.at(digest)).send().await?, 404, "MANIFEST_UNKNOWN")?;
            assert_eq!(admin.head(&self.at(digest)).send().await?.status, 404);
        }
        for (digest, _) in &self.blobs {
            let at = format!("{}/blobs/{digest}", self.image);
            admin.delete(&at).send().await?.expect(&[202])?;
            told(admin.get(&at).send().await?, 404, "BLOB_UNKNOWN")?;
            assert_eq!(admin.head(&at).send().await?.status, 404);
        }
        Ok(())
    }

    /// Pushed, listed, looked at, pulled.
    async fn comes(&self) -> Result<()> {
        self.push().await?;
        self.is_there().await?;
        let mut tags: Vec<&str> = self.tags.iter().map(|(tag, _)| *tag).collect();
        tags.sort_unstable();
        assert_eq!(self.listed().await?, tags);
        Ok(())
    }

    /// And deleted.
    async fn comes_and_goes(&self) -> Result<()> {
        self.comes().await?;
        self.goes().await
    }
}

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

//! Content from its push to its deletion.

use acceptance::Result;
use acceptance::http::Answer;
use serde_json::{Value, json};

use super::yard::{IMAGE, INDEX, LAYER, Yard, header, push_as, sha256, texts, told};

pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// Blobs, and manifests in the order in which they are pushed.
pub(super) struct Content<'y> {
    pub(super) yard: &'y Yard,
    pub(super) image: String,
    pub(super) by: fn(&[u8]) -> String,
    pub(super) blobs: Vec<(String, Vec<u8>)>,
    pub(super) manifests: Vec<(String, &'static str, String)>,
    pub(super) tags: Vec<(&'static str, String)>,
}

impl<'y> Content<'y> {
    pub(super) fn new(yard: &'y Yard) -> Self {
        let (image, by): (_, fn(&[u8]) -> String) = (yard.image("oci"), sha256);
        Self { yard, image, by, blobs: Vec::new(), manifests: Vec::new(), tags: Vec::new() }
    }

    /// A descriptor of bytes that are pushed too.
    pub(super) fn blob(&mut self, kind: &str, bytes: Vec<u8>) -> Value {
        let (digest, size) = ((self.by)(&bytes), bytes.len());
        if !self.blobs.iter().any(|(known, _)| *known == digest) {
            self.blobs.push((digest.clone(), bytes));
        }
        json!({"mediaType": kind, "digest": digest, "size": size})
    }

    pub(super) fn layer(&mut self) -> Value {
        let bytes = self.yard.noise(700);
        self.blob(LAYER, bytes)
    }

    /// A descriptor of a manifest that is pushed too.
    pub(super) fn manifest(&mut self, value: &Value) -> Value {
        let kind = if value.get("manifests").is_some() { INDEX } else { IMAGE };
        let body = value.to_string();
        let (digest, size) = ((self.by)(body.as_bytes()), body.len());
        self.manifests.push((digest.clone(), kind, body));
        json!({"mediaType": kind, "digest": digest, "size": size})
    }

    /// The same with a tag.
    pub(super) fn tagged(&mut self, tag: &'static str, value: &Value) -> Value {
        let descriptor = self.manifest(value);
        self.tags.push((tag, descriptor["digest"].as_str().unwrap_or_default().to_owned()));
        descriptor
    }

    /// An image of two layers.
    pub(super) fn image(&mut self) -> Value {
        let config = json!({"architecture": "amd64", "os": "linux", "author": sha256(&self.yard.noise(9))});
        let config = self.blob(CONFIG, config.to_string().into_bytes());
        json!({"schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [self.layer(), self.layer()]})
    }

    /// Two images in an index.
    pub(super) fn index(&mut self) -> Value {
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
    pub(super) fn artifact(&mut self, kind: &str, layers: Vec<Value>) -> Value {
        let config = self.blob(EMPTY, b"{}".to_vec());
        json!({"schemaVersion": 2, "mediaType": IMAGE, "artifactType": kind, "config": config, "layers": layers})
    }

    pub(super) fn at(&self, reference: &str) -> String {
        format!("{}/manifests/{reference}", self.image)
    }

    pub(super) async fn push(&self) -> Result<()> {
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

    pub(super) async fn is_there(&self) -> Result<()> {
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

    pub(super) async fn listed(&self) -> Result<Vec<String>> {
        texts(&self.yard.admin.get(&format!("{}/tags/list", self.image)).send().await?.expect(&[200])?, "/tags")
    }

    /// What refers to `subject`, as descriptors.
    pub(super) async fn referrers(&self, subject: &str, query: &str) -> Result<Vec<Value>> {
        let at = format!("{}/referrers/{subject}{query}", self.image);
        let found: Value = self.yard.admin.get(&at).send().await?.expect(&[200])?.json()?;
        Ok(found["manifests"].as_array().cloned().unwrap_or_default())
    }

    pub(super) async fn goes(&self) -> Result<()> {
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
    pub(super) async fn comes(&self) -> Result<()> {
        self.push().await?;
        self.is_there().await?;
        let mut tags: Vec<&str> = self.tags.iter().map(|(tag, _)| *tag).collect();
        tags.sort_unstable();
        assert_eq!(self.listed().await?, tags);
        Ok(())
    }

    /// And deleted.
    pub(super) async fn comes_and_goes(&self) -> Result<()> {
        self.comes().await?;
        self.goes().await
    }
}

//! A server with repositories of images, and how clients push to it.

use std::sync::atomic::{AtomicU64, Ordering};

use acceptance::http::{Answer, Http};
use acceptance::server::{Backing, Persona, Server};
use acceptance::shelf::hex;
use acceptance::{Result, Trouble};
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};

pub(super) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A server with repositories of images: `oci` and `other`, which are not for everybody, `public`, and
/// `sparse`, where manifests need not have their blobs.
pub(super) struct Yard {
    pub(super) server: Server,
    pub(super) admin: Persona,
    made: AtomicU64,
}

impl Yard {
    pub(super) async fn open(backing: Backing) -> Result<Yard> {
        let plan = Server::plan(backing).variable("ARTIFORTRESS_RATE_REQUESTS_PER_MINUTE", "0");
        let server = plan.variable("ARTIFORTRESS_RATE_LOGINS_PER_MINUTE", "0").start().await?;
        let admin = server.admin()?;
        for (key, public) in [("oci", false), ("other", false), ("public", true), ("sparse", false)] {
            let settings = json!({"immutableRefs": ["fixed-*"], "sparseManifests": key == "sparse"});
            let body = json!({"repoKey": key, "format": "oci", "anonymousRead": public, "settings": settings});
            admin.post("/v1/repos").json(&body).send().await?.expect(&[201])?;
        }
        Ok(Yard { server, admin, made: AtomicU64::new(0) })
    }

    /// An image's address that nobody used before.
    pub(super) fn image(&self, key: &str) -> String {
        format!("/v2/{key}/team/image{}", self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// Bytes that nobody had before.
    pub(super) fn noise(&self, length: usize) -> Vec<u8> {
        let mut state = (self.made.fetch_add(1, Ordering::Relaxed) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend_from_slice(&state.to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }

    /// Somebody else with exactly these scopes.
    pub(super) async fn person(&self, subject: &str, scopes: &[&str]) -> Result<Persona> {
        let body = json!({"subject": subject, "scopes": scopes});
        let token = self.admin.post("/v1/auth/pats").json(&body).send().await?.expect(&[200])?.string("/token")?;
        Ok(Persona::new(subject, token, self.server.http()?))
    }

    /// Pushes a blob at once. Returns its digest.
    pub(super) async fn blob(&self, image: &str, bytes: &[u8]) -> Result<String> {
        let digest = sha256(bytes);
        let push = self.admin.post(&format!("{image}/blobs/uploads/?digest={digest}")).body(bytes.to_vec());
        push.send().await?.expect(&[201])?;
        Ok(digest)
    }

    /// A manifest whose two blobs are pushed.
    pub(super) async fn manifest(&self, image: &str) -> Result<Value> {
        let (config, layer) = (self.noise(20), self.noise(300));
        let descriptors = [
            json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": self.blob(image, &config).await?, "size": 20}),
            json!({"mediaType": LAYER, "digest": self.blob(image, &layer).await?, "size": 300}),
        ];
        let [config, layer] = descriptors;
        Ok(json!({"schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [layer]}))
    }

    /// Pushes a manifest.
    pub(super) async fn push(&self, image: &str, reference: &str, body: &str) -> Result<Answer> {
        push_as(&self.admin, image, reference, IMAGE, body).await
    }

    /// Pushes an image with a tag. Returns its digest and its text.
    pub(super) async fn tagged(&self, image: &str, tag: &str) -> Result<(String, String)> {
        let body = self.manifest(image).await?.to_string();
        self.push(image, tag, &body).await?.expect(&[201])?;
        Ok((sha256(body.as_bytes()), body))
    }
}

pub(super) async fn push_as(http: &Http, image: &str, reference: &str, kind: &str, body: &str) -> Result<Answer> {
    let put = http.put(&format!("{image}/manifests/{reference}")).header("Content-Type", kind);
    put.body(body.to_owned()).send().await
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

pub(super) fn sha512(bytes: &[u8]) -> String {
    format!("sha512:{}", hex(&Sha512::digest(bytes)))
}

/// The answer has this status and, when it is a refusal, this code.
pub(super) fn told(answer: Answer, status: u16, code: &str) -> Result<Answer> {
    let answer = answer.expect(&[status])?;
    if answer.string("/errors/0/code")? != code || answer.string("/errors/0/message")?.is_empty() {
        return Err(Trouble::new(format!("expected {code}: {}", answer.text())));
    }
    Ok(answer)
}

/// A header that must be there.
pub(super) fn header(answer: &Answer, name: &str) -> Result<String> {
    answer.header(name).map(str::to_owned).ok_or_else(|| Trouble::new(format!("no {name} in {answer:?}")))
}

/// The texts in an array, which must have nothing else in it.
pub(super) fn texts(answer: &Answer, pointer: &str) -> Result<Vec<String>> {
    let value = answer.json()?;
    let list = value.pointer(pointer).and_then(Value::as_array);
    let texts = list.and_then(|list| list.iter().map(|one| one.as_str().map(str::to_owned)).collect());
    texts.ok_or_else(|| Trouble::new(format!("no list of texts at {pointer} in {value}")))
}

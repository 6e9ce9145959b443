//! One package of each format: how an upstream has it, and how it is read here.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use crate::http::{Answer, Request};
use crate::server::Persona;
use crate::upstream::{Say, Upstream};
use crate::{Result, Trouble};

/// How long it may take until an upstream that failed is asked again.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Every format that can be remote.
pub const FORMATS: [&str; 6] = ["raw", "npm", "pypi", "cargo", "maven", "go"];
/// Those whose index says what the file must be.
pub const DECLARED: [&str; 3] = ["npm", "pypi", "cargo"];
/// Those that have an index.
pub const INDEXED: [&str; 5] = ["npm", "pypi", "cargo", "maven", "go"];

/// Makes a remote repository with these settings of its upstream.
pub async fn remote(by: &impl AsRef<Persona>, key: &str, format: &str, url: &str, upstream: Value) -> Result<()> {
    let body = json!({"repoKey": key, "format": format, "repoType": "remote", "upstreamUrl": url,
        "settings": {"upstream": upstream}});
    by.as_ref().post("/v1/repos").json(&body).send().await?.expect(&[201])?;
    Ok(())
}

/// `tool` 1.0.0: one package with one file, and the repository through which it is read.
#[derive(Clone, Debug)]
pub struct Shelf {
    /// Its format.
    pub format: &'static str,
    key: String,
    name: &'static str,
}

impl Shelf {
    /// A repository of `format` for `upstream`, and the package there with these bytes.
    pub async fn stocked(
        by: &impl AsRef<Persona>,
        upstream: &Upstream,
        format: &'static str,
        settings: Value,
        bytes: &[u8],
    ) -> Result<Self> {
        let shelf = Self::bare(format);
        shelf.stock(upstream, bytes);
        remote(by, &shelf.key, format, &upstream.url(), settings).await?;
        Ok(shelf)
    }

    /// The same without repository and bytes. Every format has its own name, so that they do not meet at one upstream.
    pub fn bare(format: &'static str) -> Self {
        let names = FORMATS.iter().zip(["tool", "ntool", "ptool", "ctool", "mtool", "gtool"]);
        let name = names.into_iter().find(|(known, _)| **known == format).map_or("tool", |(_, name)| name);
        Self { format, key: format!("{format}-up"), name }
    }

    /// The same through another repository.
    pub fn at(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// The key of the repository.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Index and file at the upstream.
    pub fn stock(&self, upstream: &Upstream, bytes: &[u8]) {
        self.tell(upstream, &upstream.url(), bytes);
        upstream.says(&self.file(), Say::file(bytes.to_vec()));
    }

    /// The index says that the file lies below `base` and has these bytes.
    pub fn tell(&self, upstream: &Upstream, base: &str, bytes: &[u8]) {
        let (name, link) = (self.name, format!("{base}{}", self.file()));
        match self.format {
            "cargo" => {
                let dl = json!({"dl": format!("{base}/files")});
                upstream.says("/config.json", Say::answer(200, &[], dl.to_string()));
            }
            "maven" => {
                upstream.says(&format!("{}.sha1", self.file()), Say::answer(200, &[], hex(&Sha1::digest(bytes))))
            }
            "go" => {
                let latest = json!({"Version": "v1.0.0", "Time": "2024-05-06T07:08:09Z"});
                upstream.says(&format!("/example.com/{name}/@latest"), Say::answer(200, &[], latest.to_string()));
            }
            _ => {}
        }
        if self.format != "raw" {
            let (kind, body) = self.index_body(name, &link, bytes);
            upstream.says(&self.index(), Say::answer(200, &[("Content-Type", kind), ("ETag", "\"one\"")], body));
        }
    }

    /// Media type and text of an index of `name`.
    pub fn index_body(&self, name: &str, link: &str, bytes: &[u8]) -> (&'static str, String) {
        let sha256 = hex(&Sha256::digest(bytes));
        match self.format {
            "npm" => {
                let integrity = format!("sha512-{}", STANDARD.encode(Sha512::digest(bytes)));
                let dist = json!({"tarball": link, "integrity": integrity, "shasum": hex(&Sha1::digest(bytes))});
                let version = json!({"name": name, "version": "1.0.0", "dist": dist});
                let packument = json!({"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version},
                    "time": {"1.0.0": "2024-05-06T07:08:09.000Z"}});
                ("application/json", packument.to_string())
            }
            "pypi" => {
                let file = format!("{name}-1.0.0-py3-none-any.whl");
                let file = json!({"filename": file, "url": link, "hashes": {"sha256": sha256}, "size": bytes.len()});
                let page =
                    json!({"meta": {"api-version": "1.1"}, "name": name, "files": [file], "versions": ["1.0.0"]});
                ("application/vnd.pypi.simple.v1+json", page.to_string())
            }
            "cargo" => {
                let line = json!({"name": name, "vers": "1.0.0", "deps": [], "cksum": sha256, "features": {},
                    "yanked": false});
                ("text/plain", format!("{line}\n"))
            }
            "maven" => {
                let versioning = "<versioning><latest>1.0.0</latest><release>1.0.0</release>\
                    <versions><version>1.0.0</version></versions></versioning>";
                let metadata = format!(
                    "<metadata><groupId>org.example</groupId><artifactId>{name}</artifactId>{versioning}</metadata>"
                );
                ("text/xml", metadata)
            }
            _ => ("text/plain", "v1.0.0\n".to_owned()),
        }
    }

    /// Where the upstream has the index.
    pub fn index(&self) -> String {
        let name = self.name;
        match self.format {
            "npm" => format!("/{name}"),
            "pypi" => format!("/{name}/"),
            "cargo" => format!("/ct/oo/{name}"),
            "maven" => format!("/org/example/{name}/maven-metadata.xml"),
            _ => format!("/example.com/{name}/@v/list"),
        }
    }

    /// Where the upstream has the file.
    pub fn file(&self) -> String {
        let name = self.name;
        match self.format {
            "npm" => format!("/files/{name}-1.0.0.tgz"),
            "pypi" => format!("/files/{name}-1.0.0-py3-none-any.whl"),
            "cargo" => format!("/files/{name}/1.0.0/download"),
            "maven" => format!("/org/example/{name}/1.0.0/{name}-1.0.0.jar"),
            "go" => format!("/example.com/{name}/@v/v1.0.0.zip"),
            _ => format!("/files/{name}.tar.gz"),
        }
    }

    /// Where the index is read here.
    pub fn our_index(&self) -> String {
        match self.format {
            "pypi" => self.ours(&format!("/simple/{}/", self.name)),
            _ => self.ours(&self.index()),
        }
    }

    /// Where the file is read here.
    pub fn our_file(&self) -> String {
        let name = self.name;
        match self.format {
            "npm" => self.ours(&format!("/{name}/-/{name}-1.0.0.tgz")),
            "pypi" => self.ours(&format!("/packages/{name}/1.0.0/{name}-1.0.0-py3-none-any.whl")),
            "cargo" => self.ours(&format!("/dl/{name}/1.0.0/download")),
            _ => self.ours(&self.file()),
        }
    }

    fn ours(&self, path: &str) -> String {
        format!("/repository/{}{path}", self.key)
    }

    /// Asks for the index.
    pub fn get_index(&self, by: &Persona) -> Request {
        by.get(&self.our_index()).header("Accept", "application/vnd.pypi.simple.v1+json, */*;q=0.1")
    }

    /// Asks for the file.
    pub fn get_file(&self, by: &Persona) -> Request {
        by.get(&self.our_file())
    }
}

/// Asks again until the answer has this status: what failed is left alone for a while.
pub async fn until(patience: Duration, ask: impl Fn() -> Request, status: u16) -> Result<Answer> {
    let start = Instant::now();
    loop {
        let answer = ask().send().await;
        match answer {
            Ok(answer) if answer.status == status => return Ok(answer),
            answer if start.elapsed() > patience => {
                return Err(Trouble::new(format!("no {status} within {patience:?}: {answer:?}")));
            }
            _ => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Lower case digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that differ from one seed to another. Where there is room for that they are an archive of the module of the
/// shelves: nothing else is taken for one.
pub fn noise(seed: u8, length: usize) -> Vec<u8> {
    const NAME: &[u8] = b"example.com/gtool@v1.0.0/noise";
    let content = |length: usize| -> Vec<u8> {
        (0..length).map(|at| (at as u64).wrapping_mul(0x9e37_79b9).to_le_bytes()[1 + at % 3] ^ seed).collect()
    };
    // One member that is stored as it is: its header, its line in the directory, and the end.
    let Some(room) = length.checked_sub(30 + 46 + 22 + 2 * NAME.len()).filter(|room| *room > 0) else {
        return content(length);
    };
    let (content, mut crc) = (content(room), flate2::Crc::new());
    crc.update(&content);
    let long = |value: usize| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
    let about = [&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &crc.sum().to_le_bytes(), &long(room), &long(room)].concat();
    let about = [&about[..], &[NAME.len() as u8, 0, 0, 0]].concat();
    let directory = [&b"PK\x01\x02\x14\x00"[..], &about, &[0; 14], NAME].concat();
    let (begins, lasts) = (long(30 + NAME.len() + room), long(directory.len()));
    let end = [&b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..], &lasts, &begins, &[0; 2]].concat();
    [&b"PK\x03\x04"[..], &about, NAME, &content, &directory, &end].concat()
}

/// Says of which format a trouble is.
pub fn of<T>(format: &str, outcome: Result<T>) -> Result<T> {
    outcome.map_err(|trouble| Trouble::new(format!("{format}: {trouble:?}")))
}

/// 503 with a sentence of the upstream, where the format's clients show it, and with when to come back.
pub fn failed(format: &str, answer: &Answer) -> Result<()> {
    let odd =
        |what: &str| Err(Trouble::new(format!("{what}: {} {:?} {}", answer.status, answer.headers, answer.text())));
    if answer.status != 503 {
        return odd("it is no 503");
    }
    let text = match format {
        "npm" => answer.string("/error")?,
        "cargo" => answer.string("/errors/0/detail")?,
        "oci" => answer.string("/errors/0/message")?,
        _ => answer.text(),
    };
    if !text.contains("upstream") || text.len() <= 20 {
        return odd("it does not say that it is the upstream");
    }
    if answer.header("cache-control").is_some_and(|cache| !cache.starts_with("no-")) {
        return odd("a failure is kept by caches");
    }
    let wait = answer.header("retry-after").and_then(|wait| wait.parse::<u64>().ok());
    match wait.filter(|wait| (1..=10).contains(wait)) {
        Some(_) => Ok(()),
        None => odd("it does not say when to come back"),
    }
}

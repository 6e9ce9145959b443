//! A registry that the test plays: it says what it is told to say, counts what it is asked, and can be gone.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use acceptance::{Result, Trouble};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::yard::sha256;

/// What is said at one path.
#[derive(Clone)]
pub(super) struct Told {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    /// Bytes of the body that are announced and do not come.
    pub(super) missing: usize,
    /// The second half of the body waits for a permit.
    pub(super) gate: Option<Arc<Semaphore>>,
}

impl Told {
    pub(super) fn new(status: u16, body: impl Into<Vec<u8>>) -> Told {
        Told { status, headers: Vec::new(), body: body.into(), missing: 0, gate: None }
    }

    /// A manifest as a registry says it.
    pub(super) fn manifest(kind: &str, body: &str) -> Told {
        Told::new(200, body)
            .with("content-type", kind)
            .with("docker-content-digest", &sha256(body.as_bytes()))
            .with("etag", &format!("\"{}\"", sha256(body.as_bytes())))
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Told {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// The registry; gone when this is dropped.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    says: Arc<Mutex<Says>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Says {
    told: HashMap<String, Told>,
    asked: Vec<String>,
}

impl Upstream {
    pub(super) async fn open() -> Result<Upstream> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let says: Arc<Mutex<Says>> = Arc::default();
        let known = Arc::clone(&says);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, Arc::clone(&known)));
            }
        });
        Ok(Upstream { address, says, task })
    }

    /// From now on this is said at `path`.
    pub(super) fn says(&self, path: &str, told: Told) {
        let mut says = self.says.lock().unwrap_or_else(PoisonError::into_inner);
        says.told.insert(path.to_owned(), told);
    }

    /// A manifest under a tag and under its digest, and its blobs.
    pub(super) fn has(&self, name: &str, tag: &str, kind: &str, manifest: &str, blobs: &[&[u8]]) -> String {
        let digest = sha256(manifest.as_bytes());
        for reference in [tag, &digest] {
            self.says(&format!("/v2/{name}/manifests/{reference}"), Told::manifest(kind, manifest));
        }
        for blob in blobs {
            self.says(&format!("/v2/{name}/blobs/{}", sha256(blob)), Told::new(200, *blob));
        }
        digest
    }

    /// What was asked so far, and forgets it.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.says.lock().unwrap_or_else(PoisonError::into_inner).asked)
    }

    /// Nobody is there any more.
    pub(super) fn leave(&self) {
        self.task.abort();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.leave();
    }
}

async fn serve(mut client: TcpStream, says: Arc<Mutex<Says>>) -> Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let line = text.lines().next().unwrap_or_default();
    let (method, target) = line.split_once(' ').ok_or_else(|| Trouble::new("no request"))?;
    let target = target.split(' ').next().unwrap_or_default();
    let told = {
        let mut says = says.lock().unwrap_or_else(PoisonError::into_inner);
        says.asked.push(format!("{method} {target}"));
        let path = target.split('?').next().unwrap_or_default();
        says.told.get(target).or_else(|| says.told.get(path)).cloned()
    };
    let told = told.unwrap_or_else(|| Told::new(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#));
    let matches = |(name, value): &(&str, String)| *name == "etag" && text.contains(&format!("if-none-match: {value}"));
    let unchanged = told.headers.iter().any(matches);
    let status = if unchanged { 304 } else { told.status };
    let mut answer = format!("HTTP/1.1 {status} Told\r\nconnection: close\r\n");
    for (name, value) in &told.headers {
        answer.push_str(&format!("{name}: {value}\r\n"));
    }
    answer.push_str(&format!("content-length: {}\r\n\r\n", told.body.len() + told.missing));
    client.write_all(answer.as_bytes()).await?;
    if method != "HEAD" && !unchanged {
        let (first, second) = told.body.split_at(told.body.len() / 2);
        client.write_all(first).await?;
        if let Some(gate) = &told.gate {
            gate.acquire().await.map_err(|_| Trouble::new("a gate that is gone"))?.forget();
        }
        client.write_all(second).await?;
    }
    Ok(client.shutdown().await?)
}

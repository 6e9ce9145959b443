//! A registry in memory that keeps the contract of the control plane as far as the commands need it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::wire::{Reply, Seen, read};
use super::{TOKEN, digest};

type Rule = Box<dyn FnMut(&Seen) -> Option<Reply> + Send>;

#[derive(Default)]
pub(super) struct State {
    /// By path in the repository `files`.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) blobs: BTreeMap<String, Vec<u8>>,
    pub(super) sessions: BTreeMap<String, Session>,
    /// The one version: its entries by path.
    pub(super) entries: BTreeMap<String, Value>,
    pub(super) drafted: bool,
    pub(super) published: bool,
    pub(super) seen: Vec<Seen>,
    rules: Vec<Rule>,
}

#[derive(Default)]
pub(super) struct Session {
    pub(super) digest: String,
    pub(super) parts: BTreeMap<u64, Vec<u8>>,
    pub(super) state: &'static str,
}

/// The running registry.
pub(super) struct Registry {
    pub(super) base: String,
    state: Arc<Mutex<State>>,
}

impl Registry {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let Some(seen) = read(&mut stream).await else { return };
                    let head_only = seen.method == "HEAD";
                    let reply = shared.lock().expect("not poisoned").answer(seen);
                    reply.send(&mut stream, head_only).await;
                });
            }
        });
        Self { base, state }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }

    /// Answers differently where `rule` says so.
    pub(super) fn rule(&self, rule: impl FnMut(&Seen) -> Option<Reply> + Send + 'static) {
        self.state().rules.push(Box::new(rule));
    }

    /// The requests so far that begin with `line`.
    pub(super) fn seen(&self, line: &str) -> Vec<Seen> {
        self.state().seen.iter().filter(|seen| seen.line().starts_with(line)).cloned().collect()
    }
}

impl State {
    pub(super) fn forget_rules(&mut self) {
        self.rules.clear();
    }

    fn answer(&mut self, seen: Seen) -> Reply {
        let ruled = self.rules.iter_mut().find_map(|rule| rule(&seen));
        self.seen.push(seen.clone());
        if let Some(reply) = ruled {
            return reply;
        }
        let segments: Vec<&str> = seen.path.trim_start_matches('/').split('/').collect();
        match segments.as_slice() {
            ["health", "live"] => {
                return Reply::json(200, &json!({ "status": "ok" })).with("Date", "Fri, 02 Jan 2026 03:04:05 GMT");
            }
            ["health", "ready"] => return Reply::json(200, &json!({ "status": "ready", "dependencies": [] })),
            _ => {}
        }
        let bootstrap = seen.header("x-bootstrap-token") == Some("first");
        if !bootstrap && seen.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return Reply::problem(401, "unauthorized", "who are you?");
        }
        match segments.as_slice() {
            ["v1", "auth", "whoami"] => Reply::json(200, &json!({ "subject": "alice", "scopes": ["repo:*:admin"] })),
            ["v1", "auth", "pats"] => self.pats(&seen),
            ["v1", "repos"] if seen.method == "POST" => Reply::json(201, &seen.json()),
            ["v1", "repos", "files", "uploads", rest @ ..] => self.uploads(&seen, rest),
            ["v1", "repos", "files", "packages", "versions", rest @ ..] => self.versions(&seen, rest),
            ["v1", "repos", "files", "blobs", named] => {
                let blob = self.blobs.get(named.trim_start_matches("sha256%3A")).cloned();
                blob.map_or_else(missing, |bytes| serve(&seen, &bytes))
            }
            ["repository", "files", rest @ ..] => self.native(&seen, &rest.join("/")),
            ["repository", "secret", ..] => Reply::problem(403, "forbidden", "you may not"),
            _ => missing(),
        }
    }

    fn pats(&mut self, seen: &Seen) -> Reply {
        if seen.method == "GET" {
            let token = |n: u32| json!({ "tokenId": format!("t{n}"), "subject": "alice", "scopes": ["repo:*:read"] });
            let second = seen.query.contains("cursor=more");
            let (items, next) =
                if second { (json!([token(2)]), Value::Null) } else { (json!([token(1)]), json!("more")) };
            return Reply::json(200, &json!({ "items": items, "nextCursor": next }));
        }
        let body = seen.json();
        let minted = json!({
            "tokenId": "t9", "token": TOKEN, "subject": body["subject"], "scopes": body["scopes"],
            "expiresAtUtc": "2026-01-09T00:00:00Z",
        });
        Reply::json(200, &minted)
    }

    fn native(&mut self, seen: &Seen, path: &str) -> Reply {
        let path = path.replace("%20", " ");
        match seen.method.as_str() {
            "PUT" => {
                let actual = digest(&seen.body);
                if seen.header("x-checksum-sha256") != Some(&actual) {
                    return Reply::problem(409, "upload_verification_failed", "the checksum does not match");
                }
                if self.files.contains_key(&path) {
                    return Reply::problem(409, "conflict", "the path is taken");
                }
                self.files.insert(path, seen.body.clone());
                Reply::json(201, &json!({}))
            }
            _ if path.is_empty() || path.ends_with('/') => self.listing(&path),
            _ => self.files.get(&path).map_or_else(missing, |bytes| serve(seen, bytes)),
        }
    }

    fn listing(&self, folder: &str) -> Reply {
        let mut items = BTreeMap::new();
        for (path, bytes) in &self.files {
            let Some(rest) = path.strip_prefix(folder) else { continue };
            let item = match rest.split_once('/') {
                Some((name, _)) => json!({ "name": name, "path": format!("{folder}{name}/"), "kind": "folder" }),
                None => json!({
                    "name": rest, "path": path, "kind": "file", "size": bytes.len(), "sha256": digest(bytes),
                    "modifiedAt": "2026-01-01T00:00:00Z",
                }),
            };
            items.insert(item["name"].to_string(), item);
        }
        if items.is_empty() {
            return missing();
        }
        Reply::json(200, &json!({ "items": items.into_values().collect::<Vec<_>>(), "nextCursor": null }))
    }

    fn uploads(&mut self, seen: &Seen, rest: &[&str]) -> Reply {
        match (seen.method.as_str(), rest) {
            ("POST", []) => self.create_upload(&seen.json()),
            ("GET", [id]) => self.sessions.get(*id).map_or_else(missing, |session| {
                let part = |(n, bytes): (&u64, &Vec<u8>)| json!({ "partNumber": n, "sizeBytes": bytes.len(), "eTag": format!("\"{n}\"") });
                let parts: Vec<Value> = session.parts.iter().map(part).collect();
                Reply::json(200, &json!({ "uploadId": id, "state": session.state, "expectedDigest": session.digest, "parts": parts }))
            }),
            ("POST", [id, "parts"]) => {
                let url = format!("/v1/repos/files/uploads/{id}/parts/{}", seen.json()["partNumber"]);
                let session = self.sessions.get_mut(*id).expect("a session");
                session.state = "parts_uploading";
                Reply::json(200, &json!({ "uploadUrl": url }))
            }
            ("PUT", [id, "parts", number]) => {
                let number = number.parse().expect("a number");
                self.sessions.get_mut(*id).expect("a session").parts.insert(number, seen.body.clone());
                Reply::json(200, &json!({})).with("ETag", &format!("\"{number}\""))
            }
            ("POST", [id, "complete"]) => {
                let session = self.sessions.get_mut(*id).expect("a session");
                let listed: Vec<_> = seen.json()["parts"].as_array().expect("parts").iter().map(|part| part["partNumber"].as_u64()).collect();
                assert_eq!(listed, session.parts.keys().map(|n| Some(*n)).collect::<Vec<_>>());
                session.state = "pending_commit";
                Reply::json(200, &json!({ "state": "pending_commit" }))
            }
            ("POST", [id, "commit"]) => {
                let session = self.sessions.get_mut(*id).expect("a session");
                let bytes = session.parts.values().flatten().copied().collect::<Vec<u8>>();
                if digest(&bytes) != session.digest {
                    session.state = "aborted";
                    return Reply::problem(409, "upload_verification_failed", "the bytes are not what was announced");
                }
                session.state = "committed";
                self.blobs.insert(session.digest.clone(), bytes);
                Reply::json(200, &json!({ "state": "committed" }))
            }
            _ => missing(),
        }
    }

    fn create_upload(&mut self, body: &Value) -> Reply {
        let wanted = body["expectedDigest"].as_str().expect("a digest").to_owned();
        if self.blobs.contains_key(&wanted) {
            return Reply::json(200, &json!({ "uploadId": "none", "state": "committed", "deduped": true }));
        }
        let id = format!("u{}", self.sessions.len());
        self.sessions.insert(id.clone(), Session { digest: wanted, state: "initiated", ..Session::default() });
        Reply::json(201, &json!({ "uploadId": id, "state": "initiated", "deduped": false }))
    }

    fn versions(&mut self, seen: &Seen, rest: &[&str]) -> Reply {
        let version = json!({ "versionId": "v1", "packageName": "tool", "version": "1.0", "state": "published" });
        match (seen.method.as_str(), rest) {
            ("POST", ["drafts"]) if self.published => Reply::problem(409, "conflict", "tool 1.0 is published"),
            ("POST", ["drafts"]) => {
                let reused = std::mem::replace(&mut self.drafted, true);
                Reply::json(201, &json!({ "versionId": "v1", "reusedDraft": reused }))
            }
            ("GET", ["v1"]) => Reply::json(200, &json!({ "entries": self.entries.values().collect::<Vec<_>>() })),
            ("DELETE", ["v1", "entries", path @ ..]) => {
                self.entries.remove(&path.join("/")).map_or_else(missing, |_| Reply { status: 204, ..Reply::default() })
            }
            ("POST", ["v1", "entries"]) => {
                for entry in seen.json()["entries"].as_array().expect("entries") {
                    assert!(
                        self.blobs.contains_key(entry["blobDigest"].as_str().expect("a digest")),
                        "bytes before rows"
                    );
                    self.entries.insert(entry["relativePath"].as_str().expect("a path").to_owned(), entry.clone());
                }
                Reply::json(200, &json!({}))
            }
            ("PUT", ["v1", "manifest"]) => Reply::json(200, &json!({})),
            ("POST", ["v1", "publish"]) => {
                self.published = true;
                Reply::json(200, &version)
            }
            _ => missing(),
        }
    }
}

fn missing() -> Reply {
    Reply::problem(404, "not_found", "there is no such thing")
}

/// A file with its ETag, whole or from an offset.
pub(super) fn serve(seen: &Seen, bytes: &[u8]) -> Reply {
    let etag = format!("\"{}\"", digest(bytes));
    let from =
        seen.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let from = from.filter(|_| seen.header("if-range") == Some(&etag));
    let reply = match from {
        Some(from) if from >= bytes.len() => Reply { status: 416, ..Reply::default() },
        Some(from) => Reply { status: 206, body: bytes[from..].to_vec(), ..Reply::default() }
            .with("Content-Range", &format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len())),
        None => Reply { status: 200, body: bytes.to_vec(), ..Reply::default() },
    };
    reply.with("ETag", &etag)
}

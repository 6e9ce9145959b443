//! Whether an upstream can be asked, tried by asking it.

use formats::Ask;
use model::Code;
use outbound::{Failure, Question, Reply};

use super::Remote;
use crate::authorize::{Admin, Grant};
use crate::error::{Error, Result};

/// What came of trying.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Whether it answered, and not with a refusal.
    pub reachable: bool,
    /// What is wrong, in a word.
    pub problem: Option<&'static str>,
    /// The status of its answer, where there was one.
    pub status: Option<u16>,
    /// Whether it was shown credentials.
    pub credentials: bool,
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// One sentence.
    pub detail: String,
}

/// The same, without what is known from elsewhere.
type Seen = (Option<&'static str>, Option<u16>, String);

impl Grant<Admin> {
    /// Asks the upstream for something short, in the way of every other question. 409 where there is none.
    pub async fn check_upstream(&self) -> Result<Checked> {
        let repo = self.repo();
        if !self.is_remote() {
            let why = format!("{} is {}: only a remote repository has an upstream", repo.key, repo.kind);
            return Err(Error::refuse(Code::Conflict, why));
        }
        self.call().note_privileged("upstream.checked", &format!("repository:{}", repo.key));
        let (remote, begun) = (self.remote()?, self.ambient().now());
        let (problem, status, detail) = if remote.is_offline() {
            (Some("offline"), None, format!("{} is offline: its upstream is not asked", repo.key))
        } else {
            tried(&remote).await
        };
        let millis = u64::try_from(self.ambient().now().since(begun).as_millis()).unwrap_or(u64::MAX);
        let credentials = repo.upstream_auth.is_some() && status.is_some();
        Ok(Checked { reachable: problem.is_none(), problem, status, credentials, millis, detail })
    }
}

async fn tried(remote: &Remote) -> Seen {
    let (ask, everywhere) = remote.format.sign_of_life();
    let reply = match asked(remote, &ask, true).await {
        // It knows GET alone.
        Err(Failure::Refused { status: 400 | 405, .. } | Failure::Failing { status: 501, .. }) => {
            asked(remote, &ask, false).await
        }
        reply => reply,
    };
    let path = || format!("/{}", ask.target);
    match reply {
        Ok(Reply::Found(found)) if everywhere && found.media_type() == "text/html" => {
            let why = format!("it answers to {} with a page for people: is the path of its address right?", path());
            (Some("wrong_path"), Some(200), why)
        }
        Ok(Reply::Found(_) | Reply::Unchanged) => (None, Some(200), "it answers".to_owned()),
        Ok(Reply::Missing) if everywhere => {
            let why = format!("it has no {}, which every such upstream has: is the path of its address right?", path());
            (Some("wrong_path"), Some(404), why)
        }
        Ok(Reply::Missing) => (None, Some(404), format!("it answers, and has no {}, which need not be there", path())),
        Err(failure) => {
            let (problem, status) = problem(&failure);
            (Some(problem), status, failure.to_string())
        }
    }
}

/// The body is not read.
async fn asked(remote: &Remote, ask: &Ask, head: bool) -> std::result::Result<Reply, Failure> {
    let question = Question { accept: ask.accept, head, ..Question::file(&ask.target, u64::MAX) };
    remote.upstream.ask(question).await
}

fn problem(failure: &Failure) -> (&'static str, Option<u16>) {
    match failure {
        Failure::Forbidden { .. } => ("forbidden_address", None),
        Failure::Unreachable { why, .. } => (unreachable(why), None),
        Failure::Timeout(_) => ("timeout", None),
        Failure::Refused { status: status @ (401 | 403), .. } => ("credentials", Some(*status)),
        Failure::Refused { status, .. } => ("refused", Some(*status)),
        Failure::Failing { status, .. } => ("failing", Some(*status)),
        Failure::Broken(_) => ("broken", None),
        Failure::Busy(_) => ("busy", None),
        Failure::Open { .. } => ("left_alone", None),
    }
}

/// What failed on the way, as the system's words for it have it.
fn unreachable(why: &str) -> &'static str {
    let why = why.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| why.contains(word));
    if says(&["lookup", "name or service", "resolve", "dns"]) {
        "name"
    } else if says(&["certificate", "tls", "handshake", "corrupt message", "ssl"]) {
        "tls"
    } else {
        "connection"
    }
}

//! Whether an upstream can be asked, and is what the repository takes it for: tried by asking it.

use formats::{LONGEST_SIGN, Probe, Sign, Signs, Verdict, lacks_repository};
use model::Code;
use outbound::{Failure, Peeked, Question};

use super::Remote;
use crate::authorize::{Admin, Grant};
use crate::error::{Error, Result};

/// What came of trying.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Whether it answered, and not with a refusal or with what is surely something else.
    pub reachable: bool,
    /// Whether its answers show that the format's protocol is spoken there.
    pub proven: bool,
    /// What is wrong, in a word.
    pub problem: Option<&'static str>,
    /// The status of its last answer, where there was one.
    pub status: Option<u16>,
    /// What it was asked, and what came back.
    pub asked: Vec<String>,
    /// Whether it was shown credentials.
    pub credentials: bool,
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// One sentence.
    pub detail: String,
}

/// What a folder answers in place of a file, or says of itself.
const FORBIDDEN: u16 = 403;
/// What is likely where nothing is.
const MISSING: &str = "nothing is there: the name of a repository seems to be missing at the end of the address";
/// The header in which registries of images say what they are.
const API_VERSION: &str = "docker-distribution-api-version";

/// What came of asking.
#[derive(Default)]
struct Seen {
    problem: Option<&'static str>,
    proven: bool,
    status: Option<u16>,
    asked: Vec<String>,
    detail: String,
}

impl Grant<Admin> {
    /// Asks the upstream for something short that shows what it is, in the way of every other question. 409 where there
    /// is none.
    pub async fn check_upstream(&self) -> Result<Checked> {
        let repo = self.repo();
        if !self.is_remote() {
            let why = format!("{} is {}: only a remote repository has an upstream", repo.key, repo.kind);
            return Err(Error::refuse(Code::Conflict, why));
        }
        self.call().note_privileged("upstream.checked", &format!("repository:{}", repo.key));
        let (remote, begun) = (self.remote()?, self.ambient().now());
        let seen = match remote.is_offline() {
            true => Seen {
                problem: Some("offline"),
                detail: format!("{} is offline: its upstream is not asked", repo.key),
                ..Seen::default()
            },
            false => tried(&remote, repo.upstream_auth.is_some()).await,
        };
        let millis = u64::try_from(self.ambient().now().since(begun).as_millis()).unwrap_or(u64::MAX);
        let credentials = repo.upstream_auth.is_some() && seen.status.is_some();
        let Seen { problem, proven, status, asked, detail } = seen;
        Ok(Checked { reachable: problem.is_none(), proven, problem, status, asked, credentials, millis, detail })
    }
}

/// Asks until an answer decides. `known`: credentials are shown.
async fn tried(remote: &Remote, known: bool) -> Seen {
    let base = remote.upstream.base();
    let Signs { what, probes } = remote.format.signs(&base);
    let (mut seen, mut last, mut found) = (Seen::default(), None, false);
    for probe in probes {
        match ask(remote, &probe, known).await {
            Ok(peeked) => {
                seen.status = Some(peeked.status);
                seen.asked.push(said(&probe, &peeked, &base));
                found |= peeked.status == 200;
                last = Some(weighed(last, judged(&probe, &peeked)));
            }
            Err(failure) => {
                let (problem, status) = problem(&failure);
                seen.asked.push(format!("GET {}: {failure}", path(&probe, &base)));
                // It has answered already: that something more is refused says nothing.
                if last.is_none() || status.is_none() {
                    return Seen { problem: Some(problem), status, detail: failure.to_string(), ..seen };
                }
            }
        }
        if matches!(last, Some(Verdict::Proof(_) | Verdict::Wrong(_))) {
            break;
        }
    }
    concluded(seen, what, last, !found && lacks_repository(&base))
}

/// What an answer that says nothing leaves as it was.
fn weighed(before: Option<Verdict>, verdict: Verdict) -> Verdict {
    match (before, verdict) {
        (Some(before), Verdict::Open(_)) => before,
        (_, verdict) => verdict,
    }
}

fn concluded(seen: Seen, what: &str, verdict: Option<Verdict>, lacks: bool) -> Seen {
    match verdict {
        Some(Verdict::Proof(why)) => Seen { proven: true, detail: format!("{what} is there: {why}"), ..seen },
        Some(Verdict::Wrong(why) | Verdict::Doubt(why)) => {
            wrong(seen, format!("this is not {what}: {why}; is the path of its address right?"))
        }
        _ if lacks => wrong(seen, MISSING.to_owned()),
        Some(Verdict::Open(why)) => {
            Seen { detail: format!("something answers, but nothing shows that it is {what}: {why}"), ..seen }
        }
        None => seen,
    }
}

fn wrong(seen: Seen, detail: String) -> Seen {
    Seen { problem: Some("wrong_path"), detail, ..seen }
}

/// No more of the body is read than is looked at.
async fn ask(remote: &Remote, probe: &Probe, known: bool) -> std::result::Result<Peeked, Failure> {
    let question = Question::index(&probe.ask.target, probe.ask.accept, LONGEST_SIGN as u64);
    match remote.upstream.peek(question, &[API_VERSION]).await {
        Err(Failure::Refused { status: FORBIDDEN, origin, .. }) if probe.of_file && !known => {
            Ok(Peeked { status: FORBIDDEN, origin, ..Peeked::default() })
        }
        said => said,
    }
}

fn judged(probe: &Probe, peeked: &Peeked) -> Verdict {
    let api_version = peeked.headers.first().and_then(|version| version.as_deref());
    let Peeked { status, media_type, body, .. } = peeked;
    (probe.judge)(&Sign { status: *status, media_type, api_version, body })
}

/// What was asked and what came back, as people read it.
fn said(probe: &Probe, peeked: &Peeked, base: &str) -> String {
    let kind = if peeked.media_type.is_empty() { "no media type" } else { &peeked.media_type };
    let from = match base.strip_prefix(&peeked.origin).is_some_and(|rest| rest.starts_with('/')) {
        true => String::new(),
        false => format!(", from {}", peeked.origin),
    };
    format!("GET {}: {}, {}{from}", path(probe, base), peeked.status, kind.escape_debug())
}

/// The path of what is asked.
fn path(probe: &Probe, base: &str) -> String {
    let target = &probe.ask.target;
    let whole = if target.contains("://") { target.clone() } else { format!("{base}{target}") };
    let rest = whole.split_once("://").map_or("", |(_, rest)| rest);
    rest.find('/').map_or("/", |at| &rest[at..]).to_owned()
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
    // First of all: a certificate is for names, too.
    if says(&["certificate", "tls", "handshake", "corrupt message", "ssl"]) {
        "tls"
    } else if says(&["lookup", "name or service", "resolve", "dns"]) {
        "name"
    } else {
        "connection"
    }
}

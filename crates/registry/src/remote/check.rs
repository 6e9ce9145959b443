//! Whether an upstream can be asked, and is what the repository takes it for: tried by asking it.

use std::time::Duration;

use formats::{Ask, LONGEST_SIGN, Probe, Sign, Signs, Verdict, lacks_repository};
use model::Code;
use outbound::{Failure, Peeked, Question};

use super::Remote;
use crate::authorize::{Admin, Grant};
use crate::error::{Error, Result};
use crate::upstreams::UpstreamAuth;

/// What came of trying.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Whether it answered, and not with a refusal or with what is surely something else.
    pub reachable: bool,
    /// Whether its answers show that the format's protocol is spoken there.
    pub proven: bool,
    /// What is wrong, in a word.
    pub problem: Option<&'static str>,
    /// The status of the answer that decided, where there was one.
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

/// How long other formats are tried for, all together.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a folder answers in place of a file, or says of itself.
const FORBIDDEN: u16 = 403;
/// There is something.
const OK: u16 = 200;
/// Whoever has everything shows nothing.
const EVERYTHING: &str = "it has something also where nobody has anything";
/// What may be wrong where somebody wants to know who asks.
const NO_CREDENTIALS: &str =
    "no credentials are set for this upstream (upstreamAuth; --upstream-user, --upstream-token-file)";
const REFUSED_CREDENTIALS: &str = "the credentials that are set for this upstream were shown, and refused";
const OTHERS_CREDENTIALS: &str = "the credentials that are set for this upstream are for its own origin and were not shown \
     there; is it where tokens come from? see upstreamAuth.realm, --upstream-realm";
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
        let auth = self.registry().upstream_of(repo)?.auth;
        let seen = match remote.is_offline() {
            true => Seen {
                problem: Some("offline"),
                detail: format!("{} is offline: its upstream is not asked", repo.key),
                ..Seen::default()
            },
            false => Trial::new(&remote, auth.as_ref()).run().await,
        };
        let millis = u64::try_from(self.ambient().now().since(begun).as_millis()).unwrap_or(u64::MAX);
        let credentials = auth.is_some() && seen.status.is_some();
        let Seen { problem, proven, status, asked, detail } = seen;
        Ok(Checked { reachable: problem.is_none(), proven, problem, status, asked, credentials, millis, detail })
    }
}

/// Asking until an answer decides.
struct Trial<'a> {
    remote: &'a Remote,
    base: String,
    /// The credentials that are shown.
    auth: Option<&'a UpstreamAuth>,
    seen: Seen,
    /// Whether anything was found.
    found: bool,
}

impl<'a> Trial<'a> {
    fn new(remote: &'a Remote, auth: Option<&'a UpstreamAuth>) -> Self {
        Self { remote, base: remote.upstream.base(), auth, seen: Seen::default(), found: false }
    }

    async fn run(mut self) -> Seen {
        let signs = self.remote.format.signs(&self.base);
        let verdict = match self.look(&signs).await {
            Ok(verdict) => verdict,
            Err(failure) => {
                let (problem, status) = problem(&failure);
                return Seen { problem: Some(problem), status, detail: self.told(&failure), ..self.seen };
            }
        };
        let verdict = match (verdict, &signs.nowhere) {
            (decided @ Some(Verdict::Part(_) | Verdict::Beneath(_) | Verdict::Wrong(_)), _) => decided,
            (_, Some(nowhere)) if self.has(nowhere).await => Some(Verdict::Wrong(EVERYTHING)),
            (Some(Verdict::Open(_) | Verdict::Doubt(_)), _) if signs.is_alone => match self.other(signs.what).await {
                Some(other) => return wrong(self.seen, format!("this is not {}: {other} is there", signs.what)),
                None => verdict,
            },
            (verdict, _) => verdict,
        };
        self.concluded(signs.what, verdict)
    }

    /// What its answers show. An error: there was none.
    async fn look(&mut self, signs: &Signs) -> std::result::Result<Option<Verdict>, Failure> {
        let (mut last, mut before) = (None, None);
        for probe in &signs.probes {
            match self.ask(probe).await {
                Ok(peeked) => {
                    let status = peeked.status;
                    let verdict = judged(probe, &peeked, before.replace(status));
                    if last.is_none() || !matches!(verdict, Verdict::Open(_)) {
                        self.seen.status = Some(status);
                    }
                    last = Some(weighed(last, verdict));
                }
                // It has answered already: that something more is refused says nothing.
                Err(failure) if last.is_none() || problem(&failure).1.is_none() => return Err(failure),
                Err(_) => {}
            }
            if matches!(last, Some(Verdict::Proof(_) | Verdict::Beneath(_) | Verdict::Wrong(_))) {
                break;
            }
        }
        Ok(last)
    }

    /// Whether there is something where there cannot be.
    async fn has(&mut self, nowhere: &Ask) -> bool {
        let Ask { target, accept } = nowhere;
        let ask = Ask { target: target.clone(), accept };
        let probe = Probe { ask, judge: |_| Verdict::Open(""), of_file: false, of_rights: true };
        self.ask(&probe).await.is_ok_and(|peeked| peeked.status == OK)
    }

    /// What it is, where its answers show that it is another format's.
    async fn other(&mut self, own: &str) -> Option<&'static str> {
        let status = self.seen.status;
        let found = tokio::time::timeout(PATIENCE, self.another(own)).await;
        self.seen.status = status;
        found.ok().flatten()
    }

    async fn another(&mut self, own: &str) -> Option<&'static str> {
        let others = formats::ALL.into_iter().filter_map(|format| Some(format.upstream()?.signs(&self.base)));
        let others: Vec<Signs> = others.filter(|signs| signs.is_alone && signs.what != own).collect();
        for signs in others {
            match self.look(&signs).await {
                Ok(Some(Verdict::Proof(_) | Verdict::Beneath(_))) => return Some(signs.what),
                Ok(_) => {}
                Err(failure) if problem(&failure).1.is_some() => {}
                // It will not answer the next one either.
                Err(_) => return None,
            }
        }
        None
    }

    /// Asks, and keeps what was said. No more of the body is read than is looked at.
    async fn ask(&mut self, probe: &Probe) -> std::result::Result<Peeked, Failure> {
        let question = Question::index(&probe.ask.target, probe.ask.accept, LONGEST_SIGN as u64);
        let said = match self.remote.upstream.peek(question, &[API_VERSION]).await {
            Err(Failure::Refused { status: status @ (401 | 403), origin, .. })
                if probe.of_rights || (probe.of_file && status == FORBIDDEN && self.auth.is_none()) =>
            {
                Ok(Peeked { status, origin, ..Peeked::default() })
            }
            said => said,
        };
        self.seen.asked.push(match &said {
            Ok(peeked) => said_of(probe, peeked, &self.base),
            Err(failure) => format!("GET {}: {failure}", path(probe, &self.base)),
        });
        if let Ok(peeked) = &said {
            self.found |= peeked.status == OK;
        }
        said
    }

    /// What an administrator is told of a failure: nobody else may know whether there are credentials.
    fn told(&self, failure: &Failure) -> String {
        let Failure::Refused { status: 401 | 403, origin, .. } = failure else { return failure.to_string() };
        let realm = self.auth.and_then(|auth| auth.realm.as_ref());
        let shown = is_of(&self.base, origin) || realm.is_some_and(|realm| realm.as_str() == origin);
        match (self.auth.is_some(), shown) {
            (false, _) => format!("{failure}: {NO_CREDENTIALS}"),
            (true, true) => format!("{failure}: {REFUSED_CREDENTIALS}"),
            (true, false) => format!("{failure}: {OTHERS_CREDENTIALS}"),
        }
    }

    fn concluded(self, what: &str, verdict: Option<Verdict>) -> Seen {
        let Self { seen, found, base, .. } = self;
        match verdict {
            Some(Verdict::Proof(why)) => Seen { proven: true, detail: format!("{what} is there: {why}"), ..seen },
            Some(Verdict::Part(why)) => Seen { detail: format!("{what} is there, {why}"), ..seen },
            Some(Verdict::Beneath(why)) => wrong(seen, format!("this is not {what}, but {why}")),
            Some(Verdict::Wrong(why) | Verdict::Doubt(why)) => {
                wrong(seen, format!("this is not {what}: {why}; is the path of its address right?"))
            }
            _ if !found && lacks_repository(&base) => wrong(seen, MISSING.to_owned()),
            Some(Verdict::Open(why)) if !found => {
                let detail =
                    format!("something answers, but has nothing there, and nothing shows that it is {what}: {why}");
                Seen { detail, ..seen }
            }
            Some(Verdict::Open(why)) => {
                Seen { detail: format!("something answers, but nothing shows that it is {what}: {why}"), ..seen }
            }
            None => seen,
        }
    }
}

/// What an answer that says nothing leaves as it was.
fn weighed(before: Option<Verdict>, verdict: Verdict) -> Verdict {
    match (before, verdict) {
        (Some(before), Verdict::Open(_)) if !matches!(before, Verdict::Open(_)) => before,
        (_, verdict) => verdict,
    }
}

fn wrong(seen: Seen, detail: String) -> Seen {
    Seen { problem: Some("wrong_path"), detail, ..seen }
}

fn judged(probe: &Probe, peeked: &Peeked, before: Option<u16>) -> Verdict {
    let api_version = peeked.headers.first().and_then(|version| version.as_deref());
    let Peeked { status, media_type, body, .. } = peeked;
    (probe.judge)(&Sign { status: *status, media_type, api_version, body, before })
}

/// What was asked and what came back, as people read it.
fn said_of(probe: &Probe, peeked: &Peeked, base: &str) -> String {
    let kind = if peeked.media_type.is_empty() { "no media type" } else { &peeked.media_type };
    let from = match is_of(base, &peeked.origin) {
        true => String::new(),
        false => format!(", from {}", peeked.origin),
    };
    format!("GET {}: {}, {}{from}", path(probe, base), peeked.status, kind.escape_debug())
}

/// Whether an address is of this origin.
fn is_of(address: &str, origin: &str) -> bool {
    address.strip_prefix(origin).is_some_and(|rest| rest.starts_with('/'))
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

//! The rules of remote repositories, format by format: indexes and direct requests, what is cached and what is not.
#![expect(clippy::panic, reason = "tests")]

use std::time::Duration;

use formats::{Asked, Format, Method, Operation, Site};
use model::state::RepoKind;
use model::{Code, RepoKey, Timestamp};
use registry::{
    Admin, Error, Explanation, NewRepository, Question, Read, RepoSettings, Result, Rule, TenantAdmin, UpstreamUrl,
};
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::bench::{Bench, code, package, path, repo_key};
use crate::upstream::Upstream;

crate::both! {
    what_is_too_young_at_npm_is_nowhere_until_it_is_old_enough;
    a_file_added_to_an_old_version_of_pypi_is_young;
    crates_without_a_time_are_too_young;
    artifacts_are_as_old_as_their_files_say;
    modules_are_as_old_as_their_versions_say;
    what_is_cached_is_refused_by_a_rule_that_comes_later;
    nobody_is_asked_for_a_claimed_name;
    a_range_that_cannot_be_read_is_refused;
    a_freeze_holds_and_is_explained;
}

pub(crate) const HOUR: u64 = 3600;
const BASE: &str = "http://here.example/repository/up";

/// Rules beside an upstream.
pub(crate) struct Desk<'b> {
    bench: &'b Bench,
    pub(crate) upstream: Upstream,
    format: &'static dyn Format,
    pub(crate) key: RepoKey,
}

impl<'b> Desk<'b> {
    pub(crate) async fn new(bench: &'b Bench, format: &str, rules: Value) -> Self {
        Self::at(bench, format, "up", rules).await
    }

    /// The same, in a repository of this key.
    pub(crate) async fn at(bench: &'b Bench, format: &str, key: &str, rules: Value) -> Self {
        let upstream = Upstream::start().await;
        let new = NewRepository {
            key: repo_key(key),
            format: format.to_owned(),
            kind: RepoKind::Remote,
            description: String::new(),
            anonymous_read: true, // tokens of tests do not live as long as time goes on here
            settings: RepoSettings::default(),
            upstream_url: Some(UpstreamUrl::parse(&upstream.url()).expect("an address")),
            upstream_auth: None,
            members: Vec::new(),
        };
        let admin = bench.admin().await.authorize_tenant::<TenantAdmin>().expect("an admin");
        let key = admin.create_repository(new).await.expect("made").key;
        let desk = Self { bench, upstream, format: formats::by_key(format).expect("a format"), key };
        desk.rule(rules).await.expect("rules");
        desk
    }

    pub(crate) async fn rule(&self, rules: Value) -> Result<u64> {
        let rules: Vec<Rule> = model::json::from_value(rules).expect("rules");
        self.bench.grant::<Admin>(&self.key).await.set_rules(None, &rules).await
    }

    pub(crate) fn bench(&self) -> &'b Bench {
        self.bench
    }

    pub(crate) async fn grant(&self) -> registry::Grant<Read> {
        let call = self.bench.registry.call(None, self.bench.registry.ambient().id()).await.expect("a call");
        call.authorize(&self.key).await.expect("a grant")
    }

    /// What a client gets for an address below the repository.
    pub(crate) async fn get(&self, rest: &str) -> Result<Vec<u8>> {
        let grant = self.grant().await;
        let site = Site { base: BASE, auth_required: true, subject: None };
        let asked = Asked { as_written: true, ..Asked::plain(Method::Get, rest) };
        match self.format.parse(&asked).expect("an address") {
            Operation::Fetch(path) => {
                let mut content = grant.reach_whole(&path).await?.open(None).await?;
                let mut body = Vec::new();
                while let Some(piece) = content.next().await? {
                    body.extend_from_slice(&piece);
                }
                Ok(body)
            }
            Operation::Index(at, view) => Ok(grant.index(&at, view, &site).await?.body().to_vec()),
            Operation::Version(at, version, view) => {
                Ok(grant.version_document(&at, &version, view, &site).await?.body().to_vec())
            }
            other => panic!("{other:?}"),
        }
    }

    /// An index with what is said of it.
    pub(crate) async fn shown(&self, rest: &str) -> Result<std::sync::Arc<registry::Shown>> {
        let site = Site { base: BASE, auth_required: true, subject: None };
        let asked = Asked { as_written: true, ..Asked::plain(Method::Get, rest) };
        match self.format.parse(&asked).expect("an address") {
            Operation::Index(at, view) => self.grant().await.index(&at, view, &site).await,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn text(&self, rest: &str) -> String {
        let found = self.get(rest).await.unwrap_or_else(|error| panic!("{rest}: {error}"));
        String::from_utf8(found).expect("text")
    }

    pub(crate) async fn code(&self, rest: &str) -> Code {
        code(self.get(rest).await)
    }

    pub(crate) fn ago(&self, hours: u64) -> Timestamp {
        let now = self.bench.registry.ambient().now();
        Timestamp(now.0 - i64::try_from(hours * HOUR).expect("hours") * 1_000_000)
    }

    pub(crate) fn later(&self, hours: u64) {
        self.bench.clock.advance(Duration::from_secs(hours * HOUR));
    }

    pub(crate) fn http_date(&self, hours: u64) -> String {
        format!("Last-Modified: {}\r\n", httpdate::fmt_http_date(at(self.ago(hours))))
    }

    pub(crate) async fn explain(&self, question: Question) -> Explanation {
        self.grant().await.explain(question).await.expect("explained")
    }
}

fn at(time: Timestamp) -> std::time::SystemTime {
    std::time::UNIX_EPOCH + Duration::from_micros(u64::try_from(time.0).expect("after the epoch"))
}

pub(crate) fn minimum(hours: u32) -> Value {
    json!([{"kind": "minimumAge", "hours": hours}])
}

pub(crate) fn block_of<T>(outcome: Result<T>) -> (String, model::Block) {
    match outcome {
        Err(Error::Refused(refusal)) => (refusal.detail, *refusal.block.expect("a block")),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("this should have been refused"),
    }
}

pub(crate) fn npm(desk: &Desk<'_>, versions: &[(&str, Option<u64>)]) {
    let mut packument = json!({"name": "tool", "versions": {}, "time": {}, "dist-tags": {}});
    for (version, hours) in versions {
        let file = format!("tool-{version}.tgz");
        let sum = sha2::Sha512::digest(file.as_bytes());
        let integrity = format!("sha512-{}", base64::Engine::encode(&base64::prelude::BASE64_STANDARD, sum));
        packument["versions"][version] = json!({"name": "tool", "version": version,
            "dist": {"tarball": format!("{}/tool/-/{file}", desk.upstream.url()), "integrity": integrity}});
        for tag in ["latest", "next"] {
            packument["dist-tags"][tag] = json!(version);
        }
        if let Some(hours) = hours {
            packument["time"][version] = json!(desk.ago(*hours).to_string());
        }
        desk.upstream.says(&format!("/tool/-/{file}"), "", file);
    }
    desk.upstream.says("/tool", "Content-Type: application/json\r\n", packument.to_string());
}

async fn what_is_too_young_at_npm_is_nowhere_until_it_is_old_enough(bench: &Bench) {
    let desk = Desk::new(bench, "npm", minimum(72)).await;
    npm(&desk, &[("1.0.0", Some(100)), ("1.2.0", None), ("1.1.0", Some(70))]);
    let index = desk.text("tool").await;
    let shown: Value = serde_json::from_str(&index).expect("a packument");
    assert_eq!(shown["dist-tags"], json!({"latest": "1.0.0"}), "{index}");
    assert!(!index.contains("1.1.0") && !index.contains("1.2.0"), "{index}");
    let asked = desk.upstream.asked().len();
    for young in ["tool/-/tool-1.1.0.tgz", "tool/-/tool-1.2.0.tgz", "tool/1.1.0", "tool/next"] {
        assert_eq!(desk.code(young).await, Code::PolicyDenied, "{young}");
    }
    let latest: Value = serde_json::from_str(&desk.text("tool/latest").await).expect("a version");
    assert_eq!(latest["version"], "1.0.0", "by itself it is what it is in the index");
    assert_eq!(desk.upstream.asked().len(), asked, "what is refused is not fetched");
    let (sentence, block) = block_of(desk.get("tool/-/tool-1.1.0.tgz").await);
    let until = desk.ago(70).plus(Duration::from_secs(72 * HOUR));
    assert_eq!((block.lifted_by.as_str(), block.until), ("an admin of up", Some(until)));
    assert!(sentence.contains("tool 1.1.0") && sentence.contains(&until.to_seconds()), "{sentence}");
    assert_eq!(block.link, "/v1/repos/up/explain?path=tool%2F%2D%2Ftool%2D1%2E1%2E0%2Etgz");
    assert_eq!(desk.text("tool/-/tool-1.0.0.tgz").await, "tool-1.0.0.tgz");

    desk.later(2);
    let shown: Value = serde_json::from_str(&desk.text("tool").await).expect("a packument");
    assert_eq!(
        shown["dist-tags"],
        json!({"latest": "1.1.0", "next": "1.1.0"}),
        "nothing was published, time has passed"
    );
    assert_eq!(desk.text("tool/-/tool-1.1.0.tgz").await, "tool-1.1.0.tgz");
    desk.later(10_000);
    assert_eq!(desk.code("tool/-/tool-1.2.0.tgz").await, Code::PolicyDenied, "what tells no time never gets old");
}

async fn a_file_added_to_an_old_version_of_pypi_is_young(bench: &Bench) {
    let desk = Desk::new(bench, "pypi", minimum(72)).await;
    let file = |name: &str, hours: Option<u64>| {
        desk.upstream.says(&format!("/files/{name}"), "", name);
        let time = hours.map(|hours| desk.ago(hours).to_string());
        json!({"filename": name, "url": format!("{}/files/{name}", desk.upstream.url()), "upload-time": time,
            "hashes": {"sha256": hex(name)}})
    };
    let files = [
        file("tool-1.0.tar.gz", Some(1000)),
        file("tool-1.0-py3-none-any.whl", Some(1)),
        file("tool-2.0.tar.gz", None),
    ];
    let index = json!({"meta": {"api-version": "1.1"}, "name": "tool", "versions": ["1.0", "2.0"], "files": files});
    desk.upstream.says("/tool/", "Content-Type: application/vnd.pypi.simple.v1+json\r\n", index.to_string());
    let shown = desk.text("simple/tool/").await;
    assert!(shown.contains("tool-1.0.tar.gz") && !shown.contains(".whl") && !shown.contains("2.0"), "{shown}");
    assert_eq!(desk.text("packages/tool/1.0/tool-1.0.tar.gz").await, "tool-1.0.tar.gz");
    for young in ["packages/tool/1.0/tool-1.0-py3-none-any.whl", "packages/tool/2.0/tool-2.0.tar.gz"] {
        assert_eq!(desk.code(young).await, Code::PolicyDenied, "{young}");
    }
    desk.later(71);
    assert!(desk.text("simple/tool/").await.contains(".whl"));
    let shown = desk.text("packages/tool/1.0/tool-1.0-py3-none-any.whl").await;
    assert_eq!(shown, "tool-1.0-py3-none-any.whl");
}

pub(crate) fn hex(text: &str) -> String {
    sha2::Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn crates_without_a_time_are_too_young(bench: &Bench) {
    let desk = Desk::new(bench, "cargo", minimum(72)).await;
    let config = json!({"dl": format!("{}/dl", desk.upstream.url())});
    desk.upstream.says("/config.json", "", config.to_string());
    let line = |version: &str, time: Option<u64>| {
        let name = format!("tool-{version}");
        desk.upstream.says(&format!("/dl/tool/{version}/download"), "", name.as_str());
        let time = time.map(|hours| desk.ago(hours).to_seconds());
        let mut line = json!({"name": "tool", "vers": version, "deps": [], "features": {}, "yanked": false,
            "cksum": hex(&name)});
        if let Some(time) = time {
            line["pubtime"] = json!(time);
        }
        format!("{line}\n")
    };
    let lines = [line("1.0.0", Some(100)), line("1.1.0", Some(71)), line("1.2.0", None)].concat();
    desk.upstream.says("/to/ol/tool", "", lines);
    let shown = desk.text("to/ol/tool").await;
    assert!(shown.contains("1.0.0") && !shown.contains("1.1.0") && !shown.contains("1.2.0"), "{shown}");
    assert_eq!(desk.text("dl/tool/1.0.0/download").await, "tool-1.0.0");
    for young in ["dl/tool/1.1.0/download", "dl/tool/1.2.0/download"] {
        assert_eq!(desk.code(young).await, Code::PolicyDenied, "{young}");
    }
    desk.later(1);
    assert!(desk.text("to/ol/tool").await.contains("1.1.0"));
    assert_eq!(desk.text("dl/tool/1.1.0/download").await, "tool-1.1.0");
}

async fn artifacts_are_as_old_as_their_files_say(bench: &Bench) {
    // Nobody says a checksum: it must look like what it is.
    fn text(version: &str, kind: &str) -> String {
        match kind {
            "pom" => format!("<project><artifactId>tool</artifactId><version>{version}</version></project>"),
            _ => format!("{version} {kind}"),
        }
    }
    let desk = Desk::new(bench, "maven", minimum(72)).await;
    let versions = ["1.0", "1.1", "1.2"].map(|version| format!("<version>{version}</version>")).concat();
    let index = format!(
        "<metadata><groupId>org.acme</groupId><artifactId>tool</artifactId><versioning><latest>1.2</latest>\
         <release>1.2</release><versions>{versions}</versions></versioning></metadata>"
    );
    desk.upstream.says("/org/acme/tool/maven-metadata.xml", "", index);
    let file = |version: &str, kind: &str, head: &str| {
        desk.upstream.says(&format!("/org/acme/tool/{version}/tool-{version}.{kind}"), head, text(version, kind));
    };
    file("1.0", "pom", &desk.http_date(100));
    file("1.0", "txt", &desk.http_date(1));
    file("1.1", "pom", &desk.http_date(71));
    file("1.1", "txt", &desk.http_date(71));
    file("1.2", "pom", "");
    let shown = desk.text("org/acme/tool/maven-metadata.xml").await;
    assert!(shown.contains("<release>1.0</release>") && !shown.contains("1.1") && !shown.contains("1.2"), "{shown}");
    assert_eq!(desk.text("org/acme/tool/1.0/tool-1.0.pom").await, text("1.0", "pom"));
    for young in ["1.0/tool-1.0.txt", "1.1/tool-1.1.txt", "1.1/tool-1.1.pom", "1.2/tool-1.2.pom"] {
        assert_eq!(desk.code(&format!("org/acme/tool/{young}")).await, Code::PolicyDenied, "{young}");
    }
    desk.later(1);
    let shown = desk.text("org/acme/tool/maven-metadata.xml").await;
    assert!(shown.contains("<release>1.1</release>") && !shown.contains("1.2"), "{shown}");
    assert_eq!(desk.text("org/acme/tool/1.1/tool-1.1.txt").await, "1.1 txt");
}

async fn modules_are_as_old_as_their_versions_say(bench: &Bench) {
    let desk = Desk::new(bench, "go", minimum(72)).await;
    let info = |version: &str, hours: u64| {
        let text = json!({"Version": version, "Time": desk.ago(hours).to_seconds()}).to_string();
        desk.upstream.says(&format!("/acme.example/tool/@v/{version}.info"), "", text.as_str());
        desk.upstream.says(&format!("/acme.example/tool/@v/{version}.mod"), "", "module acme.example/tool\n");
        text
    };
    info("v1.0.0", 100);
    let latest = info("v1.1.0", 71);
    desk.upstream.says("/acme.example/tool/@v/list", "", "v1.0.0\nv1.1.0\nv1.2.0\n");
    desk.upstream.says("/acme.example/tool/@latest", "", latest);
    assert_eq!(desk.text("acme.example/tool/@v/list").await, "v1.0.0\n");
    assert!(desk.text("acme.example/tool/@latest").await.contains("v1.0.0"));
    assert_eq!(desk.text("acme.example/tool/@v/v1.0.0.mod").await, "module acme.example/tool\n");
    for young in ["v1.1.0.info", "v1.1.0.mod"] {
        assert_eq!(desk.code(&format!("acme.example/tool/@v/{young}")).await, Code::PolicyDenied, "{young}");
    }
    desk.later(1);
    assert_eq!(desk.text("acme.example/tool/@v/list").await, "v1.0.0\nv1.1.0\n");
    assert_eq!(desk.text("acme.example/tool/@v/v1.1.0.mod").await, "module acme.example/tool\n");
}

async fn what_is_cached_is_refused_by_a_rule_that_comes_later(bench: &Bench) {
    let desk = Desk::new(bench, "npm", json!([])).await;
    npm(&desk, &[("1.0.0", Some(100)), ("1.1.0", Some(1))]);
    let files = ["tool/-/tool-1.0.0.tgz", "tool/-/tool-1.1.0.tgz"];
    for file in files {
        desk.get(file).await.expect("no rule keeps it out");
    }
    desk.rule(minimum(72)).await.expect("a rule");
    desk.get(files[0]).await.expect("old enough");
    assert_eq!(desk.code(files[1]).await, Code::PolicyDenied);
    let grant = bench.grant::<Read>(&desk.key).await;
    let digest = |file: &str| crate::bench::digest(file.rsplit('/').next().unwrap_or_default().as_bytes());
    grant.find_blob(digest(files[0])).await.expect("old enough");
    assert_eq!(code(grant.find_blob(digest(files[1])).await), Code::PolicyDenied, "nor by its digest");
    let correlation = bench.registry.ambient().id();
    let presumed = bench.registry.presume(Some(bench.admin_token()), &desk.key, correlation).await;
    if let Some(presumed) = presumed {
        assert!(presumed.find(&path(files[1])).await.expect("a look").is_none(), "nor on the short way");
    }
    let rules = json!([{"kind": "block", "pattern": "tool", "versions": "<1.1", "reason": "it has a hole"}]);
    desk.rule(rules).await.expect("a rule");
    desk.get(files[1]).await.expect("not in the range");
    let (sentence, _) = block_of(desk.get(files[0]).await);
    assert_eq!(sentence, "tool 1.0.0 is blocked in up: it has a hole; an admin of up can waive it");
    desk.rule(json!([{"kind": "block", "pattern": "/tool/-/*-1.1.0.tgz"}])).await.expect("a rule");
    assert_eq!(desk.code(files[1]).await, Code::PolicyDenied);
    let index = desk.text("tool").await;
    assert!(index.contains("1.0.0") && !index.contains("1.1.0"), "{index}");
    desk.rule(json!([{"kind": "block", "pattern": "*"}])).await.expect("a rule");
    assert_eq!(desk.code("tool").await, Code::PolicyDenied, "an index of which nothing is left says why");
}

async fn nobody_is_asked_for_a_claimed_name(bench: &Bench) {
    let desk = Desk::new(bench, "npm", json!([])).await;
    npm(&desk, &[("1.0.0", Some(100))]);
    desk.get("tool/-/tool-1.0.0.tgz").await.expect("fetched");
    let before = desk.upstream.asked().len();
    desk.rule(json!([{"kind": "claim", "pattern": "to*"}])).await.expect("a rule");
    for rest in ["tool", "tool/1.0.0", "tool/-/tool-1.0.0.tgz", "tool/-/tool-9.9.9.tgz", "together"] {
        assert_eq!(desk.code(rest).await, Code::NotFound, "{rest}");
    }
    assert_eq!(desk.explain(Question::Package(package("tool"), None)).await.verdict, "hide");
    assert_eq!(desk.upstream.asked().len(), before, "{:?}", desk.upstream.asked());
}

async fn a_range_that_cannot_be_read_is_refused(bench: &Bench) {
    let desk = Desk::new(bench, "pypi", json!([])).await;
    for odd in [
        json!([{"kind": "block", "pattern": "a", "versions": "[1,2)"}]),
        json!([{"kind": "block", "pattern": "a", "reason": ""}]),
        json!([{"kind": "claim", "pattern": "/a"}]),
        json!([{"kind": "minimumAge", "hours": 87_601}]),
    ] {
        assert_eq!(code(desk.rule(odd.clone()).await), Code::BadRequest, "{odd}");
    }
    desk.rule(json!([{"kind": "block", "pattern": "a", "versions": ">=1,<2"}])).await.expect("a range");
}

async fn a_freeze_holds_and_is_explained(bench: &Bench) {
    let desk = Desk::new(bench, "npm", json!([])).await;
    npm(&desk, &[("1.0.0", Some(100)), ("1.1.0", Some(1))]);
    let frozen = desk.ago(50);
    desk.rule(json!([{"kind": "allow", "pattern": "other"}, {"kind": "freeze", "notAfter": frozen}]))
        .await
        .expect("set");
    let index = desk.text("tool").await;
    assert!(index.contains("1.0.0") && !index.contains("1.1.0"), "{index}");
    desk.later(10_000);
    assert_eq!(desk.code("tool/-/tool-1.1.0.tgz").await, Code::PolicyDenied);
    let why = desk.explain(Question::Package(package("tool"), Some("1.1.0".to_owned()))).await;
    assert_eq!((why.verdict, why.until, why.published_at.is_some()), ("deny", None, true));
    let says: Vec<_> = why.rules.iter().map(|rule| (rule.says, rule.decides)).collect();
    assert_eq!(says, [(None, false), (Some("deny"), true)]);
    let all = desk.explain(Question::Package(package("tool"), None)).await;
    assert_eq!(all.kept_out.iter().map(|(version, _)| version.as_str()).collect::<Vec<_>>(), ["1.1.0"]);
}

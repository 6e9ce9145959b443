//! Bytes of remote repositories that their settings do not keep go, and come again when somebody wants them.
#![expect(clippy::panic, reason = "tests")]

use std::time::Duration;

use model::state::RepoKind;
use model::{Code, RepoId, RepoKey};
use registry::{
    Error, Eviction, Found, Grant, Need, NewRepository, Reached, Read, RemoteSettings, RepoSettings, Result,
    TenantAdmin, UpstreamUrl, Worker, WorkerSettings,
};
use store::jobs::{Enqueue, NewJob};
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, code, content, path, put, repo_key};
use crate::upstream::Upstream;

crate::both! {
    the_least_recently_read_go_until_there_is_room;
    what_nobody_reads_and_what_is_old_goes;
    what_was_let_go_is_fetched_once_and_is_the_same;
    what_is_read_before_it_is_gone_stays;
    other_bytes_than_before_are_not_served_and_told;
    an_upstream_that_is_away_or_has_it_no_more_is_a_failure;
    nothing_is_let_go_while_the_upstream_is_away;
    who_is_reading_reads_on;
    a_full_quota_refuses_what_comes_again;
    settings_that_make_no_sense_are_refused;
}

const SIZE: u64 = 100_000;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

struct Desk<'b> {
    bench: &'b Bench,
    upstream: Upstream,
    key: RepoKey,
}

fn new(url: &str, eviction: Eviction) -> NewRepository {
    NewRepository {
        key: repo_key("up"),
        format: "raw".to_owned(),
        kind: RepoKind::Remote,
        description: String::new(),
        // Tokens of tests do not live as long as time goes on here.
        anonymous_read: true,
        settings: RepoSettings { remote: Some(RemoteSettings { eviction: Some(eviction) }), ..RepoSettings::default() },
        upstream_url: Some(UpstreamUrl::parse(url).expect("an address")),
        upstream_auth: None,
        members: Vec::new(),
    }
}

pub(crate) fn most(bytes: u64) -> Eviction {
    Eviction { max_bytes: Some(bytes), ..Eviction::default() }
}

impl<'b> Desk<'b> {
    /// An upstream with files of [`SIZE`] bytes, each of other ones.
    async fn new(bench: &'b Bench, eviction: Eviction) -> Self {
        let upstream = Upstream::start().await;
        for (seed, name) in (0..).zip(["a", "b", "c", "d"]) {
            upstream.says(&format!("/{name}"), "", content(seed, 100_000));
        }
        let admin = bench.admin().await.authorize_tenant::<TenantAdmin>().expect("an admin");
        let key = admin.create_repository(new(&upstream.url(), eviction)).await.expect("made").key;
        Self { bench, upstream, key }
    }

    async fn grant(&self) -> Grant<Read> {
        let call = self.bench.registry.call(None, self.bench.registry.ambient().id()).await.expect("a call");
        call.authorize(&self.key).await.expect("a grant")
    }

    async fn find(&self, name: &str) -> Result<Found> {
        match self.grant().await.reach(&path(name), Need::Bytes).await? {
            Reached::Here(found) => Ok(found),
            Reached::Coming(coming) => coming.whole().await,
        }
    }

    /// Reads it, and lets that be noted.
    async fn read(&self, name: &str) -> Result<Vec<u8>> {
        let (mut content, mut bytes) = (self.find(name).await?.open(None).await?, Vec::new());
        while let Some(piece) = content.next().await? {
            bytes.extend_from_slice(&piece);
        }
        self.bench.registry.flush_uses().await.expect("noted");
        Ok(bytes)
    }

    async fn read_all(&self, names: &str) {
        for name in names.split(' ') {
            self.bench.clock.advance(Duration::from_secs(60));
            self.read(name).await.expect("its bytes");
        }
    }

    fn wait(&self, seconds: u64) {
        self.bench.clock.advance(Duration::from_secs(seconds));
    }

    async fn run(&self, kinds: &[&'static str]) {
        run(self.bench, self.grant().await.repo().id, kinds).await;
    }

    async fn evict(&self) {
        evict(self.bench, self.grant().await.repo().id).await;
    }

    /// Those whose bytes are here.
    async fn here(&self) -> String {
        let look = async |session: &mut store::Session<'_>| {
            let sql =
                "SELECT DISTINCT e.location FROM entries e JOIN copies c ON c.digest = e.digest ORDER BY e.location";
            session.rows(sql, &[]).await?.iter().map(|row| row.get::<String>(0)).collect::<store::Result<Vec<_>>>()
        };
        self.bench.registry.store().read(look).await.expect("names").join(" ")
    }

    fn asked(&self, path: &str) -> usize {
        self.upstream.asked().iter().filter(|asked| *asked == path).count()
    }
}

/// Runs jobs of these kinds, and those that follow.
async fn run(bench: &Bench, repo: RepoId, kinds: &[&'static str]) {
    let registry = &bench.registry;
    let job = |kind: &&'static str| {
        let (id, tenant, run_at) = (registry.ambient().id(), registry.tenant(), registry.ambient().now());
        let payload = serde_json::json!({"repoId": repo}).to_string();
        NewJob { id, tenant, kind, dedupe: String::new(), payload, run_at }
    };
    let jobs = kinds.iter().map(job).collect();
    registry.store().write(Enqueue { jobs, revive: false, at: registry.ambient().now() }).await.expect("enqueued");
    let shutdown = CancellationToken::new();
    let settings = WorkerSettings { poll: Duration::from_millis(20), ..WorkerSettings::default() };
    let worker = tokio::spawn(Worker::run(registry.clone(), settings, shutdown.clone()));
    let waiting = "SELECT count(*) FROM jobs WHERE kind IN ('remote.evict', 'condemned.remove', 'trash.sweep')";
    while bench.count(waiting).await > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    shutdown.cancel();
    worker.await.expect("it ends");
}

/// Lets go of what a repository does not keep, and removes it when its time is over.
pub(crate) async fn evict(bench: &Bench, repo: RepoId) {
    run(bench, repo, &["remote.evict"]).await;
    bench.clock.advance(Duration::from_secs(721));
    run(bench, repo, &["condemned.remove"]).await;
    run(bench, repo, &["trash.sweep"]).await;
}

/// The refusal, without the bytes that came instead.
fn refused(outcome: Result<Vec<u8>>) -> Error {
    match outcome {
        Ok(bytes) => panic!("{} bytes instead of a refusal", bytes.len()),
        Err(error) => error,
    }
}

async fn events(bench: &Bench, action: &str) -> usize {
    let look = async |session: &mut store::Session<'_>| {
        let rows = session.rows("SELECT action FROM events", &[]).await?;
        rows.iter().map(|row| row.get::<String>(0)).collect::<store::Result<Vec<_>>>()
    };
    let actions = bench.registry.store().read(look).await.expect("events");
    actions.iter().filter(|known| *known == action).count()
}

async fn the_least_recently_read_go_until_there_is_room(bench: &Bench) {
    let desk = Desk::new(bench, most(390_000)).await;
    desk.read_all("a b c d").await;
    desk.wait(2 * HOUR);
    desk.read_all("a").await;
    desk.evict().await;
    // 390000 less a tenth is more than three of them.
    assert_eq!((desk.here().await.as_str(), bench.used().await.0), ("a c d", 3 * SIZE));
    desk.evict().await;
    assert_eq!((desk.here().await.as_str(), events(bench, "repository.evicted").await), ("a c d", 1));
}

async fn what_nobody_reads_and_what_is_old_goes(bench: &Bench) {
    let desk = Desk::new(bench, Eviction { unused_days: Some(2), max_age_days: Some(5), max_bytes: None }).await;
    desk.read_all("a b c").await;
    desk.wait(DAY);
    desk.read_all("b").await;
    desk.evict().await;
    assert_eq!(desk.here().await, "a b c");
    desk.wait(DAY + HOUR);
    desk.evict().await;
    assert_eq!(desk.here().await, "b", "nobody read the others for two days");
    for _ in 0..3 {
        desk.wait(DAY);
        desk.read_all("b").await;
    }
    desk.evict().await;
    assert_eq!(desk.here().await, "", "five days old, although it is read");
}

async fn what_was_let_go_is_fetched_once_and_is_the_same(bench: &Bench) {
    let desk = Desk::new(bench, most(1)).await;
    desk.read_all("a").await;
    let before = desk.find("a").await.expect("here");
    desk.run(&["remote.evict"]).await;
    assert_eq!((bench.used().await.0, desk.here().await.as_str()), (0, "a"), "its bytes stay for a while");
    desk.wait(721);
    desk.run(&["condemned.remove"]).await;
    desk.run(&["trash.sweep"]).await;
    let asked = desk.asked("/a");
    let head = desk.grant().await.reach(&path("a"), Need::Head).await.expect("known");
    let Reached::Here(head) = head else { panic!("it comes for a head") };
    assert_eq!((head.digest(), head.size(), desk.asked("/a")), (before.digest(), SIZE, asked));
    head.expect_copies().expect("no alarm");
    let reads = tokio::join!(desk.read("a"), desk.read("a"), desk.read("a"));
    for read in [reads.0, reads.1, reads.2] {
        assert!(read.expect("its bytes") == content(0, 100_000));
    }
    assert_eq!((desk.asked("/a"), bench.used().await.0), (asked + 1, SIZE), "one fetch");
    assert_eq!((events(bench, "blob.refetched").await, bench.count("SELECT count(*) FROM versions").await), (1, 1));
    desk.read("a").await.expect("from here");
    assert_eq!(desk.asked("/a"), asked + 1);
}

async fn other_bytes_than_before_are_not_served_and_told(bench: &Bench) {
    let desk = Desk::new(bench, most(1)).await;
    desk.read_all("a b").await;
    desk.evict().await;
    desk.upstream.says("/a", "", content(9, 100_000));
    desk.upstream.says("/b", "", content(9, 100_001));
    for (told, name) in (1..).zip(["a", "b"]) {
        let refused = refused(desk.read(name).await);
        assert_eq!(refused.code(), Some(Code::ServiceUnavailable), "{refused}");
        assert!(refused.to_string().contains("other ones by now"), "{refused}");
        assert_eq!(events(bench, "upstream.changed").await, told);
    }
    // Whoever looks meanwhile is not made to ask again at once.
    assert_eq!((code(desk.read("a").await), events(bench, "upstream.changed").await), (Code::ServiceUnavailable, 2));
    assert_eq!((desk.here().await.as_str(), bench.used().await.0), ("", 0));
    desk.upstream.says("/a", "", content(0, 100_000));
    desk.wait(10);
    assert!(desk.read("a").await.expect("the same again") == content(0, 100_000));
}

async fn an_upstream_that_is_away_or_has_it_no_more_is_a_failure(bench: &Bench) {
    let desk = Desk::new(bench, most(1)).await;
    desk.read_all("a b").await;
    desk.evict().await;
    desk.upstream.forgets("/a");
    for _ in 0..2 {
        let refused = refused(desk.read("a").await);
        assert_eq!(refused.code(), Some(Code::ServiceUnavailable), "{refused}");
        assert!(refused.to_string().contains("no more"), "{refused}");
    }
    desk.upstream.goes_away();
    let refused = refused(desk.read("b").await);
    assert!(refused.code() == Some(Code::ServiceUnavailable) && refused.to_string().contains("upstream"), "{refused}");
    let tenant = bench.registry.tenant();
    let now = bench.registry.ambient().now();
    let look = async |session: &mut store::Session<'_>| store::ops::summary(session, tenant, now).await;
    let summary = bench.registry.store().read(look).await.expect("a summary");
    assert_eq!((summary.damaged_copies, summary.lost_blobs), (0, 0), "no alarm");
}

async fn nothing_is_let_go_while_the_upstream_is_away(bench: &Bench) {
    let desk = Desk::new(bench, most(1)).await;
    desk.read_all("a").await;
    desk.upstream.goes_away();
    desk.evict().await;
    assert_eq!((desk.here().await.as_str(), bench.used().await.0), ("a", SIZE));
    assert_eq!(events(bench, "repository.evicted").await, 0);
}

/// The bytes go under a reader: they come again, he reads on, and nothing is taken for damaged.
async fn what_is_read_before_it_is_gone_stays(bench: &Bench) {
    let desk = Desk::new(bench, Eviction { unused_days: None, max_age_days: Some(1), max_bytes: None }).await;
    desk.read_all("a b c").await;
    desk.wait(DAY);
    // Within the hour before it is let go: the next read alone would not be written for a while.
    desk.read_all("a").await;
    desk.run(&["remote.evict"]).await;
    desk.wait(600);
    desk.read("a").await.expect("still here");
    desk.read("b").await.expect("still here");
    desk.wait(121);
    desk.run(&["condemned.remove"]).await;
    desk.run(&["trash.sweep"]).await;
    assert_eq!((desk.here().await.as_str(), bench.used().await.0), ("a b", 2 * SIZE));
}

async fn who_is_reading_reads_on(bench: &Bench) {
    let desk = Desk::new(bench, most(1)).await;
    let long = content(5, 3 << 20);
    desk.upstream.says("/long", "", long.clone());
    let found = desk.find("long").await.expect("here");
    let mut reading = found.open(None).await.expect("begun");
    let mut read = reading.next().await.expect("a block").expect("bytes").to_vec();
    desk.evict().await;
    assert_eq!(desk.here().await, "", "they are gone");
    while let Some(piece) = reading.next().await.expect("it goes on") {
        read.extend_from_slice(&piece);
    }
    assert!(read == long, "other bytes");
    assert_eq!((events(bench, "blob.copy.damaged").await, events(bench, "blob.lost").await), (0, 0));
    // Who found it before and opens it now gets it as well; one who may not ask is told.
    desk.evict().await;
    desk.upstream.goes_away();
    let error = found.open(None).await.err().expect("refused");
    assert!(error.code() == Some(Code::ServiceUnavailable) && error.to_string().contains("upstream"), "{error}");
}

async fn a_full_quota_refuses_what_comes_again(bench: &Bench) {
    let desk = Desk::new(bench, most(1)).await;
    let files = bench.repository("files", false).await;
    let grant = bench.grant::<registry::Write>(&files).await;
    desk.read_all("a").await;
    desk.evict().await;
    // The bench has 10 MiB for all.
    for (seed, length) in [(20, 8 << 20), (21, (2 << 20) - 50_000)] {
        put(&grant, &format!("file-{seed}"), &content(seed, length)).await.expect("published");
    }
    let used = bench.used().await.0;
    assert_eq!(code(desk.read("a").await), Code::TooManyRequests);
    assert_eq!((bench.used().await.0, events(bench, "blob.refetched").await), (used, 0));
    assert_eq!(bench.count("SELECT count(*) FROM cached WHERE evicted_at IS NOT NULL").await, 1);
}

async fn settings_that_make_no_sense_are_refused(bench: &Bench) {
    let admin = bench.admin().await.authorize_tenant::<TenantAdmin>().expect("an admin");
    let usual = Eviction::default;
    let field = "settings.remote.eviction";
    let cases = [
        (usual(), field.to_owned()),
        (Eviction { unused_days: Some(0), ..usual() }, format!("{field}.unusedDays")),
        (Eviction { max_age_days: Some(36_501), ..usual() }, format!("{field}.maxAgeDays")),
        (Eviction { max_bytes: Some(0), ..usual() }, format!("{field}.maxBytes")),
    ];
    for (eviction, field) in cases {
        match admin.create_repository(new("https://there.example", eviction)).await {
            Err(Error::Refused(why)) => assert_eq!((why.code, why.field), (Code::BadRequest, Some(field.as_str()))),
            other => panic!("{other:?}"),
        }
    }
    let local = NewRepository { kind: RepoKind::Local, upstream_url: None, ..new("https://there.example", most(5)) };
    match admin.create_repository(local).await {
        Err(Error::Refused(why)) => assert_eq!(why.field, Some("settings.remote")),
        other => panic!("{other:?}"),
    }
}

//! Remote repositories: who may make and change them, where their credentials go, and that nobody publishes to them.
#![expect(clippy::panic, reason = "tests")]
use bytes::Bytes;
use model::state::RepoKind;
use model::{Code, RepoKey, Role, Secret};
use registry::{
    Admin, Error, Grant, NewRepository, Promote, Read, Registry, RepoChange, RepoSettings, Repository, Result, Sealed,
    ShownAuth, TenantAdmin, UpstreamAuth, UpstreamLogin, UpstreamSettings, UpstreamUrl, Write,
};
use serde_json::{Value, json};

use crate::bench::{Bench, code, put, repo_key, settings};

crate::both! {
    a_remote_repository_knows_its_upstream;
    what_makes_no_sense_is_refused_with_its_field;
    stored_credentials_never_begin_to_go_elsewhere;
    credentials_open_in_their_own_row_alone;
    nobody_publishes_to_a_remote_repository;
    who_may_not_change_it_sees_no_login;
    an_update_under_way_decides_nothing_for_another;
}

const URL: &str = "https://up.example/x";

fn url(text: &str) -> Option<UpstreamUrl> {
    Some(UpstreamUrl::parse(text).expect("an address"))
}

fn basic() -> UpstreamAuth {
    let login = UpstreamLogin::Basic { user: "ada".to_owned(), password: Secret::new("hunter2".to_owned()) };
    UpstreamAuth { login, realm: None }
}

fn new(key: &str) -> NewRepository {
    NewRepository {
        key: repo_key(key),
        format: "raw".to_owned(),
        kind: RepoKind::Remote,
        description: String::new(),
        anonymous_read: false,
        members: Vec::new(),
        settings: RepoSettings::default(),
        upstream_url: url(URL),
        upstream_auth: Some(basic()),
    }
}

async fn make(bench: &Bench, new: NewRepository) -> Result<Repository> {
    bench.admin().await.authorize_tenant::<TenantAdmin>().expect("an admin").create_repository(new).await
}

async fn change(grant: &Grant<Admin>, change: RepoChange) -> Result<Repository> {
    grant.update_repository(change).await?;
    grant.call().repository_now(&grant.repo().key).await
}

fn named(upstream: Value) -> RepoChange {
    let settings = model::json::from_value(json!({"upstream": upstream})).expect("settings");
    RepoChange { settings: Some(settings), ..RepoChange::default() }
}

fn field<T>(outcome: Result<T>) -> (Code, Option<&'static str>) {
    match outcome {
        Err(Error::Refused(refusal)) => (refusal.code, refusal.field),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("this should have been refused"),
    }
}

async fn a_remote_repository_knows_its_upstream(bench: &Bench) {
    let repo = make(bench, new("up")).await.expect("made");
    let of = bench.registry.upstream_of(&repo).expect("opened");
    assert_eq!((of.url.as_str(), of.auth, of.settings), (URL, Some(basic()), UpstreamSettings::default()));
    let sealed = repo.upstream_auth.as_ref().expect("sealed").expose();
    assert!(!sealed.windows(7).any(|part| part == b"hunter2"));

    let grant = bench.grant::<Admin>(&repo.key).await;
    let repo = change(&grant, named(json!({"indexSeconds": 10, "connections": 2}))).await.expect("changed");
    let repo2 = change(&grant, named(json!({"indexSeconds": null}))).await.expect("changed");
    let of = |repo: &Repository| bench.registry.upstream_of(repo).expect("opened");
    assert_eq!((of(&repo).settings.index_seconds, of(&repo).settings.connections), (10, 2));
    assert_eq!((of(&repo2).settings.index_seconds, of(&repo2).settings.connections), (300, 2), "null is the default");
    let other = RepoChange { upstream_url: url("https://UP.example:443/y"), ..RepoChange::default() };
    let repo = change(&grant, other).await.expect("the same origin");
    assert_eq!((of(&repo).url.as_str(), of(&repo).auth), ("https://up.example/y", Some(basic())));
    let removed = RepoChange { upstream_auth: Some(None), ..RepoChange::default() };
    assert_eq!(of(&change(&grant, removed).await.expect("removed")).auth, None);
}

async fn what_makes_no_sense_is_refused_with_its_field(bench: &Bench) {
    let local = bench.repository("libs", false).await;
    let cases = [
        (NewRepository { upstream_url: None, ..new("a") }, "upstreamUrl"),
        (NewRepository { kind: RepoKind::Local, upstream_auth: None, ..new("a") }, "upstreamUrl"),
        (NewRepository { kind: RepoKind::Local, upstream_url: None, ..new("a") }, "upstreamAuth"),
        (NewRepository { kind: RepoKind::Virtual, ..new("a") }, "upstreamUrl"),
        (NewRepository { members: vec![local.clone()], ..new("a") }, "memberRepos"),
    ];
    for (new, expected) in cases {
        assert_eq!(field(make(bench, new).await), (Code::BadRequest, Some(expected)));
    }
    let settings = [
        (RepoSettings { sparse_manifests: true, ..RepoSettings::default() }, "settings.sparseManifests"),
        (RepoSettings { atomic_deploy: true, ..RepoSettings::default() }, "settings.atomicDeploy"),
        (treated(|it| it.index_seconds = 86_401), "settings.upstream.indexSeconds"),
        (treated(|it| it.missing_seconds = 3601), "settings.upstream.missingSeconds"),
        (treated(|it| it.stale_hours = 8761), "settings.upstream.staleHours"),
        (treated(|it| it.timeout_seconds = 0), "settings.upstream.timeoutSeconds"),
        (treated(|it| it.connections = 0), "settings.upstream.connections"),
        (treated(|it| it.requests_per_second = 100_001), "settings.upstream.requestsPerSecond"),
        (treated(|it| it.extra_ca = Some("no PEM".to_owned())), "settings.upstream.extraCa"),
        (treated(|it| it.extra_ca = Some(pem("CERTIFICATE"))), "settings.upstream.extraCa"),
        (treated(|it| it.proxy = url("http://proxy.example/x")), "settings.upstream.proxy"),
    ];
    for (settings, expected) in settings {
        assert_eq!(
            field(make(bench, NewRepository { settings, ..new("a") }).await),
            (Code::BadRequest, Some(expected))
        );
    }
    for format in ["cargo", "go", "maven", "npm", "oci", "pypi"] {
        let settings = RepoSettings { allow_overwrite: true, ..RepoSettings::default() };
        let overwriting = NewRepository { format: format.to_owned(), settings, ..new("a") };
        assert_eq!(field(make(bench, overwriting).await), (Code::BadRequest, Some("settings.allowOverwrite")));
    }
    let upstream = NewRepository { kind: RepoKind::Local, upstream_url: None, upstream_auth: None, ..new("a") };
    let upstream = NewRepository { settings: treated(|_| {}), ..upstream };
    assert_eq!(field(make(bench, upstream).await), (Code::BadRequest, Some("settings.upstream")));

    let local = bench.grant::<Admin>(&local).await;
    let wish = RepoChange { upstream_url: url(URL), ..RepoChange::default() };
    assert_eq!(field(change(&local, wish).await), (Code::BadRequest, Some("upstreamUrl")));
    let wish = RepoChange { upstream_auth: Some(None), ..RepoChange::default() };
    assert_eq!(field(change(&local, wish).await), (Code::BadRequest, Some("upstreamAuth")));
    assert_eq!(field(change(&local, named(json!({}))).await), (Code::BadRequest, Some("settings.upstream")));

    let remote = make(bench, new("up")).await.expect("none of this has taken a key");
    let remote = bench.grant::<Admin>(&remote.key).await;
    let field_of = async |upstream| field(change(&remote, named(upstream)).await);
    assert_eq!(field_of(json!({"staleHours": 9000})).await, (Code::BadRequest, Some("settings.upstream.staleHours")));
    let remote = make(bench, NewRepository { format: "go".to_owned(), ..new("modules") }).await.expect("made");
    let remote = bench.grant::<Admin>(&remote.key).await;
    let overwrite = model::json::from_value(json!({"allowOverwrite": true})).expect("settings");
    let wish = RepoChange { settings: Some(overwrite), ..RepoChange::default() };
    assert_eq!(field(change(&remote, wish).await), (Code::BadRequest, Some("settings.allowOverwrite")));
}

fn treated(how: impl Fn(&mut UpstreamSettings)) -> RepoSettings {
    let mut upstream = UpstreamSettings::default();
    how(&mut upstream);
    RepoSettings { upstream: Some(upstream), ..RepoSettings::default() }
}

fn pem(kind: &str) -> String {
    format!("-----BEGIN {kind}-----\nAAAA\n-----END {kind}-----\n")
}

async fn stored_credentials_never_begin_to_go_elsewhere(bench: &Bench) {
    let repo = make(bench, new("up")).await.expect("made");
    let grant = bench.grant::<Admin>(&repo.key).await;
    let to = |text: &str| RepoChange { upstream_url: url(text), ..RepoChange::default() };
    for elsewhere in ["https://evil.example/x", "http://up.example/x", "https://up.example:8443/x"] {
        assert_eq!(field(change(&grant, to(elsewhere)).await), (Code::Conflict, Some("upstreamUrl")), "{elsewhere}");
    }
    let proxied = change(&grant, named(json!({"proxy": "http://evil.example:3128"}))).await;
    assert_eq!(field(proxied), (Code::Conflict, Some("settings.upstream.proxy")));
    let of = bench.registry.upstream_of(&bench.admin().await.repository_now(&repo.key).await.expect("there"));
    assert_eq!(of.expect("opened").url.as_str(), URL, "nothing was changed");

    let given = RepoChange { upstream_auth: Some(Some(basic())), ..to("https://other.example") };
    let repo = change(&grant, given).await.expect("given again");
    assert_eq!(bench.registry.upstream_of(&repo).expect("opened").auth, Some(basic()));
    let removed = RepoChange { upstream_auth: Some(None), ..to("https://third.example") };
    let repo = change(&grant, removed).await.expect("removed");
    assert_eq!(bench.registry.upstream_of(&repo).expect("opened").auth, None);
    change(&grant, to("https://fourth.example")).await.expect("there is nothing to send");
}

/// Also for whoever writes to the database: the columns of one repository mean nothing in another, nor under another
/// address.
async fn credentials_open_in_their_own_row_alone(bench: &Bench) {
    make(bench, new("up")).await.expect("made");
    make(bench, NewRepository { upstream_auth: None, ..new("other") }).await.expect("made");
    let admin = bench.admin().await;
    let now = async |key| admin.repository_now(&repo_key(key)).await.expect("there");
    bench
        .run("UPDATE repositories SET upstream_auth = (SELECT r.upstream_auth FROM repositories r WHERE r.key = 'up') WHERE key = 'other'")
        .await
        .expect("moved");
    assert_eq!(code(bench.registry.upstream_of(&now("other").await)), Code::ServiceUnavailable);
    bench
        .run("UPDATE repositories SET upstream_url = 'https://evil.example/x' WHERE key = 'up'")
        .await
        .expect("turned");
    assert_eq!(code(bench.registry.upstream_of(&now("up").await)), Code::ServiceUnavailable);
    let closed = bench.registry.closed_upstreams().await.expect("looked");
    assert_eq!(closed, [(repo_key("other"), Sealed::Elsewhere), (repo_key("up"), Sealed::Elsewhere)]);
}

async fn nobody_publishes_to_a_remote_repository(bench: &Bench) {
    let repo = make(bench, new("up")).await.expect("made").key;
    let words = async |subject: &str, scopes: &[&str]| {
        let refused = bench.somebody(subject, scopes).await.authorize::<Write>(&repo).await.expect_err("refused");
        (refused.code(), refused.to_string().contains("remote"))
    };
    assert_eq!(words("writer", &["repo:up:write"]).await, (Some(Code::Forbidden), true));
    assert_eq!(words("reader", &["repo:up:read"]).await, (Some(Code::Forbidden), false), "who could not anyway");
    assert_eq!(words("stranger", &["repo:libs:write"]).await, (Some(Code::NotFound), false));
    let nobody = bench.registry.call(None, bench.registry.ambient().id()).await.expect("a call");
    assert_eq!(code(nobody.authorize::<Write>(&repo).await), Code::Unauthorized);
    bench.grant::<Read>(&repo).await;
    bench.grant::<Promote>(&repo).await;
    let local = bench.repository("libs", false).await;
    put(&bench.grant::<Write>(&local).await, "a", &Bytes::from_static(b"a")).await.expect("published");
}

async fn who_may_not_change_it_sees_no_login(bench: &Bench) {
    let made = NewRepository { settings: treated(|it| it.proxy = url("http://inside:3128")), ..new("up") };
    let repo = make(bench, made).await.expect("made");
    let (settings, auth) = bench.admin().await.settings_of(&repo).await.expect("shown");
    assert!(settings.upstream.is_some_and(|upstream| upstream.proxy == url("http://inside:3128")));
    let user = Some("ada".to_owned());
    assert_eq!(auth, Some(ShownAuth::Known { kind: "basic", user, realm: None }));
    for role in [Role::Read, Role::Write, Role::Promote] {
        let call = bench.somebody("reader", &[&format!("repo:up:{}", role.word())]).await;
        let (settings, auth) = call.settings_of(&repo).await.expect("shown");
        assert_eq!((settings.upstream, auth), (None, None), "{role:?}");
    }
}

/// Two changes at once, each right by itself: the address goes elsewhere, and credentials are given for where it was.
async fn an_update_under_way_decides_nothing_for_another(bench: &Bench) {
    for round in 0..10 {
        let key = format!("up{round}");
        let repo = make(bench, NewRepository { upstream_auth: None, ..new(&key) }).await.expect("made");
        let grant = bench.grant::<Admin>(&repo.key).await;
        let turn = RepoChange { upstream_url: url("https://evil.example"), ..RepoChange::default() };
        let give = RepoChange { upstream_auth: Some(Some(basic())), ..RepoChange::default() };
        let (turned, given) = tokio::join!(grant.update_repository(turn), grant.update_repository(give));
        let repo = bench.admin().await.repository_now(&repo.key).await.expect("there");
        let of = bench.registry.upstream_of(&repo).expect("opened");
        let gone = of.auth.is_some() && of.url.as_str() != URL;
        // Credentials that were given after the turn are meant for the new address.
        assert!(!gone || (turned.is_ok() && given.is_ok()), "{turned:?} {given:?}");
        assert!(turned.is_ok() || given.is_ok());
    }
}

#[tokio::test]
async fn another_master_key_closes_upstreams_and_says_so() {
    let bench = Bench::postgres().await;
    let repo = make(&bench, new("up")).await.expect("made");
    make(&bench, NewRepository { upstream_auth: None, ..new("open") }).await.expect("made");
    let other = registry::Settings { master_key: Secret::new([8; 32]), ..settings() };
    let blobs = blobs::Blobs::memory(blobs::Options::default());
    let (store, ambient) = (bench.registry.store().clone(), bench.registry.ambient().clone());
    let registry = Registry::open(store, blobs, ambient.clone(), other).await.expect("a registry");
    assert_eq!(registry.closed_upstreams().await.expect("looked"), [(repo_key("up"), Sealed::OtherKey)]);
    let refused = registry.upstream_of(&repo).expect_err("closed").to_string();
    assert!(refused.contains("another master key") && !refused.contains("hunter2"), "{refused}");
    let call = registry.call(Some(bench.admin_token()), ambient.id()).await.expect("a call");
    let shown = call.settings_of(&repo).await.expect("shown").1;
    assert!(matches!(shown, Some(ShownAuth::Closed { problem }) if problem.contains("another master key")));
    let open: RepoKey = repo_key("open");
    registry.upstream_of(&call.repository_now(&open).await.expect("there")).expect("open");
    let grant: Grant<Admin> = call.authorize(&repo.key).await.expect("an admin");
    let again = RepoChange { upstream_auth: Some(Some(basic())), ..RepoChange::default() };
    let repo = change(&grant, again).await.expect("given again");
    assert_eq!(registry.upstream_of(&repo).expect("opened").auth, Some(basic()));
}

//! What a read that was made before costs again: nothing that holds for as long as the configuration stands still is
//! read twice, and what waits is small.

use std::ptr;

use formats::{PackageAt, Site};
use model::state::RepoKind;
use model::{EntryPath, RepoKey};
use registry::{
    Admin, Call, Grant, Members, Need, NewRepository, Read, RepoChange, RepoSettings, TenantAdmin, UpstreamUrl,
};
use serde_json::{Value, json};

use crate::bench::{Bench, repo_key};

crate::both! {
    settings_are_read_once_until_they_change;
    members_are_taken_apart_once_until_one_of_them_changes;
}

async fn make(bench: &Bench, key: &str, kind: RepoKind, members: &[&str]) -> RepoKey {
    let new = NewRepository {
        key: repo_key(key),
        format: "npm".to_owned(),
        kind,
        description: String::new(),
        anonymous_read: kind != RepoKind::Virtual,
        members: members.iter().map(|key| repo_key(key)).collect(),
        settings: RepoSettings::default(),
        upstream_url: (kind == RepoKind::Remote).then(|| UpstreamUrl::parse("http://127.0.0.1:9").expect("an address")),
        upstream_auth: None,
    };
    let admin = bench.admin().await.authorize_tenant::<TenantAdmin>().expect("an admin");
    admin.create_repository(new).await.expect("made").key
}

async fn set(bench: &Bench, key: &RepoKey, settings: Value) {
    let settings = Some(model::json::from_value(settings).expect("settings"));
    let change = RepoChange { settings, ..RepoChange::default() };
    bench.grant::<Admin>(key).await.update_repository(change).await.expect("changed");
}

async fn settings_are_read_once_until_they_change(bench: &Bench) {
    let key = bench.repository("files", false).await;
    let (one, two) = (bench.grant::<Read>(&key).await, bench.grant::<Read>(&key).await);
    let before = one.repo_settings().expect("settings");
    assert!(ptr::eq(before, two.repo_settings().expect("settings")), "they were read again");
    set(bench, &key, json!({"allowOverwrite": true})).await;
    let after = bench.grant::<Read>(&key).await;
    assert!(after.repo_settings().expect("settings").allow_overwrite && !before.allow_overwrite);
}

async fn members_are_taken_apart_once_until_one_of_them_changes(bench: &Bench) {
    make(bench, "ours", RepoKind::Local, &[]).await;
    make(bench, "theirs", RepoKind::Remote, &[]).await;
    make(bench, "inner", RepoKind::Virtual, &["theirs", "ours"]).await;
    let outer = make(bench, "outer", RepoKind::Virtual, &["inner"]).await;
    let members = async || -> Members { bench.grant::<Read>(&outer).await.members().await.expect("members") };
    let rows = |members: &Members| -> Vec<*const registry::Repository> {
        members.all.iter().filter_map(|member| member.grant()).map(|grant| ptr::from_ref(grant.repo())).collect()
    };
    let keys = |members: &Members| members.all.iter().map(|member| member.key().to_string()).collect::<Vec<_>>();

    let before = members().await;
    assert_eq!(keys(&before), ["ours", "theirs"]);
    assert_eq!(rows(&before), rows(&members().await), "they were copied again");
    let shown =
        |members: &Members| members.all.iter().all(|member| member.grant().is_some_and(|of| of.repo().anonymous_read));
    assert!(!shown(&before), "what is seen through a private repository is private");

    set(bench, &repo_key("outer"), json!({"virtual": {"hostedFirst": false}})).await;
    assert_eq!(keys(&members().await), ["theirs", "ours"]);
    let change = RepoChange { members: Some(vec![repo_key("ours")]), ..RepoChange::default() };
    bench.grant::<Admin>(&repo_key("inner")).await.update_repository(change).await.expect("changed");
    assert_eq!(keys(&members().await), ["ours"]);
    let change = RepoChange { anonymous_read: Some(true), ..RepoChange::default() };
    bench.grant::<Admin>(&outer).await.update_repository(change).await.expect("changed");
    assert!(shown(&members().await));
}

/// The bytes that an answer takes while it is waited for.
fn size<A, F: Future>(_: impl Fn(A) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn what_waits_is_small() {
    type Index = (&'static Grant<Read>, &'static PackageAt, &'static Site<'static>);
    type File = (&'static Grant<Read>, &'static EntryPath);
    // They are moved, and freed, with every request: 10 KB of them took a twentieth of its time.
    let sizes = [
        ("a repository", size(|(call, key): (&'static Call, &'static RepoKey)| call.authorize::<Read>(key))),
        ("an index", size(|(grant, at, site): Index| grant.index(at, 0, site))),
        ("a file", size(|(grant, path): File| grant.reach(path, Need::Bytes))),
        ("members", size(|grant: &'static Grant<Read>| grant.members())),
    ];
    let long: Vec<_> = sizes.iter().filter(|(_, size)| *size > 1024).collect();
    assert!(long.is_empty(), "{long:?} of {sizes:?}");
}

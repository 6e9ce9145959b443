//! Names, digests, scopes, times: what is taken reads back as itself.

use std::fmt::Display;
use std::str::FromStr;

use formats::Named;
use formats::oci::{Name, Reference};
use model::{
    EntryPath, Network, PackageName, RefName, RefPattern, RepoId, RepoKey, Role, Scope, Sha256Digest, Subject,
    TenantRole, Timestamp, VersionName,
};

pub(crate) fn names(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let read = [
        shown(EntryPath::parse(text)),
        shown(PackageName::parse(text)),
        shown(VersionName::parse(text)),
        shown(RefName::parse(text)),
        shown(RepoKey::parse(text)),
        shown(Subject::parse(text)),
        shown(Scope::from_str(text)),
        shown(Named::from_str(text)),
        Name::parse(text).map(|name| name.to_string()),
        Role::from_str(text).ok().map(|role| role.word().to_owned()),
        TenantRole::from_str(text).ok().map(|role| role.word().to_owned()),
    ];
    let again: Vec<&String> = read.iter().flatten().collect();
    assert!(again.iter().all(|again| *again == text), "{text:?} reads back as {again:?}");
    let _ = (Reference::parse(text), RefPattern::parse(text).is_ok(), Network::from_str(text).is_ok());
    let _ = (Timestamp::parse(text), Sha256Digest::from_str(text).is_ok(), RepoId::from_str(text).is_ok());
    !again.is_empty()
}

fn shown<T: Display, E>(read: Result<T, E>) -> Option<String> {
    read.ok().map(|value| value.to_string())
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let digest = format!("sha512:{}", "0f".repeat(64));
    ["a/b c/ä.txt", "libs", "repo:libs:write", "tenant:admin", "2026-01-01T00:00:00Z", "10.0.0.0/8", "v1.*", &digest]
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect()
}

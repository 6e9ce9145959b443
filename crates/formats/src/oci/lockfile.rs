//! Lists of images: a reference in each line, as clients take it.

use super::{Name, Reference};
use crate::lockfile::text;
use crate::{Locked, Lockfile, Thing, Unreadable};

/// The tag that is meant where none is named.
pub(super) const USUAL: &str = "latest";

pub(super) fn read(name: &str, bytes: &[u8]) -> Option<Result<Lockfile, Unreadable>> {
    name.ends_with(".txt").then(|| text(bytes).and_then(whole))
}

fn whole(text: &str) -> Result<Lockfile, Unreadable> {
    let mut file = Lockfile::default();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut locked =
            image(line).ok_or_else(|| Unreadable(format!("line {} is no reference of an image", number + 1)))?;
        if let Thing::Package { version: version @ None, .. } = &mut locked.thing {
            *version = Some(USUAL.to_owned());
        }
        file.add(locked)?;
    }
    Ok(file.once())
}

/// Reads `[host/]name[:tag][@digest]`. The digest counts where both are there, as it does for clients; the host is told as
/// `//host`. `None`: it is no reference.
pub fn image(reference: &str) -> Option<Locked> {
    let (rest, digest) = match reference.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (reference, None),
    };
    let (host, rest) = match rest.split_once('/').filter(|(first, _)| is_host(first)) {
        Some((host, rest)) => (Some(host), rest),
        None => (None, rest),
    };
    let (name, tag) = match rest.split_once(':') {
        Some((name, tag)) => (name, Some(tag)),
        None => (rest, None),
    };
    let name = Name::parse(name)?;
    let of_kind = |text: Option<&str>, is_digest: bool| match text {
        Some(text) => {
            let read = Reference::parse(text).filter(|read| matches!(read, Reference::Digest(_)) == is_digest);
            read.map(Some)
        }
        None => Some(None),
    };
    let (tag, digest) = (of_kind(tag, false)?, of_kind(digest, true)?);
    let version = digest.or(tag).map(|reference| reference.to_string());
    let thing = Thing::Package { name: name.as_str().to_owned(), version };
    Some(Locked { thing, from: host.map(|host| format!("//{host}")), sums: Vec::new() })
}

/// What can be no part of a name, and `localhost`.
fn is_host(first: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".:-[]".contains(&byte);
    (first.contains(['.', ':']) || first == "localhost") && first.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(Option<String>, String, Option<String>)> {
        let locked = image(text)?;
        let Thing::Package { name, version } = locked.thing else { return None };
        Some((locked.from, name, version))
    }

    fn is(host: Option<&str>, name: &str, version: Option<&str>) -> Option<(Option<String>, String, Option<String>)> {
        Some((host.map(str::to_owned), name.to_owned(), version.map(str::to_owned)))
    }

    #[test]
    fn a_reference_is_a_host_a_name_and_a_tag_or_digest() {
        let digest = format!("sha256:{}", "0f".repeat(32));
        assert_eq!(parts("team/app:1.0"), is(None, "team/app", Some("1.0")));
        assert_eq!(parts("app"), is(None, "app", None));
        assert_eq!(parts("registry.example/team/app"), is(Some("//registry.example"), "team/app", None));
        assert_eq!(parts("127.0.0.1:5000/app:1"), is(Some("//127.0.0.1:5000"), "app", Some("1")));
        assert_eq!(parts("localhost/app:1"), is(Some("//localhost"), "app", Some("1")));
        assert_eq!(parts(&format!("team/app@{digest}")), is(None, "team/app", Some(&digest)));
        assert_eq!(parts(&format!("team/app:1.0@{digest}")), is(None, "team/app", Some(&digest)));
        for bad in [
            "",
            "App",
            "app:",
            "app:1:2",
            "app@1.0",
            "app@sha256:0f",
            "a b",
            "x.example/",
            "app:sha256:00",
            "//app",
            "https://x.example/app",
        ] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_list_has_a_reference_in_each_line() {
        let file = read("images.txt", b"# ours\r\n\nteam/app:1.0\n  team/app:1.0\nx.example/b\n")
            .expect("a list")
            .expect("read");
        let versions: Vec<_> = file.wanted.iter().map(|one| (&one.thing, one.from.as_deref())).collect();
        let thing =
            |name: &str, version: &str| Thing::Package { name: name.to_owned(), version: Some(version.to_owned()) };
        assert_eq!(versions, [(&thing("team/app", "1.0"), None), (&thing("b", "latest"), Some("//x.example"))]);
        let bad = read("images.txt", b"team/app:1.0\nnot an image\n").expect("a list");
        assert_eq!(bad, Err(Unreadable("line 2 is no reference of an image".to_owned())));
        assert!(read("compose.yaml", b"").is_none());
    }
}

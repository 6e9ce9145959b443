//! Committed files name no package registry's host and no path of somebody's machine.

use acceptance::Result;

use crate::keep;

/// Hosts, in two parts so that this file names none of them.
const HOSTS: [(&str, &str); 32] = [
    ("crates", "io"),
    ("npmjs", "org"),
    ("npmjs", "com"),
    ("yarnpkg", "com"),
    ("jsr", "io"),
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("anaconda", "org"),
    ("rubygems", "org"),
    ("nuget", "org"),
    ("proxy.golang", "org"),
    ("sum.golang", "org"),
    ("maven", "org"),
    ("maven.apache", "org"),
    ("gradle", "org"),
    ("sonatype", "org"),
    ("packagist", "org"),
    ("hex", "pm"),
    ("pub", "dev"),
    ("cocoapods", "org"),
    ("docker", "io"),
    ("hub.docker", "com"),
    ("ghcr", "io"),
    ("quay", "io"),
    ("gcr", "io"),
    ("mcr.microsoft", "com"),
    ("public.ecr", "aws"),
    ("deb.debian", "org"),
    ("security.debian", "org"),
    ("archive.ubuntu", "com"),
    ("packages.cloud.google", "com"),
    ("deb.nodesource", "com"),
];

/// First folders of paths that exist on one machine only.
const FOLDERS: [&str; 3] = ["work", "root", "farm"];

#[test]
fn no_registry_host_and_no_machine_path_is_named() -> Result<()> {
    for (name, end) in HOSTS {
        assert_eq!(complaints("planted.md", &format!("see https://Static.{name}.{end}/x")).len(), 1, "{name}");
    }
    for folder in FOLDERS {
        assert_eq!(complaints("planted.toml", &format!("path = \"/{folder}/x\"")).len(), 1, "{folder}");
    }
    let innocent = "../root/x, network/work/, a.hex.pmx, /rooted/, ghcr, sub.dev";
    assert_eq!(complaints("innocent.md", innocent), Vec::<String>::new());

    // Cargo writes the index's address into its lockfile itself.
    keep(|file| !file.ends_with("Cargo.lock"), complaints)
}

fn complaints(file: &str, text: &str) -> Vec<String> {
    let mut bad = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.to_lowercase();
        let host = HOSTS.iter().map(|(name, end)| format!("{name}.{end}")).find(|host| names(&line, host));
        bad.extend(host.map(|_| format!("{file}:{}: names a package registry's host", number + 1)));
        let path = FOLDERS.iter().any(|folder| holds_path(&line, &format!("/{folder}/")));
        bad.extend(path.then(|| format!("{file}:{}: names a path of one machine", number + 1)));
    }
    bad
}

/// Whether `host`, or a host under it, stands in `line` as a word.
fn names(line: &str, host: &str) -> bool {
    let letter = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    line.match_indices(host).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|at| line.as_bytes().get(at).copied());
        !letter(before) && !letter(line.as_bytes().get(at + host.len()).copied())
    })
}

/// Whether `path` stands in `line` as the start of an absolute path.
fn holds_path(line: &str, path: &str) -> bool {
    line.match_indices(path)
        .any(|(at, _)| !line[..at].ends_with(|last: char| last.is_ascii_alphanumeric() || ".-_/}*".contains(last)))
}

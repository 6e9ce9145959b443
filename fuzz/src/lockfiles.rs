//! Lockfiles: the format and the name of the file in the first line, then what is in it.

use formats::{Compared, Lockfile, Thing};
use model::{EntryPath, PackageName};

/// The longest version that is ever asked for, in bytes.
const LONGEST: usize = 1024;

pub(crate) fn run(bytes: &[u8]) -> bool {
    let (first, text) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()));
    let Some((key, name)) = std::str::from_utf8(first).ok().and_then(|first| first.split_once(' ')) else {
        return false;
    };
    let Some(format) = formats::by_key(key) else { return false };
    let Some(Ok(file)) = format.lockfile(name, text) else { return false };
    assert_eq!(format.lockfile(name, text), Some(Ok(file.clone())), "reading depends on chance");
    sound(&file);
    !file.wanted.is_empty()
}

/// Everything that is named can be asked for.
fn sound(file: &Lockfile) {
    for locked in &file.wanted {
        match &locked.thing {
            Thing::Package { name, version } => {
                let version = version.as_deref().expect("a lockfile names versions");
                assert!(PackageName::parse(name).is_ok(), "no package can be called {name:?}");
                let asked = !version.is_empty() && version.len() <= LONGEST && !version.contains('*');
                assert!(asked && !version.chars().any(char::is_control), "no version is called {version:?}");
            }
            Thing::Path(path) => assert!(EntryPath::parse(path).is_ok(), "{path:?} is no path"),
        }
        assert_eq!(locked.compare([]), Compared::Unknown, "nothing is like nothing");
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let sum = format!("sha512-{}==", "A".repeat(86));
    let hex = "0f".repeat(32);
    let h1 = format!("h1:{}=", "A".repeat(43));
    let resolved = "https://host.example/npm/@acme/b/-/b-1.0.0.tgz";
    [
        format!(
            "npm package-lock.json\n{{\"lockfileVersion\":3,\"packages\":{{\"\":{{}},\"node_modules/@acme/b\":{{\"version\":\"1.0.0\",\"resolved\":\"{resolved}\",\"integrity\":\"{sum}\"}},\"node_modules/l\":{{\"link\":true}}}}}}"
        ),
        format!(
            "npm npm-shrinkwrap.json\n{{\"lockfileVersion\":1,\"dependencies\":{{\"a\":{{\"version\":\"npm:b@1.0.0\",\"integrity\":\"{sum}\",\"dependencies\":{{\"c\":{{\"version\":\"2.0.0\"}}}}}}}}}}"
        ),
        format!(
            "npm yarn.lock\n# yarn lockfile v1\n\n\"@acme/b@^1\", b@npm:@acme/b@1:\n  version \"1.0.0\"\n  resolved \"{resolved}#{}\"\n  integrity {sum}\n",
            "0f".repeat(20)
        ),
        "npm yarn.lock\n__metadata:\n  version: 8\n\n\"@acme/b@npm:^1\":\n  version: 1.0.0\n  resolution: \"@acme/b@npm:1.0.0\"\n".to_owned(),
        format!(
            "npm pnpm-lock.yaml\nlockfileVersion: '9.0'\n\npackages:\n\n  '@acme/b@1.0.0(c@1.0.0)':\n    resolution: {{integrity: {sum}}}\n"
        ),
        format!(
            "npm bun.lock\n{{\"lockfileVersion\":1,\"packages\":{{// x\n\"a/@acme/b\":[\"@acme/b@1.0.0\",\"{resolved}\",{{}},\"{sum}\",],\"l\":[\"l@link:x\",{{}}],}},}}"
        ),
        format!(
            "cargo Cargo.lock\nversion = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+https://host.example/index\"\nchecksum = \"{hex}\"\n"
        ),
        format!("pypi requirements.txt\n-r x\na[b] == 1.0 ; c \\\n --hash=sha256:{hex} # d\n"),
        format!(
            "pypi poetry.lock\n[[package]]\nname = \"a\"\nversion = \"1.0\"\nfiles = [{{file = \"a-1.0.tar.gz\", hash = \"sha256:{hex}\"}}]\n\n[package.source]\ntype = \"legacy\"\nurl = \"https://host.example/simple\"\n"
        ),
        format!(
            "pypi uv.lock\n[[package]]\nname = \"a\"\nversion = \"1.0\"\nsource = {{ registry = \"https://host.example/simple\" }}\nsdist = {{ url = \"https://host.example/a-1.0.tar.gz\", hash = \"sha256:{hex}\" }}\n"
        ),
        format!("go go.sum\nexample.com/A v1.0.0 {h1}\nexample.com/A v1.0.0/go.mod {h1}\nexample.com/b v0.1.0/go.mod {h1}\n"),
        "maven list.txt\n[INFO]    org.acme:tool:test-jar:tests:1.0:test -- module x\norg.acme:a:1.0:so:linux\n".to_owned(),
        format!("oci images.txt\n# x\nhost.example:5000/a/b:1.0\na@sha256:{hex}\n"),
        "raw paths.txt\n# x\n/a/b c.txt\n".to_owned(),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect()
}

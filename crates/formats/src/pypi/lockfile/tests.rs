//! What is read of lockfiles.

use super::read;
use crate::lockfile::tests::foreign;
use crate::{Gap, Lockfile, Thing};

fn lock(name: &str, text: &str) -> Lockfile {
    read(name, text.as_bytes()).expect("a lockfile").expect("it is read")
}

/// A package, the index that it is from, and of which files there are checksums.
type Seen<'f> = (String, Option<&'f str>, Vec<Option<&'f str>>);

fn seen(file: &Lockfile) -> Vec<Seen<'_>> {
    let what = |thing: &Thing| match thing {
        Thing::Package { name, version } => format!("{name} {}", version.as_deref().unwrap_or("?")),
        Thing::Path(path) => path.clone(),
    };
    let mut all = Vec::new();
    for one in &file.wanted {
        all.push((what(&one.thing), one.from.as_deref(), one.sums.iter().map(|sum| sum.file.as_deref()).collect()));
    }
    all
}

#[test]
fn requirements_that_pin_a_version_count() {
    let sum = "0f".repeat(32);
    let text = format!(
        "# made by hand\n-r base.txt\n-c bounds.txt\n--index-url https://host.example/simple\n-e ./here\n\
         Greeting_Lib==1.0 \\\n    --hash=sha256:{sum} \\\n    --hash=sha256:{sum} # why\n\
         tool[extra] == 2.0.post1 ; python_version >= \"3.8\"\nloose>=1\nstar==1.*\nhere @ file:///x\n\
         odd==not-a-version\nhttps://host.example/x.whl\n"
    );
    let file = lock("requirements.txt", &text);
    assert_eq!(
        seen(&file),
        [("greeting-lib 1.0".to_owned(), None, vec![None, None]), ("tool 2.0.post1".to_owned(), None, vec![])]
    );
    let passed: Vec<(&str, &Gap)> = file.passed.iter().map(|one| (one.what.as_str(), &one.gap)).collect();
    assert_eq!(
        passed,
        [
            ("-c bounds.txt", &Gap::None),
            ("-e ./here", &Gap::None),
            ("-r base.txt", &Gap::File("base.txt".to_owned())),
            ("here @ file:///x", &Gap::None),
            ("https://host.example/x.whl", &Gap::None),
            ("loose>=1", &Gap::Package),
            ("odd==not-a-version", &Gap::Package),
            ("star==1.*", &Gap::Package)
        ]
    );
}

#[test]
fn poetry_has_files_and_other_sources() {
    let sum = "0f".repeat(32);
    let text = format!(
        "[[package]]\nname = \"Tool\"\nversion = \"1.0\"\nfiles = [{{file = \"tool-1.0.tar.gz\", hash = \"sha256:{sum}\"}}]\n\n\
         [[package]]\nname = \"inner\"\nversion = \"2.0\"\nfiles = []\n\n[package.source]\ntype = \"legacy\"\n\
         url = \"https://host.example/simple/\"\nreference = \"ours\"\n\n\
         [[package]]\nname = \"sources\"\nversion = \"1\"\n\n[package.source]\ntype = \"git\"\nurl = \"https://git.example/x\"\n\n\
         [[package]]\nname = \"old\"\nversion = \"1\"\n\n[metadata]\nlock-version = \"1.1\"\n\n\
         [metadata.files]\nold = [{{file = \"old-1.whl\", hash = \"sha256:{sum}\"}}]\n"
    );
    let file = lock("poetry.lock", &text);
    assert_eq!(
        seen(&file),
        [
            ("tool 1.0".to_owned(), None, vec![Some("tool-1.0.tar.gz")]),
            ("inner 2.0".to_owned(), Some("https://host.example/simple"), vec![]),
            ("old 1".to_owned(), None, vec![Some("old-1.whl")]),
        ]
    );
    assert_eq!(file.passed, [foreign("sources")]);
}

#[test]
fn uv_has_archives_by_their_addresses() {
    let sum = "0f".repeat(32);
    let text = format!(
        "version = 1\nrevision = 3\nrequires-python = \">=3.8\"\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n\
         source = {{ virtual = \".\" }}\n\n[[package]]\nname = \"tool\"\nversion = \"1.0\"\n\
         source = {{ registry = \"https://host.example/simple\" }}\n\
         sdist = {{ url = \"https://files.example/a/tool-1.0.tar.gz\", hash = \"sha256:{sum}\", size = 7 }}\n\
         wheels = [\n    {{ url = \"https://files.example/a/tool-1.0-py3-none-any.whl\", hash = \"sha256:{sum}\" }},\n]\n\n\
         [[package]]\nname = \"sources\"\nversion = \"1\"\nsource = {{ git = \"https://git.example/x\" }}\n"
    );
    let file = lock("uv.lock", &text);
    let files = vec![Some("tool-1.0.tar.gz"), Some("tool-1.0-py3-none-any.whl")];
    assert_eq!(seen(&file), [("tool 1.0".to_owned(), Some("https://host.example/simple"), files)]);
    assert_eq!(file.passed, [foreign("sources")]);
}

#[test]
fn what_is_none_is_refused() {
    for (name, text) in [("uv.lock", "package = 1"), ("poetry.lock", "["), ("uv.lock", "[[package]]\nversion = 1")] {
        assert!(read(name, text.as_bytes()).is_some_and(|read| read.is_err()), "{name} {text}");
    }
    assert!(read("setup.py", b"").is_none() && read("requirements.txt", b"\xff").is_some_and(|read| read.is_err()));
}

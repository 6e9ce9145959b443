//! Files of which an upstream says no digest: looked into before they are kept, and never called immutable.
#![expect(clippy::panic, reason = "tests")]

use std::io;

use formats::{Folder, FolderFile};
use model::Code;
use registry::Need;
use serde_json::json;

use crate::bench::{Bench, path};
use crate::ruled::Desk;

crate::both! {
    an_archive_of_a_module_that_is_none_is_not_kept;
    a_go_mod_that_is_none_is_not_kept;
    an_artifact_that_nothing_vouches_for_is_looked_into;
    it_is_known_which_files_nobody_vouches_for;
}

struct Files(Vec<(FolderFile, Vec<u8>)>, Vec<FolderFile>);

impl Folder for Files {
    fn files(&self) -> &[FolderFile] {
        &self.1
    }

    fn open(&mut self, number: usize) -> io::Result<Box<dyn io::Read>> {
        Ok(Box::new(io::Cursor::new(self.0[number].1.clone())))
    }
}

/// The archive of a version of a module, as the go command makes it.
fn archive(module: &str, version: &str) -> Vec<u8> {
    let files = [("go.mod", format!("module {module}\n")), ("tool.go", "package tool\n".repeat(100))];
    let files =
        files.map(|(path, text)| (FolderFile { path: path.to_owned(), size: text.len() as u64 }, text.into_bytes()));
    let mut folder = Files(files.to_vec(), files.iter().map(|(file, _)| file.clone()).collect());
    let (go, mut out) = (formats::by_key("go").expect("a format"), Vec::new());
    go.packing().expect("it packs").pack(&mut folder, Some(version), &mut out).expect("packed");
    out
}

/// Each of these is refused at `rest` and leaves nothing; `good` is served afterwards.
async fn refused_but(desk: &Desk<'_>, rest: &str, bad: &[(&str, Vec<u8>)], good: &[u8]) {
    let bench = desk.bench();
    for (what, bytes) in bad {
        desk.upstream.says(&format!("/{rest}"), "Content-Type: text/plain\r\n", bytes.clone());
        match desk.get(rest).await {
            Err(error) => assert_eq!(error.code(), Some(Code::ServiceUnavailable), "{what}: {error}"),
            Ok(_) => panic!("{what} was served"),
        }
        assert_eq!(bench.count("SELECT count(*) FROM entries").await, 0, "{what} is kept");
        // What failed is left alone for a moment.
        desk.later(1);
    }
    desk.upstream.says(&format!("/{rest}"), "", good.to_vec());
    assert_eq!(desk.get(rest).await.expect("the truth"), good);
}

async fn an_archive_of_a_module_that_is_none_is_not_kept(bench: &Bench) {
    let desk = Desk::new(bench, "go", json!([])).await;
    let good = archive("acme.example/tool", "v1.0.0");
    let mut flipped = good.clone();
    let middle = flipped.windows(7).position(|word| word == b"tool.go").expect("its first name") + 20;
    flipped[middle] ^= 1;
    let bad = [
        ("nothing", Vec::new()),
        ("an archive of nothing", [&b"PK\x05\x06"[..], &[0; 18]].concat()),
        ("a page", b"Service is busy".to_vec()),
        ("a part", good[..good.len() - 30].to_vec()),
        ("another module", archive("acme.example/pool", "v1.0.0")),
        ("another version", archive("acme.example/tool", "v1.0.1")),
        ("a damaged one", flipped),
    ];
    refused_but(&desk, "acme.example/tool/@v/v1.0.0.zip", &bad, &good).await;
}

async fn a_go_mod_that_is_none_is_not_kept(bench: &Bench) {
    let desk = Desk::new(bench, "go", json!([])).await;
    let bad = [
        ("nothing", Vec::new()),
        ("a page", b"Service is busy".to_vec()),
        ("JSON", b"{\"error\": \"busy\"}".to_vec()),
        ("no text", b"module x.example/y\n\xff".to_vec()),
    ];
    let fork = b"module acme.example/origin\n\ngo 1.22\n";
    refused_but(&desk, "acme.example/fork/@v/v1.0.0.mod", &bad, fork).await;
}

async fn an_artifact_that_nothing_vouches_for_is_looked_into(bench: &Bench) {
    let desk = Desk::new(bench, "maven", json!([])).await;
    let zip = archive("acme.example/tool", "v1.0.0");
    let bad = [
        ("nothing", Vec::new()),
        ("a page", b"Service is busy".to_vec()),
        ("a part", zip[..zip.len() - 1].to_vec()),
        ("an archive of nothing", [&b"PK\x05\x06"[..], &[0; 18]].concat()),
    ];
    refused_but(&desk, "org/acme/tool/1.0/tool-1.0.jar", &bad, &zip).await;
    let pom = "<project><parent><groupId>org.acme</groupId></parent><artifactId>tool</artifactId></project>";
    for (what, bad) in
        [("a page", "busy"), ("HTML", "<html></html>"), ("another", "<project><artifactId>pool</artifactId></project>")]
    {
        let rest = "org/acme/tool/1.0/tool-1.0.pom";
        desk.upstream.says(&format!("/{rest}"), "", bad);
        assert_eq!(desk.code(rest).await, Code::ServiceUnavailable, "{what}");
        desk.later(1);
    }
    desk.upstream.says("/org/acme/tool/1.0/tool-1.0.pom", "", pom);
    assert_eq!(desk.text("org/acme/tool/1.0/tool-1.0.pom").await, pom);
    // Who says a checksum answers for it.
    let text = b"odd, but so it is";
    desk.upstream.says("/org/acme/tool/1.1/tool-1.1.jar", "", &text[..]);
    desk.upstream.says("/org/acme/tool/1.1/tool-1.1.jar.sha256", "", crate::bench::digest(text).hex());
    assert_eq!(desk.get("org/acme/tool/1.1/tool-1.1.jar").await.expect("vouched for"), text);
}

async fn it_is_known_which_files_nobody_vouches_for(bench: &Bench) {
    let zip = archive("acme.example/tool", "v1.0.0");
    let sum = crate::bench::digest(&zip).hex();
    for (format, rest, beside, unproven) in [
        ("raw", "dir/file", None, true),
        ("go", "acme.example/tool/@v/v1.0.0.zip", None, true),
        ("maven", "org/acme/tool/1.0/tool-1.0.jar", None, true),
        ("maven", "org/acme/tool/1.1/tool-1.1.jar", Some("org/acme/tool/1.1/tool-1.1.jar.sha256"), false),
    ] {
        let desk = Desk::at(bench, format, &format!("up-{format}-{unproven}"), json!([])).await;
        desk.upstream.says(&format!("/{rest}"), "", zip.clone());
        if let Some(beside) = beside {
            desk.upstream.says(&format!("/{beside}"), "", sum.as_str());
        }
        assert_eq!(desk.get(rest).await.expect("served"), zip, "{rest}");
        let grant = desk.grant().await;
        for _ in 0..2 {
            let registry::Reached::Here(found) = grant.reach(&path(rest), Need::Bytes).await.expect("here") else {
                panic!("{rest} is here")
            };
            assert_eq!(found.is_unproven(), unproven, "{rest}");
        }
    }
}

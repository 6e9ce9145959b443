//! Go modules.

use crate::{answers, archive, request};

pub(crate) fn requests() -> Vec<Vec<u8>> {
    let mut all = super::plain(&[
        "GET example.com/!acme/tool/@v/list",
        "GET example.com/!acme/tool/@latest",
        "GET example.com/tool/v2/@v/v2.0.0-!r!c.1.info",
        "GET example.com/tool/@v/v0.0.0-20200101000000-abcdefabcdef.mod",
        "GET sumdb/sum.example.org/supported",
    ]);
    all.extend(seeds().iter().map(|seed| put(seed)));
    all
}

/// A module: the address at which it is published, then its files.
pub(crate) fn put(text: &[u8]) -> Vec<u8> {
    let parts = archive::read(text);
    let address = format!("PUT {}.zip", String::from_utf8_lossy(parts.said));
    request::write(&address, "*/*", "", &archive::zip(&parts.members))
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let full = "// a module\nmodule example.com/tool/v2 // here\n\ngo 1.21\n\nrequire (\n\texample.com/a v1.2.3 // indirect\n\
        \texample.com/b v0.0.0-20200101000000-abcdefabcdef\n)\n\nexclude example.com/a v1.2.4\n\
        replace example.com/b => example.com/c v1.0.0\nretract [v2.0.0, v2.0.1] // bad\n";
    vec![
        archive::write(
            "example.com/tool/v2/@v/v2.1.0",
            &[("example.com/tool/v2@v2.1.0/go.mod", full), ("example.com/tool/v2@v2.1.0/x/a.go", "package x\n")],
        ),
        archive::write("example.com/tool/@v/v1.0.0", &[("example.com/tool@v1.0.0/a.go", "package a\n")]),
        archive::write(
            "example.com/!acme/@v/v1.0.0-!r!c.1",
            &[("example.com/Acme@v1.0.0-RC.1/go.mod", "module \"example.com/Acme\"\n")],
        ),
    ]
}

/// A list with the newest, and what a branch is.
pub(crate) fn upstreams() -> Vec<Vec<u8>> {
    let list = "v1.0.0\nv2.0.0+incompatible 2020-01-01T00:00:00Z\n";
    let latest = r#"{"Version":"v0.0.0-20200101000000-abcdefabcdef","Time":"2020-01-01T00:00:00Z"}"#;
    vec![
        answers::write("example.com/tool/@v/list", "", &[list, latest]),
        answers::write("example.com/tool/@v/main.info", "", &[r#"{"Version":"v1.0.0"}"#]),
        answers::write(
            "sumdb/sum.example.org/lookup/example.com/!a/tool@v1.0.0",
            "",
            &["1\na v1 h1:x=\n\n\u{2014} s x\n"],
        ),
        answers::write("sumdb/sum.example.org/tile/8/data/x001/002.p/3", "", &["a v1 h1:x=\n"]),
    ]
}

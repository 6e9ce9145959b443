//! Crates.

use crate::{answers, archive, request};

pub(crate) fn requests() -> Vec<Vec<u8>> {
    let mut all = super::plain(&[
        "GET config.json",
        "GET se/rd/serde_json",
        "GET api/v1/crates?q=serde&per_page=10",
        "GET dl/tool/1.0.0/download",
        "GET dl/Tool_x/1.0.0/download",
        "DELETE api/v1/crates/tool/1.0.0/yank",
        "PUT api/v1/crates/tool/1.0.0/unyank",
        "GET api/v1/crates/tool/owners",
    ]);
    all.extend(seeds().iter().map(|seed| put(seed)));
    all
}

/// A package: its metadata as the client sends it, then its files.
pub(crate) fn put(text: &[u8]) -> Vec<u8> {
    let parts = archive::read(text);
    publish(parts.said, &archive::tgz(&parts.members))
}

/// The crate `tool` in a tar archive.
pub(crate) fn put_tar(tar: &[u8]) -> Vec<u8> {
    publish(br#"{"name":"tool","vers":"1.0.0"}"#, &archive::gzip(&archive::summed(tar)))
}

fn publish(said: &[u8], packed: &[u8]) -> Vec<u8> {
    let length = |part: &[u8]| u32::try_from(part.len()).expect("short").to_le_bytes();
    request::write("PUT api/v1/crates/new", "*/*", "", &[&length(said), said, &length(packed), packed].concat())
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let said = r#"{"name":"tool","vers":"1.0.0","deps":[{"name":"serde","version_req":"^1","features":["derive"],
        "optional":false,"default_features":true,"target":"cfg(unix)","kind":"normal","registry":null,
        "explicit_name_in_toml":null}],"features":{"default":["x"],"x":[]},"authors":[],"description":"a tool",
        "license":"MIT","links":null,"rust_version":"1.70","badges":{},"categories":[],"keywords":[]}"#;
    let manifest = "[package]\nname = \"tool\"\nversion = \"1.0.0\"\nrust-version = \"1.70\"\n[features]\n\
        default = [\"x\"]\nx = []\n[target.\"cfg(unix)\".dependencies.serde]\nversion = \"^1\"\nfeatures = [\"derive\"]\n";
    let bare = r#"{"name":"Tool_x","vers":"2.0.0-rc.1+b","deps":[],"features":{},"links":null}"#;
    vec![
        archive::write(said, &[("tool-1.0.0/Cargo.toml", manifest), ("tool-1.0.0/src/lib.rs", "")]),
        archive::write(
            bare,
            &[("Tool_x-2.0.0-rc.1+b/Cargo.toml", "[package]\nname='Tool_x'\nversion='2.0.0-rc.1+b'\n")],
        ),
    ]
}

/// A configuration, then the index file.
pub(crate) fn upstreams() -> Vec<Vec<u8>> {
    let plain = r#"{"dl":"https://there.example/api/v1/crates","api":"https://there.example"}"#;
    let marked = r#"{"dl":"https://there.example/{prefix}/{lowerprefix}/{crate}-{version}.crate?{sha256-checksum}"}"#;
    let sum = "07".repeat(32);
    let index = format!(
        r#"{{"name":"tool","vers":"1.0.0","deps":[{{"name":"a","req":"^1","features":[],"optional":false,
        "default_features":true,"target":null,"kind":"normal","registry":null,"package":null}}],"cksum":"{sum}",
        "features":{{"x":["y"]}},"yanked":false,"links":null,"pubtime":"2020-01-02T03:04:05Z"}}"#
    );
    let index = index.replace('\n', " ");
    let newer = format!(r#"{{"name":"tool","vers":"2.0.0+b","cksum":"{sum}","v":3,"features2":{{}},"yanked":true}}"#);
    let twin = index.replace("tool", "Tool_x");
    vec![
        answers::write("to/ol/tool", "", &[plain, &format!("{index}\n{newer}\r\n")]),
        answers::write("to/ol/tool_x", "", &[marked, &twin]),
        answers::write("to/ol/tool-x", "", &[plain, &twin]),
    ]
}

/// Names that are too long for old headers, in both ways, and extended headers.
pub(crate) fn tars() -> Vec<Vec<u8>> {
    let manifest = &b"[package]\nname = \"tool\"\nversion = \"1.0.0\"\n"[..];
    let (own, long, size) = ("tool-1.0.0/Cargo.toml", "a/".repeat(60), manifest.len().to_string());
    let members = [(own, manifest), (&format!("tool-1.0.0/{long}b"), b"x")];
    vec![
        tar(&tar::Header::new_ustar(), &[], &members),
        tar(&tar::Header::new_gnu(), &[], &members),
        tar(&tar::Header::new_ustar(), &[("path", own.as_bytes()), ("size", size.as_bytes())], &[("x", manifest)]),
    ]
}

/// A tar archive: `extended` belongs to its first member.
fn tar(header: &tar::Header, extended: &[(&str, &[u8])], members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_pax_extensions(extended.iter().copied()).expect("in memory");
    for (name, content) in members {
        let mut header = header.clone();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, *content).expect("in memory");
    }
    builder.into_inner().expect("in memory")
}

//! Python distributions.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::Digest as _;

use crate::{answers, archive, request};

pub(crate) fn requests() -> Vec<Vec<u8>> {
    let accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.1";
    let mut all = vec![
        request::write("GET simple/", accept, "", b""),
        request::write("GET simple/demo-lib/", "text/html", "", b""),
        request::write("GET pypi/demo-lib/1.0/json", "*/*", "", b""),
        request::write("GET packages/demo-lib/1.0/demo_lib-1.0.tar.gz", "*/*", "", b""),
    ];
    all.extend(seeds().iter().map(|seed| put(seed)));
    all
}

/// A distribution: its file's name, then its files. A wheel that has no `RECORD` gets one that is true. A first file
/// without a name is what an attestation says, in which `SHA256` stands for the file's.
pub(crate) fn put(text: &[u8]) -> Vec<u8> {
    let mut parts = archive::read(text);
    let attested = archive::unnamed(&mut parts.members).map(String::from_utf8_lossy);
    let file = String::from_utf8_lossy(parts.said).replace(['"', '\r', '\n'], "_");
    let stem = file.trim_end_matches(".tar.gz").trim_end_matches(".zip");
    let cut = if file.ends_with(".whl") { stem.split_once('-') } else { stem.rsplit_once('-') };
    let (name, rest) = cut.unwrap_or_default();
    let version = rest.split('-').next().unwrap_or_default();
    let (kind, python, content) = if file.ends_with(".whl") {
        ("bdist_wheel", file.split('-').nth(2).unwrap_or_default(), wheel(parts.members))
    } else if file.ends_with(".zip") {
        ("sdist", "source", archive::zip(&parts.members))
    } else {
        ("sdist", "source", archive::tgz(&parts.members))
    };
    let attestations = attested.map(|statement| attestations(&statement, &content)).unwrap_or_default();
    let fields = [
        ("attestations", attestations.as_str()),
        (":action", "file_upload"),
        ("protocol_version", "1"),
        ("name", name),
        ("version", version),
        ("filetype", kind),
        ("pyversion", python),
        ("gpg_signature", if attestations.is_empty() { "" } else { "-----BEGIN PGP SIGNATURE-----\n" }),
    ];
    request::write("POST legacy/", "*/*", "multipart/form-data; boundary=xYz", &form(&fields, &file, &content))
}

fn attestations(statement: &str, file: &[u8]) -> String {
    let statement = STANDARD.encode(statement.replace("SHA256", &crate::publish::digest(file).hex()));
    format!(
        r#"[{{"version":1,"verification_material":{{}},"envelope":{{"signature":"AAAA","statement":"{statement}"}}}}]"#
    )
}

fn form(fields: &[(&str, &str)], file: &str, content: &[u8]) -> Vec<u8> {
    let head = |about: &str| format!("--xYz\r\nContent-Disposition: form-data; {about}\r\n\r\n");
    let fields = fields.iter().map(|(name, value)| format!("{}{value}\r\n", head(&format!("name=\"{name}\""))));
    let open = head(&format!("name=\"content\"; filename=\"{file}\""));
    [fields.collect::<String>().as_bytes(), open.as_bytes(), content, b"\r\n--xYz--\r\n"].concat()
}

fn wheel(members: Vec<(&[u8], &[u8])>) -> Vec<u8> {
    let folder = members.iter().find_map(|(name, _)| name.strip_suffix(b"/METADATA")).unwrap_or_default();
    let own = [folder, b"/RECORD"].concat();
    let digest = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(bytes));
    let lines = members.iter().flat_map(|(name, content)| {
        [*name, format!(",sha256={},{}\n", digest(content), content.len()).as_bytes()].concat()
    });
    let record: Vec<u8> = lines.chain(own.iter().copied()).chain(*b",,\n").collect();
    let mut all = members.clone();
    if !members.iter().any(|(name, _)| name.ends_with(b"RECORD")) {
        all.push((&own, &record));
    }
    archive::zip(&all)
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let metadata = "Metadata-Version: 2.4\nName: Demo.Lib\nVersion: 1.0rc1\nSummary: a\n folded line\n\
        Requires-Python: >=3.8,<4\nRequires-Dist: left (>=1.0) ; extra == 'x'\nProvides-Extra: x\n\
        Project-URL: Home, https://x.example\nDescription-Content-Type: text/markdown\n\n# Demo\n";
    let bare = "Metadata-Version: 1.2\nName: demo-lib\nVersion: 1.0\n";
    let statement = r#"{"_type":"x","subject":[{"name":"demo_lib-1.0.tar.gz","digest":{"sha256":"SHA256"}}],
        "predicateType":"y"}"#;
    vec![
        archive::write(
            "demo_lib-1.0rc1-cp311-cp311-manylinux_2_17_x86_64.whl",
            &[
                ("demo_lib/__init__.py", "x = 1\n"),
                ("demo_lib-1.0rc1.dist-info/METADATA", metadata),
                ("demo_lib-1.0rc1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: cp311-cp311-manylinux_2_17_x86_64\n"),
            ],
        ),
        archive::write("demo_lib-1.0.tar.gz", &[("demo_lib-1.0/PKG-INFO", bare), ("demo_lib-1.0/setup.py", "")]),
        archive::write("demo_lib-1.0.tar.gz", &[("", statement), ("demo_lib-1.0/PKG-INFO", bare)]),
        archive::write("demo-lib-1.0.zip", &[("demo-lib-1.0/PKG-INFO", bare)]),
    ]
}

/// Lists of files, in both shapes.
pub(crate) fn upstreams() -> Vec<Vec<u8>> {
    let json = "{\"meta\":{\"api-version\":\"1.1\"},\"name\":\"demo\",\"files\":[{\"filename\":\
        \"demo-1.0-py3-none-any.whl\",\"url\":\"../x?a#b\",\"hashes\":{\"other\":\"0\"},\"yanked\":\"b\"},\
        {\"filename\":\"demo-1.0.tar.gz\",\"url\":\"//h/x\",\"hashes\":{},\"core-metadata\":true,\"gpg-sig\":true,\
        \"provenance\":\"/p\",\"size\":1,\"upload-time\":\"2024-01-01T00:00:00Z\",\"requires-python\":\">3\"}]}";
    let html = "<!DOCTYPE html><base href=/a/><!-- x --><a href=\"../demo-1.0.zip#sha256=00\" data-yanked='x' \
        data-requires-python=&gt;3></a><script></script><a href=demo-2.zip>";
    vec![
        answers::write("simple/demo/", "application/vnd.pypi.simple.v1+json", &[json]),
        answers::write("simple/demo/", "text/html", &[html]),
    ]
}

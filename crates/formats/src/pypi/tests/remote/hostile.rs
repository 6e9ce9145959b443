//! Indexes that lie, hide, or are none.

use super::{FROM, SIMPLE, files, json, page, read, targets};

#[test]
fn files_of_no_use_are_left_out() {
    let good = "demo_lib-1.0.tar.gz";
    for odd in [
        "demo_lib-1.0-py2.7.egg",
        "demo_lib-1.0.win32.exe",
        "demo_lib-1.0.tar.bz2",
        "demo-lib.zip",
        "demo_lib_more-1.0.tar.gz",
        "other-1.0.tar.gz",
        "../../demo_lib-1.0.zip",
        "demo_lib-1.0.zip/../../etc/passwd",
        "..\\demo_lib-1.0.zip",
        "demo_lib-1.0\u{0}.zip",
        "demo_lib-1.0\n.zip",
        "demo_lib-1.0\"><script>.zip",
        "Demo_Lib-1.0.tar.gz",
        "",
    ] {
        let known = json(json!([
            {"filename": good, "url": "x", "hashes": {}},
            {"filename": odd, "url": "x", "hashes": {}},
        ]));
        assert_eq!(files(&known).iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), [good], "{odd:?}");
    }
    // What is declared and is no digest can be no file's.
    let lie = json(json!([{"filename": good, "url": "x", "hashes": {"sha256": "00"}}]));
    assert!(lie.versions.is_empty());
}

#[test]
fn links_lead_to_the_web_without_credentials_or_nowhere() {
    let long = format!("https://files.example/{}", "x".repeat(5000));
    for odd in [
        "javascript:alert(1)//demo_lib-1.0.zip",
        "data:text/html,demo_lib-1.0.zip",
        "file:///etc/demo_lib-1.0.zip",
        "ftp://files.example/demo_lib-1.0.zip",
        "https://user:secret@evil.example/demo_lib-1.0.zip",
        "https://user@evil.example/demo_lib-1.0.zip",
        "https://:99999/demo_lib-1.0.zip",
        "http://[::1/demo_lib-1.0.zip",
        long.as_str(),
    ] {
        let known = json(json!([{"filename": "demo_lib-1.0.zip", "url": odd, "hashes": {}}]));
        assert!(files(&known).is_empty(), "{odd}");
        let known = page(&format!("<a href=\"{odd}\"></a><a href=demo_lib-2.0.zip></a>"));
        assert_eq!(targets(&known), [format!("{FROM}demo_lib-2.0.zip")], "{odd}");
    }
    // A base that is no address counts for nothing; and no index comes from an address with credentials.
    let body = "<base href='javascript:x'><a href=demo_lib-2.0.zip></a>";
    assert_eq!(targets(&page(body)), [format!("{FROM}demo_lib-2.0.zip")]);
    assert!(read(body, "text/html", "https://me:secret@files.example/simple/demo-lib/").is_err());
}

#[test]
fn what_pages_hide_is_not_there() {
    for hidden in [
        "<!-- <a href=demo_lib-1.0.zip> -->",
        "<script>\"<a href=demo_lib-1.0.zip>\"</script >",
        "<STYLE><a href=demo_lib-1.0.zip></style/>",
        "<title><a href=demo_lib-1.0.zip></title>",
        "<? <a href=demo_lib-1.0.zip ?>",
        "<!doctype <a href=demo_lib-1.0.zip >",
        "</a href=demo_lib-1.0.zip>",
        "<abbr href=demo_lib-1.0.zip>",
        "<b title='<a href=demo_lib-1.0.zip>'>",
        "<a title=\"' href='demo_lib-1.0.zip\">",
        "<a xhref=demo_lib-1.0.zip>",
        "< a href=demo_lib-1.0.zip>",
    ] {
        let known = page(&format!("{hidden}<a href=demo_lib-2.0.zip>"));
        assert_eq!(targets(&known), [format!("{FROM}demo_lib-2.0.zip")], "{hidden}");
    }
    for open in ["<!-- ", "<script>", "<a href=\"", "<a href='x", "<a ", "<a href=demo_lib-1.0.zip", "</a ", "<!", "<"]
    {
        let known = page(&format!("<a href=demo_lib-2.0.zip>{open}"));
        assert_eq!(targets(&known).len(), 1, "{open}");
    }
    // The first of two attributes counts, and there is no reference but a known one.
    let known = page("<!--><a href='demo_lib-1.0.zip?a&lt&nbsp;&amp;&#x20;&#49;&#xd800;' href=demo_lib-2.0.zip>");
    assert_eq!(targets(&known), [format!("{FROM}demo_lib-1.0.zip?a&lt&nbsp;&%201&")]);
}

#[test]
fn answers_that_are_no_index_of_the_project_are_failures() {
    let empty = r#"{"meta":{"api-version":"1.0"},"name":"demo-lib","files":[]}"#;
    assert!(read(empty, SIMPLE, FROM).is_ok_and(|known| known.is_some_and(|known| known.versions.is_empty())));
    let deep = format!(r#"{{"meta":{{"api-version":"1.0"}},"x":{}"#, "[".repeat(100_000));
    for body in [
        "",
        "[]",
        "{}",
        "<html>",
        r#"{"message":"not found"}"#,
        r#"{"meta":{"api-version":"1.0"},"name":"demo-lib"}"#,
        r#"{"meta":{"api-version":"1.0"},"name":"other","files":[]}"#,
        r#"{"meta":{"api-version":"1.0"},"name":"","files":[]}"#,
        r#"{"meta":{"api-version":"2.0"},"name":"demo-lib","files":[]}"#,
        r#"{"meta":{},"name":"demo-lib","files":[]}"#,
        r#"{"meta":{"api-version":"1.0"},"name":"demo-lib","name":"demo-lib","files":[]}"#,
        r#"{"meta":{"api-version":"1.0"},"name":"demo-lib","files":[{"filename":"a"}]}"#,
        r#"{"meta":{"api-version":"1.0"},"name":"demo-lib","files":[{"filename":"a","url":"b","url":"c"}]}"#,
        r#"{"meta":{"api-version":"1.0"},"name":"demo-lib","files":[{"filename":"a","url":"b","size":-1}]}"#,
        deep.as_str(),
    ] {
        assert!(read(body, SIMPLE, FROM).is_err(), "{}", body.get(..80).unwrap_or(body));
    }
    let versioned = "<meta name=\"pypi:repository-version\" content=\"1.0\">";
    assert!(read(versioned, "text/html", FROM).is_ok_and(|known| known.is_some()));
    assert!(read("<a href=demo_lib-1.0.egg>", "text/html", FROM).is_ok_and(|known| known.is_some()));
    for body in [
        "",
        "<h1>Sign in</h1><a href=/login>",
        "<a href=other-1.0.zip>",
        "<meta name=\"pypi:repository-version\" content=\"1.0\"><a href=other-1.0.zip>",
        "<meta name=\"pypi:repository-version\" content=\"2.0\"><a href=demo_lib-1.0.zip>",
    ] {
        assert!(read(body, "text/html", FROM).is_err(), "{body}");
    }
    for media_type in ["", "text/plain", "application/octet-stream", "application/vnd.pypi.simple.v2+json"] {
        assert!(read(empty, media_type, FROM).is_err(), "{media_type}");
    }
    assert!(read(empty, SIMPLE, "nowhere").is_err());
}

/// Each of these would take many minutes if a byte were looked at as often as there are bytes before it.
#[test]
fn a_page_is_read_once() {
    let good = "<a href=demo_lib-2.0.zip>";
    for part in
        ["<a href=x>x</a>", "<a ", "<!--", "<", "</", "<script>", "</script", "<a b=\"", "<a b='<", "<!x", "&", "="]
    {
        let known = page(&format!("{good}{}", part.repeat(300_000)));
        assert_eq!(targets(&known).len(), 1, "{part}");
    }
    let known = page(&format!("{good}<a href=\"{}{}\">", "&".repeat(300_000), "/demo_lib-3.0.zip"));
    assert_eq!(targets(&known).len(), 1);
    let many: String = (0..100_001).map(|n| format!("<a href=demo-lib-{n}.zip>")).collect();
    assert!(read(&many, "text/html", FROM).is_err());
}

//! What is stored may be hostile; whoever opens it is safe.

use acceptance::Result;
use serde_json::json;

use crate::shape::ask;
use crate::site::{Site, ensure};

#[tokio::test]
async fn types_are_kept_and_never_guessed() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("files", json!({})).await?;
    let html = "<!doctype html><script>alert(1)</script>";
    let types = [
        ("a.txt", Some("text/plain; charset=utf-8")),
        ("a.html", Some("text/html")),
        ("a.svg", Some("image/svg+xml")),
        ("a.xml", Some("application/xml")),
        ("a.js", Some("text/javascript")),
        ("a.pdf", Some("application/pdf")),
        ("a.tar.gz", Some("application/x-tar+gzip")),
        ("b.html", Some("text/html; charset=utf-7")),
        ("c.html", Some("TEXT/HTML")),
        ("d", Some("multipart/form-data; boundary=x")),
        ("e", Some("message/http")),
        ("f", Some("x/y; a=\"<script>\"")),
        ("g.html", None),
        ("h.svg", None),
    ];
    for (name, kind) in types {
        let path = format!("/repository/files/{name}");
        let put = site.admin.put(&path).body(html);
        ask(kind.iter().fold(put, |put, kind| put.header("Content-Type", *kind))).await?.expect(&[201])?;
        for request in [site.admin.get(&path), site.admin.head(&path), site.admin.get(&path).range("bytes=0-3")] {
            let answer = ask(request).await?;
            let told = answer.header("content-type").unwrap_or_default().to_string();
            ensure(told == kind.unwrap_or("application/octet-stream"), format!("{name}: {told}"))?;
            let policy = answer.header("content-security-policy").unwrap_or_default();
            ensure(policy.contains("sandbox") && !policy.contains("allow-"), format!("{name}: {policy}"))?;
            ensure(answer.header("x-content-type-options") == Some("nosniff"), "nothing is guessed")?;
        }
    }
    println!("{} cases", types.len());
    Ok(())
}

#[tokio::test]
async fn types_that_are_none_are_refused() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("files", json!({})).await?;
    for kind in ["x".repeat(256), "text/é".to_string(), "text/\tplain\u{7f}".to_string()] {
        let answer = ask(site.admin.put("/repository/files/a").header("Content-Type", &kind).body("a")).await?;
        ensure(answer.status == 400, format!("{kind:?}: {}", answer.status))?;
    }
    let twice =
        site.admin.put("/repository/files/a").header("Content-Type", "text/html").header("Content-Type", "text/plain");
    ask(twice.body("a")).await?.expect(&[400])?;
    super::left_nothing(&site.admin, "/repository/files/a").await
}

/// Names of files cannot become markup, nor headers, nor addresses of other sites.
#[tokio::test]
async fn listings_are_safe_whatever_files_are_called() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("files", json!({})).await?;
    let hostile = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'onmouseover='alert(1)",
        "javascript:alert(1)",
        "&lt;script&gt;",
        "a?b#c",
        "%41",
        "é ü 漢字 🦀",
        "a+b c",
        "-->",
        "{{7*7}}",
        "$(id)",
        "`id`",
        "a;b=c",
        "@a:b",
    ];
    for name in hostile {
        ask(site.admin.put(&format!("/repository/files/{}", encode(name))).body("a")).await?.expect(&[201])?;
    }
    let html = ask(site.admin.get("/repository/files/").header("Accept", "text/html")).await?.expect(&[200])?;
    ensure(html.header("content-type") == Some("text/html; charset=utf-8"), "it is a page")?;
    let text = html.text();
    for markup in ["<script>alert", "<img", "onmouseover='", "href=\"javascript:", "href=\"//"] {
        ensure(!text.contains(markup), format!("{markup} in {text}"))?;
    }
    let listed = ask(site.admin.get("/repository/files/?format=json")).await?.json()?;
    let names: Vec<_> =
        listed["items"].as_array().into_iter().flatten().filter_map(|item| item["name"].as_str()).collect();
    for name in hostile {
        // Where `/` is in a name there is a folder.
        let first = name.split('/').next().unwrap_or_default();
        ensure(names.contains(&first), format!("{name} is not listed in {names:?}"))?;
    }
    // Each link leads back to its file.
    let links: Vec<&str> = text.split("<td><a href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    ensure(links.len() == names.len(), format!("{links:?} for {names:?}"))?;
    for link in links {
        ask(site.admin.get(&format!("/repository/files/{link}"))).await?.expect(&[200])?;
    }
    Ok(())
}

/// Percent-encodes everything but slashes, letters and digits.
pub(crate) fn encode(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'/';
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

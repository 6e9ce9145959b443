//! Conditional requests, as RFC 9110 has them.

use acceptance::Result;
use serde_json::json;

use super::sha256;
use crate::shape::{ask, refused};
use crate::site::{Site, ensure};

#[tokio::test]
async fn conditions_on_reading() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("files", json!({})).await?;
    let path = "/repository/files/a";
    ask(site.admin.put(path).body("hello")).await?.expect(&[201])?;
    let first = ask(site.admin.get(path)).await?;
    let modified = first.header("last-modified").unwrap_or_default().to_string();
    let (tag, other) = (format!("\"{}\"", sha256(b"hello")), format!("\"{}\"", sha256(b"other")));
    let (old, far) = ("Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT");
    let none = |value: &str| ("If-None-Match", value.to_string());
    let matches = |value: &str| ("If-Match", value.to_string());
    let since = |value: &str| ("If-Modified-Since", value.to_string());
    let unmodified = |value: &str| ("If-Unmodified-Since", value.to_string());
    let cases: Vec<(u16, Vec<(&str, String)>)> = vec![
        (304, vec![none(&tag)]),
        (304, vec![none(&format!("W/{tag}"))]),
        (304, vec![none(&format!("{other}, {tag}"))]),
        (304, vec![none("*")]),
        (304, vec![none(&other), none(&tag)]),
        (200, vec![none(&other)]),
        (200, vec![none("hello")]),
        (200, vec![none(&tag[1..tag.len() - 1])]),
        (200, vec![none(&tag.to_uppercase())]),
        (200, vec![none("")]),
        (200, vec![matches(&tag)]),
        (200, vec![matches("*")]),
        (200, vec![matches(&format!("{other}, {tag}"))]),
        (412, vec![matches(&other)]),
        (412, vec![matches(&format!("W/{tag}"))]),
        (412, vec![matches("")]),
        (304, vec![since(&modified)]),
        (304, vec![since(far)]),
        (200, vec![since(old)]),
        (200, vec![since("yesterday")]),
        (200, vec![since("2001-01-01T00:00:00Z")]),
        (200, vec![none(&other), since(far)]),
        (304, vec![none(&tag), since(old)]),
        (200, vec![unmodified(&modified)]),
        (412, vec![unmodified(old)]),
        (200, vec![matches(&tag), unmodified(old)]),
        (412, vec![matches(&other), none(&tag)]),
        (304, vec![matches(&tag), none(&tag)]),
    ];
    for (status, headers) in &cases {
        for method in ["GET", "HEAD"] {
            let request =
                headers.iter().fold(site.admin.request(method, path), |all, (name, value)| all.header(name, value));
            let answer = ask(request).await?;
            ensure(answer.status == *status, format!("{method} {headers:?}: {}", answer.status))?;
            if *status == 304 {
                ensure(answer.body.is_empty() && answer.header("etag") == Some(&tag), "a 304 has the tag and no body")?;
                ensure(answer.header("cache-control").is_some(), "and how long it may be kept")?;
            }
        }
    }
    println!("{} cases", cases.len());
    Ok(())
}

#[tokio::test]
async fn conditions_on_writing() -> Result<()> {
    for site in [Site::embedded().await?, Site::scaled().await?] {
        site.repository("files", json!({"settings": {"allowOverwrite": true}})).await?;
        let path = "/repository/files/a";
        let put = |name: &str, value: &str, body: &'static str| site.admin.put(path).header(name, value).body(body);
        let (one, two) = (format!("\"{}\"", sha256(b"one")), format!("\"{}\"", sha256(b"two")));
        refused(put("If-Match", &one, "one"), 412).await?;
        refused(put("If-Match", "*", "one"), 412).await?;
        ask(put("If-None-Match", "*", "one")).await?.expect(&[201])?;
        refused(put("If-None-Match", "*", "two"), 412).await?;
        for lie in [two.as_str(), "\"x\"", "one", "", &format!("W/{one}")] {
            refused(put("If-Match", lie, "two"), 412).await?;
        }
        ensure(ask(site.admin.get(path)).await?.text() == "one", "nothing changed")?;
        ask(put("If-Match", &one, "two")).await?.expect(&[200])?;
        refused(put("If-Match", &one, "three"), 412).await?;
        ask(put("If-Match", &format!("{one}, {two}"), "three")).await?.expect(&[200])?;
        ask(put("If-Match", "*", "four")).await?.expect(&[200])?;
        ensure(ask(site.admin.get(path)).await?.text() == "four", "the last one counts")?;
    }
    Ok(())
}

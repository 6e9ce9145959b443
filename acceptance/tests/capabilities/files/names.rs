//! Which names files may have, and that no other spelling of a path opens another door.

use acceptance::Result;
use acceptance::http::Connection;
use serde_json::json;

use super::content::encode;
use super::status;
use crate::shape::ask;
use crate::site::{Site, ensure};

#[tokio::test]
async fn names_of_every_kind_come_back() -> Result<()> {
    for site in [Site::embedded().await?, Site::scaled().await?] {
        site.repository("files", json!({})).await?;
        let deep = vec!["d"; 512].join("/");
        let long = format!("{}/{}", vec!["s".repeat(255); 3].join("/"), "e".repeat(256 - 1));
        let names = [
            "a",
            "a.b.c",
            "with space",
            "plus+plus",
            "per%cent",
            "%41",
            "ünïcödé",
            "漢字/かな",
            "🦀",
            "e\u{301}",
            "\u{e9}",
            "a;b",
            "a,b",
            "a:b",
            "a@b",
            "a=b&c",
            "a?b",
            "a#b",
            "a'b",
            "a\"b",
            "a*b",
            "a|b",
            "a<b>",
            "(a)",
            "[a]",
            "{a}",
            "~a",
            "-a",
            "_a",
            ".a",
            "...a",
            "a..b",
            "$a",
            "!a",
            "A",
            "CaSe",
            "case",
            "a/b/c/d",
            "latest",
            "current",
            "index.html",
            "sha256",
            "@",
            &deep,
            &long,
        ];
        ensure(deep.len() == 1023 && long.len() == 1023, "as long as a name may be, nearly")?;
        for (number, name) in names.iter().enumerate() {
            let path = format!("/repository/files/{}", encode(name));
            let stored = ask(site.admin.put(&path).body(number.to_string())).await?.expect(&[201])?;
            ensure(stored.string("/path")? == *name, format!("{name}: {}", stored.text()))?;
        }
        for (number, name) in names.iter().enumerate() {
            let got = ask(site.admin.get(&format!("/repository/files/{}", encode(name)))).await?.expect(&[200])?;
            ensure(got.text() == number.to_string(), format!("{name}: another one's bytes"))?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn names_that_no_file_may_have_are_400() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("files", json!({})).await?;
    let bad = [
        "../a",
        "a/../b",
        "a/..",
        "..",
        "%2e%2e/a",
        "%2E%2E/a",
        ".%2e/a",
        "%2e./a",
        "a/%2e%2e/b",
        "%2e/a",
        "a%2fb",
        "a%2Fb",
        "..%2fa",
        "..%2F..%2Fetc%2Fpasswd",
        "%2e%2e%2fa",
        "a%5cb",
        "a\\b",
        "..%5ca",
        "..\\a",
        "%00",
        "a%00b",
        "a%00.txt",
        "%0d%0aX-Evil:1",
        "a%0ab",
        "a%09b",
        "a%7fb",
        "%1b[31m",
        "%c2%85",
        "%",
        "a%",
        "a%2",
        "%zz",
        "%u0041",
        "%ff",
        "%c0%ae%c0%ae/a",
        "%c0%af",
        "%ed%a0%80",
        "%f8%88%80%80%80",
        "%e2%80%ae",
        "%e2%80%8b",
        "%ef%bb%bf",
        "%e2%80%a8",
        "con",
        "CON.txt",
        "a/nul",
        "aux",
        "prn.log",
        "com1",
        "LPT9.x",
        "trailing.",
        "trailing%20",
        "%20leading",
        "a./b",
        &"x".repeat(256),
        &vec!["y".repeat(200); 6].join("/"),
        &vec!["d"; 513].join("/"),
    ];
    for name in bad {
        let path = format!("/repository/files/{name}");
        for request in
            [site.admin.put(&path).body("x"), site.admin.get(&path), site.admin.head(&path), site.admin.delete(&path)]
        {
            let code = status(request).await?;
            ensure(code == 400, format!("{name}: {code}"))?;
        }
    }
    let listed = ask(site.admin.get("/repository/files/?format=json")).await?.json()?;
    ensure(listed["items"].as_array().is_some_and(Vec::is_empty), format!("{listed}"))?;
    println!("{} names", bad.len());
    Ok(())
}

/// Uploads of whole folders write `site/.//index.html`: the file has one name, however many such segments there are.
#[tokio::test]
async fn segments_that_say_nothing_are_no_part_of_a_name() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("files", json!({})).await?;
    let stored = ask(site.admin.put("/repository/files/site/.//index.html").body("one")).await?.expect(&[201])?;
    ensure(stored.string("/path")? == "site/index.html", stored.text())?;
    for name in ["site/index.html", "//site/index.html", "./site/./index.html", "site//./index.html"] {
        let path = format!("/repository/files/{name}");
        ensure(ask(site.admin.get(&path)).await?.expect(&[200])?.text() == "one", name)?;
        ensure(status(site.admin.put(&path).body("two")).await? == 409, format!("{name} is not a second file"))?;
    }
    let listed = ask(site.admin.get("/repository/files/.//?format=json")).await?.json()?;
    ensure(listed["items"].as_array().is_some_and(|items| items.len() == 1), format!("{listed}"))?;
    for folder in ["", ".", "/", "site/", "site/."] {
        let code = status(site.admin.put(&format!("/repository/files/{folder}")).body("x")).await?;
        ensure(code == 405, format!("{folder}: {code}"))?;
    }
    Ok(())
}

/// However a path is spelled, who may not read learns what they learn from the plain spelling, and nobody reaches
/// another repository through one that they may read.
#[tokio::test]
async fn every_spelling_of_a_path_meets_the_same_door() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("secret", json!({})).await?;
    site.repository("open", json!({"anonymousRead": true})).await?;
    ask(site.admin.put("/repository/secret/a.txt").body("the secret")).await?.expect(&[201])?;
    let stranger = site.person("stranger", &["repo:open:write"]).await?;
    let mut spellings: Vec<String> = Vec::new();
    for route in ["/repository/secret/a.txt", "/v1/repos/secret"] {
        for at in 0..route.len() {
            let (head, tail) = (&route[..at], &route[at + 1..]);
            let byte = route.as_bytes()[at];
            spellings.push(format!("{head}%{byte:02x}{tail}"));
            spellings.push(format!("{head}%25{byte:02x}{tail}"));
            if byte == b'/' {
                spellings.extend([
                    format!("{head}//{tail}"),
                    format!("{head}/./{tail}"),
                    format!("{head}/x/../{tail}"),
                ]);
                spellings.extend([format!("{head}\\{tail}"), format!("{head};x/{tail}"), format!("{head}/;/{tail}")]);
            }
        }
    }
    for way in ["..", "%2e%2e", "%252e%252e", ".%2e", "..;", "..%00", "%c0%ae%c0%ae", "..%5c", "..\\"] {
        for slash in ["/", "%2f", "%252f", "\\", "%5c", "//"] {
            spellings.push(format!("/repository/open/{way}{slash}secret/a.txt"));
            spellings.push(format!("/repository/open{slash}{way}{slash}secret{slash}a.txt"));
            spellings.push(format!("/repository/open/x{slash}{way}{slash}{way}{slash}secret/a.txt"));
        }
    }
    for path in &spellings {
        for (name, client) in [("nobody", &site.server.http()?), ("stranger", &*stranger)] {
            for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH"] {
                let answer = ask(client.request(method, path)).await?;
                let well = matches!(answer.status, 400 | 401 | 403 | 404 | 405);
                ensure(
                    well && !answer.text().contains("the secret"),
                    format!("{method} {path} as {name}: {answer:?}"),
                )?;
            }
        }
    }
    // The same with what a target may be besides a path.
    for target in
        ["http://x/repository/secret/a.txt", "//x/repository/secret/a.txt", "*", "repository/secret/a.txt", ""]
    {
        let mut connection = Connection::open(site.server.address()?).await?;
        connection.write_raw(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await?;
        let answer = connection.read_answer(false).await?;
        ensure(answer.status >= 400 && !answer.text().contains("the secret"), format!("{target}: {answer:?}"))?;
    }
    ensure(ask(site.admin.get("/repository/secret/a.txt")).await?.text() == "the secret", "it is still there")?;
    println!("{} spellings", spellings.len());
    Ok(())
}

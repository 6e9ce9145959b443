//! A refusal is a sentence that helps whoever reads it: it names the field and what would be right, in the words of the
//! API and not in those of the language it is written in.

use acceptance::Result;
use acceptance::http::Request;
use serde_json::{Value, json};

use crate::shape::ask;
use crate::site::{Site, ensure};

/// The sentence of a 400, and the field that it names.
async fn told(request: Request) -> Result<(String, String)> {
    let answer = ask(request).await?.expect(&[400])?;
    let field = answer.json()?["errors"][0]["path"].as_str().unwrap_or_default().to_string();
    Ok((answer.string("/detail")?, field))
}

#[tokio::test]
async fn a_part_of_the_path_that_is_none_is_named() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({})).await?;
    let document = site.admin.get("/v1/openapi.json").send().await?.json()?;
    let mut cases = 0;
    for (template, methods) in document["paths"].as_object().into_iter().flatten() {
        for name in ["upload", "version"].into_iter().filter(|name| template.contains(&format!("{{{name}}}"))) {
            for method in methods.as_object().into_iter().flatten().map(|(method, _)| method.to_uppercase()) {
                for id in ["7", "not-a-uuid", "01890000-0000-7000-8000-00000000000g", "%20", "..%2f"] {
                    let path = template.replace("{repo}", "libs").replace(&format!("{{{name}}}"), id);
                    let path = path.replace("{number}", "1").replace("{path}", "a");
                    let (detail, field) = told(site.admin.request(&method, &path).json(&json!({}))).await?;
                    let well = detail == format!("`{name}` in the path must be a UUID") && field == name;
                    ensure(well, format!("{method} {path}: {detail} ({field})"))?;
                    cases += 1;
                }
            }
        }
    }
    ensure(cases >= 50, format!("only {cases} cases"))?;
    let part = "/v1/repos/libs/uploads/01890000-0000-7000-8000-000000000000/parts/one";
    let (detail, field) = told(site.admin.put(part).body("x")).await?;
    ensure(detail == "`number` in the path must be a whole number from 0 to 4294967295" && field == "number", detail)?;
    let (detail, _) = told(site.admin.get("/v1/repos/libs/uploads/%ff")).await?;
    ensure(detail.contains("the path is not UTF-8"), detail)
}

#[tokio::test]
async fn bodies_queries_and_headers_are_refused_in_plain_words() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({})).await?;
    let http = &site.admin;
    let repos = |text: &str| http.post("/v1/repos").header("Content-Type", "application/json").body(text.to_string());
    let mint =
        |text: &str| http.post("/v1/auth/pats").header("Content-Type", "application/json").body(text.to_string());
    let set = |settings: Value| http.patch("/v1/repos/libs").json(&json!({"settings": settings}));
    let put = |name: &str, value: &str| http.put("/repository/libs/a").header(name, value).body("x");
    let cases = [
        (repos("{}"), "the body: missing field `repoKey`"),
        (repos("[]"), "an object"),
        (repos("7"), "the body: invalid type: integer `7`, expected an object"),
        (repos(r#"{"repoKey":7}"#), "repoKey: invalid type: integer `7`, expected a string"),
        (repos(r#"{"repoKey":"a","repoType":"cloud"}"#), "repoType: "),
        (repos(r#"{"repoKey":"a","colour":1}"#), "unknown field `colour`, expected one of `repoKey`, `format`"),
        (repos(r#"{"repoKey":"a","repoKey":"a"}"#), "repoKey: this key appears twice"),
        (repos(r#"{"repoKey":"a","settings":{"allowOverwrite":"yes"}}"#), "settings.allowOverwrite: "),
        (
            set(json!({"allowOverwrite": "maybe"})),
            "settings.allowOverwrite: invalid type: string \"maybe\", expected a boolean",
        ),
        (set(json!({"sparseManifests": true, "immutableRefs": ["v*", 7]})), "settings.immutableRefs: invalid type: "),
        (set(json!({"colour": 1})), "unknown field `colour`, expected one of `allowOverwrite`"),
        (set(json!([])), "settings: invalid type: list, expected an object"),
        (repos(r#"{"repoKey":"a",}"#), "line 1 column 16"),
        (
            mint(r#"{"subject":"a","ttlMinutes":-5}"#),
            "ttlMinutes: invalid value: integer `-5`, expected a whole number",
        ),
        (mint(r#"{"subject":"a","scopes":{}}"#), "scopes: invalid type: object, expected a list"),
        (http.post("/v1/auth/pats/revoke").json(&json!({"tokenId": "x"})), "tokenId: "),
        (http.get("/v1/repos?limit=abc"), "query parameter `limit`: not a whole number in range"),
        (http.get("/v1/repos?limit=-1"), "query parameter `limit`: not a whole number in range"),
        (http.get("/v1/repos?lim=1"), "query parameter `lim`: an unknown parameter; this address takes limit, cursor"),
        (http.get("/v1/auth/whoami?x=1"), "query parameter `x`: an unknown parameter; this address takes none"),
        (http.get("/v1/repos/libs/refs"), "missing field `package`"),
        (http.get("/v1/audit?order=best"), "query parameter `order`: unknown variant `best`"),
        (http.get("/v1/audit?since=yesterday"), "query parameter `since`: "),
        (http.get("/v1/audit?correlationId=7"), "query parameter `correlationId`: "),
        (put("X-Checksum-Sha256", "xyz"), "x-checksum-sha256"),
        (put("X-Checksum-Sha1", "00"), "x-checksum-sha1"),
        (put("Content-MD5", "***"), "content-md5"),
        (put("Digest", "crc32=AAAA"), "crc32"),
    ];
    for (request, wanted) in cases {
        let asked = format!("{request:?}");
        let (detail, _) = told(request).await?;
        ensure(detail.contains(wanted), format!("{detail:?} does not say {wanted:?}\n{asked}"))?;
        let syntax = wanted.starts_with("line ");
        for word in [" at line ", "struct ", "u32", "u64", "i64", "sequence", "usize", "Option<"] {
            ensure(!detail.contains(word) || syntax, format!("{detail:?} says {word:?}"))?;
        }
    }
    Ok(())
}

/// "nothing was not found" says the opposite of what is meant.
#[tokio::test]
async fn what_is_missing_is_named_as_what_it_is() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({})).await?;
    for (request, wanted) in [
        (site.admin.get("/repository/libs/nothing"), "the file nothing was not found"),
        (site.admin.delete("/repository/libs/nothing"), "the file nothing was not found"),
        (site.admin.get("/repository/libs/nothing/"), "the folder nothing was not found"),
        (site.admin.get("/repository/nothing/a"), "the repository nothing was not found"),
    ] {
        let detail = ask(request).await?.expect(&[404])?.string("/detail")?;
        ensure(detail == wanted, format!("{detail:?} instead of {wanted:?}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn a_nul_in_a_text_is_refused_embedded() -> Result<()> {
    a_nul_in_a_text_is_refused(&Site::embedded().await?).await
}

#[tokio::test]
async fn a_nul_in_a_text_is_refused_scaled_out() -> Result<()> {
    a_nul_in_a_text_is_refused(&Site::scaled().await?).await
}

/// PostgreSQL keeps no such text; it is refused alike on both.
async fn a_nul_in_a_text_is_refused(site: &Site) -> Result<()> {
    for (key, format) in [("js", "npm"), ("crates", "cargo")] {
        site.server.repository(key, format).await?;
    }
    let described = json!({"repoKey": "files", "format": "raw", "repoType": "local", "description": "a\u{0}b"});
    let cases = [
        site.admin.get("/repository/js/-/v1/search?text=%00"),
        site.admin.get("/repository/crates/api/v1/crates?q=%00"),
        site.admin.get("/v1/repos?cursor=AAAA"),
        site.admin.get("/v1/audit?subject=%00"),
        site.admin.get("/v1/audit?action=a%00"),
        site.admin.post("/v1/repos").json(&described),
    ];
    for case in cases {
        // In the shape of its client.
        let answer = case.send().await?;
        ensure(answer.status == 400, format!("{} {}", answer.status, answer.text()))?;
    }
    Ok(())
}

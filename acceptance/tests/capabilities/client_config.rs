//! `artifortress client-config`: the program prints what the guides show.

use acceptance::server::{Backing, Server};
use acceptance::{Result, Trouble, tree};
use serde_json::{Value, json};

use crate::site::{ensure, program as run};

/// A page for each format, and the key that its examples use.
const PAGES: [(&str, &str, &str); 1] = [("raw", "docs/guide/raw-files.md", "files")];

/// The formats that have a page, with their pages and keys.
fn pages() -> Result<Vec<(String, String, &'static str)>> {
    let files = tree::files()?;
    let named = files.iter().filter_map(|file| Some((file.strip_prefix("docs/formats/")?.strip_suffix(".md")?, file)));
    let named = named.filter(|(name, _)| *name != "adding-a-format");
    let named = named.map(|(name, file)| (name.to_owned(), file.clone(), "libs"));
    let others = PAGES.iter().map(|(name, file, key)| ((*name).to_owned(), (*file).to_owned(), *key));
    Ok(named.chain(others).collect())
}

#[tokio::test]
async fn every_guide_shows_what_the_program_prints() -> Result<()> {
    let server = Server::start(Backing::Embedded).await?;
    let address = server.address()?.to_string();
    for (format, page, shown) in pages()? {
        let key = format!("our-{format}");
        server.repository(&key, &format).await?;
        let said = |words: &[&str]| -> Result<String> {
            let words: Vec<_> = ["client-config", &key].iter().chain(words).copied().collect();
            let done = run(&server, server.admin()?.token(), &words)?;
            assert!(done.status.success(), "{words:?}: {done:?}");
            Ok(String::from_utf8(done.stdout)?)
        };
        let blocks = blocks(&tree::text(&page)?);
        let as_shown = |text: &str| {
            text.replace(&address, "127.0.0.1:8080")
                .replace(&format!("repository/{key}"), &format!("repository/{shown}"))
                // An image's name begins with the key.
                .replace(&format!("127.0.0.1:8080/{key}/"), "127.0.0.1:8080/oci/")
        };
        let document: Value = serde_json::from_str(&said(&["--json"])?)?;
        assert_eq!(document.pointer("/format").and_then(Value::as_str), Some(format.as_str()));
        let items = document.pointer("/items").and_then(Value::as_array).cloned().unwrap_or_default();
        assert!(!items.is_empty(), "{format}");
        let whole = said(&[])?;
        for item in items {
            let word = |name: &str| item.pointer(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let (client, file, text) = (word("/clients/0"), word("/file"), word("/text"));
            assert!(
                blocks.contains(&as_shown(&text)),
                "{page} has no block with this, word for word:\n{}",
                as_shown(&text)
            );
            assert_eq!(said(&["--client", &client, "--file", &file])?, format!("{text}\n"), "one alone is bare");
            let (_, end) = file
                .rsplit_once('/')
                .map_or(("", file.as_str()), |(folder, _)| file.split_at(folder.rfind('/').map_or(0, |at| at + 1)));
            assert_eq!(said(&["--client", &client, "--file", end])?, format!("{text}\n"), "{end} is enough");
            assert!(whole.contains(&format!("{file}\n{text}\n")), "all of it, under headings: {whole}");
        }
    }
    Ok(())
}

/// What is printed, as JSON: clients, file and text of each part.
fn printed(server: &Server, words: &[&str]) -> Result<Vec<(String, String, String)>> {
    let words: Vec<_> = ["client-config", "--json"].iter().chain(words).copied().collect();
    let done = run(server, server.admin()?.token(), &words)?;
    ensure(done.status.success(), format!("{words:?}: {done:?}"))?;
    let document: Value = serde_json::from_str(&String::from_utf8_lossy(&done.stdout))?;
    let items = document["items"].as_array().cloned().unwrap_or_default();
    let word = |item: &Value, name: &str| item.pointer(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(items.iter().map(|item| (item["clients"].to_string(), word(item, "/file"), word(item, "/text"))).collect())
}

async fn made(server: &Server, body: Value) -> Result<()> {
    server.admin()?.post("/v1/repos").json(&body).send().await?.expect(&[201]).map(drop)
}

/// Words of what publishes.
const PUBLISHING: [&str; 8] = [
    "publish",
    "push",
    "legacy",
    "distribution",
    "curl -fsS -H \"Authorization: Bearer $TOKEN\" -T",
    "twine",
    "--dest",
    " tag ",
];

fn publishing(parts: &[(String, String, String)]) -> usize {
    parts
        .iter()
        .filter(|(clients, _, text)| PUBLISHING.iter().any(|word| (clients.clone() + text).contains(word)))
        .count()
}

#[tokio::test]
async fn where_nothing_is_taken_nothing_that_publishes_is_printed() -> Result<()> {
    let server = Server::start(Backing::Embedded).await?;
    for (format, page, shown) in pages()? {
        let key = |kind: &str| format!("{kind}-{format}");
        server.repository(&key("own"), &format).await?;
        made(
            &server,
            json!({"repoKey": key("up"), "format": format, "repoType": "remote", "upstreamUrl": "https://up.example"}),
        )
        .await?;
        made(&server, json!({"repoKey": key("all"), "format": format, "repoType": "virtual", "memberRepos": [key("own"), key("up")]})).await?;
        made(&server, json!({"repoKey": key("both"), "format": format, "repoType": "virtual", "memberRepos": [key("own"), key("up")],
            "settings": {"virtual": {"deployTo": key("own")}}})).await?;
        let of = |kind: &str| -> Result<Vec<_>> {
            let parts = printed(&server, &[&key(kind)])?;
            let plain = |text: String| text.replace(&key(kind), "KEY");
            Ok(parts.into_iter().map(|(clients, file, text)| (clients, file, plain(text))).collect())
        };
        let (own, up, all, both) = (of("own")?, of("up")?, of("all")?, of("both")?);
        // npm and Cargo need no other lines to publish, and modules are published by our own program.
        let expected = !["npm", "cargo", "go"].contains(&format.as_str());
        ensure((publishing(&own) > 0) == expected, format!("{own:#?}"))?;
        ensure(publishing(&up) == 0 && up == all, format!("{up:#?}"))?;
        ensure(publishing(&both) == publishing(&own), format!("{both:#?}"))?;
        // What is left are lines that the guide shows, or a block of its own there.
        let (address, blocks) = (server.address()?.to_string(), blocks(&tree::text(&page)?));
        for (clients, file, text) in &up {
            let local = own.iter().find(|part| (&part.0, &part.1) == (clients, file)).map(|part| part.2.as_str());
            let local: Vec<_> = local.unwrap_or_default().lines().collect();
            let guided = text.replace(&address, "127.0.0.1:8080").replace("KEY", shown);
            let known = text.lines().all(|line| local.iter().any(|own| own.starts_with(line.trim_end_matches(']'))))
                || blocks.contains(&guided);
            ensure(known, format!("{page} has no block with this:\n{guided}"))?;
        }
    }
    let words = ["client-config", "up-pypi", "--client", "twine"];
    let done = run(&server, server.admin()?.token(), &words)?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    ensure(done.status.code() == Some(2) && said.contains("nothing can be published there"), said)
}

#[tokio::test]
async fn of_a_moment_addresses_are_printed_that_answer_as_of_then() -> Result<()> {
    let server = Server::start(Backing::Embedded).await?;
    for (format, ..) in pages()? {
        let key = format!("our-{format}");
        server.repository(&key, &format).await?;
        for (written, then, compact) in [
            ("2026-01-31", "2026-01-31", "20260131t000000z"),
            ("2026-01-31T12:30:00+01:00", "2026-01-31T11:30:00Z", "20260131t113000z"),
        ] {
            let parts = printed(&server, &[&format!("{key}@{written}")])?;
            ensure(publishing(&parts) == 0, format!("{parts:#?}"))?;
            let all: String = parts.into_iter().map(|(.., text)| text + "\n").collect();
            let (now, then) = match format.as_str() {
                "oci" => (format!("/{key}/"), format!("/{key}/at-{compact}/")),
                _ => (format!("/repository/{key}"), format!("/repository/{key}@{then}")),
            };
            let known = (all.matches(&now).count(), all.matches(&then).count());
            ensure(known.0 > 0 && known.0 == known.1, format!("{known:?} of {then}: {all}"))?;
        }
    }
    let fails = |key: &str, part: &str| -> Result<()> {
        let done = run(&server, server.admin()?.token(), &["client-config", key])?;
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        ensure(done.status.code() == Some(2) && said.contains(part) && done.stdout.is_empty(), format!("{key}: {said}"))
    };
    fails("our-npm@yesterday", "not a date or a time as in RFC 3339, such as 2026-01-31T12:00:00Z")?;
    fails("our-npm@2026-02-30", "not a date or a time")?;
    fails("our-npm@", "not a date or a time")?;
    fails("our-npm@2999-01-01", "at least 60 seconds ago")?;
    fails("our-npm@2999-01-01T00:00:00Z", "at least 60 seconds ago")
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_is_said() -> Result<()> {
    let server = Server::start(Backing::Embedded).await?;
    server.repository("libs", "npm").await?;
    let token = server.admin()?.token().to_owned();
    let stranger = server.persona("rita")?.with("repo:other:read").arrive().await?;
    let fails = |token: &str, words: &[&str], code: i32, parts: &[&str]| -> Result<()> {
        let done = run(&server, token, words)?;
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        let well = done.status.code() == Some(code) && parts.iter().all(|part| said.contains(part));
        if well && done.stdout.is_empty() { Ok(()) } else { Err(Trouble::new(format!("{words:?}: {done:?}"))) }
    };
    fails(&token, &["client-config", "none"], 3, &["none", "not found", "whoami"])?;
    fails(stranger.token(), &["client-config", "libs"], 3, &["libs", "not found", "may not read it"])?;
    fails("not-a-token", &["client-config", "libs"], 4, &["token", "artifortress login"])?;
    fails(&token, &["client-config", "Libs!"], 2, &["Libs!"])?;
    fails(&token, &["client-config", "libs", "--client", "pip"], 2, &["npm, pnpm, bun: ~/.npmrc", "yarn1"])?;
    fails(&token, &["client-config", "libs", "--client", "npm", "--file", ".yarnrc"], 2, &["yarn1: ~/.yarnrc"])?;
    let both = run(&server, &token, &["client-config", "libs", "--client", "yarn1"])?;
    let both = String::from_utf8(both.stdout)?;
    assert!(both.starts_with("# yarn1: ~/.npmrc\n") && both.contains("\n\n# yarn1: ~/.yarnrc\nregistry "), "{both}");
    assert!(!both.contains(&token), "a secret is never printed");
    Ok(())
}

/// The contents of all fenced blocks.
fn blocks(page: &str) -> Vec<String> {
    let parts = page.split("\n```").skip(1).step_by(2);
    parts.filter_map(|part| part.split_once('\n')).map(|(_, content)| content.to_owned()).collect()
}

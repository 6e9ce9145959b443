//! `artifortress client-config`: the program prints what the guides show.

use acceptance::server::{Backing, Server};
use acceptance::{Result, Trouble, tree};
use serde_json::Value;

use crate::site::program as run;

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

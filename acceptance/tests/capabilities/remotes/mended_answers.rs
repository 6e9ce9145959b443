//! Answers of an upstream that were kept and are damaged here: the upstream is asked again, or it is said why not.

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::json;

use super::evicted::{restart, site};
use super::mended::{Harm, ask, harm};
use super::shelf::{INDEXED, Shelf, noise, of, remote};
use super::upstream::{Asked, Say, Upstream};
use crate::site::{Site, ensure};

/// The answer with which the upstream tells of the package, padded so that it lies in a file of its own.
fn tell(upstream: &Upstream, shelf: &Shelf, more: &str) -> Vec<u8> {
    let link = format!("{}{}", upstream.url(), shelf.file());
    let name = shelf.index().split('/').rfind(|part| part.ends_with("tool")).unwrap_or_default().to_owned();
    let (kind, body) = shelf.index_body(&name, &link, b"one");
    let body = match shelf.format {
        "npm" | "pypi" => body.replacen('{', &format!("{{\"readme\": \"{}\", ", "long ".repeat(30_000)), 1),
        _ => body,
    };
    let body = body.replace("1.0.0", more);
    upstream.says(&shelf.index(), Say::answer(200, &[("Content-Type", kind), ("ETag", "\"one\"")], body.clone()));
    body.into_bytes()
}

fn is_conditional(asked: &Asked) -> bool {
    asked.header("if-none-match").is_some() || asked.header("if-modified-since").is_some()
}

async fn set(site: &Site, key: &str, upstream: serde_json::Value) -> Result<()> {
    let body = json!({"settings": {"upstream": upstream}});
    ask(site.admin.patch(&format!("/v1/repos/{key}")).json(&body)).await?.expect(&[200]).map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_indexes_are_asked_for_again() -> Result<()> {
    for (backing, formats) in [(Backing::Embedded, &INDEXED[..]), (Backing::Scaled, &["npm", "go"][..])] {
        let (mut site, mut upstream) = (site(backing).await?, Upstream::start().await?);
        let mut shelves = Vec::new();
        for format in formats {
            // What is believed for an hour is read without a question; what is not is confirmed first.
            for (key, seconds) in [("calm", 3600), ("eager", 0)] {
                let shelf = Shelf::bare(format).at(&format!("{format}-{key}"));
                shelf.stock(&upstream, b"one");
                tell(&upstream, &shelf, "1.0.0");
                remote(&site, shelf.key(), format, &upstream.url(), json!({"indexSeconds": seconds})).await?;
                let index = of(format, ask(shelf.get_index(&site.admin)).await?.expect(&[200]))?;
                shelves.push((shelf, index.body));
            }
        }
        for way in [Harm::Flip(1000), Harm::Gone] {
            for (shelf, _) in shelves.iter().step_by(2) {
                harm(&site, &tell(&upstream, shelf, "1.0.0"), way)?;
            }
            upstream.down().await;
            restart(&mut site).await?;
            for _ in 0..2 {
                for (shelf, _) in &shelves {
                    let away = of(shelf.format, ask(shelf.get_index(&site.admin)).await?.expect(&[503]))?;
                    ensure(away.text().contains("the upstream cannot be read"), away.text())?;
                }
            }
            upstream.up().await?;
            restart(&mut site).await?;
            let before = upstream.total();
            for (shelf, body) in &shelves {
                let index = of(shelf.format, ask(shelf.get_index(&site.admin)).await?.expect(&[200]))?;
                ensure(index.body == *body, format!("{}: {}", shelf.key(), index.text()))?;
            }
            for (shelf, _) in shelves.iter().step_by(2) {
                let asked = upstream.asked().split_off(before);
                let unconditional = asked.iter().filter(|asked| asked.path == shelf.index() && !is_conditional(asked));
                ensure(unconditional.count() > 0, format!("{}: only whether it has changed", shelf.key()))?;
            }
            // It is whole again: nobody has to be asked after the next start.
            restart(&mut site).await?;
            let before = upstream.total();
            for (shelf, body) in shelves.iter().step_by(2) {
                let index = of(shelf.format, ask(shelf.get_index(&site.admin)).await?.expect(&[200]))?;
                ensure(index.body == *body, format!("{}: {}", shelf.key(), index.text()))?;
            }
            ensure(upstream.total() == before, "what is whole and believed is asked for")?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_ask_says_that_an_answer_is_damaged() -> Result<()> {
    let (mut site, upstream) = (site(Backing::Embedded).await?, Upstream::start().await?);
    let shelf = Shelf::stocked(&site, &upstream, "npm", json!({}), b"one").await?;
    let body = tell(&upstream, &shelf, "1.0.0");
    ask(shelf.get_index(&site.admin)).await?.expect(&[200])?;
    harm(&site, &body, Harm::Flip(1000))?;
    set(&site, shelf.key(), json!({"offline": true})).await?;
    restart(&mut site).await?;
    let refused = ask(shelf.get_index(&site.admin)).await?.expect(&[503])?;
    ensure(refused.text().contains("is damaged here, and npm-up is offline"), refused.text())?;
    set(&site, shelf.key(), json!({"offline": false})).await?;
    tell(&upstream, &shelf, "1.2.3");
    let news = ask(shelf.get_index(&site.admin)).await?.expect(&[200])?;
    ensure(news.text().contains("1.2.3"), "not what the upstream says by now")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_moment_no_other_answer_is_served() -> Result<()> {
    for backing in [Backing::Embedded, Backing::Scaled] {
        let (mut site, mut upstream) = (site(backing).await?, Upstream::start().await?);
        let shelf = Shelf::stocked(&site, &upstream, "npm", json!({"indexSeconds": 0}), b"one").await?;
        let then = tell(&upstream, &shelf, "1.0.0");
        ask(shelf.get_index(&site.admin)).await?.expect(&[200])?;
        let past = shelf.at(&format!("npm-up@{}", site.server.moment("clock").await?));
        let known = ask(past.get_index(&site.admin)).await?.expect(&[200])?;
        harm(&site, &then, Harm::Flip(1000))?;
        upstream.down().await;
        restart(&mut site).await?;
        let away = ask(past.get_index(&site.admin)).await?.expect(&[503])?;
        ensure(away.text().contains("the upstream cannot be read"), away.text())?;
        upstream.up().await?;
        tell(&upstream, &shelf, "1.2.3");
        restart(&mut site).await?;
        let now = ask(shelf.get_index(&site.admin)).await?.expect(&[200])?;
        ensure(now.text().contains("1.2.3"), "not what the upstream says by now")?;
        let changed = ask(past.get_index(&site.admin)).await?.expect(&[503])?;
        ensure(changed.text().contains("is damaged here and has changed there"), changed.text())?;
        // It says again what it said then.
        tell(&upstream, &shelf, "1.0.0");
        let same = ask(past.get_index(&site.admin)).await?.expect(&[200])?;
        ensure(same.body == known.body, same.text())?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_answers_that_are_passed_on_are_asked_for_again() -> Result<()> {
    for backing in [Backing::Embedded, Backing::Scaled] {
        let (mut site, mut upstream) = (site(backing).await?, Upstream::start().await?);
        remote(&site, "modules", "go", &upstream.url(), json!({})).await?;
        let (tile, bytes) = ("/sumdb/sum.example.org/tile/8/0/x001/234", noise(1, 8192));
        upstream.says(tile, Say::answer(200, &[], bytes.clone()));
        let get = |site: &Site| ask(site.admin.get(&format!("/repository/modules{tile}")));
        get(&site).await?.expect(&[200])?;
        let then = site.server.moment("clock").await?;
        for moment in [false, true] {
            let at = if moment { format!("modules@{then}") } else { "modules".to_owned() };
            let get = |site: &Site| ask(site.admin.get(&format!("/repository/{at}{tile}")));
            harm(&site, &bytes, Harm::Flip(7))?;
            upstream.down().await;
            restart(&mut site).await?;
            let away = of(&at, get(&site).await?.expect(&[503]))?;
            ensure(away.text().contains("the upstream cannot be read"), away.text())?;
            upstream.up().await?;
            restart(&mut site).await?;
            let whole = of(&at, get(&site).await?.expect(&[200]))?;
            ensure(whole.body == bytes, format!("{at}: other bytes than before"))?;
        }
        ensure(upstream.count(tile) == 3, format!("asked {} times", upstream.count(tile)))?;
    }
    Ok(())
}

//! What an upstream said before: how long it holds, how it is confirmed, what replaces it.

use std::time::{Duration, Instant};

use acceptance::Result;
use acceptance::http::Answer;
use serde_json::{Value, json};

use super::shelf::{DECLARED, FORMATS, INDEXED, PATIENCE, Shelf, failed, noise, of, remote, site, until};
use super::upstream::{Gate, Say, Upstream};
use crate::engines::both;
use crate::site::{Site, ensure};

fn is_stale(answer: &Answer) -> bool {
    answer.header("warning").is_some_and(|warning| warning.starts_with("110 "))
        && answer.header("x-artifortress-stale-since").is_some_and(|since| since.starts_with("20"))
}

fn is_fresh(answer: &Answer) -> bool {
    answer.header("warning").is_none() && answer.header("x-artifortress-stale-since").is_none()
}

async fn observations(site: &Site, key: &str) -> Result<String> {
    let of =
        format!("SELECT count(*) FROM observations WHERE repo_id = (SELECT id FROM repositories WHERE key = '{key}')");
    site.server.sql(&of)
}

async fn the_last_index_is_served_while_the_upstream_is_away_and_says_so() -> Result<()> {
    let (mut site, mut upstream) = (site().await?, Upstream::start().await?);
    let mut known = Vec::new();
    for format in INDEXED {
        let bytes = noise(1, 3000);
        let shelf = Shelf::bare(format);
        shelf.stock(&upstream, &bytes);
        let at = |what: &str| shelf.at(&format!("{format}-{what}"));
        let (patient, hourly, strict) = (at("patient"), at("hourly"), at("strict"));
        remote(&site, patient.key(), format, &upstream.url(), json!({"indexSeconds": 0})).await?;
        for (shelf, hours) in [(&hourly, 1), (&strict, 0)] {
            let settings = json!({"indexSeconds": 0, "staleHours": hours});
            remote(&site, shelf.key(), format, &upstream.url(), settings).await?;
            shelf.get_index(&site.admin).send().await?.expect(&[200])?;
        }
        let fresh = patient.get_index(&site.admin).send().await?.expect(&[200])?;
        ensure(is_fresh(&fresh), format!("{format}: {:?}", fresh.headers))?;
        known.push((patient, hourly, strict, fresh.body));
    }
    upstream.down().await;
    for hours in 0..2 {
        for (patient, hourly, strict, body) in &known {
            let stale = of(patient.format, patient.get_index(&site.admin).send().await?.expect(&[200]))?;
            // What tells of its own times says that they are an hour older by then.
            let same = hours > 0 || stale.body == *body;
            ensure(is_stale(&stale) && same, format!("{}: {:?}", patient.format, stale.headers))?;
            of(strict.format, failed(strict.format, &strict.get_index(&site.admin).send().await?))?;
            let answer = hourly.get_index(&site.admin).send().await?;
            match hours {
                0 => ensure(is_stale(&answer), format!("{}: {:?}", hourly.format, answer.headers))?,
                _ => of(hourly.format, failed(hourly.format, &answer))?,
            }
        }
        site.server.let_pass(Duration::from_secs(3600))?;
        site.server.restart().await?;
        site.admin = site.server.admin()?;
    }
    upstream.up().await?;
    for (patient, ..) in &known {
        let fresh = until(PATIENCE, || patient.get_index(&site.admin), 200).await?;
        ensure(is_stale(&fresh) || is_fresh(&fresh), format!("{:?}", fresh.headers))?;
    }
    Ok(())
}

/// A crate is asked for in two spellings, and a module for its latest version: what the upstream has not of them must
/// not take the rest along when it goes away.
async fn what_is_partly_missing_is_stale_as_a_whole() -> Result<()> {
    let (mut site, mut upstream) = (site().await?, Upstream::start().await?);
    let settings = json!({"indexSeconds": 0, "missingSeconds": 0});
    let cargo = Shelf::bare("cargo");
    let (kind, body) = cargo.index_body("my-tool", "", b"x");
    upstream.says("/config.json", Say::answer(200, &[], json!({"dl": upstream.url()}).to_string()));
    upstream.says("/my/-t/my-tool", Say::answer(200, &[("Content-Type", kind)], body));
    remote(&site, "crates", "cargo", &upstream.url(), settings.clone()).await?;
    upstream.says("/example.com/gtool/@v/list", Say::answer(200, &[], "v1.0.0\n"));
    remote(&site, "modules", "go", &upstream.url(), settings).await?;
    let paths = ["/repository/crates/my/-t/my-tool", "/repository/modules/example.com/gtool/@v/list"];
    for path in paths {
        of(path, site.admin.get(path).send().await?.expect(&[200]))?;
    }
    ensure(upstream.count("/example.com/gtool/@latest") == 1, "what is missing is asked for, too")?;
    upstream.down().await;
    for _ in 0..2 {
        for path in paths {
            let stale = of(path, site.admin.get(path).send().await?.expect(&[200]))?;
            ensure(is_stale(&stale), format!("{path}: {:?}", stale.headers))?;
        }
        site.server.restart().await?;
        site.admin = site.server.admin()?;
    }
    Ok(())
}

async fn an_answer_is_confirmed_by_its_tag_and_replaced_by_another() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for format in INDEXED {
        let settings = json!({"indexSeconds": 0, "missingSeconds": 0});
        let shelf = Shelf::stocked(&site, &upstream, format, settings, b"one").await?;
        let first = shelf.get_index(&site.admin).send().await?.expect(&[200])?;
        let (rows, asked) = (observations(&site, shelf.key()).await?, upstream.count(&shelf.index()));
        upstream.says(&shelf.index(), Say::answer(304, &[("ETag", "\"one\"")], ""));
        for _ in 0..3 {
            let same = of(format, shelf.get_index(&site.admin).send().await?.expect(&[200]))?;
            ensure(same.body == first.body && is_fresh(&same), format!("{format}: {}", same.text()))?;
        }
        ensure(upstream.count(&shelf.index()) == asked + 3, format!("{format}: it is asked each time"))?;
        let sent: Vec<_> = upstream.asked().into_iter().filter(|asked| asked.path == shelf.index()).collect();
        let tag = |asked: &super::upstream::Asked| asked.header("if-none-match") == Some("\"one\"");
        ensure(sent[asked..].iter().all(tag), format!("{format}: without its tag"))?;
        // The same words again say the same.
        shelf.stock(&upstream, b"one");
        shelf.get_index(&site.admin).send().await?.expect(&[200])?;
        ensure(observations(&site, shelf.key()).await? == rows, format!("{format}: a row without news"))?;
        let (kind, body) =
            shelf.index_body(&index_name(&shelf), &format!("{}{}", upstream.url(), shelf.file()), b"one");
        let news = body.replace("1.0.0", "1.2.3");
        upstream.says(&shelf.index(), Say::answer(200, &[("Content-Type", kind), ("ETag", "\"two\"")], news));
        let second = shelf.get_index(&site.admin).send().await?.expect(&[200])?;
        ensure(second.text().contains("1.2.3"), format!("{format}: {}", second.text()))?;
        ensure(observations(&site, shelf.key()).await? != rows, format!("{format}: no row of the news"))?;
    }
    Ok(())
}

/// What another upstream said is neither believed nor confirmed by the new one, whose tags may be the same.
async fn a_new_address_is_asked_anew() -> Result<()> {
    let (site, one, two) = (site().await?, Upstream::start().await?, Upstream::start().await?);
    for format in INDEXED {
        let shelf = Shelf::stocked(&site, &one, format, json!({}), b"one").await?;
        shelf.get_index(&site.admin).send().await?.expect(&[200])?;
        shelf.stock(&two, b"two");
        let (kind, body) = shelf.index_body(&index_name(&shelf), &format!("{}{}", two.url(), shelf.file()), b"two");
        two.says(&shelf.index(), Say::answer(200, &[("Content-Type", kind)], body.replace("1.0.0", "1.2.3")));
        let change = json!({"upstreamUrl": two.url()});
        site.admin.patch(&format!("/v1/repos/{}", shelf.key())).json(&change).send().await?.expect(&[200])?;
        let index = of(format, shelf.get_index(&site.admin).send().await?.expect(&[200]))?;
        ensure(index.text().contains("1.2.3"), format!("{format}: {}", index.text()))?;
        let asked = two.asked();
        ensure(asked.iter().all(|asked| asked.header("if-none-match").is_none()), format!("{format}: {asked:?}"))?;
        // What the old one said is nothing that holds while the new one is away, and what it had not may be there.
        let missing = shelf.our_file().replace("1.0.0", "7.7.7");
        let change = json!({"upstreamUrl": one.url()});
        site.admin.patch(&format!("/v1/repos/{}", shelf.key())).json(&change).send().await?.expect(&[200])?;
        shelf.get_index(&site.admin).send().await?.expect(&[200])?;
        of(format, site.admin.get(&missing).send().await?.expect(&[404]))?;
        two.says(&shelf.index(), Say::status(503));
        let change = json!({"upstreamUrl": two.url()});
        site.admin.patch(&format!("/v1/repos/{}", shelf.key())).json(&change).send().await?.expect(&[200])?;
        of(format, shelf.get_index(&site.admin).send().await?.expect(&[503]))?;
        let again = json!({"upstreamUrl": two.url(), "description": "changed once more"});
        site.admin.patch(&format!("/v1/repos/{}", shelf.key())).json(&again).send().await?.expect(&[200])?;
        of(format, shelf.get_index(&site.admin).send().await?.expect(&[503]))?;
    }
    Ok(())
}

/// What an upstream says after it was left is neither served nor kept.
async fn late_answers_of_a_former_upstream_are_nothing() -> Result<()> {
    let (site, one, two) = (site().await?, Upstream::start().await?, Upstream::start().await?);
    for format in FORMATS {
        let gate = Gate::new();
        let shelf = Shelf::stocked(&site, &one, format, json!({}), &noise(1, 3000)).await?;
        shelf.stock(&two, &noise(2, 3000));
        let (kind, body) = shelf.index_body(&index_name(&shelf), &format!("{}{}", one.url(), shelf.file()), b"one");
        let (path, ours, late) = match INDEXED.contains(&format) {
            true => (shelf.index(), shelf.our_index(), Say::answer(200, &[("Content-Type", kind)], body)),
            false => (shelf.file(), shelf.our_file(), Say::file(noise(1, 3000))),
        };
        one.says(&path, late.after(&gate));
        let before = tokio::spawn(site.admin.get(&ours).send());
        while one.count(&path) == 0 {
            tokio::task::yield_now().await;
        }
        let change = json!({"upstreamUrl": two.url()});
        site.admin.patch(&format!("/v1/repos/{}", shelf.key())).json(&change).send().await?.expect(&[200])?;
        let after = tokio::spawn(site.admin.get(&ours).send());
        gate.open();
        let before = before.await?;
        ensure(before.is_err() || before.is_ok_and(|answer| answer.status == 503), format!("{format}: it is served"))?;
        of(format, after.await??.expect(&[200]))?;
        let file = of(format, shelf.get_file(&site.admin).send().await?.expect(&[200]))?;
        ensure(file.body == noise(2, 3000), format!("{format}: the former one's bytes"))?;
        ensure(two.count(&path) > 0, format!("{format}: the new one was not asked"))?;
    }
    Ok(())
}

/// Whoever asks for files that no index tells of does not make us ask for the index again and again.
async fn files_that_are_not_there_are_few_questions() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for format in DECLARED {
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), b"one").await?;
        let start = Instant::now();
        for number in 0..100 {
            let path = shelf.our_file().replace("1.0.0", &format!("1.0.{}", number + 1));
            of(format, site.admin.get(&path).send().await?.expect(&[404]))?;
        }
        let (asked, most) = (upstream.count(&shelf.index()), 2 + usize::try_from(start.elapsed().as_secs())?);
        ensure(asked <= most, format!("{format}: {asked} questions"))?;
    }
    Ok(())
}

fn index_name(shelf: &Shelf) -> String {
    let index = shelf.index();
    let name = index.split('/').rfind(|part| part.ends_with("tool"));
    name.unwrap_or_default().to_owned()
}

/// The upstream has other bytes for a file by now: ours stay, our index names ours, and the journal tells of it.
async fn bytes_that_change_there_do_not_change_here() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for format in DECLARED {
        let (ours, theirs) = (noise(1, 3000), noise(2, 3000));
        let shelf = Shelf::stocked(&site, &upstream, format, json!({"indexSeconds": 0}), &ours).await?;
        shelf.get_file(&site.admin).send().await?.expect(&[200])?;
        let before = shelf.get_index(&site.admin).send().await?.expect(&[200])?;
        let count = upstream.count(&shelf.file());
        shelf.stock(&upstream, &theirs);
        for _ in 0..2 {
            let after = shelf.get_index(&site.admin).send().await?.expect(&[200])?;
            let (now, then) = (without_revision(&after)?, without_revision(&before)?);
            ensure(now == then, format!("{format}: {now} instead of {then}"))?;
            let file = shelf.get_file(&site.admin).send().await?.expect(&[200])?;
            ensure(file.body == ours, format!("{format}: other bytes"))?;
        }
        ensure(upstream.count(&shelf.file()) == count, format!("{format}: they are fetched"))?;
        let path = shelf.our_file().split_off("/repository/".len() + shelf.key().len() + 1);
        // The journal is put in order a little after what it tells.
        let start = Instant::now();
        while told(&site, &path).await?.is_empty() {
            ensure(start.elapsed() < PATIENCE, format!("{format}: the journal does not tell of {path}"))?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let told = told(&site, &path).await?;
        ensure(told.len() == 1, format!("{format}: {told:?}"))?;
    }
    Ok(())
}

/// An index as JSON, without what npm calls its revision.
fn without_revision(index: &Answer) -> Result<Value> {
    let mut index = index.json()?;
    index.as_object_mut().and_then(|fields| fields.remove("_rev"));
    Ok(index)
}

/// The events of a changed file.
async fn told(site: &Site, path: &str) -> Result<Vec<Value>> {
    let audit = site.admin.get("/v1/audit?action=upstream.changed").send().await?.expect(&[200])?.json()?;
    let items = audit["items"].as_array().cloned().unwrap_or_default();
    Ok(items.into_iter().filter(|event| event.to_string().contains(path)).collect())
}

both! {
    the_last_index_is_served_while_the_upstream_is_away_and_says_so;
    what_is_partly_missing_is_stale_as_a_whole;
    an_answer_is_confirmed_by_its_tag_and_replaced_by_another;
    a_new_address_is_asked_anew;
    late_answers_of_a_former_upstream_are_nothing;
    files_that_are_not_there_are_few_questions;
    bytes_that_change_there_do_not_change_here;
}

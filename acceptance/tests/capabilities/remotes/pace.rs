//! How much is asked of an upstream, as it sees it: so many at once, so many a second, whoever many want something.

use std::time::{Duration, Instant};

use acceptance::Result;
use acceptance::http::Answer;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use serde_json::json;

use super::shelf::{INDEXED, PATIENCE, Shelf, failed, noise, of, remote, site};
use super::upstream::{Gate, Say, Upstream};
use crate::engines::both;
use crate::site::{Site, ensure};

const CROWD: usize = 60;

/// Served, or 503 with when to come back: whether it was served.
fn served(answer: &Answer) -> Result<bool> {
    if answer.status == 200 {
        return Ok(true);
    }
    failed("raw", answer).map(|()| false)
}

/// Each of the crowd asks for another file.
async fn no_more_connections_than_are_allowed() -> Result<()> {
    let (site, upstream, gate) = (site().await?, Upstream::start().await?, Gate::new());
    remote(&site, "up", "raw", &upstream.url(), json!({"connections": 3})).await?;
    upstream.always(Some(Say::announces(4).bytes("he").waits(&gate).bytes("re")));
    let crowd = join_all((0..CROWD).map(|number| site.admin.get(&format!("/repository/up/{number}")).send()));
    let others = async {
        wait_for(|| upstream.most_at_once() >= 3).await?;
        // By then all of the crowd have been there.
        for _ in 0..CROWD {
            site.admin.get("/v1/repos").send().await?.expect(&[200])?;
        }
        gate.open();
        Ok::<_, acceptance::Trouble>(())
    };
    let (crowd, others) = tokio::join!(crowd, others);
    others?;
    let mut count = 0;
    for answer in crowd {
        count += usize::from(served(&answer?)?);
    }
    ensure(count > 0 && upstream.most_at_once() <= 3, format!("{count} served, {} at once", upstream.most_at_once()))
}

async fn wait_for(holds: impl Fn() -> bool) -> Result<()> {
    let start = Instant::now();
    while !holds() {
        ensure(start.elapsed() < PATIENCE, "the upstream is not asked as much as is allowed")?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Of every format: indexes and files of one repository together, also where rules have to know how old they are.
async fn one_connection_is_enough_for_everything() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for format in INDEXED {
        let bytes = noise(1, 3000);
        let shelf = Shelf::stocked(&site, &upstream, format, json!({"connections": 1}), &bytes).await?;
        if ["npm", "go"].contains(&format) {
            let rules = json!({"rules": [{"kind": "minimumAge", "hours": 1}]});
            site.admin.put(&format!("/v1/repos/{}/rules", shelf.key())).json(&rules).send().await?.expect(&[200])?;
            let info = json!({"Version": "v1.0.0", "Time": "2024-05-06T07:08:09Z"}).to_string();
            upstream.says("/example.com/gtool/@v/v1.0.0.info", Say::answer(200, &[], info));
        }
        let before = upstream.total();
        let both = [shelf.get_index(&site.admin).send(), shelf.get_file(&site.admin).send()];
        for answer in join_all(both).await {
            of(format, answer?.expect(&[200]))?;
        }
        ensure(upstream.total() - before >= 2, format!("{format}: it was asked"))?;
    }
    ensure(upstream.most_at_once() == 1, format!("{} at once", upstream.most_at_once()))
}

/// The first at once, each other one a tenth of a second later: no delay makes it more.
async fn no_more_requests_a_second_than_are_allowed() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    remote(&site, "up", "raw", &upstream.url(), json!({"requestsPerSecond": 10})).await?;
    upstream.always(Some(Say::file("here")));
    let start = tokio::time::Instant::now();
    let crowd = join_all((0..30).map(|number| site.admin.get(&format!("/repository/up/{number}")).send()));
    for answer in crowd.await {
        ensure(served(&answer?)?, "there was a turn for each")?;
    }
    in_turn(&upstream, start, Duration::from_millis(100))
}

fn in_turn(upstream: &Upstream, start: tokio::time::Instant, spacing: Duration) -> Result<()> {
    for (number, asked) in (0..).zip(upstream.asked()) {
        let (at, least) = (asked.at - start, spacing * number);
        ensure(at >= least, format!("question {number} came after {at:?} instead of {least:?}"))?;
    }
    Ok(())
}

/// Nobody waits longer than half a minute for a turn: the others are told to come again, at once.
async fn whoever_would_wait_too_long_comes_again() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let settings = json!({"requestsPerSecond": 1, "connections": 256});
    remote(&site, "up", "raw", &upstream.url(), settings).await?;
    upstream.always(Some(Say::file("here")));
    let start = tokio::time::Instant::now();
    let get = |number: usize| site.admin.get(&format!("/repository/up/{number}")).send();
    let mut crowd: FuturesUnordered<_> = (0..CROWD).map(get).collect();
    let mut told = 0;
    while told < 5
        && let Some(answer) = crowd.next().await
    {
        let answer = answer?;
        if !served(&answer)? {
            ensure(answer.text().contains("too many requests"), answer.text())?;
            told += 1;
        }
    }
    ensure(told == 5, "all were served")?;
    in_turn(&upstream, start, Duration::from_secs(1))
}

/// While all connections are taken, who wants something waits for half a minute: then what is known is served, although
/// nobody could ask whether it still holds, and for all else it is to come again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_known_needs_no_connection() -> Result<()> {
    let (site, upstream, gate) = (site().await?, Upstream::start().await?, Gate::new());
    let settings = json!({"connections": 1, "timeoutSeconds": 120, "indexSeconds": 0});
    let shelf = Shelf::stocked(&site, &upstream, "npm", settings, b"here").await?;
    let before = shelf.get_index(&site.admin).send().await?.expect(&[200])?;
    upstream.says(&shelf.file(), Say::announces(4).waits(&gate).bytes("here"));
    let others = async {
        wait_for(|| upstream.count(&shelf.file()) == 1).await?;
        let total = upstream.total();
        let index = shelf.get_index(&site.admin).send();
        let nobody = site.admin.get("/repository/npm-up/nobody").send();
        let (index, nobody) = tokio::join!(index, nobody);
        let asked = upstream.total() - total;
        gate.open();
        let index = index?.expect(&[200])?;
        let marked = index.header("x-artifortress-stale-since").is_some();
        ensure(marked && index.body == before.body, format!("{:?}", index.headers))?;
        of("nobody", failed("npm", &nobody?))?;
        ensure(asked == 0, format!("{asked} questions"))
    };
    let (file, others) = tokio::join!(shelf.get_file(&site.admin).send(), others);
    others?;
    file?.expect(&[200]).map(drop)
}

/// Another repository's bounds are its own.
async fn bounds_are_those_of_a_repository() -> Result<()> {
    let (site, upstream, gate) = (site().await?, Upstream::start().await?, Gate::new());
    for key in ["one", "two"] {
        remote(&site, key, "raw", &upstream.url(), json!({"connections": 1})).await?;
    }
    upstream.says("/slow", Say::announces(4).waits(&gate).bytes("here"));
    upstream.says("/quick", Say::file("here"));
    let get = |site: &Site, path: &str| site.admin.get(path).send();
    let slow = get(&site, "/repository/one/slow");
    let quick = async {
        wait_for(|| upstream.count("/slow") == 1).await?;
        get(&site, "/repository/two/quick").await?.expect(&[200])?;
        gate.open();
        Ok::<_, acceptance::Trouble>(())
    };
    let (slow, quick) = tokio::join!(slow, quick);
    quick?;
    slow?.expect(&[200]).map(drop)
}

both! {
    no_more_connections_than_are_allowed;
    one_connection_is_enough_for_everything;
    no_more_requests_a_second_than_are_allowed;
    whoever_would_wait_too_long_comes_again;
    bounds_are_those_of_a_repository;
}

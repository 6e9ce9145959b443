//! Raw files that may change upstream: `allowOverwrite` of a remote repository.

use acceptance::Result;
use acceptance::http::{Answer, Request};
use acceptance::server::{Backing, Persona, Server};
use futures_util::future::{join_all, try_join};
use serde_json::{Value, json};

use super::shelf::{PATIENCE, Shelf, noise, site, until};
use super::upstream::{Gate, Say, Upstream};
use crate::engines::both;
use crate::site::{Site, ensure};

const TAR: &str = "/files/tool.tar.gz";

/// A repository whose files may change, and the upstream's file.
async fn shelf(site: &Site, upstream: &Upstream, settings: Value, bytes: &[u8]) -> Result<Shelf> {
    let shelf = Shelf::stocked(site, upstream, "raw", settings, b"never read").await?;
    upstream.says(TAR, tagged("one", bytes));
    set(site, &shelf, json!({"allowOverwrite": true})).await?;
    Ok(shelf)
}

async fn set(site: &Site, shelf: &Shelf, settings: Value) -> Result<()> {
    let change = site.admin.patch(&format!("/v1/repos/{}", shelf.key())).json(&json!({"settings": settings}));
    change.send().await?.expect(&[200]).map(drop)
}

/// Reads it once, and lets each read ask from then on. Who reads under the settings of before may still join who fetched
/// it, as long as that one puts its things away.
async fn asked_each_time(site: &Site, shelf: &Shelf, bytes: &[u8]) -> Result<()> {
    gets(shelf.get_file(&site.admin), bytes).await?;
    set(site, shelf, json!({"upstream": {"indexSeconds": 0}})).await
}

fn tagged(tag: &str, bytes: &[u8]) -> Say {
    Say::answer(200, &[("ETag", &format!("\"{tag}\""))], bytes.to_vec())
}

async fn gets(request: Request, bytes: &[u8]) -> Result<Answer> {
    let answer = request.send().await?.expect(&[200])?;
    ensure(answer.body == bytes, format!("{} other bytes: {:?}", answer.body.len(), answer.headers))?;
    Ok(answer)
}

fn is_stale(answer: &Answer) -> bool {
    answer.header("warning").is_some_and(|warning| warning.starts_with("110 "))
        && answer.header("x-artifortress-stale-since").is_some_and(|since| since.starts_with("20"))
}

async fn versions(site: &Site) -> Result<String> {
    site.server.sql("SELECT count(*) FROM versions")
}

/// How often the journal has it.
async fn told(site: &Site, action: &str) -> Result<String> {
    site.server.sql(&format!("SELECT count(*) FROM events WHERE action = '{action}'"))
}

async fn a_change_is_seen_also_through_virtual_repositories() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let (one, two) = (noise(1, 90_000), noise(2, 70_000));
    let shelf = shelf(&site, &upstream, json!({}), &one).await?;
    let all = json!({"repoKey": "all", "format": "raw", "repoType": "virtual", "memberRepos": [shelf.key()]});
    site.admin.post("/v1/repos").json(&all).send().await?.expect(&[201])?;
    let ways = || [shelf.get_file(&site.admin), site.admin.get(&format!("/repository/all{TAR}"))];
    for way in ways().into_iter().chain(ways()) {
        gets(way, &one).await?;
    }
    ensure(upstream.count(TAR) == 1, "what is believed is not asked for")?;
    for way in ways() {
        let answer = gets(way, &one).await?;
        let kept = answer.header("cache-control").unwrap_or_default();
        ensure(kept.contains("no-cache"), format!("caches keep it: {kept}"))?;
    }
    upstream.says(TAR, Say::answer(304, &[("ETag", "\"one\"")], ""));
    set(&site, &shelf, json!({"upstream": {"indexSeconds": 0}})).await?;
    let tag = gets(shelf.get_file(&site.admin), &one).await?.header("etag").unwrap_or_default().to_owned();
    shelf.get_file(&site.admin).header("If-None-Match", tag.clone()).send().await?.expect(&[304])?;
    let part = shelf.get_file(&site.admin).range("bytes=100-199").send().await?.expect(&[206])?;
    ensure(part.body == one[100..200], "a part of it")?;
    let asked = upstream.asked().into_iter().skip(1);
    ensure(asked.clone().count() == 3, "each read asks")?;
    ensure(asked.into_iter().all(|asked| asked.header("if-none-match") == Some("\"one\"")), "with its tag")?;
    ensure(versions(&site).await? == "1", "nothing has changed")?;
    upstream.says(TAR, tagged("two", &two));
    gets(site.admin.get(&format!("/repository/all{TAR}")), &two).await?;
    shelf.get_file(&site.admin).header("If-None-Match", tag).send().await?.expect(&[200])?;
    let list = site.admin.get("/v1/repos/raw-up/packages/versions?package=files/tool.tar.gz").send().await?;
    let names: Vec<Value> =
        list.json()?["items"].as_array().into_iter().flatten().map(|it| it["version"].clone()).collect();
    ensure(names.contains(&json!("1")) && names.contains(&json!("2")), format!("{names:?}"))?;
    ensure(told(&site, "package.version.published").await? == "2", "the journal has both")
}

/// The old file or the new one, never a mix, and the old one where the new one does not come.
async fn a_change_that_breaks_off_is_none() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let (one, two) = (noise(1, 300_000), noise(2, 300_000));
    let shelf = shelf(&site, &upstream, json!({}), &one).await?;
    asked_each_time(&site, &shelf, &one).await?;
    upstream.says(TAR, Say::announces(two.len()).bytes(two[..200_000].to_vec()).resets());
    for answer in join_all((0..20).map(|_| gets(shelf.get_file(&site.admin), &one))).await {
        ensure(is_stale(&answer?), "it does not say that it is old")?;
    }
    ensure(versions(&site).await? == "1", "half a file is a version")?;
    let gate = Gate::new();
    upstream.says(
        TAR,
        Say::announces(two.len()).bytes(two[..200_000].to_vec()).waits(&gate).bytes(two[200_000..].to_vec()),
    );
    let readers = async {
        // What failed is left alone for a moment, and what is there is served meanwhile.
        loop {
            let asked = upstream.count(TAR);
            let answer = shelf.get_file(&site.admin).send().await?.expect(&[200])?;
            ensure(answer.body == one || answer.body == two, "a mix")?;
            if answer.body == two {
                return ensure(upstream.count(TAR) >= asked, "asked");
            }
        }
    };
    let opens = async {
        let enough = upstream.count(TAR);
        while upstream.count(TAR) == enough {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        gate.open();
        Ok(())
    };
    tokio::time::timeout(PATIENCE, try_join(readers, opens)).await??;
    ensure(versions(&site).await? == "2", "one version")
}

/// What is long is not waited for.
async fn a_long_change_is_read_while_it_comes() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let (one, two) = (noise(1, 1000), noise(2, 10 << 20));
    let shelf = shelf(&site, &upstream, json!({}), &one).await?;
    asked_each_time(&site, &shelf, &one).await?;
    let gate = Gate::new();
    let (begin, rest) = two.split_at(5 << 20);
    upstream.says(TAR, Say::announces(two.len()).bytes(begin.to_vec()).waits(&gate).bytes(rest.to_vec()));
    let mut came = 0;
    let read = shelf.get_file(&site.admin).send_each(|piece| {
        came += piece.len();
        if came > 1 << 20 {
            gate.open();
        }
    });
    read.await?.expect(&[200])?;
    ensure(came == two.len(), format!("{came} bytes"))?;
    gets(shelf.get_file(&site.admin), &two).await.map(drop)
}

async fn the_last_one_is_served_while_the_upstream_is_away_or_has_it_no_more() -> Result<()> {
    let (mut site, mut upstream) = (site().await?, Upstream::start().await?);
    let one = noise(1, 3000);
    let shelf = shelf(&site, &upstream, json!({"missingSeconds": 0}), &one).await?;
    asked_each_time(&site, &shelf, &one).await?;
    upstream.says(TAR, Say::status(404));
    ensure(is_stale(&gets(shelf.get_file(&site.admin), &one).await?), "gone there, and old here")?;
    upstream.down().await;
    for _ in 0..2 {
        ensure(is_stale(&gets(shelf.get_file(&site.admin), &one).await?), "it does not say that it is old")?;
        site.server.restart().await?;
        site.admin = site.server.admin()?;
    }
    set(&site, &shelf, json!({"upstream": {"staleHours": 0}})).await?;
    shelf.get_file(&site.admin).send().await?.expect(&[503])?;
    upstream.up().await?;
    until(PATIENCE, || shelf.get_file(&site.admin), 404).await?;
    upstream.says(TAR, tagged("one", &one));
    let back = until(PATIENCE, || shelf.get_file(&site.admin), 200).await?;
    ensure(back.body == one && !is_stale(&back), "it is there again")?;
    set(&site, &shelf, json!({"upstream": {"offline": true}})).await?;
    let asked = upstream.total();
    ensure(!is_stale(&gets(shelf.get_file(&site.admin), &one).await?) && upstream.total() == asked, "nobody is asked")
}

/// What an administrator does about a file that is wrong.
async fn a_poisoned_file_is_withdrawn_and_fetched_again_as_a_new_version() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let (poison, good) = (noise(1, 5000), noise(2, 5000));
    let shelf = Shelf::stocked(&site, &upstream, "raw", json!({"indexSeconds": 0}), &poison).await?;
    gets(shelf.get_file(&site.admin), &poison).await?;
    site.admin.delete(&shelf.our_file()).send().await?.expect(&[200, 204])?;
    upstream.says(TAR, tagged("good", &good));
    shelf.get_file(&site.admin).send().await?.expect(&[410])?;
    ensure(upstream.count(TAR) == 1, "what is withdrawn is not asked for")?;
    upstream.says(TAR, tagged("poison", &poison));
    set(&site, &shelf, json!({"allowOverwrite": true})).await?;
    shelf.get_file(&site.admin).send().await?.expect(&[410])?;
    ensure(upstream.count(TAR) == 2, "the upstream's present bytes are looked at")?;
    upstream.says(TAR, tagged("good", &good));
    // A change of the settings asks at once.
    set(&site, &shelf, json!({"upstream": {"indexSeconds": 1}})).await?;
    gets(shelf.get_file(&site.admin), &good).await?;
    set(&site, &shelf, json!({"allowOverwrite": false})).await?;
    upstream.says(TAR, tagged("poison", &poison));
    gets(shelf.get_file(&site.admin), &good).await?;
    for (action, times) in
        [("package.version.tombstoned", "1"), ("repo.updated", "3"), ("package.version.published", "2")]
    {
        ensure(told(&site, action).await? == times, action)?;
    }
    let digest = super::shelf::hex(&<sha2::Sha256 as sha2::Digest>::digest(&poison));
    site.admin.get(&format!("/v1/repos/raw-up/blobs/sha256:{digest}")).send().await?.expect(&[404, 410]).map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_ask_once_whether_it_has_changed() -> Result<()> {
    let plan = Server::plan(Backing::Scaled).apis(2).variable("ARTIFORTRESS_PRIVATE_UPSTREAMS", "127.0.0.0/8");
    let server = plan.variable("ARTIFORTRESS_RATE_REQUESTS_PER_MINUTE", "0").start().await?;
    let (site, upstream) = (Site { admin: server.admin()?, server }, Upstream::start().await?);
    let people: Vec<Persona> = site.server.addresses().into_iter().map(|at| site.admin.at(at)).collect();
    let (one, two) = (noise(1, 1 << 20), noise(2, 1 << 20));
    let shelf = shelf(&site, &upstream, json!({"indexSeconds": 600}), &one).await?;
    for person in &people {
        gets(shelf.get_file(person), &one).await?;
    }
    upstream.says(TAR, tagged("two", &two));
    set(&site, &shelf, json!({"immutableRefs": []})).await?;
    let readers = (0..100).map(|number| gets(shelf.get_file(&people[number % 2]), &two));
    for read in join_all(readers).await {
        read?;
    }
    ensure(upstream.count(TAR) == 2, format!("{} questions", upstream.count(TAR)))?;
    ensure(versions(&site).await? == "2", "one version")
}

both! {
    a_change_is_seen_also_through_virtual_repositories;
    a_change_that_breaks_off_is_none;
    a_long_change_is_read_while_it_comes;
    the_last_one_is_served_while_the_upstream_is_away_or_has_it_no_more;
    a_poisoned_file_is_withdrawn_and_fetched_again_as_a_new_version;
}

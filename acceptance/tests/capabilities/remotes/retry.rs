//! When to come back: as the upstream wants it, but soon. Who comes earlier than it wants is answered without it.

use acceptance::Result;
use acceptance::http::Answer;
use serde_json::json;

use super::shelf::{remote, site};
use super::upstream::{Say, Upstream};
use crate::site::ensure;

fn wait(answer: &Answer) -> Result<u64> {
    Ok(answer.header("retry-after").unwrap_or_default().parse()?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_to_wait_for_long() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for (number, (status, asked, told)) in
        [(429, "7", 7), (503, "8", 8), (429, "99999", 10), (503, "99999", 10), (503, "soon", 5), (500, "90", 5)]
            .into_iter()
            .enumerate()
    {
        let (key, path) = (format!("up{number}"), format!("/file{number}"));
        remote(&site, &key, "raw", &upstream.url(), json!({})).await?;
        upstream.says(&path, Say::answer(status, &[("Retry-After", asked)], ""));
        let read = |path: &str| site.admin.get(&format!("/repository/{key}{path}"));
        let first = wait(&read(&path).send().await?.expect(&[503])?)?;
        let said = format!("{status} with {asked}: {first}");
        ensure(first <= told && first + 5 > told && first > 0, said)?;
        // What failed just now is not asked again: what is left of the time counts.
        let again = wait(&read(&path).send().await?.expect(&[503])?)?;
        ensure(again <= told && again > 0, format!("{status} with {asked}, again: {again}"))?;
        if status == 429 {
            // The whole upstream is left alone.
            let other = wait(&read("/other").send().await?.expect(&[503])?)?;
            ensure(other <= told && other > 0, format!("{status} with {asked}, elsewhere: {other}"))?;
            ensure(upstream.count("/other") == 0, "it is left alone")?;
        }
    }
    Ok(())
}

//! Many publishers of one path: exactly one wins, and what is served is the winner's.

use acceptance::{Result, environment};
use serde_json::json;

use crate::shape::ask;
use crate::site::{Site, ensure};

const PUBLISHERS: usize = 64;

#[tokio::test]
async fn of_64_publishers_of_one_path_one_wins() -> Result<()> {
    one_wins(&Site::embedded().await?).await
}

#[tokio::test]
async fn of_64_publishers_of_one_path_one_wins_scaled_out() -> Result<()> {
    one_wins(&Site::scaled().await?).await
}

async fn one_wins(site: &Site) -> Result<()> {
    site.repository("files", json!({})).await?;
    for round in 0..environment::rounds(5)?.min(100) {
        let path = format!("/repository/files/{round}");
        let content = |number: usize| format!("{number:03}").repeat(if number.is_multiple_of(2) { 1 } else { 40_000 });
        let tasks: Vec<_> =
            (0..PUBLISHERS).map(|number| tokio::spawn(ask(site.admin.put(&path).body(content(number))))).collect();
        let mut winners = Vec::new();
        for (number, task) in tasks.into_iter().enumerate() {
            match task.await??.status {
                201 => winners.push(number),
                409 => (),
                other => ensure(false, format!("round {round}, publisher {number}: {other}"))?,
            }
        }
        ensure(winners.len() == 1, format!("round {round}: {winners:?} won"))?;
        ensure(ask(site.admin.get(&path)).await?.text() == content(winners[0]), "another one's bytes are served")?;
    }
    Ok(())
}

//! Query parameters, limits and cursors.

use std::collections::BTreeSet;

use acceptance::Result;
use serde_json::json;

use crate::shape::{ask, refused};
use crate::site::{Site, ensure};

#[tokio::test]
async fn parameters_that_are_wrong_are_refused_by_every_list() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({})).await?;
    let document = site.admin.get("/v1/openapi.json").send().await?.json()?;
    let mut lists = vec!["/repository/libs/".to_string()];
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        let parameters = methods["get"]["parameters"].as_array().cloned().unwrap_or_default();
        let takes = |name: &str| parameters.iter().any(|one| one["name"] == name);
        if takes("cursor") && !takes("package") && !path.replace("{repo}", "").contains('{') {
            lists.push(path.replace("{repo}", "libs"));
        }
    }
    ensure(lists.len() >= 5, format!("only {lists:?}"))?;
    let long = "x".repeat(4000);
    let many = "a=1&".repeat(101);
    let bad = [
        "limit=9223372036854775808",
        "limit=18446744073709551616",
        "limit=4294967296",
        "limit=0",
        "limit=-1",
        "limit=201",
        "limit=abc",
        "limit=1.5",
        "limit=1e1",
        "limit=0x10",
        "limit=",
        "limit=%31%30%30%30",
        "limit=5&limit=5",
        "limit=5&%6cimit=5",
        "limit=+5",
        "limit=5%00",
        "cursor=",
        "cursor=***",
        "cursor=%ff",
        "cursor=%00",
        "cursor=a",
        "cursor=_w",
        "cursor=AA==",
        "cursor=Lw&cursor=Lw",
        &format!("cursor={long}*"),
        "limt=5",
        "unknown=1",
        "unknown",
        "=1",
        "limit[]=5",
        "Limit=5",
        "CURSOR=a",
        "%ff=1",
        &many,
    ];
    for list in &lists {
        ask(site.admin.get(&format!("{list}?limit=200"))).await?.expect(&[200])?;
        ask(site.admin.get(&format!("{list}?limit=1&"))).await?.expect(&[200])?;
        for query in bad {
            let answer = ask(site.admin.get(&format!("{list}?{query}"))).await?;
            // An empty cursor may begin at the beginning.
            let well = answer.status == 400 || query == "cursor=" && answer.status == 200;
            ensure(well, format!("{list}?{}: {} {}", query.get(..60).unwrap_or(query), answer.status, answer.text()))?;
        }
    }
    println!("{} lists, {} cases", lists.len(), lists.len() * bad.len());
    Ok(())
}

/// Pages neither repeat nor leave out what was there all the time, whatever is written meanwhile.
#[tokio::test]
async fn pages_are_stable_under_writes() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({})).await?;
    let path = |number: usize| format!("/repository/libs/{number:02}");
    for number in (0..40).step_by(2) {
        ask(site.admin.put(&path(number)).body("x")).await?.expect(&[201])?;
    }
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let from = if cursor.is_empty() { String::new() } else { format!("&cursor={cursor}") };
        let page = ask(site.admin.get(&format!("/repository/libs/?limit=3{from}"))).await?.expect(&[200])?.json()?;
        seen.extend(
            page["items"].as_array().into_iter().flatten().filter_map(|item| item["name"].as_str().map(str::to_string)),
        );
        ask(site.admin.put(&path(pages * 2 + 1)).body("x")).await?.expect(&[201])?;
        pages += 1;
        match page["nextCursor"].as_str() {
            Some(next) => cursor = next.to_string(),
            None => break,
        }
    }
    let distinct: BTreeSet<_> = seen.iter().cloned().collect();
    ensure(distinct.len() == seen.len() && seen.is_sorted(), format!("in order, none twice: {seen:?}"))?;
    ensure((0..40).step_by(2).all(|number| distinct.contains(&format!("{number:02}"))), format!("all: {seen:?}"))
}

/// Short lists have pages, too.
#[tokio::test]
async fn bindings_come_in_pages() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({})).await?;
    for (list, role) in [("/v1/repos/libs/bindings", "read"), ("/v1/admin/tenant-role-bindings", "auditor")] {
        for name in ["dora", "anna", "carl", "bert", "emil"] {
            let body = json!({"roles": [role]});
            ask(site.admin.put(&format!("{list}/{name}")).json(&body)).await?.expect(&[200])?;
        }
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = ask(site.admin.get(&format!("{list}?limit=2{cursor}"))).await?.expect(&[200])?.json()?;
            let items = page["items"].as_array().cloned().unwrap_or_default();
            ensure(items.len() <= 2, format!("{page}"))?;
            seen.extend(items.iter().filter_map(|item| item["subject"].as_str().map(str::to_string)));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        // The first admin is bound to the tenant already.
        seen.retain(|subject| subject != "admin");
        ensure(seen == ["anna", "bert", "carl", "dora", "emil"], format!("{list}: {seen:?}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn the_address_has_a_longest() -> Result<()> {
    let site = Site::embedded().await?;
    refused(site.admin.get(&format!("/v1/repos?cursor={}", "a".repeat(9000))), 414).await?;
    refused(site.admin.get(&format!("/repository/{}", "a/".repeat(5000))), 414).await?;
    refused(site.admin.get("/v1/repos").header("X-Large", "a".repeat(40_000)), 431).await?;
    let many =
        (0..150).fold(site.admin.get("/v1/repos"), |request, number| request.header(&format!("X-{number}"), "a"));
    refused(many, 431).await?;
    ask(site.admin.get("/v1/repos")).await?.expect(&[200])?;
    Ok(())
}

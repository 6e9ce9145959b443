//! Lists and pages of what comes from elsewhere: nothing that a read would refuse, with the times that are true.

use acceptance::http::Answer;
use acceptance::{Result, Trouble};
use serde_json::{Value, json};

use super::shelf::{Shelf, noise, of, remote, site};
use super::upstream::{Say, Upstream};
use crate::browsing::push;
use crate::engines::both;
use crate::site::{Site, ensure};
use crate::virtuals::{hosted, publishes_version, put_together};

/// When the upstream says that it was published, as a page shows it.
const TOLD: &str = "<span>2024-05-06</span> <span>07:08:09 UTC</span>";

/// What a browser is shown.
async fn page(site: &Site, path: &str) -> Result<Answer> {
    site.admin.get(path).header("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8").send().await
}

async fn shown(site: &Site, path: &str) -> Result<String> {
    Ok(of(path, page(site, path).await?.expect(&[200]))?.text())
}

/// A field of all items of a list, in pages of one.
async fn all(site: &Site, path: &str, field: &str) -> Result<Vec<String>> {
    let (mut seen, mut cursor, ampersand) = (Vec::new(), String::new(), if path.contains('?') { "&" } else { "?" });
    loop {
        let answer = site.admin.get(&format!("{path}{ampersand}limit=1{cursor}")).send().await?;
        let told = of(path, answer.expect(&[200]))?.json()?;
        let items = told["items"].as_array().into_iter().flatten();
        seen.extend(items.map(|one| one[field].as_str().unwrap_or_default().to_owned()));
        match told["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(seen),
        }
    }
}

async fn pages_tell_when_it_was_published() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let shelf = Shelf::stocked(&site, &upstream, "npm", json!({}), &noise(1, 3000)).await?;
    put_together(&site, "npm-all", "npm", &["npm-up"], json!({})).await?;
    shelf.get_file(&site.admin).send().await?.expect(&[200])?;
    for key in ["npm-up", "npm-all"] {
        for query in ["", "?package=ntool", "?package=ntool&limit=1"] {
            let told = shown(&site, &format!("/repository/{key}/{query}")).await?;
            let dated = told.contains(TOLD) && !told.contains("fetched");
            ensure(dated && told.contains("1.0.0"), format!("{key}{query}: {told}"))?;
            let sized = told.contains("2.9 KiB") && told.contains("Size here");
            ensure(query.is_empty() || sized, format!("{key}{query}: what is here of it: {told}"))?;
        }
    }
    remote(&site, "files", "raw", &upstream.url(), json!({})).await?;
    put_together(&site, "files-all", "raw", &["files"], json!({})).await?;
    let date = [("Last-Modified", "Mon, 06 May 2024 07:08:09 GMT")];
    upstream.says("/old/dated", Say::answer(200, &date, "old"));
    upstream.says("/new/timeless", Say::file("timeless"));
    for (path, dated) in [("old/dated", true), ("new/timeless", false)] {
        site.admin.get(&format!("/repository/files/{path}")).send().await?.expect(&[200])?;
        let (folder, _) = path.split_once('/').unwrap_or_default();
        for key in ["files", "files-all"] {
            let told = shown(&site, &format!("/repository/{key}/{folder}/")).await?;
            ensure(told.contains(TOLD) == dated, format!("{key}/{path}: {told}"))?;
            ensure(told.contains("fetched") != dated, format!("{key}/{path} says what is not known: {told}"))?;
        }
    }
    Ok(())
}

/// Two versions of an upstream, one of which is blocked; then the name.
async fn what_rules_keep_out_is_in_no_list_and_on_no_page() -> Result<()> {
    let site = site().await?;
    hosted(&site, "own", "npm").await?;
    for version in ["0.1.0", "0.2.0"] {
        let published = publishes_version(&site.admin, "npm", "own", "demo", version)?.send().await?;
        of("npm", published.expect(&[200, 201]))?;
    }
    site.admin.patch("/v1/repos/own").json(&json!({"anonymousRead": true})).send().await?.expect(&[200])?;
    let url = format!("http://{}/repository/own/", site.server.address()?);
    remote(&site, "up", "npm", &url, json!({})).await?;
    put_together(&site, "all", "npm", &["up"], json!({})).await?;
    for version in ["0.1.0", "0.2.0"] {
        site.admin.get(&format!("/repository/up/demo/-/demo-{version}.tgz")).send().await?.expect(&[200])?;
    }
    let rules = [
        (json!([{"kind": "block", "pattern": "demo", "versions": "=0.2.0"}]), vec!["0.1.0"]),
        (json!([{"kind": "block", "pattern": "demo"}]), vec![]),
        (json!([{"kind": "claim", "pattern": "demo"}]), vec![]),
        (json!([{"kind": "minimumAge", "hours": 72}]), vec![]),
        (json!([{"kind": "block", "pattern": "other"}]), vec!["0.2.0", "0.1.0"]),
        (json!([]), vec!["0.2.0", "0.1.0"]),
    ];
    for (rules, versions) in rules {
        site.rules("up", rules.clone()).await?;
        let newest: Vec<_> = versions.iter().take(1).copied().collect();
        for key in ["up", "all"] {
            let found = expect_listed(&site, key, &newest, &versions).await;
            found.map_err(|trouble| Trouble::new(format!("{key} under {rules}: {trouble:?}")))?;
        }
        let everywhere: Vec<_> = newest.iter().map(|_| "up").collect();
        let found = all(&site, "/v1/search?q=demo&format=npm", "repoKey").await?;
        let found: Vec<_> = found.iter().filter(|key| *key != "own").collect();
        ensure(found == everywhere, format!("a search under {rules}: {found:?}"))?;
    }
    // What another repository claims is listed nowhere else.
    site.rules("own", json!([{"kind": "claim", "pattern": "demo"}])).await?;
    for key in ["up", "all"] {
        expect_listed(&site, key, &[], &[]).await?;
    }
    let found = all(&site, "/v1/search?q=demo&format=npm", "repoKey").await?;
    ensure(found == ["own"], format!("a search for what is claimed: {found:?}"))?;
    site.rules("own", json!([])).await?;
    // Whoever withdraws it finds it all the same.
    site.rules("up", json!([{"kind": "block", "pattern": "demo"}])).await?;
    let exact = "/v1/repos/up/packages/versions/resolve?name=demo&version=0.2.0";
    let id = site.admin.get(exact).send().await?.expect(&[200])?.string("/versionId")?;
    let tombstone = site.admin.post(&format!("/v1/repos/up/packages/versions/{id}/tombstone"));
    tombstone.json(&json!({"reason": "bad"})).send().await?.expect(&[200])?;
    let left = all(&site, "/v1/repos/up/packages/versions?package=demo", "state").await?;
    ensure(left == ["tombstoned"], format!("what is withdrawn says so: {left:?}"))
}

async fn expect_listed(site: &Site, key: &str, newest: &[&str], versions: &[&str]) -> Result<()> {
    for path in ["packages", "search/packages?q=de"] {
        let listed = all(site, &format!("/v1/repos/{key}/{path}"), "latestVersion").await?;
        ensure(listed == newest, format!("{path}: {listed:?}"))?;
    }
    let found = all(site, &format!("/v1/search?q=demo&repo={key}"), "latestVersion").await?;
    ensure(found == newest, format!("search: {found:?}"))?;
    let (status, beneath) = if versions.is_empty() { (404, Vec::new()) } else { (200, versions.to_vec()) };
    let path = format!("/v1/repos/{key}/packages/versions?package=demo");
    if status == 200 {
        let listed = all(site, &path, "version").await?;
        ensure(listed == beneath, format!("versions: {listed:?}"))?;
    } else {
        site.admin.get(&path).send().await?.expect(&[status])?;
    }
    let shelf = shown(site, &format!("/repository/{key}/")).await?;
    let package = page(site, &format!("/repository/{key}/?package=demo")).await?.expect(&[status])?.text();
    for version in ["0.1.0", "0.2.0"] {
        ensure(shelf.contains(version) == newest.contains(&version), format!("the page: {shelf}"))?;
        ensure(package.contains(version) == versions.contains(&version), format!("the page of it: {package}"))?;
    }
    ensure(shelf.contains("demo") != versions.is_empty(), format!("the page: {shelf}"))
}

async fn images_are_shown_with_their_tags() -> Result<()> {
    let site = site().await?;
    let open = json!({"repoKey": "oci", "format": "oci", "anonymousRead": true});
    site.admin.post("/v1/repos").json(&open).send().await?.expect(&[201])?;
    let digest = push(&site, "team/app").await?;
    remote(&site, "up", "oci", &format!("http://{}/v2/oci/", site.server.address()?), json!({})).await?;
    put_together(&site, "all", "oci", &["up"], json!({})).await?;
    site.admin.get("/v2/up/team/app/manifests/v1").send().await?.expect(&[200])?;
    for key in ["oci", "up", "all"] {
        let told = shown(&site, &format!("/repository/{key}/")).await?;
        let tagged = told.contains(&format!("<td>v1 <span class=\"about\"><code title=\"{digest}\">"));
        ensure(tagged && told.contains("href=\"?package=team%2Fapp\""), format!("{key}: {told}"))?;
        let told = shown(&site, &format!("/repository/{key}/?package=team%2Fapp")).await?;
        let row = format!("<td><code>{digest}</code></td><td>v1</td>");
        ensure(told.contains(&row), format!("{key}: {told}"))?;
        let path = format!("/v1/repos/{key}/packages/versions?package=team%2Fapp");
        let told: Value = site.admin.get(&path).send().await?.expect(&[200])?.json()?;
        ensure(told["items"][0]["refNames"] == json!(["v1"]), format!("{key}: {told}"))?;
    }
    site.rules("up", json!([{"kind": "block", "pattern": "team/app"}])).await?;
    for key in ["up", "all"] {
        let told = shown(&site, &format!("/repository/{key}/")).await?;
        ensure(!told.contains("team/app"), format!("{key}: {told}"))?;
        page(&site, &format!("/repository/{key}/?package=team%2Fapp")).await?.expect(&[404])?;
    }
    Ok(())
}

both! {
    pages_tell_when_it_was_published;
    what_rules_keep_out_is_in_no_list_and_on_no_page;
    images_are_shown_with_their_tags;
}

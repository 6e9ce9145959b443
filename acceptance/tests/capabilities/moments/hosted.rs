//! What is published here, as it was.

use acceptance::Result;
use acceptance::server::Backing;
use bytes::Bytes;
use serde_json::Value;

use super::{FOR_GOOD, ask};
use crate::remotes::shelf::of;
use crate::site::{Site, ensure};
use crate::wares::{FORMATS, Ware};

/// A packument tells the generation of its package, which is one of now.
fn comparable(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(mut object)) => {
            object.remove("_rev");
            Value::Object(object).to_string()
        }
        _ => text.to_owned(),
    }
}

async fn site(backing: Backing) -> Result<Site> {
    match backing {
        Backing::Embedded => Site::embedded().await,
        Backing::Scaled => Site::scaled().await,
    }
}

/// What is read now, in the words of the moment that it will have been.
async fn recorded(site: &Site, ware: Ware, then: &str) -> Result<Vec<(String, &'static str, String)>> {
    let mut recorded = Vec::new();
    for ((now, accept), (past, _)) in ware.indexes("").into_iter().zip(ware.indexes(then)) {
        let text = ask(site.admin.get(&now).header("Accept", accept)).await?.expect(&[200])?.text();
        let text = text.replace(&format!("/repository/{}/", ware.0), &format!("/repository/{}{then}/", ware.0));
        recorded.push((past, accept, comparable(&text)));
    }
    Ok(recorded)
}

async fn changes_everything(site: &Site, ware: Ware) -> Result<()> {
    let (first, second) = (ware.id(&site.admin, "0.1.0").await?, ware.id(&site.admin, "0.2.0").await?);
    ware.publish(&site.admin, "0.3.0").await?;
    ware.act(&site.admin, &first, "yank").await?;
    ware.act(&site.admin, &first, "deprecate").await?;
    ware.extend(&site.admin, "0.1.0").await?;
    ware.act(&site.admin, &second, "tombstone").await
}

async fn a_repository_is_read_as_it_was(backing: Backing) -> Result<()> {
    let site = site(backing).await?;
    let files = [("0.1.0", 200, 200), ("0.2.0", 200, 410), ("0.3.0", 404, 200)];
    for ware in FORMATS.map(Ware) {
        ware.shelf(&site).await?;
        for version in ["0.1.0", "0.2.0"] {
            of(ware.0, ware.publish(&site.admin, version).await)?;
        }
    }
    let then = format!("@{}", site.server.moment("first").await?);
    let mut before = Vec::new();
    for ware in FORMATS.map(Ware) {
        let bytes = ask(site.admin.get(&ware.file("", "0.1.0"))).await?.expect(&[200])?.body;
        before.push((ware, bytes, of(ware.0, recorded(&site, ware, &then).await)?));
    }
    let mut withdrawn = Vec::new();
    for ware in FORMATS.map(Ware) {
        withdrawn.push(ware.id(&site.admin, "0.2.0").await?);
        of(ware.0, changes_everything(&site, ware).await)?;
    }
    for (ware, bytes, documents) in before {
        for (path, accept, text) in documents {
            let said = of(&path, ask(site.admin.get(&path).header("Accept", accept)).await?.expect(&[200]))?;
            ensure(comparable(&said.text()) == text, format!("{path}:\n{}\nand not\n{text}", said.text()))?;
            ensure(said.header("cache-control") == Some(FOR_GOOD), format!("{path}: {:?}", said.headers))?;
            let here = path.replace(&then, "");
            let names = here.ends_with("/simple/") || here.ends_with("raw/?format=json");
            let now = ask(site.admin.get(&here).header("Accept", accept)).await?.text();
            ensure(names || comparable(&now) != text, format!("{path} would tell of now: {now}"))?;
        }
        for (version, past, present) in files {
            of(ware.0, ask(site.admin.get(&ware.file("", version))).await?.expect(&[present]))?;
            let found = of(ware.0, ask(site.admin.get(&ware.file(&then, version))).await?.expect(&[past]))?;
            let lasting = found.header("cache-control") == Some(FOR_GOOD);
            ensure(lasting == (past == 200), format!("{} {version}: {:?}", ware.0, found.headers))?;
            ensure(version != "0.1.0" || found.body == bytes, format!("{}: other bytes than then", ware.0))?;
        }
    }
    // A withdrawal of then is one for ever, whatever was restored since.
    let then = format!("@{}", site.server.moment("second").await?);
    for (ware, id) in FORMATS.map(Ware).into_iter().zip(withdrawn) {
        ware.act(&site.admin, &id, "restore").await?;
        ask(site.admin.get(&ware.file("", "0.2.0"))).await?.expect(&[200])?;
        let gone = ask(site.admin.get(&ware.file(&then, "0.2.0"))).await?.expect(&[410])?;
        ensure(gone.header("cache-control") != Some(FOR_GOOD), format!("{}: {:?}", ware.0, gone.headers))?;
        let (index, accept) = ware.indexes(&then).swap_remove(0);
        let told = ask(site.admin.get(&index).header("Accept", accept)).await?.expect(&[200])?.text();
        ensure(told.contains("0.3.0") && !told.contains("0.2.0"), format!("{index}: {told}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn embedded_a_repository_is_read_as_it_was() -> Result<()> {
    a_repository_is_read_as_it_was(Backing::Embedded).await
}

#[tokio::test]
async fn scaled_a_repository_is_read_as_it_was() -> Result<()> {
    a_repository_is_read_as_it_was(Backing::Scaled).await
}

#[tokio::test]
async fn only_settled_moments_can_be_read_and_nothing_else_is_possible() -> Result<()> {
    let site = Site::embedded().await?;
    let then = site.server.moment("files").await?;
    let colons = then.replace(':', "%3A");
    for written in [format!("@{then}"), format!("%40{colons}"), format!("@{colons}")] {
        let path = format!("/repository/files{written}/now");
        let found = ask(site.admin.get(&path)).await?.expect(&[200])?;
        ensure(
            found.text() == "now" && found.header("cache-control") == Some(FOR_GOOD),
            format!("{:?}", found.headers),
        )?;
        ask(site.admin.head(&path)).await?.expect(&[200])?;
        let there = ask(site.admin.get(&path.replace("/now", ""))).await?.expect(&[308])?;
        let wanted = format!("./files{}/", written.replace("%40", "@"));
        ensure(there.header("location") == Some(wanted.as_str()), format!("{:?}", there.headers))?;
    }
    for day in ["2020-01-01", "2020-01-01T00:00:00%2B02:00"] {
        let nothing = ask(site.admin.get(&format!("/repository/files@{day}/now"))).await?.expect(&[404])?;
        ensure(nothing.text().contains("nothing was published of the file now in files at "), nothing.text())?;
    }
    let young = ask(site.admin.get("/")).await?.expect(&[200])?.string("/timestampUtc")?;
    for (refused, why) in [
        (young.as_str(), "at least 60 seconds ago"),
        ("2999-01-01", "at least 60 seconds ago"),
        ("yesterday", "a date or a time as in RFC 3339"),
        ("", "a date or a time as in RFC 3339"),
        ("2026-02-30", "a date or a time as in RFC 3339"),
    ] {
        for path in ["/now", "/", ""] {
            let said = ask(site.admin.get(&format!("/repository/files@{refused}{path}"))).await?.expect(&[400])?;
            ensure(said.text().contains(why), format!("{refused}: {}", said.text()))?;
        }
    }
    let at = |rest: &str| format!("/repository/files@{then}/{rest}");
    for request in [
        site.admin.put(&at("new")).body(Bytes::from_static(b"new")),
        site.admin.delete(&at("now")),
        site.admin.post(&at("now")).body("x"),
        site.admin.request("PATCH", &at("now")),
    ] {
        let said = ask(request).await?.expect(&[405])?;
        let told = said.text().contains("can only be read") && said.header("allow") == Some("GET, HEAD");
        ensure(told, format!("{} {:?}", said.text(), said.headers))?;
    }
    ask(site.admin.get("/repository/files/new")).await?.expect(&[404])?;
    // Whoever may not read the repository learns nothing of it, whatever the moment.
    let nobody = site.server.http()?;
    for moment in [then.as_str(), "yesterday", "2999-01-01"] {
        ask(nobody.get(&format!("/repository/files@{moment}/now"))).await?.expect(&[401])?;
        let other = site.person(&format!("other-{}", moment.len()), &["repo:other:read"]).await?;
        let hidden = ask(other.get(&format!("/repository/files@{moment}/now"))).await?.expect(&[404])?.text();
        let none = ask(other.get(&format!("/repository/nothing@{moment}/now"))).await?.expect(&[404])?.text();
        let plain = |text: &str| text.replace("nothing", "files").split("\"correlationId\"").next().map(str::to_owned);
        ensure(plain(&hidden) == plain(&none), format!("{hidden} and {none}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn clients_change_nothing_through_a_moment() -> Result<()> {
    let site = Site::embedded().await?;
    for ware in FORMATS.map(Ware) {
        ware.shelf(&site).await?;
        ware.publish(&site.admin, "0.1.0").await?;
    }
    let then = site.server.moment("clock").await?;
    let login = serde_json::json!({"name": "admin", "password": "secret"});
    for request in [
        site.admin.put(&format!("/repository/npm@{then}/-/user/org.couchdb.user:admin")).json(&login),
        site.admin.post(&format!("/repository/npm@{then}/-/v1/login")).json(&login),
        site.admin.put(&format!("/repository/npm@{then}/-/package/tool/dist-tags/x")).json(&"0.1.0".into()),
        site.admin.get(&format!("/repository/npm@{then}/-/npm/v1/tokens")),
        site.admin.delete(&format!("/repository/cargo@{then}/api/v1/crates/tool/0.1.0/yank")),
        site.admin.put(&format!("/repository/cargo@{then}/api/v1/crates/new")).body("x"),
        site.admin.get(&format!("/repository/cargo@{then}/api/v1/crates/tool/owners")),
        site.admin.post(&format!("/repository/pypi@{then}/")).body("x"),
    ] {
        let path = format!("{request:?}");
        let said = ask(request).await?;
        ensure(said.status == 405, format!("{path}: {} {}", said.status, said.text()))?;
    }
    Ok(())
}

//! Lists of virtual repositories: nothing that a direct read would refuse, or give from somebody else.

use acceptance::Result;
use acceptance::http::Answer;
use acceptance::server::Persona;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::remotes::shelf::{Shelf, noise, of, site};
use crate::remotes::upstream::Upstream;
use crate::site::{Site, ensure};
use crate::virtuals::{hosted, publishes, publishes_version, put_together};

/// The formats whose clients ask for lists of packages.
const LISTED: [&str; 3] = ["npm", "pypi", "cargo"];

/// Where a format's clients ask for all packages whose names begin with `prefix`.
fn list(format: &str, key: &str, prefix: &str) -> String {
    match format {
        "npm" => format!("/repository/{key}/-/v1/search?text={prefix}"),
        "cargo" => format!("/repository/{key}/api/v1/crates?q={prefix}"),
        _ => format!("/repository/{key}/simple/"),
    }
}

async fn read(by: &Persona, path: &str) -> Result<Answer> {
    by.get(path).header("Accept", "application/vnd.pypi.simple.v1+json, */*;q=0.1").send().await
}

async fn listed(by: &Persona, format: &str, key: &str, prefix: &str) -> Result<String> {
    let told = of(format, read(by, &list(format, key, prefix)).await?.expect(&[200]))?;
    Ok(told.text())
}

/// The names in a list of the control plane, with the repository or the version beside each.
fn items(answer: &Answer, fields: [&str; 2]) -> Result<Vec<(String, String)>> {
    let told = answer.json()?;
    let text = |item: &Value, field: &str| item[field].as_str().unwrap_or_default().to_owned();
    let items = told["items"].as_array().cloned().unwrap_or_default();
    Ok(items.iter().map(|item| (text(item, fields[0]), text(item, fields[1]))).collect())
}

async fn index_status(by: &Persona, format: &str, key: &str, name: &str) -> Result<u16> {
    let path = match format {
        "npm" => format!("/repository/{key}/{name}"),
        "cargo" => format!("/repository/{key}/{}/{}/{name}", &name[..2], &name[2..4]),
        _ => format!("/repository/{key}/simple/{name}/"),
    };
    Ok(read(by, &path).await?.status)
}

async fn rules(site: &Site, key: &str, rules: Value) -> Result<()> {
    let request = site.admin.put(&format!("/v1/repos/{key}/rules")).json(&json!({"rules": rules}));
    request.send().await?.expect(&[200])?;
    Ok(())
}

/// Two local members; the caller reads the second alone, and both have `twinned`: to him it is the second's.
#[tokio::test]
async fn names_of_members_that_may_not_be_read_are_in_no_list() -> Result<()> {
    let site = Site::embedded().await?;
    for format in LISTED {
        let (first, second) = (format!("{format}-first"), format!("{format}-second"));
        hosted(&site, &first, format).await?;
        hosted(&site, &second, format).await?;
        for (key, name) in [(&first, "secret"), (&second, "public"), (&second, "twinned"), (&first, "twinned")] {
            let version = if *key == first { "0.1.0" } else { "0.2.0" };
            let published = publishes_version(&site.admin, format, key, name, version)?.send().await?;
            of(format, published.expect(&[200, 201]))?;
        }
        for merging in ["owner", "union"] {
            let all = format!("{format}-{merging}");
            put_together(&site, &all, format, &[&first, &second], json!({"merging": merging})).await?;
            let scopes = [format!("repo:{all}:read"), format!("repo:{second}:read")];
            let reader = site.person(&format!("{all}-reader"), &[&scopes[0], &scopes[1]]).await?;
            for (name, shown) in [("secret", false), ("public", true), ("twinned", true)] {
                let status = index_status(&reader, format, &all, name).await?;
                ensure((status == 200) == shown, format!("{all}: {name} answers {status}"))?;
                let told = listed(&reader, format, &all, name).await?;
                ensure(told.contains(name) == shown, format!("{all}: {name} is shown wrongly: {told}"))?;
                let told = listed(&site.admin, format, &all, name).await?;
                ensure(told.contains(name), format!("{all}: {name} is not shown to who reads all: {told}"))?;
                if format != "pypi" && name == "twinned" {
                    let mine = listed(&reader, format, &all, name).await?;
                    ensure(mine.contains("0.2.0") && !mine.contains("0.1.0"), format!("{all}: the second's: {mine}"))?;
                    ensure(told.contains("0.1.0") && !told.contains("0.2.0"), format!("{all}: the first's: {told}"))?;
                }
            }
            let mine = read(&reader, &format!("/v1/repos/{all}/packages")).await?.expect(&[200])?;
            let mine: Vec<String> = items(&mine, ["packageName", ""])?.into_iter().map(|(name, _)| name).collect();
            ensure(mine == ["public", "twinned"], format!("{all}: {mine:?}"))?;
            let versions = format!("/v1/repos/{all}/packages/versions?package=twinned");
            read(&reader, &versions).await?.expect(&[200])?;
            let resolve = format!("/v1/repos/{all}/packages/versions/resolve?name=twinned&version=0.2.0");
            read(&reader, &resolve).await?.expect(&[200])?;
            read(&site.admin, &resolve).await?.expect(&[if merging == "union" { 200 } else { 404 }])?;
        }
    }
    Ok(())
}

/// What is here of an upstream is no member's of whom the caller knows nothing, and is not shown where a rule keeps it out.
#[tokio::test]
async fn what_is_kept_of_an_upstream_is_listed_as_it_is_read() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for format in LISTED {
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &noise(1, 3000)).await?;
        let (own, all, up) = (format!("{format}-own"), format!("{format}-all"), shelf.key().to_owned());
        let name = shelf.index().trim_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        hosted(&site, &own, format).await?;
        put_together(&site, &all, format, &[&up, &own], json!({})).await?;
        let scopes = [format!("repo:{all}:read"), format!("repo:{up}:read")];
        let reader = site.person(&format!("{format}-reader"), &[&scopes[0], &scopes[1]]).await?;
        of(format, shelf.get_file(&reader).send().await?.expect(&[200]))?;
        for key in [&up, &all] {
            let told = listed(&reader, format, key, &name).await?;
            ensure(told.contains(&name), format!("{key}: {told}"))?;
            if format == "npm" {
                let dated = told.contains(r#""date":"2024-05-06T07:08:09.000Z""#);
                ensure(dated, format!("{key}: the time of the upstream: {told}"))?;
            }
        }
        let range = if format == "pypi" { "==1.0.0" } else { "=1.0.0" };
        let block = |pattern: &str| json!([{"kind": "block", "pattern": pattern, "versions": range}]);
        for (rule, shown) in
            [(block(&name), false), (json!([{"kind": "minimumAge", "hours": 87600}]), false), (block("other"), true)]
        {
            rules(&site, &up, rule.clone()).await?;
            for key in [&up, &all] {
                let told = listed(&reader, format, key, &name).await?;
                ensure(told.contains(&name) == shown, format!("{key} under {rule}: {told}"))?;
            }
            let packages = read(&reader, &format!("/v1/repos/{all}/packages")).await?.expect(&[200])?;
            ensure(items(&packages, ["packageName", ""])?.is_empty() != shown, format!("{rule}: {}", packages.text()))?;
            let versions = format!("/v1/repos/{all}/packages/versions?package={name}");
            read(&reader, &versions).await?.expect(&[if shown { 200 } else { 404 }])?;
        }
        rules(&site, &up, json!([])).await?;
        rules(&site, &all, json!([{"kind": "claim", "pattern": name}])).await?;
        ensure(!listed(&reader, format, &all, &name).await?.contains(&name), format!("{format}: the name is claimed"))?;
        rules(&site, &all, json!([])).await?;
        of(format, publishes(&site.admin, format, &own, &name)?.send().await?.expect(&[200, 201]))?;
        let told = listed(&reader, format, &all, &name).await?;
        ensure(!told.contains(&name), format!("{format}: the name is somebody else's: {told}"))?;
        ensure(
            listed(&site.admin, format, &all, &name).await?.contains(&name),
            format!("{format}: and is shown to him"),
        )?;
    }
    Ok(())
}

/// Maven and raw: folders have the files of several members.
#[tokio::test]
async fn folders_have_what_can_be_read() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for (format, folder) in [("maven", "org/example/mtool/1.0.0"), ("raw", "files")] {
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &noise(2, 3000)).await?;
        let (own, all, up) = (format!("{format}-own"), format!("{format}-all"), shelf.key().to_owned());
        hosted(&site, &own, format).await?;
        put_together(&site, &all, format, &[&up, &own], json!({})).await?;
        let scopes = [format!("repo:{all}:read"), format!("repo:{up}:read")];
        let reader = site.person(&format!("{format}-reader"), &[&scopes[0], &scopes[1]]).await?;
        of(format, shelf.get_file(&reader).send().await?.expect(&[200]))?;
        let there = async |by: &Persona, key: &str| -> Result<(u16, usize)> {
            let told = read(by, &format!("/repository/{key}/{folder}/?format=json")).await?;
            let root = read(by, &format!("/repository/{key}/?format=json")).await?.expect(&[200])?;
            Ok((told.status, items(&root, ["name", ""])?.len()))
        };
        for key in [&up, &all] {
            ensure(there(&reader, key).await? == (200, 1), format!("{key}: {:?}", there(&reader, key).await?))?;
        }
        for (rule, shown) in [("block", (404, 0)), ("allow", (200, 1))] {
            rules(&site, &up, json!([{"kind": rule, "pattern": "*"}])).await?;
            for key in [&up, &all] {
                ensure(there(&reader, key).await? == shown, format!("{rule} {key}: {:?}", there(&reader, key).await?))?;
            }
        }
        rules(&site, &up, json!([])).await?;
        let path = shelf.our_file().replace(&up, &own);
        let put = site.admin.put(&path).body(Bytes::from_static(b"ours"));
        of(format, put.send().await?.expect(&[200, 201]))?;
        shelf.at(&all).get_file(&reader).send().await?.expect(&[404])?;
        let seen = there(&reader, &all).await?;
        ensure(seen == (404, 0), format!("{format}: a file of somebody else's name is shown: {seen:?}"))?;
        ensure(there(&site.admin, &all).await? == (200, 1), format!("{format}: and to who may read it"))?;
        if format == "raw" {
            site.admin.delete(&path).send().await?.expect(&[204])?;
            ensure(there(&site.admin, &all).await?.1 == 0, "withdrawn in the first: it is 410 and in no list")?;
        }
    }
    Ok(())
}

/// Pages of folders and of packages are cut behind what is shown, not behind what was looked at.
#[tokio::test]
async fn pages_end_where_the_list_ends() -> Result<()> {
    let site = Site::embedded().await?;
    for key in ["first", "second"] {
        hosted(&site, key, "raw").await?;
        hosted(&site, &format!("n{key}"), "npm").await?;
    }
    for n in 0..12 {
        let put =
            |key: &str| site.admin.put(&format!("/repository/{key}/f{n:02}.txt")).body(Bytes::from(key.to_owned()));
        put("second").send().await?.expect(&[201])?;
        // What the reader may not see lies between what he may.
        let own = if n % 4 == 0 { "nsecond" } else { "nfirst" };
        publishes(&site.admin, "npm", own, &format!("p{n:02}"))?.send().await?.expect(&[200, 201])?;
        if n % 4 != 0 {
            put("first").send().await?.expect(&[201])?;
            site.admin.delete(&format!("/repository/first/f{n:02}.txt")).send().await?.expect(&[204])?;
        }
    }
    put_together(&site, "all", "raw", &["first", "second"], json!({})).await?;
    put_together(&site, "nall", "npm", &["nfirst", "nsecond"], json!({})).await?;
    let reader =
        site.person("reader", &["repo:nall:read", "repo:nsecond:read", "repo:all:read", "repo:second:read"]).await?;
    for (by, path, field, wanted) in [
        (&site.admin, "/repository/all/?format=json&limit=2", "name", ["f00.txt", "f04.txt", "f08.txt"]),
        (&reader, "/v1/repos/nall/packages?limit=2", "packageName", ["p00", "p04", "p08"]),
        (&reader, "/v1/repos/nall/search/packages?q=p&limit=2", "packageName", ["p00", "p04", "p08"]),
        (&reader, "/v1/search?q=p&repo=nall&limit=2", "packageName", ["p00", "p04", "p08"]),
    ] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = read(by, &format!("{path}{cursor}")).await?.expect(&[200])?;
            seen.extend(items(&page, [field, ""])?.into_iter().map(|(name, _)| name));
            match page.json()?["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        ensure(seen == wanted, format!("{path}: {seen:?}"))?;
    }
    let found = read(&reader, "/repository/nall/-/v1/search?text=p&size=2&from=1").await?.expect(&[200])?.json()?;
    let names: Vec<_> =
        found["objects"].as_array().into_iter().flatten().map(|one| one["package"]["name"].clone()).collect();
    ensure(names == ["p04", "p08"] && found["total"] == 2, found.to_string())?;
    // Everywhere, each is found once: in the member that has it.
    let found = read(&reader, "/v1/search?q=p").await?.expect(&[200])?;
    let repos = items(&found, ["repoKey", ""])?;
    ensure(repos.len() == 3 && repos.iter().all(|(repo, _)| repo == "nsecond"), format!("{repos:?}"))
}

/// Versions of all members, each name once, with the member that it is in.
#[tokio::test]
async fn versions_are_listed_with_their_members() -> Result<()> {
    let site = Site::embedded().await?;
    for key in ["first", "second"] {
        hosted(&site, key, "npm").await?;
        for version in ["0.1.0", "0.2.0"] {
            publishes_version(&site.admin, "npm", key, "demo", version)?.send().await?.expect(&[200, 201])?;
        }
    }
    publishes_version(&site.admin, "npm", "second", "demo", "0.3.0")?.send().await?.expect(&[200, 201])?;
    put_together(&site, "one", "npm", &["first", "second"], json!({})).await?;
    put_together(&site, "both", "npm", &["first", "second"], json!({"merging": "union"})).await?;
    let versions = async |key: &str| -> Result<Vec<(String, String)>> {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/repos/{key}/packages/versions?package=demo&limit=1{cursor}");
            let page = read(&site.admin, &path).await?.expect(&[200])?;
            seen.extend(items(&page, ["version", "repoKey"])?);
            match page.json()?["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(seen),
            }
        }
    };
    let told = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter().map(|(version, repo)| ((*version).to_owned(), (*repo).to_owned())).collect()
    };
    let one = versions("one").await?;
    ensure(one == told(&[("0.2.0", "first"), ("0.1.0", "first")]), format!("{one:?}"))?;
    let both = versions("both").await?;
    ensure(both == told(&[("0.3.0", "second"), ("0.2.0", "first"), ("0.1.0", "first")]), format!("{both:?}"))?;
    let path = "/v1/repos/both/packages/versions/resolve?name=demo&version=0.3.0";
    let found = read(&site.admin, path).await?.expect(&[200])?.json()?;
    ensure(found["repoKey"] == "second", found.to_string())?;
    read(&site.admin, "/v1/repos/one/packages/versions/resolve?name=demo&version=0.3.0").await?.expect(&[404])?;
    read(&site.admin, "/v1/repos/one/packages/versions?package=nothing").await?.expect(&[404])?;
    Ok(())
}

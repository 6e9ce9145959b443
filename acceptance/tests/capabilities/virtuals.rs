//! Repositories that are made of others: whose names are whose, whose rights count, what is put together.

use acceptance::http::{Answer, Request};
use acceptance::server::Persona;
use acceptance::{Result, Trouble};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::engines::both;
use crate::remotes::shelf::{Shelf, hex, noise, of, site};
use crate::remotes::upstream::{Say, Upstream};
use crate::site::{Site, ensure};

/// Formats in which a name belongs to one member.
const OWNED: [&str; 3] = ["npm", "pypi", "cargo"];

pub(crate) async fn ask(request: Request) -> Result<Answer> {
    request.send().await
}

/// Makes a virtual repository.
pub(crate) async fn put_together(
    site: &Site,
    key: &str,
    format: &str,
    members: &[&str],
    settings: Value,
) -> Result<()> {
    let body = json!({"repoKey": key, "format": format, "repoType": "virtual", "memberRepos": members,
        "settings": {"virtual": settings}});
    ask(site.admin.post("/v1/repos").json(&body)).await?.expect(&[201])?;
    Ok(())
}

pub(crate) async fn hosted(site: &Site, key: &str, format: &str) -> Result<()> {
    ask(site.admin.post("/v1/repos").json(&json!({"repoKey": key, "format": format}))).await?.expect(&[201])?;
    Ok(())
}

/// A packed folder of one file.
fn tgz(path: &str, text: &str) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_ustar();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, path, text.as_bytes())?;
    Ok(tar.into_inner()?.finish()?)
}

/// Publishes `name` 0.1.0 at `key`, as the clients of its format do.
pub(crate) fn publishes(by: &Persona, format: &str, key: &str, name: &str) -> Result<Request> {
    publishes_version(by, format, key, name, "0.1.0")
}

/// The same for another version.
pub(crate) fn publishes_version(by: &Persona, format: &str, key: &str, name: &str, version: &str) -> Result<Request> {
    let at = format!("/repository/{key}");
    Ok(match format {
        "npm" => {
            let manifest = json!({"name": name, "version": version});
            let data = STANDARD.encode(tgz("package/package.json", &manifest.to_string())?);
            let body = json!({"_id": name, "name": name, "dist-tags": {"latest": version},
                "versions": {version: manifest},
                "_attachments": {format!("{name}-{version}.tgz"): {"content_type": "application/octet-stream", "data": data}}});
            by.put(&format!("{at}/{name}")).json(&body)
        }
        "cargo" => {
            let manifest = format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\n");
            let archive = tgz(&format!("{name}-{version}/Cargo.toml"), &manifest)?;
            let told =
                json!({"name": name, "vers": version, "deps": [], "features": {}, "authors": [], "description": "d",
                "license": "MIT", "keywords": [], "categories": [], "badges": {}, "links": null})
                .to_string();
            let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
            let body = [&length(told.len())[..], told.as_bytes(), &length(archive.len()), &archive].concat();
            by.put(&format!("{at}/api/v1/crates/new")).body(Bytes::from(body))
        }
        "pypi" => {
            let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
            let archive = tgz(&format!("{name}-{version}/PKG-INFO"), &metadata)?;
            let fields = [
                (":action", "file_upload"),
                ("protocol_version", "1"),
                ("metadata_version", "2.1"),
                ("name", name),
                ("version", version),
                ("filetype", "sdist"),
                ("pyversion", "source"),
            ];
            let fields = fields.map(|(field, value)| {
                format!("--cut\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n")
            });
            let file = format!(
                "--cut\r\nContent-Disposition: form-data; name=\"content\"; filename=\"{name}-{version}.tar.gz\"\r\n\r\n"
            );
            let body = [fields.concat().as_bytes(), file.as_bytes(), &archive, b"\r\n--cut--\r\n"].concat();
            by.post(&format!("{at}/"))
                .header("Content-Type", "multipart/form-data; boundary=cut")
                .body(Bytes::from(body))
        }
        other => return Err(Trouble::new(format!("nobody publishes {other} here"))),
    })
}

/// What a shelf's package is called.
fn name(shelf: &Shelf) -> String {
    shelf.index().trim_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
}

async fn a_name_that_is_hosted_never_comes_from_elsewhere() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for format in OWNED {
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &noise(1, 3000)).await?;
        let (own, all) = (format!("{format}-own"), format!("{format}-all"));
        hosted(&site, &own, format).await?;
        // The order is no help: what is hosted comes first.
        put_together(&site, &all, format, &[shelf.key(), &own], json!({})).await?;
        let through = shelf.at(&all);
        let index = ask(through.get_index(&site.admin)).await?.expect(&[200])?;
        ensure(index.text().contains("1.0.0"), format!("{format}: it comes from the upstream: {}", index.text()))?;
        ask(through.get_file(&site.admin)).await?.expect(&[200])?;
        of(format, ask(publishes(&site.admin, format, &own, &name(&shelf))?).await)?.expect(&[200, 201])?;
        let before = upstream.total();
        let index = ask(through.get_index(&site.admin)).await?.expect(&[200])?;
        let text = index.text();
        ensure(
            text.contains("0.1.0") && !text.contains("1.0.0"),
            format!("{format}: from the next request on: {text}"),
        )?;
        ask(through.get_file(&site.admin)).await?.expect(&[404])?;
        ensure(upstream.total() == before, format!("{format}: nobody is asked for a name that is ours"))?;
    }
    Ok(())
}

async fn a_name_that_is_claimed_is_nobody_elses() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for (format, pattern) in
        [("npm", "nto*"), ("pypi", "ptool"), ("cargo", "ctool"), ("maven", "org.example:*"), ("raw", "*")]
    {
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &noise(5, 3000)).await?;
        let (own, inner, all) = (format!("{format}-own"), format!("{format}-inner"), format!("{format}-all"));
        hosted(&site, &own, format).await?;
        // No setting about names that are hosted lifts what a rule says.
        let open = json!({"hostedClaims": false, "hostedFirst": false});
        put_together(&site, &inner, format, &[shelf.key(), &own], open.clone()).await?;
        put_together(&site, &all, format, &[&inner], open).await?;
        let rules = |key: &str, pattern: Option<&str>| {
            let rules: Vec<_> = pattern.iter().map(|pattern| json!({"kind": "claim", "pattern": pattern})).collect();
            site.admin.put(&format!("/v1/repos/{key}/rules")).json(&json!({"rules": rules}))
        };
        let through = shelf.at(&all);
        for key in [&own, &inner, &all] {
            let before = upstream.total();
            ask(rules(key, Some(pattern))).await?.expect(&[200])?;
            of(format, ask(through.get_file(&site.admin)).await)?.expect(&[404])?;
            if format != "raw" {
                of(format, ask(through.get_index(&site.admin)).await)?.expect(&[404])?;
            }
            ensure(upstream.total() == before, format!("{format}: a claim of {key} asks nobody"))?;
            ask(rules(key, None)).await?.expect(&[200])?;
        }
        let found = of(format, ask(through.get_file(&site.admin)).await)?.expect(&[200])?;
        ensure(
            found.header("cache-control").is_some_and(|said| said.ends_with("no-cache")),
            format!("{format}: {:?}", found.headers),
        )?;
        let again = of(format, ask(through.get_file(&site.admin)).await)?.expect(&[200])?;
        ensure(again.header("cache-control") == Some("private, no-cache"), format!("{format}: {:?}", again.headers))?;
    }
    Ok(())
}

async fn each_member_is_read_by_who_may_read_it() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for format in OWNED {
        let before = upstream.total();
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &noise(2, 3000)).await?;
        let (own, all) = (format!("{format}-own"), format!("{format}-all"));
        hosted(&site, &own, format).await?;
        put_together(&site, &all, format, &[&own, shelf.key()], json!({})).await?;
        of(format, ask(publishes(&site.admin, format, &own, "secret")?).await)?.expect(&[200, 201])?;
        let scopes = [format!("repo:{all}:read"), format!("repo:{}:read", shelf.key())];
        let outsider = site.person(&format!("{format}-out"), &[&scopes[0], &scopes[1]]).await?;
        let nobody = site.person(&format!("{format}-no"), &[&scopes[0]]).await?;
        let index = |by: &Persona| {
            let path = shelf.at(&all).our_index().replace(&name(&shelf), "secret");
            by.get(&path.replace("/ct/oo/", "/se/cr/"))
                .header("Accept", "application/vnd.pypi.simple.v1+json, */*;q=0.1")
        };
        of(format, ask(index(&site.admin)).await)?.expect(&[200])?;
        ask(index(&outsider)).await?.expect(&[404])?;
        ensure(upstream.total() == before, format!("{format}: a hosted name is nobody else's, whoever asks"))?;
        // Nor does somebody without rights on it make a remote ask.
        ask(shelf.at(&all).get_index(&nobody)).await?.expect(&[404])?;
        ask(shelf.at(&all).get_file(&nobody)).await?.expect(&[404])?;
        ensure(upstream.total() == before, format!("{format}: nobody asks on behalf of who may not read"))?;
        ask(shelf.at(&all).get_file(&outsider)).await?.expect(&[200])?;
    }
    Ok(())
}

async fn an_upstream_that_fails_is_no_absence() -> Result<()> {
    let (site, mut upstream) = (site().await?, Upstream::start().await?);
    for format in ["raw", "npm", "pypi", "cargo", "maven", "go"] {
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &noise(3, 3000)).await?;
        put_together(&site, &format!("{format}-all"), format, &[shelf.key()], json!({})).await?;
    }
    upstream.down().await;
    for format in ["raw", "npm", "pypi", "cargo", "maven", "go"] {
        let shelf = Shelf::bare(format).at(&format!("{format}-all"));
        of(format, ask(shelf.get_file(&site.admin)).await)?.expect(&[503])?;
        if format != "raw" {
            of(format, ask(shelf.get_index(&site.admin)).await)?.expect(&[503])?;
        }
    }
    Ok(())
}

async fn maven_metadata_tells_of_all_members_where_that_is_wanted() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let shelf = Shelf::stocked(&site, &upstream, "maven", json!({}), &noise(4, 3000)).await?;
    hosted(&site, "own", "maven").await?;
    put_together(&site, "ours", "maven", &["own", shelf.key()], json!({})).await?;
    put_together(&site, "both", "maven", &["own", shelf.key()], json!({"hostedClaims": false})).await?;
    let folder = format!("/org/example/{0}/2.0.0/{0}-2.0.0.jar", "mtool");
    let put = |key: &str| site.admin.put(&format!("/repository/{key}{folder}")).body(Bytes::from_static(b"jar"));
    ask(put("own")).await?.expect(&[200, 201])?;
    let metadata = |key: &str| shelf.at(key).our_index();
    let ours = ask(site.admin.get(&metadata("ours"))).await?.expect(&[200])?.text();
    ensure(ours.contains("2.0.0") && !ours.contains("1.0.0"), format!("the name is ours: {ours}"))?;
    ask(shelf.at("ours").get_file(&site.admin)).await?.expect(&[404])?;
    ensure(upstream.total() == 0, "nobody is asked for a name that is ours")?;
    let both = ask(site.admin.get(&metadata("both"))).await?.expect(&[200])?;
    let text = both.text();
    let told = text.contains("<version>1.0.0</version>") && text.contains("<version>2.0.0</version>");
    ensure(told && text.contains("<latest>2.0.0</latest>"), text)?;
    let sum = ask(site.admin.get(&format!("{}.sha256", metadata("both")))).await?.expect(&[200])?.text();
    ensure(sum == hex(&Sha256::digest(&both.body)), "the checksum is that of what is shown")?;
    ask(shelf.at("both").get_file(&site.admin)).await?.expect(&[200])?;
    ask(site.admin.get(&format!("/repository/both{folder}"))).await?.expect(&[200])?;
    Ok(())
}

async fn raw_files_come_from_the_first_member_that_has_them() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for key in ["one", "two"] {
        hosted(&site, key, "raw").await?;
        for path in ["both.txt", &format!("folder/{key}.txt")] {
            let put = site.admin.put(&format!("/repository/{key}/{path}")).body(Bytes::from(key.to_owned()));
            ask(put).await?.expect(&[201])?;
        }
    }
    upstream.says("/far.txt", Say::file("far"));
    upstream.says("/both.txt", Say::file("far"));
    crate::remotes::shelf::remote(&site, "there", "raw", &upstream.url(), json!({})).await?;
    put_together(&site, "inner", "raw", &["two", "there"], json!({})).await?;
    put_together(&site, "all", "raw", &["one", "inner"], json!({})).await?;
    let read = |path: &str| site.admin.get(&format!("/repository/all/{path}"));
    ensure(ask(read("both.txt")).await?.expect(&[200])?.text() == "one", "the first member's")?;
    ensure(ask(read("folder/two.txt")).await?.expect(&[200])?.text() == "two", "a member's member's")?;
    ensure(ask(read("far.txt")).await?.expect(&[200])?.text() == "far", "the upstream's")?;
    ensure(upstream.count("/both.txt") == 0, "what is hosted is not asked for")?;
    ask(read("nowhere.txt")).await?.expect(&[404])?;
    let listed = ask(read("?format=json")).await?.expect(&[200])?.json()?;
    let names: Vec<_> = listed["items"].as_array().into_iter().flatten().map(|item| item["name"].clone()).collect();
    ensure(names == ["both.txt", "far.txt", "folder"], listed.to_string())?;
    let listed = ask(read("folder/?format=json")).await?.expect(&[200])?.json()?;
    ensure(listed["items"].as_array().is_some_and(|items| items.len() == 2), listed.to_string())?;
    // What was withdrawn in the first is not served from the second.
    ask(site.admin.delete("/repository/one/both.txt")).await?.expect(&[204])?;
    ask(read("both.txt")).await?.expect(&[410])?;
    Ok(())
}

async fn what_is_published_through_it_goes_to_one_member() -> Result<()> {
    let site = Site::here().await?;
    for format in OWNED {
        let (own, all, none) = (format!("{format}-own"), format!("{format}-all"), format!("{format}-none"));
        hosted(&site, &own, format).await?;
        put_together(&site, &all, format, &[&own], json!({"deployTo": own})).await?;
        put_together(&site, &none, format, &[&own], json!({})).await?;
        let refused = ask(publishes(&site.admin, format, &none, "demo")?).await?.expect(&[403])?;
        ensure(refused.text().contains("deployTo"), refused.text())?;
        // Who shows no token is asked for one, as by the member itself: some clients show theirs only then.
        for key in [&all, &none] {
            ask(site.admin.patch(&format!("/v1/repos/{key}")).json(&json!({"anonymousRead": true})))
                .await?
                .expect(&[200])?;
            let asked = ask(publishes(&site.admin, format, key, "demo")?.anonymous()).await?.expect(&[401])?;
            ensure(asked.header("www-authenticate").is_some(), asked.text())?;
        }
        let reader = site.person(&format!("{format}-reader"), &["repo:*:read"]).await?;
        ask(publishes(&reader, format, &all, "demo")?).await?.expect(&[403])?;
        let insider = site.person(&format!("{format}-in"), &[&format!("repo:{all}:write")]).await?;
        ask(publishes(&insider, format, &all, "demo")?).await?.expect(&[403, 404])?;
        of(format, ask(publishes(&site.admin, format, &all, "demo")?).await)?.expect(&[200, 201])?;
        let kept = ask(site.admin.get(&format!("/v1/repos/{own}/packages"))).await?.expect(&[200])?;
        ensure(kept.text().contains("demo"), kept.text())?;
    }
    Ok(())
}

async fn settings_that_are_not_named_stay() -> Result<()> {
    let site = site().await?;
    hosted(&site, "own", "npm").await?;
    put_together(&site, "all", "npm", &["own"], json!({"deployTo": "own", "hostedFirst": false})).await?;
    let change = |settings: Value| site.admin.patch("/v1/repos/all").json(&json!({"settings": {"virtual": settings}}));
    let kept = async || -> Result<Value> {
        let found: Value = ask(site.admin.get("/v1/repos/all")).await?.expect(&[200])?.json()?;
        Ok(found["settings"]["virtual"].clone())
    };
    ask(change(json!({"hostedClaims": false}))).await?.expect(&[200])?;
    let all = json!({"deployTo": "own", "hostedFirst": false, "hostedClaims": false});
    ensure(kept().await? == all, format!("{}", kept().await?))?;
    ask(change(json!({"deployTo": null}))).await?.expect(&[200])?;
    ensure(kept().await? == json!({"hostedFirst": false, "hostedClaims": false}), format!("{}", kept().await?))?;
    ask(change(json!({"merging": "whatever"}))).await?.expect(&[400])?;
    hosted(&site, "crates", "cargo").await?;
    for odd in ["nobody", "crates", "all"] {
        let refused = ask(change(json!({"deployTo": odd}))).await?.expect(&[400])?;
        ensure(refused.text().contains("no local repository of the format npm"), refused.text())?;
    }
    ask(change(Value::Null)).await?.expect(&[200])?;
    ensure(kept().await? == json!({"hostedFirst": true, "hostedClaims": true}), format!("{}", kept().await?))
}

both! {
    a_name_that_is_hosted_never_comes_from_elsewhere;
    a_name_that_is_claimed_is_nobody_elses;
    each_member_is_read_by_who_may_read_it;
    an_upstream_that_fails_is_no_absence;
    maven_metadata_tells_of_all_members_where_that_is_wanted;
    raw_files_come_from_the_first_member_that_has_them;
    what_is_published_through_it_goes_to_one_member;
    settings_that_are_not_named_stay;
}

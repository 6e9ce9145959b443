//! Members that a caller may not read: every answer to him is as if they were not there.

use acceptance::Result;
use acceptance::http::{Answer, Request};
use acceptance::server::Persona;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::engines::both;
use crate::moments::images::push_to;
use crate::remotes::shelf::{Shelf, noise, of, remote, site};
use crate::remotes::upstream::{Say, Upstream};
use crate::site::{Site, ensure};
use crate::virtuals::{hosted, publishes, put_together};

const NONE: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Where one learns of a package of a format, its name with rules, and a path of it.
struct Ways {
    format: &'static str,
    name: &'static str,
    path: &'static str,
    /// Behind the repository's address.
    doors: &'static [&'static str],
}

const WAYS: [Ways; 7] = [
    Ways {
        format: "npm",
        name: "sekrit",
        path: "sekrit/-/sekrit-0.1.0.tgz",
        doors: &["sekrit", "sekrit/0.1.0", "sekrit/latest", "sekrit/-/sekrit-0.1.0.tgz", "-/package/sekrit/dist-tags"],
    },
    Ways {
        format: "pypi",
        name: "sekrit",
        path: "packages/sekrit/0.1.0/sekrit-0.1.0.tar.gz",
        doors: &["simple/sekrit/", "packages/sekrit/0.1.0/sekrit-0.1.0.tar.gz", "pypi/sekrit/json", "simple/"],
    },
    Ways {
        format: "cargo",
        name: "sekrit",
        path: "dl/sekrit/0.1.0/download",
        doors: &["se/kr/sekrit", "dl/sekrit/0.1.0/download", "api/v1/crates?q=sek"],
    },
    Ways {
        format: "go",
        name: "example.com/sekrit",
        path: "example.com/sekrit/@v/v0.1.0.zip",
        doors: &[
            "example.com/sekrit/@v/list",
            "example.com/sekrit/@latest",
            "example.com/sekrit/@v/v0.1.0.info",
            "example.com/sekrit/@v/v0.1.0.zip",
            "sumdb/sum.example/lookup/example.com/sekrit@v0.1.0",
        ],
    },
    Ways {
        format: "maven",
        name: "org.x:sekrit",
        path: "org/x/sekrit/0.1.0/sekrit-0.1.0.jar",
        doors: &[
            "org/x/sekrit/maven-metadata.xml",
            "org/x/sekrit/0.1.0/sekrit-0.1.0.jar",
            "org/x/sekrit/0.1.0/sekrit-0.1.0.jar.sha1",
            "org/x/sekrit/",
        ],
    },
    Ways { format: "raw", name: "d/sekrit.txt", path: "d/sekrit.txt", doors: &["d/sekrit.txt", "d/"] },
    Ways { format: "oci", name: "team/sekrit", path: "team/sekrit/manifests/latest", doors: &[] },
];

impl Ways {
    /// Every question about the name, in a repository and beside it.
    fn questions(&self, repo: &str, then: &str) -> Vec<String> {
        let (name, path) = (self.name, self.path);
        let mut all: Vec<String> = match self.format {
            "oci" => ["manifests/latest", &format!("manifests/{NONE}"), "tags/list", &format!("blobs/{NONE}")]
                .iter()
                .chain(&[&*format!("referrers/{NONE}")])
                .map(|step| format!("/v2/{repo}/{name}/{step}"))
                .chain(["/v2/_catalog".to_owned()])
                .collect(),
            _ => self
                .doors
                .iter()
                .flat_map(|door| [format!("/repository/{repo}/{door}"), format!("/repository/{repo}@{then}/{door}")])
                .collect(),
        };
        let version = if self.format == "oci" { NONE } else { "0.1.0" };
        let control = [
            format!("explain?name={name}"),
            format!("explain?name={name}&version={version}"),
            format!("explain?path={path}"),
            "packages".to_owned(),
            format!("packages/versions?package={name}"),
            format!("packages/versions/resolve?name={name}&version=0.1.0"),
            format!("blobs/{NONE}"),
        ];
        all.extend(control.iter().map(|of| format!("/v1/repos/{repo}/{of}")));
        all.push(format!("/v1/search?q=sekrit&repo={repo}"));
        all.push("/v1/search?q=sekrit".to_owned());
        all
    }

    /// The name's pattern in rules.
    fn claim(&self) -> Value {
        json!([{"kind": "claim", "pattern": self.name}])
    }

    async fn publish(&self, site: &Site, key: &str) -> Result<()> {
        let put = |path: &str| site.admin.put(&format!("/repository/{key}/{path}")).body(Bytes::from_static(b"ours"));
        let published = match self.format {
            "npm" | "pypi" | "cargo" => publishes(&site.admin, self.format, key, "sekrit")?.send().await?,
            "oci" => {
                return push_to(&site.admin, &format!("{key}/{}", self.name), "latest", "ours", None).await.map(drop);
            }
            // Modules are published as archives; claims are enough of them.
            "go" => return Ok(()),
            _ => put(self.path).send().await?,
        };
        published.expect(&[200, 201]).map(drop)
    }
}

/// All that a caller sees of an answer, but for what is another one each time; and for how long a list of a moment may be
/// kept, which is not for good where there are any rules, whatever they say.
fn seen(answer: &Answer) -> String {
    const OWN: [&str; 4] = ["date", "x-correlation-id", "content-length", "cache-control"];
    let headers = answer.headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
    let mut headers: Vec<String> = headers
        .filter(|(name, _)| !name.as_str().starts_with("ratelimit"))
        .map(|(name, value)| format!("{name}: {value:?}"))
        .collect();
    headers.sort();
    let mut text = answer.text();
    if let Ok(mut told) = answer.json() {
        if let Some(told) = told.as_object_mut() {
            told.remove("correlationId");
        }
        text = told.to_string();
    }
    format!("{} {headers:?} {text}", answer.status)
}

async fn all_seen(by: &Persona, questions: &[String]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for question in questions {
        let ask = |request: Request| request.header("Accept", "application/json, */*;q=0.1");
        let (get, head) = (ask(by.get(question)).send().await?, ask(by.head(question)).send().await?);
        all.push(format!("{question}: {} / {}", seen(&get), head.status));
    }
    Ok(all)
}

async fn rules(site: &Site, key: &str, rules: &Value) -> Result<()> {
    let put = site.admin.put(&format!("/v1/repos/{key}/rules")).json(&json!({"rules": rules}));
    put.send().await?.expect(&[200])?;
    Ok(())
}

async fn members(site: &Site, key: &str, members: &[&str]) -> Result<()> {
    let change = site.admin.patch(&format!("/v1/repos/{key}")).json(&json!({"memberRepos": members}));
    change.send().await?.expect(&[200])?;
    Ok(())
}

/// What the answers were, and are now.
fn same(of: &str, before: &[String], after: &[String]) -> Result<()> {
    let other = before.iter().zip(after).filter(|(before, after)| before != after);
    let other: Vec<String> = other.map(|(before, after)| format!("\n before: {before}\n after:  {after}")).collect();
    ensure(other.is_empty() && before.len() == after.len(), format!("{of}{}", other.concat()))
}

async fn who_may_not_read_a_member_is_told_as_if_it_were_not_there() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let registry = json!({"dl": format!("{}/files", upstream.url())});
    upstream.says("/config.json", Say::answer(200, &[], registry.to_string()));
    let then = site.server.moment("clock").await?;
    let blocked = json!([{"kind": "block", "pattern": "*sekrit*"}]);
    let aged = json!([{"kind": "minimumAge", "hours": 24}, {"kind": "allow", "pattern": "other*"}]);
    for ways in &WAYS {
        let key = |word: &str| format!("{}-{word}", ways.format);
        let (own, up, all) = (key("own"), key("up"), key("all"));
        hosted(&site, &own, ways.format).await?;
        remote(&site, &up, ways.format, &upstream.url(), json!({"missingSeconds": 3600})).await?;
        put_together(&site, &all, ways.format, &[&own, &up], json!({})).await?;
        let scopes = [&own, &up, &all].map(|key| format!("repo:{key}:read"));
        let reader = site.person(&key("reader"), &scopes.each_ref().map(String::as_str)).await?;
        for (round, theirs) in [json!([]), aged.clone(), blocked.clone()].into_iter().enumerate() {
            let (secret, nested) = (key(&format!("secret{round}")), key(&format!("nested{round}")));
            rules(&site, &up, &theirs).await?;
            let through = ways.questions(&all, &then);
            let straight = ways.questions(&up, &then);
            let before = (all_seen(&reader, &through).await?, all_seen(&reader, &straight).await?);
            hosted(&site, &secret, ways.format).await?;
            // Its claim alone.
            rules(&site, &secret, &ways.claim()).await?;
            let what = |what: &str| format!("{}, rules {theirs}, {what}", ways.format);
            same(&what("a claim elsewhere"), &before.1, &all_seen(&reader, &straight).await?)?;
            members(&site, &all, &[&secret, &own, &up]).await?;
            same(&what("a claim of a member"), &before.0, &all_seen(&reader, &through).await?)?;
            rules(&site, &secret, &json!([])).await?;
            // What it has.
            of(ways.format, ways.publish(&site, &secret).await)?;
            same(&what("a name of a member"), &before.0, &all_seen(&reader, &through).await?)?;
            // Both, further down.
            rules(&site, &secret, &ways.claim()).await?;
            put_together(&site, &nested, ways.format, &[&secret], json!({})).await?;
            members(&site, &all, &[&nested, &up, &own]).await?;
            same(&what("both, nested"), &before.0, &all_seen(&reader, &through).await?)?;
            members(&site, &all, &[&own, &up]).await?;
            rules(&site, &secret, &json!([])).await?;
        }
    }
    Ok(())
}

/// Names and settings of a virtual repository, as `by` is shown them.
async fn shown(by: &Persona, key: &str) -> Result<(Value, Value)> {
    let one = by.get(&format!("/v1/repos/{key}")).send().await?.expect(&[200])?.json()?;
    let all = by.get("/v1/repos?limit=200").send().await?.expect(&[200])?.json()?;
    let listed = all["items"].as_array().into_iter().flatten().find(|repo| repo["repoKey"] == key);
    ensure(listed == Some(&one), format!("the list says the same: {listed:?} {one}"))?;
    Ok((one["memberRepos"].clone(), one["settings"]["virtual"]["deployTo"].clone()))
}

async fn members_are_shown_to_who_may_read_them() -> Result<()> {
    let site = site().await?;
    for key in ["secret", "own", "open", "more"] {
        hosted(&site, key, "npm").await?;
    }
    let open = json!({"anonymousRead": true});
    site.admin.patch("/v1/repos/open").json(&open).send().await?.expect(&[200])?;
    put_together(&site, "inner", "npm", &["more"], json!({})).await?;
    let members = json!(["secret", "own", "inner", "open"]);
    put_together(&site, "all", "npm", &["secret", "own", "inner", "open"], json!({"deployTo": "secret"})).await?;
    let reader = site.person("reader", &["repo:all:read", "repo:own:read"]).await?;
    ensure(shown(&reader, "all").await? == (json!(["own", "open"]), Value::Null), "what he may read")?;
    ensure(shown(&site.admin, "all").await? == (members.clone(), json!("secret")), "all of it")?;
    // To him nothing takes what is published.
    let publisher = site.person("publisher", &["repo:all:write", "repo:own:read"]).await?;
    let refused = publishes(&publisher, "npm", "all", "demo")?.send().await?.expect(&[403])?;
    site.admin.patch("/v1/repos/all").json(&json!({"settings": {"virtual": {"deployTo": null}}})).send().await?;
    let without = publishes(&publisher, "npm", "all", "demo")?.send().await?.expect(&[403])?;
    ensure(seen(&refused) == seen(&without), format!("{} {}", refused.text(), without.text()))?;
    site.admin.patch("/v1/repos/all").json(&json!({"settings": {"virtual": {"deployTo": "secret"}}})).send().await?;
    // Who may change the list is shown all of it, and loses nothing by writing back what was read.
    let steward = site.person("steward", &["repo:all:admin", "repo:own:read"]).await?;
    ensure(shown(&steward, "all").await? == (members.clone(), json!("secret")), "all of it to an administrator")?;
    let change = |body: Value| steward.patch("/v1/repos/all").json(&body).send();
    change(json!({"memberRepos": members, "settings": {"virtual": {"deployTo": "secret", "hostedFirst": true}}}))
        .await?
        .expect(&[200])?;
    change(json!({"memberRepos": ["own", "secret"], "settings": {"virtual": {"merging": "owner"}}}))
        .await?
        .expect(&[200])?;
    ensure(shown(&site.admin, "all").await? == (json!(["own", "secret"]), json!("secret")), "it stays")?;
    // One that is not there and one that he may not read are the same to him.
    let told = |answer: Answer, key: &str| answer.text().replace(key, "KEY");
    let (hidden, none) =
        (change(json!({"memberRepos": ["more"]})).await?, change(json!({"memberRepos": ["nope"]})).await?);
    ensure(hidden.status == 404 && none.status == 404, format!("{hidden:?}"))?;
    let cut = |text: String| text.split("\"correlationId\"").next().unwrap_or_default().to_owned();
    let (hidden, none) = (cut(told(hidden, "more")), cut(told(none, "nope")));
    ensure(hidden == none, format!("{hidden} {none}"))?;
    let (hidden, none) = (
        change(json!({"settings": {"virtual": {"deployTo": "more"}}})).await?.expect(&[400])?,
        change(json!({"settings": {"virtual": {"deployTo": "nope"}}})).await?.expect(&[400])?,
    );
    ensure(cut(told(hidden, "more")) == cut(told(none, "nope")), "nor where it would publish to")
}

/// Why a name is kept from upstreams is told to who may read what keeps it, and to who administrates what is asked.
async fn who_may_know_is_told_why() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    hosted(&site, "secret", "npm").await?;
    remote(&site, "up", "npm", &upstream.url(), json!({})).await?;
    put_together(&site, "all", "npm", &["secret", "up"], json!({})).await?;
    rules(&site, "secret", &json!([{"kind": "claim", "pattern": "claimed"}])).await?;
    publishes(&site.admin, "npm", "secret", "sekrit")?.send().await?.expect(&[200, 201])?;
    let readers = ["repo:all:read", "repo:up:read"];
    let insider = site.person("insider", &[readers[0], readers[1], "repo:secret:read"]).await?;
    let steward = site.person("steward", &["repo:all:admin", "repo:up:admin"]).await?;
    let outsider = site.person("outsider", &readers).await?;
    let text = async |by: &Persona, path: &str| -> Result<String> { Ok(by.get(path).send().await?.text()) };
    for (path, why) in [
        ("/repository/up/claimed", "up takes that name from no upstream"),
        ("/repository/all/claimed", "a claim keeps its name from every upstream"),
        ("/v1/repos/up/explain?name=claimed", "up takes that name from no upstream"),
        ("/v1/repos/all/explain?name=claimed", "all takes that name from no upstream"),
        ("/v1/repos/all/explain?name=sekrit", "is hosted in secret"),
    ] {
        for by in [&insider, &steward, &site.admin] {
            let told = text(by, path).await?;
            ensure(told.contains(why), format!("{} {path}: {told}", by.subject()))?;
        }
        let told = text(&outsider, path).await?;
        ensure(!told.contains(why) && !told.contains("secret"), format!("{path}: {told}"))?;
    }
    insider.get("/repository/all/sekrit").send().await?.expect(&[200])?;
    steward.get("/repository/all/sekrit").send().await?.expect(&[404])?;
    ensure(upstream.total() == 0, "nobody is asked for what is kept")
}

/// An administrator puts a virtual repository into his own, and learns nothing of its members that he may not read.
async fn nesting_tells_an_administrator_nothing() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let then = site.server.moment("clock").await?;
    for ways in WAYS.iter().filter(|ways| ["npm", "oci"].contains(&ways.format)) {
        let key = |word: &str| format!("{}-{word}", ways.format);
        let (secret, own, up, inner, all) = (key("secret"), key("own"), key("up"), key("inner"), key("all"));
        for repo in [&secret, &own] {
            hosted(&site, repo, ways.format).await?;
        }
        remote(&site, &up, ways.format, &upstream.url(), json!({"missingSeconds": 3600})).await?;
        put_together(&site, &inner, ways.format, &[&secret, &own], json!({})).await?;
        put_together(&site, &all, ways.format, &[&own, &up], json!({})).await?;
        of(ways.format, ways.publish(&site, &secret).await)?;
        let claimed = ways.name.replace("sekrit", "claimed");
        rules(&site, &secret, &json!([{"kind": "claim", "pattern": claimed}])).await?;
        let mut scopes = vec![format!("repo:{all}:admin")];
        scopes.extend([&own, &up, &inner].map(|key| format!("repo:{key}:read")));
        let steward = site.person(&key("steward"), &Vec::from_iter(scopes.iter().map(String::as_str))).await?;
        scopes.push(format!("repo:{secret}:read"));
        let insider = site.person(&key("insider"), &Vec::from_iter(scopes.iter().map(String::as_str))).await?;
        let mut questions = ways.questions(&all, &then);
        questions.extend(ways.questions(&all, &then).iter().map(|question| question.replace("sekrit", "claimed")));
        let before = all_seen(&steward, &questions).await?;
        let nested = steward.patch(&format!("/v1/repos/{all}")).json(&json!({"memberRepos": [own, inner, up]}));
        nested.send().await?.expect(&[200])?;
        same(&format!("{}, nested", ways.format), &before, &all_seen(&steward, &questions).await?)?;
        for (name, why) in [(ways.name, format!("is hosted in {secret}")), (&claimed, "from no upstream".to_owned())] {
            let told = insider.get(&format!("/v1/repos/{all}/explain?name={name}")).send().await?.text();
            ensure(told.contains(&why), format!("who may read it is told: {told}"))?;
        }
    }
    Ok(())
}

/// What is here of an upstream, and told of by it, is hidden like what is nowhere once a member has or claims its name.
async fn what_was_fetched_before_is_as_what_is_nowhere() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let then = site.server.moment("clock").await?;
    for ways in WAYS.iter().filter(|ways| ["npm", "pypi", "cargo"].contains(&ways.format)) {
        let shelf = Shelf::stocked(&site, &upstream, ways.format, json!({}), &noise(1, 3000)).await?;
        let key = |word: &str| format!("{}-{word}", ways.format);
        let (secret, all) = (key("secret"), key("all"));
        hosted(&site, &secret, ways.format).await?;
        put_together(&site, &all, ways.format, &[&secret, shelf.key()], json!({})).await?;
        let scopes = [shelf.key(), &all].map(|key| format!("repo:{key}:read"));
        let reader = site.person(&key("reader"), &scopes.each_ref().map(String::as_str)).await?;
        let name = format!("{}tool", &ways.format[..1]);
        of(ways.format, shelf.at(&all).get_index(&reader).send().await?.expect(&[200]))?;
        of(ways.format, shelf.at(&all).get_file(&reader).send().await?.expect(&[200]))?;
        let told = async |repo: &str, name: &str| -> Result<Vec<String>> {
            let written = |question: String| question.replace("sekrit", name).replace("se/kr", "ct/oo");
            let mut questions: Vec<_> = ways.questions(repo, &then).into_iter().map(written).collect();
            // What a remote repository has is in its own inventory, whatever rules say of it.
            let inventory = |question: &str| question.contains("/packages") && !question.contains(&*all);
            questions.retain(|question| !question.starts_with("/v1/search") && !inventory(question));
            let told = all_seen(&reader, &questions).await?;
            // Weak tags are made of the body.
            let untagged = |line: &String| line.split("etag: ").next().unwrap_or_default().len();
            let mut plain = Vec::new();
            for line in &told {
                let (head, rest) = line.split_at(untagged(line));
                let rest = rest.split_once("\", \"").map_or(rest, |(_, rest)| rest);
                plain.push(format!("{head}{rest}").replace(name, "NAME"));
            }
            Ok(plain)
        };
        let nowhere = name.replace("tool", "toox");
        let asked = upstream.total();
        of(ways.format, publishes(&site.admin, ways.format, &secret, &name)?.send().await?.expect(&[200, 201]))?;
        let hidden = told(&all, &name).await?;
        ensure(upstream.total() == asked, format!("{}: nobody is asked", ways.format))?;
        same(&format!("{}, hosted", ways.format), &told(&all, &nowhere).await?, &hidden)?;
        rules(&site, &secret, &json!([{"kind": "claim", "pattern": name}])).await?;
        let asked = upstream.total();
        let (hidden, straight) = (told(&all, &name).await?, told(shelf.key(), &name).await?);
        ensure(upstream.total() == asked, format!("{}: nobody is asked", ways.format))?;
        same(&format!("{}, claimed", ways.format), &told(&all, &nowhere).await?, &hidden)?;
        same(&format!("{}, straight", ways.format), &told(shelf.key(), &nowhere).await?, &straight)?;
    }
    Ok(())
}

both! {
    what_was_fetched_before_is_as_what_is_nowhere;
    members_are_shown_to_who_may_read_them;
    nesting_tells_an_administrator_nothing;
    who_may_know_is_told_why;
    who_may_not_read_a_member_is_told_as_if_it_were_not_there;
}

//! Members that a caller may not read: every answer to him is as if they were not there.

use acceptance::Result;
use acceptance::http::{Answer, Request};
use acceptance::server::Persona;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::engines::both;
use crate::moments::images::push_to;
use crate::remotes::shelf::{of, remote, site};
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
    if let Ok(mut told) = serde_json::from_slice::<Value>(&answer.body) {
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
    let aged = json!([{"kind": "minimumAge", "hours": 24}, {"kind": "allow", "pattern": "other"}]);
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

both! {
    who_may_not_read_a_member_is_told_as_if_it_were_not_there;
}

//! What somebody gets through a virtual repository who may not read its member: what he would get without that member.

use acceptance::Result;
use acceptance::http::{Answer, Request};
use acceptance::server::Persona;
use serde_json::json;

use crate::engines::both;
use crate::moments::compact;
use crate::moments::images::{IMAGE, digest_of, push_to};
use crate::remotes::shelf::{FORMATS, INDEXED, Shelf, noise, of, site};
use crate::remotes::upstream::Upstream;
use crate::shape::whole;
use crate::site::{Site, ensure};
use crate::virtuals::{hosted, put_together};
use crate::wares::Ware;

const ALL: [&str; 7] = ["raw", "npm", "pypi", "cargo", "maven", "go", "oci"];

/// How something is asked for.
#[derive(Clone, Debug)]
struct Door {
    path: String,
    head: bool,
    headers: Vec<(&'static str, String)>,
}

impl Door {
    fn new(path: impl Into<String>, accept: &str) -> Self {
        Self { path: path.into(), head: false, headers: vec![("Accept", accept.to_owned())] }
    }

    fn with(&self, name: &'static str, value: impl Into<String>) -> Self {
        let mut door = self.clone();
        door.headers.push((name, value.into()));
        door
    }

    fn head(&self) -> Self {
        Self { head: true, ..self.clone() }
    }

    async fn open(&self, by: &Persona) -> Result<Answer> {
        let request = if self.head { by.head(&self.path) } else { by.get(&self.path) };
        let asked = self.headers.iter().fold(request, |request: Request, (name, value)| request.header(name, value));
        of(&self.path, asked.send().await)
    }

    /// The same without a body, as a part, and as somebody asks who has it: with what the answer told who may read it.
    fn others(&self, told: &Answer) -> Vec<Self> {
        let mut others = vec![self.head(), self.with("Range", "bytes=0-0")];
        others.extend(told.header("etag").map(|tag| self.with("If-None-Match", tag)));
        others
    }
}

/// What is read of `tool` 0.1.0 by the clients of a format, in the repository `key` as of a moment.
fn native(format: &'static str, key: &str, then: Option<&str>) -> Vec<Door> {
    let door = |path: &str| Door::new(path, "*/*");
    if format == "oci" {
        let then = then.map(|then| format!("/{}", compact(then))).unwrap_or_default();
        let layer = digest_of(b"0.1.0");
        let steps = ["manifests/0.1.0".to_owned(), "tags/list".to_owned(), format!("blobs/{layer}")];
        return steps.iter().map(|step| Door::new(format!("/v2/{key}{then}/tool/{step}"), IMAGE)).collect();
    }
    let ware = Ware(format);
    let then = then.map(|then| format!("-all@{then}")).unwrap_or_else(|| "-all".to_owned());
    let (file, at) = (ware.file(&then, "0.1.0"), format!("/repository/{format}{then}"));
    let mut doors: Vec<_> = ware.indexes(&then).into_iter().map(|(path, accept)| Door::new(path, accept)).collect();
    doors.push(door(&file));
    let more: &[String] = match format {
        "maven" => &[format!("{file}.sha1"), format!("{file}.sha256"), format!("{at}/org/example/?format=json")],
        "go" => &[file.replace(".zip", ".mod"), file.replace(".zip", ".info")],
        "npm" => &[format!("{at}/tool/0.1.0"), format!("{at}/-/v1/search?text=tool")],
        "cargo" => &[format!("{at}/api/v1/crates?q=tool")],
        _ => &[],
    };
    // Searches are of now.
    let of_then = more.iter().filter(|path| !then.contains('@') || !path.contains('?') || path.ends_with("=json"));
    doors.extend(of_then.map(|path| door(path)));
    doors
}

/// What the control plane tells of it.
fn told(format: &str, key: &str, digest: &str) -> Vec<Door> {
    let (name, version, found) = match format {
        "raw" => ("tool/0.1.0.txt", "1", "tool"),
        "go" => ("example.com/tool", "v0.1.0", "example"),
        "oci" => ("tool", digest, "tool"),
        _ => ("tool", "0.1.0", "tool"),
    };
    let namespace = if format == "maven" { "&namespace=org.example" } else { "" };
    let at = format!("/v1/repos/{key}");
    [
        format!("{at}/packages"),
        format!("{at}/packages?q={found}"),
        format!("{at}/packages/versions?package={name}{namespace}"),
        format!("{at}/packages/versions/resolve?name={name}&version={version}{namespace}"),
        format!("{at}/search/packages?q={found}"),
        format!("/v1/search?q={found}&repo={key}"),
        format!("/v1/search?q={found}"),
    ]
    .map(|path| Door::new(path, "*/*"))
    .into()
}

/// What tells nobody of it through a virtual repository, or everybody the same.
fn silent(format: &str, key: &str, file: &str, digest: &str) -> Vec<Door> {
    let at = format!("/v1/repos/{key}");
    let name = if format == "maven" { "org.example:tool" } else { "tool" };
    let path = file.split_once(&format!("/{key}/")).map_or(file, |(_, path)| path);
    let paths = [
        format!("{at}/blobs/{digest}"),
        format!("{at}/explain?name={name}"),
        format!("{at}/explain?name={name}&version=0.1.0"),
        format!("{at}/explain?path={path}"),
        format!("{at}/refs?package={name}"),
        format!("{at}/usage"),
    ];
    paths.map(|path| Door::new(path, "*/*")).into()
}

/// A package in a hosted member, and as of a moment at which it was there.
async fn who_may_not_read_a_member_gets_what_he_would_without_it() -> Result<()> {
    let site = site().await?;
    for format in ALL {
        let (all, none) = (format!("{format}-all"), format!("{format}-none"));
        Ware(format).shelf(&site).await?;
        hosted(&site, &none, format).await?;
        put_together(&site, &all, format, &[format, &none], json!({})).await?;
        match format {
            "oci" => drop(push_to(&site.admin, "oci/tool", "0.1.0", "0.1.0", None).await?),
            _ => of(format, Ware(format).publish(&site.admin, "0.1.0").await)?,
        }
    }
    let then = site.server.moment("clock").await?;
    for format in ALL {
        let all = format!("{format}-all");
        let mut doors = native(format, &all, None);
        let file = doors.iter().find(|door| door.path.contains("0.1.0")).cloned();
        let file = file.unwrap_or_else(|| doors[0].clone());
        let digest = digest_of(&file.open(&site.admin).await?.expect(&[200])?.body);
        doors.extend(native(format, &all, Some(&then)));
        doors.extend(told(format, &all, &digest));
        let silent = silent(format, &all, &file.path, &digest);
        of(format, alike(&site, [&all, &format!("{format}-none")], doors, silent).await)?;
    }
    Ok(())
}

/// One in a remote member, fetched and not: nobody makes it ask who may not read it.
async fn who_may_not_read_a_remote_member_gets_what_he_would_without_it() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let mut shelves = Vec::new();
    for (seed, format) in (0..).zip(FORMATS) {
        let bytes = noise(seed, 3000);
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &bytes).await?;
        let (all, none) = (format!("{format}-all"), format!("{format}-none"));
        hosted(&site, &none, format).await?;
        put_together(&site, &all, format, &[shelf.key(), &none], json!({})).await?;
        shelves.push((shelf.at(&all), none, digest_of(&bytes)));
    }
    for (shelf, none, digest) in &shelves {
        let outsider = outsider(&site, [shelf.key(), none]).await?;
        let mut doors = silent(shelf.format, shelf.key(), &shelf.our_file(), digest);
        doors.extend(of_shelf(shelf));
        for door in doors.iter().flat_map(|door| [door.clone(), door.head()]) {
            door.open(&outsider).await?;
        }
        ensure(upstream.total() == 0, format!("{}: {:?}", shelf.format, upstream.asked()))?;
    }
    for (shelf, ..) in &shelves {
        for door in of_shelf(shelf) {
            door.open(&site.admin).await?.expect(&[200])?;
        }
    }
    let then = site.server.moment("clock").await?;
    for (shelf, none, digest) in &shelves {
        let past = shelf.at(&format!("{}@{then}", shelf.key()));
        let shown = [of_shelf(shelf), of_shelf(&past)].concat();
        let silent = silent(shelf.format, shelf.key(), &shelf.our_file(), digest);
        of(shelf.format, alike(&site, [shelf.key(), none], shown, silent).await)?;
    }
    Ok(())
}

fn of_shelf(shelf: &Shelf) -> Vec<Door> {
    let index = INDEXED.contains(&shelf.format).then(|| shelf.our_index());
    let index = index.map(|path| Door::new(path, "application/vnd.pypi.simple.v1+json, */*;q=0.1"));
    [Door::new(shelf.our_file(), "*/*")].into_iter().chain(index).collect()
}

/// Somebody who reads these alone.
async fn outsider(site: &Site, keys: [&str; 2]) -> Result<Persona> {
    let scopes = keys.map(|key| format!("repo:{key}:read"));
    site.person(&format!("{}-out", keys[0]), &[&scopes[0], &scopes[1]]).await
}

/// Each door of a virtual repository answers somebody who may not read its first member as if it had the other alone; `shown`
/// are those that tell others of what the first one has.
async fn alike(site: &Site, [all, none]: [&str; 2], shown: Vec<Door>, silent: Vec<Door>) -> Result<()> {
    let outsider = outsider(site, [all, none]).await?;
    let mut with = Vec::new();
    for door in shown {
        let insiders = door.open(&site.admin).await?.expect(&[200])?;
        let answer = door.open(&outsider).await?;
        ensure(whole(&answer) != whole(&insiders), format!("{}: {}", door.path, whole(&answer)))?;
        for other in door.others(&insiders) {
            with.push((other.clone(), whole(&other.open(&outsider).await?)));
        }
        with.push((door, whole(&answer)));
    }
    for door in silent {
        with.push((door.clone(), whole(&door.open(&outsider).await?)));
    }
    let alone = json!({"memberRepos": [none]});
    site.admin.patch(&format!("/v1/repos/{all}")).json(&alone).send().await?.expect(&[200])?;
    for (door, with) in with {
        let without = whole(&door.open(&outsider).await?);
        ensure(with == without, format!("{door:?}\n{with}\nand without the member\n{without}"))?;
    }
    Ok(())
}

both! {
    who_may_not_read_a_member_gets_what_he_would_without_it;
    who_may_not_read_a_remote_member_gets_what_he_would_without_it;
}

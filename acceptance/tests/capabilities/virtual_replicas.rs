//! What one process changes, the next request of another one shows: in the repository itself and through a virtual one.

use acceptance::Result;
use acceptance::server::Persona;
use serde_json::json;

use crate::moments::images::{IMAGE, digest_of, push_to};
use crate::remotes::shelf::{FORMATS, INDEXED, Shelf, noise, of};
use crate::remotes::upstream::Upstream;
use crate::shape::whole;
use crate::site::{Site, ensure, mint};
use crate::virtuals::{hosted, put_together};
use crate::wares::Ware;

/// Every format that repositories have.
const ALL: [Goods; 7] =
    [Goods("raw"), Goods("npm"), Goods("pypi"), Goods("cargo"), Goods("maven"), Goods("go"), Goods("oci")];

/// The same person at the process that is asked, and at the one that changes something.
type Twins<'a> = (&'a Persona, &'a Persona);

/// What is read of one package, in an order that brings something else to the front each time.
struct Windows {
    paths: Vec<(String, &'static str)>,
    turn: usize,
    shown: Vec<String>,
}

impl Windows {
    fn new(paths: Vec<(String, &'static str)>, turn: usize) -> Self {
        Self { shown: vec![String::new(); paths.len()], paths, turn }
    }

    async fn read(&self, by: &Persona) -> Result<Vec<String>> {
        let mut shown = vec![String::new(); self.paths.len()];
        for place in 0..self.paths.len() {
            let place = (place + self.turn) % self.paths.len();
            let (path, accept) = &self.paths[place];
            shown[place] = whole(&by.get(path).header("Accept", *accept).send().await?);
        }
        Ok(shown)
    }

    /// What changed there is shown here with the very next request: as there, and other than before where `changed` says so.
    async fn see(&mut self, deed: &str, (here, there): Twins<'_>, changed: impl Fn(&str) -> bool) -> Result<()> {
        let (now, truth) = (self.read(here).await?, self.read(there).await?);
        for (place, (path, _)) in self.paths.iter().enumerate() {
            let (now, before) = (&now[place], &self.shown[place]);
            ensure(*now == truth[place], format!("{deed}: {path} here\n{now}\nand there\n{}", truth[place]))?;
            ensure(!changed(path) || now != before, format!("{deed}: {path} is still\n{now}"))?;
        }
        self.shown = now;
        Ok(())
    }

    /// Each path that is `meant` answers with this status.
    fn answer(&self, status: &str, meant: impl Fn(&str) -> bool) -> Result<()> {
        let mut met = self.paths.iter().zip(&self.shown).filter(|((path, _), _)| meant(path));
        let other = met.find(|(_, shown)| !shown.starts_with(status));
        other.map_or(Ok(()), |((path, _), shown)| ensure(false, format!("{path} is no {status}: {shown}")))
    }
}

/// A package of a format in a repository that is called as its format, and in the virtual one behind `-all`.
#[derive(Clone, Copy)]
struct Goods(&'static str);

impl Goods {
    fn paths(self, version: &str) -> Vec<(String, &'static str)> {
        let lists = ["", "-all"].map(|door| (format!("/v1/repos/{}{door}/packages", self.0), "*/*"));
        if self.0 != "oci" {
            let ware = Ware(self.0);
            let doors = ["", "-all"].map(|door| (ware.indexes(door), (ware.file(door, version), "*/*")));
            let firsts = doors.iter().flat_map(|(indexes, file)| [indexes[0].clone(), file.clone()]);
            let others = doors.iter().flat_map(|(indexes, _)| indexes[1..].iter().cloned());
            return firsts.chain(others).chain(lists).collect();
        }
        let layer = digest_of(version.as_bytes());
        let steps = [format!("manifests/{version}"), "tags/list".to_owned(), format!("blobs/{layer}")];
        let at = |door: &str, step: &String| (format!("/v2/oci{door}/app/{step}"), IMAGE);
        steps.iter().flat_map(|step| ["", "-all"].map(|door| at(door, step))).chain(lists).collect()
    }

    /// Publishes a version; returns its id.
    async fn publish(self, by: &Persona, version: &str) -> Result<String> {
        if self.0 != "oci" {
            Ware(self.0).publish(by, version).await?;
            return Ware(self.0).id(by, version).await;
        }
        let digest = push_to(by, "oci/app", version, version, None).await?;
        let path = format!("/v1/repos/oci/packages/versions/resolve?name=app&version={digest}");
        by.get(&path).send().await?.expect(&[200])?.string("/versionId")
    }

    /// Whether a path is one of those that tell which versions there are.
    fn tells(self, path: &str) -> bool {
        ["", "-all"].iter().any(|door| match self.0 {
            "oci" => path.ends_with("/tags/list"),
            format => path == Ware(format).indexes(door)[0].0,
        })
    }

    /// Whether a path is one of them, or one of a file of the version.
    fn gives(self, path: &str, version: &str) -> bool {
        self.tells(path) || path.contains(version) || path.contains(&digest_of(version.as_bytes()))
    }

    /// Whether readers see it there that a version was yanked, or deprecated.
    fn marks(self, path: &str, deed: &str) -> bool {
        let formats: &[&str] = if deed == "deprecate" { &["npm"] } else { &INDEXED };
        formats.contains(&self.0) && self.tells(path)
    }

    async fn together(self, site: &Site) -> Result<()> {
        Ware(self.0).shelf(site).await?;
        put_together(site, &format!("{}-all", self.0), self.0, &[self.0], json!({})).await
    }
}

/// Publishing, marks, withdrawal and what takes it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_are_those_of_the_next_request() -> Result<()> {
    let (site, processes) = Site::twins().await?;
    let twins = (&processes[0], &processes[1]);
    for goods in ALL {
        goods.together(&site).await?;
        for round in 0..4 {
            of(goods.0, a_version_lives(goods, twins, round).await)?;
        }
    }
    Ok(())
}

async fn a_version_lives(goods: Goods, twins: Twins<'_>, round: usize) -> Result<()> {
    let version = format!("0.{}.0", round + 1);
    let mut windows = Windows::new(goods.paths(&version), round);
    windows.shown = windows.read(twins.0).await?;
    let any = |path: &str| goods.gives(path, &version);
    let file = |path: &str| any(path) && !goods.tells(path);
    let id = goods.publish(twins.1, &version).await?;
    windows.see("publish", twins, any).await?;
    windows.answer("200", any)?;
    for deed in ["yank", "unyank", "deprecate"] {
        Ware(goods.0).act(twins.1, &id, deed).await?;
        windows.see(deed, twins, |path| goods.marks(path, deed)).await?;
    }
    Ware(goods.0).act(twins.1, &id, "tombstone").await?;
    windows.see("tombstone", twins, any).await?;
    windows.answer("4", file)?;
    Ware(goods.0).act(twins.1, &id, "restore").await?;
    windows.see("restore", twins, any).await?;
    windows.answer("200", any)
}

/// A tag, a dist-tag, a file that may be replaced, a snapshot, what belongs to an image.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_moves_is_that_of_the_next_request() -> Result<()> {
    let (site, processes) = Site::twins().await?;
    let twins @ (_, there) = (&processes[0], &processes[1]);
    for goods in ["npm", "raw", "oci", "maven"].map(Goods) {
        goods.together(&site).await?;
        goods.publish(there, "0.1.0").await?;
        goods.publish(there, "0.2.0").await?;
    }
    let image = push_to(there, "oci/app", "0.1.0", "0.1.0", None).await?;
    let both = |path: &str| ["", "-all"].map(|door| path.replace("{door}", door));
    let snapshot = "/repository/maven{door}/org/example/tool/1.0-SNAPSHOT/";
    for round in 0..6 {
        let text = format!("round {round}");
        let jar = format!("{}tool-1.0-20260101.00000{round}-{}.jar", snapshot.replace("{door}", ""), round + 1);
        let tagged = ["0.1.0", "0.2.0"][round % 2];
        for (paths, request) in [
            (
                vec![both("/repository/npm{door}/tool"), both("/repository/npm{door}/tool/next")],
                there.put("/repository/npm/-/package/tool/dist-tags/next").json(&json!(tagged)),
            ),
            (
                vec![both("/repository/raw{door}/tool/0.1.0.txt")],
                there.put("/repository/raw/tool/0.1.0.txt").body(text.clone()),
            ),
            (vec![both(&format!("{snapshot}maven-metadata.xml"))], there.put(&jar).body(text.clone())),
        ] {
            let paths = paths.into_iter().flatten().map(|path| (path, "*/*")).collect();
            let mut windows = Windows::new(paths, round);
            windows.shown = windows.read(twins.0).await?;
            request.send().await?.expect(&[200, 201, 204])?;
            windows.see("move", twins, |_| true).await?;
            windows.answer("200", |_| true)?;
        }
        let paths =
            [both("/v2/oci{door}/app/manifests/moving"), both(&format!("/v2/oci{{door}}/app/referrers/{image}"))];
        let mut windows = Windows::new(paths.into_iter().flatten().map(|path| (path, IMAGE)).collect(), round);
        windows.shown = windows.read(twins.0).await?;
        push_to(there, "oci/app", "moving", &text, Some(&image)).await?;
        windows.see("push", twins, |_| true).await?;
        windows.answer("200", |_| true)?;
    }
    Ok(())
}

/// Who is a member, and who may read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_and_rights_are_those_of_the_next_request() -> Result<()> {
    let (site, processes) = Site::twins().await?;
    let (here, there) = (&processes[0], &processes[1]);
    for (round, goods) in ALL.into_iter().enumerate() {
        let (key, all, other) = (goods.0, format!("{}-all", goods.0), format!("{}-other", goods.0));
        goods.together(&site).await?;
        hosted(&site, &other, key).await?;
        goods.publish(there, "0.1.0").await?;
        let name = format!("{key}-reader");
        let binding = |repo: &str| format!("/v1/repos/{repo}/bindings/{name}");
        let read = |repo: &str| there.put(&binding(repo)).json(&json!({"roles": ["read"]}));
        for repo in [key, &all] {
            read(repo).send().await?.expect(&[200])?;
        }
        let token = mint(&site.admin, &name, &[]).await?;
        let [near, far] = [here, there].map(|by| Persona::new(&name, token.secret.clone(), by.client()));
        let members = |list: &[&str]| there.patch(&format!("/v1/repos/{all}")).json(&json!({"memberRepos": list}));
        let revoke = there.post("/v1/admin/auth/pats/revoke-subject").json(&json!({"subject": name}));
        let through = |path: &str| path.contains("-all/");
        let mut windows = Windows::new(goods.paths("0.1.0"), round);
        windows.shown = windows.read(&near).await?;
        windows.answer("200", |path| goods.gives(path, "0.1.0"))?;
        for (deed, request, changed, status) in [
            ("no right on the member", there.delete(&binding(key)), "all", "404"),
            ("a right on the member", read(key), "all", "200"),
            ("another member", members(&[&other]), "through", "404"),
            ("one more member", members(&[&other, key]), "through", "200"),
            ("no token", revoke, "all", "401"),
        ] {
            of(deed, request.send().await?.expect(&[200, 204]))?;
            let meant = |path: &str| changed == "all" || (changed == "through" && through(path));
            of(key, windows.see(deed, (&near, &far), meant).await)?;
            of(deed, windows.answer(status, |path| meant(path) && goods.gives(path, "0.1.0")))?;
        }
    }
    Ok(())
}

/// What rules keep out of a remote repository.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_are_those_of_the_next_request() -> Result<()> {
    let (site, processes) = Site::twins().await?;
    let upstream = Upstream::start().await?;
    let twins @ (here, there) = (&processes[0], &processes[1]);
    for (seed, format) in (0..).zip(FORMATS) {
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &noise(seed, 3000)).await?;
        let (up, own, all) = (shelf.key(), format!("{format}-own"), format!("{format}-all"));
        hosted(&site, &own, format).await?;
        put_together(&site, &all, format, &[up, &own], json!({})).await?;
        let mut paths: Vec<_> = [up, &all].map(|key| (shelf.at(key).our_file(), "*/*")).into();
        if INDEXED.contains(&format) {
            paths.extend([up, &all].map(|key| (shelf.at(key).our_index(), "*/*")));
        }
        for turn in 0..paths.len() {
            let mut windows = Windows::new(paths.clone(), turn);
            for _ in 0..2 {
                // The first reader's answer is not that of what is here.
                windows.shown = windows.read(here).await?;
            }
            of(format, windows.answer("200", |_| true))?;
            let rules = |key: &str, kind: &str| {
                let rules = if kind.is_empty() { json!([]) } else { json!([{"kind": kind, "pattern": "*"}]) };
                there.put(&format!("/v1/repos/{key}/rules")).json(&json!({"rules": rules}))
            };
            for (key, kind, status) in [(up, "block", "4"), (up, "", "200"), (&own, "claim", "404"), (&own, "", "200")]
            {
                rules(key, kind).send().await?.expect(&[200])?;
                of(format, windows.see(kind, twins, |_| true).await)?;
                of(kind, windows.answer(status, |_| true))?;
            }
        }
    }
    Ok(())
}

//! Upstreams that are gone for an hour, and then for longer than what was known is served: what clients of each format
//! are told meanwhile, directly and through a virtual repository, and that little is asked.

use std::time::Duration;

use acceptance::http::{Answer, Request};
use acceptance::shelf::{FORMATS, INDEXED, Shelf, failed, hex, noise, of, remote};
use acceptance::upstream::{Gate, Say, Upstream};
use acceptance::{Result, Trouble};
use futures_util::future::join_all;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::program::Program;

const MINUTE: Duration = Duration::from_secs(60);
/// Longer than an upstream is left alone at most.
const PAUSE: Duration = Duration::from_secs(301);
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gone_for_an_hour_with_one_process() -> Result<()> {
    Box::pin(gone_for_an_hour(&Program::embedded().await?)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gone_for_an_hour_with_several_processes() -> Result<()> {
    Box::pin(gone_for_an_hour(&Program::scaled().await?)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_is_asked_by_one_first() -> Result<()> {
    Box::pin(one_asks_first(&Program::embedded().await?)).await
}

/// A format's package: how it is read through a repository.
struct Shop {
    format: &'static str,
    upstream: Upstream,
    bytes: Vec<u8>,
    /// The body of the index, as it was shown last; of formats that have one.
    index: Option<Vec<u8>>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Index,
    File,
    /// What the upstream would say to have: nobody asked for it yet.
    Late,
    /// The index of a package that nobody has.
    Nobody,
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Trouble::new(what())) }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// Another package of the same format, by its path at the upstream.
fn nobody(format: &str) -> &'static str {
    match format {
        "npm" => "/nobody",
        "pypi" => "/simple/nobody/",
        "cargo" => "/no/bo/nobody",
        "maven" => "/org/example/nobody/maven-metadata.xml",
        "go" => "/example.com/nobody/@v/list",
        _ => "/files/nobody.tar.gz",
    }
}

impl Shop {
    /// Repositories for a new upstream: `{format}-up`, `{format}-late` and the virtual `{format}-all`.
    async fn open(program: &Program, format: &'static str) -> Result<Self> {
        let (upstream, bytes) = (Upstream::start().await?, noise(1, 3000));
        for key in ["up", "late"].map(|end| format!("{format}-{end}")) {
            let settings = json!({"indexSeconds": 60, "missingSeconds": 0, "staleHours": 2});
            remote(program, &key, format, &upstream.url(), settings).await?;
        }
        let own = json!({"repoKey": format!("{format}-own"), "format": format});
        let members = [format!("{format}-own"), format!("{format}-up")];
        let all = json!({"repoKey": format!("{format}-all"), "format": format, "repoType": "virtual",
            "memberRepos": members});
        for body in [own, all] {
            program.admin.post("/v1/repos").json(&body).send().await?.expect(&[201])?;
        }
        let shop = Self { format, upstream, bytes, index: None };
        shop.stock("one");
        Ok(shop)
    }

    /// What the upstream has from now on; `news` is in its index.
    fn stock(&self, news: &str) {
        if self.format != "oci" {
            return Shelf::bare(self.format).stock(&self.upstream, &self.bytes);
        }
        let layer = json!({"mediaType": "a/b", "digest": digest(&self.bytes), "size": self.bytes.len()});
        let manifest = json!({"schemaVersion": 2, "mediaType": IMAGE, "config": layer, "layers": [],
            "annotations": {"news": news}});
        let (manifest, named) = (manifest.to_string(), digest(manifest.to_string().as_bytes()));
        for reference in ["v1", &named] {
            let headers = [("Content-Type", IMAGE), ("Docker-Content-Digest", named.as_str())];
            let at = format!("/v2/app/manifests/{reference}");
            self.upstream.says(&at, Say::answer(200, &headers, manifest.clone()));
        }
        self.upstream.says(&format!("/v2/app/blobs/{}", digest(&self.bytes)), Say::file(self.bytes.clone()));
    }

    fn has_index(&self) -> bool {
        self.format == "oci" || INDEXED.contains(&self.format)
    }

    fn get(&self, program: &Program, key: &str, ask: Ask) -> Request {
        let format = self.format;
        let key = if matches!(ask, Ask::Late) { format!("{format}-late") } else { format!("{format}-{key}") };
        let shelf = Shelf::bare(format).at(&key);
        let path = match (format, ask) {
            ("oci", Ask::Index) => format!("/v2/{key}/app/manifests/v1"),
            ("oci", Ask::File | Ask::Late) => format!("/v2/{key}/app/blobs/{}", digest(&self.bytes)),
            ("oci", Ask::Nobody) => format!("/v2/{key}/nobody/manifests/v1"),
            (_, Ask::Index) => shelf.our_index(),
            (_, Ask::File | Ask::Late) => shelf.our_file(),
            (_, Ask::Nobody) => format!("/repository/{key}{}", nobody(format)),
        };
        let accept = format!("application/vnd.pypi.simple.v1+json, {IMAGE}, */*;q=0.1");
        program.admin.get(&path).header("Accept", accept)
    }

    async fn ask(&self, program: &Program, key: &str, ask: Ask) -> Result<Answer> {
        of(&format!("{} {key} {ask:?}", self.format), self.get(program, key, ask).send().await)
    }

    /// All is well: index and file are here, and the index is not marked as old.
    async fn is_fresh(&mut self, program: &Program) -> Result<()> {
        for key in ["up", "all"] {
            if self.has_index() {
                let index = of(self.format, self.ask(program, key, Ask::Index).await?.expect(&[200]))?;
                ensure(marked(&index).is_none() && index.header("warning").is_none(), || {
                    format!("{} {key}: {:?}", self.format, index.headers)
                })?;
                self.index = Some(index.body.to_vec()).filter(|_| key == "up");
            }
            self.file_is_here(program, key).await?;
        }
        if self.has_index() {
            let index = self.ask(program, "up", Ask::Index).await?;
            self.index = Some(index.body.to_vec());
        }
        Ok(())
    }

    async fn file_is_here(&self, program: &Program, key: &str) -> Result<()> {
        let file = of(self.format, self.ask(program, key, Ask::File).await?.expect(&[200]))?;
        ensure(file.body == self.bytes, || format!("{} {key}: other bytes", self.format))
    }

    /// The upstream is away: what is known is served, marked as known `since` then; all else is its failure.
    async fn is_stale(&self, program: &Program, since: &str) -> Result<()> {
        for key in ["up", "all"] {
            if self.has_index() {
                let index = of(self.format, self.ask(program, key, Ask::Index).await?.expect(&[200]))?;
                let told = index.header("warning").is_some_and(|warning| warning.starts_with("110 "));
                ensure(told && marked(&index) == Some(since), || {
                    format!("{} {key}, since {since}: {:?}", self.format, index.headers)
                })?;
                ensure(key != "up" || Some(index.body.to_vec()) == self.index, || {
                    format!("{} {key}: {}", self.format, index.text())
                })?;
            }
            self.file_is_here(program, key).await?;
        }
        self.all_else_fails(program).await
    }

    async fn all_else_fails(&self, program: &Program) -> Result<()> {
        for (key, ask) in [("up", Ask::Nobody), ("all", Ask::Nobody), ("late", Ask::Late)] {
            let answer = self.ask(program, key, ask).await?;
            of(&format!("{} {key} {ask:?}", self.format), failed(self.format, &answer))?;
        }
        Ok(())
    }

    /// The upstream is away for too long: of what is known only the files are served.
    async fn is_gone(&self, program: &Program) -> Result<()> {
        for key in ["up", "all"] {
            if self.has_index() {
                let answer = self.ask(program, key, Ask::Index).await?;
                of(&format!("{} {key}", self.format), failed(self.format, &answer))?;
            }
            self.file_is_here(program, key).await?;
        }
        self.all_else_fails(program).await
    }
}

fn marked(index: &Answer) -> Option<&str> {
    index.header("x-artifortress-stale-since")
}

async fn gone_for_an_hour(program: &Program) -> Result<()> {
    let mut shops = Vec::new();
    for format in FORMATS.into_iter().chain(["oci"]) {
        let mut shop = Shop::open(program, format).await?;
        shop.is_fresh(program).await?;
        if shop.has_index() {
            let at = shop.get(program, "late", Ask::Index);
            of(format, at.send().await?.expect(&[200]))?;
        }
        shops.push(shop);
    }
    let since = now(program);
    let mut minute = 0;
    for next in (1..=8).chain((15..=60).step_by(5)) {
        program.pass(MINUTE * (next - minute));
        minute = next;
        for shop in &shops {
            // One whose connections break, and one that says that it is in trouble.
            let say = if minute < 30 { Say::default().resets() } else { Say::status(500) };
            shop.upstream.always(Some(say));
            let before = shop.upstream.total();
            of(&format!("minute {minute}"), shop.is_stale(program, &since).await)?;
            let asked = shop.upstream.total() - before;
            // Each repository has a breaker. A question to whom breaks the connection is put once more.
            let most = if minute > 4 { 2 * 2 } else { 2 * 2 * 8 };
            ensure(asked <= most, || format!("{}, minute {minute}: {asked} questions", shop.format))?;
            ensure(minute < 30 || asked > 0 || minute % 10 != 0, || format!("{}: it is not tried again", shop.format))?;
        }
    }
    // To the last second.
    program.pass(60 * MINUTE - Duration::from_secs(1));
    for shop in &shops {
        of("the last second", shop.is_stale(program, &since).await)?;
    }
    program.pass(Duration::from_secs(1));
    for shop in &mut shops {
        of("too old", shop.is_gone(program).await)?;
        come_back(program, shop).await?;
    }
    program.pass(PAUSE);
    for shop in &mut shops {
        let before = shop.index.clone();
        shop.is_fresh(program).await?;
        ensure(!shop.has_index() || shop.index != before, || format!("{}: no news", shop.format))?;
        let late = of(shop.format, shop.ask(program, "late", Ask::Late).await?.expect(&[200]))?;
        ensure(late.body == shop.bytes, || format!("{}: other bytes", shop.format))?;
        for key in ["up", "all"] {
            of(shop.format, shop.ask(program, key, Ask::Nobody).await?.expect(&[404]))?;
        }
    }
    Ok(())
}

/// It is there again, with news, and is left alone all the same for a while.
async fn come_back(program: &Program, shop: &Shop) -> Result<()> {
    shop.stock("two");
    if shop.has_index() && shop.format != "oci" {
        let shelf = Shelf::bare(shop.format);
        let name = shelf.index().split('/').rfind(|part| part.ends_with("tool")).unwrap_or_default().to_owned();
        let link = format!("{}{}", shop.upstream.url(), shelf.file());
        let (kind, body) = shelf.index_body(&name, &link, &shop.bytes);
        let news = match shop.format {
            "go" => format!("{body}v1.2.3\n"),
            "cargo" => format!("{body}{}", body.replace("1.0.0", "1.2.3")),
            "maven" => body.replace("<versions>", "<versions><version>1.2.3</version>"),
            "pypi" => body.replace(r#""size":"#, r#""yanked":"broken","size":"#),
            _ => body.replace("2024-05-06", "2024-05-07"),
        };
        shop.upstream.says(&shelf.index(), Say::answer(200, &[("Content-Type", kind)], news));
    }
    shop.upstream.always(None);
    let before = shop.upstream.total();
    let answer = shop.ask(program, "up", Ask::Nobody).await?;
    of(shop.format, failed(shop.format, &answer))?;
    ensure(shop.upstream.total() == before, || format!("{}: it is not left alone", shop.format))
}

fn now(program: &Program) -> String {
    model::Clock::now(&*program.clock).to_seconds()
}

/// Many want something of an upstream that was left alone: until one of them has got it, nobody else asks.
async fn one_asks_first(program: &Program) -> Result<()> {
    let (upstream, gate) = (Upstream::start().await?, Gate::new());
    remote(program, "up", "raw", &upstream.url(), json!({})).await?;
    let get = |number: usize| program.admin.get(&format!("/repository/up/{number}")).send();
    upstream.always(Some(Say::status(500)));
    for number in 0..9 {
        failed("raw", &get(number).await?)?;
    }
    ensure(upstream.total() == 5, || format!("{} questions", upstream.total()))?;
    let wait = get(9).await?;
    ensure(wait.text().contains("is not asked again before"), || wait.text())?;
    program.pass(PAUSE);
    let here = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nhere";
    upstream.always(Some(Say::default().waits(&gate).bytes(here)));
    let crowd = join_all((10..40).map(get));
    let others = async {
        // All of them have been there by then.
        for _ in 0..50 {
            program.admin.get("/v1/repos").send().await?.expect(&[200])?;
        }
        let asked = upstream.total();
        gate.open();
        ensure(asked <= 6, || format!("{asked} questions"))
    };
    let (crowd, others) = tokio::join!(crowd, others);
    others?;
    let mut served = 0;
    for answer in crowd {
        match answer? {
            answer if answer.status == 200 => served += 1,
            // Nobody waits for long.
            answer => failed("raw", &answer)?,
        }
    }
    ensure(served > 0, || "nobody was served".to_owned())?;
    for number in 40..50 {
        get(number).await?.expect(&[200])?;
    }
    Ok(())
}

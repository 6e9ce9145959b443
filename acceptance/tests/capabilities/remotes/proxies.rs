//! Proxies on the way to upstreams: what goes through them, what they see, and what they are not asked for.

use acceptance::authority::Authority;
use acceptance::http::Answer;
use acceptance::proxy::Proxy;
use acceptance::server::{Backing, Plan, Server};
use acceptance::{Result, scratch};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::shelf::{DECLARED, FORMATS, INDEXED, Shelf, failed, noise, of, remote};
use super::upstream::{Say, Upstream};
use crate::engines::both;
use crate::site::{Site, ensure, plan, program};

/// A name that nobody can look up: the proxy alone knows where it is.
const NAME: &str = "packages.invalid";
/// What nobody may see but whom it is for.
const UPSTREAMS: &str = "canary-upstream-4711";
const PROXYS: &str = "canary-proxy-4712";

async fn started(plan: Plan) -> Result<Site> {
    let server = plan.start().await?;
    Ok(Site { admin: server.admin()?, server })
}

/// A server that may read from loopback, and believes `ours`.
fn open(ours: &Authority) -> Result<Plan> {
    let file = scratch::folder("bundle")?.join("ca.pem");
    std::fs::write(&file, ours.pem())?;
    let plan = plan().variable("ARTIFORTRESS_PRIVATE_UPSTREAMS", "127.0.0.0/8");
    Ok(plan.variable("SSL_CERT_FILE", file.display().to_string()))
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// A remote repository with a login, for the upstream under the name that the proxy knows.
async fn with_login(site: &Site, shelf: &Shelf, upstream: &Upstream, settings: Value) -> Result<()> {
    let url = upstream.url().replace("127.0.0.1", NAME);
    let body = json!({"repoKey": shelf.key(), "format": shelf.format, "repoType": "remote", "upstreamUrl": url,
        "upstreamAuth": {"kind": "basic", "user": "ada", "password": UPSTREAMS}, "settings": {"upstream": settings}});
    site.admin.post("/v1/repos").json(&body).send().await?.expect(&[201]).map(drop)
}

/// Index and file, whose link leads to the same name.
async fn reads(site: &Site, shelf: &Shelf, upstream: &Upstream) -> Result<()> {
    let bytes = noise(1, 3000);
    shelf.stock(upstream, &bytes);
    if DECLARED.contains(&shelf.format) {
        shelf.tell(upstream, &upstream.url().replace("127.0.0.1", NAME), &bytes);
    }
    if INDEXED.contains(&shelf.format) {
        of(shelf.key(), shelf.get_index(&site.admin).send().await?.expect(&[200]))?;
    }
    let file = of(shelf.key(), shelf.get_file(&site.admin).send().await?.expect(&[200]))?;
    ensure(file.body == bytes, format!("{}: other bytes", shelf.key()))
}

/// Everything that came to an upstream, in words: with its own credentials, and nothing of the proxy's.
fn was_asked_as_ada(upstream: &Upstream) -> Result<()> {
    let shown = basic("ada", UPSTREAMS);
    ensure(upstream.total() > 0, "it was not asked")?;
    for asked in upstream.asked() {
        let told = format!("{asked:?}").to_lowercase();
        ensure(asked.header("authorization") == Some(&shown) && !told.contains("proxy-"), told)?;
    }
    Ok(())
}

/// Requests without TLS go through as they are; for those with it the proxy is told a name and a port.
fn saw(proxy: &Proxy, plain: &Upstream, secure: &Upstream, credentials: Option<&str>) -> Result<()> {
    let seen = proxy.seen();
    let (tunnels, open): (Vec<_>, Vec<_>) = seen.iter().partition(|head| head.starts_with("CONNECT "));
    ensure(open.len() == plain.total() && tunnels.len() == secure.total(), format!("{seen:?}"))?;
    let (plain, secure) = (plain.address().port(), secure.address().port());
    for head in open {
        ensure(head.starts_with(&format!("GET http://{NAME}:{plain}/")), head)?;
    }
    for head in tunnels {
        ensure(head.starts_with(&format!("CONNECT {NAME}:{secure} HTTP/1.1\r\n")), head)?;
        let lower = head.to_lowercase();
        ensure(!lower.contains("\r\nauthorization:") && !head.contains(&basic("ada", UPSTREAMS)), head)?;
    }
    let shown = seen.iter().map(|head| head.lines().find_map(|line| line.strip_prefix("proxy-authorization: ")));
    ensure(shown.into_iter().all(|shown| shown == credentials), format!("{seen:?}"))
}

async fn two(ours: &Authority, proxy: &Proxy) -> Result<[Upstream; 2]> {
    let all = [Upstream::start().await?, Upstream::over_tls(ours.vouches_for(&[NAME])?).await?];
    // One name for both: the proxy leads by port.
    for upstream in &all {
        proxy.leads(&format!("{NAME}:{}", upstream.address().port()), upstream.address());
    }
    Ok(all)
}

async fn a_repositorys_own_proxy_is_the_way_to_its_upstream() -> Result<()> {
    let (ours, proxy) = (Authority::new()?, Proxy::start().await?);
    let site = started(open(&ours)?).await?;
    for format in FORMATS {
        let [plain, secure] = two(&ours, &proxy).await?;
        let before = proxy.seen().len();
        for (what, upstream) in [("plain", &plain), ("tls", &secure)] {
            let shelf = Shelf::bare(format).at(&format!("{format}-{what}"));
            with_login(&site, &shelf, upstream, json!({"proxy": format!("http://{}", proxy.address())})).await?;
            reads(&site, &shelf, upstream).await?;
            was_asked_as_ada(upstream)?;
        }
        ensure(proxy.seen().len() - before == plain.total() + secure.total(), format!("{format}: {:?}", proxy.seen()))?;
    }
    // What is checked and what is brought ahead goes the same way.
    let fresh = Proxy::start().await?;
    let [plain, secure] = two(&ours, &fresh).await?;
    for (key, upstream) in [("plain", &plain), ("tls", &secure)] {
        let shelf = Shelf::bare("npm").at(key);
        shelf.stock(upstream, &noise(1, 3000));
        shelf.tell(upstream, &upstream.url().replace("127.0.0.1", NAME), &noise(1, 3000));
        with_login(&site, &shelf, upstream, json!({"proxy": format!("http://{}", fresh.address())})).await?;
        let check = site.admin.post(&format!("/v1/repos/{key}/upstream/check")).send().await?.expect(&[200])?.json()?;
        ensure(check["reachable"] == true, check.to_string())?;
        let done = program(&site.server, site.admin.token(), &["mirror", key, "--name", "ntool"])?;
        ensure(done.status.success(), format!("{done:?}"))?;
        was_asked_as_ada(upstream)?;
    }
    saw(&fresh, &plain, &secure, None)
}

async fn the_usual_variables_name_proxies_and_what_goes_past_them() -> Result<()> {
    let ours = Authority::new()?;
    let (one, two_) = (Proxy::wanting(&basic("bob", PROXYS)).await?, Proxy::wanting(&basic("bob", PROXYS)).await?);
    let plan = open(&ours)?.variable("NO_PROXY", "127.0.0.0/8,direct.invalid");
    let plan = plan.variable("HTTP_PROXY", format!("http://bob:{PROXYS}@{}", one.address()));
    let plan = plan.variable("HTTPS_PROXY", format!("http://bob:{PROXYS}@{}", two_.address()));
    let site = started(plan.variable("ARTIFORTRESS_LOG", "trace")).await?;
    let ([plain, _], [_, secure]) = (two(&ours, &one).await?, two(&ours, &two_).await?);
    for format in FORMATS {
        for (what, upstream) in [("plain", &plain), ("tls", &secure)] {
            let shelf = Shelf::bare(format).at(&format!("{format}-{what}"));
            with_login(&site, &shelf, upstream, json!({})).await?;
            reads(&site, &shelf, upstream).await?;
        }
        // Past them: nobody sees the proxy's credentials, not even where a redirect leads there from behind it.
        let direct = Upstream::start().await?;
        let (straight, sent) =
            (Shelf::bare(format).at(&format!("{format}-direct")), Shelf::bare(format).at(&format!("{format}-sent")));
        let bytes = noise(1, 3000);
        straight.stock(&direct, &bytes);
        remote(&site, straight.key(), format, &direct.url(), json!({})).await?;
        of(format, straight.get_file(&site.admin).send().await?.expect(&[200]))?;
        with_login(&site, &sent, &plain, json!({})).await?;
        plain.says(&sent.file(), Say::redirect(&format!("{}{}", direct.url(), sent.file())));
        let file = of(format, sent.get_file(&site.admin).send().await?.expect(&[200]))?;
        ensure(file.body == bytes, format!("{format}: other bytes"))?;
        for asked in direct.asked() {
            ensure(!format!("{asked:?}").to_lowercase().contains("authorization"), format!("{asked:?}"))?;
        }
    }
    was_asked_as_ada(&plain)?;
    was_asked_as_ada(&secure)?;
    let nobody = [Upstream::start().await?, Upstream::start().await?];
    saw(&one, &plain, &nobody[0], Some(&basic("bob", PROXYS)))?;
    saw(&two_, &nobody[1], &secure, Some(&basic("bob", PROXYS)))?;
    let last = "01a1fd17-0000-7000-8000-000000000004";
    site.admin.get("/v1/repos").header("X-Correlation-Id", last).send().await?.expect(&[200])?;
    let log = site.server.logged(last).await?;
    let secrets = [PROXYS.to_owned(), UPSTREAMS.to_owned(), basic("bob", PROXYS), basic("ada", UPSTREAMS)];
    ensure(secrets.iter().all(|secret| !log.contains(secret)), "credentials are in the log")
}

/// A proxy that lets nobody in, that is not there, or whose address makes no sense is a failure like others.
async fn a_proxy_that_fails_is_no_absence() -> Result<()> {
    let (ours, closed) = (Authority::new()?, Proxy::wanting("Basic nobody-has-this").await?);
    let site = started(open(&ours)?).await?;
    let [plain, secure] = two(&ours, &closed).await?;
    for format in FORMATS {
        for (number, (upstream, proxy)) in [
            (&plain, format!("http://{}", closed.address())),
            (&secure, format!("http://{}", closed.address())),
            (&plain, "http://127.0.0.1:9".to_owned()),
            (&secure, "http://127.0.0.1:9".to_owned()),
            (&plain, "http://nowhere.invalid:3128".to_owned()),
        ]
        .into_iter()
        .enumerate()
        {
            let shelf = Shelf::bare(format).at(&format!("{format}-{number}"));
            with_login(&site, &shelf, upstream, json!({ "proxy": proxy })).await?;
            of(shelf.key(), refused(format, &shelf.get_file(&site.admin).send().await?))?;
            of(shelf.key(), refused(format, &shelf.get_index(&site.admin).send().await?))?;
        }
    }
    ensure(plain.total() + secure.total() == 0, "an upstream was asked past the proxy")
}

fn refused(format: &str, answer: &Answer) -> Result<()> {
    failed(format, answer)?;
    ensure(!answer.text().contains(UPSTREAMS), answer.text())
}

/// What was asked but by the client of the bucket, which goes the same way.
fn of_upstreams(proxy: &Proxy) -> Vec<String> {
    let mut seen = proxy.seen();
    seen.retain(|head| !head.contains("object_store"));
    seen
}

/// The bucket is behind the same proxies as upstreams, but for what `NO_PROXY` names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_is_reached_through_the_usual_proxies() -> Result<()> {
    for past in [None, Some("127.0.0.1")] {
        let proxy = Proxy::start().await?;
        let mut plan = Server::plan(Backing::Scaled).variable("HTTP_PROXY", format!("http://{}", proxy.address()));
        if let Some(past) = past {
            plan = plan.variable("NO_PROXY", past);
        }
        let site = started(plan).await?;
        site.repository("files", json!({})).await?;
        let bytes = noise(1, 300_000);
        let put = site.admin.put("/repository/files/a").body(bytes.clone()).send().await?;
        put.expect(&[201])?;
        let got = site.admin.get("/repository/files/a").send().await?.expect(&[200])?;
        let asked = proxy.seen().iter().any(|head| head.contains("object_store"));
        ensure(got.body == bytes && asked == past.is_none(), format!("{past:?}: {:?}", proxy.seen()))?;
    }
    Ok(())
}

/// What may not be asked is not asked of a proxy either: addresses, names of them, links and redirects.
async fn the_walls_hold_behind_a_proxy() -> Result<()> {
    let (proxy, sentinel) = (Proxy::start().await?, Upstream::start().await?);
    // The operator's proxy may be anywhere.
    let way = format!("http://{}", proxy.address());
    let site = started(plan().variable("HTTP_PROXY", way.clone()).variable("HTTPS_PROXY", way)).await?;
    let home = Upstream::start().await?;
    proxy.leads(NAME, home.address());
    let port = sentinel.address().port();
    for (number, host) in
        ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1", "169.254.169.254"].iter().enumerate()
    {
        for (scheme, format) in [("http", "raw"), ("https", "npm")] {
            let shelf = Shelf::bare(format).at(&format!("{format}-{number}"));
            remote(&site, shelf.key(), format, &format!("{scheme}://{host}:{port}"), json!({})).await?;
            let answer = of(host, shelf.get_file(&site.admin).send().await?.expect(&[503]))?;
            ensure(answer.text().contains("private_upstreams"), format!("{host}: {}", answer.text()))?;
        }
    }
    ensure(of_upstreams(&proxy).is_empty(), format!("{:?}", proxy.seen()))?;
    for format in FORMATS {
        let (bytes, away) = (noise(1, 3000), |path: &str| Say::redirect(&format!("{}{path}", sentinel.url())));
        let (linked, sent) =
            (Shelf::bare(format).at(&format!("{format}-l")), Shelf::bare(format).at(&format!("{format}-r")));
        for shelf in [&linked, &sent] {
            remote(&site, shelf.key(), format, &format!("http://{NAME}"), json!({})).await?;
            shelf.stock(&sentinel, &bytes);
        }
        if DECLARED.contains(&format) {
            linked.tell(&home, &sentinel.url(), &bytes);
            of(format, linked.get_index(&site.admin).send().await?.expect(&[200]))?;
            of(format, linked.get_file(&site.admin).send().await?.expect(&[503]))?;
        }
        home.says(&sent.index(), away(&sent.index()));
        home.says(&sent.file(), away(&sent.file()));
        if INDEXED.contains(&format) {
            of(format, sent.get_index(&site.admin).send().await?.expect(&[503]))?;
        }
        of(format, sent.get_file(&site.admin).send().await?.expect(&[503]))?;
    }
    let mut beyond = of_upstreams(&proxy);
    beyond.retain(|head| !head.starts_with(&format!("GET http://{NAME}/")));
    ensure(home.total() > 0 && beyond.is_empty() && sentinel.total() == 0, format!("{beyond:?} {:?}", sentinel.asked()))
}

/// Whoever may set up a repository names its proxy: it is behind the same walls, or it would be a way around them.
async fn a_repositorys_own_proxy_is_within_the_walls() -> Result<()> {
    let (sentinel, site) = (Upstream::start().await?, started(plan()).await?);
    sentinel.always(Some(Say::file("secret")));
    let port = sentinel.address().port();
    for (number, host) in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1"].iter().enumerate() {
        for (scheme, format) in [("http", "raw"), ("https", "npm")] {
            let shelf = Shelf::bare(format).at(&format!("{format}-{number}"));
            let settings = json!({"proxy": format!("http://{host}:{port}")});
            remote(&site, shelf.key(), format, &format!("{scheme}://{NAME}"), settings).await?;
            let answer = of(host, shelf.get_file(&site.admin).send().await?.expect(&[503]))?;
            let told = answer.text().contains("the proxy ") && answer.text().contains("private_upstreams");
            ensure(told, format!("{host}: {}", answer.text()))?;
            let check = site.admin.post(&format!("/v1/repos/{}/upstream/check", shelf.key())).send().await?;
            let check = check.expect(&[200])?.json()?;
            ensure(check["problem"] == "forbidden_address", check.to_string())?;
        }
    }
    ensure(sentinel.total() == 0, format!("{:?}", sentinel.asked()))
}

both! {
    a_repositorys_own_proxy_is_the_way_to_its_upstream;
    the_usual_variables_name_proxies_and_what_goes_past_them;
    a_proxy_that_fails_is_no_absence;
    the_walls_hold_behind_a_proxy;
    a_repositorys_own_proxy_is_within_the_walls;
}

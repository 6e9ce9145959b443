//! Where a remote repository's questions go, and what they carry: credentials to one origin, nothing to closed networks.

use std::net::Ipv4Addr;

use acceptance::Result;
use acceptance::server::{Plan, Server};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::shelf::{FORMATS, INDEXED, Shelf, noise, of, remote, site};
use super::upstream::{Say, Upstream};
use crate::engines::both;
use crate::site::{Site, ensure, plan};

const CANARY: &str = "canary-4711-hunter2";

async fn started(plan: Plan) -> Result<Site> {
    let server: Server = plan.start().await?;
    Ok(Site { admin: server.admin()?, server })
}

async fn with_login(site: &Site, shelf: &Shelf, url: &str, login: &Value) -> Result<()> {
    let body = json!({"repoKey": shelf.key(), "format": shelf.format, "repoType": "remote", "upstreamUrl": url,
        "upstreamAuth": login});
    site.admin.post("/v1/repos").json(&body).send().await?.expect(&[201]).map(drop)
}

/// What the index links to and where a redirect leads is another origin: it sees no login.
async fn credentials_go_to_their_origin_alone() -> Result<()> {
    let site =
        started(plan().variable("ARTIFORTRESS_PRIVATE_UPSTREAMS", "127.0.0.0/8").variable("ARTIFORTRESS_LOG", "trace"))
            .await?;
    let basic = json!({"kind": "basic", "user": "ada", "password": CANARY});
    let bearer = json!({"kind": "bearer", "token": CANARY});
    let shown = [format!("Basic {}", STANDARD.encode(format!("ada:{CANARY}"))), format!("Bearer {CANARY}")];
    for (login, shown) in [basic, bearer].iter().zip(&shown) {
        for format in FORMATS {
            let (home, elsewhere, bytes) = (Upstream::start().await?, Upstream::start().await?, noise(1, 3000));
            let kind = login["kind"].as_str().unwrap_or_default();
            let (linked, redirected) = (format!("{format}-{kind}-l"), format!("{format}-{kind}-r"));
            let (linked, redirected) = (Shelf::bare(format).at(&linked), Shelf::bare(format).at(&redirected));
            for shelf in [&linked, &redirected] {
                with_login(&site, shelf, &home.url(), login).await?;
            }
            linked.stock(&home, &bytes);
            linked.stock(&elsewhere, &bytes);
            linked.tell(&home, &elsewhere.url(), &bytes);
            read(&site, &linked, &bytes).await?;
            redirected.stock(&home, &bytes);
            let away = |path: &str| Say::redirect(&format!("{}{path}", elsewhere.url()));
            home.says(&redirected.index(), away(&redirected.index()));
            home.says(&redirected.file(), away(&redirected.file()));
            read(&site, &redirected, &bytes).await?;
            ensure(home.total() > 0 && elsewhere.total() > 0, format!("{format}: both were asked"))?;
            for asked in home.asked() {
                ensure(asked.header("authorization") == Some(shown), format!("{format}: {asked:?}"))?;
            }
            for asked in elsewhere.asked() {
                ensure(!format!("{asked:?}").contains("uthorization"), format!("{format}: {asked:?}"))?;
            }
        }
    }
    let last = "01a1fd17-0000-7000-8000-000000000003";
    site.admin.get("/v1/repos").header("X-Correlation-Id", last).send().await?.expect(&[200])?;
    let log = site.server.logged(last).await?;
    ensure(!log.contains(CANARY) && shown.iter().all(|shown| !log.contains(shown)), "a login is in the log")
}

async fn read(site: &Site, shelf: &Shelf, bytes: &[u8]) -> Result<()> {
    if INDEXED.contains(&shelf.format) {
        of(shelf.format, shelf.get_index(&site.admin).send().await?.expect(&[200]))?;
    }
    let file = of(shelf.format, shelf.get_file(&site.admin).send().await?.expect(&[200]))?;
    ensure(file.body == bytes, "other bytes")
}

async fn a_private_upstream_is_refused_with_the_setting_that_allows_it() -> Result<()> {
    let (site, sentinel) = (started(plan()).await?, Upstream::start().await?);
    let port = sentinel.url().rsplit_once(':').map(|(_, port)| port.to_owned()).unwrap_or_default();
    let spellings = ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0.0.0.0"];
    for (number, host) in spellings.into_iter().enumerate() {
        for format in ["raw", "npm"] {
            let shelf = Shelf::bare(format).at(&format!("{format}-{number}"));
            shelf.stock(&sentinel, b"secret");
            remote(&site, shelf.key(), format, &format!("http://{host}:{port}"), json!({})).await?;
            for request in [shelf.get_index(&site.admin), shelf.get_file(&site.admin)] {
                let answer = of(host, request.send().await?.expect(&[503]))?;
                ensure(answer.text().contains("private_upstreams"), format!("{host}: {}", answer.text()))?;
            }
        }
    }
    ensure(sentinel.total() == 0, format!("a closed address was asked: {:?}", sentinel.asked()))
}

/// One address is open; links and redirects into another one lead nowhere.
async fn links_and_redirects_do_not_lead_behind_the_walls() -> Result<()> {
    let site = started(plan().variable("ARTIFORTRESS_PRIVATE_UPSTREAMS", "127.0.0.1/32")).await?;
    let (home, sentinel) = (Upstream::start().await?, Upstream::at(Ipv4Addr::new(127, 0, 0, 2)).await?);
    for format in FORMATS {
        let bytes = noise(1, 3000);
        let (linked, redirected) =
            (Shelf::bare(format).at(&format!("{format}-l")), Shelf::bare(format).at(&format!("{format}-r")));
        for shelf in [&linked, &redirected] {
            remote(&site, shelf.key(), format, &home.url(), json!({})).await?;
        }
        linked.stock(&sentinel, &bytes);
        let away = |path: &str| Say::redirect(&format!("{}{path}", sentinel.url()));
        if ["npm", "pypi", "cargo"].contains(&format) {
            linked.tell(&home, &sentinel.url(), &bytes);
            linked.get_index(&site.admin).send().await?.expect(&[200])?;
            of(format, linked.get_file(&site.admin).send().await?.expect(&[503]))?;
        }
        redirected.stock(&home, &bytes);
        if INDEXED.contains(&format) {
            home.says(&redirected.index(), away(&redirected.index()));
            of(format, redirected.get_index(&site.admin).send().await?.expect(&[503]))?;
        }
        home.says(&redirected.file(), away(&redirected.file()));
        of(format, redirected.get_file(&site.admin).send().await?.expect(&[503]))?;
    }
    ensure(home.total() > 0 && sentinel.total() == 0, format!("behind the wall: {:?}", sentinel.asked()))?;
    // The sentinel is there, and its wall is what keeps it.
    let open = site_reads(&sentinel).await?;
    ensure(open && sentinel.total() > 0, "the sentinel answers")
}

async fn site_reads(upstream: &Upstream) -> Result<bool> {
    let site = site().await?;
    remote(&site, "open", "raw", &upstream.url(), json!({})).await?;
    upstream.says("/a", Say::file("a"));
    Ok(site.admin.get("/repository/open/a").send().await?.status == 200)
}

both! {
    credentials_go_to_their_origin_alone;
    a_private_upstream_is_refused_with_the_setting_that_allows_it;
    links_and_redirects_do_not_lead_behind_the_walls;
}

//! Who npm is for its registry: logging in through a browser, tokens listed, made and revoked by npm itself.

use std::time::Duration;

use acceptance::http::Http;
use acceptance::server::{Backing, Server};
use acceptance::{Result, Trouble};
use serde_json::{Value as Json, json};

use crate::desk::{Deed, Desk};
use crate::node::{client, set_up};

const NPM: &str = "npm/11.19.1 node/v20";

/// The path of an address of this server.
fn path(url: &str) -> Result<String> {
    let rest = url.trim().strip_prefix("http://").and_then(|rest| rest.split_once('/'));
    rest.map(|(_, path)| format!("/{path}")).ok_or_else(|| Trouble::new(format!("{url:?} is no address")))
}

/// Types a token into the page.
async fn submit(http: &Http, page: &str, token: &str) -> Result<acceptance::http::Answer> {
    let form = http.post(page).header("Content-Type", "application/x-www-form-urlencoded");
    form.body(format!("token={token}")).send().await
}

#[tokio::test]
async fn npm_logs_in_through_a_browser() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "npm").await?;
    let rita = desk.token("rita", &["repo:npm:read"]).await?;
    let stranger = desk.token("sam", &["repo:other:read"]).await?;
    set_up(&desk, "home", false)?;
    // A token that has ended stands in no way.
    let login = client(&desk, "home", "not-a-token", "npm")?.args(["login", "--browser=false"]);
    let (url, login) = login.until_it_says("http")?;
    let (page, browser) = (path(&url)?, desk.server.http()?);
    let shown = browser.get(&page).send().await?.expect(&[200])?;
    assert!(shown.text().contains("<form method=\"post\">") && shown.text().contains("<code>npm</code>"));
    assert!(shown.header("content-security-policy").unwrap_or_default().contains("form-action 'self'"));
    assert_eq!(
        (shown.header("cache-control"), shown.header("referrer-policy")),
        (Some("no-store"), Some("no-referrer"))
    );
    for (token, status, words) in [
        ("not-a-token", 401, "the token is unknown"),
        (stranger.as_str(), 404, "the repository npm was not found"),
        ("", 401, "the token is unknown"),
    ] {
        let refused = submit(&browser, &page, token).await?.expect(&[status])?;
        assert!(refused.text().contains(words) && refused.text().contains("<form"), "{}", refused.text());
    }
    submit(&browser, &page, &rita).await?.expect(&[200])?;
    assert!(login.works()?.contains("Logged in on"));

    let kept = std::fs::read_to_string(desk.home.join("home/.npmrc"))?;
    assert!(kept.contains(":_authToken=aft_") && !kept.contains(&rita), "npm keeps a token of its own");
    let run = |args: &[&str]| -> Result<Deed> { Ok(client(&desk, "home", "none", "npm")?.args(args.iter().copied())) };
    assert_eq!(run(&["whoami"])?.works()?.trim(), "rita");
    run(&["logout"])?.works()?;
    run(&["whoami"])?.fails_saying(&["ENEEDAUTH"])?;
    Ok(())
}

/// pnpm asks for its token without saying its name.
#[tokio::test]
async fn pnpm_logs_in_through_a_browser() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "npm").await?;
    let rita = desk.token("rita", &["repo:npm:read"]).await?;
    desk.write("home/.npmrc", format!("registry={}/\n", desk.url()?))?;
    let run = |args: &[&str]| -> Result<Deed> { Ok(client(&desk, "home", "none", "pnpm")?.args(args.iter().copied())) };
    let (url, login) = run(&["login"])?.until_it_says("http")?;
    submit(&desk.server.http()?, &path(&url)?, &rita).await?.expect(&[200])?;
    login.works()?;
    assert_eq!(run(&["whoami"])?.works()?.trim(), "rita");
    Ok(())
}

#[tokio::test]
async fn a_login_begun_here_is_confirmed_there_and_fetched_once() -> Result<()> {
    let server = Server::plan(Backing::Scaled).apis(2).start().await?;
    server.repository("npm", "npm").await?;
    let addresses = server.addresses();
    let (one, two) = (Http::new(addresses[0]), Http::new(addresses[1]));
    let rita = server.persona("rita")?.with("repo:npm:read").arrive().await?;
    let begin = async |http: &Http| -> Result<(String, String)> {
        let begun = http.post("/repository/npm/-/v1/login").header("User-Agent", NPM).json(&json!({})).send().await?;
        let begun = begun.expect(&[200])?;
        Ok((path(&begun.string("/loginUrl")?)?, path(&begun.string("/doneUrl")?)?))
    };
    let ask = async |http: &Http, done: &str| http.get(done).header("User-Agent", NPM).send().await;
    // Older ones begin so wherever they run: refused, they ask for a name and a password.
    let older = one.post("/repository/npm/-/v1/login").header("User-Agent", "npm/8.5.1 node/v12.22.9 linux x64");
    older.json(&json!({})).send().await?.expect(&[401])?;
    // Not every client says its name.
    let nameless = one.post("/repository/npm/-/v1/login").send().await?.expect(&[200])?;
    one.get(&path(&nameless.string("/doneUrl")?)?).send().await?.expect(&[202])?;
    one.get("/repository/npm/-/v1/done/file").send().await?.expect(&[401])?;
    let (page, done) = begin(&one).await?;
    let waits = ask(&two, &done).await?.expect(&[202])?;
    assert!(waits.header("retry-after").is_some_and(|seconds| seconds.parse::<u8>().is_ok_and(|seconds| seconds > 0)));
    submit(&two, &page, rita.token()).await?.expect(&[200])?;
    // Whoever knows the page alone fetches nothing, nor does another repository's client.
    let secret_of_page = page.replace("/login/npm/", "/repository/npm/-/v1/done/");
    ask(&one, &secret_of_page).await?.expect(&[202])?;
    ask(&one, &done.replace("/npm/", "/other/")).await?.expect(&[202])?;
    let token = ask(&one, &done).await?.expect(&[200])?.string("/token")?;
    assert_eq!(one.with_token(&token).get("/repository/npm/-/whoami").send().await?.string("/username")?, "rita");
    ask(&two, &done).await?.expect(&[202])?;
    // It dies with the token it was confirmed with.
    let (page, done) = begin(&two).await?;
    submit(&one, &page, rita.token()).await?.expect(&[200])?;
    let body = json!({"subject": "rita"});
    server.admin()?.post("/v1/admin/auth/pats/revoke-subject").json(&body).send().await?.expect(&[200])?;
    ask(&one, &done).await?.expect(&[401])?;
    two.with_token(&token).get("/repository/npm/-/whoami").send().await?.expect(&[401])?;
    // What has ended, or was never begun, is said.
    let old = page.replace(page.split('/').nth(3).unwrap_or_default(), "1700000000");
    assert!(one.get(&old).send().await?.expect(&[410])?.text().contains("this login has ended"));
    one.get("/login/npm/1700000000/x").send().await?.expect(&[404])?;
    ask(&one, "/repository/npm/-/v1/done/1700000000/x").await?.expect(&[410]).map(drop)
}

#[tokio::test]
async fn npm_lists_makes_and_revokes_tokens() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "npm").await?;
    let wim = desk.token("wim", &["repo:npm:write", "repo:npm:promote"]).await?;
    let rita = desk.token("rita", &["repo:npm:read"]).await?;
    set_up(&desk, "home", false)?;
    let run = |token: &str, args: &[&str]| -> Result<Deed> {
        Ok(client(&desk, "home", token, "npm")?.args(["token"]).args(args.iter().copied()))
    };
    let list = || -> Result<Vec<Json>> { Ok(serde_json::from_str(&run(&wim, &["list", "--json"])?.works()?)?) };
    assert_eq!(list()?.len(), 1);
    let password = format!("--password={wim}");
    let create = |more: &[&str]| -> Result<Json> {
        let made = run(&wim, &["create", "--json", &password])?.args(more.iter().copied()).works()?;
        Ok(serde_json::from_str(&made)?)
    };
    let same = create(&["--name=ci", "--token-description=builds"])?;
    let weak = create(&["--packages-all", "--packages-and-scopes-permission=read-only", "--expires=1"])?;
    assert!(same["readonly"] == false && weak["readonly"] == true && same["name"] == "ci: builds");
    let secret = |made: &Json| made["token"].as_str().unwrap_or_default().to_owned();
    let scopes = async |token: String| -> Result<Json> {
        let who = desk.server.http()?.with_token(&token).get("/v1/auth/whoami").send().await?;
        Ok(who.expect(&[200])?.json()?["scopes"].clone())
    };
    assert_eq!(scopes(secret(&weak)).await?, json!(["repo:npm:read"]));
    assert_eq!(scopes(secret(&same)).await?, json!(["repo:npm:write", "repo:npm:promote"]));
    let shown = run(&wim, &["list"])?.works()?;
    assert!(shown.contains("name ci: builds") && !shown.contains(&secret(&same)) && !shown.contains("whitelist"));

    run(&wim, &["create", &password, "--cidr=10.0.0.0/8"])?.fails_saying(&["not bound to addresses", "--cidr"])?;
    run(&wim, &["create", &password, "--expires=400"])?.fails_saying(&["7 whole days"])?;
    run(&wim, &["create", "--password=guess"])?.fails_saying(&["E403", "the password must be a token of wim"])?;
    run(&rita, &["create", &password])?.fails_saying(&["E403", "the password must be a token of rita"])?;
    let own = format!("--password={rita}");
    let more = "--packages-and-scopes-permission=read-write";
    run(&rita, &["create", &own, more])?.fails_saying(&["E403", "you do not hold repo:npm:write"])?;
    run("not-a-token", &["list"])?.fails_saying(&["E401"])?;

    // By the beginning of its id, and by itself.
    let tokens = list()?;
    let id = tokens.iter().find(|token| token["name"] == "ci: builds").and_then(|token| token["id"].as_str());
    run(&wim, &["revoke", id.unwrap_or_default()])?.works()?;
    run(&wim, &["revoke", &secret(&weak)])?.works()?;
    assert_eq!(list()?.len(), 1);
    for made in [&same, &weak] {
        let dead = desk.server.http()?.with_token(&secret(made)).get("/repository/npm/-/whoami").send().await?;
        dead.expect(&[401])?;
    }
    // Nobody ends another's.
    let others = format!("/repository/npm/-/npm/v1/tokens/token/{wim}");
    desk.server.http()?.with_token(&rita).delete(&others).send().await?.expect(&[404])?;
    assert_eq!(list()?.len(), 1);
    // The journal says it as it says it of /v1, as soon as its events are numbered.
    for (action, times) in [("auth.pat.issued", 2), ("auth.pat.revoked", 2)] {
        let mut patience = 600;
        while events(&desk, action).await? != times {
            patience -= 1;
            assert!(patience > 0, "{action}: {}", events(&desk, action).await?);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

/// How often the journal says that wim did this.
async fn events(desk: &Desk, action: &str) -> Result<usize> {
    let found = desk.admin.get(&format!("/v1/audit?subject=wim&action={action}")).send().await?.expect(&[200])?;
    Ok(found.json()?["items"].as_array().map_or(0, Vec::len))
}

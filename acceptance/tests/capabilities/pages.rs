//! The pages as a browser shows them: everything is there, and its console has nothing to say.

use acceptance::Result;
use acceptance::browser::Browser;
use serde_json::{Value, json};

use crate::shape::ask;
use crate::site::{Site, ensure};

fn silent(browser: &mut Browser, page: &str) -> Result<()> {
    let complaints = browser.complaints()?;
    ensure(complaints.is_empty(), format!("{page}: the console says {complaints:#?}"))
}

/// Every name of a field or type that an operation's schemas mention, references followed.
fn words(document: &Value, schema: &Value, found: &mut Vec<String>) {
    if let Some(target) = schema["$ref"].as_str().and_then(|name| document.pointer(name.trim_start_matches('#'))) {
        return words(document, target, found);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        words(document, part, found);
    }
    found.extend(schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
}

#[tokio::test]
async fn the_api_page_shows_every_operation() -> Result<()> {
    let site = Site::embedded().await?;
    let document = site.admin.get("/v1/openapi.json").send().await?.expect(&[200])?.json()?;
    let mut browser = Browser::open()?;
    browser.visit(&format!("http://{}/v1/docs", site.server.address()?))?;
    browser.until("document.querySelectorAll('details').length > 0")?;
    silent(&mut browser, "the page")?;
    let shown = browser
        .value("[...document.querySelectorAll('details')].map((box) => { box.open = true; return box.innerText; })")?;
    let shown: Vec<_> = shown.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let head = [method.to_uppercase(), path.clone(), operation["summary"].as_str().unwrap_or_default().into()];
            let lines = |text: &&&str| text.split('\n').map(str::trim).take(3).eq(head.iter().map(String::as_str));
            let text = shown.iter().find(lines);
            let text = text.ok_or_else(|| acceptance::Trouble::new(format!("{head:?} is not shown")))?;
            let mut wanted = Vec::new();
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                wanted.extend(parameter["name"].as_str().map(str::to_string));
            }
            words(&document, &operation["requestBody"]["content"]["application/json"]["schema"], &mut wanted);
            for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
                wanted.push(status.clone());
                if status != "default" {
                    words(&document, &answer["content"]["application/json"]["schema"], &mut wanted);
                }
            }
            for word in wanted {
                ensure(text.contains(&word), format!("{method} {path} does not show {word}:\n{text}"))?;
            }
            operations += 1;
        }
    }
    ensure(operations >= 50 && operations == shown.len(), format!("{operations} operations, {} shown", shown.len()))?;
    silent(&mut browser, "the opened page")
}

#[tokio::test]
async fn the_api_page_is_filtered() -> Result<()> {
    let site = Site::embedded().await?;
    let mut browser = Browser::open()?;
    browser.visit(&format!("http://{}/v1/docs", site.server.address()?))?;
    browser.until("document.querySelectorAll('details').length > 0")?;
    let filter = |text: &str| {
        format!(
            "{{ const box = document.getElementById('filter'); box.value = {}; box.dispatchEvent(new Event('input'));
            const seen = (name) => [...document.querySelectorAll(name)].filter((one) => one.offsetParent !== null);
            [seen('details').length, seen('h2').map((one) => one.textContent).join(' ')] }}",
            json!(text)
        )
    };
    let all = browser.value(&filter(""))?;
    let some = browser.value(&filter("Tombstone"))?;
    ensure(some == json!([1, "repos"]), format!("{some}: one operation below its heading"))?;
    ensure(browser.value(&filter("no such thing"))? == json!([0, ""]), "nothing, and no headings of nothing")?;
    ensure(browser.value(&filter(""))? == all, "and all again")?;
    silent(&mut browser, "the page")
}

#[tokio::test]
async fn no_page_makes_the_console_complain() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({"anonymousRead": true})).await?;
    ask(site.admin.put("/repository/libs/a/b%20c").body("x")).await?.expect(&[201])?;
    let mut browser = Browser::open()?;
    for page in ["/", "/v1/docs", "/repository/", "/repository/libs", "/repository/libs/", "/repository/libs/a/"] {
        browser.visit(&format!("http://{}{page}", site.server.address()?))?;
        let styled = browser.value("getComputedStyle(document.querySelector('main')).maxWidth")?;
        ensure(styled == "960px", format!("{page} has no style: {styled}"))?;
        silent(&mut browser, page)?;
    }
    // The console does complain where there is a reason.
    browser.value("{ const script = document.createElement('script'); script.textContent = 'window.bad = 1'; document.body.append(script) }")?;
    ensure(browser.value("typeof window.bad")? == "undefined", "scripts inside the page do not run")?;
    ensure(browser.complaints()?.iter().any(|one| one.contains("Content Security Policy")), "and the console says so")?;
    browser.value("console.error('a mistake')")?;
    ensure(browser.complaints()?.iter().any(|one| one.contains("a mistake")), "and whatever else goes wrong")
}

/// Whatever names are like, nothing is wider than the window, and every link is reached with the keyboard in the order of
/// the page.
#[tokio::test]
async fn pages_fit_every_window_and_the_keyboard() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("libs", json!({"anonymousRead": true, "description": "d".repeat(300)})).await?;
    let long = "long".repeat(40);
    ask(site.admin.put(&format!("/repository/libs/{long}/{long}.bin")).body("x")).await?.expect(&[201])?;
    let open = json!({"repoKey": "oci", "format": "oci", "anonymousRead": true});
    ask(site.admin.post("/v1/repos").json(&open)).await?.expect(&[201])?;
    let name = format!("team/{}", "long".repeat(20));
    crate::browsing::push(&site, &name).await?;
    let mut browser = Browser::open()?;
    let of = format!("/repository/oci/?package={}", name.replace('/', "%2F"));
    let folder = format!("/repository/libs/{long}/");
    for page in ["/", "/v1/docs", "/repository/", "/repository/libs/", &folder, "/repository/oci/", &of] {
        browser.visit(&format!("http://{}{page}", site.server.address()?))?;
        // The page of the API is filled when it is there.
        browser.until("!document.body.textContent.includes('Loading')")?;
        for width in [360, 800, 1400] {
            browser.resize(width)?;
            let wide = browser.value("document.documentElement.scrollWidth - document.documentElement.clientWidth")?;
            ensure(wide == 0, format!("{page} is {wide} pixels wider than a window of {width}"))?;
        }
        let kept = "[...document.querySelectorAll('a, input, summary, button')].every((one) => one.tabIndex === 0)";
        ensure(browser.value(kept)? == true, format!("{page}: something is not reached, or out of its order"))?;
        let parts = "[...document.querySelectorAll('main, h1')].map((one) => one.tagName).join()";
        ensure(browser.value(parts)? == "MAIN,H1", format!("{page} has one heading in its one main part"))?;
        silent(&mut browser, page)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_login_is_confirmed_in_a_browser() -> Result<()> {
    let site = Site::embedded().await?;
    let body = json!({"repoKey": "js", "format": "npm", "repoType": "local"});
    ask(site.admin.post("/v1/repos").json(&body)).await?.expect(&[201])?;
    let begin = site.server.http()?.post("/repository/js/-/v1/login").header("User-Agent", "npm/11.19.1");
    let begun = ask(begin.json(&json!({}))).await?.expect(&[200])?;
    let mut browser = Browser::open()?;
    browser.visit(&begun.string("/loginUrl")?)?;
    silent(&mut browser, "the page")?;
    let type_in = |token: &str| {
        format!(
            "{{ document.getElementById('token').value = {}; document.querySelector('form').requestSubmit() }}",
            json!(token)
        )
    };
    browser.value(&type_in("guess"))?;
    arrived(&mut browser, "document.querySelector('[role=alert]')?.textContent.includes('unknown')").await?;
    browser.value(&type_in(site.admin.token()))?;
    arrived(&mut browser, "document.querySelector('h1')?.textContent === 'Logged in'").await?;
    let done = begun.string("/doneUrl")?;
    let done = done.split_once("/repository/").map(|(_, rest)| format!("/repository/{rest}")).unwrap_or_default();
    let fetched = ask(site.server.http()?.get(&done).header("User-Agent", "npm/11.19.1")).await?.expect(&[200])?;
    ensure(fetched.string("/token")?.starts_with("aft_"), fetched.text())
}

/// Waits until `expression` is true on the page that comes: between two pages there is none to ask.
async fn arrived(browser: &mut Browser, expression: &str) -> Result<()> {
    for _ in 0..600 {
        if browser.value(expression).is_ok_and(|found| found == true) {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    browser.until(expression)
}

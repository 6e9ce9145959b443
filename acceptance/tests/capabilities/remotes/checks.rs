//! Whether an upstream can be asked, and is what the repository takes it for.

use acceptance::Result;
use serde_json::{Value, json};

use super::shelf::{remote, site};
use super::upstream::{Say, Upstream};
use crate::site::{Site, ensure, program};

const SITE: &str = "<!DOCTYPE html><html><script>go()</script><h1>Welcome</h1></html>";
const LISTING: &str = "<html><title>Index of /</title><a href=\"a/\">a/</a></html>";
const SIMPLE: &str = "<html><head><meta name=\"pypi:repository-version\" content=\"1.1\"></head>";
/// What the check asks for of modules.
const NOBODYS: &str = "artifortress.invalid/check/@v/list";

/// What a check finds.
pub(super) async fn problem(site: &Site, key: &str) -> Result<Value> {
    site.admin.post(&format!("/v1/repos/{key}/upstream/check")).send().await?.expect(&[200])?.json()
}

async fn checked(site: &Site, key: &str, format: &str, url: &str, upstream: Value) -> Result<Value> {
    remote(site, key, format, url, upstream).await?;
    problem(site, key).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_says_what_is_wrong_with_an_upstream() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    // Our own server speaks no TLS.
    let (url, https) = (upstream.url(), format!("https://{}", site.server.address()?));
    for (path, say) in [
        ("/no/", Say::status(401)),
        ("/never/", Say::default().hangs()),
        ("/broken/", Say::status(500)),
        ("/shop/config.json", Say::answer(200, &[("Content-Type", "text/html")], "<h1>welcome</h1>")),
        ("/fine/config.json", Say::answer(200, &[], "{\"dl\":\"x\"}")),
    ] {
        upstream.says(path, say);
    }
    let cases = [
        ("raw", format!("{url}/nothing"), Value::Null, Some(404), "nothing shows that it is the folder"),
        ("cargo", format!("{url}/fine"), Value::Null, Some(200), "a sparse index of Cargo is there"),
        ("cargo", format!("{url}/shop"), json!("wrong_path"), Some(200), "a page for people"),
        ("cargo", format!("{url}/nothing"), json!("wrong_path"), Some(404), "config.json"),
        ("raw", format!("{url}/no"), json!("credentials"), Some(401), "401"),
        ("raw", format!("{url}/never"), json!("timeout"), None, "did not answer in time"),
        ("raw", format!("{url}/broken"), json!("failing"), Some(500), "500"),
        ("raw", https, json!("tls"), None, ""),
        ("raw", "http://nowhere.invalid".to_owned(), json!("name"), None, "nowhere.invalid"),
        ("raw", "http://10.1.2.3".to_owned(), json!("forbidden_address"), None, "10.1.2.3"),
        ("raw", "http://127.0.0.1:1".to_owned(), json!("connection"), None, "127.0.0.1:1"),
    ];
    for (number, (format, address, expected, status, words)) in cases.into_iter().enumerate() {
        let settings = if expected == "timeout" { json!({"timeoutSeconds": 1}) } else { json!({}) };
        let said = checked(&site, &format!("up-{number}"), format, &address, settings).await?;
        ensure(said["problem"] == expected, format!("{address}: {said}"))?;
        ensure(
            said["reachable"] == expected.is_null() && said["status"] == json!(status),
            format!("{address}: {said}"),
        )?;
        ensure(said["detail"].as_str().is_some_and(|detail| detail.contains(words)), format!("{address}: {said}"))?;
    }
    site.repository("libs", json!({})).await?;
    site.admin.post("/v1/repos/libs/upstream/check").send().await?.expect(&[409])?;
    let exits = [("up-0", 0), ("up-4", 1), ("nobody", 3)];
    for (key, code) in exits {
        let done = program(&site.server, site.admin.token(), &["admin", "repos", "check", key])?;
        ensure(done.status.code() == Some(code), format!("{key}: {done:?}"))?;
    }
    Ok(())
}

/// A page of one project.
const PROJECT: &str = "<meta name=\"pypi:repository-version\" content=\"1.0\"><a href=\"x.whl#sha256=0f\">x.whl</a>";

/// What is at a base address, by the paths beneath it; all else is 404.
struct Layout {
    format: &'static str,
    base: &'static str,
    files: Vec<(&'static str, Say)>,
    /// Whether it is proven, or else what is wrong: a word of it.
    expected: std::result::Result<bool, &'static str>,
    words: &'static str,
}

fn html(status: u16, body: &'static str) -> Say {
    Say::answer(status, &[("Content-Type", "text/html; charset=utf-8")], body)
}

fn plain(status: u16, body: &'static str) -> Say {
    Say::answer(status, &[("Content-Type", "text/plain")], body)
}

fn json_of(status: u16, body: &'static str) -> Say {
    Say::answer(status, &[("Content-Type", "application/json")], body)
}

fn right() -> Vec<Layout> {
    let proven = |format, base, files, words| Layout { format, base, files, expected: Ok(true), words };
    let simple = Say::answer(
        200,
        &[("Content-Type", "application/vnd.pypi.simple.v1+json")],
        "{\"meta\": {\"api-version\": \"1.1\"}, \"projects\": [{\"name\": \"a\"}, ",
    );
    vec![
        proven("npm", "/r/npm", vec![("-/ping", json_of(200, "{}"))], "an npm registry is there"),
        proven("pypi", "/r/simple", vec![("", html(200, SIMPLE))], "a simple index of Python is there"),
        proven("pypi", "/r/pypi", vec![("", simple)], "a simple index of Python is there"),
        // A project of that name, whose page is no index.
        proven("pypi", "/r/named", vec![("", html(200, SIMPLE)), ("simple/", html(200, PROJECT))], "is there"),
        proven("cargo", "/r/cargo", vec![("config.json", plain(200, "{\"dl\": \"x\"}"))], "config.json"),
        proven(
            "go",
            "/r/go",
            vec![(NOBODYS, plain(404, "not found: module artifortress.invalid/check"))],
            "that there is none",
        ),
        proven("go", "/r/gone", vec![(NOBODYS, plain(410, "not found: nobody's"))], "that there is none"),
        proven(
            "maven",
            "/r/maven",
            vec![(".meta/prefixes.txt", plain(200, "## repository-prefixes/2.0\n/org\n"))],
            "lists its groups",
        ),
    ]
}

fn wrong() -> Vec<Layout> {
    let wrong = |format, base, files, words| Layout { format, base, files, expected: Err("wrong_path"), words };
    let page = || html(200, SITE);
    vec![
        wrong("npm", "/w/npm", vec![("", page())], "its root is a page for people"),
        wrong("npm", "/w/npm-all", vec![("-/ping", page())], "/-/ping with a page for people"),
        wrong("npm", "/w/artifactory/api/npm", vec![], "name of a repository seems to be missing"),
        wrong("pypi", "/w/pypi", vec![("", page()), ("simple/", html(200, SIMPLE))], "add /simple to the address"),
        wrong("pypi", "/w/empty", vec![("simple/", html(200, SIMPLE))], "add /simple to the address"),
        wrong("pypi", "/w/both", vec![("", html(200, SIMPLE)), ("simple/", html(200, SIMPLE))], "add /simple to"),
        wrong("pypi", "/w/plus", vec![("+simple/", html(200, SIMPLE))], "add /+simple to the address"),
        wrong("pypi", "/w/simple/a", vec![("", html(200, PROJECT))], "the index is above it"),
        wrong("pypi", "/w/people", vec![("", page())], "a page for people"),
        wrong("cargo", "/w/cargo", vec![("config.json", page())], "a page for people"),
        wrong("cargo", "/w/api", vec![("config.json", json_of(200, "{\"crates\": []}"))], "where crates are"),
        wrong("cargo", "/w/git", vec![], "an index in Git cannot be read"),
        wrong("go", "/w/go", vec![("", page())], "its root is a page for people"),
        wrong("go", "/w/go-all", vec![(NOBODYS, page())], "a page for people"),
        wrong("maven", "/w/spa", vec![(".meta/prefixes.txt", page())], "a page for people"),
        wrong("maven", "/w/other", vec![(".meta/prefixes.txt", json_of(200, "{}"))], "no list of groups"),
        wrong("raw", "/w/site", vec![("", page()), ("artifortress.invalid/check", page())], "a page for people"),
        wrong(
            "npm",
            "/w/crates",
            vec![("config.json", json_of(200, "{\"dl\": \"x\"}"))],
            "a sparse index of Cargo is there",
        ),
        wrong("cargo", "/w/modules", vec![(NOBODYS, plain(404, "not found: nobody's"))], "a module proxy is there"),
        wrong("go", "/w/packages", vec![("-/ping", json_of(200, "{}"))], "an npm registry is there"),
        wrong("maven", "/w/python", vec![("", html(200, SIMPLE))], "a simple index of Python is there"),
        wrong("maven", "/w/repository", vec![], "name of a repository seems to be missing"),
        wrong("raw", "/w/raw/artifactory", vec![], "name of a repository seems to be missing"),
    ]
}

fn open() -> Vec<Layout> {
    let open = |format, base, files, words| Layout { format, base, files, expected: Ok(false), words };
    vec![
        open("npm", "/o/npm", vec![("", html(200, LISTING))], "nothing shows that it is an npm registry"),
        open("npm", "/o/npm-error", vec![("-/ping", json_of(200, "{\"errors\": []}"))], "nothing shows"),
        open("pypi", "/o/pypi", vec![("", html(200, LISTING))], "as folders of files do"),
        open("pypi", "/o/mute", vec![], "it lists no packages"),
        open(
            "go",
            "/o/go",
            vec![(NOBODYS, plain(404, "404 page not found\n"))],
            "nothing shows that it is a module proxy",
        ),
        open("maven", "/o/maven", vec![("", html(200, LISTING))], "nothing shows that it is a Maven repository"),
        open(
            "maven",
            "/o/closed",
            vec![(".meta/prefixes.txt", plain(403, "no")), ("", plain(403, "no"))],
            "shows with the first file",
        ),
        open("raw", "/o/raw", vec![], "need not say what they are"),
        open("raw", "/o/files", vec![("", html(200, LISTING))], "need not say what they are"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_looks_for_the_protocol() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for (number, layout) in right().into_iter().chain(wrong()).chain(open()).enumerate() {
        let Layout { format, base, files, expected, words } = layout;
        for (file, say) in files {
            upstream.says(&format!("{base}/{file}"), say);
        }
        let before = upstream.total();
        let said =
            checked(&site, &format!("l-{number}"), format, &format!("{}{base}", upstream.url()), json!({})).await?;
        ensure(said["proven"] == (expected == Ok(true)), format!("{base}: {said}"))?;
        ensure(said["problem"] == json!(expected.err()), format!("{base}: {said}"))?;
        ensure(said["reachable"] == expected.is_ok(), format!("{base}: {said}"))?;
        ensure(said["detail"].as_str().is_some_and(|detail| detail.contains(words)), format!("{base}: {said}"))?;
        // What was asked is told, each with what came back.
        let asked = said["asked"].as_array().map_or(0, Vec::len);
        ensure((1..=12).contains(&asked) && upstream.total() - before == asked, format!("{base}: {said}"))?;
        ensure(
            said["asked"][0].as_str().is_some_and(|line| line.starts_with(&format!("GET {base}/"))),
            format!("{base}: {said}"),
        )?;
    }
    Ok(())
}

/// Formats that have a protocol.
const SPOKEN: [&str; 6] = ["cargo", "go", "maven", "npm", "oci", "pypi"];

/// Whoever has the same for every address is nobody's upstream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_is_not_taken_in_by_who_has_everything() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let (empty, plain_empty) = (Say::status(200), plain(200, ""));
    let crates = json_of(200, "{\"dl\": \"x\", \"meta\": {\"api-version\": \"1.1\"}, \"projects\": []}");
    let says = [html(200, SITE), html(200, SIMPLE), json_of(200, "{}"), empty, plain_empty, crates];
    for (number, say) in says.into_iter().enumerate() {
        upstream.always(Some(say));
        for format in SPOKEN {
            for path in ["", "/team"] {
                let key = format!("all-{format}-{number}{}", path.replace('/', "-"));
                let said = checked(&site, &key, format, &format!("{}{path}", upstream.url()), json!({})).await?;
                ensure(said["proven"] == false && said["problem"] == "wrong_path", format!("{key}: {said}"))?;
            }
        }
    }
    upstream.always(Some(html(200, SITE)));
    let said = checked(&site, "all-raw", "raw", &upstream.url(), json!({})).await?;
    ensure(said["problem"] == "wrong_path", said.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_finds_a_registry_of_images() -> Result<()> {
    let (site, mut upstreams) = (site().await?, Vec::new());
    let version = ("Docker-Distribution-Api-Version", "registry/2.0");
    let cases = [
        (Say::answer(200, &[("Content-Type", "application/json")], "{}"), "", None, "an image registry is there"),
        (Say::answer(200, &[version], "true"), "", None, "an image registry is there"),
        (html(200, SITE), "", Some("wrong_path"), "/v2/ with a page for people"),
        (json_of(200, "{\"shop\": 1}"), "", Some("wrong_path"), "something else than a registry"),
        (Say::status(404), "", Some("wrong_path"), "it has no /v2/"),
        (Say::status(401), "", Some("credentials"), "401"),
    ];
    for (number, (say, path, expected, words)) in cases.into_iter().enumerate() {
        let upstream = Upstream::start().await?;
        upstream.says("/v2/", say);
        let address = format!("{}{path}", upstream.url());
        let said = checked(&site, &format!("i-{number}"), "oci", &address, json!({})).await?;
        ensure(said["problem"] == json!(expected) && said["proven"] == expected.is_none(), said.to_string())?;
        ensure(said["detail"].as_str().is_some_and(|detail| detail.contains(words)), said.to_string())?;
        upstreams.push(upstream);
    }
    Ok(())
}

/// What stands in front of images' names is seen where who may not read is told so, and only there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_of_images_looks_at_the_path() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    upstream.says("/v2/", json_of(200, "{}"));
    let url = upstream.url();
    let unknown = checked(&site, "unknown", "oci", &format!("{url}/team"), json!({})).await?;
    ensure(unknown["proven"] == false && unknown["problem"].is_null(), unknown.to_string())?;
    let detail = unknown["detail"].as_str().unwrap_or_default();
    ensure(detail.contains("an image registry is there, but") && detail.contains("leave the path away"), detail)?;
    upstream.says("/v2/artifortress.invalid/check/manifests/none", Say::status(401));
    let known = checked(&site, "known", "oci", &format!("{url}/team"), json!({})).await?;
    ensure(known["proven"] == true && known["problem"].is_null(), known.to_string())?;
    upstream.says("/v2/other/artifortress.invalid/check/manifests/none", Say::status(401));
    let other = checked(&site, "other", "oci", &format!("{url}/other"), json!({})).await?;
    ensure(other["proven"] == false && other["problem"].is_null(), other.to_string())
}

/// What we serve ourselves is what others look for.
#[tokio::test]
async fn a_check_finds_another_of_our_own() -> Result<()> {
    let site = site().await?;
    let here = format!("http://{}", site.server.address()?);
    for (format, path) in [
        ("npm", "/repository/own-npm"),
        ("pypi", "/repository/own-pypi/simple"),
        ("cargo", "/repository/own-cargo"),
        ("go", "/repository/own-go"),
        ("oci", "/own-oci"),
    ] {
        let own = json!({"repoKey": format!("own-{format}"), "format": format, "anonymousRead": true});
        site.admin.post("/v1/repos").json(&own).send().await?.expect(&[201])?;
        let said = checked(&site, &format!("up-{format}"), format, &format!("{here}{path}"), json!({})).await?;
        ensure(said["proven"] == true, format!("{format}: {said}"))?;
    }
    // Addresses that are nearly right, and what is said of each.
    let own_maven = json!({"repoKey": "own-maven", "format": "maven", "anonymousRead": true});
    site.admin.post("/v1/repos").json(&own_maven).send().await?.expect(&[201])?;
    for (number, (format, path, words)) in [
        ("pypi", "/repository/own-pypi", "add /simple"),
        ("oci", "/repository/own-oci", "without /repository"),
        ("oci", "/nobodys", "nothing shows that the path"),
        ("npm", "/repository/own-pypi", "a simple index of Python is there"),
        ("npm", "/repository/own-cargo", "a sparse index of Cargo is there"),
        ("pypi", "/repository/own-npm", "an npm registry is there"),
        ("cargo", "/repository/own-go", "a module proxy is there"),
        ("go", "/repository/own-npm", "an npm registry is there"),
        ("maven", "/repository/own-npm", "an npm registry is there"),
        ("npm", "/repository/own-maven", "its root is a page for people"),
    ]
    .into_iter()
    .enumerate()
    {
        let said = checked(&site, &format!("near-{number}"), format, &format!("{here}{path}"), json!({})).await?;
        ensure(said["proven"] == false, format!("{format} at {path}: {said}"))?;
        ensure(said["detail"].as_str().is_some_and(|detail| detail.contains(words)), format!("{path}: {said}"))?;
    }
    Ok(())
}

/// No more is taken than a beginning, whatever is sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_takes_the_beginning_alone() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    upstream.says("/files/", Say::announces(usize::MAX / 2).endless(vec![b' '; 4096]));
    let said = checked(&site, "endless", "raw", &format!("{}/files", upstream.url()), json!({})).await?;
    ensure(said["status"] == 200 && said["problem"].is_null() && said["proven"] == false, said.to_string())
}

/// Who sends people elsewhere is told of.
#[tokio::test]
async fn a_check_says_who_answered() -> Result<()> {
    let (site, upstream, other) = (site().await?, Upstream::start().await?, Upstream::start().await?);
    upstream.says("/-/ping", Say::redirect(&format!("{}/login", other.url())));
    other.says("/login", html(200, SITE));
    let said = checked(&site, "sent", "npm", &upstream.url(), json!({})).await?;
    let from = format!("GET /-/ping: 200, text/html, from {}", other.url());
    ensure(said["asked"] == json!([from]) && said["problem"] == "wrong_path", said.to_string())
}

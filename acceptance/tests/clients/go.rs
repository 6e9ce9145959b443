//! Go: modules are handed in by our own program, and the go command finds, builds and checks them.

use std::fs;
use std::path::PathBuf;

use acceptance::server::{Backing, Server, binary};
use acceptance::{Result, environment, scratch};
use serde_json::json;

use crate::desk::{Deed, Desk};

#[tokio::test]
async fn modules_on_sqlite_and_disk() -> Result<()> {
    follow(Backing::Embedded).await
}

#[tokio::test]
async fn modules_on_postgresql_and_s3() -> Result<()> {
    follow(Backing::Scaled).await
}

async fn follow(backing: Backing) -> Result<()> {
    let mut desk = Desk::open(backing, "go").await?;
    let token = desk.admin.token().to_owned();
    let reader = desk.token("rita", &["repo:go:read"]).await?;
    desk.write(".config/go/env", desk.config("go", "env")?)?;
    modules(&desk)?;
    let push = |token: &str, folder: &str, version: &str| -> Result<Deed> {
        Ok(ours(&desk, token)?.args(["push", "go", folder, "--version", version]))
    };
    push("not-a-token", "tool", "v1.0.0")?.fails_saying(&["401"])?;
    push(&reader, "tool", "v1.0.0")?.fails_saying(&["role write", "403"])?;
    push(&token, "tool", "v1.0.0")?.works()?;
    push(&token, "tool", "v1.0.0")?.works().map(|said| assert!(said.contains("unchanged"), "{said}"))?;
    desk.write("tool/later.go", "package tool\n")?;
    push(&token, "tool", "v1.0.0")?.fails_saying(&["already exists", "409"])?;
    for (folder, version) in
        [("tool", "v1.1.0"), ("tool", "v1.2.0-rc.1"), ("twin", "v1.0.0"), ("second", "v2.0.0"), ("old", "v0.3.0")]
    {
        push(&token, folder, version)?.works()?;
    }
    push(&token, "second", "v1.0.0")?.fails_saying(&["has versions v2, not v1"])?;

    // Nobody is let in without credentials, which the go command sends over TLS alone.
    go(&desk, "anonymous")?
        .args(["list", "-m", "example.com/Acme/tool@latest"])
        .fails_saying(&["401 Unauthorized", "server response: this needs a token"])?;
    desk.admin.patch("/v1/repos/go").json(&json!({"anonymousRead": true})).send().await?.expect(&[200])?;

    let app = desk.home.join("app");
    let built = "tool v1.1.0 twin v1.0.0 second v2.0.0";
    go(&desk, "first")?.args(["mod", "tidy"]).at(&app).works()?;
    let run = |cache: &str| -> Result<Deed> { Ok(go(&desk, cache)?.args(["run", "."]).at(&app)) };
    assert!(run("first")?.works()?.contains(built));
    assert!(run("clean")?.works()?.contains(built), "with the sums that the first build wrote down");

    answers(&desk).await?;
    withdrawn(&desk, &app).await?;

    // With nobody to ask, and of what was withdrawn since.
    let again = go(&desk, "first")?.args(["run", "."]).at(&app);
    desk.server.stop()?;
    assert!(again.works()?.contains(built), "from its cache");
    Ok(())
}

/// Four modules, two of which differ in case alone, and a program that needs three.
fn modules(desk: &Desk) -> Result<()> {
    for (folder, path, name) in [
        ("tool", "example.com/Acme/tool", "tool"),
        ("twin", "example.com/acme/twin", "twin"),
        ("second", "example.com/Acme/tool/v2", "tool"),
        ("old", "example.com/acme/tool", "tool"),
    ] {
        desk.write(&format!("{folder}/go.mod"), format!("module {path}\n\ngo 1.21\n"))?;
        desk.write(&format!("{folder}/name.go"), format!("package {name}\n\nconst Name = \"{folder}\"\n"))?;
    }
    let main = "package main\n\nimport (\n\t\"fmt\"\n\t\"runtime/debug\"\n\n\tone \"example.com/Acme/tool\"\n\t\
                two \"example.com/Acme/tool/v2\"\n\t\"example.com/acme/twin\"\n)\n\nfunc main() {\n\tinfo, _ := \
                debug.ReadBuildInfo()\n\tversions := map[string]string{}\n\tfor _, module := range info.Deps {\n\t\t\
                versions[module.Path] = module.Version\n\t}\n\tfmt.Println(one.Name, \
                versions[\"example.com/Acme/tool\"], twin.Name, versions[\"example.com/acme/twin\"], two.Name, \
                versions[\"example.com/Acme/tool/v2\"])\n}\n";
    desk.write("app/main.go", main)?;
    desk.write("app/go.mod", "module example.com/app\n\ngo 1.21\n").map(drop)
}

/// What the go command asks and is told, also of what is not there.
async fn answers(desk: &Desk) -> Result<()> {
    let list =
        |module: &str| -> Result<String> { go(desk, "first")?.args(["list", "-m", "-versions", module]).works() };
    assert!(list("example.com/Acme/tool")?.contains("v1.0.0 v1.1.0 v1.2.0-rc.1"));
    assert!(!list("example.com/acme/tool")?.contains("v1"), "another module");
    let missing = |query: &'static str| -> Result<Deed> { Ok(go(desk, "first")?.args(["list", "-m", query])) };
    missing("example.com/nothing@latest")?.fails_saying(&["404 Not Found", "example.com/nothing was not found"])?;
    missing("example.com/Acme/tool@v9.9.9")?.fails_saying(&["404 Not Found", "v9.9.9 was not found"])?;

    let at = |path: &str| format!("/repository/go/example.com/!acme/tool/{path}");
    let first = desk.admin.get(&at("@v/v1.1.0.zip")).send().await?.expect(&[200])?;
    assert_eq!(first.header("content-type"), Some("application/zip"));
    for path in ["@v/v1.1.0.zip", "@v/v1.1.0.mod", "@v/v1.1.0.info", "@v/list", "@latest"] {
        let first = desk.admin.get(&at(path)).send().await?.expect(&[200])?;
        let tag = first.header("etag").unwrap_or_default().to_owned();
        desk.admin.get(&at(path)).header("If-None-Match", &tag).send().await?.expect(&[304])?;
    }
    let latest = desk.admin.get(&at("@latest")).send().await?.expect(&[200])?;
    assert_eq!(latest.string("/Version")?, "v1.1.0", "a release before what precedes one");
    let database = desk.admin.get("/repository/go/sumdb/example.org/supported").send().await?.expect(&[404])?;
    assert!(database.text().contains("no checksum database"), "{}", database.text());

    let put = |path: &str| desk.admin.put(&at(path)).body("no archive at all, but long enough");
    let refused = put("@v/v1.3.0.zip").send().await?.expect(&[422])?;
    assert!(refused.text().contains("no ZIP archive"), "{}", refused.text());
    put("@v/v1.zip").send().await?.expect(&[400])?;
    put("@v/v1.3.0.mod").send().await?.expect(&[405])?;
    let draft = json!({"packageType": "go", "packageName": "example.com/x", "version": "v1.0.0"});
    let draft = desk.admin.post("/v1/repos/go/packages/versions/drafts").json(&draft).send().await?.expect(&[400])?;
    assert!(draft.text().contains("their own protocol"), "{}", draft.text());
    Ok(())
}

/// A yanked version is no longer offered, and still there for who has it; a withdrawn one is gone.
async fn withdrawn(desk: &Desk, app: &PathBuf) -> Result<()> {
    let versions = "/v1/repos/go/packages/versions";
    let found = desk.admin.get(&format!("{versions}/resolve?name=example.com%2FAcme%2Ftool&version=v1.1.0"));
    let id = found.send().await?.expect(&[200])?.string("/versionId")?;
    let act = async |act: &str| {
        // Taking a mark back needs no reason.
        let body = if act == "unyank" { json!({}) } else { json!({"reason": "broken"}) };
        desk.admin.post(&format!("{versions}/{id}/{act}")).json(&body).send().await?.expect(&[200])
    };
    let latest =
        || -> Result<String> { go(desk, "late")?.args(["list", "-m", "example.com/Acme/tool@latest"]).works() };
    let build = |cache: &str| -> Result<Deed> { Ok(go(desk, cache)?.args(["build", "-o", "/dev/null", "."]).at(app)) };
    act("yank").await?;
    assert!(latest()?.contains("v1.0.0"));
    build("yanked")?.works()?;
    act("unyank").await?;
    assert!(latest()?.contains("v1.1.0"));
    act("tombstone").await?;
    assert!(latest()?.contains("v1.0.0"));
    build("gone")?.fails_saying(&["example.com/Acme/tool@v1.1.0", "410 Gone"])?;
    let named = go(desk, "named")?.args(["list", "-m", "example.com/Acme/tool@v1.1.0"]);
    named.fails_saying(&["410 Gone", "v1.1.0 was withdrawn"])?;
    build("first")?.works().map(drop)
}

#[tokio::test]
async fn credentials_travel_over_tls() -> Result<()> {
    let folder = scratch::folder("go-tls")?;
    certificate(&folder)?;
    let file = |name: &str| folder.join(name).display().to_string();
    let plan = Server::plan(Backing::Embedded).without_admin();
    let plan =
        plan.variable("ARTIFORTRESS_TLS_CERT", file("cert.pem")).variable("ARTIFORTRESS_TLS_KEY", file("key.pem"));
    let desk = Desk::at(plan.start().await?, "go", String::new())?;
    let place = format!("localhost:{}", desk.server.address()?.port());
    let bootstrap = fs::read_to_string(desk.server.data().join("bootstrap-token"))?;
    let ours = |words: &[&'static str]| -> Result<String> {
        let deed = desk.command(binary()?)?.env("ARTIFORTRESS_SERVER", format!("https://{place}"));
        let deed = deed.env("ARTIFORTRESS_BOOTSTRAP_TOKEN", bootstrap.trim()).env("SSL_CERT_FILE", file("cert.pem"));
        deed.args(words.iter().copied()).works()
    };
    ours(&["init", "--repo", ""])?;
    ours(&["admin", "repos", "create", "go", "--format", "go"])?;
    modules(&desk)?;
    ours(&["push", "go", "tool", "--version", "v1.0.0"])?;
    let minted = ours(&["admin", "tokens", "mint", "--scope", "repo:go:read", "--name", "netrc"])?;
    let token = minted.lines().next().unwrap_or_default().trim().to_owned();
    let netrc = |token: &str| -> Result<PathBuf> {
        let printed = ours(&["client-config", "go", "--client", "go", "--file", ".netrc"])?;
        desk.write(".netrc", printed.replace("$TOKEN", token))
    };
    let latest = |cache: &str| -> Result<Deed> {
        let deed = go(&desk, cache)?.env("GOPROXY", format!("https://{place}/repository/go"));
        let deed = deed.env("GONOSUMDB", "example.com").env("SSL_CERT_FILE", file("cert.pem"));
        Ok(deed.args(["mod", "download", "-json", "example.com/Acme/tool@latest"]).at(desk.home.join("app")))
    };
    latest("none")?.fails_saying(&["401 Unauthorized", "this needs a token"])?;
    netrc("not-a-token")?;
    latest("wrong")?.fails_saying(&["401 Unauthorized", "server response: "])?;
    netrc(&token)?;
    let said = latest("right")?.works()?;
    assert!(said.contains("\"Version\": \"v1.0.0\""), "{said}");
    fs::remove_dir_all(folder)?;
    Ok(())
}

fn certificate(folder: &std::path::Path) -> Result<()> {
    let mut command = std::process::Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]);
    command.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    let done = command
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("cert.pem"))
        .output()?;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

/// Our own program with this token.
pub(crate) fn ours(desk: &Desk, token: &str) -> Result<Deed> {
    let deed = desk.command(binary()?)?.env("ARTIFORTRESS_SERVER", format!("http://{}", desk.server.address()?));
    Ok(deed.env("ARTIFORTRESS_TOKEN", token))
}

/// The go command with a module cache of its own. What it compiled may be shared: modules are not in it.
pub(crate) fn go(desk: &Desk, cache: &str) -> Result<Deed> {
    let deed = desk.command(environment::program("go", &["/usr/local/go/bin"])?)?;
    let deed = deed.env("GOPATH", desk.home.join(cache)).env("GOCACHE", desk.home.join("compiled"));
    Ok(deed.env("GOTOOLCHAIN", "local").env("GOFLAGS", "-mod=mod").env("CGO_ENABLED", "0"))
}

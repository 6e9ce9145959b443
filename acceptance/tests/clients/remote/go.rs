//! The go command through a remote repository.

use acceptance::server::Backing;
use acceptance::shelf::hex;
use acceptance::{Result, Trouble};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::goods::{Offer, zip};
use super::mirror::Mirror;
use super::together::{assemble, join};
use super::{Chooser, Client, REFUSED, Says, through_a_mirror, through_another};
use crate::desk::{Deed, Desk};
use crate::go::{go, ours};

/// Every module: its folder, its path and what it needs.
pub(super) const MODULES: [(&str, &str, &str); 2] = [
    ("base", "example.com/Acme/base", ""),
    ("tool", "example.com/Acme/tool", "require example.com/Acme/base v1.0.0\n"),
];

pub(super) struct Go;

#[tokio::test]
async fn go_of_another_artifortress() -> Result<()> {
    through_another(&Go, Backing::Embedded).await
}

#[tokio::test]
async fn go_of_another_artifortress_on_postgresql_and_s3() -> Result<()> {
    through_another(&Go, Backing::Scaled).await
}

#[tokio::test]
async fn go_of_a_static_mirror() -> Result<()> {
    through_a_mirror(&Go).await
}

/// A database that nobody asks anything that it would have to sign.
fn database() -> String {
    let (name, key) = ("sum.example.org", [&[1][..], &[7; 32]].concat());
    let hash = Sha256::digest([name.as_bytes(), b"\n", &key].concat());
    format!("{name}+{}+{}", &hex(&hash)[..8], STANDARD.encode(&key))
}

/// Through a virtual repository whose upstream passes a checksum database on, which knows nothing of what is published here.
#[tokio::test]
async fn own_modules_beside_a_checksum_database() -> Result<()> {
    let (desk, mirror) = (Desk::bare(Backing::Embedded, "go").await?, Mirror::begin()?);
    assemble(&desk, true, &["own"]).await?;
    mirror.write("sumdb/sum.example.org/supported", "")?;
    join(&desk, true, json!({"repoType": "remote", "upstreamUrl": mirror.url()})).await?;
    Go.release(&desk, desk.admin.token(), "fresh", "1.0.0", false)?.works()?;
    let get = |home: &str, env: &str| -> Result<Deed> {
        desk.write(".config/go/env", env)?;
        desk.write(&format!("{home}/app/go.mod"), "module example.org/app\n\ngo 1.21\n")?;
        let deed = go(&desk, home)?.env("GOSUMDB", database()).args(["get", "example.com/fresh@v1.0.0"]);
        Ok(deed.at(desk.home.join(home).join("app")))
    };
    let printed = desk.config("go", "env")?;
    assert!(printed.contains("\nGONOSUMDB=example.com/fresh\n"), "{printed}");
    let without: String =
        printed.lines().filter(|line| !line.starts_with("GONOSUMDB")).map(|line| format!("{line}\n")).collect();
    get("without", &without)?.fails_saying(&["example.com/fresh is hosted in own", "name it in GONOSUMDB"])?;
    assert!(!mirror.asked().iter().any(|asked| asked.contains("fresh")), "{:?}", mirror.asked());
    get("with", &printed)?.works()?;
    // What a rule claims is told as well, and covers what is there.
    let rules = json!({"rules": [{"kind": "claim", "pattern": "example.com/*"}]});
    desk.admin.put("/v1/repos/own/rules").json(&rules).send().await?.expect(&[200])?;
    let printed = desk.config("go", "env")?;
    assert!(printed.contains("\nGONOSUMDB=example.com\n"), "{printed}");
    get("claimed", &printed)?.works().map(drop)
}

/// Where the upstream, a folder of files, has a revision of it alone and does not say what is the latest.
#[tokio::test]
async fn a_module_without_versions_has_a_latest_one() -> Result<()> {
    let mirror = Mirror::begin()?;
    let fields = json!({"repoType": "remote", "upstreamUrl": mirror.url(), "anonymousRead": true});
    let desk = Desk::with(Backing::Embedded, "go", fields).await?;
    let revision = "0.0.0-20240506070809-abcdefabcdef";
    Go.offer(&desk, &mirror, "young", &[Offer { version: revision, when: "2024-05-06T07:08:09Z" }])?;
    std::fs::remove_file(mirror.folder.join("example.com/young/@latest"))?;
    Go.install(&desk, "first", "", "example.com/young@latest")?.works()?;
    assert_eq!(Go.installed(&desk, "first", "young")?, revision);
    Ok(())
}

impl Client for Go {
    fn format(&self) -> &'static str {
        "go"
    }

    fn publish(&self, desk: &Desk, token: &str) -> Result<Vec<Deed>> {
        let push = |(folder, path, needs): (&str, &str, &str)| -> Result<Deed> {
            desk.write(&format!("{folder}/go.mod"), go_mod(path, needs))?;
            desk.write(&format!("{folder}/name.go"), text(folder))?;
            Ok(ours(desk, token)?.args(["push", "go", folder, "--version", "v1.0.0"]))
        };
        MODULES.into_iter().map(push).collect()
    }

    /// The files that the protocol has, as a module cache has them too: without what is the latest.
    fn lay_out(&self, desk: &Desk, mirror: &Mirror) -> Result<()> {
        for (folder, path, needs) in MODULES {
            let tree = format!("{}/@v", path.replace('A', "!a"));
            mirror.write(&format!("{tree}/list"), "v1.0.0\n")?;
            mirror.write(&format!("{tree}/v1.0.0.info"), r#"{"Version":"v1.0.0","Time":"2024-05-06T07:08:09Z"}"#)?;
            mirror.write(&format!("{tree}/v1.0.0.mod"), go_mod(path, needs))?;
            let files = [("go.mod", go_mod(path, needs)), ("name.go", text(folder))];
            let files = files.map(|(file, text)| (format!("{path}@v1.0.0/{file}"), text));
            zip(desk, &mirror.folder.join(format!("{tree}/v1.0.0.zip")), &files)?;
        }
        Ok(())
    }

    fn install(&self, desk: &Desk, home: &str, _: &str, package: &str) -> Result<Deed> {
        desk.write(".config/go/env", desk.config("go", "env")?)?;
        desk.write(&format!("{home}/app/go.mod"), "module example.com/app\n\ngo 1.21\n")?;
        let main = "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.com/Acme/tool\"\n)\n\nfunc main() { fmt.Println(tool.Name) }\n";
        desk.write(&format!("{home}/app/main.go"), main)?;
        // No database knows what the upstream of a test has.
        Ok(go(desk, home)?.env("GONOSUMDB", "example.com").args(["get", package]).at(desk.home.join(home).join("app")))
    }

    fn check(&self, desk: &Desk, home: &str) -> Result<()> {
        let run = go(desk, home)?.env("GOPROXY", "off").args(["run", "."]);
        let said = run.at(desk.home.join(home).join("app")).works()?;
        if said.contains("tool") { Ok(()) } else { Err(Trouble::new(said)) }
    }

    fn says(&self) -> Says {
        Says {
            package: "example.com/Acme/tool@latest",
            missing: "example.com/nothing@latest",
            unasked: "example.com/unknown@latest",
            wrong: &["401 Unauthorized", "this needs a token"],
            not_found: &["404 Not Found", "example.com/nothing was not found"],
            away: &["503 Service Unavailable", "the upstream cannot be read"],
            refused: &["403", REFUSED],
        }
    }

    fn is_mute(&self) -> bool {
        true
    }
}

impl Chooser for Go {
    fn release(&self, desk: &Desk, token: &str, name: &str, version: &str, needy: bool) -> Result<Deed> {
        let (needs, import) = match needy {
            true => ("require example.com/Acme/tool v1.0.0\n", "import _ \"example.com/Acme/tool\"\n"),
            false => ("", ""),
        };
        desk.write(&format!("{name}/go.mod"), go_mod(&format!("example.com/{name}"), needs))?;
        desk.write(&format!("{name}/name.go"), format!("package {name}\n\n{import}"))?;
        Ok(ours(desk, token)?.args(["push", "go", name, "--version", &format!("v{version}")]))
    }

    fn offer(&self, desk: &Desk, mirror: &Mirror, name: &str, offers: &[Offer]) -> Result<()> {
        let (path, mut list) = (format!("example.com/{name}"), String::new());
        for offer in offers {
            let (version, time) = (format!("v{}", offer.version), offer.time(desk)?);
            let (tree, info) = (format!("{path}/@v/{version}"), json!({"Version": version, "Time": time}).to_string());
            mirror.write(&format!("{tree}.info"), &info)?;
            mirror.write(&format!("{path}/@latest"), &info)?;
            mirror.write(&format!("{tree}.mod"), go_mod(&path, ""))?;
            let files = [("go.mod", go_mod(&path, "")), ("name.go", format!("package {name}\n"))];
            let files = files.map(|(file, text)| (format!("{path}@{version}/{file}"), text));
            zip(desk, &mirror.folder.join(format!("{tree}.zip")), &files)?;
            list += &format!("{version}\n");
        }
        mirror.write(&format!("{path}/@v/list"), list)
    }

    fn any(&self, name: &str) -> String {
        format!("example.com/{name}@latest")
    }

    fn exactly(&self, name: &str, version: &str) -> String {
        format!("example.com/{name}@v{version}")
    }

    fn installed(&self, desk: &Desk, home: &str, name: &str) -> Result<String> {
        let text = std::fs::read_to_string(desk.home.join(home).join("app/go.mod"))?;
        let found =
            text.split_once(&format!("example.com/{name} v")).and_then(|(_, rest)| rest.split_whitespace().next());
        found.map(str::to_owned).ok_or_else(|| Trouble::new(text))
    }
}

pub(super) fn go_mod(path: &str, needs: &str) -> String {
    format!("module {path}\n\ngo 1.21\n\n{needs}")
}

pub(super) fn text(folder: &str) -> String {
    match folder {
        "base" => "package base\n\nconst Name = \"base\"\n".to_owned(),
        _ => "package tool\n\nimport \"example.com/Acme/base\"\n\nconst Name = \"tool on \" + base.Name\n".to_owned(),
    }
}

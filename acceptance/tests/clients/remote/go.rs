//! The go command through a remote repository.

use acceptance::server::Backing;
use acceptance::{Result, Trouble};

use super::mirror::Mirror;
use super::{Client, REFUSED, Says, through_a_mirror, through_another};
use crate::desk::{Deed, Desk};
use crate::go::{go, ours};

/// Every module: its folder, its path and what it needs.
const MODULES: [(&str, &str, &str); 2] = [
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
            let program = "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w') as out:\n    \
                           for name, text in zip(sys.argv[2::2], sys.argv[3::2]):\n        out.writestr(name, text)\n";
            let zip = mirror.folder.join(format!("{tree}/v1.0.0.zip")).display().to_string();
            let inside = |file: &str| format!("{path}@v1.0.0/{file}");
            let deed = desk.command("python3")?.args(["-c", program, &zip, &inside("go.mod"), &go_mod(path, needs)]);
            deed.args([inside("name.go").as_str(), &text(folder)]).works()?;
        }
        Ok(())
    }

    fn install(&self, desk: &Desk, home: &str, _: &str, package: &str) -> Result<Deed> {
        desk.write(".config/go/env", desk.config("go", "env")?)?;
        desk.write(&format!("{home}/app/go.mod"), "module example.com/app\n\ngo 1.21\n")?;
        let main = "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.com/Acme/tool\"\n)\n\nfunc main() { fmt.Println(tool.Name) }\n";
        desk.write(&format!("{home}/app/main.go"), main)?;
        Ok(go(desk, home)?.args(["get", package]).at(desk.home.join(home).join("app")))
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

fn go_mod(path: &str, needs: &str) -> String {
    format!("module {path}\n\ngo 1.21\n\n{needs}")
}

fn text(folder: &str) -> String {
    match folder {
        "base" => "package base\n\nconst Name = \"base\"\n".to_owned(),
        _ => "package tool\n\nimport \"example.com/Acme/base\"\n\nconst Name = \"tool on \" + base.Name\n".to_owned(),
    }
}

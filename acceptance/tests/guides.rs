//! The guides, run: every block of shell commands in them, in order, against a fresh server.

use std::fs;
use std::path::Path;

use acceptance::server::{Backing, Server, binary};
use acceptance::{Result, Trouble, environment, nursery, scratch, tree};

#[tokio::test]
async fn getting_started() -> Result<()> {
    follow("docs/guide/getting-started.md").await
}

#[tokio::test]
async fn raw_files() -> Result<()> {
    follow("docs/guide/raw-files.md").await
}

#[tokio::test]
async fn publishing_versions() -> Result<()> {
    follow("docs/guide/publishing-versions.md").await
}

#[tokio::test]
async fn access() -> Result<()> {
    follow("docs/guide/access.md").await
}

#[tokio::test]
async fn remote_repositories() -> Result<()> {
    follow("docs/guide/remote-repositories.md").await
}

#[tokio::test]
async fn virtual_repositories() -> Result<()> {
    follow("docs/guide/virtual-repositories.md").await
}

#[tokio::test]
async fn air_gap() -> Result<()> {
    follow("docs/guide/air-gap.md").await
}

#[tokio::test]
async fn dependency_confusion() -> Result<()> {
    follow("docs/guide/dependency-confusion.md").await
}

#[tokio::test]
async fn rules_and_age() -> Result<()> {
    follow("docs/guide/age-gate.md").await
}

#[tokio::test]
async fn an_old_build() -> Result<()> {
    follow("docs/guide/reproducing-an-old-build.md").await
}

#[tokio::test]
async fn running() -> Result<()> {
    follow("docs/operate/running.md").await
}

#[tokio::test]
async fn the_readme() -> Result<()> {
    follow("README.md").await
}

#[test]
fn every_guide_is_followed() -> Result<()> {
    let own = tree::text("acceptance/tests/guides.rs")?;
    let files = tree::files()?;
    // The pages of formats are run with the programs that they show.
    let clients = files.iter().filter(|file| file.starts_with("acceptance/tests/clients/"));
    let clients = clients.map(|file| tree::text(file)).collect::<Result<String>>()?;
    for file in files.iter().filter(|file| file.ends_with(".md")) {
        let runnable = !blocks(&tree::text(file)?).is_empty();
        let run = own.contains(&format!("follow(\"{file}\")")) || clients.contains(&format!("\"{file}\";"));
        assert!(!runnable || run, "{file} has commands that nobody runs");
    }
    Ok(())
}

/// Runs what the document shows, as somebody who reads it from top to bottom and stops at the first failure.
async fn follow(file: &str) -> Result<()> {
    let commands = blocks(&tree::text(file)?);
    assert!(!commands.is_empty(), "{file} has no commands");
    // Where a guide needs an upstream that answers, the server is its own.
    let plan = Server::plan(Backing::Embedded).variable("ARTIFORTRESS_PRIVATE_UPSTREAMS", "127.0.0.0/8");
    let server = plan.without_admin().start().await?;
    let folder = scratch::folder("guide")?;
    fs::create_dir(folder.join("docs"))?;
    for given in ["LICENSE-MIT", "README.md", "docs/operate/running.md"] {
        let name = if given.starts_with("docs") { "docs/running.md" } else { given };
        fs::copy(tree::root().join(given), folder.join(name))?;
    }
    let url = format!("http://{}", server.address()?);
    let mut script = PRELUDE.to_string();
    if !commands.contains("artifortress init") {
        script.push_str(LOGIN);
    }
    script.push_str(&commands.replace("http://127.0.0.1:8080", "$URL"));
    let run = Run {
        folder: &folder,
        url: &url,
        operations: format!("http://{}", server.operations()?.address()),
        server: &server,
    };
    let done = run.bash(&script);
    fs::remove_dir_all(&folder)?;
    done.map_err(|why| Trouble::new(format!("{file}: {why}")))
}

/// A failing command ends the script and is named. So is one that should have failed (`! …`), which the shell's own
/// `-e` would let pass.
const PRELUDE: &str = "set -eEuo pipefail
trap 'echo \"this failed: $BASH_COMMAND\" >&2' ERR
";

const LOGIN: &str = "artifortress init >/dev/null
TOKEN=$(artifortress admin tokens mint --scope 'repo:*:admin' --name guide 2>/dev/null)
";

struct Run<'a> {
    folder: &'a Path,
    url: &'a str,
    operations: String,
    server: &'a Server,
}

impl Run<'_> {
    fn bash(&self, script: &str) -> std::result::Result<(), String> {
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let bootstrap = fs::read_to_string(self.server.data().join("bootstrap-token")).map_err(|error| told(&error))?;
        let program = binary().map_err(|error| format!("{error:?}"))?;
        let programs = program.parent().unwrap_or(Path::new("/")).display().to_string();
        let path = environment::require("PATH").map_err(|error| format!("{error:?}"))?;
        let mut command = nursery::guarded(Path::new("bash"), "KILL");
        command.args(["-c", script]).current_dir(self.folder).env_clear();
        command.env("PATH", format!("{programs}:{path}")).env("HOME", self.folder);
        command.env("URL", self.url).env("OPS", &self.operations).env("ARTIFORTRESS_SERVER", self.url);
        command.env("ARTIFORTRESS_BOOTSTRAP_TOKEN", bootstrap.trim());
        let done = command.output().map_err(|error| told(&error))?;
        if done.status.success() {
            return Ok(());
        }
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        Err(format!("{}\n--- said:\n{err}\n--- printed:\n{out}", done.status))
    }
}

/// The content of every block fenced as ```sh, in order. `! command` becomes a command that fails when it works.
fn blocks(text: &str) -> String {
    let mut commands = String::new();
    let mut inside = false;
    for line in text.lines() {
        match line.trim_end() {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside => {
                match line.strip_prefix("! ") {
                    Some(refused) => commands.push_str(&format!("if {refused}; then false; fi")),
                    None => commands.push_str(line),
                }
                commands.push('\n');
            }
            _ => {}
        }
    }
    commands
}

#[test]
fn only_shell_blocks_are_commands() {
    let text = "a\n```sh\none \\\n  two\n! three\n```\n```text\nfour\n```\n    five\n";
    assert_eq!(blocks(text), "one \\\n  two\nif three; then false; fi\n");
}

//! Modules of real projects, as the go command has them in its cache: one in its second major version, one that never
//! heard of modules, one between two versions, one with capital letters, one at an address with dots.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use acceptance::server::Backing;
use acceptance::{Result, Trouble};
use serde_json::json;

use crate::desk::Desk;
use crate::go::{go, ours};

/// Where `kit/install-tools` puts them.
const MODULES: &str = "/opt/clients/go";

/// A module as the cache has it.
struct Module {
    /// Where it is below the repository, without an ending; capital letters are spelled with `!`.
    place: String,
    path: String,
    version: String,
    /// Its files and the sum that the go command knows it by.
    archive: PathBuf,
    sum: String,
}

#[tokio::test]
async fn modules_of_real_projects() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "go").await?;
    desk.admin.patch("/v1/repos/go").json(&json!({"anonymousRead": true})).send().await?.expect(&[200])?;
    desk.write(".config/go/env", desk.config("go", "env")?)?;
    let (mut modules, root) = (Vec::new(), Path::new(MODULES).join("cache/download"));
    walk(&root, &root, &mut modules)?;
    assert!(modules.len() >= 6, "only {} modules", modules.len());
    for module in &modules {
        // From its folder, if that says what it is called, or as the archive: the sum must be the same.
        if folder(module).join("go.mod").exists() { push(&desk, module)? } else { upload(&desk, module).await? }
    }
    let mut needs = String::new();
    for module in &modules {
        needs.push_str(&format!("require {} {}\n", module.path, module.version));
        let info = desk.admin.get(&format!("/repository/go/{}.info", module.place)).send().await?.expect(&[200])?;
        assert_eq!(info.string("/Version")?, module.version);
    }
    desk.write("app/go.mod", format!("module example.com/app\n\ngo 1.21\n\n{needs}"))?;
    desk.write("app/main.go", PROGRAM)?;
    let app = desk.home.join("app");
    let go = |cache: &str| Ok::<_, Trouble>(go(&desk, cache)?.env("GONOSUMDB", "*").at(&app));
    go("first")?.args(["mod", "download", "all"]).works()?;
    assert_eq!(go("first")?.args(["run", "."]).works()?.trim(), "2 17241709254077376921 1.2.3 map[b:[1 2]]");
    let sums = fs::read_to_string(app.join("go.sum"))?;
    let sums: BTreeMap<_, _> = sums.lines().filter_map(|line| line.rsplit_once(' ')).collect();
    for Module { path, version, sum, .. } in &modules {
        assert_eq!(sums.get(format!("{path} {version}").as_str()), Some(&sum.as_str()), "{path}");
    }
    // With those sums another machine takes what it is given.
    go("clean")?.args(["run", "-mod=readonly", "."]).works().map(drop)
}

const PROGRAM: &str = r#"package main

import (
	"fmt"

	"github.com/BurntSushi/toml"
	"github.com/blang/semver"
	"github.com/cespare/xxhash/v2"
	"github.com/davecgh/go-spew/spew"
	"gopkg.in/yaml.v3"
)

func main() {
	var table struct{ A int }
	_, err := toml.Decode("a = 2", &table)
	var tree map[string][]int
	if err != nil || yaml.Unmarshal([]byte("b: [1, 2]"), &tree) != nil {
		spew.Dump(err)
	}
	fmt.Println(table.A, xxhash.Sum64String(""), semver.MustParse("1.2.3"), tree)
}
"#;

fn walk(root: &Path, folder: &Path, modules: &mut Vec<Module>) -> Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(root, &path, modules)?;
        } else if path.extension().is_some_and(|ending| ending == "zip") {
            modules.push(module(root, &path)?);
        }
    }
    Ok(())
}

fn module(root: &Path, archive: &Path) -> Result<Module> {
    let place = archive.strip_prefix(root).map_err(|_| Trouble::new("an archive elsewhere"))?.with_extension("");
    let place = place.display().to_string();
    let (path, version) = place.split_once("/@v/").ok_or_else(|| Trouble::new(format!("{place} is no module")))?;
    let sum = fs::read_to_string(archive.with_extension("ziphash"))?.trim().to_owned();
    let (path, version) = (plain(path), plain(version));
    Ok(Module { path, version, archive: archive.to_owned(), sum, place })
}

/// With capital letters as they are.
fn plain(spelled: &str) -> String {
    let mut parts = spelled.split('!');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + &part[..1].to_uppercase() + &part[1..])
}

async fn upload(desk: &Desk, module: &Module) -> Result<()> {
    let mut bytes = Vec::new();
    fs::File::open(&module.archive)?.read_to_end(&mut bytes)?;
    let put = desk.admin.put(&format!("/repository/go/{}.zip", module.place)).body(bytes);
    let answer = put.send().await?.expect(&[200, 201]);
    answer.map(drop).map_err(|trouble| Trouble::new(format!("{}: {trouble:?}", module.place)))
}

/// Where the go command unpacked it to.
fn folder(module: &Module) -> PathBuf {
    Path::new(MODULES).join(module.place.replace("/@v/", "@"))
}

fn push(desk: &Desk, module: &Module) -> Result<()> {
    let folder = folder(module).display().to_string();
    let deed = ours(desk, desk.admin.token())?;
    deed.args(["push", "go", &folder, "--version", &module.version]).works().map(drop)
}

//! Wheels of the Python clients themselves, packed again from where they are installed: with libraries in C and Rust,
//! with scripts, data and entry points, with tags for several platforms.

use std::fs;
use std::path::Path;

use acceptance::server::Backing;
use acceptance::{Result, Trouble};
use serde_json::Value as Json;

use crate::desk::Desk;
use crate::pypi::python::{CLIENTS, environment, run, set_up};
use crate::pypi::{pip, twine};

#[tokio::test]
async fn wheels_of_the_clients_themselves() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "pypi").await?;
    let reader = desk.token("rita", &["repo:pypi:read"]).await?;
    set_up(&desk, "admin", desk.admin.token())?;
    set_up(&desk, "reader", &reader)?;
    let program = desk.write("repack.py", include_str!("repack.py"))?.display().to_string();
    let folder = desk.home.join("wheels").display().to_string();
    let packed: Json =
        serde_json::from_str(&desk.command(Path::new(CLIENTS).join("python"))?.args([&*program, &folder]).works()?)?;
    let packed = packed.as_array().cloned().unwrap_or_default();
    let text = |one: &Json, field: &str| one[field].as_str().unwrap_or_default().to_owned();
    assert!(packed.iter().filter(|one| text(one, "file").contains("manylinux")).count() >= 3, "no native code");
    let files: Vec<String> = packed.iter().map(|one| format!("{folder}/{}", text(one, "file"))).collect();
    twine(&desk, "admin", &files.iter().map(String::as_str).collect::<Vec<_>>())?.works()?;

    for one in &packed {
        let (name, file) = (text(one, "name"), text(one, "file"));
        let index = desk.admin.get(&format!("/repository/pypi/simple/{name}/"));
        let index =
            index.header("Accept", "application/vnd.pypi.simple.v1+json").send().await?.expect(&[200])?.json()?;
        let listed = index.pointer("/files/0").cloned().unwrap_or_default();
        assert_eq!((&listed["filename"], &listed["hashes"]["sha256"]), (&one["file"], &one["sha256"]));
        assert_eq!(listed["requires-python"].as_str(), one["python"].as_str(), "{file}");
        assert_eq!(listed["core-metadata"]["sha256"], one["metadata"], "{file}");
    }
    // twine, with everything that it needs, from us alone; and it runs.
    let clean = environment(&desk, "clean")?;
    let version = packed.iter().find(|one| one["name"] == "twine").map(|one| text(one, "version"));
    let version = version.ok_or_else(|| Trouble::new("no twine"))?;
    pip(&desk, "reader", &clean, &["install", "--no-compile", "twine", "cffi", "msgpack"])?.works()?;
    let libraries = "import cffi, msgpack, nh3; print(nh3.clean('<b>x</b><script>y</script>'), \
                     msgpack.unpackb(msgpack.packb(7)), cffi.FFI().sizeof('short'))";
    assert_eq!(run(&desk, &clean, libraries)?.trim(), "<b>x</b> 7 2");
    let twine = clean.with_file_name("twine");
    assert!(fs::metadata(&twine)?.is_file());
    let said = desk.command(twine)?.args(["--version"]).works()?;
    assert!(said.contains(&format!("twine version {version}")), "{said}");
    Ok(())
}

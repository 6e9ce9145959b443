//! A crate whose dependencies go by other names, come from two registries, and are of every kind.

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::{Value as Json, json};

use crate::cargo::{application, cargo, library};
use crate::desk::{Deed, Desk};

const MANIFEST: &str = r#"
[features]
loud = ["dep:far"]
hushed = ["far?/std"]

[dependencies]
hello = { package = "greeting_lib", version = "0.1", registry = "ours", default-features = false }
far = { package = "far-away", version = ">=1.2, <2", registry = "theirs", optional = true }

[dev-dependencies]
greeting_lib = { version = "=0.1.0", registry = "ours" }

[target.'cfg(unix)'.build-dependencies]
maker = { package = "Tool_Maker", version = "1", registry = "theirs", features = ["std"] }
"#;

#[tokio::test]
async fn crates_of_two_registries() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "cargo").await?;
    let theirs = json!({"repoKey": "theirs", "format": "cargo"});
    desk.admin.post("/v1/repos").json(&theirs).send().await?.expect(&[201])?;
    let index = desk.url()?.replace("/repository/cargo", "/repository/theirs");
    for home in ["home", "clean"] {
        let ours = desk.config("cargo", "config.toml")?;
        let theirs =
            format!("[registries.theirs]\nindex = \"sparse+{index}/\"\ncredential-provider = [\"cargo:token\"]\n");
        desk.write(&format!("{home}/config.toml"), format!("{ours}{theirs}[net]\nretry = 0\n"))?;
    }
    let token = desk.admin.token().to_owned();
    let run = |home: &str| {
        Ok::<Deed, acceptance::Trouble>(cargo(&desk, home, &token)?.env("CARGO_REGISTRIES_THEIRS_TOKEN", &token))
    };
    library(&desk, "greeting_lib", "0.1.0", "")?;
    library(&desk, "far-away", "1.2.3", "[features]\nstd = []\n")?;
    library(&desk, "Tool_Maker", "1.0.0", "[features]\nstd = []\n")?;
    library(&desk, "both", "1.0.0", MANIFEST)?;
    let text = "pub fn greet() -> u8 { hello::greet() }\n#[cfg(feature = \"loud\")]\n\
                pub fn shout() -> u8 { hello::greet() + far::greet() }\n";
    desk.write("both/src/lib.rs", text)?;
    desk.write("both/build.rs", "fn main() { assert_eq!(maker::greet(), 42) }\n")?;
    for (registry, name) in
        [("ours", "greeting_lib"), ("theirs", "far-away"), ("theirs", "Tool_Maker"), ("ours", "both")]
    {
        let publish = run("home")?.args(["publish", "--registry", registry, "--no-verify", "--allow-dirty"]);
        publish.at(desk.home.join(name)).works()?;
    }
    assert_eq!(line(&desk).await?, expected(&format!("sparse+{index}/")));

    application(&desk, "app", "both = { version = \"1\", registry = \"ours\", features = [\"loud\", \"hushed\"] }")?;
    desk.write("app/src/main.rs", "fn main() { assert_eq!(both::shout(), 84) }\n")?;
    run("clean")?.args(["run"]).at(desk.home.join("app")).works()?;
    let lock = std::fs::read_to_string(desk.home.join("app/Cargo.lock"))?;
    assert!(lock.contains(&format!("source = \"sparse+{index}/\"")), "{lock}");
    Ok(())
}

/// The line of the index, its dependencies in the order of their names and kinds.
async fn line(desk: &Desk) -> Result<Json> {
    let document = desk.admin.get("/repository/cargo/bo/th/both").send().await?.expect(&[200])?;
    let mut line: Json = serde_json::from_str(document.text().trim())?;
    for field in ["cksum", "pubtime"] {
        assert!(line[field].take().is_string(), "{field}");
    }
    if let Some(dependencies) = line["deps"].as_array_mut() {
        dependencies.sort_by_key(|one| (one["name"].to_string(), one["kind"].to_string()));
    }
    Ok(line)
}

/// What a dependency or the crate does not have is not there.
fn expected(theirs: &str) -> Json {
    let dependency = |name: &str, req: &str, kind: &str| {
        json!({"name": name, "req": req, "kind": kind, "features": [], "optional": false, "default_features": true,
            "target": null})
    };
    let mut far = dependency("far", ">=1.2, <2", "normal");
    far["package"] = json!("far-away");
    far["registry"] = json!(theirs);
    far["optional"] = json!(true);
    let mut hello = dependency("hello", "^0.1", "normal");
    hello["package"] = json!("greeting_lib");
    hello["default_features"] = json!(false);
    let mut maker = dependency("maker", "^1", "build");
    maker["package"] = json!("Tool_Maker");
    maker["registry"] = json!(theirs);
    maker["target"] = json!("cfg(unix)");
    maker["features"] = json!(["std"]);
    let same = dependency("greeting_lib", "=0.1.0", "dev");
    json!({"name": "both", "vers": "1.0.0", "deps": [far, same, hello, maker], "cksum": null, "pubtime": null,
        "features": {}, "features2": {"loud": ["dep:far"], "hushed": ["far?/std"]}, "v": 2, "yanked": false})
}

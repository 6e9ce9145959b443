//! The programs that people use: what the guide shows is run as it stands there, and then some.

use std::io::Read;
use std::path::Path;

use acceptance::server::{Backing, binary};
use acceptance::{Result, environment, tree};
use serde_json::json;

use super::docker;
use super::yard::{IMAGE, LAYER, sha256};
use crate::desk::{Deed, Desk};

pub(super) const GUIDE: &str = "docs/formats/oci.md";
/// Where `kit/install-tools` puts those that are built.
const BUILT: &str = "/opt/clients/bin";

#[tokio::test]
async fn the_guide_works_on_sqlite_and_disk() -> Result<()> {
    guide(Backing::Embedded).await
}

#[tokio::test]
async fn the_guide_works_on_postgresql_and_s3() -> Result<()> {
    guide(Backing::Scaled).await
}

/// Runs every block of the guide, one after the other.
async fn guide(backing: Backing) -> Result<()> {
    let desk = Desk::open(backing, "oci").await?;
    layout(&desk)?;
    let (token, host) = (desk.admin.token().to_owned(), desk.server.address()?.to_string());
    let text = tree::text(GUIDE)?;
    let count = text.matches("```sh\n").count();
    assert!(!text.contains("```text"), "{GUIDE} has a block that nobody runs");
    let _engine = docker::begin(&desk, "{}")?;
    for number in 0..count {
        let block = desk.shown(GUIDE, "sh", number, &token)?;
        let block = block.replace("127.0.0.1:8080", &host);
        docker::docker(&desk, &block)?.works()?;
    }
    // With the file for a registry's own name, that goes through here.
    desk.write("mirror.conf", desk.shown(GUIDE, "toml", 2, &token)?.replace("127.0.0.1:8080", &host))?;
    let named = "podman rmi --all --force; podman pull registry.example/team/app:1.0";
    sh(&desk, &format!("export CONTAINERS_REGISTRIES_CONF=$HOME/mirror.conf; {named}"))?.works()?;
    // With the file for podman nobody has to say on each line that there is no TLS.
    desk.write("none.conf", "")?;
    desk.write("registries.conf", desk.config("podman", "artifortress.conf")?)?;
    let image = format!("{}/oci/team/again:1.0", desk.server.address()?);
    let with =
        |file: &str, command: &str| sh(&desk, &format!("export CONTAINERS_REGISTRIES_CONF=$HOME/{file}; {command}"));
    let push =
        |file: &str| sh(&desk, &format!("skopeo --registries-conf $HOME/{file} copy oci:app:1.0 docker://{image}"));
    push("none.conf")?.fails_saying(&["HTTPS"])?;
    push("registries.conf")?.works()?;
    with("none.conf", &format!("podman pull {image}"))?.fails_saying(&["HTTPS"])?;
    with("registries.conf", &format!("podman pull {image}"))?.works().map(drop)
}

#[tokio::test]
async fn refusals_are_shown_by_skopeo_and_crane() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "oci").await?;
    layout(&desk)?;
    let reader = desk.token("rita", &["repo:oci:read"]).await?;
    let host = desk.server.address()?.to_string();
    let (there, admin) = (format!("docker://{host}/oci/app:1.0"), format!("x:{}", desk.admin.token()));
    let copy = |creds: &str, to: &str| -> Result<Deed> {
        sh(&desk, &format!("skopeo copy --dest-tls-verify=false --dest-creds {creds} oci:app:1.0 {to}"))
    };
    copy("x:wrong", &there)?.fails_saying(&["the token is unknown or revoked"])?;
    copy(&format!("x:{reader}"), &there)?.fails_saying(&["denied"])?;
    copy(&admin, &there)?.works()?;
    copy(&admin, &there)?.works()?;
    copy(&admin, &format!("docker://{host}/none/app:1"))?.fails_saying(&["the repository none was not found"])?;
    let inspect = |what: &str, creds: &str| {
        sh(&desk, &format!("skopeo inspect --tls-verify=false {creds} docker://{host}/oci/{what}"))
    };
    inspect("app:2.0", &format!("--creds x:{reader}"))?.fails_saying(&["manifest unknown"])?;
    inspect("app:1.0", "--no-creds")?.fails_saying(&["unauthorized"])?;
    inspect("app:1.0", &format!("--creds x:{reader}"))?.works()?;
    // crane, with a reader's token: it sees, and is told what it may not.
    sh(&desk, &format!("crane auth login {host} -u x -p {reader}"))?.works()?;
    sh(&desk, &format!("crane validate --remote {host}/oci/app:1.0"))?.works()?;
    sh(&desk, &format!("crane tag {host}/oci/app:1.0 mine"))?.fails_saying(&["DENIED: this needs the role write"])?;
    sh(&desk, &format!("crane delete {host}/oci/app:1.0"))?.fails_saying(&["DENIED"])?;
    sh(&desk, &format!("crane auth login {host} -u x -p {}", desk.admin.token()))?.works()?;
    let digest = sh(&desk, &format!("crane digest {host}/oci/app:1.0"))?.works()?;
    sh(&desk, &format!("crane delete {host}/oci/app@{}", digest.trim()))?.works()?;
    sh(&desk, &format!("crane manifest {host}/oci/app:1.0"))?.fails_saying(&["MANIFEST_UNKNOWN"])?;
    copy(&admin, &there)?.works()?;
    sh(&desk, &format!("crane validate --remote {host}/oci/app:1.0"))?.works().map(drop)
}

#[tokio::test]
async fn charts_artifacts_and_signatures_are_images_too() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "oci").await?;
    layout(&desk)?;
    let (host, token) = (desk.server.address()?.to_string(), desk.admin.token().to_owned());
    sh(&desk, &format!("crane auth login {host} -u x -p {token} && crane push --index=false app {host}/oci/app:1.0"))?
        .works()?;
    // The repository's key is no image's name: the client goes on until it can read that.
    sh(&desk, &format!("crane push --index=false app {host}/oci:1.0"))?.fails_saying(&["NAME_INVALID"])?;
    desk.write("text.txt", "hello\n")?;
    let regctl = format!(
        "regctl registry set --tls disabled {host} && regctl registry login {host} -u x -p {token} --skip-check
        regctl artifact put --artifact-type application/x.bill -f text.txt --subject {host}/oci/app:1.0
        regctl artifact list {host}/oci/app:1.0 && regctl tag delete {host}/oci/app:1.0 && regctl tag ls {host}/oci/app"
    );
    let said = sh(&desk, &regctl)?.works()?;
    assert!(said.contains("ArtifactType: application/x.bill"), "{said}");
    let sign = format!(
        "crane push --index=false app {host}/oci/app:1.0
        export COSIGN_PASSWORD=x && cosign generate-key-pair
        image={host}/oci/app@$(crane digest {host}/oci/app:1.0)
        cosign sign --key cosign.key --allow-http-registry --tlog-upload=false --use-signing-config=false -y $image
        cosign verify --key cosign.pub --allow-http-registry --insecure-ignore-tlog=true $image"
    );
    let said = sh(&desk, &sign)?.works()?;
    assert!(said.contains("The signatures were verified against the specified public key"), "{said}");
    let chart = format!(
        "helm create demo && helm package demo --version 1.2.3+build.4
        helm registry login --plain-http {host} -u x -p {token}
        helm push --plain-http demo-1.2.3+build.4.tgz oci://{host}/oci/charts
        mkdir back && helm pull --plain-http oci://{host}/oci/charts/demo --version 1.2.3+build.4 -d back
        cmp demo-1.2.3+build.4.tgz back/demo-1.2.3+build.4.tgz"
    );
    sh(&desk, &chart)?.works().map(drop)
}

#[tokio::test]
async fn podman_and_buildah_push_and_pull() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "oci").await?;
    let (host, token) = (desk.server.address()?.to_string(), desk.admin.token().to_owned());
    let reader = desk.token("rita", &["repo:oci:read"]).await?;
    desk.write("greeting.txt", "hello\n")?;
    // They want the file that the environment names for logins to be there.
    desk.write("auth.json", "{}")?;
    let push = |creds: &str| {
        sh(&desk, &format!("buildah push --tls-verify=false --creds x:{creds} app docker://{host}/oci/app:1"))
    };
    sh(&desk, "box=$(buildah from scratch) && buildah copy $box greeting.txt / && buildah commit $box app")?.works()?;
    push("wrong")?.fails_saying(&["the token is unknown or revoked"])?;
    push(&reader)?.fails_saying(&["denied"])?;
    push(&token)?.works()?;
    push(&token)?.works()?;
    // It knows now where the layer is, and asks to have it from there.
    let elsewhere = |creds: &str| {
        sh(&desk, &format!("podman push --tls-verify=false --creds x:{creds} app docker://{host}/oci/b:1"))
    };
    let said = elsewhere(&reader)?.fails_saying(&["denied"])?;
    assert!(!said.contains("scope"), "{said}");
    elsewhere(&token)?.works()?;
    sh(&desk, "buildah rm --all && buildah rmi --all --force")?.works()?;
    let pull = |program: &str, creds: &str, tag: &str| {
        sh(&desk, &format!("{program} pull --tls-verify=false {creds} {host}/oci/app:{tag}"))
    };
    pull("podman", "", "1")?.fails_saying(&["unauthorized"])?;
    pull("podman", &format!("--creds x:{reader}"), "2")?.fails_saying(&["manifest unknown"])?;
    pull("podman", &format!("--creds x:{reader}"), "1")?.works()?;
    pull("buildah", &format!("--creds x:{reader}"), "1")?.works()?;
    let again = format!(
        "podman login --tls-verify=false -u x -p {token} {host} && podman tag {host}/oci/app:1 {host}/oci/copy:1
        podman push --tls-verify=false {host}/oci/copy:1 && podman rmi --all --force
        podman pull --tls-verify=false {host}/oci/copy:1 && podman image inspect {host}/oci/copy:1
        podman search --tls-verify=false --list-tags {host}/oci/copy
        podman search --tls-verify=false {host}/cop && podman logout {host}"
    );
    let said = sh(&desk, &again)?.works()?;
    assert!(said.contains(&format!("{host}/oci/copy@sha256:")), "{said}");
    let found = said.lines().filter(|line| line.trim_end().ends_with(&format!("{host}/oci/copy")));
    assert_eq!(found.count(), 1, "{said}");
    Ok(())
}

/// A script, in the home, with the clients where they are and their files in the home.
pub(crate) fn sh(desk: &Desk, script: &str) -> Result<Deed> {
    containers(desk)?;
    let program = binary()?;
    let own = program.parent().unwrap_or(Path::new("/")).display();
    let path = format!("{BUILT}:{own}:{}", environment::require("PATH")?);
    let deed = desk.command("/bin/sh")?.args(["-e", "-c", script]).env("PATH", path);
    let server = format!("http://{}", desk.server.address()?);
    let deed = deed.env("ARTIFORTRESS_SERVER", server).env("ARTIFORTRESS_TOKEN", desk.admin.token());
    let at = |name: &str| desk.home.join(name);
    Ok(deed
        .env("REGISTRY_AUTH_FILE", at("auth.json"))
        .env("DOCKER_CONFIG", at("docker"))
        .env("CONTAINERS_STORAGE_CONF", at("storage.conf"))
        .env("CONTAINERS_CONF", at("containers.conf"))
        .env("XDG_RUNTIME_DIR", at("run")))
}

/// What podman and buildah keep lies in the home too, and needs nothing of the kernel.
fn containers(desk: &Desk) -> Result<()> {
    let home = desk.home.display();
    let storage =
        format!("[storage]\ndriver = \"vfs\"\ngraphroot = \"{home}/containers\"\nrunroot = \"{home}/running\"\n");
    desk.write("storage.conf", storage)?;
    let engine = format!(
        "[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\nlock_type = \"file\"\ntmp_dir = \"{home}/engine\"\n"
    );
    desk.write("containers.conf", engine).map(drop)
}

/// A small image in the folder `app`, as a layout that clients read.
pub(super) fn layout(desk: &Desk) -> Result<()> {
    let put = |bytes: &[u8]| -> Result<String> {
        let digest = sha256(bytes);
        desk.write(&format!("app/blobs/{}", digest.replace(':', "/")), bytes)?;
        Ok(digest)
    };
    let layer = tar(desk, "greeting.txt", "hello\n".repeat(30_000).as_bytes())?;
    let size = layer.len();
    let layer = put(&layer)?;
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [layer]},
        "history": [{"created": "2026-01-01T00:00:00Z"}],
    })
    .to_string();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": IMAGE,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "digest": put(config.as_bytes())?, "size": config.len(),
        },
        "layers": [{"mediaType": LAYER.trim_end_matches("+gzip"), "digest": layer, "size": size}],
    })
    .to_string();
    let index = json!({"schemaVersion": 2, "manifests": [{
        "mediaType": IMAGE, "digest": put(manifest.as_bytes())?, "size": manifest.len(),
        "annotations": {"org.opencontainers.image.ref.name": "1.0"},
    }]});
    desk.write("app/index.json", index.to_string())?;
    desk.write("app/oci-layout", r#"{"imageLayoutVersion": "1.0.0"}"#).map(drop)
}

fn tar(desk: &Desk, name: &str, content: &[u8]) -> Result<Vec<u8>> {
    desk.write(name, content)?;
    desk.command(Path::new("/bin/tar"))?.args(["--format=ustar", "-cf", "layer.tar", name]).works()?;
    let mut bytes = Vec::new();
    std::fs::File::open(desk.home.join("layer.tar"))?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

//! The programs that people use, through a virtual repository alone: what they push and what comes from elsewhere.

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::json;

use super::programs::{layout, sh};
use super::remote::Mirror;
use crate::desk::Desk;

#[tokio::test]
async fn clients_push_and_pull_through_one_address() -> Result<()> {
    let up = Desk::open(Backing::Embedded, "oci").await?;
    layout(&up)?;
    let (there, token) = (up.server.address()?.to_string(), up.admin.token().to_owned());
    let push = format!(
        "skopeo copy --dest-tls-verify=false --dest-creds x:{token} oci:app:1.0 docker://{there}/oci/library/base:1.0"
    );
    sh(&up, &push)?.works()?;
    let robot = up.token("robot", &["repo:oci:read"]).await?;
    let auth = json!({"kind": "basic", "user": "robot", "password": robot});
    let settings = json!({"indexSeconds": 0, "missingSeconds": 0});
    let mirror = Mirror::of(Backing::Embedded, &format!("http://{there}/oci"), auth, settings).await?;
    let admin = mirror.admin.token().to_owned();
    let desk = Desk::at(mirror.server, "all", admin)?;
    desk.admin.post("/v1/repos").json(&json!({"repoKey": "own", "format": "oci"})).send().await?.expect(&[201])?;
    let all = json!({"repoKey": "all", "format": "oci", "repoType": "virtual", "memberRepos": ["own", "mirror"],
        "settings": {"virtual": {"deployTo": "own"}}});
    desk.admin.post("/v1/repos").json(&all).send().await?.expect(&[201])?;
    layout(&desk)?;
    // A developer publishes to `own`, by its scope there alone.
    let scopes = ["repo:all:read", "repo:mirror:read", "repo:own:write"];
    let dev = desk.token("dora", &scopes).await?;
    let (host, all) = (desk.server.address()?.to_string(), format!("{}/all", desk.server.address()?));
    desk.write("auth.json", "{}")?;
    let work = format!(
        "crane auth login {host} -u x -p {dev}
        skopeo copy --src-tls-verify=false --src-creds x:{dev} docker://{all}/library/base:1.0 oci:base:1.0
        skopeo copy --dest-tls-verify=false --dest-creds x:{dev} oci:app:1.0 docker://{all}/team/app:1.0
        podman pull --tls-verify=false --creds x:{dev} {all}/library/base:1.0
        podman pull --tls-verify=false --creds x:{dev} {all}/team/app:1.0
        podman tag {all}/team/app:1.0 {all}/team/podman:1.1
        podman push --tls-verify=false --creds x:{dev} {all}/team/podman:1.1
        crane validate --remote {all}/team/podman:1.1
        crane pull {all}/library/base:1.0 base.tar && crane push base.tar {all}/team/crane:1.0
        crane copy {all}/library/base:1.0 {all}/team/copy:1.0 && crane validate --remote {all}/team/copy:1.0
        crane tag {all}/team/app:1.0 stable && crane ls {all}/team/app && crane catalog {host}
        export COSIGN_PASSWORD=x && cosign generate-key-pair
        image={all}/team/app@$(crane digest {all}/team/app:1.0)
        cosign sign --key cosign.key --allow-http-registry --tlog-upload=false --use-signing-config=false -y $image
        cosign verify --key cosign.pub --allow-http-registry --insecure-ignore-tlog=true $image
        helm create demo && helm package demo --version 1.2.3
        helm registry login --plain-http {host} -u x -p {dev}
        helm push --plain-http demo-1.2.3.tgz oci://{all}/charts
        mkdir -p back && helm pull --plain-http oci://{all}/charts/demo --version 1.2.3 -d back
        cmp demo-1.2.3.tgz back/demo-1.2.3.tgz"
    );
    let said = sh(&desk, &work)?.works()?;
    for name in ["all/library/base", "all/team/app", "all/team/podman", "all/team/copy", "stable"] {
        assert!(said.contains(name), "{name}: {said}");
    }
    // Nothing of it went elsewhere, and a name that is there by now is asked of nobody.
    desk.admin.get("/v2/own/team/app/manifests/stable").send().await?.expect(&[200])?;
    desk.admin.get("/v2/mirror/team/app/manifests/stable").send().await?.expect(&[404])?;
    // An image that the upstream has gets a tag here: all of it is here then.
    let tag = format!("crane tag {all}/library/base:1.0 ours && crane validate --remote {host}/own/library/base:ours");
    sh(&desk, &tag)?.works()?;
    // Who may only read is told so, by the programs' own words.
    let reader = desk.token("rita", &["repo:all:read", "repo:mirror:read", "repo:own:read"]).await?;
    let copy =
        format!("skopeo copy --dest-tls-verify=false --dest-creds x:{reader} oci:app:1.0 docker://{all}/r/app:1.0");
    sh(&desk, &copy)?.fails_saying(&["denied"])?;
    sh(&desk, &format!("crane auth login {host} -u x -p {reader} && crane validate --remote {all}/team/app:1.0"))?
        .works()?;
    // What is printed for a repository is what can be done there.
    assert!(desk.config("crane", "shell")?.contains("crane push"));
    let changed = json!({"settings": {"virtual": {"deployTo": null}}});
    desk.admin.patch("/v1/repos/all").json(&changed).send().await?.expect(&[200])?;
    assert!(!desk.config("crane", "shell")?.contains("crane push"));
    sh(&desk, &format!("crane auth login {host} -u x -p {dev} && crane tag {all}/team/app:1.0 mine"))?
        .fails_saying(&["UNSUPPORTED", "deployTo"])
        .map(drop)
}

//! The programs that people use, through a remote repository: as if its upstream were here, and then without it.

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::json;

use super::programs::{layout, sh};
use super::remote::Mirror;
use super::yard::{IMAGE, INDEX};
use crate::desk::Desk;

#[tokio::test]
async fn clients_pull_through_and_go_on_without_the_upstream() -> Result<()> {
    let mut up = Desk::open(Backing::Embedded, "oci").await?;
    layout(&up)?;
    let (host, token) = (up.server.address()?.to_string(), up.admin.token().to_owned());
    // What they push there: an image, an index of it, a signature and a chart.
    let push = format!(
        "crane auth login {host} -u x -p {token}
        skopeo copy --dest-tls-verify=false --dest-creds x:{token} oci:app:1.0 docker://{host}/oci/team/app:1.0
        export COSIGN_PASSWORD=x && cosign generate-key-pair
        cosign sign --key cosign.key --allow-http-registry --tlog-upload=false --use-signing-config=false -y \
            {host}/oci/team/app@$(crane digest {host}/oci/team/app:1.0)
        helm create demo && helm package demo --version 1.2.3
        helm registry login --plain-http {host} -u x -p {token}
        helm push --plain-http demo-1.2.3.tgz oci://{host}/oci/charts"
    );
    sh(&up, &push)?.works()?;
    let image = up.admin.get("/v2/oci/team/app/manifests/1.0").send().await?.expect(&[200])?;
    let digest = super::yard::sha256(&image.body);
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": IMAGE, "digest": digest, "size": image.body.len(), "platform": {"architecture": "amd64", "os": "linux"}},
    ]});
    let put = up.admin.put("/v2/oci/team/app/manifests/many").header("Content-Type", INDEX).body(index.to_string());
    put.send().await?.expect(&[201])?;

    let robot = up.token("robot", &["repo:oci:read"]).await?;
    let auth = json!({"kind": "basic", "user": "robot", "password": robot});
    let settings = json!({"indexSeconds": 0, "missingSeconds": 0});
    let mirror = Mirror::of(Backing::Embedded, &format!("http://{host}/oci"), auth, settings).await?;
    let there = mirror.admin.token().to_owned();
    let down = Desk::at(mirror.server, "oci", there)?;
    let reader = down.token("rita", &["repo:mirror:read"]).await?;
    let here = format!("{}/mirror", down.server.address()?);
    // Podman wants the file that the environment names for logins to be there.
    down.write("auth.json", "{}")?;
    down.write("cosign.pub", std::fs::read_to_string(up.home.join("cosign.pub"))?)?;
    sh(&down, &format!("crane auth login {} -u x -p {reader}", down.server.address()?))?.works()?;
    let chart = format!(
        "helm registry login --plain-http {} -u x -p {reader}
        helm pull --plain-http oci://{here}/charts/demo --version 1.2.3 -d .",
        down.server.address()?
    );
    sh(&down, &chart)?.works()?;
    sh(&down, &format!("cmp demo-1.2.3.tgz {}", up.home.join("demo-1.2.3.tgz").display()))?.works()?;
    let verify = format!(
        "cosign verify --key cosign.pub --allow-http-registry --insecure-ignore-tlog=true {here}/team/app@{digest}"
    );
    let pull = format!(
        "rm -rf one many digest && podman rmi --all --force
        test $(crane digest {here}/team/app:1.0) = {digest}
        crane validate --remote {here}/team/app:many
        crane pull {here}/team/app:1.0 app.tar
        skopeo copy --src-tls-verify=false --src-creds x:{reader} docker://{here}/team/app:1.0 oci:one:1.0
        skopeo copy --src-tls-verify=false --src-creds x:{reader} docker://{here}/team/app@{digest} oci:digest:1.0
        skopeo copy --all --src-tls-verify=false --src-creds x:{reader} docker://{here}/team/app:many oci:many:1.0
        podman pull --tls-verify=false --creds x:{reader} {here}/team/app:many
        podman pull --tls-verify=false --creds x:{reader} {here}/team/app@{digest}
        crane ls {here}/team/app && crane catalog {}",
        down.server.address()?
    );
    let said = sh(&down, &pull)?.works()?;
    assert!(said.contains("many") && said.contains("mirror/team/app") && said.contains("mirror/charts/demo"), "{said}");
    sh(&down, &verify)?.works()?;
    sh(&down, &format!("crane tag {here}/team/app:1.0 mine"))?.fails_saying(&["DENIED"])?;
    sh(&down, &format!("crane manifest {here}/team/app:none"))?.fails_saying(&["MANIFEST_UNKNOWN"])?;

    // The upstream is gone: what was asked for before is here, and the rest is not said to be missing.
    up.server.stop()?;
    sh(&down, &pull)?.works()?;
    sh(&down, &verify)?.works()?;
    sh(&down, &format!("crane manifest {here}/team/app:other"))?
        .fails_saying(&["the upstream cannot be read"])
        .map(drop)
}

/// What `artifortress mirror` brings from a list is pulled and verified without the upstream by clients that were never
/// there before.
#[tokio::test]
async fn a_list_of_images_is_brought_and_pulled_without_the_upstream() -> Result<()> {
    let mut up = Desk::open(Backing::Embedded, "oci").await?;
    layout(&up)?;
    let (host, token) = (up.server.address()?.to_string(), up.admin.token().to_owned());
    let push = format!(
        "crane auth login {host} -u x -p {token}
        skopeo copy --dest-tls-verify=false --dest-creds x:{token} oci:app:1.0 docker://{host}/oci/team/app:1.0
        export COSIGN_PASSWORD=x && cosign generate-key-pair
        cosign sign --key cosign.key --allow-http-registry --tlog-upload=false --use-signing-config=false -y \
            {host}/oci/team/app@$(crane digest {host}/oci/team/app:1.0)
        helm create demo && helm package demo --version 1.2.3
        helm registry login --plain-http {host} -u x -p {token}
        helm push --plain-http demo-1.2.3.tgz oci://{host}/oci/charts"
    );
    sh(&up, &push)?.works()?;
    let robot = up.token("robot", &["repo:oci:read"]).await?;
    let auth = json!({"kind": "basic", "user": "robot", "password": robot});
    let mirror = Mirror::of(Backing::Embedded, &format!("http://{host}/oci"), auth, json!({})).await?;
    let there = mirror.admin.token().to_owned();
    let down = Desk::at(mirror.server, "oci", there)?;
    down.write("auth.json", "{}")?;
    down.write("cosign.pub", std::fs::read_to_string(up.home.join("cosign.pub"))?)?;
    down.write("images.txt", format!("# what we run\n{host}/oci/team/app:1.0\n\ncharts/demo:1.2.3\n"))?;
    let planned = sh(&down, "artifortress mirror mirror --lockfile images.txt --dry-run")?.works()?;
    assert_eq!(planned, "team/app@1.0\ncharts/demo@1.2.3\n");
    let said = sh(&down, "artifortress mirror mirror --lockfile images.txt")?.works()?;
    assert!(said.contains("2 named"), "{said}");
    let again =
        sh(&down, "artifortress mirror mirror --name charts/demo --all-versions --platform linux/amd64")?.works()?;
    assert!(again.contains(": 0 files fetched"), "{again}");
    sh(&down, "artifortress mirror mirror --name team/app:9")?.fails_saying(&["team/app@9 missing"])?;
    sh(&down, "artifortress mirror mirror --name Team")?.fails_saying(&["no reference of an image"])?;

    up.server.stop()?;
    let offline = json!({"settings": {"upstream": {"offline": true}}});
    down.admin.patch("/v1/repos/mirror").json(&offline).send().await?.expect(&[200])?;
    let here = format!("{}/mirror", down.server.address()?);
    let reader = down.token("rita", &["repo:mirror:read"]).await?;
    let pull = format!(
        "crane auth login {address} -u x -p {reader}
        crane pull {here}/team/app:1.0 app.tar && crane validate --remote {here}/team/app:1.0
        skopeo copy --src-tls-verify=false --src-creds x:{reader} docker://{here}/team/app:1.0 oci:one:1.0
        podman pull --tls-verify=false --creds x:{reader} {here}/team/app:1.0
        cosign verify --key cosign.pub --allow-http-registry --insecure-ignore-tlog=true \
            {here}/team/app@$(crane digest {here}/team/app:1.0)
        helm registry login --plain-http {address} -u x -p {reader}
        helm pull --plain-http oci://{here}/charts/demo --version 1.2.3 -d .
        cmp demo-1.2.3.tgz {chart}",
        address = down.server.address()?,
        chart = up.home.join("demo-1.2.3.tgz").display(),
    );
    sh(&down, &pull)?.works().map(drop)
}

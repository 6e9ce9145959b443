//! The programs that people use, through remote repositories: as if their upstream were here, and then without it. The
//! same through a virtual repository.

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::json;

use super::programs::sh;
use super::sources::{Place, begin, goods};
use crate::desk::{Deed, Desk};
use crate::remote::together::Kind;

#[tokio::test]
async fn images_of_another_artifortress() -> Result<()> {
    follow(Kind::Ours).await
}

#[tokio::test]
async fn images_of_a_static_mirror() -> Result<()> {
    follow(Kind::Static).await
}

#[tokio::test]
async fn images_of_docker_registry() -> Result<()> {
    follow(Kind::Stranger).await
}

async fn follow(kind: Kind) -> Result<()> {
    let desk = Desk::bare(Backing::Embedded, "oci").await?;
    let (mut source, mut fields) = begin(kind, &desk).await?;
    fields["repoType"] = json!("remote");
    fields["settings"] = json!({"upstream": {"indexSeconds": 0, "missingSeconds": 0}});
    // What the virtual repository reads is fetched for it alone.
    for key in ["mirror", "behind"] {
        desk.make(key, fields.clone()).await?;
    }
    desk.make("own", json!({})).await?;
    desk.make("all", json!({"repoType": "virtual", "memberRepos": ["own", "behind"]})).await?;
    let reader = desk.token("rita", &["repo:*:read"]).await?;
    let host = desk.server.address()?.to_string();
    // Podman wants the file that the environment names for logins to be there.
    desk.write("auth.json", "{}")?;
    let login = format!(
        "crane auth login {host} -u x -p {reader}
        helm registry login --plain-http {host} -u x -p {reader}
        regctl registry set --tls disabled {host} && regctl registry login {host} -u x -p {reader} --skip-check"
    );
    sh(&desk, &login)?.works()?;
    for key in ["mirror", "all"] {
        let here = format!("{host}/{key}");
        let said = pull(&desk, &here, &reader)?.works()?;
        for name in ["many", &format!("{key}/team/app"), &format!("{key}/charts/demo")] {
            assert!(said.contains(name), "{kind:?}: {name}: {said}");
        }
        sh(&desk, &format!("crane manifest {here}/team/app:none"))?.fails_saying(&["MANIFEST_UNKNOWN"])?;
    }
    sh(&desk, &format!("crane tag {host}/mirror/team/app:1.0 mine"))?.fails_saying(&["DENIED"])?;

    // The upstream is gone: what was asked for before is here, and the rest is not said to be missing.
    source.stop()?;
    for key in ["mirror", "all"] {
        let here = format!("{host}/{key}");
        pull(&desk, &here, &reader)?.works()?;
        let other = sh(&desk, &format!("crane manifest {here}/team/app:other"))?;
        other.fails_saying(&["the upstream cannot be read"])?;
    }
    Ok(())
}

/// Every program pulls what it can from where names begin with `here`, and keeps nothing of what it pulled before.
fn pull(desk: &Desk, here: &str, reader: &str) -> Result<Deed> {
    let host = here.split('/').next().unwrap_or_default();
    let script = format!(
        "rm -rf one many digest back app.tar regctl.tar && mkdir back && podman rmi --all --force
        digest=$(cat pushed)
        test $(crane digest {here}/team/app:1.0) = $digest
        crane validate --remote {here}/team/app:many
        crane pull {here}/team/app:1.0 app.tar
        skopeo copy --src-tls-verify=false --src-creds x:{reader} docker://{here}/team/app:1.0 oci:one:1.0
        skopeo copy --src-tls-verify=false --src-creds x:{reader} docker://{here}/team/app@$digest oci:digest:1.0
        skopeo copy --all --src-tls-verify=false --src-creds x:{reader} docker://{here}/team/app:many oci:many:1.0
        podman pull --tls-verify=false --creds x:{reader} {here}/team/app:many
        podman pull --tls-verify=false --creds x:{reader} {here}/team/app@$digest
        podman rmi --all --force
        buildah pull --tls-verify=false --creds x:{reader} {here}/team/app:1.0
        test $(regctl image digest {here}/team/app:1.0) = $digest
        regctl image export {here}/team/app:1.0 regctl.tar && regctl tag ls {here}/team/app
        helm pull --plain-http oci://{here}/charts/demo --version 1.2.3 -d back && cmp demo-1.2.3.tgz back/demo-1.2.3.tgz
        cosign verify --key cosign.pub --allow-http-registry --insecure-ignore-tlog=true {here}/team/app@$digest
        crane ls {here}/team/app && crane catalog {host}"
    );
    sh(desk, &script)
}

/// What `artifortress mirror` brings from a list is pulled and verified without the upstream by clients that were never
/// there before.
#[tokio::test]
async fn a_list_of_images_is_brought_and_pulled_without_the_upstream() -> Result<()> {
    let mut up = Desk::open(Backing::Embedded, "oci").await?;
    let names = format!("{}/oci", up.server.address()?);
    goods(&up, &Place { names: &names, user: "x", password: up.admin.token() })?;
    let robot = up.token("robot", &["repo:oci:read"]).await?;
    let auth = json!({"kind": "basic", "user": "robot", "password": robot});
    let down = Desk::bare(Backing::Embedded, "oci").await?;
    let fields = json!({"repoType": "remote", "upstreamUrl": format!("http://{names}"), "upstreamAuth": auth});
    down.make("mirror", fields).await?;
    down.write("auth.json", "{}")?;
    down.write("cosign.pub", std::fs::read_to_string(up.home.join("cosign.pub"))?)?;
    down.write("images.txt", format!("# what we run\n{names}/team/app:1.0\n\ncharts/demo:1.2.3\n"))?;
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
    down.change("mirror", json!({"settings": {"upstream": {"offline": true}}})).await?;
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

//! Docker, its engine included: in namespaces of its own, where it may be root and finds the files that guides show at the
//! place where it reads them. It runs no container, so it needs no network and little of the kernel.

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::json;

use super::programs::{GUIDE, layout, sh};
use crate::desk::{Deed, Desk};
use crate::remote::stranger::Stranger;

/// The engine sees this folder's `daemon.json` as `/etc/docker/daemon.json`. With the namespace of processes ends whatever
/// it started.
const ENGINE: &str = "
    PATH=$PATH:/usr/sbin:/sbin
    mount -t tmpfs none /run && mount -t tmpfs none /etc
    echo root:x:0: > /etc/group && echo root:x:0:0:root:/:/bin/sh > /etc/passwd
    mkdir /etc/docker && cp $HOME/daemon.json /etc/docker
    exec dockerd --rootless -G root -s vfs --bridge=none --iptables=false --ip6tables=false --ip-forward=false \\
        --ip-masq=false --data-root $HOME/images --exec-root $HOME/engine -p $HOME/engine.pid -H unix://$HOME/d.sock";

/// An engine that was told this, and keeps what it has in the desk's home.
pub(super) fn begin(desk: &Desk, config: &str) -> Result<Stranger> {
    desk.write("daemon.json", config)?;
    let apart = ["-r", "-m", "-p", "-f", "--kill-child", "/bin/sh", "-e", "-c", ENGINE];
    let deed = desk.command("unshare")?.env("XDG_RUNTIME_DIR", &desk.home).args(apart);
    Stranger::begin_at_socket(deed, &desk.home.join("d.sock"))
}

/// A script that speaks to the engine.
pub(super) fn docker(desk: &Desk, script: &str) -> Result<Deed> {
    Ok(sh(desk, script)?.env("DOCKER_HOST", format!("unix://{}", desk.home.join("d.sock").display())))
}

fn login(desk: &Desk, host: &str, token: &str) -> Result<Deed> {
    docker(desk, &format!("printf %s {token} | docker login --username any --password-stdin {host}"))
}

#[tokio::test]
async fn docker_pushes_and_pulls() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "oci").await?;
    let (host, reader) = (desk.server.address()?.to_string(), desk.token("rita", &["repo:oci:read"]).await?);
    let _engine = begin(&desk, &desk.config("docker", "daemon.json")?)?;
    assert!(docker(&desk, "docker info")?.works()?.contains(&format!("\n  {host}\n")), "it knows the host without TLS");
    let image = format!("{host}/oci/team/app");
    desk.write("greeting", "hello\n".repeat(30_000))?;
    docker(&desk, &format!("tar -c greeting | docker import - {image}:1.0"))?.works()?;
    login(&desk, &host, "wrong")?.fails_saying(&["the token is unknown or revoked"])?;
    login(&desk, &host, &reader)?.works()?;
    docker(&desk, &format!("docker push {image}:1.0"))?.fails_saying(&["denied"])?;
    login(&desk, &host, desk.admin.token())?.works()?;
    docker(&desk, &format!("docker push {image}:1.0"))?.works()?;
    let again = docker(&desk, &format!("docker tag {image}:1.0 {image}:1.1 && docker push {image}:1.1"))?.works()?;
    assert!(again.contains("Layer already exists"), "{again}");
    login(&desk, &host, &reader)?.works()?;
    let clean = format!("docker rmi {image}:1.0 {image}:1.1 && docker pull {image}:1.0 && docker pull {image}:1.0");
    assert!(docker(&desk, &clean)?.works()?.contains("Image is up to date"));
    let others = format!(
        "digest=$(docker image inspect --format '{{{{ index .RepoDigests 0 }}}}' {image}:1.0)
        docker rmi {image}:1.0 && docker pull $digest && docker pull --all-tags {image} && docker image inspect {image}:1.1"
    );
    docker(&desk, &others)?.works()?;
    docker(&desk, &format!("docker pull {image}:2.0"))?.fails_saying(&["manifest unknown"])?;
    docker(&desk, &format!("docker pull {host}/none/app"))?.fails_saying(&["the repository none was not found"])?;
    docker(&desk, &format!("docker logout {host} && docker pull {image}:1.0"))?
        .fails_saying(&["may require 'docker login'"])
        .map(drop)
}

/// The client speaks to registries itself for this, and takes a refusal that does not say what refuses for another thing.
#[tokio::test]
async fn docker_puts_platforms_together() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "oci").await?;
    let host = desk.server.address()?.to_string();
    let _engine = begin(&desk, "{}")?;
    login(&desk, &host, desk.admin.token())?.works()?;
    let script = format!(
        "at={host}/oci/team/app
        for platform in amd64 arm64; do
            echo $platform > greeting && tar -c greeting | docker import - $at:$platform && docker push $at:$platform
        done
        docker manifest create --insecure $at:1.0 $at:amd64 $at:arm64
        docker manifest annotate --arch arm64 $at:1.0 $at:arm64 && docker manifest push --insecure $at:1.0
        docker manifest inspect --insecure $at:1.0 | jq -r '.manifests[].platform.architecture' > platforms
        printf 'amd64\narm64\n' | cmp - platforms
        test $(crane digest --platform linux/arm64 $at:1.0) = $(crane digest $at:arm64)
        docker rmi $at:amd64 && docker pull $at:1.0"
    );
    docker(&desk, &script)?.works().map(drop)
}

/// Images that are called without a registry, read through here.
#[tokio::test]
async fn docker_reads_its_own_images_through_here() -> Result<()> {
    let desk = Desk::bare(Backing::Embedded, "oci").await?;
    desk.make("library", json!({"anonymousRead": true})).await?;
    layout(&desk)?;
    let host = desk.server.address()?.to_string();
    let put = format!(
        "skopeo copy --dest-tls-verify=false --dest-creds x:{} oci:app:1.0 docker://{host}/library/app:1.0",
        desk.admin.token()
    );
    sh(&desk, &put)?.works()?;
    let _engine = begin(&desk, &desk.shown(GUIDE, "json", 1, "")?.replace("127.0.0.1:8080", &host))?;
    docker(&desk, "docker pull app:1.0 && docker image inspect app:1.0")?.works().map(drop)
}

//! Containerd, through which Kubernetes pulls: with the files that hosts are told to it in. It unpacks nothing, so it needs
//! nothing of the kernel.

use std::os::unix::fs::MetadataExt;

use acceptance::Result;
use acceptance::ports::Port;
use acceptance::server::Backing;

use super::programs::{GUIDE, layout, sh};
use crate::desk::{Deed, Desk};
use crate::remote::stranger::Stranger;

/// One that keeps what it has in the desk's home.
fn begin(desk: &Desk) -> Result<Stranger> {
    let port = Port::claim()?;
    let (home, about) = (desk.home.display(), std::fs::metadata(&desk.home)?);
    let owner = format!("uid = {}\ngid = {}", about.uid(), about.gid());
    let config = format!(
        "version = 2\nroot = '{home}/root'\nstate = '{home}/state'\ndisabled_plugins = ['io.containerd.grpc.v1.cri']\n\
        [grpc]\naddress = '{home}/c.sock'\n{owner}\n[ttrpc]\naddress = '{home}/t.sock'\n{owner}\n\
        [metrics]\naddress = '{}'\n",
        port.address()
    );
    desk.write("containerd.toml", config)?;
    Stranger::begin(desk.command("containerd")?.args(["-c", "containerd.toml"]), port)
}

fn ctr(desk: &Desk, words: &str) -> Result<Deed> {
    sh(desk, &format!("ctr -a $HOME/c.sock {words}"))
}

/// Fetches with this password.
fn fetch(desk: &Desk, password: &str, image: &str) -> Result<Deed> {
    ctr(desk, &format!("content fetch --hosts-dir $HOME/certs.d --user any:{password} {image}"))
}

/// A server that has an image in this repository, and its address.
async fn desk_with_image(key: &str) -> Result<(Desk, String)> {
    let desk = Desk::bare(Backing::Embedded, "oci").await?;
    desk.make(key, serde_json::json!({})).await?;
    layout(&desk)?;
    let (host, admin) = (desk.server.address()?.to_string(), desk.admin.token().to_owned());
    let copy = format!(
        "skopeo copy --dest-tls-verify=false --dest-creds x:{admin} oci:app:1.0 docker://{host}/{key}/team/app:1.0"
    );
    sh(&desk, &copy)?.works()?;
    Ok((desk, host))
}

#[tokio::test]
async fn containerd_pulls_and_pushes() -> Result<()> {
    let (desk, host) = desk_with_image("oci").await?;
    desk.write(&format!("certs.d/{host}/hosts.toml"), desk.config("containerd", "hosts.toml")?)?;
    let _running = begin(&desk)?;
    let reader = desk.token("rita", &["repo:oci:read"]).await?;
    let image = format!("{host}/oci/team/app:1.0");
    fetch(&desk, "wrong", &image)?.fails_saying(&["401 Unauthorized"])?;
    fetch(&desk, &reader, &format!("{host}/oci/team/none:1.0"))?.fails_saying(&["not found"])?;
    for _ in ["new", "kept"] {
        fetch(&desk, &reader, &image)?.works()?;
    }
    // What it pulled it pushes: whoever may.
    let other = format!("{host}/oci/team/app:2.0");
    ctr(&desk, &format!("images tag {image} {other}"))?.works()?;
    let push = |token: &str| ctr(&desk, &format!("images push --hosts-dir $HOME/certs.d --user any:{token} {other}"));
    // It words a refusal in one of several ways, by how far it is when the answer comes: what counts is what is there.
    push(&reader)?.fails_saying(&["failed"])?;
    let absent = format!("crane auth login {host} -u x -p {reader}; crane digest {other}");
    sh(&desk, &absent)?.fails_saying(&["MANIFEST_UNKNOWN"])?;
    push(desk.admin.token())?.works()?;
    let same = format!(
        "test $(crane digest {image}) = $(crane digest {other})
        crane validate --remote {other}"
    );
    sh(&desk, &same)?.works().map(drop)
}

/// The guide's file for a registry's own name, with a token that nobody has to type.
#[tokio::test]
async fn containerd_reads_another_registry_through_here() -> Result<()> {
    let (desk, host) = desk_with_image("mirror").await?;
    let reader = desk.token("rita", &["repo:mirror:read"]).await?;
    let sums = sh(&desk, &format!("printf any:%s {reader} | base64 -w0"))?.works()?;
    let file = desk.shown(GUIDE, "toml", 3, "")?.replace("YW55Oi4uLg==", &sums).replace("127.0.0.1:8080", &host);
    desk.write("certs.d/registry.example/hosts.toml", file)?;
    let _running = begin(&desk)?;
    let image = "registry.example/team/app:1.0";
    let plain = |image: &str| ctr(&desk, &format!("content fetch --hosts-dir $HOME/certs.d {image}"));
    plain(image)?.works()?;
    let listed = ctr(&desk, "images ls -q")?.works()?;
    assert_eq!(listed.trim(), image);
    // What is not here is asked for there, where nobody is.
    plain("registry.example/team/none:1.0")?.fails_saying(&["registry.example"])?;
    Ok(())
}

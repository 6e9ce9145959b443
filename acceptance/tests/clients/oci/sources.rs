//! Upstreams of images for the programs that people use: another Artifortress, another vendor's registry, and plain files.

use acceptance::http::{Answer, Http};
use acceptance::server::Backing;
use acceptance::{Result, Trouble};
use serde_json::{Value, json};

use super::programs::{layout, sh};
use super::yard::{IMAGE, INDEX, header, sha256};
use crate::desk::Desk;
use crate::remote::Source;
use crate::remote::mirror::Mirror;
use crate::remote::together::Kind;
use crate::remote::vendors::{ADA, docker_registry};

/// A registry, as the programs push to it.
pub(super) struct Place<'p> {
    /// Where names begin: an address, and perhaps a repository.
    pub(super) names: &'p str,
    pub(super) user: &'p str,
    pub(super) password: &'p str,
}

/// A source with [`goods`], and what a remote repository of it is made from. The desk lends its tools.
pub(super) async fn begin(kind: Kind, desk: &Desk) -> Result<(Source, Value)> {
    match kind {
        Kind::Ours => ours(desk).await,
        Kind::Static => copied(desk).await,
        Kind::Stranger => stranger(desk),
    }
}

async fn ours(desk: &Desk) -> Result<(Source, Value)> {
    let up = Desk::open(Backing::Embedded, "oci").await?;
    let names = format!("{}/oci", up.server.address()?);
    goods(desk, &Place { names: &names, user: "x", password: up.admin.token() })?;
    let robot = up.token("robot", &["repo:oci:read"]).await?;
    let auth = json!({"kind": "basic", "user": "robot", "password": robot});
    Ok((Source::Ours(Box::new(up)), json!({"upstreamUrl": format!("http://{names}"), "upstreamAuth": auth})))
}

fn stranger(desk: &Desk) -> Result<(Source, Value)> {
    let (stranger, names) = docker_registry(desk)?;
    let [user, password] = ADA;
    goods(desk, &Place { names: &names, user, password })?;
    let auth = json!({"kind": "basic", "user": user, "password": password});
    Ok((Source::Stranger(stranger), json!({"upstreamUrl": format!("http://{names}"), "upstreamAuth": auth})))
}

async fn copied(desk: &Desk) -> Result<(Source, Value)> {
    let (_stranger, names) = docker_registry(desk)?;
    let [user, password] = ADA;
    goods(desk, &Place { names: &names, user, password })?;
    let mirror = Mirror::begin()?;
    copy(&names, &mirror, &["team/app", "charts/demo"]).await?;
    let fields = json!({"upstreamUrl": mirror.url()});
    Ok((Source::Static(mirror), fields))
}

/// An image `team/app:1.0` with a signature, an index of it and a chart, made at this desk; what the image's digest is
/// there stands in the file `pushed`.
pub(super) fn goods(desk: &Desk, place: &Place<'_>) -> Result<()> {
    layout(desk)?;
    let Place { names, user, password } = place;
    let host = names.split('/').next().unwrap_or_default();
    let push = format!(
        "crane auth login {host} -u {user} -p '{password}'
        skopeo copy --dest-tls-verify=false --dest-creds '{user}:{password}' oci:app:1.0 docker://{names}/team/app:1.0
        crane digest {names}/team/app:1.0 >pushed
        crane index append -m {names}/team/app:1.0 -t {names}/team/app:many
        export COSIGN_PASSWORD=x && cosign generate-key-pair
        cosign sign --key cosign.key --allow-http-registry --tlog-upload=false --use-signing-config=false -y \
            {names}/team/app@$(cat pushed)
        helm create demo && helm package demo --version 1.2.3
        helm registry login --plain-http {host} -u {user} -p '{password}'
        helm push --plain-http demo-1.2.3.tgz oci://{names}/charts"
    );
    sh(desk, &push)?.works().map(drop)
}

/// Lays out these names of a vendor's registry as files, with what they need.
pub(super) async fn copy(registry: &str, mirror: &Mirror, names: &[&str]) -> Result<()> {
    let address = registry.parse().map_err(|_| Trouble::new(format!("no address: {registry}")))?;
    let http = Http::new(address);
    let get = async |path: &str| {
        let kinds = format!("{IMAGE}, {INDEX}");
        http.get(path).header("Accept", kinds).basic(ADA[0], ADA[1]).send().await?.expect(&[200])
    };
    let write = |path: &str, answer: &Answer| {
        mirror.head(path, &format!("Content-Type: {}", header(answer, "content-type")?))?;
        mirror.write(path, &answer.body)
    };
    for name in names {
        let tags = get(&format!("/v2/{name}/tags/list")).await?;
        write(&format!("v2/{name}/tags/list"), &tags)?;
        let tags = tags.json()?["tags"].as_array().cloned().unwrap_or_default();
        let mut wanted: Vec<String> = tags.iter().filter_map(|tag| Some(tag.as_str()?.to_owned())).collect();
        while let Some(reference) = wanted.pop() {
            let manifest = get(&format!("/v2/{name}/manifests/{reference}")).await?;
            write(&format!("v2/{name}/manifests/{reference}"), &manifest)?;
            write(&format!("v2/{name}/manifests/{}", sha256(&manifest.body)), &manifest)?;
            let said = manifest.json()?;
            let digests = |list: &Value| -> Vec<String> {
                let list = list.as_array().cloned().unwrap_or_default();
                list.iter().filter_map(|one| Some(one["digest"].as_str()?.to_owned())).collect()
            };
            wanted.extend(digests(&said["manifests"]));
            for blob in [digests(&said["layers"]), digests(&json!([said["config"]]))].concat() {
                write(&format!("v2/{name}/blobs/{blob}"), &get(&format!("/v2/{name}/blobs/{blob}")).await?)?;
            }
        }
    }
    Ok(())
}

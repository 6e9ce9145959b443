//! Somebody pushes 99.9.9 of an internal image to an upstream and waits. Through a virtual repository no client takes it,
//! and the upstream never hears of the name.

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::json;

use super::programs::{layout, sh};
use super::sources::copy;
use crate::desk::Desk;
use crate::remote::mirror::Mirror;
use crate::remote::vendors::{ADA, docker_registry};

#[tokio::test]
async fn clients_take_the_images_that_are_ours() -> Result<()> {
    let desk = Desk::bare(Backing::Embedded, "oci").await?;
    let (_stranger, registry) = docker_registry(&desk)?;
    let mirror = Mirror::begin()?;
    desk.make("up", json!({"repoType": "remote", "upstreamUrl": mirror.url()})).await?;
    desk.make("own", json!({})).await?;
    let members =
        json!({"repoType": "virtual", "memberRepos": ["up", "own"], "settings": {"virtual": {"deployTo": "own"}}});
    desk.make("all", members).await?;
    let claim = json!({"rules": [{"kind": "claim", "pattern": "acme/*"}]});
    desk.admin.put("/v1/repos/own/rules").json(&claim).send().await?.expect(&[200])?;
    let ([user, password], token) = (ADA, desk.admin.token());
    let all = format!("{}/all", desk.server.address()?);
    layout(&desk)?;
    desk.write("auth.json", "{}")?;
    // `billing` is here, and `acme/payroll` nowhere yet.
    let published = format!(
        "crane auth login {registry} -u {user} -p '{password}'
        for name in billing acme/payroll tooling; do
            crane push --index=false app {registry}/$name:99.9.9
            crane mutate --label whose=theirs -t {registry}/$name:99.9.9 {registry}/$name:99.9.9
            crane tag {registry}/$name:99.9.9 latest
        done
        crane digest {registry}/billing:99.9.9 >theirs
        crane auth login {host} -u x -p {token}
        crane push --index=false app {host}/own/billing:1.0.0 && crane tag {host}/own/billing:1.0.0 latest
        crane digest {host}/own/billing:1.0.0 >ours",
        host = desk.server.address()?,
    );
    sh(&desk, &published)?.works()?;
    copy(&registry, &mirror, &["billing", "acme/payroll", "tooling"]).await?;

    let creds = format!("--src-tls-verify=false --src-creds x:{token}");
    let asked = format!(
        "test \"$(crane ls {all}/billing | sort | tr '\\n' ' ')\" = '1.0.0 latest '
        test $(crane digest {all}/billing:latest) = $(cat ours)
        skopeo copy {creds} docker://{all}/billing:latest oci:got:1.0
        podman pull --tls-verify=false --creds x:{token} {all}/billing"
    );
    sh(&desk, &asked)?.works()?;
    for reference in [":99.9.9", "@$(cat theirs)"] {
        let copy = format!("skopeo copy {creds} docker://{all}/billing{reference} oci:got:1.0");
        sh(&desk, &copy)?.fails_saying(&["manifest unknown"])?;
    }
    let claimed = "a claim keeps its name from every upstream";
    sh(&desk, &format!("crane ls {all}/acme/payroll"))?.fails_saying(&[claimed])?;
    sh(&desk, &format!("crane digest {all}/acme/payroll:99.9.9"))?.fails_saying(&["404"])?;
    sh(&desk, &format!("skopeo copy {creds} docker://{all}/acme/payroll:latest oci:got:1.0"))?
        .fails_saying(&[claimed])?;
    // Who has claimed a name may publish it, whatever others have published before.
    let push = format!(
        "crane push --index=false app {all}/acme/payroll:1.0.0
        test $(crane ls {all}/acme/payroll) = 1.0.0
        skopeo copy {creds} docker://{all}/acme/payroll:1.0.0 oci:got:1.0"
    );
    sh(&desk, &push)?.works()?;
    let heard = mirror.asked();
    let told: Vec<_> =
        heard.iter().filter(|path| ["billing", "payroll"].iter().any(|name| path.contains(name))).collect();
    assert!(told.is_empty(), "the upstream was asked: {told:?}");
    // It would have answered, and been believed.
    sh(&desk, &format!("test $(crane digest {all}/tooling:99.9.9) = $(cat theirs)"))?.works().map(drop)
}

//! Images as they were: tags moved, what was here was withdrawn, the upstream went away. The programs that people use
//! pull as of then through a remote and through a virtual repository what they had pulled then.

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::json;

use super::programs::{layout, sh};
use crate::desk::Desk;
use crate::remote::vendors::{ADA, docker_registry};

#[tokio::test]
async fn images_as_of_then() -> Result<()> {
    told(Backing::Embedded).await
}

#[tokio::test]
async fn images_as_of_then_on_postgresql_and_s3() -> Result<()> {
    told(Backing::Scaled).await
}

async fn told(backing: Backing) -> Result<()> {
    let desk = Desk::bare(backing, "oci").await?;
    let (mut stranger, theirs) = docker_registry(&desk)?;
    let [user, password] = ADA;
    let fields = json!({"repoType": "remote", "upstreamUrl": format!("http://{theirs}"),
        "upstreamAuth": {"kind": "basic", "user": user, "password": password},
        "settings": {"upstream": {"indexSeconds": 0, "missingSeconds": 0}}});
    desk.make("up", fields).await?;
    desk.make("own", json!({})).await?;
    desk.make("all", json!({"repoType": "virtual", "memberRepos": ["own", "up"]})).await?;
    let host = desk.server.address()?.to_string();
    layout(&desk)?;
    // An old image and a new one, which is the old one with a label; a build writes down the digest that it used.
    let before = format!(
        "crane auth login {theirs} -u {user} -p '{password}' && crane auth login {host} -u x -p {token}
        skopeo copy --dest-tls-verify=false --dest-creds '{user}:{password}' oci:app:1.0 docker://{theirs}/team/app:1.0
        crane copy {theirs}/team/app:1.0 {host}/own/ours/app:1.0
        for name in {theirs}/team/app {host}/own/ours/app; do
            crane tag $name:1.0 gone
        done
        crane digest {theirs}/team/app:1.0 >locked
        for name in {host}/up/team/app {host}/all/team/app {host}/all/ours/app; do
            test $(crane digest $name:1.0) = $(cat locked)
            crane validate --remote $name:gone
            crane ls $name
        done",
        token = desk.admin.token(),
    );
    sh(&desk, &before)?.works()?;

    let moment = compact(&desk.server.moment("clock").await?);
    let after = format!(
        "for name in {theirs}/team/app {host}/own/ours/app; do
            crane mutate --label age=new -t $name:1.0 $name:1.0
            crane tag $name:1.0 2.0
        done
        crane delete {host}/own/ours/app@$(cat locked)
        for name in {host}/up/team/app {host}/all/team/app {host}/all/ours/app; do
            test $(crane digest $name:1.0) != $(cat locked)
            crane ls $name | grep -Fx 2.0
        done
        ! crane manifest {host}/all/ours/app@$(cat locked)"
    );
    sh(&desk, &after)?.works()?;

    stranger.stop()?;
    let creds = format!("--src-tls-verify=false --src-creds x:{}", desk.admin.token());
    let then = format!(
        "for name in {host}/up/{moment}/team/app {host}/all/{moment}/team/app {host}/all/{moment}/ours/app; do
            rm -rf tag digest
            test $(crane digest $name:1.0) = $(cat locked)
            skopeo copy {creds} docker://$name:1.0 oci:tag:1.0
            skopeo copy {creds} docker://$name@$(cat locked) oci:digest:1.0
            crane validate --remote $name:gone
            crane ls $name | tee tags
            test \"$(sort tags | tr '\\n' ' ')\" = '1.0 gone '
        done"
    );
    sh(&desk, &then)?.works().map(drop)
}

/// A moment as container clients write it.
fn compact(moment: &str) -> String {
    let digits: String = moment.chars().take(19).filter(char::is_ascii_digit).collect();
    let (day, time) = digits.split_at(8);
    format!("at-{day}t{time}z")
}

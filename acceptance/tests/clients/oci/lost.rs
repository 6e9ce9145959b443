//! The bytes of a layer are gone, and nobody has read them since: who pushes sends them again.

use std::fs;

use acceptance::Result;
use acceptance::server::{Backing, Server};

use super::programs::{layout, sh};
use super::yard::{Yard, header, sha256};
use crate::desk::Desk;

/// Removes what lies at the place of the copy with this digest.
fn lose(server: &Server, digest: &str) -> Result<()> {
    let hex = match server.backing() {
        Backing::Embedded => "lower(hex(digest))",
        Backing::Scaled => "encode(digest, 'hex')",
    };
    let digest = digest.trim_start_matches("sha256:");
    let place = server.sql(&format!("SELECT place FROM copies WHERE state = 'good' AND {hex} = '{digest}'"))?;
    Ok(fs::remove_file(server.blobs().join(place))?)
}

pub(super) async fn who_asks_for_lost_bytes_is_told_to_push_them(yard: &Yard) -> Result<()> {
    let (source, target) = (yard.image("other"), yard.image("oci"));
    let bytes = yard.noise(200_000);
    let digest = yard.blob(&source, &bytes).await?;
    let at = |image: &str| format!("{image}/blobs/{digest}");
    yard.admin.head(&at(&source)).send().await?.expect(&[200])?;
    lose(&yard.server, &digest)?;
    yard.admin.head(&at(&source)).send().await?.expect(&[404])?;
    yard.blob(&source, &bytes).await?;
    yard.admin.head(&at(&source)).send().await?.expect(&[200])?;
    // A mount is no answer where there is nothing to mount.
    lose(&yard.server, &digest)?;
    let from = source.trim_start_matches("/v2/");
    let mount = yard.admin.post(&format!("{target}/blobs/uploads/?mount={digest}&from={from}")).body("");
    let upload = header(&mount.send().await?.expect(&[202])?, "location")?;
    let mark = if upload.contains('?') { '&' } else { '?' };
    let put = yard.admin.put(&format!("{upload}{mark}digest={digest}")).body(bytes.clone());
    put.send().await?.expect(&[201])?;
    for image in [&source, &target] {
        assert!(yard.admin.get(&at(image)).send().await?.expect(&[200])?.body == bytes, "{image} has other bytes");
    }
    Ok(())
}

#[tokio::test]
async fn programs_push_lost_layers_again() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "oci").await?;
    layout(&desk)?;
    let (host, token) = (desk.server.address()?.to_string(), desk.admin.token().to_owned());
    sh(&desk, &format!("crane auth login {host} -u x -p {token}"))?.works()?;
    let mut layer = Vec::new();
    std::io::Read::read_to_end(&mut fs::File::open(desk.home.join("layer.tar"))?, &mut layer)?;
    let (image, layer) = (format!("{host}/oci/app:1.0"), sha256(&layer));
    let pull = format!("crane blob {host}/oci/app@{layer} | cmp - layer.tar");
    let pushes = [
        format!(
            "skopeo copy --preserve-digests --dest-tls-verify=false --dest-creds x:{token} oci:app:1.0 docker://{image}"
        ),
        // It asks for no layer of an image that is there under the same tag.
        format!("crane push app {host}/oci/app:again"),
    ];
    sh(&desk, &pushes[0])?.works()?;
    for push in pushes {
        sh(&desk, &pull)?.works()?;
        lose(&desk.server, &layer)?;
        sh(&desk, &push)?.works()?;
    }
    sh(&desk, &pull)?.works().map(drop)
}

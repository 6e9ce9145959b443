//! An image for two architectures, made and pushed by one client, pulled by others: by digest and by platform.

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::Value as Json;

use crate::desk::Desk;
use crate::oci::programs::sh;

#[tokio::test]
async fn an_image_for_two_architectures() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "oci").await?;
    let (host, token) = (desk.server.address()?.to_string(), desk.admin.token().to_owned());
    let image = format!("{host}/oci/team/app");
    desk.write("auth.json", "{}")?;
    let build = format!(
        "buildah manifest create app
        for arch in amd64 arm64; do
            echo hello from $arch > $arch.txt
            box=$(buildah from --arch $arch scratch) && buildah copy $box $arch.txt /greeting.txt
            buildah config --arch $arch --os linux --cmd /greeting $box && buildah commit --manifest app $box
        done
        buildah manifest push --all --tls-verify=false --creds x:{token} app docker://{image}:1.0
        buildah rm --all && buildah manifest rm app && buildah rmi --all --force"
    );
    sh(&desk, &build)?.works()?;
    sh(&desk, &format!("crane auth login {host} -u x -p {token}"))?.works()?;
    sh(&desk, &format!("crane validate --remote {image}:1.0"))?.works()?;
    let index: Json = serde_json::from_str(&sh(&desk, &format!("crane manifest {image}:1.0"))?.works()?)?;
    let children = index["manifests"].as_array().cloned().unwrap_or_default();
    assert_eq!(children.len(), 2, "{index}");
    let digest = sh(&desk, &format!("crane digest {image}:1.0"))?.works()?.trim().to_owned();
    let login = format!("--tls-verify=false --creds x:{token}");
    for child in &children {
        let (own, arch) = (child["digest"].as_str().unwrap_or("?"), child["platform"]["architecture"].as_str());
        let arch = arch.unwrap_or("?");
        let of_platform = format!("crane digest --platform linux/{arch} {image}@{digest}");
        assert_eq!(sh(&desk, &of_platform)?.works()?.trim(), own);
        let text = format!("crane export --platform linux/{arch} {image}:1.0 - | tar -xO greeting.txt");
        assert_eq!(sh(&desk, &text)?.works()?.trim(), format!("hello from {arch}"));
        let raw = format!("skopeo inspect {login} --raw docker://{image}@{own} | sha256sum");
        assert!(sh(&desk, &raw)?.works()?.starts_with(own.trim_start_matches("sha256:")));
        // By tag and platform, by the index's digest and platform, by its own digest.
        for what in
            [format!("--arch {arch} {image}:1.0"), format!("--arch {arch} {image}@{digest}"), format!("{image}@{own}")]
        {
            let pull =
                format!("id=$(podman pull -q {login} {what}) && podman image inspect -f '{{{{.Architecture}}}}' $id");
            let said = sh(&desk, &format!("{pull} && podman rmi --all --force"))?.works()?;
            assert_eq!(said.lines().next(), Some(arch), "{what}: {said}");
        }
    }
    // All of it, or one platform of it, goes to another name.
    let from = format!("--src-tls-verify=false --dest-tls-verify=false --src-creds x:{token} --dest-creds x:{token}");
    sh(&desk, &format!("skopeo copy --all {from} docker://{image}@{digest} docker://{image}-copy:1.0"))?.works()?;
    assert_eq!(sh(&desk, &format!("crane digest {image}-copy:1.0"))?.works()?.trim(), digest);
    let one = format!(
        "regctl registry set --tls disabled {host} && regctl registry login {host} -u x -p {token} --skip-check"
    );
    let one = format!("{one} && regctl image copy --platform linux/arm64 {image}:1.0 {image}-arm:1.0");
    sh(&desk, &one)?.works()?;
    let config = sh(&desk, &format!("crane config {image}-arm:1.0"))?.works()?;
    assert!(config.contains("\"architecture\":\"arm64\""), "{config}");
    Ok(())
}

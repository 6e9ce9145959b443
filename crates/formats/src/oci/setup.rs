//! How the clients of registries log in. They ask one host for everything: the repository's key is the first part of
//! an image's name.

use crate::{Place, Setup};

pub(super) fn all(place: &Place<'_>) -> Vec<Setup> {
    let mut setups = vec![
        shell(place, &["skopeo"], "skopeo login", " --tls-verify=false", &SKOPEO),
        shell(place, &["podman"], "podman login", " --tls-verify=false", &PODMAN),
        shell(place, &["docker"], "docker login", "", &DOCKER),
        shell(place, &["crane"], "crane auth login", "", &CRANE),
        shell(place, &["helm"], "helm registry login", " --plain-http", &[]),
    ];
    if !place.is_encrypted() {
        setups.extend(without_tls(place.authority()));
    }
    setups
}

/// How an image goes there and comes back: `AT` is the image without its tag, `-TLS` what says that there is none.
const SKOPEO: [&str; 2] =
    ["skopeo copy--dest-TLS oci:app:1.0 docker://AT:1.0", "skopeo copy--src-TLS docker://AT:1.0 oci:back:1.0"];
const PODMAN: [&str; 3] = ["podman pull-TLS AT:1.0", "podman tag AT:1.0 AT:1.1", "podman push-TLS AT:1.1"];
const DOCKER: [&str; 3] = ["docker pull AT:1.0", "docker tag AT:1.0 AT:1.1", "docker push AT:1.1"];
const CRANE: [&str; 2] = ["crane pull AT:1.0 app.tar", "crane push app.tar AT:1.2"];

/// Login, then what shows how images are called here.
fn shell(place: &Place<'_>, client: &'static [&'static str], login: &str, plain: &str, examples: &[&str]) -> Setup {
    let (host, plain) = (place.authority(), if place.is_encrypted() { "" } else { plain });
    let image = format!("{host}/{}/team/app", place.key);
    let flag = |of: &str| if plain.is_empty() { String::new() } else { format!(" --{of}tls-verify=false") };
    let mut text = format!("printf %s \"$TOKEN\" | {login}{plain} --username any --password-stdin {host}");
    for example in examples {
        let line = example.replace("--dest-TLS", &flag("dest-")).replace("--src-TLS", &flag("src-"));
        text.push('\n');
        text.push_str(&line.replace("-TLS", &flag("")).replace("AT", &image));
    }
    Setup::new(client, "shell", text)
}

/// The files in which programs are told once that a host has no TLS.
fn without_tls(host: &str) -> [Setup; 3] {
    let podman = format!("[[registry]]\nlocation = \"{host}\"\ninsecure = true");
    let docker = format!("{{\n  \"insecure-registries\": [\"{host}\"]\n}}");
    let containerd = format!(
        "server = \"http://{host}\"\n\n[host.\"http://{host}\"]\ncapabilities = [\"pull\", \"resolve\", \"push\"]"
    );
    [
        Setup::new(&["podman", "skopeo", "buildah"], "/etc/containers/registries.conf.d/artifortress.conf", podman),
        Setup::new(&["docker"], "/etc/docker/daemon.json", docker),
        Setup::new(&["containerd"], "/etc/containerd/certs.d/<host>/hosts.toml", containerd),
    ]
}

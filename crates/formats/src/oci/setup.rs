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
        setups.extend(without_tls(place));
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
    let image = format!("{host}/{}/team/app", place.folder());
    let flag = |of: &str| if plain.is_empty() { String::new() } else { format!(" --{of}tls-verify=false") };
    let mut text = format!("printf %s \"$TOKEN\" | {login}{plain} --username any --password-stdin {host}");
    for example in examples.iter().filter(|example| place.takes || reads(example)) {
        let line = example.replace("--dest-TLS", &flag("dest-")).replace("--src-TLS", &flag("src-"));
        text.push('\n');
        text.push_str(&line.replace("-TLS", &flag("")).replace("AT", &image));
    }
    Setup::new(client, "shell", text)
}

fn reads(example: &str) -> bool {
    example.contains(" pull") || example.contains("--src-TLS")
}

/// The files in which programs are told once that a host has no TLS.
fn without_tls(place: &Place<'_>) -> [Setup; 3] {
    let (host, push) = (place.authority(), if place.takes { ", \"push\"" } else { "" });
    let podman = format!("[[registry]]\nlocation = \"{host}\"\ninsecure = true");
    let docker = format!("{{\n  \"insecure-registries\": [\"{host}\"]\n}}");
    let containerd =
        format!("server = \"http://{host}\"\n\n[host.\"http://{host}\"]\ncapabilities = [\"pull\", \"resolve\"{push}]");
    [
        Setup::new(&["podman", "skopeo", "buildah"], "/etc/containers/registries.conf.d/artifortress.conf", podman),
        Setup::new(&["docker"], "/etc/docker/daemon.json", docker),
        Setup::new(&["containerd"], "/etc/containerd/certs.d/<host>/hosts.toml", containerd),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_to_push_where_nothing_is_taken() {
        let told = |takes| -> Vec<String> {
            let place = Place { takes, ..Place::local("http://host", "k") };
            all(&place).into_iter().map(|setup| setup.text).collect()
        };
        let (all, reading) = (told(true), told(false));
        assert!(all.iter().filter(|text| text.contains("push") || text.contains("--dest")).count() >= 5, "{all:?}");
        for text in &reading {
            assert!(!["push", " tag ", "--dest"].iter().any(|word| text.contains(word)), "{text}");
        }
        assert_eq!(reading.iter().filter(|text| text.contains("host/k/team/app:1.0")).count(), 4, "{reading:?}");
    }
}

//! How the clients of registries log in. They ask one host for everything: the repository's key is the first part of
//! an image's name.

use crate::{Place, Setup};

pub(super) fn all(place: &Place<'_>) -> Vec<Setup> {
    let (host, plain) = (place.authority(), !place.is_encrypted());
    let flag = |flag: &'static str| if plain { flag } else { "" };
    let login = |client: &'static [&'static str], command: &str| {
        let password = "printf %s \"$TOKEN\" |";
        Setup::new(client, "shell", format!("{password} {command} --username any --password-stdin {host}"))
    };
    vec![
        login(&["skopeo"], &format!("skopeo login{}", flag(" --tls-verify=false"))),
        login(&["podman"], &format!("podman login{}", flag(" --tls-verify=false"))),
        login(&["docker"], "docker login"),
        login(&["crane"], "crane auth login"),
        login(&["helm"], &format!("helm registry login{}", flag(" --plain-http"))),
    ]
}

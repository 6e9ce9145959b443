//! Hostile bytes against everything that reads foreign bytes and is pure: the formats and the model.
//!
//! A target takes any bytes and panics when a promise is broken. [`TARGETS`] names them all, each with
//! seeds that reach deep. `make test` replays the seeds with random changes and runs each target for a
//! moment under libFuzzer; `kit/fuzz` runs them for as long as you like. What the edge reads of a request (headers,
//! queries, heads) has properties beside its code.
#![expect(clippy::panic, clippy::expect_used, reason = "a broken promise is a panic: that is what is looked for")]

mod answers;
mod archive;
mod images;
mod lockfiles;
mod names;
mod packages;
mod publish;
mod render;
mod request;

use formats::cargo::Cargo;
use formats::go::Go;
use formats::maven::Maven;
use formats::npm::Npm;
use formats::pypi::Pypi;
use formats::raw::Raw;
use request::run;

/// One door for hostile bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Takes the bytes. Panics when a promise is broken. Whether they were accepted, all the way down.
    pub run: fn(&[u8]) -> bool,
    /// Bytes that are accepted.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them. `…-request`: an address and a body as they come in. `…-package`: what is inside of a package,
/// framed, packed and signed correctly so that changes reach the innermost parser. `…-tar`: an archive, headers and all.
/// `…-upstream`: what another server says of a package. `lockfiles`: what clients write down of what they need.
pub const TARGETS: [Target; 22] = [
    Target { name: "cargo-request", run: |bytes| run(&Cargo, bytes), seeds: packages::cargo::requests },
    Target {
        name: "cargo-package",
        run: |text| run(&Cargo, &packages::cargo::put(text)),
        seeds: packages::cargo::seeds,
    },
    Target { name: "cargo-tar", run: |tar| run(&Cargo, &packages::cargo::put_tar(tar)), seeds: packages::cargo::tars },
    Target { name: "cargo-upstream", run: |bytes| answers::run(&Cargo, bytes), seeds: packages::cargo::upstreams },
    Target { name: "go-request", run: |bytes| run(&Go, bytes), seeds: packages::go::requests },
    Target { name: "go-package", run: |text| run(&Go, &packages::go::put(text)), seeds: packages::go::seeds },
    Target { name: "go-upstream", run: |bytes| answers::run(&Go, bytes), seeds: packages::go::upstreams },
    Target { name: "lockfiles", run: lockfiles::run, seeds: lockfiles::seeds },
    Target { name: "maven-request", run: |bytes| run(&Maven, bytes), seeds: packages::maven::requests },
    Target {
        name: "maven-package",
        run: |text| run(&Maven, &packages::maven::put(text)),
        seeds: packages::maven::seeds,
    },
    Target { name: "maven-upstream", run: |bytes| answers::run(&Maven, bytes), seeds: packages::maven::upstreams },
    Target { name: "npm-request", run: |bytes| run(&Npm, bytes), seeds: packages::npm::requests },
    Target {
        name: "npm-package",
        run: |text| packages::npm::put(text).is_some_and(|put| run(&Npm, &put)),
        seeds: packages::npm::seeds,
    },
    Target { name: "npm-upstream", run: |bytes| answers::run(&Npm, bytes), seeds: packages::npm::upstreams },
    Target { name: "oci-address", run: images::address, seeds: images::addresses },
    Target { name: "oci-manifest", run: images::manifest, seeds: images::manifests },
    Target { name: "oci-upstream", run: images::upstream, seeds: images::upstreams },
    Target { name: "pypi-request", run: |bytes| run(&Pypi, bytes), seeds: packages::pypi::requests },
    Target { name: "pypi-package", run: |text| run(&Pypi, &packages::pypi::put(text)), seeds: packages::pypi::seeds },
    Target { name: "pypi-upstream", run: |bytes| answers::run(&Pypi, bytes), seeds: packages::pypi::upstreams },
    Target { name: "raw-request", run: |bytes| run(&Raw, bytes), seeds: packages::raw::requests },
    Target { name: "names", run: names::names, seeds: names::seeds },
];

/// The target of this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}

//! Real package managers against the real program: each publishes, installs into a clean cache, installs again from its
//! cache, is told what is wrong with its credentials and with its request, and sees what was withdrawn.
//!
//! A client that is missing fails the run: `kit/install-tools test` installs them.

mod cargo;
mod cargo_registries;
mod desk;
mod go;
mod maven;
mod maven_atomic;
mod maven_builds;
mod maven_wire;
mod moments;
mod node;
mod npm;
mod npm_login;
mod npm_many;
mod npm_others;
mod npm_wire;
mod oci;
mod pypi;
mod real;
mod remote;

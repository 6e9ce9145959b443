//! Packages from real projects, as the clients of this machine and the build itself have left them here: what their
//! authors published elsewhere is published again, and installed, resolved, built and run from us alone.

mod crates;
mod images;
mod jars;
mod modules;
mod tarballs;
mod wheels;

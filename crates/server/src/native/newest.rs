//! Names that stand for another file after every build.

use formats::{Format, PackageAt, View, Wanting};
use http::request::Parts;
use registry::{Grant, Read};

use super::documents::Place;
use crate::problem::Problem;

/// The address, below the repository, of the file that is meant now by the index of a part of a package.
pub(super) async fn address(
    readable: &Grant<Read>,
    format: &dyn Format,
    (package, part, view): (&PackageAt, &str, View),
    parts: &Parts,
    rest: &str,
) -> Result<String, Problem> {
    let place = Place::of(readable, parts)?;
    let site = place.site();
    let index = if readable.is_virtual() {
        let (members, wanted) = (readable.members().await?, Wanting::Part(part));
        readable.index_of_members(&members, |_| Some(package.clone()), view, wanted, &site).await?
    } else {
        readable.part(package, part, view, &site).await?
    };
    let there = format.newest(rest, index.body());
    there.ok_or_else(|| Problem::not_found(format!("no build of {} {part} has such a file", package.name)))
}

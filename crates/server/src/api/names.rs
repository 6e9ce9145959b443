//! Names in requests.

use model::PackageName;

use crate::problem::Problem;

/// The name of a package; the error names the field in which it was sent.
pub(crate) fn package_name(field: &'static str, text: &str) -> Result<PackageName, Problem> {
    PackageName::parse(text).map_err(|error| Problem::bad_request(error.to_string()).field(field, error.to_string()))
}

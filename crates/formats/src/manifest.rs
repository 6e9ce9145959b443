//! What the manifests of well-known formats must say.

/// The fields of a manifest that must be non-empty strings, for packages of this type.
pub fn required_in_manifest(package_type: &str) -> &'static [&'static str] {
    match package_type {
        "npm" => &["name", "version"],
        "nuget" => &["id", "version"],
        "maven" => &["groupId", "artifactId", "version"],
        _ => &[],
    }
}

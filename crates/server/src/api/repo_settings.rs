//! What the OpenAPI document says of the settings of a repository and of credentials for an upstream; the registry
//! reads them.

use utoipa::ToSchema;

/// Credentials for an upstream. They are kept sealed, are never shown again, and go to the origin of `upstreamUrl`
/// and to the realm, and to nobody else.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `UpstreamAuth` reads")]
#[schema(rename_all = "camelCase")]
pub(super) struct AuthBody {
    /// `basic` (with `user` and `password`) or `bearer` (with `token`).
    kind: String,
    user: Option<String>,
    password: Option<String>,
    token: Option<String>,
    /// The one other origin that may be shown them, such as `https://login.example`.
    realm: Option<String>,
}

/// Settings of a repository.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `RepoSettings` reads")]
#[schema(rename_all = "camelCase")]
pub(super) struct SettingsBody {
    /// `local`: whether a published path may get a later version. `remote`, raw only: whether it gets one when its file
    /// has changed upstream. Default: no.
    allow_overwrite: Option<bool>,
    /// `local`: refs whose names fit one of these patterns never move. Default: none.
    immutable_refs: Option<Vec<String>>,
    /// `local`: whether a manifest is taken although blobs that it names are not here. Default: no.
    sparse_manifests: Option<bool>,
    /// `local`: whether a version whose files come one by one appears all at once. Default: no.
    atomic_deploy: Option<bool>,
    /// `remote`: how the upstream is treated.
    upstream: Option<UpstreamBody>,
    /// `remote`: what is kept of the upstream.
    remote: Option<RemoteBody>,
    /// `virtual`: how the members are put together.
    #[schema(rename = "virtual")]
    virtual_: Option<VirtualBody>,
}

/// How a virtual repository puts its members together.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `VirtualSettings` reads")]
#[schema(rename_all = "camelCase")]
struct VirtualBody {
    /// The local member that takes what is published through this repository. Default: none. Shown to those who may read
    /// it or change it.
    deploy_to: Option<String>,
    /// Whose files a package has: `owner` (those of the first member that knows its name) or `union` (those of all).
    /// Default: `union` for raw and maven, else `owner`.
    merging: Option<String>,
    /// Whether hosted members come before remote ones, whatever their order. Default: yes.
    hosted_first: Option<bool>,
    /// Whether a name that a hosted member has never comes from elsewhere. Default: yes.
    hosted_claims: Option<bool>,
}

/// What a remote repository keeps of its upstream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `RemoteSettings` reads")]
#[schema(rename_all = "camelCase")]
struct RemoteBody {
    /// Which bytes it lets go of; they are fetched again when somebody wants them. Default: none.
    eviction: Option<EvictionBody>,
}

/// Which bytes a remote repository lets go of. At least one of these.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `Eviction` reads")]
#[schema(rename_all = "camelCase")]
struct EvictionBody {
    /// Those that nobody has read for so many days.
    #[schema(minimum = 1, maximum = 36500)]
    unused_days: Option<u32>,
    /// Those that came so many days ago.
    #[schema(minimum = 1, maximum = 36500)]
    max_age_days: Option<u32>,
    /// When there are more bytes than this, those that were not read for the longest time, until nine tenths of it are
    /// left.
    #[schema(minimum = 1)]
    max_bytes: Option<u64>,
}

/// How the upstream of a remote repository is treated. Shown to those who may change it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `UpstreamSettings` reads")]
#[schema(rename_all = "camelCase")]
struct UpstreamBody {
    /// Seconds for which an index is believed before the upstream is asked again. Default 300.
    #[schema(minimum = 0, maximum = 86400)]
    index_seconds: Option<u32>,
    /// Seconds for which the upstream's "not found" is believed. Default 60.
    #[schema(minimum = 0, maximum = 3600)]
    missing_seconds: Option<u32>,
    /// Hours for which the last known index is served while the upstream fails. Default 168.
    #[schema(minimum = 0, maximum = 8760)]
    stale_hours: Option<u32>,
    /// Seconds without a byte after which a request is given up. Default 30.
    #[schema(minimum = 1, maximum = 600)]
    timeout_seconds: Option<u32>,
    /// Requests at once. Default 32.
    #[schema(minimum = 1, maximum = 256)]
    connections: Option<u32>,
    /// Requests a second; 0, the default, is without bound.
    #[schema(minimum = 0, maximum = 100000)]
    requests_per_second: Option<u32>,
    /// Whether the upstream is never asked: what is known is served, whatever its age. Default: no.
    offline: Option<bool>,
    /// Further authorities that may vouch for the upstream: certificates in PEM, at most 64 KiB.
    extra_ca: Option<String>,
    /// The proxy on the way: scheme, host and port, without credentials.
    proxy: Option<String>,
}

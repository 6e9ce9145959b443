//! One list of every kind of id. All are UUIDs (version 7: ordered by creation time).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

ids! {
    /// A stored copy of a blob.
    CopyId,
    /// One request as seen by logs, events and the client.
    CorrelationId,
    /// An entry: a path in a version.
    EntryId,
    /// An event of the journal.
    EventId,
    /// A unit of background work.
    JobId,
    /// An interval during which a mark holds.
    MarkId,
    /// An answer of an upstream.
    ObservationId,
    /// A package in a repository.
    PackageId,
    /// A promise to keep a blob for a while.
    PinId,
    /// A person, service account or workload.
    PrincipalId,
    /// An interval during which a ref points at a version.
    RefId,
    /// A repository.
    RepoId,
    /// A tenant.
    TenantId,
    /// A token; never the secret itself.
    TokenId,
    /// A tombstone of a version.
    TombstoneId,
    /// An upload session.
    UploadId,
    /// A version of a package.
    VersionId,
    /// A waiver.
    WaiverId,
}

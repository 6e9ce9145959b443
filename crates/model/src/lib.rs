//! The nouns and rules of Artifortress: ids, names, digests, scopes, states, time and chance.
//!
//! Pure: no input or output, no async, no global state. Every other room depends on this one.

pub mod access;
pub mod ambient;
pub mod digest;
pub mod ids;
pub mod json;
pub mod line;
pub mod names;
pub mod network;
pub mod refusal;
pub mod secret;
pub mod state;
pub mod time;

pub use access::{Role, Scope, ScopeRepo, TenantRole};
pub use ambient::{Ambient, Random, SeededRandom, SystemRandom};
pub use digest::Sha256Digest;
pub use ids::*;
pub use names::{
    EntryPath, NameError, PackageName, RefName, RefPattern, RepoKey, Subject, VersionName, composed, decomposed,
    is_invisible, path_twin,
};
pub use network::{Network, NetworkError};
pub use refusal::{Block, Code, Reason, Refusal};
pub use secret::Secret;
pub use time::{Clock, ManualClock, SystemClock, Timestamp};

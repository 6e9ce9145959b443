//! The verbs: who may do what, and what happens then. Everything that the server, the workers and
//! the scheduler do goes through here.
//!
//! A [`Call`] is one request: who asks, as of which moment. Only [`Call::authorize`] makes a
//! [`Grant`], and only a grant opens a repository.

mod authorize;
mod call;
mod error;
mod fetch;
mod heal;
mod identity;
mod registry;
mod repositories;
mod secret;
mod store_file;
mod tenant;
mod tokens;

pub use authorize::{
    Access, Admin, Auditor, Grant, Operator, Promote, Read, TenantAccess, TenantAdmin, TenantGrant, Write,
};
pub use call::Call;
pub use error::{Error, Result};
pub use fetch::{Content, Found};
pub use identity::{Caller, Identity};
pub use registry::{Registry, Settings};
pub use repositories::{NewRepository, RepoChange, RepoSettings};
pub use secret::{TokenSecret, hash_secret};
pub use store_file::{Declared, Incoming, Stored};
pub use tenant::Admission;
pub use tokens::{Minted, PatPolicy, TokenRequest};

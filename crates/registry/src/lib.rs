//! The verbs: who may do what, and what happens then. Everything that the server, the workers and
//! the scheduler do goes through here.
//!
//! A [`Call`] is one request: who asks, as of which moment. Only [`Call::authorize`] makes a
//! [`Grant`], and only a grant opens a repository.

mod audit;
mod authorize;
mod beat;
mod call;
mod claims;
mod error;
mod fetch;
mod heal;
mod health;
mod identity;
mod jobs;
mod letters;
mod notes;
mod ops;
mod pending;
mod registry;
mod repositories;
mod rules;
mod secret;
mod shutdown;
mod store_file;
mod tenant;
mod tokens;
mod uses;
mod watch;
mod worker;

pub use store::admission::Limits;
pub use store::audit::{Filter as AuditFilter, Order as AuditOrder};
pub use store::jobs::{DeadLetter, Which as WhichLetters};
pub use store::principals::{ServiceAccount, TenantBinding};
pub use store::repositories::{Binding, Repository};
pub use store::tokens::TokenInfo;

pub use audit::{AuditEvent, Export};
pub use authorize::{
    Access, Admin, Auditor, Grant, Operator, Promote, Read, TenantAccess, TenantAdmin, TenantGrant, Write,
};
pub use beat::{Beat, BeatSettings};
pub use call::Call;
pub use claims::Claims;
pub use error::{Error, Result};
pub use fetch::{Content, Found};
pub use health::Check;
pub use identity::{Caller, Identity};
pub use notes::{Seen, keep_notes};
pub use ops::OpsSummary;
pub use pending::{Child, ChildKind};
pub use registry::{Registry, Settings};
pub use repositories::{NewRepository, RepoChange, RepoSettings};
pub use rules::Rule;
pub use secret::{TokenSecret, hash_secret};
pub use shutdown::Shutdown;
pub use store::publish::Replace;
pub use store_file::{Declared, Incoming, Stored};
pub use tenant::Admission;
pub use tokens::{Minted, PatPolicy, TokenRequest};
pub use watch::Watch;
pub use worker::{Worker, WorkerSettings};

//! The only room with SQL: what is true, on SQLite or PostgreSQL behind one text.
//!
//! A change is a [`Write`]: plain data whose `apply` runs inside one transaction, may be run again,
//! and touches nothing but that transaction. A look is a function over a [`Session`]. Each noun has
//! its file with its reads and its writes; what truly differs between the engines is in
//! [`dialect`], `lite` and `pg`.

pub mod admins;
pub mod admission;
pub mod audit;
pub mod blobs;
pub mod bootstrap;
pub mod brought;
pub mod cached;
pub mod consumers;
pub mod copy;
pub mod denials;
pub mod deployments;
pub mod deposit;
pub mod dialect;
pub mod entries;
mod error;
pub mod events;
pub mod facts;
pub mod flights;
pub mod folders;
mod fresh;
pub mod healing;
pub mod hosted_rules;
pub mod idempotency;
pub mod jobs;
pub mod leases;
pub mod lines;
mod lite;
pub mod locations;
pub mod logins;
pub mod manifests;
pub mod marks;
mod members;
mod migrate;
pub mod observations;
pub mod ops;
pub mod packages;
pub mod perform;
mod pg;
pub mod pins;
pub mod principals;
pub mod publish;
pub mod refs;
pub mod releases;
pub mod repositories;
pub mod sequence;
mod session;
pub mod spill;
mod store;
pub mod subjects;
pub mod tenants;
pub mod token_uses;
pub mod tokens;
pub mod tombstones;
pub mod trash;
pub mod uploads;
mod value;
pub mod versions;
pub mod waivers;
mod when;

pub use error::{Error, Result};
pub use fresh::{Fresh, Stamp};
pub use migrate::{Depth, Inspection, MigrationState, SchemaVersion, inspect};
pub use session::{Session, Tx, statements_sent};
pub use store::{Engine, Options, Store, Write};
pub use value::{Argument, Column, Kind, Row, Value};
pub use when::When;

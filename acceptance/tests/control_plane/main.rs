//! The control plane through the real program: uploads, versions, refs, idempotency, replicas, schema.

mod idempotency;
mod presigned;
mod publishing;
mod replicas;
mod schema;
mod steps;
mod uploads;

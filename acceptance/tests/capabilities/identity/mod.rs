//! Who somebody is, and for how long.

mod bindings;
mod bootstrap;
mod credentials;
mod lifetime;
mod recovery;
mod revocation;
mod secrets;
mod streaming;

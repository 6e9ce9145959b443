//! What package managers do, whatever the format: hand packages in, read indexes, mark and withdraw.

mod apply;
mod bytes;
mod catalogue;
mod checksums;
mod deployments;
mod documents;
mod indexes;
mod intake;
mod pointers;
mod related;
mod release;
mod repeated;
mod staging;
mod writers;

pub use documents::Shown;
pub use intake::{Receiving, Taken};

pub(crate) use catalogue::List;
pub(crate) use documents::{DocumentKey, Documents, Of, RefsAround};
pub(crate) use indexes::Fragments;
pub(crate) use pointers::Pointers;
pub(crate) use staging::{Staged, Staging};

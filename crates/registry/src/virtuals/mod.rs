//! Repositories that are made of others: each member's rights are looked at, and a name belongs to whom it should.

mod around;
mod folders;
mod known;
mod lists;
mod members;
mod settings;
mod shape;
mod spellings;
mod through;
mod union;
mod versions;
mod walk;

pub use members::Members;
pub use settings::VirtualSettings;
pub(crate) use settings::{check_members, no_virtuals};
pub(crate) use shape::Shapes;

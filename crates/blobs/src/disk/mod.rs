//! Copies as files: staged, synced, then renamed to a fresh name that is never overwritten.

mod folders;
mod probe;
mod source;
mod stage;
mod steps;
mod walk;

pub(crate) use folders::Disk;
pub(crate) use source::DiskSource;
pub(crate) use stage::Stage;
#[cfg(test)]
pub(crate) use steps::Step;

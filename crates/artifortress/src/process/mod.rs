//! The server's processes: what is built from the configuration, and how it starts and stops.

mod background;
mod bootstrap;
mod build;
mod health;
mod lines;
mod listen;
mod lock;
mod logs;
mod signals;
mod stamps;
mod waiting;

pub(crate) use background::{Background, operate};
pub(crate) use bootstrap::offer_bootstrap;
pub(crate) use build::{build, open_store};
pub(crate) use lines::flush as flush_logs;
pub(crate) use listen::listen;
pub(crate) use lock::Lock;
pub(crate) use logs::start_logs;
pub(crate) use signals::stop_token;
pub(crate) use waiting::{wait_quietly, wait_until_usable};

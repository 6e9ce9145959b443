//! The server's processes: what is built from the configuration, and how it starts and stops.

mod background;
mod bootstrap;
mod build;
mod first_look;
mod health;
mod json_lines;
mod life;
mod lines;
mod listen;
mod lock;
mod logs;
mod master_key;
mod signals;
mod stamps;
mod waiting;

use background::{Background, operate};
use bootstrap::offer_bootstrap;
pub(crate) use build::{build, database_options, open_store};
pub(crate) use first_look::{look_at_all, look_at_file, look_first};
pub(crate) use life::{live, whole};
pub(crate) use lines::flush as flush_logs;
use listen::{listen, try_listening};
pub(crate) use lock::Lock;
use logs::start_logs;
use signals::stop_token;

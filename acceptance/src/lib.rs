//! The black-box test harness: it starts the real programs, talks to them over sockets and knows nothing of their inside.
//!
//! - [`postgres`] and [`s3`]: real backing services, private to the test run;
//! - [`backing`]: where a test finds those that `make test` started;
//! - [`server`]: Artifortress itself, started, killed, restarted, with personas to speak as;
//! - [`upstream`] and [`shelf`]: registries of others that say what the test wrote, and a package of each format there;
//! - [`authority`]: certificates that nobody believes who was not told to;
//! - [`proxy`]: a way to them that writes down what it sees;
//! - [`http`]: a small HTTP/1.1 client that can also send what no honest client would;
//! - [`browser`]: a real browser without a window;
//! - [`strace`]: faults at the n-th system call.
//!
//! Every child process dies with the test process, however that ends ([`nursery`]), and everything that the harness
//! writes lies in one folder that is removed afterwards ([`scratch`]).
//!
//! ```no_run
//! use acceptance::server::{Backing, Server};
//!
//! # async fn example() -> acceptance::Result<()> {
//! let mut server = Server::start(Backing::Embedded).await?;
//! server.repository("files", "raw").await?;
//! let alice = server.persona("alice")?.with("repo:files:write").arrive().await?;
//! alice.put("/repository/files/a.txt").body("hello").send().await?.expect(&[201])?;
//! server.kill9()?;
//! server.resume().await?;
//! assert_eq!(alice.get("/repository/files/a.txt").send().await?.text(), "hello");
//! # Ok(())
//! # }
//! ```

pub mod authority;
pub mod backing;
pub mod browser;
pub mod environment;
pub mod http;
pub mod nursery;
pub mod ports;
pub mod postgres;
pub mod proxy;
pub mod random;
pub mod s3;
pub mod scratch;
pub mod server;
pub mod shelf;
pub mod strace;
pub mod tree;
mod trouble;
pub mod upstream;

pub use trouble::{Result, Trouble};

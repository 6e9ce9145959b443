//! The program's door to the outside.

use std::process::ExitCode;

use artifortress::config::Environment;
use artifortress::console::Console;
use artifortress::{Context, run};
use model::Ambient;

#[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
fn environment() -> Environment {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
}

/// Short-lived values of requests are most of what is allocated, on all workers at once: with this allocator a small read
/// costs an eighth less CPU than with the system's (`docs/decisions/0020-small-reads-go-a-short-way.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let context = Context { environment: environment(), ambient: Ambient::system(), console: Console::process() };
    // One provider for everything that speaks TLS; a second call can only find it installed.
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            context.console.complain(&format!("artifortress: the runtime cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run(std::env::args_os().collect(), &context));
    // A reader that waits for a terminal must not keep the program alive.
    runtime.shutdown_background();
    ExitCode::from(code)
}

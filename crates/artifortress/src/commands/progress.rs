//! A progress bar for a person who waits for more than a second.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::console::Console;

/// Bytes, or things, done of those to do. Cheap to clone; silent when nobody watches.
#[derive(Clone)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Starts to count towards `total` bytes.
    pub(super) fn start(total: u64, verb: &'static str, console: &Console) -> Self {
        Self::begin(total, verb, "{prefix} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}", console)
    }

    /// Starts to count towards `total` things.
    pub(super) fn start_things(total: u64, verb: &'static str, console: &Console) -> Self {
        Self::begin(total, verb, "{prefix} {bar:30} {pos}/{len} {eta}", console)
    }

    fn begin(total: u64, verb: &'static str, template: &str, console: &Console) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(verb);
        if console.person_watches() {
            tokio::spawn(show_later(bar.clone()));
        }
        Self(bar)
    }

    /// More bytes are known of.
    pub(super) fn expect(&self, bytes: u64) {
        self.0.inc_length(bytes);
    }

    /// More bytes are done.
    pub(super) fn done(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

async fn show_later(bar: ProgressBar) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    if !bar.is_finished() {
        bar.set_draw_target(ProgressDrawTarget::stderr());
        bar.enable_steady_tick(Duration::from_millis(200));
    }
}

//! Logs on standard error: readable on a terminal, JSON elsewhere.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

use super::json_lines::JsonLines;
use super::lines::Lines;
use crate::config::{Log, LogFormat};

/// Starts logging. A second call in the same process changes nothing.
pub(crate) fn start_logs(log: &Log, person_watches: bool) {
    let filter = EnvFilter::try_new(&log.filter.0).unwrap_or_else(|_| EnvFilter::new("info"));
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !person_watches,
    };
    // Without its thread nothing is gathered, and nothing lost.
    let lines = if person_watches { Lines::at_once() } else { Lines::gathered().unwrap_or(Lines::at_once()) };
    let registry = tracing_subscriber::registry().with(filter);
    let started = if json {
        let layer = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
        registry.with(layer.map_event_format(JsonLines).with_writer(lines)).try_init()
    } else {
        registry.with(fmt::layer().with_target(false).with_ansi(person_watches).with_writer(lines)).try_init()
    };
    drop(started);
}

//! The process as the kernel sees it, read when metrics are asked for.

use std::fmt;

use model::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use rustix::process::{Resource, getrlimit};

/// Collects memory, time, descriptors and threads from `/proc/self`.
#[derive(Debug)]
pub(crate) struct Process {
    started: Timestamp,
}

impl Process {
    /// The process counts as started now.
    pub(crate) fn starting(now: Timestamp) -> Self {
        Self { started: now }
    }
}

/// One reading; what cannot be read is 0.
#[derive(Debug, Default)]
struct Reading {
    resident_bytes: u64,
    cpu_seconds: f64,
    threads: u64,
    open_files: u64,
}

impl Reading {
    fn take() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let open_files = std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64);
        Self {
            open_files,
            ..Self::parse(&stat, rustix::param::page_size() as u64, rustix::param::clock_ticks_per_second())
        }
    }

    /// Reads proc(5) `stat`; the command in parentheses may hold anything, so counting starts after it.
    fn parse(stat: &str, page: u64, ticks: u64) -> Self {
        let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<u64> = after.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
        let field = |number: usize| fields.get(number - 3).copied().unwrap_or(0);
        Self {
            cpu_seconds: (field(14) + field(15)) as f64 / ticks.max(1) as f64,
            threads: field(20),
            resident_bytes: field(24) * page,
            open_files: 0,
        }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let reading = Reading::take();
        let files_limit = getrlimit(Resource::Nofile).current.unwrap_or(0);
        let mut tell = |name: &str, help: &str, metric: &dyn Tell| metric.tell(&mut encoder, name, help);
        tell("process_resident_memory_bytes", "Resident memory", &ConstGauge::new(reading.resident_bytes))?;
        tell("process_cpu_seconds", "CPU time used", &ConstCounter::new(reading.cpu_seconds))?;
        tell("process_open_fds", "Open file descriptors", &ConstGauge::new(reading.open_files))?;
        tell("process_max_fds", "Most file descriptors", &ConstGauge::new(files_limit))?;
        tell("process_threads", "Threads", &ConstGauge::new(reading.threads))?;
        let started = self.started.0 as f64 / 1e6;
        tell("process_start_time_seconds", "Start time since the epoch", &ConstGauge::new(started))
    }
}

/// A metric that can write itself under a name.
trait Tell {
    fn tell(&self, encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str) -> fmt::Result;
}

impl<M: EncodeMetric> Tell for M {
    fn tell(&self, encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str) -> fmt::Result {
        self.encode(encoder.encode_descriptor(name, help, None, self.metric_type())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_by_field_number_whatever_the_command_is_called() {
        let stat = "7 (a) b 3) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 123 1000000 512 18446744073709551615";
        let reading = Reading::parse(stat, 4096, 100);
        assert_eq!(reading.cpu_seconds.to_bits(), 3.0_f64.to_bits());
        assert_eq!((reading.threads, reading.resident_bytes), (9, 512 * 4096));
    }

    #[test]
    fn this_process_has_memory_and_files() {
        let reading = Reading::take();
        assert!(reading.resident_bytes > 0 && reading.open_files > 0 && reading.threads > 0);
    }
}

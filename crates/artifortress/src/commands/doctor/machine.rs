//! What can be seen on this machine: data folder, disk, clock, TLS files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use model::{Ambient, Timestamp};

use super::Finding;
use crate::commands::files;
use crate::config::Config;

/// Below this there is no room to work.
const TOO_LITTLE: u64 = 100 * 1024 * 1024;

/// Below this it is time to act.
const LITTLE: u64 = 2 * 1024 * 1024 * 1024;

/// No honest clock shows an earlier time (2025-01-01).
const EARLIEST: Timestamp = Timestamp(1_735_689_600_000_000);

pub(super) fn look(config: &Config, ambient: &Ambient) -> Vec<Finding> {
    let data = &config.server.data;
    let mut findings = vec![folder(data, ambient), clock(ambient.now())];
    findings.extend(space(data));
    findings.extend(config.tls.cert.iter().chain(&config.tls.key).filter_map(|path| tls_file(path)));
    findings
}

fn folder(data: &Path, ambient: &Ambient) -> Finding {
    const CHECK: &str = "data folder";
    if !data.exists() {
        return Finding::warn(CHECK, format!("'{}' does not exist", data.display()), "`serve` makes it at its first start");
    }
    match write_durably(data, ambient) {
        Ok(()) => Finding::pass(CHECK, format!("'{}' takes durable writes", data.display())),
        Err(error) => {
            let action = "give the server's user write access, and use a file system that supports fsync";
            Finding::fail(CHECK, format!("'{}' cannot be written durably: {error}", data.display()), action)
        }
    }
}

fn write_durably(data: &Path, ambient: &Ambient) -> io::Result<()> {
    let path = data.join(format!(".doctor-{}", model::digest::hex(&ambient.bytes::<8>())));
    let written = File::create_new(&path).and_then(|mut file| file.write_all(b"fsync").and_then(|()| file.sync_all()));
    let removed = fs::remove_file(&path);
    written.and(removed).and_then(|()| files::sync_folder(&path))
}

fn space(data: &Path) -> Option<Finding> {
    const CHECK: &str = "free space";
    let existing = data.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let found = rustix::fs::statvfs(existing).ok()?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let detail = format!("{} free", files::size(free));
    Some(match free {
        ..TOO_LITTLE => Finding::fail(CHECK, detail, "free some space or move the data folder to a larger disk"),
        TOO_LITTLE..LITTLE => Finding::warn(CHECK, detail, "plan for more room soon"),
        _ => Finding::pass(CHECK, detail),
    })
}

fn clock(now: Timestamp) -> Finding {
    const CHECK: &str = "clock";
    if now < EARLIEST {
        return Finding::fail(CHECK, format!("it shows {now}"), "set the clock: tokens and leases depend on it");
    }
    Finding::pass(CHECK, format!("it shows {now}"))
}

fn tls_file(path: &Path) -> Option<Finding> {
    let error = File::open(path).err()?;
    let action = "let the server's user read the certificate and its key";
    Some(Finding::fail("TLS files", format!("'{}' cannot be read: {error}", path.display()), action))
}

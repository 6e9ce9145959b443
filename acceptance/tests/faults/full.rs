//! A disk that is really full: writes are refused with 507, reads go on, and room heals it without a restart.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use acceptance::server::Backing;
use acceptance::{Result, Trouble};

use crate::load::{File, REPO, Told, plan, publish};
use crate::outage::readiness_says;
use crate::truth::{compare, sound};

/// A small file system over a folder; unmounted when dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// Puts `folder`, with what is in it, on a file system of its own.
    fn over(folder: &Path, megabytes: u32) -> Result<Mounted> {
        let aside = folder.with_extension("aside");
        run(Command::new("cp").arg("-a").arg(folder).arg(&aside))?;
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"]).arg(folder))?;
        let mounted = Mounted(folder.to_path_buf());
        run(Command::new("cp").arg("-a").arg(aside.join(".")).arg(folder))?;
        Ok(mounted)
    }

    /// Takes every free byte.
    fn fill(&self) -> Result<PathBuf> {
        let path = self.0.join("filler");
        let mut file = fs::File::create(&path)?;
        for size in [1 << 20, 4096, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
        Ok(path)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn run(command: &mut Command) -> Result<()> {
    let done = command.output()?;
    match done.status.success() {
        true => Ok(()),
        // Mounting needs root: this test cannot be skipped.
        false => Err(Trouble::new(format!("{command:?}: {}", String::from_utf8_lossy(&done.stderr)))),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_and_serves_reads() -> Result<()> {
    let mut server = plan(Backing::Embedded).start().await?;
    server.repository(REPO, "raw").await?;
    let writer = server.persona("writer")?.with(&format!("repo:{REPO}:write")).arrive().await?;
    let file = |name: &str, length| File::new(format!("full/{name}"), length, length);
    let mut outcomes = Vec::new();
    for file in [file("inline", 4096), file("stored", 1 << 20)] {
        assert_eq!(publish(&writer, &file).await, Told::Published);
        outcomes.push((file, Told::Published));
    }
    server.stop()?;
    let mounted = Mounted::over(&server.data(), 48)?;
    server.resume().await?;
    for round in 0..3 {
        let filler = mounted.fill()?;
        for length in [5000, 300_000, 3 << 20] {
            let refused = file(&format!("refused-{round}-{length}"), length);
            assert_eq!(publish(&writer, &refused).await, Told::Refused(507), "round {round}, {length} bytes");
            outcomes.push((refused, Told::Refused(507)));
        }
        let score = compare(&writer, &["full".to_string()], &outcomes).await?;
        score.perfect("on the full disk")?;
        fs::remove_file(filler)?;
        for length in [5001, 300_001] {
            let accepted = file(&format!("accepted-{round}-{length}"), length);
            assert_eq!(publish(&writer, &accepted).await, Told::Published, "round {round}, {length} bytes, with room");
            outcomes.push((accepted, Told::Published));
        }
        readiness_says(&server, 200).await?;
    }
    server.kill9()?;
    server.resume().await?;
    compare(&writer, &["full".to_string()], &outcomes).await?.perfect("after a restart")?;
    sound(&server)?;
    server.kill9()
}

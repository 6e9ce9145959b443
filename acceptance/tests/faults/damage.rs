//! A flipped byte, wherever it lies: none of its block is handed out, it is noted, and the same bytes heal it.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use acceptance::server::{Backing, Persona, Server};
use acceptance::{Result, Trouble};

use crate::load::{File, REPO, Told, plan, publish};

/// Bytes that are checked together.
const BLOCK: u64 = 1 << 20;

struct Patient {
    server: Server,
    writer: Persona,
    first: File,
    copy: Copy,
}

/// Where a copy lies, as its row says.
#[derive(Debug)]
struct Copy {
    kind: String,
    place: String,
    start: u64,
}

impl Patient {
    async fn arrive(backing: Backing, length: u64) -> Result<Patient> {
        let server = plan(backing).start().await?;
        server.repository(REPO, "raw").await?;
        let writer = server.persona("writer")?.with(&format!("repo:{REPO}:write")).arrive().await?;
        let first = File::new("damage/first".to_string(), 11, length);
        assert_eq!(publish(&writer, &first).await, Told::Published);
        let copy = copy(&server)?;
        Ok(Patient { server, writer, first, copy })
    }

    /// Flips one bit of the byte at `offset` of the blob, past the program.
    fn flip(&self, offset: u64) -> Result<()> {
        let path = self.server.blobs().join(&self.copy.place);
        let file = fs::File::options().read(true).write(true).open(path)?;
        let mut byte = [0];
        file.read_exact_at(&mut byte, self.copy.start + offset)?;
        Ok(file.write_all_at(&[byte[0] ^ 1], self.copy.start + offset)?)
    }

    /// Flips one bit of a copy that is a row.
    fn flip_row(&self, offset: usize) -> Result<()> {
        let hex = match self.server.backing() {
            Backing::Embedded => self.server.sql("SELECT hex(bytes) FROM inline_bytes")?,
            Backing::Scaled => self.server.sql("SELECT encode(bytes, 'hex') FROM inline_bytes")?,
        };
        let digit = if &hex[2 * offset..=2 * offset] == "0" { "1" } else { "0" };
        let hex = format!("{}{digit}{}", &hex[..2 * offset], &hex[2 * offset + 1..]);
        let bytes = match self.server.backing() {
            Backing::Embedded => format!("X'{hex}'"),
            Backing::Scaled => format!("decode('{hex}', 'hex')"),
        };
        self.server.sql(&format!("UPDATE inline_bytes SET bytes = {bytes}")).map(|_| ())
    }

    /// Rows that are hours old are packed when the schedule begins anew: the file and another one.
    async fn pack_with_a_neighbour(&mut self) -> Result<File> {
        let other = File::new("damage/neighbour".to_string(), 12, 5000);
        assert_eq!(publish(&self.writer, &other).await, Told::Published);
        self.server.stop()?;
        self.server.sql("UPDATE copies SET created_at = created_at - 7200000000")?;
        self.server.resume().await?;
        let sql = "SELECT count(*) FROM copies WHERE kind = 'pack'";
        let packed = async {
            while self.server.sql(sql)? != "2" {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            Ok::<_, Trouble>(())
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), packed).await??;
        let row = self.server.sql(
            "SELECT c.kind, c.place, c.start FROM copies c JOIN entries e ON e.digest = c.digest
             WHERE e.path = 'damage/first' AND c.kind = 'pack'",
        )?;
        let fields: Vec<_> = row.split('|').collect();
        self.copy = Copy { kind: "pack".to_string(), place: fields[1].to_string(), start: fields[2].parse()? };
        Ok(other)
    }

    /// Reads the file: what came must be a part of the original that ends before the damaged block.
    async fn hands_out_nothing_of(&self, block: u64) -> Result<()> {
        let original = self.first.bytes();
        let mut received = Vec::new();
        let answer = self.writer.get(&self.first.url()).send_each(|piece| received.extend_from_slice(piece)).await;
        match &answer {
            Ok(answer) if answer.status == 503 => received.clear(),
            Ok(answer) => return Err(Trouble::new(format!("a damaged file was served with {}", answer.status))),
            Err(_) => {}
        }
        assert!(received.len() as u64 <= block * BLOCK, "bytes of the damaged block were handed out");
        assert!(original.starts_with(&received), "other bytes were handed out than were published");
        let inside = format!("bytes={}-{}", block * BLOCK, block * BLOCK + 9);
        self.writer.get(&self.first.url()).range(&inside).send().await?.expect(&[503])?;
        Ok(())
    }

    /// The copy is gone, and nobody has read it since: the same bytes that come are not let go of.
    async fn comes_again(&self) -> Result<()> {
        let mut second = self.first.clone();
        second.path = "damage/second".to_string();
        assert_eq!(publish(&self.writer, &second).await, Told::Published);
        for file in [&self.first, &second] {
            let answer = self.writer.get(&file.url()).send().await?.expect(&[200])?;
            assert!(answer.body == self.first.bytes(), "{} has other bytes than were published", file.path);
        }
        assert_eq!(self.server.sql("SELECT count(*) FROM events WHERE action = 'blob.copy.damaged'")?, "1");
        Ok(())
    }

    /// The damage is known, and the next upload of the same bytes heals every path that has them.
    async fn is_noted_and_heals(&self) -> Result<()> {
        assert_eq!(self.server.sql("SELECT count(*) FROM copies WHERE state = 'damaged'")?, "1");
        assert_eq!(self.server.sql("SELECT count(*) FROM events WHERE action = 'blob.copy.damaged'")?, "1");
        self.writer.head(&self.first.url()).send().await?.expect(&[503])?;
        let mut second = self.first.clone();
        second.path = "damage/second".to_string();
        assert_eq!(publish(&self.writer, &second).await, Told::Published);
        for file in [&self.first, &second] {
            let answer = self.writer.get(&file.url()).send().await?.expect(&[200])?;
            assert!(answer.body == self.first.bytes(), "{} has other bytes than were published", file.path);
        }
        Ok(())
    }
}

fn copy(server: &Server) -> Result<Copy> {
    let row = server.sql("SELECT kind, place, start FROM copies WHERE state = 'good'")?;
    let mut fields = row.split('|').map(str::to_string);
    let (kind, place) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
    Ok(Copy { kind, place, start: fields.next().unwrap_or_default().parse()? })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_or_object_is_not_served_and_heals() -> Result<()> {
    for (backing, kind) in [(Backing::Embedded, "file"), (Backing::Scaled, "object")] {
        for block in [0, 1, 2] {
            let patient = Patient::arrive(backing, 3 * BLOCK - 77).await?;
            assert_eq!(patient.copy.kind, kind);
            patient.flip(block * BLOCK + 12_345)?;
            patient.hands_out_nothing_of(block).await?;
            patient.is_noted_and_heals().await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_cut_off_or_gone_is_not_served_and_heals() -> Result<()> {
    for gone in [false, true] {
        let patient = Patient::arrive(Backing::Embedded, 3 * BLOCK - 77).await?;
        let path = patient.server.blobs().join(&patient.copy.place);
        match gone {
            false => fs::File::options().write(true).open(path)?.set_len(2 * BLOCK)?,
            true => fs::remove_file(path)?,
        }
        patient.hands_out_nothing_of(0).await?;
        patient.is_noted_and_heals().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_row_is_not_served_and_heals() -> Result<()> {
    for backing in [Backing::Embedded, Backing::Scaled] {
        let mut patient = Patient::arrive(backing, 4096).await?;
        assert_eq!(patient.copy.kind, "inline");
        patient.flip_row(1000)?;
        // What the process remembers of the row is good still.
        patient.server.kill9()?;
        patient.server.resume().await?;
        patient.hands_out_nothing_of(0).await?;
        patient.is_noted_and_heals().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_pack_is_not_served_and_heals() -> Result<()> {
    let mut patient = Patient::arrive(Backing::Embedded, 4096).await?;
    let other = patient.pack_with_a_neighbour().await?;
    patient.flip(77)?;
    patient.hands_out_nothing_of(0).await?;
    let answer = patient.writer.get(&other.url()).send().await?.expect(&[200])?;
    assert!(answer.body == other.bytes(), "its neighbour in the pack is untouched");
    patient.is_noted_and_heals().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_second_good_copy_nobody_notices() -> Result<()> {
    for backing in [Backing::Embedded, Backing::Scaled] {
        let patient = Patient::arrive(backing, 3 * BLOCK - 77).await?;
        let (folder, _) = patient.copy.place.rsplit_once('/').ok_or_else(|| Trouble::new("no folder"))?;
        let spare = "01900000-0000-7000-8000-0000000000";
        let spare = format!("{spare}{}", folder.rsplit('/').next().unwrap_or_default());
        let place = format!("{folder}/{spare}");
        fs::copy(patient.server.blobs().join(&patient.copy.place), patient.server.blobs().join(&place))?;
        let id = match backing {
            Backing::Embedded => format!("X'{}'", spare.replace('-', "")),
            Backing::Scaled => format!("'{spare}'"),
        };
        patient.server.sql(&format!(
            "INSERT INTO copies (id, digest, kind, place, start, sums, state, created_at)
             SELECT {id}, digest, kind, '{place}', 0, sums, 'good', created_at + 1 FROM copies"
        ))?;
        patient.flip(BLOCK + 5)?;
        let mut patient = patient;
        patient.server.kill9()?;
        patient.server.resume().await?;
        let answer = patient.writer.get(&patient.first.url()).send().await?.expect(&[200])?;
        assert!(answer.body == patient.first.bytes(), "{backing:?}: the second copy took over");
        assert_eq!(patient.server.sql("SELECT count(*) FROM events WHERE action = 'blob.copy.damaged'")?, "1");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_in_is_kept_where_the_known_copy_is_gone() -> Result<()> {
    for backing in [Backing::Embedded, Backing::Scaled] {
        for gone in [false, true] {
            let patient = Patient::arrive(backing, 3 * BLOCK - 77).await?;
            let path = patient.server.blobs().join(&patient.copy.place);
            match gone {
                false => fs::File::options().write(true).open(path)?.set_len(2 * BLOCK)?,
                true => fs::remove_file(path)?,
            }
            patient.comes_again().await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_in_is_kept_where_its_pack_is_gone() -> Result<()> {
    let mut patient = Patient::arrive(Backing::Embedded, 4096).await?;
    patient.pack_with_a_neighbour().await?;
    fs::remove_file(patient.server.blobs().join(&patient.copy.place))?;
    patient.comes_again().await
}

/// A pipe would be waited for until somebody writes to it; a folder, a link and a file in the place of the folder cannot be
/// read, now or later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_file_is_not_waited_for_and_heals() -> Result<()> {
    let puts: [fn(&Path) -> std::io::Result<()>; 4] = [
        |path| std::process::Command::new("mkfifo").arg(path).status().map(drop),
        |path| fs::create_dir(path),
        |path| std::os::unix::fs::symlink(path, path),
        |path| path.parent().map_or(Ok(()), |folder| fs::remove_dir(folder).and_then(|()| fs::write(folder, ""))),
    ];
    for (number, put) in puts.into_iter().enumerate() {
        let patient = Patient::arrive(Backing::Embedded, 200_000).await?;
        let path = patient.server.blobs().join(&patient.copy.place);
        fs::remove_file(&path)?;
        put(&path)?;
        // More than there are threads.
        let reads = (0..8).map(|_| patient.writer.get(&patient.first.url()).send());
        for read in futures_util::future::join_all(reads).await {
            read?.expect(&[503])?;
        }
        assert_eq!(patient.writer.get("/health/live").send().await?.status, 200, "{number}");
        patient.writer.put(&patient.first.url()).body(patient.first.bytes()).send().await?.expect(&[200])?;
        let read = patient.writer.get(&patient.first.url()).send().await?.expect(&[200])?;
        assert!(read.body == patient.first.bytes(), "{number}: other bytes");
    }
    Ok(())
}

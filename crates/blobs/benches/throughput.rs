//! A few seconds of figures: checksums, and 100 MiB written and read, as ratios to what one thread can do by hand.

use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use blobs::{BLOCK, BlobCopy, Blobs, Body, Expect, Options};
use bytes::Bytes;
use model::Ambient;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const SIZE: usize = 100 << 20;
const ROUNDS: usize = 7;

fn main() -> Outcome<()> {
    let folder = tempfile::tempdir_in(".")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let data = Bytes::from((0..SIZE as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<_>>());
    checksums(&data);
    let blobs = Blobs::disk(&folder.path().join("blobs"), Options::default())?;
    let floor_file = folder.path().join("floor");
    for chunk in [64 << 10, 400 << 10] {
        let (mut ours, mut floor) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            floor.push(timed(|| hash_and_sync(&data, &floor_file))?);
            ours.push(timed(|| runtime.block_on(write(&blobs, &data, chunk)))?);
        }
        report(&format!("floor: hash, write, sync by one thread ({chunk})"), &floor);
        report(&format!("written in pieces of {chunk}"), &ours);
        println!("  ratio of medians {:.2}", median(&floor) / median(&ours));
    }
    let copy = runtime.block_on(stored(&blobs, &data))?;
    let (mut read_only, mut sent) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        read_only.push(timed(|| runtime.block_on(read(&blobs, &copy)))?);
        sent.push(timed(|| runtime.block_on(send(&blobs, &copy)))?);
    }
    report("read and checked", &read_only);
    report("read, checked and sent over loopback (receiver included)", &sent);
    Ok(())
}

fn checksums(data: &Bytes) {
    for (name, sum) in [
        ("crc64-nvme", (|block| crc_fast::crc64_nvme(block)) as fn(&[u8]) -> u64),
        ("sha256", |block| u64::from(Sha256::digest(block)[0])),
    ] {
        let start = Instant::now();
        std::hint::black_box(data.chunks(BLOCK as usize).map(sum).fold(0, u64::wrapping_add));
        println!("{name}: {:.1} GB/s", SIZE as f64 / 1e9 / start.elapsed().as_secs_f64());
    }
}

fn hash_and_sync(data: &Bytes, path: &std::path::Path) -> Outcome<()> {
    let source = path.with_extension("source");
    if !source.exists() {
        std::fs::write(&source, data)?;
    }
    let source = std::fs::File::open(source)?;
    let mut file = std::fs::File::create(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BLOCK as usize];
    let mut offset = 0;
    while offset < SIZE as u64 {
        let count = source.read_at(&mut buffer, offset)?;
        hash.update(&buffer[..count]);
        file.write_all(&buffer[..count])?;
        offset += count as u64;
    }
    file.sync_data()?;
    drop(file);
    std::fs::remove_file(path)?;
    Ok(())
}

async fn write(blobs: &Blobs, data: &Bytes, chunk: usize) -> Outcome<()> {
    let mut writer = blobs.writer(&Ambient::system());
    for start in (0..SIZE).step_by(chunk) {
        // A copy, as the network would make it.
        let piece = Bytes::copy_from_slice(&data[start..(start + chunk).min(SIZE)]);
        writer.write(piece).await?;
    }
    let received = writer.finish(Expect::default()).await?;
    if let Body::Stored { key } = received.body {
        blobs.remove(&key).await?;
    }
    Ok(())
}

async fn stored(blobs: &Blobs, data: &Bytes) -> Outcome<BlobCopy> {
    let mut writer = blobs.part_writer(&Ambient::system());
    writer.write(data.clone()).await?;
    Ok(writer.finish(Expect::default()).await?.copy().ok_or("stored")?)
}

async fn read(blobs: &Blobs, copy: &BlobCopy) -> Outcome<()> {
    let mut reader = blobs.open(copy, None).await?;
    while let Some(bytes) = reader.next_block().await? {
        std::hint::black_box(bytes.len());
    }
    Ok(())
}

async fn send(blobs: &Blobs, copy: &BlobCopy) -> Outcome<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let receiver = std::thread::spawn(move || -> std::io::Result<usize> {
        let mut stream = std::net::TcpStream::connect(address)?;
        let (mut buffer, mut total) = (vec![0; 256 << 10], 0);
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(total),
                count => total += count,
            }
        }
    });
    let (mut stream, _) = listener.accept().await?;
    let mut reader = blobs.open(copy, None).await?;
    while let Some(bytes) = reader.next_block().await? {
        stream.write_all(&bytes).await?;
    }
    drop(stream);
    assert_eq!(receiver.join().map_err(|_| "receiver")??, SIZE);
    Ok(())
}

/// Wall and processor time of one round.
fn timed(act: impl FnOnce() -> Outcome<()>) -> Outcome<(Duration, Duration)> {
    let (wall, cpu) = (Instant::now(), cpu());
    act()?;
    Ok((wall.elapsed(), self::cpu().saturating_sub(cpu)))
}

fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn median(rounds: &[(Duration, Duration)]) -> f64 {
    let mut walls: Vec<_> = rounds.iter().map(|round| round.0.as_secs_f64()).collect();
    walls.sort_by(f64::total_cmp);
    walls[walls.len() / 2]
}

fn report(name: &str, rounds: &[(Duration, Duration)]) {
    let gigabyte = SIZE as f64 / 1e9;
    let mut cpus: Vec<_> = rounds.iter().map(|round| round.1.as_secs_f64() / gigabyte).collect();
    cpus.sort_by(f64::total_cmp);
    println!("{name}: {:.2} GB/s, {:.2} CPU-s/GB", gigabyte / median(rounds), cpus[cpus.len() / 2]);
}

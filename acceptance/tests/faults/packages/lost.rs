//! The bytes of a package are gone. Who publishes the very same once more brings them back, whether somebody had noticed
//! or not; who publishes what is there is told what its clients expect, and nothing changes for readers.

use acceptance::Result;
use acceptance::server::{Backing, Persona, Server};

use super::{FORMATS, Format, Version, compare, start};
use crate::seed::Chance;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_again_brings_lost_bytes_back_embedded() -> Result<()> {
    brought_back(Backing::Embedded).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_again_brings_lost_bytes_back_scaled() -> Result<()> {
    brought_back(Backing::Scaled).await
}

async fn brought_back(backing: Backing) -> Result<()> {
    let (server, admin) = start(backing).await?;
    let mut chance = Chance::new(41, 0);
    for format in FORMATS {
        let mut of = Version::new("lost", 1, &mut chance);
        // Too large to lie beside the rows.
        of.salt |= 1;
        let packed = format.pack(&of)?;
        for request in format.publish(&admin, &of, &packed) {
            request.send().await?.expect(&[200, 201, 202, 204])?;
        }
        let sent = [(of, packed)];
        for noticed in [false, true] {
            assert!(lose(&server)? > 0, "{}: nothing lay in a file", format.key());
            if noticed {
                for (path, _) in format.files(&sent[0].0, &sent[0].1) {
                    admin.get(&path).send().await?.expect(&[200, 503])?;
                }
            }
            again(format, &admin, &sent[0], true).await?;
            compare(format, &admin, "lost", &sent).await?;
        }
        again(format, &admin, &sent[0], false).await?;
        compare(format, &admin, "lost", &sent).await?;
    }
    Ok(())
}

/// Publishes it once more. Who brings bytes that are needed is never told that they cannot be taken.
async fn again(format: &dyn Format, admin: &Persona, (of, packed): &super::Sent, needed: bool) -> Result<()> {
    for request in format.publish(admin, of, packed) {
        let answer = request.send().await?;
        if needed || !format.is_conflict(&answer) {
            answer.expect(&[200, 201, 202, 204])?;
        }
    }
    Ok(())
}

/// Removes all files of blobs. How many there were.
fn lose(server: &Server) -> Result<usize> {
    let places = server.sql("SELECT DISTINCT place FROM copies WHERE kind <> 'inline' AND state = 'good'")?;
    // Of formats that had their turn they are gone already.
    Ok(places.lines().filter(|place| std::fs::remove_file(server.blobs().join(place)).is_ok()).count())
}

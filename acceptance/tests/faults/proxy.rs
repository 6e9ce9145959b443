//! A wire between the server and its database that can be cut right after a COMMIT was sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use acceptance::{Result, Trouble};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// The wire. Connections go on while it exists.
pub(crate) struct Proxy {
    address: SocketAddr,
    cuts: Arc<AtomicU32>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// A wire to `target`.
    pub(crate) async fn to(target: SocketAddr) -> Result<Proxy> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let cuts = Arc::new(AtomicU32::new(0));
        let orders = Arc::clone(&cuts);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(target).await else { continue };
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                let back = tokio::spawn(forward(from_server, to_client));
                let orders = Arc::clone(&orders);
                tokio::spawn(async move {
                    forth(from_client, to_server, &orders, &back).await;
                    back.abort();
                });
            }
        });
        Ok(Proxy { address, cuts, task })
    }

    /// Where the server shall connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts the next `count` connections that commit: the database hears it, nobody hears the database.
    pub(crate) fn cut(&self, count: u32) {
        self.cuts.store(count, Ordering::SeqCst);
    }

    /// Waits until all of them are cut, half a minute at most.
    pub(crate) async fn has_cut(&self) -> Result<()> {
        let waiting = async {
            while self.cuts.load(Ordering::SeqCst) > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let cut = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        cut.map_err(|_| Trouble::new(format!("{} commits were not cut", self.cuts.load(Ordering::SeqCst))))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

async fn forth(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cuts: &AtomicU32, back: &tokio::task::JoinHandle<()>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let commits = bytes[..count].windows(6).any(|word| word == b"COMMIT");
        let cut = commits && cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if cut {
            back.abort();
        }
        if to.write_all(&bytes[..count]).await.is_err() || cut {
            // Closing only our half lets the database finish what it heard.
            let _ = to.shutdown().await;
            return;
        }
    }
}

//! A forward proxy that writes down what it sees, and leads names that nobody else knows to servers of the test.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::Result;
use crate::ports::Port;
use crate::upstream::head;

/// The proxy. It listens until it is dropped.
pub struct Proxy {
    port: Port,
    book: Arc<Book>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Book {
    leads: Mutex<HashMap<String, SocketAddr>>,
    wants: Option<String>,
    seen: Mutex<Vec<String>>,
}

impl Proxy {
    /// One that lets everybody through.
    pub async fn start() -> Result<Self> {
        Self::serving(Book::default()).await
    }

    /// One that wants to see these credentials, as `Proxy-Authorization` has them.
    pub async fn wanting(credentials: &str) -> Result<Self> {
        Self::serving(Book { wants: Some(credentials.to_owned()), ..Book::default() }).await
    }

    async fn serving(book: Book) -> Result<Self> {
        let (port, book, mut serving) = (Port::claim()?, Arc::new(book), JoinSet::new());
        let (listener, shared) = (TcpListener::bind(port.address()).await?, Arc::clone(&book));
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.spawn(serve(socket, Arc::clone(&shared)));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { port, book, _serving: serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// What is asked of this host, at whatever port unless one is named, goes to `address` from now on.
    pub fn leads(&self, host: &str, address: SocketAddr) {
        self.book.leads.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned(), address);
    }

    /// The heads of all requests so far, as they came.
    pub fn seen(&self) -> Vec<String> {
        self.book.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Book {
    /// Where a host and port are. Nobody is asked for names.
    fn find(&self, authority: &str) -> Option<SocketAddr> {
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "80"));
        let leads = self.leads.lock().unwrap_or_else(PoisonError::into_inner);
        let known = leads.get(authority).or_else(|| leads.get(host)).copied();
        let literal = || host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        known.or_else(|| Some(SocketAddr::new(literal()?, port.parse().ok()?)))
    }

    fn lets_in(&self, head: &str) -> bool {
        let shown = |wanted: &String| head.lines().any(|line| line == format!("proxy-authorization: {wanted}"));
        self.wants.as_ref().is_none_or(shown)
    }
}

async fn serve(mut client: TcpStream, book: Arc<Book>) {
    let Some(head) = head(&mut client).await else { return };
    book.seen.lock().unwrap_or_else(PoisonError::into_inner).push(head.clone());
    let refusal = match book.lets_in(&head) {
        false => "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        true if pass(&mut client, &head, &book).await.is_some() => return,
        true => "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    };
    client.write_all(refusal.as_bytes()).await.ok();
}

/// Passes it on, if it is known where to.
async fn pass(client: &mut TcpStream, head: &str, book: &Book) -> Option<()> {
    let mut words = head.lines().next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    if method == "CONNECT" {
        let mut server = TcpStream::connect(book.find(target)?).await.ok()?;
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
        copy_bidirectional(client, &mut server).await.ok();
        return Some(());
    }
    let rest = target.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut server = TcpStream::connect(book.find(authority)?).await.ok()?;
    // What is said to the proxy alone ends here.
    let kept = head.lines().skip(1).filter(|line| !line.is_empty() && !line.to_lowercase().starts_with("proxy-"));
    let kept = kept.collect::<Vec<_>>().join("\r\n");
    server.write_all(format!("{method} {path} HTTP/1.1\r\n{kept}\r\n\r\n").as_bytes()).await.ok()?;
    copy_bidirectional(client, &mut server).await.ok();
    Some(())
}

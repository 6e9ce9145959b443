//! One connection: requests in a row, or raw bytes in any shape.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::request::Body;
use super::{Answer, Request, Sink};
use crate::{Result, Trouble};

/// An open connection with what was read and not yet used.
pub struct Connection {
    socket: TcpStream,
    read: BytesMut,
}

impl Connection {
    /// Connects; Nagle's delay is off.
    pub async fn open(address: SocketAddr) -> Result<Connection> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Connection { socket, read: BytesMut::new() })
    }

    /// Sends `request` and reads its answer; the connection stays open for the next.
    pub async fn send(&mut self, request: &Request) -> Result<Answer> {
        self.exchange(request, None).await
    }

    pub(super) async fn exchange(&mut self, request: &Request, sink: Sink<'_>) -> Result<Answer> {
        // A server may answer early and close: then the write fails, and the answer is what counts.
        let sent = self.write(request).await;
        match (self.answer(request.method == "HEAD", sink).await, sent) {
            (Ok(answer), _) => Ok(answer),
            (Err(_), Err(unsent)) => Err(unsent),
            (Err(trouble), Ok(())) => Err(trouble),
        }
    }

    /// Writes bytes as they are.
    pub async fn write_raw(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.socket.write_all(bytes).await?)
    }

    /// Says that nothing more will be written, as a client that breaks off does.
    pub async fn finish_writing(&mut self) -> Result<()> {
        Ok(self.socket.shutdown().await?)
    }

    /// Reads the next answer; `bodiless` when it answers a HEAD.
    pub async fn read_answer(&mut self, bodiless: bool) -> Result<Answer> {
        self.answer(bodiless, None).await
    }

    /// Whether the server closes the connection within ten seconds: long for a slow machine, and less than any time that
    /// a server allows unless it is told to. Bytes that still arrive are dropped.
    pub async fn closes(&mut self) -> bool {
        let drained = async {
            self.read.clear();
            while self.socket.read_buf(&mut self.read).await.is_ok_and(|count| count > 0) {
                self.read.clear();
            }
        };
        tokio::time::timeout(Duration::from_secs(10), drained).await.is_ok()
    }

    async fn write(&mut self, request: &Request) -> Result<()> {
        self.socket.write_all(&request.head()).await?;
        match &request.body {
            Body::None => (),
            Body::Sized(pieces) => {
                for piece in pieces {
                    self.socket.write_all(piece).await?;
                }
            }
            Body::Chunked(pieces) => {
                for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
                    self.socket.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
                    self.socket.write_all(piece).await?;
                    self.socket.write_all(b"\r\n").await?;
                }
                self.socket.write_all(b"0\r\n\r\n").await?;
            }
        }
        Ok(())
    }

    async fn answer(&mut self, bodiless: bool, sink: Sink<'_>) -> Result<Answer> {
        let mut interim = Vec::new();
        let mut answer = loop {
            let answer = self.head().await?;
            match answer.status {
                100..=199 => interim.push(answer.status),
                _ => break answer,
            }
        };
        answer.interim = interim;
        if !bodiless && !matches!(answer.status, 204 | 304) {
            answer.body = self.body(&answer, sink).await?;
        }
        Ok(answer)
    }

    async fn head(&mut self) -> Result<Answer> {
        let first = self.line().await?;
        let status = first.strip_prefix("HTTP/1.1 ").or_else(|| first.strip_prefix("HTTP/1.0 "));
        let status = status.and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| Trouble::new(format!("not a status line: {first:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            match line.split_once(':') {
                Some((name, value)) => headers.push((name.to_string(), value.trim().to_string())),
                None if line.is_empty() => break,
                None => return Err(Trouble::new(format!("not a header: {line:?}"))),
            }
        }
        Ok(Answer { status, headers, ..Answer::default() })
    }

    async fn body(&mut self, answer: &Answer, sink: Sink<'_>) -> Result<Bytes> {
        let mut kept = BytesMut::new();
        let mut keep = |piece: &[u8]| kept.extend_from_slice(piece);
        let sink: &mut (dyn FnMut(&[u8]) + Send) = match sink {
            Some(sink) => sink,
            None => &mut keep,
        };
        if answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            self.chunks(sink).await?;
        } else if let Some(length) = answer.header("content-length") {
            self.pass(length.parse()?, sink).await?;
        } else {
            sink(&self.read.split());
            while self.fill().await? {
                sink(&self.read.split());
            }
        }
        Ok(kept.freeze())
    }

    async fn chunks(&mut self, sink: &mut (dyn FnMut(&[u8]) + Send)) -> Result<()> {
        loop {
            let line = self.line().await?;
            let length = u64::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)?;
            if length == 0 {
                while !self.line().await?.is_empty() {}
                return Ok(());
            }
            self.pass(length, sink).await?;
            self.line().await?;
        }
    }

    async fn pass(&mut self, mut length: u64, sink: &mut (dyn FnMut(&[u8]) + Send)) -> Result<()> {
        while length > 0 {
            if self.read.is_empty() && !self.fill().await? {
                return Err(Trouble::new(format!("the connection ended {length} bytes before the end of the body")));
            }
            let count = usize::try_from(length).unwrap_or(usize::MAX).min(self.read.len());
            sink(&self.read[..count]);
            self.read.advance(count);
            length -= u64::try_from(count)?;
        }
        Ok(())
    }

    async fn line(&mut self) -> Result<String> {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.read.split_to(end + 2);
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if !self.fill().await? {
                return Err(Trouble::new("the connection ended before the end of the answer's head"));
            }
        }
    }

    /// Reads more; false at the end.
    async fn fill(&mut self) -> Result<bool> {
        self.read.reserve(64 * 1024);
        Ok(self.socket.read_buf(&mut self.read).await? > 0)
    }
}

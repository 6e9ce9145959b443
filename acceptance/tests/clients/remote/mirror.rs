//! A static mirror: files in a folder, served as they are by a server that knows nothing of packages.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use acceptance::ports::Port;
use acceptance::{Result, Trouble, scratch};
use percent_encoding::percent_decode_str;

/// What stands for a folder.
const INDEXES: [&str; 2] = ["index.html", "index.json"];
/// How the file beside a file is called that has lines of its head.
const HEAD: &str = "head";

/// A file server on a thread of its own: tests wait for their clients without looking after anything else.
pub(crate) struct Mirror {
    /// What it serves; removed with it.
    pub(crate) folder: PathBuf,
    port: Port,
    asked: Arc<Mutex<Vec<String>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Mirror {
    pub(crate) fn begin() -> Result<Mirror> {
        let (folder, port, ended) = (scratch::folder("mirror")?, Port::claim()?, Arc::new(AtomicBool::new(false)));
        let listener = TcpListener::bind(port.address())?;
        let (root, over, asked) = (folder.clone(), Arc::clone(&ended), Arc::<Mutex<Vec<String>>>::default());
        let heard = Arc::clone(&asked);
        let thread = thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let (root, heard) = (root.clone(), Arc::clone(&heard));
                thread::spawn(move || serve(&root, &heard, client));
            }
        });
        Ok(Mirror { folder, port, asked, ended, thread: Some(thread) })
    }

    /// Its address, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// Writes a file that it serves from now on.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
        Ok(fs::write(path, content)?)
    }

    /// What is said of a file from now on: a line of its head.
    pub(crate) fn head(&self, path: &str, line: &str) -> Result<()> {
        self.write(&format!("{path}.{HEAD}"), format!("{line}\r\n"))
    }

    /// The paths that it was asked for so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Nobody is served any more.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.ended.store(true, Ordering::SeqCst);
        // It waits for the next client, which is this one.
        drop(TcpStream::connect(self.port.address()));
        thread.join().map_err(|_| Trouble::new("the mirror broke down"))
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        drop(self.stop());
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// What is in a small file.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// One request, and the end of the connection. Clients that go away are no trouble.
fn serve(root: &Path, asked: &Mutex<Vec<String>>, client: TcpStream) {
    drop(client.set_read_timeout(Some(Duration::from_secs(20))));
    let mut reader = BufReader::new(&client);
    let mut first = String::new();
    drop(reader.read_line(&mut first));
    let mut line = String::from("?");
    while !line.trim().is_empty() {
        line.clear();
        drop(reader.read_line(&mut line));
    }
    let path = first.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    // Files are the same whatever is asked of them.
    let path = path.split('?').next().unwrap_or_default();
    let path = percent_decode_str(path).decode_utf8_lossy().into_owned();
    let (status, lines, body) = match find(root, &path) {
        Some(file) => ("200 OK", lines(&file), bytes(&file).unwrap_or_default()),
        None => ("404 Not Found", "Content-Type: text/html\r\n".to_owned(), b"<h1>404</h1>".to_vec()),
    };
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(path);
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{lines}Content-Length: {length}\r\nConnection: close\r\n\r\n");
    let mut writer = &client;
    drop(writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(&body)));
}

fn find(root: &Path, path: &str) -> Option<PathBuf> {
    let inside = path.split('/').all(|segment| segment != "..");
    let file = root.join(path);
    let candidates = INDEXES.iter().map(|index| file.join(index)).chain([file.clone()]);
    candidates.filter(|_| inside).find(|file| file.is_file())
}

/// What the head says of a file: what was said of it, or else its kind.
fn lines(file: &Path) -> String {
    let said = fs::read_to_string(format!("{}.{HEAD}", file.display()));
    said.unwrap_or_else(|_| format!("Content-Type: {}\r\n", kind(file)))
}

fn kind(file: &Path) -> &'static str {
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("xml" | "pom") => "text/xml",
        _ => "application/octet-stream",
    }
}

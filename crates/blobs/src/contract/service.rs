//! An S3 service inside the test: a real HTTP server over a folder, which checks signatures.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use model::Secret;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

use crate::{S3Config, S3Credentials};

const BUCKET: &str = "bytes";
const PREFIX: &str = "some/where";

/// A running service; it stops when dropped.
pub(crate) struct Service {
    address: SocketAddr,
    task: AbortHandle,
    faults: Arc<Faults>,
}

/// What the service is to do wrong.
#[derive(Default)]
struct Faults {
    /// So many of the next answers are 503.
    refusals: AtomicUsize,
    /// So many of the next long answers break off after some bytes.
    cuts: AtomicUsize,
    /// How much of a download arrives before it breaks off.
    cut_after: AtomicUsize,
    /// How many milliseconds pass before a body is answered.
    delay: AtomicU64,
    /// The service under test decides "only if there is none" in one step; this one needs help to do the same.
    one_step: Mutex<()>,
}

impl Service {
    pub(crate) async fn start(root: &Path) -> Self {
        // The binary does this; each test process does it once.
        let _ = rustls::crypto::ring::default_provider().install_default();
        std::fs::create_dir(root.join(BUCKET)).expect("a bucket");
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).expect("a root"));
        builder.set_auth(SimpleAuth::from_single("id", "secret"));
        let (service, faults) = (builder.build(), Arc::new(Faults::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::clone(&faults);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("a TCP stream");
                let (service, faults) = (service.clone(), Arc::clone(&shared));
                let serve = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                    let (service, faults) = (service.clone(), Arc::clone(&faults));
                    async move { answer(&service, &faults, request).await }
                });
                tokio::spawn(async move {
                    let _ =
                        auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), serve).await;
                });
            }
        });
        Self { address, task: task.abort_handle(), faults }
    }

    pub(crate) fn config(&self) -> S3Config {
        S3Config {
            bucket: BUCKET.to_owned(),
            prefix: PREFIX.to_owned(),
            endpoint: Some(format!("http://{}", self.address)),
            region: "us-east-1".to_owned(),
            credentials: Some(S3Credentials {
                access_key_id: "id".to_owned(),
                secret_access_key: Secret::new("secret".to_owned()),
                session_token: None,
            }),
            virtual_hosted: false,
            patience: Duration::from_secs(20),
        }
    }

    /// Where the objects are files.
    pub(crate) fn files(&self, root: &Path) -> PathBuf {
        root.join(BUCKET).join(PREFIX)
    }

    /// Answers the next `count` requests with 503.
    pub(crate) fn refuse(&self, count: usize) {
        self.faults.refusals.store(count, Ordering::SeqCst);
    }
}

impl Service {
    /// Lets so many milliseconds pass before each body is answered.
    pub(crate) fn delay(&self, millis: u64) {
        self.faults.delay.store(millis, Ordering::SeqCst);
    }

    /// Breaks off the next `count` downloads after so many bytes.
    pub(crate) fn cut(&self, count: usize, after: usize) {
        self.faults.cut_after.store(after, Ordering::SeqCst);
        self.faults.cuts.store(count, Ordering::SeqCst);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    service: &s3s::service::S3Service,
    faults: &Faults,
    request: hyper::Request<hyper::body::Incoming>,
) -> Result<hyper::Response<s3s::Body>, s3s::HttpError> {
    if spend(&faults.refusals) {
        let mut refusal = hyper::Response::new(s3s::Body::from("<Error/>".to_owned()));
        *refusal.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
        return Ok(refusal);
    }
    if hyper::body::Body::size_hint(request.body()).lower() > 0 {
        tokio::time::sleep(Duration::from_millis(faults.delay.load(Ordering::SeqCst))).await;
    }
    let conditional = request.headers().contains_key(hyper::header::IF_NONE_MATCH);
    let _turn = if conditional { Some(faults.one_step.lock().await) } else { None };
    let download = request.method() == hyper::Method::GET;
    let answer = service.call(request.map(s3s::Body::from)).await?;
    Ok(if download && spend(&faults.cuts) {
        answer.map(|body| cut_off(body, faults.cut_after.load(Ordering::SeqCst)))
    } else {
        answer
    })
}

/// Whether one more fault was due.
fn spend(faults: &AtomicUsize) -> bool {
    faults.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

fn cut_off(body: s3s::Body, after: usize) -> s3s::Body {
    let pieces = futures_util::stream::unfold((body, after), |(mut body, left)| async move {
        let piece = match body.next().await {
            Some(Ok(mut piece)) if left > 0 => {
                piece.truncate(left);
                Ok(hyper::body::Frame::data(piece))
            }
            _ => Err(std::io::Error::other("cut off")),
        };
        let left =
            left.saturating_sub(piece.as_ref().ok().and_then(|piece| piece.data_ref()).map_or(left, |data| data.len()));
        Some((piece, (body, left)))
    });
    s3s::Body::http_body_unsync(http_body_util::StreamBody::new(pieces))
}

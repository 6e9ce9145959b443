//! The upstream of a remote repository: whether it can be asked, and what is brought from it before anybody asks.

use std::time::Duration;

use axum::Json as Answer;
use formats::{Algorithm, Platform, Portion};
use http::StatusCode;
use model::{EntryPath, Role};
use registry::{Admin, Brought, BroughtFile, BroughtState, Read, Wish};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::Repo;
use super::endpoint::{Access, Endpoint, post};
use super::names::package_name;
use crate::edge::{Json, NoBody};
use crate::problem::Problem;

/// Items of a request at most.
const ITEMS: usize = 100;
/// Seconds that a request waits at most: less than proxies on the way have patience for.
const LONGEST_WAIT: u64 = 20;
/// Names of files of an item at most, and the longest name and version in bytes.
const FILES: usize = 1000;
const TEXT: usize = 1024;
/// Platforms of an item at most.
const PLATFORMS: usize = 20;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post("/v1/repos/{repo}/prefetch", Access::Repo(Role::Read), prefetch)
            .summary("Bring packages and files from the upstream of a remote repository before anybody reads them")
            .takes::<PrefetchBody>()
            .answers::<PrefetchView>(StatusCode::OK),
        post("/v1/repos/{repo}/upstream/check", Access::Repo(Role::Admin), check)
            .summary("Ask the upstream of a remote repository for something short, and say what is wrong")
            .answers::<CheckView>(StatusCode::OK),
    ]
}

/// What is to be brought.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PrefetchBody {
    /// 1 to 100 of them.
    items: Vec<ItemBody>,
    /// How long to wait for what is on its way: 1 to 20 seconds, default 20. It goes on afterwards.
    #[schema(minimum = 1, maximum = 20)]
    wait_seconds: Option<u64>,
}

/// A package, or a file by its path.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ItemBody {
    /// The package's name, `group:artifact` where names have a namespace.
    name: Option<String>,
    /// Its version; absent: the newest that may come in; `*`: every one, in a request without other items.
    version: Option<String>,
    /// Names of files of the version; absent or empty: all.
    #[serde(default)]
    files: Vec<String>,
    /// Or the path of a file in the repository.
    path: Option<String>,
    /// Of an image for several platforms those that are wanted, as in `linux/amd64` or `linux/arm/v7`; absent or empty: all.
    #[serde(default)]
    platforms: Vec<String>,
    /// Whether an image comes with what belongs to it, signatures, attestations and bills of material. Default true.
    referrers: Option<bool>,
}

impl ItemBody {
    fn wish(self) -> Result<Wish, Problem> {
        let long = |text: &&String| text.len() > TEXT;
        if self.files.len() > FILES || self.files.iter().chain(&self.version).any(|text| long(&text)) {
            let why = format!("an item has at most {FILES} files, and words of at most {TEXT} bytes");
            return Err(Problem::bad_request(why));
        }
        let portion = self.portion()?;
        let bare = self.version.is_none() && self.files.is_empty() && self.platforms.is_empty();
        match (self.name, self.path) {
            (Some(name), None) => Ok(Wish::Package {
                name: package_name("name", &name)?,
                version: self.version,
                files: self.files,
                portion,
            }),
            (None, Some(path)) if bare && self.referrers.is_none() => {
                let path = EntryPath::parse(&path);
                path.map(Wish::Path)
                    .map_err(|error| Problem::bad_request(error.to_string()).field("path", error.to_string()))
            }
            _ => Err(Problem::bad_request("an item has either a name, perhaps with version and files, or a path")),
        }
    }

    fn portion(&self) -> Result<Portion, Problem> {
        if self.platforms.len() > PLATFORMS {
            return Err(Problem::bad_request(format!("an item has at most {PLATFORMS} platforms")));
        }
        let read = |text: &String| text.parse::<Platform>();
        let platforms = self.platforms.iter().map(read).collect::<Result<Vec<_>, _>>();
        let platforms =
            platforms.map_err(|error| Problem::bad_request(error.to_string()).field("platforms", error.to_string()))?;
        Ok(Portion { platforms, attached: self.referrers.unwrap_or(true) })
    }
}

/// What came of it. What is `coming` is on its way: ask for it again.
#[derive(Serialize, ToSchema)]
struct PrefetchView {
    /// In the order of the request.
    items: Vec<ItemView>,
}

/// What came of an item.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ItemView {
    /// The worst state of a file, in this order: `present`, `fetched`, `missing`, `refused`, `failed`, `coming`.
    state: &'static str,
    /// Why not, where it is not for one of the files.
    detail: Option<String>,
    /// The versions that were meant.
    versions: Vec<String>,
    files: Vec<FileView>,
}

/// A file and what came of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct FileView {
    /// Its path in the repository.
    path: String,
    /// Its name in the version.
    name: String,
    state: &'static str,
    /// Why not.
    detail: Option<String>,
    size_bytes: u64,
    /// Its checksums, as far as they are known, in hex digits, by the words of their algorithms.
    #[schema(value_type = Object)]
    sums: serde_json::Map<String, serde_json::Value>,
}

impl ItemView {
    fn of(item: Brought) -> Self {
        let files = item.files.into_iter().map(FileView::of).collect();
        Self { state: word(item.state), detail: item.detail, versions: item.versions, files }
    }
}

impl FileView {
    fn of(file: BroughtFile) -> Self {
        let mut sums = file.sums.attributes();
        sums.extend(file.digest.map(|digest| (Algorithm::Sha256.word().to_owned(), digest.hex().into())));
        let (path, name, detail, size_bytes) = (file.path, file.name, file.detail, file.size);
        Self { path, name, state: word(file.state), detail, size_bytes, sums }
    }
}

fn word(state: BroughtState) -> &'static str {
    match state {
        BroughtState::Present => "present",
        BroughtState::Fetched => "fetched",
        BroughtState::Missing => "missing",
        BroughtState::Refused => "refused",
        BroughtState::Failed => "failed",
        BroughtState::Coming => "coming",
    }
}

async fn prefetch(Repo(grant): Repo<Read>, Json(body): Json<PrefetchBody>) -> Result<Answer<PrefetchView>, Problem> {
    // One request is many questions: nobody asks them without a name.
    grant.call().identity()?;
    if !(1..=ITEMS).contains(&body.items.len()) {
        return Err(Problem::bad_request(format!("a request has 1 to {ITEMS} items")).field("items", "too few or many"));
    }
    let wait = body.wait_seconds.unwrap_or(LONGEST_WAIT);
    if !(1..=LONGEST_WAIT).contains(&wait) {
        let why = format!("waitSeconds must be 1 to {LONGEST_WAIT}");
        return Err(Problem::bad_request(why.clone()).field("waitSeconds", why));
    }
    let wishes = body.items.into_iter().map(ItemBody::wish).collect::<Result<Vec<_>, _>>()?;
    let whole = |wish: &Wish| matches!(wish, Wish::Package { version: Some(version), .. } if version == "*");
    if wishes.len() > 1 && wishes.iter().any(whole) {
        return Err(Problem::bad_request("an item with the version * is the only one of its request"));
    }
    let brought = grant.bring_ahead(&wishes, Duration::from_secs(wait)).await?;
    Ok(Answer(PrefetchView { items: brought.into_iter().map(ItemView::of).collect() }))
}

/// Whether an upstream can be asked.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CheckView {
    /// Whether it answered, and neither with a refusal nor as something else than an upstream of the format.
    reachable: bool,
    /// Whether its answers show that the format's protocol is spoken at this address. Servers of files show nothing.
    proven: bool,
    /// What is wrong: `forbidden_address` (our own walls), `name`, `connection`, `tls`, `timeout`, `credentials` (401 and
    /// 403), `wrong_path`, `refused`, `failing` (5xx), `broken`, `busy`, `left_alone` (it failed too often, and somebody else
    /// tries it just now), `offline`.
    problem: Option<&'static str>,
    /// The status of the answer that decided.
    status: Option<u16>,
    /// What it was asked, and what came back. No package is named that anybody has.
    asked: Vec<String>,
    /// Whether credentials were shown to it.
    credentials: bool,
    millis: u64,
    detail: String,
}

async fn check(Repo(grant): Repo<Admin>, _: NoBody) -> Result<Answer<CheckView>, Problem> {
    let found = grant.check_upstream().await?;
    Ok(Answer(CheckView {
        reachable: found.reachable,
        proven: found.proven,
        problem: found.problem,
        status: found.status,
        asked: found.asked,
        credentials: found.credentials,
        millis: found.millis,
        detail: found.detail,
    }))
}

//! What a client can ask of a repository, whatever the format.

use model::{Code, EntryPath, NameError, Refusal, Role, Secret};

use crate::change::Change;
use crate::checksum::Algorithm;
use crate::intake::Intake;
use crate::say::Answer;
use crate::tokens::TokenDeed;

/// The HTTP methods that formats know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Read the head only.
    Head,
    /// Store.
    Put,
    /// Withdraw.
    Delete,
    /// Hand in.
    Post,
    /// Continue.
    Patch,
}

impl Method {
    /// GET or HEAD.
    pub fn reads(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }
}

/// A request as formats see it. Header values that are absent or no text are empty.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'r> {
    /// The method.
    pub method: Method,
    /// The path after the repository, still percent-encoded, without its leading slash.
    pub rest: &'r str,
    /// The whole path, still percent-encoded, of which `rest` is the end.
    pub path: &'r str,
    /// The query, still percent-encoded, without its question mark.
    pub query: &'r str,
    /// `Accept`.
    pub accept: &'r str,
    /// `Content-Type`.
    pub content_type: &'r str,
    /// Whether names count as they are written, since the packages are another server's, which may tell apart what we
    /// would not; see [`crate::Format::as_written`]. Where a format's own rules say which names are one, every server has
    /// them, and this changes nothing.
    pub as_written: bool,
}

impl<'r> Asked<'r> {
    /// A request that says nothing beyond its address.
    pub fn plain(method: Method, rest: &'r str) -> Self {
        Self { method, rest, path: rest, query: "", accept: "", content_type: "", as_written: false }
    }
}

/// Which package: its namespace (empty where the format has none) and its normalised name, or that of another server as
/// [`crate::Format::as_written`] leaves it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PackageAt {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl PackageAt {
    /// A package of a format without namespaces.
    pub fn named(name: impl Into<String>) -> Self {
        Self { namespace: String::new(), name: name.into() }
    }
}

/// How an index or answer is wanted: a number that means something to the format alone.
pub type View = u8;

/// A list of packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    /// How it is wanted.
    pub view: View,
    /// What normalised names begin with.
    pub prefix: String,
    /// Names after this one.
    pub after: String,
    /// At most so many; `None`: all.
    pub limit: Option<u32>,
    /// So many are left out first.
    pub skip: u32,
}

/// A decoded request.
#[derive(Debug)]
pub enum Operation {
    /// The bytes at a path.
    Fetch(EntryPath),
    /// What is in a folder; `None` is the root.
    List(Option<EntryPath>),
    /// A file to be published at a path, as a version of its own.
    Store(EntryPath),
    /// The version at a path to be withdrawn.
    Withdraw(EntryPath),
    /// The index of a package.
    Index(PackageAt, View),
    /// The index of those versions of a package that belong to a part; see [`crate::Format::belongs`].
    Part(PackageAt, String, View),
    /// The file, or its checksum, that the address stands for by the index of this part: another one after every build.
    /// See [`crate::Format::newest`].
    Newest(PackageAt, String, View),
    /// The checksum of what `Fetch`, `Index` or `Part` answers with, as text.
    Checksum(Box<Operation>, Algorithm),
    /// What is said of one version, by its name or by that of a ref.
    Version(PackageAt, String, View),
    /// A list of packages.
    Catalogue(Catalogue),
    /// An answer that needs nothing but the repository's place; see [`crate::Format::say`].
    Say(View),
    /// An answer that the address and the headers alone decide.
    Tell(Answer),
    /// Who may publish a package that there is; see [`crate::Format::writers`].
    Writers(PackageAt, View),
    /// A body to be taken in: it decides what happens.
    Receive(Box<dyn Intake>),
    /// Changes that the address alone decides, all or none of them allowed, and what is answered then.
    Change(Vec<Change>, Answer),
    /// The token with which it is asked to be ended, and what is answered then.
    Leave(Secret<String>, Answer),
    /// The caller's tokens; see [`crate::Format::tokens`].
    Tokens(TokenDeed),
}

impl Operation {
    /// The role that the operation needs on its repository before anything else is looked at.
    pub fn role(&self) -> Role {
        match self {
            Self::Fetch(_)
            | Self::List(_)
            | Self::Index(..)
            | Self::Part(..)
            | Self::Newest(..)
            | Self::Checksum(..)
            | Self::Version(..)
            | Self::Catalogue(_)
            | Self::Say(_)
            | Self::Tell(_)
            | Self::Leave(..)
            | Self::Tokens(_) => Role::Read,
            Self::Store(_) | Self::Writers(..) | Self::Receive(_) => Role::Write,
            Self::Withdraw(_) => Role::Promote,
            Self::Change(changes, _) => changes.iter().map(Change::role).max().unwrap_or(Role::Write),
        }
    }
}

/// Why a URL is no operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The path is not well-formed.
    #[error("{0}")]
    Path(#[from] NameError),
    /// The percent-encoding is broken or hides something.
    #[error("{0}")]
    Encoding(&'static str),
    /// The query is not what the address takes.
    #[error("{0}")]
    Query(String),
    /// The format has no such address.
    #[error("there is nothing at this address")]
    Unknown,
    /// The address exists, but not for this method.
    #[error("this method is not possible here; allowed: {0}")]
    Method(&'static str),
}

impl From<ParseError> for Refusal {
    fn from(error: ParseError) -> Self {
        let code = match error {
            ParseError::Unknown => Code::NotFound,
            _ => Code::BadRequest,
        };
        Self::new(code, error.to_string())
    }
}

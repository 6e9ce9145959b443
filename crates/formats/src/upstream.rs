//! How a repository reads from another server of its format: which questions are asked, and what the answers say.
//! Pure: questions and answers are values; who asks, when, and what is believed is decided elsewhere.

use model::{EntryPath, NameError, Refusal, Sha256Digest, Timestamp, VersionId, VersionName};

use crate::checksum::Algorithm;
use crate::content::Named;
use crate::facts::{FileFacts, Head, VersionFacts, VersionHead};
use crate::intake::{Release, ReleaseFile, StagedFile, Sums};
use crate::operation::{Asked, PackageAt};
use crate::platform::Platform;
use crate::signs::Signs;

/// A format whose packages can come from another server.
pub trait Upstream: Send + Sync {
    /// What is asked to know of a package; all of it is asked, and none of it changes anything there.
    fn asks(&self, at: &PackageAt, wanted: Wanting<'_>) -> Vec<Ask>;

    /// Whether less is asked and understood where less is wanted.
    fn narrows(&self) -> bool {
        true
    }

    /// Whether a package has nothing but what its index lists: one that lists nothing then says that there is none.
    fn lists_all(&self) -> bool {
        true
    }

    /// What the answers to [`Upstream::asks`] say, each at the place of its question; `None` among them: the
    /// upstream has no such thing. `None` in return: it knows no such package, or no such version of it.
    fn read(&self, at: &PackageAt, wanted: Wanting<'_>, said: &[Option<Said<'_>>])
    -> Result<Option<Known>, Unreadable>;

    /// Where it says when something was published.
    fn dated(&self) -> Dated {
        Dated::Index
    }

    /// Whether the answer to a question of [`Wanting::All`] names every version that is there, of those that
    /// [`Upstream::is_listed`]: what an answer lacks was published after it, whatever time is told.
    fn lists(&self, _ask: &Ask) -> bool {
        false
    }

    /// Whether such an answer would name the version.
    fn is_listed(&self, _version: &str) -> bool {
        true
    }

    /// What a path of ours is there; `None`: nothing of that kind comes from an upstream.
    fn origin(&self, path: &EntryPath) -> Option<Origin>;

    /// Whether bytes of which the upstream says no digest can be the file at `path` at all: pages that tell of errors and
    /// what was cut off are not. Takes time: it reads the file.
    fn expect_sound(&self, _path: &EntryPath, _file: &mut StagedFile) -> Result<(), Refusal> {
        Ok(())
    }

    /// Whether the files may be changed there, each under its own address.
    fn may_change(&self) -> bool {
        false
    }

    /// The address that targets are beneath, from the one that people give.
    fn root(&self, address: &str) -> String {
        address.to_owned()
    }

    /// The header in which an answer says the digest of its body (`sha256:…`): what we have is confirmed by it, and what
    /// comes is checked against it.
    fn digest_header(&self, _ask: &Ask) -> Option<&'static str> {
        None
    }

    /// Where an answer in pages goes on, by its `Link` (RFC 8288). Its pages are read as one body, one after the other.
    fn next_page(&self, _ask: &Ask, _link: &str) -> Option<Ask> {
        None
    }

    /// The version that is meant where none is named, among those of an index in its order, where no ref says it: the
    /// highest, before all pre-releases.
    fn newest<'v>(&self, versions: &[&'v str]) -> Option<&'v str> {
        versions.last().copied()
    }

    /// What shows that the protocol is spoken at `base`, the address that targets are beneath.
    fn signs(&self, base: &str) -> Signs;

    /// What is passed on as the upstream says it. `None`: the address is something else.
    fn relay(&self, _asked: &Asked<'_>) -> Option<Relay> {
        None
    }

    /// What its clients ask for by digest.
    fn contents(&self) -> Option<&'static dyn Contents> {
        None
    }
}

/// A format whose clients ask for content by its digest: for versions, each named by the digest of its own bytes, and for
/// blobs that versions are made of.
pub trait Contents: Send + Sync {
    /// What is asked for a version.
    fn version(&self, at: &PackageAt, named: &Named) -> Ask;

    /// The longest version, in bytes.
    fn longest(&self) -> u64;

    /// Whether a version with this metadata is made of the content, or lists it.
    fn names(&self, manifest: &str, content: &Named) -> bool;

    /// Whose version is kept at a path, or beneath it.
    fn package(&self, path: &EntryPath) -> Option<PackageAt>;

    /// What is asked for a blob.
    fn blob(&self, at: &PackageAt, named: &Named) -> Ask;

    /// The part that tells what belongs to a version, where the upstream has none under the version's own name.
    fn older_part(&self, subject: &str) -> Option<String>;

    /// The version that these bytes are. Its first file is the bytes themselves, staged; the blobs that it is made of
    /// need not be here.
    fn release(&self, at: &PackageAt, named: &Named, said: Said<'_>) -> Result<Release, Unreadable>;

    /// The files of such a version, by the metadata that was kept of it: all of them held. `None`: it is none of those.
    fn files(&self, at: &PackageAt, version: &str, manifest: &str) -> Option<Vec<ReleaseFile>>;

    /// The path in the repository of a version's own bytes.
    fn path(&self, at: &PackageAt, named: &Named) -> Result<EntryPath, NameError>;

    /// What is brought with the version that these bytes are.
    fn parts(&self, said: Said<'_>, portion: &Portion) -> Result<Parts, Unreadable>;

    /// The ref that is meant where none is named.
    fn usual(&self) -> &'static str;

    /// Refs that may stand for what belongs to a version, where clients look for that under names made of its digest.
    fn beside(&self, named: &Named) -> Vec<String>;
}

/// How much of a version is wanted, where it is more than one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Portion {
    /// What it must have been made for, where it was made for several platforms; empty: all of them.
    pub platforms: Vec<Platform>,
    /// Whether what belongs to it is wanted too: signatures and the like.
    pub attached: bool,
}

/// What is brought with a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The blobs that it is made of, each once.
    pub blobs: Vec<Part>,
    /// Of the versions that it lists, those that are wanted.
    pub versions: Vec<Named>,
    /// Why there is nothing in it of what is wanted, in words.
    pub lacks: Option<String>,
}

/// A blob of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub content: Named,
    /// Whether the upstream must have it.
    pub required: bool,
}

/// Where an upstream says when something was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dated {
    /// The index of a package says it of every version and file, or nobody does.
    Index,
    /// The answer to [`Wanting::One`] says it of a version and its files.
    Version,
    /// The time at which a file was last changed is its own; the answer to [`Wanting::One`] says that of a version.
    File,
}

/// An answer of an upstream that clients prove true by signatures, and get as it came: no repository of ours makes such.
#[derive(Clone, Debug)]
pub struct Relay {
    /// What is asked.
    pub ask: Ask,
    /// The package that it names: who asks tells the upstream its name.
    pub package: Option<PackageAt>,
    /// What it is, whatever the upstream calls it.
    pub media_type: &'static str,
    /// Whether it never changes once it is there.
    pub forever: bool,
    /// Whether bytes can be such an answer: pages that tell of errors are none.
    pub sound: fn(&[u8]) -> bool,
    /// What people are told of a package that is hosted here, where clients ask for such an answer all the same; empty: none do.
    pub advice: &'static str,
}

/// What of a package is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanting<'a> {
    /// All of it: [`crate::Operation::Index`], and every file that an index tells of.
    All,
    /// A part of the index: [`crate::Operation::Part`].
    Part(&'a str),
    /// One version, by its name or by that of a ref: [`crate::Operation::Version`].
    One(&'a str),
}

impl<'a> Wanting<'a> {
    /// The part or the version.
    pub fn word(self) -> Option<&'a str> {
        match self {
            Self::All => None,
            Self::Part(word) | Self::One(word) => Some(word),
        }
    }
}

/// A question to an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    /// Where: a percent-encoded path beneath the upstream's address without a slash at its beginning, or a whole
    /// `http` or `https` address.
    pub target: String,
    /// `Accept`; empty: anything.
    pub accept: &'static str,
}

/// An answer of an upstream: 200 with its body, whole.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The body, without its content coding.
    pub body: &'a [u8],
    /// `Content-Type` without its parameters, in lower case; empty: not told.
    pub media_type: &'a str,
    /// Where it came from, redirects followed: what relative addresses in it are relative to.
    pub address: &'a str,
    /// `Last-Modified`.
    pub changed_at: Option<Timestamp>,
}

/// What an upstream tells of a package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The name as people write it.
    pub display: String,
    /// Its versions, in the order in which an index shows them. Each name once.
    pub versions: Vec<KnownVersion>,
    /// Refs: name and version.
    pub refs: Vec<(String, String)>,
    /// Refs of other packages; see [`crate::Format::around`].
    pub around: Vec<(String, String)>,
}

impl Known {
    /// About how much memory it takes, in bytes.
    pub fn occupied(&self) -> u64 {
        let pairs = |pairs: &[(String, String)]| {
            pairs.iter().map(|(a, b)| size_of::<(String, String)>() + a.len() + b.len()).sum()
        };
        let rows: [usize; 2] = [pairs(&self.refs), pairs(&self.around)];
        let versions: usize = self.versions.iter().map(KnownVersion::occupied).sum();
        (size_of::<Self>() + self.display.len() + rows[0] + rows[1] + versions) as u64
    }

    /// The facts that indexes are made of. `seen_at`: when the upstream said so; it stands for the last change of
    /// what has no time.
    pub fn facts(self, at: &PackageAt, generation: u64, seen_at: Timestamp) -> (Head, Vec<VersionFacts>) {
        let versions: Vec<VersionFacts> = self.versions.into_iter().map(|version| version.facts(seen_at)).collect();
        let head = Head {
            namespace: at.namespace.clone(),
            name: at.name.clone(),
            display: self.display,
            generation,
            versions: versions.iter().map(|version| version.head.clone()).collect(),
            refs: self.refs,
            around: self.around,
        };
        (head, versions)
    }
}

/// A version, as an upstream tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownVersion {
    /// Its name.
    pub version: VersionName,
    /// When it was published, where the upstream says so.
    pub published_at: Option<Timestamp>,
    /// The metadata, JSON, in the shape of [`crate::Release::manifest`].
    pub manifest: String,
    /// Why it was yanked.
    pub yanked: Option<String>,
    /// What people are told instead of using it.
    pub deprecated: Option<String>,
    /// Its files.
    pub files: Vec<KnownFile>,
}

impl KnownVersion {
    fn occupied(&self) -> usize {
        let told = [&self.yanked, &self.deprecated].into_iter().flatten().map(String::len).sum::<usize>();
        let files: usize = self.files.iter().map(KnownFile::occupied).sum();
        size_of::<Self>() + self.version.as_str().len() + self.manifest.len() + told + files
    }

    fn facts(self, seen_at: Timestamp) -> VersionFacts {
        let times = self.files.iter().map(|file| file.published_at).chain([self.published_at]);
        let head = VersionHead {
            id: VersionId(Default::default()),
            version: self.version.to_string(),
            published_at: self.published_at,
            changed_at: times.flatten().max().unwrap_or(seen_at),
            yanked: self.yanked,
            deprecated: self.deprecated,
            unlisted: false,
        };
        let mut files: Vec<FileFacts> = self.files.into_iter().map(KnownFile::facts).collect();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        VersionFacts { head, manifest: self.manifest, files }
    }
}

/// A file, as an upstream tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownFile {
    /// Its path in the version.
    pub path: EntryPath,
    /// Our path to it.
    pub location: EntryPath,
    /// Where its bytes are: see [`Ask::target`]. Relative addresses are resolved already.
    pub target: String,
    /// Its length in bytes.
    pub size: Option<u64>,
    /// Its digest.
    pub sha256: Option<Sha256Digest>,
    /// Its other digests.
    pub sums: Sums,
    /// More that the format keeps of it, JSON, as in [`crate::ReleaseFile::attributes`].
    pub attributes: Option<String>,
    /// When it was added, where the upstream says so.
    pub published_at: Option<Timestamp>,
    /// Why this file alone was yanked.
    pub yanked: Option<String>,
}

impl KnownFile {
    fn occupied(&self) -> usize {
        let told = [&self.attributes, &self.yanked].into_iter().flatten().map(String::len).sum::<usize>();
        let paths = self.path.as_str().len() + self.location.as_str().len() + self.target.len();
        size_of::<Self>() + paths + told
    }

    fn facts(self) -> FileFacts {
        FileFacts {
            path: self.path.to_string(),
            location: self.location.to_string(),
            digest: self.sha256,
            size: self.size,
            attributes: self.attributes,
            added_at: self.published_at,
            yanked: self.yanked,
        }
    }
}

/// What a path of ours is at the upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file that the index of a package tells of, under [`KnownFile::location`].
    Listed(PackageAt),
    /// A file that is asked for by its own address.
    Direct(Box<Direct>),
}

/// A file that no index needs to tell of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Direct {
    /// Where its bytes are.
    pub ask: Ask,
    /// The package that it belongs to.
    pub package: PackageAt,
    /// The package's name as people write it.
    pub display: String,
    /// The version.
    pub version: VersionName,
    /// Its path in the version.
    pub path: EntryPath,
    /// The digest that its name says.
    pub sha256: Option<Sha256Digest>,
    /// Where the upstream may tell of its checksums, the best one first: the first that is there counts, as text
    /// that begins with the checksum in hex.
    pub checksums: Vec<(Algorithm, Ask)>,
}

/// What an upstream said cannot be understood. In words, without what it said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

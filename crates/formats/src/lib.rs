//! Package formats: what a URL asks for, what a body holds, what names mean, how indexes look.
//! Pure: no input, no output, no HTTP server; only the staged file that is being looked at is read.
//!
//! A format is one folder and one line in [`ALL`]. Two formats never import each other.

use model::{EntryPath, NameError, PackageName, VersionName};

mod address;
pub mod cargo;
mod change;
mod checksum;
mod content;
mod extra;
mod facts;
mod fields;
pub mod go;
mod intake;
mod links;
mod lockfile;
mod login;
pub mod maven;
mod merging;
pub mod npm;
pub mod oci;
mod operation;
mod packing;
mod paths;
mod platform;
pub mod pypi;
mod ranges;
pub mod raw;
mod say;
mod setup;
mod signs;
mod strict;
mod tarball;
mod tokens;
#[cfg(test)]
mod told;
mod unpacked;
mod upstream;
mod zip;
mod zipping;

pub use change::{Change, What};
pub use checksum::{Algorithm, Claim};
pub use content::{Named, NotNamed};
pub use facts::{Around, FileFacts, Head, Listed, VersionFacts, VersionHead};
pub use intake::{
    Intake, NewFile, Piece, Plan, ReadSeek, Release, ReleaseFile, Seen, Source, StagedFile, Sums, Wanted,
};
pub use lockfile::{Compared, Gap, LONGEST_LOCKFILE, Locked, LockedSum, Lockfile, Passed, SumKind, Thing};
pub use login::{Login, LoginStep, Logins};
pub use merging::Merging;
pub use operation::{Asked, Catalogue, Method, Operation, PackageAt, ParseError, View};
pub use packing::{Folder, FolderFile, Packing};
pub use platform::{NoPlatform, Platform};
pub use ranges::VersionRange;
pub use say::{Answer, Document, Refused, Site};
pub use setup::{Place, Setup};
pub use signs::{LONGEST_SIGN, Probe, Sign, Signs, Verdict, lacks_repository};
pub use tokens::{Rights, TokenDeed, TokenLine, TokenWanted, Tokens};
pub use upstream::{
    Ask, Contents, Dated, Direct, Known, KnownFile, KnownVersion, Origin, Part, Parts, Portion, Relay, Said,
    Unreadable, Upstream, Wanting,
};

/// What a format knows.
pub trait Format: Send + Sync {
    /// The word that repositories carry.
    fn key(&self) -> &'static str;

    /// Decodes a request into an operation. The only place that knows URL shapes.
    fn parse(&self, asked: &Asked<'_>) -> Result<Operation, ParseError>;

    /// Whether clients add files to a version after it was published. If not, it is sealed at once.
    fn adds_files(&self) -> bool {
        false
    }

    /// Whether clients say when the files of a version have all been sent ([`Plan::completes`]): then a
    /// repository may have its versions appear all at once.
    fn has_deployments(&self) -> bool {
        false
    }

    /// Whether versions may be put together through the control plane, where nobody looks into them and any
    /// path goes. If not, packages come in through the format's own protocol alone.
    fn takes_drafts(&self) -> bool {
        false
    }

    /// Whether a release that is there already, file by file the same bytes, is answered as if it were new:
    /// for clients that send a file again when an answer was lost.
    fn repeats(&self) -> bool {
        false
    }

    /// Whether packages have a namespace beside their name.
    fn has_namespaces(&self) -> bool {
        false
    }

    /// The normalised form of a package's name: two names with one form are one package.
    fn normalise(&self, name: &PackageName) -> String;

    /// The same for packages of another server, which decides itself what is one: what it may tell apart stays apart.
    fn as_written(&self, name: &PackageName) -> String {
        self.normalise(name)
    }

    /// Whether packages can be called so. What none can be called is neither published nor asked for.
    fn is_name(&self, at: &PackageAt) -> bool;

    /// Names as rules have them (`namespace:name` where there are namespaces), one of each kind: for people, and to
    /// see which patterns a name can fit.
    fn names(&self) -> &'static [&'static str];

    /// What the versions of a package have in common that count as one, if they are not told apart by their
    /// whole name: only one of them is ever published.
    fn twin(&self, _version: &VersionName) -> Option<String> {
        None
    }

    /// A range of versions in the format's own notation; `None`: it is none, or the format has no ranges.
    fn range(&self, _text: &str) -> Option<VersionRange> {
        None
    }

    /// The path in the repository under which clients fetch an entry of a version.
    fn location(&self, package: &PackageName, version: &VersionName, path: &EntryPath) -> Result<EntryPath, NameError>;

    /// One version as it stands in an index: rendered once, then put together with the others.
    /// `None` leaves the version out.
    fn fragment(&self, _view: View, _version: &VersionFacts, _site: &Site<'_>) -> Option<Vec<u8>> {
        None
    }

    /// Whether an index of this view is made of fragments; if not, all of them are `None`.
    fn looks_inside(&self, _view: View) -> bool {
        true
    }

    /// Whether a version is in that part of the index; see [`Operation::Part`].
    fn belongs(&self, _version: &str, _part: &str) -> bool {
        false
    }

    /// The address of the file that this one stands for by the index of its line; see [`Operation::Newest`].
    fn newest(&self, _address: &str, _index: &[u8]) -> Option<String> {
        None
    }

    /// What the index of a package tells of others.
    fn around(&self, _package: &PackageAt) -> Option<Around> {
        None
    }

    /// The index of a package from the fragments of its versions: `fragments[i]` belongs to
    /// `head.versions[i]`. `None`: for this view there is no such thing.
    fn assemble(
        &self,
        _view: View,
        _head: &Head,
        _fragments: &[Option<std::sync::Arc<[u8]>>],
        _site: &Site<'_>,
    ) -> Option<Document> {
        None
    }

    /// What is said of one version alone.
    fn version(&self, _view: View, _head: &Head, _version: &VersionFacts, _site: &Site<'_>) -> Option<Document> {
        None
    }

    /// The ref that every package has, although nobody set it or what it points at is not shown.
    fn standing_ref(&self) -> Option<&'static str> {
        None
    }

    /// The version that this ref is then, and that searches show of a package; `None`: they show the youngest.
    fn stands_for(&self, _head: &Head) -> Option<String> {
        None
    }

    /// A list of packages. `more`: the list was cut.
    fn catalogue(&self, _asked: &Catalogue, _packages: &[Listed], _more: bool, _site: &Site<'_>) -> Option<Document> {
        None
    }

    /// Whether a list of packages needs the metadata of the version that it shows of each.
    fn lists_manifests(&self, _view: View) -> bool {
        false
    }

    /// What such a list shows of a version's metadata: lists are short, metadata need not be.
    fn brief(&self, _manifest: &str) -> Option<String> {
        None
    }

    /// How it is read from another server that speaks it; `None`: repositories of this format are local.
    fn upstream(&self) -> Option<&'static dyn Upstream> {
        None
    }

    /// How a virtual repository puts its members together; `None`: there are none of this format.
    fn merging(&self) -> Option<Merging> {
        None
    }

    /// Whether a package can have the files of several members. Not where its parts name each other by digest.
    fn unites(&self) -> bool {
        true
    }

    /// Whether a folder is a page to whoever does not ask for JSON: where clients read what web servers list.
    fn lists_pages(&self) -> bool {
        false
    }

    /// How its clients are told of a repository, those that need nothing else first. The guide's page shows
    /// the same, word for word.
    fn setups(&self, _place: &Place<'_>) -> Vec<Setup> {
        Vec::new()
    }

    /// Whether clients are told which names are those of own packages ([`Place::own`]).
    fn tells_own_names(&self) -> bool {
        false
    }

    /// How our own program packs and hands packages in; `None`: files go as they are.
    fn packing(&self) -> Option<&'static dyn Packing> {
        None
    }

    /// What a lockfile of this name says; `None`: its clients have no such file.
    fn lockfile(&self, _name: &str, _bytes: &[u8]) -> Option<Result<Lockfile, Unreadable>> {
        None
    }

    /// Who may publish, named by subject.
    fn writers(&self, _view: View, _subjects: &[String]) -> Option<Answer> {
        None
    }

    /// An answer that needs no facts.
    fn say(&self, _view: View, _site: &Site<'_>) -> Option<Answer> {
        None
    }

    /// A refusal in the shape that the format's client shows its user; `None`: problem details.
    fn refuse(&self, _refused: &Refused<'_>) -> Option<Answer> {
        None
    }

    /// Whether the client shows its user nothing of a refusal but the reason phrase of HTTP/1.1: then it
    /// carries the sentence.
    fn tells_by_reason(&self) -> bool {
        false
    }

    /// Whether a client of this `User-Agent` speaks this format's protocol. What a client is told before
    /// it may know of a repository depends on this alone, never on what is there.
    fn is_spoken_by(&self, _user_agent: &str) -> bool {
        false
    }

    /// How its clients log in, if they do. Asked only of the format that the client speaks.
    fn logins(&self) -> Option<&'static dyn Logins> {
        None
    }

    /// How its clients manage tokens, if they do.
    fn tokens(&self) -> Option<&'static dyn Tokens> {
        None
    }

    /// Whether these clients send a token in `Authorization` without naming a scheme.
    fn sends_bare_tokens(&self) -> bool {
        false
    }

    /// What a 401 offers these clients beside the usual challenges.
    fn challenge(&self, _base: &str) -> Option<String> {
        None
    }
}

/// Every format, in alphabetical order.
pub const ALL: [&dyn Format; 7] = [&cargo::Cargo, &go::Go, &maven::Maven, &npm::Npm, &oci::Oci, &pypi::Pypi, &raw::Raw];

/// The format whose client calls itself so.
pub fn by_client(user_agent: &str) -> Option<&'static dyn Format> {
    ALL.into_iter().find(|format| format.is_spoken_by(user_agent))
}

/// The format with this word.
pub fn by_key(key: &str) -> Option<&'static dyn Format> {
    ALL.into_iter().find(|format| format.key() == key)
}

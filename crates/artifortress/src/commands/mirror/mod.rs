//! `mirror`: a remote repository gets what lockfiles name before anybody asks for it.

mod bring;
mod origins;
mod records;
mod tell;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use formats::{Format, Gap, LONGEST_LOCKFILE, Locked, Lockfile, PackageAt, Platform, Thing};
use model::RepoKey;
use outbound::Client;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::connection::Connection;
use super::explain::named;
use super::failure::Failure;
use super::push::repo_key;
use crate::Context;
use formats::go::{Go, tiles};
use origins::Origins;
use records::Database;

/// What is said to those who name no database.
const NO_RECORDS: &str =
    "no records of a checksum database come along (--sumdb): builds ask for none where their go.sum is complete";

/// What names must be that have a namespace.
const NO_COORDINATE: &str =
    "names nothing: it must be group:artifact, or with a version group:artifact:version[:type[:classifier]]";

/// Fill a remote repository with what lockfiles name, so that it is there without the upstream
///
/// What is there already is not fetched again: run it again to go on. Names bring that package alone, and nothing that it
/// needs; lockfiles name all that is needed.
#[derive(Args, Debug)]
pub struct Mirror {
    #[command(flatten)]
    connection: Connection,

    /// The remote repository
    #[arg(value_parser = repo_key)]
    repo: RepoKey,

    /// A lockfile of one of the format's clients; repeat it
    #[arg(long = "lockfile", value_name = "FILE")]
    lockfiles: Vec<PathBuf>,

    /// A package, perhaps with @VERSION (an image with :TAG or @DIGEST, of Maven group:artifact:VERSION), without what it needs; the newest version where
    /// none is named (of an image `latest`); repeat it
    #[arg(long = "name", value_name = "NAME[@VERSION]")]
    names: Vec<String>,

    /// Every version of the packages that are named without one
    #[arg(long, requires = "names")]
    all_versions: bool,

    /// Of images for several platforms only these, as in linux/amd64; repeat it
    #[arg(long = "platform", value_name = "OS/ARCH[/VARIANT]", value_delimiter = ',', value_parser = str::parse::<Platform>)]
    platforms: Vec<Platform>,

    /// Images without their signatures, attestations and bills of material
    #[arg(long)]
    no_referrers: bool,

    /// A file by its path in the repository; repeat it
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<String>,

    /// An address under which lockfiles name the registry that the repository reads from; repeat it
    #[arg(long = "registry", value_name = "URL")]
    registries: Vec<String>,

    /// For Go: a checksum database, as GOSUMDB names it, of which the records of these modules come along
    #[arg(long, value_name = "NAME")]
    sumdb: Option<String>,

    /// For Go: modules that the database is not asked for, as GONOSUMDB has them
    #[arg(long, value_name = "PATTERNS", default_value = "")]
    nosumdb: String,

    /// End with 0 although the lockfiles name what cannot be brought from them, such as packages without a version
    #[arg(long)]
    accept_gaps: bool,

    /// Only say what would be fetched, and what would be missing
    #[arg(long)]
    dry_run: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What the server says of the repository.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Repository {
    format: String,
    repo_type: String,
    #[serde(default)]
    upstream_url: Option<String>,
}

impl Mirror {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        if self.lockfiles.is_empty() && self.names.is_empty() && self.paths.is_empty() {
            return Err(Failure::usage("name at least one --lockfile, --name or --path"));
        }
        let client = self.connection.client(context)?;
        let repository: Repository =
            client.get(&outbound::path(["v1", "repos", self.repo.as_str()])).send().await?.json().await?;
        let format = self.format(&repository)?;
        let database = self.database(format)?;
        let file = self.wanted(&client, format, repository.upstream_url.as_deref())?;
        if self.dry_run {
            return tell::plan(&self, context, &file);
        }
        let done = bring::all(&client, &self.repo, &file.wanted, &self.portion(), context).await?;
        let records = match &database {
            Some(database) => Some(records::bring(&client, &self.repo, database, &done, context).await?),
            None => {
                if format.key() == Go.key() {
                    context.console.complain(NO_RECORDS);
                }
                None
            }
        };
        tell::outcome(&self, context, &file, &done, records.as_ref())
    }

    fn format(&self, repository: &Repository) -> Result<&'static dyn Format, Failure> {
        if repository.repo_type != "remote" {
            let kind = &repository.repo_type;
            return Err(Failure::new(format!("{} is {kind}: only a remote repository can be filled", self.repo)));
        }
        let format = formats::by_key(&repository.format);
        format.ok_or_else(|| Failure::new(format!("this program does not know the format {}", repository.format)))
    }

    /// What is said of each package: how much of it is wanted.
    fn portion(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        if !self.platforms.is_empty() {
            let platforms: Vec<String> = self.platforms.iter().map(Platform::to_string).collect();
            fields.insert("platforms".to_owned(), json!(platforms));
        }
        if self.no_referrers {
            fields.insert("referrers".to_owned(), json!(false));
        }
        fields
    }

    fn database(&self, format: &dyn Format) -> Result<Option<Database<'_>>, Failure> {
        let Some(text) = &self.sumdb else { return Ok(None) };
        if format.key() != Go.key() {
            return Err(Failure::usage(format!("{} is no repository of Go modules: it has no checksum database", self.repo)));
        }
        let unknown = || Failure::usage(format!("'{text}' names no checksum database"));
        Ok(Some(Database { name: tiles::database(text).ok_or_else(unknown)?, except: &self.nosumdb }))
    }

    /// Whether a gap is another lockfile that is named as well. Its path begins where that of `from` ends.
    fn is_named(&self, from: &Path, gap: &Gap) -> bool {
        let Gap::File(file) = gap else { return false };
        let meant = from.with_file_name(file).canonicalize().ok();
        meant.is_some() && self.lockfiles.iter().any(|path| path.canonicalize().ok() == meant)
    }

    /// Everything that was named.
    fn wanted(&self, client: &Client, format: &dyn Format, upstream: Option<&str>) -> Result<Lockfile, Failure> {
        let images = format.key() == formats::oci::Oci.key();
        let own = if images { self.repo.to_string() } else { format!("repository/{}", self.repo) };
        let own = format!("{}/{own}", client.base());
        let origins = Origins::new([own.as_str()].into_iter().chain(upstream).chain(self.registries.iter().map(String::as_str)));
        let mut all = Lockfile::default();
        for path in &self.lockfiles {
            let said = |why: String| Failure::new(format!("'{}' cannot be read: {why}", path.display()));
            let file = origins.choose(origins.behind(read(format, path)?)).map_err(said)?;
            all.wanted.extend(file.wanted);
            all.passed.extend(file.passed.into_iter().filter(|one| !self.is_named(path, &one.gap)));
        }
        for name in &self.names {
            if images {
                let file = origins.behind(Lockfile { wanted: vec![self.image(name)?], passed: Vec::new() });
                all.wanted.extend(file.wanted);
                all.passed.extend(file.passed);
                continue;
            }
            if let Some(coordinate) = coordinate(format, name)? {
                // Of these nothing tells of the files but the layout.
                let read = format.lockfile("coordinate.txt", coordinate.as_bytes());
                let file = read.unwrap_or_else(|| Ok(Lockfile::default()));
                let file = file.map_err(|_| Failure::usage(format!("'{name}' {NO_COORDINATE}")))?;
                all.wanted.extend(file.wanted);
                all.passed.extend(file.passed);
                continue;
            }
            let (name, version) = named(name);
            if !format.has_namespaces() && !format.is_name(&PackageAt::named(name)) {
                let why = format!("'{name}' names no package of the format {}: a version stands behind an @", format.key());
                return Err(Failure::usage(why));
            }
            let version = version.map(str::to_owned).or_else(|| self.all_versions.then(|| "*".to_owned()));
            all.wanted.push(alone(Thing::Package { name: name.to_owned(), version }));
        }
        all.wanted.extend(self.paths.iter().map(|path| alone(Thing::Path(path.trim_start_matches('/').to_owned()))));
        Ok(all)
    }

    fn image(&self, reference: &str) -> Result<Locked, Failure> {
        let read = formats::oci::image(reference);
        let mut locked = read.ok_or_else(|| Failure::usage(format!("'{reference}' is no reference of an image")))?;
        if let Thing::Package { version: version @ None, .. } = &mut locked.thing {
            *version = self.all_versions.then(|| "*".to_owned());
        }
        Ok(locked)
    }
}

/// What names one version, where names have a namespace; `None`: a package.
fn coordinate(format: &dyn Format, text: &str) -> Result<Option<String>, Failure> {
    if !format.has_namespaces() {
        return Ok(None);
    }
    match (named(text), text.matches(':').count()) {
        ((_, None), 1) => Ok(None),
        ((name, Some(version)), 1) => Ok(Some(format!("{name}:{version}"))),
        ((_, None), 2..) => Ok(Some(text.to_owned())),
        _ => Err(Failure::usage(format!("'{text}' {NO_COORDINATE}"))),
    }
}

fn alone(thing: Thing) -> Locked {
    Locked { thing, from: None, sums: Vec::new() }
}

/// What a lockfile says.
fn read(format: &dyn Format, path: &Path) -> Result<Lockfile, Failure> {
    let unreadable = |why: String| Failure::usage(format!("cannot read '{}': {why}", path.display()));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    file.take(LONGEST_LOCKFILE as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let read = format.lockfile(&name, &bytes);
    let read = read.ok_or_else(|| unreadable(format!("it is no lockfile of the format {}", format.key())))?;
    read.map_err(|why| unreadable(why.to_string()))
}

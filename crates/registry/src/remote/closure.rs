//! What is named by its own digest is brought ahead with all that it takes to use it: a version, the blobs that it is made
//! of, the versions that it lists, and what belongs to any of them. Each as if it were read.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use formats::{Contents, Named, PackageAt, Part, Parts, Portion, Said};
use futures_util::StreamExt as _;
use model::{Code, EntryPath, RefName};

use super::Remote;
use super::contents::contents;
use super::fill::{Need, Reached};
use super::known::Which;
use super::object::Object;
use super::prefetch::{AT_ONCE, Brought, EVERY, State, Wish};
use super::track::Track;
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::fetch::Found;
use crate::rules::package_given;
use crate::versions::format_of;

/// An index in an index, what belongs to an image, what belongs to that: so far at most.
const DEEP: u32 = 4;
/// Refs of one package at most.
const REFS: usize = 5000;
/// Where all refs are wanted, what an upstream said of one holds for so long: a request that is repeated goes on where the
/// last one ended.
const PATIENT: Duration = Duration::from_secs(600);

type Walked<'w> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'w>>;

/// One wish under way.
struct Walk<'w> {
    grant: &'w Grant<Read>,
    remote: Arc<Remote>,
    contents: &'static dyn Contents,
    at: PackageAt,
    portion: &'w Portion,
    track: &'w Track,
    /// Every ref is walked: none is guessed.
    every: bool,
}

impl Grant<Read> {
    /// [`Grant::bring_ahead`], where versions are named by their own digests.
    pub(super) async fn bring_closures(&self, wishes: &[Wish], patience: Duration) -> Vec<Brought> {
        let tracks: Vec<Track> = wishes.iter().map(|_| Track::default()).collect();
        let each: Vec<_> = wishes.iter().zip(&tracks).map(|(wish, track)| self.bring_closure(wish, track)).collect();
        let work = futures_util::stream::iter(each).buffer_unordered(AT_ONCE).collect::<()>();
        // What is under way goes on by itself.
        let _ = tokio::time::timeout(patience, Box::pin(work)).await;
        tracks.into_iter().map(Track::told).collect()
    }

    async fn bring_closure(&self, wish: &Wish, track: &Track) {
        let end = Box::pin(self.walk(wish, track)).await;
        track.end(end);
    }

    async fn walk(&self, wish: &Wish, track: &Track) -> Result<()> {
        let Wish::Package { name, version, files, portion } = wish else {
            let why = "what is named by its digest is wished for by its name, not by a path";
            return Err(Error::refuse(Code::Unprocessable, why));
        };
        if !files.is_empty() {
            let why = format!("{name} comes whole: none of its files can be named");
            return Err(Error::refuse(Code::Unprocessable, why));
        }
        let at = package_given(format_of(self.repo())?, name)?;
        self.expect_name_admitted(&at, None, || self.unknown(&at.name)).await?;
        let every = version.as_deref() == Some(EVERY);
        let remote = self.remote()?;
        let remote = if every { remote.patient(PATIENT) } else { remote };
        let contents = contents(&remote)?;
        let walk = Walk { grant: self, remote, contents, at, portion, track, every };
        match version.as_deref() {
            Some(EVERY) => walk.every().await,
            reference => walk.root(reference.unwrap_or(contents.usual())).await,
        }
    }
}

impl Walk<'_> {
    /// All that refs stand for.
    async fn every(&self) -> Result<()> {
        let seen = self.grant.told(self.remote.clone(), &self.at, Which::All).await?;
        let seen = seen.ok_or_else(|| self.grant.unknown(&self.at.name))?;
        if seen.known.refs.len() > REFS {
            let why = format!("{} has more than {REFS} tags: name those that are wanted", self.at.name);
            return Err(Error::refuse(Code::Unprocessable, why));
        }
        let each: Vec<_> = seen.known.refs.iter().map(|(name, _)| self.one_of_them(name)).collect();
        futures_util::stream::iter(each).buffer_unordered(AT_ONCE).collect::<()>().await;
        Ok(())
    }

    async fn one_of_them(&self, name: &str) {
        match self.pointed(name).await {
            // What becomes of it is told of it.
            Ok(named) => drop(self.chosen(named).await),
            Err(error) => self.track.failed(&format!("{}:{name}", self.at.name), name, &error),
        }
    }

    /// What is wished for by a ref or a digest.
    async fn root(&self, reference: &str) -> Result<()> {
        match reference.parse() {
            Ok(named) => self.chosen(named).await,
            Err(_) => self.chosen(self.pointed(reference).await?).await,
        }
    }

    async fn chosen(&self, named: Named) -> Result<()> {
        self.track.chosen(named.to_string());
        self.version(named, 0).await
    }

    async fn pointed(&self, name: &str) -> Result<Named> {
        let tag = RefName::parse(name).map_err(|_| self.grant.unknown(&format!("{}:{name}", self.at.name)))?;
        let pointed = self.grant.points_at_by(&self.remote, &self.at, &tag).await?;
        pointed.told.parse().map_err(|_| Error::Defect("a ref without a digest".to_owned()))
    }

    /// Brings a version and what it takes; an error where it itself cannot come.
    fn version(&self, named: Named, depth: u32) -> Walked<'_> {
        Box::pin(async move {
            let path = self.contents.path(&self.at, &named)?;
            if !self.track.begin(&named, &path, "manifest") {
                return Ok(());
            }
            let parts = match self.manifest(&named, &path).await {
                Ok((state, found, parts)) => {
                    self.track.here(&path, state, &found);
                    parts
                }
                Err(error) => {
                    self.track.failed(path.as_str(), "manifest", &error);
                    return Err(error);
                }
            };
            if let Some(lacks) = &parts.lacks {
                let missing = Error::refuse(Code::NotFound, lacks.clone());
                self.track.failed(path.as_str(), "manifest", &missing);
            }
            let blobs: Vec<_> = parts.blobs.iter().map(|part| self.blob(part, &path)).collect();
            futures_util::stream::iter(blobs).buffer_unordered(AT_ONCE).collect::<()>().await;
            let children: Vec<_> =
                parts.versions.iter().filter(|_| depth < DEEP).map(|child| self.version(*child, depth + 1)).collect();
            futures_util::stream::iter(children).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
            if self.portion.attached && depth < DEEP {
                self.attached(&named, depth).await;
            }
            Ok(())
        })
    }

    async fn manifest(&self, named: &Named, path: &EntryPath) -> Result<(State, Found, Parts)> {
        let object = Object::Version(self.at.clone(), *named, path.clone());
        let (state, found) = self.reach(&object).await?;
        let body = found.open(None).await?.whole().await?;
        let media_type = found.media_type().unwrap_or_default().to_owned();
        let said = Said { body: &body, media_type: &media_type, address: "", changed_at: None };
        let parts = self.contents.parts(said, self.portion).map_err(|error| Error::Defect(error.to_string()))?;
        Ok((state, found, parts))
    }

    async fn blob(&self, part: &Part, version: &EntryPath) {
        let name = format!("blobs/{}/{}", part.content.algorithm(), part.content.hex());
        let Ok(path) = EntryPath::parse(&format!("{version}/{name}")) else { return };
        if !self.track.begin(&part.content, &path, &name) {
            return;
        }
        match self.reach(&Object::Blob(self.at.clone(), part.content)).await {
            Ok((state, found)) => self.track.here(&path, state, &found),
            // What may not be distributed is elsewhere, and clients know where.
            Err(error) if !part.required && error.code() == Some(Code::NotFound) => self.track.forget(&path),
            Err(error) => self.track.failed(path.as_str(), &name, &error),
        }
    }

    /// The object, as a reader gets it, when it is here.
    async fn reach(&self, object: &Object) -> Result<(State, Found)> {
        let (grant, at) = (self.grant, &self.at);
        let place = grant.registry().inner.remotes.ahead.acquire().await;
        let _place = place.map_err(|_| Error::Defect("nothing is brought any more".to_owned()))?;
        let here = matches!(grant.find_object(object).await, Ok(found) if !found.is_absent());
        let state = if here { State::Present } else { State::Fetched };
        let reached = match object {
            Object::Version(_, named, path) => {
                return Ok((state, grant.reach_version(at, named, path, Need::Bytes).await?));
            }
            Object::Blob(_, named) => grant.reach_blob(at, named, Need::Bytes).await?,
            Object::File(path) => grant.reach(path, Need::Bytes).await?,
        };
        match reached {
            Reached::Here(found) => Ok((state, found)),
            Reached::Coming(coming) => Ok((state, coming.whole().await?)),
        }
    }

    /// What belongs to a version: what the upstream tells of, and what stands under names made of its digest.
    async fn attached(&self, named: &Named, depth: u32) {
        match self.grant.belonging_by(&self.remote, &self.at, &named.to_string()).await {
            Ok(belonging) => {
                for (version, _) in belonging.told {
                    let Ok(version) = version.parse() else { continue };
                    drop(self.version(version, depth + 1).await);
                }
            }
            Err(error) => self.track.failed(&format!("{}/referrers/{named}", self.at.name), "referrers", &error),
        }
        for tag in self.contents.beside(named).iter().filter(|_| !self.every) {
            match self.pointed(tag).await {
                Ok(version) => drop(self.version(version, depth + 1).await),
                Err(error) if error.code() == Some(Code::NotFound) => {}
                Err(error) => self.track.failed(&format!("{}:{tag}", self.at.name), tag, &error),
            }
        }
    }
}

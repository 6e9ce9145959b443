//! Images of virtual repositories: the member that a name belongs to answers, and one takes what is published.

use axum::body::Body;
use axum::response::Response;
use formats::oci::{ImageAt, LONGEST, Manifest, Push, Reference, location};
use formats::{Named, PackageAt};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, Method};
use model::{Code, RepoKey, Role, Scope, ScopeRepo};
use registry::{Call, Found, Grant, Member, Need, Read, Write};

use super::super::pieces;
use super::super::receive::receive;
use super::{Refused, Wanted};
use crate::problem::{self, Problem};

/// Indexes in indexes, so deep at most.
const DEEP: u32 = 4;

/// The member that an image belongs to. `None`: none that the caller may read.
pub(super) async fn owner(readable: &Grant<Read>, at: &ImageAt) -> Result<Option<Grant<Read>>, registry::Error> {
    let package = PackageAt::named(at.name.as_str());
    let members = readable.members().await?;
    let owner = members.owner(|_| Some(package.clone())).await?;
    Ok(owner.and_then(Member::grant).cloned())
}

/// What is said where no member that the caller may read has an image.
pub(super) async fn nobody(readable: &Grant<Read>, at: &ImageAt) -> Result<Problem, registry::Error> {
    let package = PackageAt::named(at.name.as_str());
    Ok(Problem::not_found(match readable.members().await?.keep(|_| Some(package.clone())) {
        true => {
            format!("no hosted member of {} has {}, and a claim keeps its name from every upstream", at.key, at.name)
        }
        false => format!("no member of {} has {}", at.key, at.name),
    }))
}

/// The repository that takes what is published; 405 where there is none.
pub(super) async fn target(readable: &Grant<Read>) -> Result<RepoKey, Refused> {
    readable.deploy_target().await.map_err(|error| match error.code() {
        Some(Code::Forbidden) => {
            Problem::method_not_allowed(error.to_string()).allow(HeaderValue::from_static("GET, HEAD")).into()
        }
        _ => error.into(),
    })
}

/// The repository in which the bytes of an image are that are to be taken from it. `None`: nowhere.
pub(super) async fn source(call: &Call, from: &ImageAt) -> Option<RepoKey> {
    let readable = call.authorize::<Read>(&from.key).await.ok()?;
    match readable.is_virtual() {
        // Who cannot be asked has nothing to give: the bytes are sent.
        true => owner(&readable, from).await.ok()?.map(|owner| owner.repo().key.clone()),
        false => Some(from.key.clone()),
    }
}

impl Wanted<'_> {
    /// What was published or uploaded through a virtual repository is there at once, whatever the image's name.
    pub(super) async fn uploaded(&self, call: &Call, digest: &str) -> Option<(Grant<Read>, Found, Named)> {
        if self.at.moment.is_some() {
            return None;
        }
        let named: Named = digest.parse().ok()?;
        let readable = call.authorize::<Read>(&self.at.key).await.ok().filter(Grant::is_virtual)?;
        let grant = call.authorize::<Read>(&readable.deploy_target().await.ok()?).await.ok()?;
        let found = grant.find_named(&named).await.ok()?;
        Some((grant, found, named))
    }

    /// Who is about to push asks whether something need be sent. While an upstream cannot say, it is.
    pub(super) async fn answer_pushing(
        &self,
        call: &Call,
        answer: Result<Response, Refused>,
    ) -> Result<Response, Refused> {
        let failed =
            |refused: &Refused| refused.problem_code() == Some(problem::Code::ServiceUnavailable) && self.is_asked();
        match answer {
            Err(refused) if failed(&refused) && self.pushes(call).await => {
                Err(Problem::not_found(format!("{} may have that, but cannot be asked", self.at)).into())
            }
            other => other,
        }
    }

    fn is_asked(&self) -> bool {
        self.parts.method == Method::HEAD
    }

    /// Whether the caller's token was made for pushing where a virtual repository has what is published.
    async fn pushes(&self, call: &Call) -> bool {
        let Ok(readable) = call.authorize::<Read>(&self.at.key).await else { return false };
        let Ok(target) = readable.deploy_target().await else { return false };
        let pushing = Scope::Repo(ScopeRepo::One(target), Role::Write);
        readable.is_virtual() && call.identity().is_ok_and(|identity| identity.scopes().contains(&pushing))
    }

    /// A manifest that is pushed through a virtual repository, when all that it names is where it goes: clients do not
    /// send what they saw under its name, and that may be another member's.
    pub(super) async fn with_its_parts(&self, grant: &Grant<Write>, kind: &str, body: Body) -> Result<Body, Refused> {
        let mut pieces = pieces(body, registry::Claims::default(), grant);
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece?);
            if bytes.len() > LONGEST {
                return Ok(Body::from(bytes));
            }
        }
        self.take_parts(grant, kind, &bytes, 0).await?;
        Ok(Body::from(bytes))
    }

    async fn take_parts(&self, grant: &Grant<Write>, kind: &str, bytes: &[u8], depth: u32) -> Result<(), Refused> {
        // What is no manifest is refused when it is pushed.
        let Ok(manifest) = Manifest::parse(bytes, kind) else { return Ok(()) };
        let here = grant.to_read();
        let (mut blobs, mut children) = (Vec::new(), Vec::new());
        for blob in manifest.blobs.iter().filter(|blob| blob.required || manifest.is_index()) {
            if is_missing(here.find_named(&blob.content).await)? {
                blobs.push(blob.content);
            }
        }
        for child in manifest.children.iter().filter(|_| depth < DEEP) {
            if is_missing(here.find(&location(self.at, child).map_err(registry::Error::from)?).await)? {
                children.push(*child);
            }
        }
        if blobs.is_empty() && children.is_empty() {
            return Ok(());
        }
        let virtual_ = grant.call().authorize::<Read>(&self.at.key).await?;
        let Some(from) = owner(&virtual_, self.at).await?.filter(|from| from.repo().key != grant.repo().key) else {
            return Ok(());
        };
        for blob in &blobs {
            grant.take_part(&from, &self.package(), blob).await?;
        }
        for child in &children {
            Box::pin(self.take_child(grant, &from, child, depth + 1)).await?;
        }
        Ok(())
    }

    async fn take_child(
        &self,
        grant: &Grant<Write>,
        from: &Grant<Read>,
        child: &Named,
        depth: u32,
    ) -> Result<(), Refused> {
        let path = location(self.at, child).map_err(registry::Error::from)?;
        let found = match from.reach_version(&self.package(), child, &path, Need::Bytes).await {
            Err(error) if error.code() == Some(Code::NotFound) => return Ok(()),
            found => found?,
        };
        let kind = found.media_type().unwrap_or_default().to_owned();
        let bytes = found.open(None).await?.whole().await?;
        self.take_parts(grant, &kind, &bytes, depth).await?;
        let push = Push::new(self.at.clone(), Reference::Digest(*child), Vec::new(), &kind);
        receive(grant, Box::new(push), &HeaderMap::new(), Body::from(bytes)).await?;
        Ok(())
    }
}

fn is_missing(found: Result<Found, registry::Error>) -> Result<bool, registry::Error> {
    match found {
        Ok(_) => Ok(false),
        Err(error) if matches!(error.code(), Some(Code::NotFound | Code::Gone)) => Ok(true),
        Err(error) => Err(error),
    }
}

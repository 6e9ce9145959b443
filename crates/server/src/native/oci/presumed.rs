//! The short way of a pull where only the database knows what holds: one statement.

use axum::extract::FromRequestParts;
use axum::response::Response;
use formats::oci::{Address, ImageAt, MANIFEST, Reference, Step, location};
use formats::{Named, PackageAt};
use http::Method;
use http::request::Parts;
use model::EntryPath;
use model::state::RepoKind;
use registry::{Call, Error, Found, Grant, Presumed, Read};

use super::{Asked, Refused, blobs, manifests};
use crate::app::{App, presented_token};
use crate::edge::Context;

/// What was found, and by which names.
enum Proven {
    Manifest(Grant<Read>, Found, Reference, Named),
    Blob(Grant<Read>, Found, Named),
}

/// The answer, where memory presumes right. `None`: the ordinary way.
pub(super) async fn answer(app: &App, parts: &mut Parts, asked: &Asked) -> Option<Result<Response, Refused>> {
    let Asked::At(Address::Image(at, step)) = asked else { return None };
    if !matches!(parts.method, Method::GET | Method::HEAD) || !app.registry.shares_its_database() {
        return None;
    }
    let context = <Context as FromRequestParts<App>>::from_request_parts(parts, app).await.ok()?;
    let token = presented_token(&parts.headers).ok()?;
    let presumed = app.registry.presume(token.as_deref(), &at.key, context.correlation).await?;
    if presumed.format() != "oci" || presumed.kind() == RepoKind::Virtual {
        return None;
    }
    let proven = match find(presumed, at, step).await {
        Ok(found) => found?,
        // The database was waited for once: the long way would wait again.
        Err(error) if error.code() == Some(model::Code::ServiceUnavailable) => return Some(Err(error.into())),
        Err(_) => return None,
    };
    if let Err(problem) = app.admit(proven.call(), &context) {
        return Some(Err(problem.into()));
    }
    Some(proven.respond(parts).await)
}

async fn find(presumed: Presumed, at: &ImageAt, step: &Step) -> Result<Option<Proven>, Error> {
    match step {
        Step::Manifest(text) => match Reference::parse(text) {
            Some(reference) => manifest(presumed, at, reference).await,
            None => Ok(None),
        },
        Step::Blob(text) => match text.parse() {
            Ok(named @ Named::Sha256(digest)) => {
                let found = presumed.find_blob(digest).await?;
                Ok(found.map(|(grant, found)| Proven::Blob(grant, found, named)))
            }
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

async fn manifest(presumed: Presumed, at: &ImageAt, reference: Reference) -> Result<Option<Proven>, Error> {
    match &reference {
        Reference::Tag(_) if presumed.kind() == RepoKind::Remote => Ok(None),
        Reference::Tag(tag) => {
            let (package, entry) = (PackageAt::named(at.name.as_str()), EntryPath::parse(MANIFEST)?);
            let found = presumed.find_pointed(&package, tag, &entry).await?;
            let Some((grant, version, found)) = found else { return Ok(None) };
            let named = version.parse().ok();
            Ok(named.map(|named| Proven::Manifest(grant, found, reference, named)))
        }
        Reference::Digest(named) => {
            let (named, found) = (*named, presumed.find(&location(at, named)?).await?);
            Ok(found.map(|(grant, found)| Proven::Manifest(grant, found, reference, named)))
        }
    }
}

impl Proven {
    fn call(&self) -> &Call {
        match self {
            Self::Manifest(grant, ..) | Self::Blob(grant, ..) => grant.call(),
        }
    }

    async fn respond(&self, parts: &Parts) -> Result<Response, Refused> {
        match self {
            Self::Manifest(grant, found, wanted, named) => manifests::respond(grant, found, parts, wanted, named).await,
            Self::Blob(grant, found, named) => blobs::show(grant, found, parts, named).await,
        }
    }
}

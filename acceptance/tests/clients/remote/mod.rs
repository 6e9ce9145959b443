//! The same clients through a remote repository: what they install comes from an upstream the first time, and from us
//! when the upstream is away.

mod ages;
mod air_gap;
mod alone;
mod cargo;
mod confusion;
mod go;
mod goods;
mod locks;
mod maven;
pub(crate) mod mirror;
mod node;
mod past;
mod prefixes;
mod python;
mod raw;
pub(crate) mod stranger;
mod sumdb;
pub(crate) mod together;
pub(crate) mod vendors;

use acceptance::server::Backing;
use acceptance::{Result, Trouble};
use goods::Offer;
use mirror::Mirror;
use serde_json::{Value as Json, json};
use stranger::Stranger;

use crate::desk::{Deed, Desk};

/// What every client is told that publishes to one.
const REFUSED: &str = "what is in it comes from elsewhere";

/// A client, as far as the story needs it.
trait Client {
    /// The format; the repositories are called so too.
    fn format(&self) -> &'static str;

    /// Where a repository of ours has what a remote repository reads.
    fn upstream(&self, url: &str) -> String {
        url.to_owned()
    }

    /// Publishes everything that is installed later, in this order.
    fn publish(&self, desk: &Desk, token: &str) -> Result<Vec<Deed>>;

    /// Publishes something.
    fn intrude(&self, desk: &Desk, token: &str) -> Result<Deed> {
        let first = self.publish(desk, token)?.into_iter().next();
        first.ok_or_else(|| Trouble::new("it publishes nothing"))
    }

    /// Lays the same out as a static mirror of the format has it. The desk lends its tools.
    fn lay_out(&self, desk: &Desk, mirror: &Mirror) -> Result<()>;

    /// Installs a package into this home, which knows nothing yet.
    fn install(&self, desk: &Desk, home: &str, token: &str, package: &str) -> Result<Deed>;

    /// Fails if the package, or what it needs, is not installed in this home.
    fn check(&self, desk: &Desk, home: &str) -> Result<()>;

    fn says(&self) -> Says;

    /// Whether it sends no credentials without TLS.
    fn is_mute(&self) -> bool {
        false
    }
}

/// A client of a format whose packages have versions.
trait Chooser: Client {
    /// Publishes a package that needs nothing, or what [`Client::install`] installs in [`follow`].
    fn release(&self, desk: &Desk, token: &str, name: &str, version: &str, needy: bool) -> Result<Deed>;

    /// Lays out versions of a package as a static mirror has them that tells when each was published: one after the
    /// other, the last is the latest.
    fn offer(&self, desk: &Desk, mirror: &Mirror, name: &str, offers: &[Offer]) -> Result<()>;

    /// What to tell [`Client::install`] of a package of which any version fits.
    fn any(&self, name: &str) -> String {
        name.to_owned()
    }

    /// What to tell [`Client::install`] of a package of which one version fits.
    fn exactly(&self, name: &str, version: &str) -> String;

    /// The version of a package that is installed in this home.
    fn installed(&self, desk: &Desk, home: &str, name: &str) -> Result<String>;
}

/// What a client installs, and what it says when it cannot.
#[derive(Clone, Copy)]
struct Says {
    /// What it installs.
    package: &'static str,
    /// What nobody has.
    missing: &'static str,
    /// What nobody has asked for.
    unasked: &'static str,
    /// Of wrong credentials.
    wrong: &'static [&'static str],
    /// Of what nobody has.
    not_found: &'static [&'static str],
    /// Of what may be there, when the upstream does not answer.
    away: &'static [&'static str],
    /// When it publishes there.
    refused: &'static [&'static str],
}

/// Whose packages the remote repository has.
pub(crate) enum Source {
    /// Another Artifortress, which lets in nobody without a token.
    Ours(Box<Desk>),
    Static(Mirror),
    /// Another vendor's server.
    Stranger(Stranger),
}

impl Source {
    pub(crate) fn stop(&mut self) -> Result<()> {
        match self {
            Self::Ours(desk) => desk.server.stop(),
            Self::Static(mirror) => mirror.stop(),
            Self::Stranger(stranger) => stranger.stop(),
        }
    }
}

/// Through a remote repository of another Artifortress, to which the same client publishes.
async fn through_another(client: &dyn Client, backing: Backing) -> Result<()> {
    let (source, fields) = another(client).await?;
    let desk = Desk::with(backing, client.format(), fields).await?;
    follow(client, &desk, source).await
}

/// Another Artifortress with what a client installs, and what reads from it.
async fn another(client: &dyn Client) -> Result<(Source, Json)> {
    let theirs = Desk::open(Backing::Embedded, client.format()).await?;
    for deed in client.publish(&theirs, theirs.admin.token())? {
        deed.works()?;
    }
    let token = theirs.token("robot", &[&format!("repo:{}:read", theirs.key)]).await?;
    let fields = json!({"repoType": "remote", "upstreamUrl": client.upstream(&theirs.url()?),
        "upstreamAuth": {"kind": "bearer", "token": token}});
    Ok((Source::Ours(Box::new(theirs)), fields))
}

/// Through a remote repository of a static mirror.
async fn through_a_mirror(client: &dyn Client) -> Result<()> {
    let mirror = Mirror::begin()?;
    let fields = json!({"repoType": "remote", "upstreamUrl": mirror.url()});
    let desk = Desk::with(Backing::Embedded, client.format(), fields).await?;
    client.lay_out(&desk, &mirror)?;
    follow(client, &desk, Source::Static(mirror)).await
}

async fn follow(client: &dyn Client, desk: &Desk, mut source: Source) -> Result<()> {
    let says = client.says();
    let reader = desk.token("rita", &[&format!("repo:{}:read", desk.key)]).await?;
    client.install(desk, "wrong", "not-a-token", says.package)?.fails_saying(says.wrong)?;
    if client.is_mute() {
        desk.change(desk.key, json!({"anonymousRead": true})).await?;
    }
    client.install(desk, "first", &reader, says.package)?.works()?;
    client.check(desk, "first")?;
    client.install(desk, "lost", &reader, says.missing)?.fails_saying(says.not_found)?;
    client.intrude(desk, desk.admin.token())?.fails_saying(says.refused)?;

    // Now nothing is believed without asking, and nobody answers.
    source.stop()?;
    desk.change(desk.key, json!({"settings": {"upstream": {"indexSeconds": 0}}})).await?;
    client.install(desk, "second", &reader, says.package)?.works()?;
    client.check(desk, "second")?;
    client.install(desk, "away", &reader, says.unasked)?.fails_saying(says.away).map(drop)
}

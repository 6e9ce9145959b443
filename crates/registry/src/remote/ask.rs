//! One question to an upstream and its answer, pages and digests included.

use std::collections::HashSet;

use bytes::{Bytes, BytesMut};
use formats::{Ask, Named};
use model::{Sha256Digest, Timestamp};
use outbound::{Failure, Found, Question};
use sha2::{Digest as _, Sha256, Sha512};
use store::observations::Observation;

use super::Remote;
use super::room::{Crowded, Room};

/// The longest answer that is read whole, in bytes; all its pages.
pub(super) const LONGEST: u64 = 64 << 20;
/// Pages of an answer at most.
const PAGES: usize = 500;

/// What an upstream says.
pub(super) enum Reply {
    /// There is no such thing.
    Missing,
    /// What is known holds.
    Holds,
    /// Something new.
    New(News),
}

/// An answer that is not kept yet.
pub(super) struct News {
    pub(super) body: Bytes,
    pub(super) media_type: String,
    pub(super) address: String,
    pub(super) etag: Option<String>,
    pub(super) changed_at: Option<Timestamp>,
    /// Kept as long as the body.
    pub(super) _room: Room,
}

/// Asks. Where an answer's head says what its body is, the head alone is asked for first: it costs the upstream less,
/// and some count only what they send.
pub(super) async fn answer(
    remote: &Remote,
    ask: &Ask,
    known: Option<&Observation>,
) -> std::result::Result<Reply, Failure> {
    let ours = |known: &&Observation| known.digest.is_some() && known.checked_at >= remote.changed_at;
    let known = known.filter(ours);
    let header = remote.format.digest_header(ask);
    if let (Some(known), Some(header)) = (known, header) {
        match head(remote, ask, header).await? {
            Head::Missing => return Ok(Reply::Missing),
            Head::Told(Named::Sha256(digest)) if known.digest == Some(digest) => return Ok(Reply::Holds),
            Head::Told(_) | Head::Silent => {}
        }
    }
    let etag = known.and_then(|known| known.etag.as_deref());
    let question = Question { etag, ..Question::index(&ask.target, ask.accept, LONGEST) };
    let found = match remote.upstream.ask(question).await? {
        outbound::Reply::Missing => return Ok(Reply::Missing),
        outbound::Reply::Unchanged(_) => return Ok(Reply::Holds),
        outbound::Reply::Found(found) => *found,
    };
    let told = header.and_then(|header| digest_in(&found, header));
    let news = whole(remote, ask, found).await?;
    match told.is_none_or(|told| names(&told, &news.body)) {
        true => Ok(Reply::New(news)),
        false => Err(Failure::Broken("the upstream says another digest of its answer than that has".to_owned())),
    }
}

/// What the head of an answer says.
enum Head {
    Missing,
    Told(Named),
    Silent,
}

async fn head(remote: &Remote, ask: &Ask, header: &str) -> std::result::Result<Head, Failure> {
    let question = Question { head: true, ..Question::index(&ask.target, ask.accept, 0) };
    match remote.upstream.ask(question).await {
        Ok(outbound::Reply::Found(found)) => Ok(digest_in(&found, header).map_or(Head::Silent, Head::Told)),
        Ok(outbound::Reply::Missing) => Ok(Head::Missing),
        Ok(outbound::Reply::Unchanged(_)) => Ok(Head::Silent),
        // It knows GET alone.
        Err(Failure::Refused { status: 400 | 405, .. } | Failure::Failing { status: 501, .. }) => Ok(Head::Silent),
        Err(failure) => Err(failure),
    }
}

fn digest_in(found: &Found, header: &str) -> Option<Named> {
    found.header(header)?.parse().ok()
}

/// Whether this is the digest of these bytes.
pub(super) fn names(named: &Named, bytes: &[u8]) -> bool {
    match named {
        Named::Sha256(digest) => *digest == Sha256Digest(Sha256::digest(bytes).into()),
        Named::Sha512(digest) => *digest == <[u8; 64]>::from(Sha512::digest(bytes)),
    }
}

/// The whole answer: its pages one after the other. No tag stands for several pages.
async fn whole(remote: &Remote, ask: &Ask, found: Found) -> std::result::Result<News, Failure> {
    let mut next = following(remote, ask, &found);
    let (media_type, address) = (found.media_type(), found.address().to_owned());
    let (etag, changed_at) = (found.etag().map(str::to_owned).filter(|_| next.is_none()), found.changed_at());
    let (mut body, mut room, mut met) = (BytesMut::new(), Room::default(), HashSet::from([ask.target.clone()]));
    let alone = found.length().filter(|_| next.is_none());
    take(remote, found, alone, &mut body, &mut room).await?;
    while let Some(ask) = next {
        if !met.insert(ask.target.clone()) {
            return Err(broken("leads in a circle"));
        }
        let left = LONGEST.saturating_sub(body.len() as u64);
        let page = match remote.upstream.ask(Question::index(&ask.target, ask.accept, left)).await? {
            outbound::Reply::Found(page) if met.len() < PAGES => *page,
            outbound::Reply::Found(_) => return Err(broken(&format!("has more than {PAGES} pages"))),
            _ => return Err(broken("ends before its last page")),
        };
        next = following(remote, &ask, &page);
        take(remote, page, None, &mut body, &mut room).await?;
    }
    Ok(News { body: body.freeze(), media_type, address, etag, changed_at, _room: room })
}

/// Adds a page to the body, for which there must be room before it comes. `length`: of the whole body, where that is known.
async fn take(
    remote: &Remote,
    mut page: Found,
    length: Option<u64>,
    body: &mut BytesMut,
    room: &mut Room,
) -> std::result::Result<(), Failure> {
    let crowded = |Crowded| Failure::Busy(remote.upstream.base());
    remote.make_room(room, 0, length).await.map_err(crowded)?;
    while let Some(piece) = page.next().await? {
        let came = (body.len() + piece.len()) as u64;
        remote.make_room(room, came, length).await.map_err(crowded)?;
        body.extend_from_slice(&piece);
    }
    Ok(())
}

fn following(remote: &Remote, ask: &Ask, found: &Found) -> Option<Ask> {
    remote.format.next_page(ask, found.header("link")?)
}

fn broken(why: &str) -> Failure {
    Failure::Broken(format!("a list of the upstream {why}"))
}

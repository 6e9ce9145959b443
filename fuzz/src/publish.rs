//! A body on its way to a release, and what every release promises.

use std::collections::BTreeSet;
use std::io::Cursor;

use bytes::Bytes;
use formats::{
    Asked, Claim, Format, Intake, Method, NewFile, Operation, Piece, Plan, Release, StagedFile, Sums, Wanted,
};
use model::line::Line;
use model::{EntryPath, PackageName, Refusal, Sha256Digest, Timestamp};
use sha2::Digest as _;

use crate::render::render;

/// When builds begin.
const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

/// What a body says of a file that is here already, and what it wants done.
type Taken = (Option<Claim>, Plan);

/// Takes a body in twice, at once and in small pieces: both find the same. Then the plan is made and looked at.
/// Whether there is one.
pub(crate) fn accept(format: &dyn Format, whole: Box<dyn Intake>, cut: Box<dyn Intake>, body: &[u8]) -> bool {
    let line = whole.line();
    let size = 1 + body.len() % 61;
    let (one, other) = (plan(whole, std::iter::once(body)), plan(cut, body.chunks(size)));
    // Of two things that are wrong, either may be told.
    let refused = matches!((&one, &other), (Some(Err(_)), Some(Err(_))));
    assert!(
        refused || format!("{one:?}") == format!("{other:?}"),
        "pieces of {size} bytes mean {other:?}, not {one:?}"
    );
    let Some(Ok((_, mut plan))) = one else { return false };
    if let Some(release) = &mut plan.release {
        if let Some(line) = line
            && !become_built(&*line, release)
        {
            return false;
        }
        check(format, release);
        render(format, release);
    }
    true
}

/// The file as that of the first build of its line. Whether it can be one.
fn become_built(line: &dyn Line, release: &mut Release) -> bool {
    let [file] = release.files.as_mut_slice() else { panic!("a build of a line comes file by file") };
    assert_eq!(line.package(), (&*release.package.namespace, &*release.package.name), "the line of another package");
    let first = line.next(None, NOW);
    assert_eq!(line.builds(&[&first]), [first.as_str()], "it begins a build of another line");
    let Ok(built) = line.built(&first) else { return false };
    (file.path, file.location) = (built.path, built.location);
    (release.version, release.manifest) = (built.version, built.manifest);
    true
}

/// `None`: what was announced of a file is wrong, which is the registry's to say.
fn plan<'b>(mut intake: Box<dyn Intake>, pieces: impl Iterator<Item = &'b [u8]>) -> Option<Result<Taken, Refusal>> {
    let mut out = Vec::new();
    for piece in pieces {
        if let Err(refusal) = intake.push(Bytes::copy_from_slice(piece), &mut out) {
            return Some(Err(refusal));
        }
    }
    if let Err(refusal) = intake.end(&mut out) {
        return Some(Err(refusal));
    }
    let mut files = stage(out)?;
    let claim = intake.claim();
    Some(intake.plan(&mut files).map(|plan| (claim, plan)))
}

fn stage(pieces: Vec<Piece>) -> Option<Vec<StagedFile>> {
    let (mut files, mut open): (Vec<StagedFile>, Option<(NewFile, Vec<u8>)>) = (Vec::new(), None);
    for piece in pieces {
        match (piece, &mut open) {
            (Piece::Begin(new), None) => open = Some((new, Vec::new())),
            (Piece::Bytes(bytes), Some((_, content))) => content.extend_from_slice(&bytes),
            (Piece::End, Some(_)) => files.push(staged(open.take().expect("it is open"))?),
            (piece, open) => panic!("{piece:?} comes when a file is open: {}", open.is_some()),
        }
    }
    assert!(open.is_none(), "a file was begun and never ended");
    Some(files)
}

fn staged((new, content): (NewFile, Vec<u8>)) -> Option<StagedFile> {
    let (length, sha256) = (content.len() as u64, digest(&content));
    let lies = new.length.is_some_and(|said| said != length) || new.sha256.is_some_and(|said| said != sha256);
    (!lies).then(|| StagedFile {
        length,
        sha256,
        sums: sums(new.sums, &content),
        bytes: Box::new(Cursor::new(content)),
    })
}

pub(crate) fn digest(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest(sha2::Sha256::digest(bytes).into())
}

fn sums(wanted: Wanted, bytes: &[u8]) -> Sums {
    Sums {
        md5: wanted.md5.then(|| md5::Md5::digest(bytes).into()),
        sha1: wanted.sha1.then(|| sha1::Sha1::digest(bytes).into()),
        blake2: wanted.blake2.then(|| blake2::Blake2b256::digest(bytes).into()),
        sha512: wanted.sha512.then(|| sha2::Sha512::digest(bytes).into()),
    }
}

fn check(format: &dyn Format, release: &Release) {
    let manifest: serde_json::Value = serde_json::from_str(&release.manifest).expect("manifests are JSON");
    assert!(manifest.is_object(), "manifests are objects");
    let display = PackageName::parse(&release.display).expect("the name that is shown is one");
    assert_eq!(format.normalise(&display), release.package.name, "the name that is shown means the package");
    let normal = PackageName::parse(&release.package.name).expect("the normalised name is one");
    assert_eq!(format.normalise(&normal), release.package.name, "normalising twice is normalising once");
    let (mut paths, mut locations) = (BTreeSet::new(), BTreeSet::new());
    for file in &release.files {
        assert!(paths.insert(file.path.as_str()), "{} is there twice", file.path);
        assert!(locations.insert(file.location.as_str()), "{} is there twice", file.location);
        let attributes = file.attributes.as_deref().map(serde_json::from_str::<serde_json::Value>);
        assert!(attributes.is_none_or(|read| read.is_ok()), "attributes are JSON");
        reachable(format, &file.location);
    }
}

/// What was published can be fetched where it says.
fn reachable(format: &dyn Format, location: &EntryPath) {
    if format.key() == "oci" {
        return;
    }
    let address = location.as_str().replace('%', "%25").replace('?', "%3F");
    match format.parse(&Asked::plain(Method::Get, &address)) {
        Ok(Operation::Fetch(found)) => assert_eq!(&found, location, "it would be looked for elsewhere"),
        other => panic!("{location} cannot be fetched: {other:?}"),
    }
}

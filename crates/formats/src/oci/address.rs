//! What addresses under `/v2/` mean: matched from the right, for names hold slashes.

use model::{EntryPath, RefName, RepoKey, Timestamp};

use super::Name;
use crate::ParseError;
use crate::address::decode;

/// An address under `/v2/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `/v2/token`: credentials for a short-lived token.
    Token,
    /// `/v2/_catalog`.
    Catalogue,
    /// Something of an image.
    Image(ImageAt, Step),
}

/// Which image: its repository and its name there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageAt {
    /// The repository.
    pub key: RepoKey,
    /// As of when, where the address says so.
    pub moment: Option<Moment>,
    /// The image.
    pub name: Name,
}

/// What stands between the key and the name: `at-20260101t000000z`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// As it was written.
    pub written: String,
    /// `None`: there is no such moment.
    pub at: Option<Timestamp>,
}

/// What a moment looks like, for people.
pub const MOMENT_SHAPE: &str = "a time in UTC such as at-20260131t120000z";

impl Moment {
    /// `None`: it is not meant as a moment.
    fn of(segment: &str) -> Option<Self> {
        let text = segment.strip_prefix("at-").filter(|text| is_meant(text))?;
        Some(Self { written: segment.to_owned(), at: Timestamp::parse_compact(text) })
    }
}

/// Whether a moment is meant, be it written well or not: a year, and then nothing but what times are written with. Others,
/// such as `at-home` or `at-24`, are names.
fn is_meant(text: &str) -> bool {
    let (year, rest) = text.as_bytes().split_at_checked(4).unwrap_or_default();
    let of_times = |byte: &u8| byte.is_ascii_digit() || b"tTzZ-._:+".contains(byte);
    year.len() == 4 && year.iter().all(u8::is_ascii_digit) && rest.iter().all(of_times)
}

impl std::fmt::Display for ImageAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.moment {
            Some(moment) => write!(f, "{}/{}/{}", self.key, moment.written, self.name),
            None => write!(f, "{}/{}", self.key, self.name),
        }
    }
}

/// What of an image. References and digests are read later: who may not know of the repository is not
/// told that they are malformed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `tags/list`
    Tags,
    /// `manifests/{reference}`
    Manifest(String),
    /// `blobs/{digest}`
    Blob(String),
    /// `blobs/uploads/`
    Uploads,
    /// `blobs/uploads/{id}`
    Upload(String),
    /// `referrers/{digest}`
    Referrers(String),
}

impl Address {
    /// Reads what follows `/v2/`.
    pub fn parse(rest: &str) -> Result<Self, ParseError> {
        let path = decode(rest)?;
        let segments: Vec<&str> = path.split('/').collect();
        let (image, step) = match segments.as_slice() {
            ["token"] => return Ok(Self::Token),
            ["_catalog"] => return Ok(Self::Catalogue),
            [image @ .., "tags", "list"] => (image, Step::Tags),
            [image @ .., "blobs", "uploads"] | [image @ .., "blobs", "uploads", ""] => (image, Step::Uploads),
            [image @ .., "blobs", "uploads", id] => (image, Step::Upload((*id).to_owned())),
            [image @ .., "blobs", digest] => (image, Step::Blob((*digest).to_owned())),
            [image @ .., "manifests", reference] => (image, Step::Manifest((*reference).to_owned())),
            [image @ .., "referrers", digest] => (image, Step::Referrers((*digest).to_owned())),
            _ => return Err(ParseError::Unknown),
        };
        let at = ImageAt::of(&image.join("/"));
        Ok(Self::Image(at.ok_or_else(|| ParseError::Query(why_none(image)))?, step))
    }
}

/// Why something is no image's name.
fn why_none(image: &[&str]) -> String {
    let meant = image.get(1).and_then(|segment| segment.strip_prefix("at-")).is_some_and(is_meant);
    match meant && image.len() > 2 {
        true => format!("what stands behind the repository's key is not {MOMENT_SHAPE}"),
        false => super::NAME_RULE.to_owned(),
    }
}

impl ImageAt {
    /// `key/name` or `key/at-20260101t000000z/name`, as clients write it.
    pub fn of(text: &str) -> Option<Self> {
        let (key, name) = text.split_once('/')?;
        // A name that some file systems keep for themselves could never be published: it is none at once.
        let whole = Name::parse(text).is_some() && EntryPath::parse(name).is_ok();
        let behind = name.split_once('/').and_then(|(first, behind)| Some((Moment::of(first)?, behind)));
        let (moment, name) = behind.map_or((None, name), |(moment, behind)| (Some(moment), behind));
        Some(Self { key: RepoKey::parse(key).ok().filter(|_| whole)?, moment, name: Name::parse(name)? })
    }
}

/// The parameters of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// `n`: at most so many.
    pub n: Option<u64>,
    /// `last`: after this one.
    pub last: String,
    /// `digest`.
    pub digest: Option<String>,
    /// `digest-algorithm`: what the digest will be made with that comes last.
    pub digest_algorithm: Option<String>,
    /// `mount`.
    pub mount: Option<String>,
    /// `from`.
    pub from: Option<String>,
    /// `artifactType`, any of them.
    pub artifact_types: Vec<String>,
    /// `tag`.
    pub tags: Vec<String>,
    /// `after`: where a page of referrers goes on; ours.
    pub after: Option<String>,
}

/// Tags in one push at most.
const TAGS: usize = 32;

impl Query {
    /// Reads a query. Parameters that we do not know are left alone, as the specification wants it.
    pub fn parse(query: &str) -> Result<Self, ParseError> {
        let (mut found, mut last) = (Self::default(), None);
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match key.as_ref() {
                "n" => once(&mut found.n, &key, number(&value)?)?,
                "last" => once(&mut last, &key, value.into_owned())?,
                "digest" => once(&mut found.digest, &key, value.into_owned())?,
                "digest-algorithm" => once(&mut found.digest_algorithm, &key, value.into_owned())?,
                "mount" => once(&mut found.mount, &key, value.into_owned())?,
                "from" => once(&mut found.from, &key, value.into_owned())?,
                "artifactType" if !value.is_empty() => found.artifact_types.push(value.into_owned()),
                "tag" => found.tags.push(value.into_owned()),
                "after" => once(&mut found.after, &key, value.into_owned())?,
                _ => {}
            }
        }
        found.last = last.unwrap_or_default();
        Ok(found)
    }

    /// The tags that a manifest pushed by digest shall get.
    pub fn tags(&self) -> Result<Vec<RefName>, ParseError> {
        if self.tags.len() > TAGS {
            return Err(ParseError::Query(format!("at most {TAGS} tags in one push")));
        }
        Ok(self.tags.iter().map(|tag| RefName::parse(tag)).collect::<Result<_, _>>()?)
    }
}

/// Takes a parameter; given twice, nobody knows which one is meant.
fn once<T>(place: &mut Option<T>, key: &str, value: T) -> Result<(), ParseError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(ParseError::Query(format!("{key} is given twice"))),
    }
}

/// Digits only; more than fit count as the largest number.
fn number(text: &str) -> Result<u64, ParseError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().unwrap_or(u64::MAX));
    number.ok_or_else(|| ParseError::Query("n is a number".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn step(rest: &str) -> Option<(String, Step)> {
        match Address::parse(rest) {
            Ok(Address::Image(at, step)) => Some((at.to_string(), step)),
            _ => None,
        }
    }

    #[test]
    fn addresses_are_matched_from_the_right() {
        let text = str::to_owned;
        for (rest, name, wanted) in [
            ("k/a/tags/list", "k/a", Step::Tags),
            ("k/a/b/manifests/v1", "k/a/b", Step::Manifest(text("v1"))),
            ("k/a/blobs/sha256:00", "k/a", Step::Blob(text("sha256:00"))),
            ("k/a/blobs/sha256%3A00", "k/a", Step::Blob(text("sha256:00"))),
            ("k/a/blobs/uploads/", "k/a", Step::Uploads),
            ("k/a/blobs/uploads", "k/a", Step::Uploads),
            ("k/a/blobs/uploads/1-2", "k/a", Step::Upload(text("1-2"))),
            ("k/a/referrers/sha256:00", "k/a", Step::Referrers(text("sha256:00"))),
            ("k/manifests/manifests/manifests/manifests", "k/manifests/manifests", Step::Manifest(text("manifests"))),
            ("k/tags/list/tags/list", "k/tags/list", Step::Tags),
            ("k/blobs/uploads/blobs/uploads/x", "k/blobs/uploads", Step::Upload(text("x"))),
        ] {
            assert_eq!(step(rest), Some((name.to_owned(), wanted)), "{rest}");
        }
        assert_eq!(Address::parse("token"), Ok(Address::Token));
        assert_eq!(Address::parse("_catalog"), Ok(Address::Catalogue));
    }

    #[test]
    fn a_moment_stands_between_key_and_name() {
        let at = |text: &str| ImageAt::of(text).expect("an image");
        let new_year = at("k/at-20260101t000000z/a/b");
        assert_eq!((new_year.key.as_str(), new_year.name.as_str()), ("k", "a/b"));
        let read = new_year.moment.as_ref().and_then(|moment| moment.at);
        assert_eq!(read, Timestamp::parse("2026-01-01T00:00:00Z"));
        assert_eq!(new_year.to_string(), "k/at-20260101t000000z/a/b");
        for nonsense in ["20269901t000000z", "2026-01-01", "20260101", "2026-01-01t00-00-00z", "2026", "1767225600"] {
            let moment = at(&format!("k/at-{nonsense}/a")).moment.expect("something that is meant as a moment");
            assert_eq!(moment.at, None, "{nonsense}");
        }
        for (image, why) in [
            ("k/at-20260101T000000Z/a", MOMENT_SHAPE),
            ("k/at-2026-01-01T00:00:00Z/a/b", MOMENT_SHAPE),
            ("k/at-HOME/a", "lower-case letters"),
            ("k/at-2026.", "lower-case letters"),
        ] {
            let refused = Address::parse(&format!("{image}/manifests/v1")).expect_err("none");
            assert!(refused.to_string().contains(why), "{image}: {refused}");
        }
        for image in [
            "k/at-home/a",
            "k/at-home-2026/a",
            "k/at-24/a",
            "k/at-2026things/a",
            "k/at-2026-01-01",
            "k/at-20260101t000000z",
            "k/a/at-20260101t000000z",
        ] {
            assert_eq!((at(image).moment, at(image).name.as_str()), (None, &image[2..]), "{image}");
        }
    }

    #[test]
    fn hostile_addresses_are_refused_in_every_encoding() {
        for bad in [
            "k/manifests/v1",
            "manifests/v1",
            "k/a/manifests",
            "K/a/manifests/v1",
            "k/A/manifests/v1",
            "k/../a/manifests/v1",
            "k//a/manifests/v1",
            "k/a%2fb/manifests/v1",
            "k/a/manifests/v1/",
            "k%00/a/manifests/v1",
            "k/a/manifests/%2e%2e",
            "k/%2e%2e/x/a/manifests/v1",
            "k/a;b/manifests/v1",
            "k/a/manifests/a%2Fb",
            "../v1/repos",
            "k/a/blobs/uploads/x/y",
            "",
            "k/a/manifests/%252e%252e",
            "k\\a/manifests/v1",
            "k/a/tags/list/",
            "k/con/tags/list",
            "k/a/nul/b/manifests/v1",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
        let plain = Address::parse("private/a/manifests/v1");
        assert_eq!(Address::parse("privat%65/a/manifests/v1"), plain, "decoded once, before anybody looks");
    }

    #[test]
    fn numbers_are_capped_and_nonsense_is_refused() {
        assert_eq!(Query::parse("n=9223372036854775808999&last=x").map(|query| query.n), Ok(Some(u64::MAX)));
        assert_eq!(Query::parse("n=0").map(|query| query.n), Ok(Some(0)));
        for bad in ["n=-1", "n=", "n=1x", "n=0x10", "n=+1"] {
            assert!(Query::parse(bad).is_err(), "{bad}");
        }
        for twice in
            ["n=1&n=2", "last=a&last=a", "digest=a&digest=b", "mount=a&mount=b", "from=a&from=b", "after=a&after=b"]
        {
            assert!(Query::parse(twice).is_err(), "{twice}");
        }
        let many = vec!["tag=a"; 33].join("&");
        assert!(Query::parse(&many).is_ok_and(|query| query.tags().is_err()));
        assert!(Query::parse("tag=a/b").is_ok_and(|query| query.tags().is_err()));
    }

    proptest! {
        #[test]
        fn every_image_is_found_again(name in "[a-z0-9]{1,5}(/[a-z0-9]{1,5}){0,3}", tag in "[a-z0-9][a-z.]{0,9}") {
            let rest = format!("k/{name}/manifests/{tag}");
            let found = step(&rest);
            prop_assert_eq!(found, Some((format!("k/{name}"), Step::Manifest(tag))));
        }

        #[test]
        fn no_address_panics(rest in "\\PC{0,60}") {
            let _ = Address::parse(&rest);
            let _ = Query::parse(&rest);
        }
    }
}

//! What a client says of the bytes that it sends: every claim that we can check is checked, and one
//! that we cannot is refused rather than ignored.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use formats::Algorithm;
use http::{HeaderMap, header};
use model::Sha256Digest;
use registry::{Claims, Declared};

use crate::problem::Problem;

/// Reads the checksum headers of a body. What is stored as it is sent has no coding.
pub(crate) fn claims(headers: &HeaderMap) -> Result<Claims, Problem> {
    if let Some(coding) = headers.get(header::CONTENT_ENCODING).filter(|coding| *coding != "identity") {
        let coding = coding.to_str().unwrap_or("?").escape_debug().to_string();
        return Err(Problem::unsupported_media_type(format!(
            "files are stored as they are: send no Content-Encoding ({coding})"
        )));
    }
    let mut claims = Claims::default();
    for (name, value) in headers {
        let text = || value.to_str().map_err(|_| refuse(name.as_str(), "must be text"));
        match name.as_str() {
            "x-checksum-sha256" => claim(&mut claims, Algorithm::Sha256, hex(text()?, name.as_str())?, name.as_str())?,
            "x-checksum-sha1" => claim(&mut claims, Algorithm::Sha1, hex(text()?, name.as_str())?, name.as_str())?,
            "x-checksum-sha512" => claim(&mut claims, Algorithm::Sha512, hex(text()?, name.as_str())?, name.as_str())?,
            "x-checksum-md5" => claim(&mut claims, Algorithm::Md5, hex(text()?, name.as_str())?, name.as_str())?,
            "content-md5" => claim(&mut claims, Algorithm::Md5, base64(text()?, name.as_str())?, name.as_str())?,
            "content-digest" | "repr-digest" | "digest" => dictionary(&mut claims, text()?, name.as_str())?,
            _ => {}
        }
    }
    Ok(claims)
}

/// What is said of a file that comes whole. A part of one must not be taken for the whole (RFC 9110, 14.5).
pub(super) fn whole(headers: &HeaderMap) -> Result<Claims, Problem> {
    if headers.contains_key(header::CONTENT_RANGE) {
        return Err(refuse("content-range", "is not possible here: send the whole file"));
    }
    claims(headers)
}

/// Reads what is said of the file of a PUT: its digest, its length, its type. The rest of the claims stays.
pub(super) fn declared(headers: &HeaderMap, claims: &mut Claims) -> Result<Declared, Problem> {
    let sha256 = claims.take(Algorithm::Sha256).and_then(|digest| digest.try_into().ok()).map(Sha256Digest);
    Ok(Declared { sha256, length: length(headers)?, media_type: media_type(headers)? })
}

fn claim(claims: &mut Claims, algorithm: Algorithm, found: Vec<u8>, name: &str) -> Result<(), Problem> {
    let length = algorithm.length();
    if found.len() != length {
        return Err(refuse(name, &format!("must hold a digest of exactly {length} bytes")));
    }
    Ok(claims.add(algorithm, found)?)
}

fn hex(text: &str, name: &str) -> Result<Vec<u8>, Problem> {
    model::digest::unhex(text.trim()).ok_or_else(|| refuse(name, "must be lower-case hex digits"))
}

fn base64(text: &str, name: &str) -> Result<Vec<u8>, Problem> {
    STANDARD.decode(text.trim()).map_err(|_| refuse(name, "must hold its digest in base64"))
}

/// 400 about a header.
fn refuse(name: &str, why: &str) -> Problem {
    Problem::bad_request(format!("the header {name} {why}")).field(name, why)
}

/// `sha-256=:…:` of RFC 9530, or the older `SHA-256=…`, several separated by commas.
fn dictionary(claims: &mut Claims, text: &str, name: &str) -> Result<(), Problem> {
    for member in text.split(',') {
        let Some((algorithm, value)) = member.trim().split_once('=') else {
            return Err(refuse(name, "must be a list of algorithm=value"));
        };
        let value = base64(value.trim_matches(':'), name)?;
        match algorithm.to_ascii_lowercase().as_str() {
            "sha-256" => claim(claims, Algorithm::Sha256, value, name)?,
            "sha-512" => claim(claims, Algorithm::Sha512, value, name)?,
            "sha" => claim(claims, Algorithm::Sha1, value, name)?,
            "md5" => claim(claims, Algorithm::Md5, value, name)?,
            other => {
                let other = other.escape_debug();
                return Err(refuse(name, &format!("names the algorithm {other}, which cannot be checked here")));
            }
        }
    }
    Ok(())
}

fn length(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(header::CONTENT_LENGTH) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| refuse("content-length", "must be a number"))
}

fn media_type(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match (value.to_str(), values.next()) {
        (Ok(text), None) if text.len() <= 255 => Ok(Some(text.to_owned())),
        _ => Err(refuse("content-type", "must be given once, as text of at most 255 bytes")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(headers: &[(&str, &str)]) -> Result<Declared, u16> {
        let mut request = http::Request::put("/x");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let read = claims(&parts.headers).and_then(|mut claims| declared(&parts.headers, &mut claims));
        read.map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn digests_are_read_from_every_header_and_must_agree() {
        let hex = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let b64 = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
        for header in [
            ("x-checksum-sha256", hex.to_owned()),
            ("content-digest", format!("sha-256=:{b64}:")),
            ("digest", format!("SHA-256={b64}")),
        ] {
            let found = read(&[(header.0, &header.1)]).expect("read");
            assert_eq!(found.sha256.map(|digest| digest.hex()).as_deref(), Some(hex), "{header:?}");
        }
        assert_eq!(
            read(&[("x-checksum-sha256", hex), ("digest", &format!("SHA-256={}", STANDARD.encode([0; 32])))]).err(),
            Some(400)
        );
        assert_eq!(read(&[("x-checksum-sha256", &hex.to_uppercase())]).err(), Some(400));
        assert_eq!(read(&[("x-checksum-sha256", "abcd")]).err(), Some(400));
        assert_eq!(read(&[("content-digest", "blake3=:AA==:")]).err(), Some(400));
        assert_eq!(read(&[("content-encoding", "gzip")]).err(), Some(415));
    }

    proptest! {
        /// Every way to say a digest means the same one.
        #[test]
        fn a_digest_is_the_same_in_every_spelling(digest: [u8; 32]) {
            let (hex, b64) = (model::digest::hex(&digest), STANDARD.encode(digest));
            let said = [
                ("x-checksum-sha256", hex), ("content-digest", format!("sha-256=:{b64}:")),
                ("repr-digest", format!(" sha-256=:{b64}:")), ("digest", format!("SHA-256={b64}")),
            ];
            let said: Vec<(&str, &str)> = said.iter().map(|(name, value)| (*name, value.as_str())).collect();
            prop_assert_eq!(read(&said).expect("they agree").sha256, Some(Sha256Digest(digest)));
        }

        #[test]
        fn no_value_panics(value in "[ -~]{0,80}") {
            for name in ["x-checksum-sha1", "content-md5", "content-digest", "digest", "content-length", "content-type"] {
                prop_assert!(matches!(read(&[(name, &value)]), Ok(_) | Err(400)));
            }
        }
    }
}

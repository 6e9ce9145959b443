//! Sealing: what must be shown to others again (credentials of upstreams) is kept encrypted, for one place alone.
//!
//! A sealed text is a version byte, the id of the master key, a nonce, and the text under ChaCha20-Poly1305
//! (RFC 8439) with a key derived from the master key. Version, key id and place are authenticated with it, so that it
//! opens with the same key at the same place and nowhere else.

use model::{Ambient, Secret};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

/// The one way of sealing there is.
const VERSION: u8 = 1;
/// Bytes of a master key's id.
const ID: usize = 8;
/// Bytes before the ciphertext.
const HEAD: usize = 1 + ID + NONCE_LEN;

/// Seals and opens with one master key.
pub(crate) struct Seal {
    key: LessSafeKey,
    /// Tells the master key from others and nothing else of it.
    id: [u8; ID],
    /// For hashes that nobody may guess from.
    pepper: [u8; 32],
}

/// Why a sealed text does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Sealed {
    /// The master key is not the one that it was sealed with.
    #[error("was sealed with another master key")]
    OtherKey,
    /// It was sealed for another place, or its bytes have changed.
    #[error("was sealed for another place, or is damaged")]
    Elsewhere,
}

impl Sealed {
    /// What helps.
    pub fn help(self) -> &'static str {
        match self {
            Self::OtherKey => "start the server with that key, or give upstreamAuth again",
            Self::Elsewhere => "give upstreamAuth again",
        }
    }
}

/// So many bytes are derived.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl Seal {
    /// `None` where the cryptography refuses, which it does not for these lengths.
    pub(crate) fn new(master: &Secret<[u8; 32]>) -> Option<Self> {
        let root = Salt::new(HKDF_SHA256, b"artifortress").extract(master.expose());
        let key = root.expand(&[b"seal 1"], &CHACHA20_POLY1305).ok().map(UnboundKey::from)?;
        let (id, pepper) = (derived(&root, b"key id")?, derived(&root, b"pepper")?);
        Some(Self { key: LessSafeKey::new(key), id, pepper })
    }

    /// `text`, sealed for `place`.
    pub(crate) fn seal(&self, ambient: &Ambient, place: &[u8], text: &Secret<Vec<u8>>) -> Option<Vec<u8>> {
        let nonce = ambient.bytes::<NONCE_LEN>();
        let mut body = text.expose().clone();
        let aad = Aad::from(self.authenticated(place));
        self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body).ok()?;
        Some([&[VERSION][..], &self.id, &nonce, &body].concat())
    }

    /// What was sealed for `place`.
    pub(crate) fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Secret<Vec<u8>>, Sealed> {
        let (head, body) = sealed.split_at_checked(HEAD).ok_or(Sealed::Elsewhere)?;
        let (version, rest) = head.split_first().ok_or(Sealed::Elsewhere)?;
        let (id, nonce) = rest.split_at_checked(ID).ok_or(Sealed::Elsewhere)?;
        if *version != VERSION {
            return Err(Sealed::Elsewhere);
        }
        if id != self.id {
            return Err(Sealed::OtherKey);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Sealed::Elsewhere)?;
        let mut body = body.to_vec();
        let opened = self.key.open_in_place(nonce, Aad::from(self.authenticated(place)), &mut body);
        let length = opened.map_err(|_| Sealed::Elsewhere)?.len();
        body.truncate(length);
        Ok(Secret::new(body))
    }

    /// Unknown to whoever has the database alone: what is hashed with it cannot be guessed from the hash.
    pub(crate) fn pepper(&self) -> &[u8; 32] {
        &self.pepper
    }

    fn authenticated(&self, place: &[u8]) -> Vec<u8> {
        [&[VERSION][..], &self.id, place].concat()
    }
}

fn derived<const N: usize>(root: &Prk, purpose: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    root.expand(&[purpose], Length(N)).ok()?.fill(&mut bytes).ok()?;
    Some(bytes)
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(byte: u8) -> Seal {
        Seal::new(&Secret::new([byte; 32])).expect("a seal")
    }

    fn sealed(place: &[u8]) -> Vec<u8> {
        seal(1).seal(&Ambient::system(), place, &Secret::new(b"hunter2".to_vec())).expect("sealed")
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_key_at_the_same_place() {
        let text = sealed(b"here");
        assert_eq!(seal(1).open(b"here", &text).expect("open").expose(), b"hunter2");
        assert_eq!(seal(1).open(b"there", &text).expect_err("another place"), Sealed::Elsewhere);
        assert_eq!(seal(2).open(b"here", &text).expect_err("another key"), Sealed::OtherKey);
        assert!(!text.windows(7).any(|part| part == b"hunter2"));
    }

    #[test]
    fn the_same_text_is_sealed_differently_each_time() {
        assert_ne!(sealed(b"here")[1 + ID..], sealed(b"here")[1 + ID..]);
    }

    #[test]
    fn damage_is_seen_at_every_byte_and_every_length() {
        let text = sealed(b"here");
        for at in 0..text.len() {
            let mut damaged = text.clone();
            damaged[at] ^= 1;
            let expected = if (1..=ID).contains(&at) { Sealed::OtherKey } else { Sealed::Elsewhere };
            assert_eq!(seal(1).open(b"here", &damaged).expect_err("damaged"), expected, "{at}");
            assert!(seal(1).open(b"here", &text[..at]).is_err(), "{at}");
        }
    }

    #[test]
    fn nothing_of_it_is_printed() {
        assert_eq!(format!("{:?}", seal(7)), "Seal");
    }
}

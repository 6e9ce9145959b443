//! Physical keys: where a copy lives. Fresh for every copy, never used twice.

use std::str::FromStr;

use model::Ambient;
use uuid::Uuid;

/// The part of the store that a key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// Copies of one blob each.
    Blobs,
    /// Packs of many small blobs.
    Packs,
    /// Parts of uploads that are still open.
    Parts,
}

impl Area {
    /// Every area.
    pub const ALL: [Self; 3] = [Self::Blobs, Self::Packs, Self::Parts];

    /// The first segment of the area's keys.
    pub fn word(self) -> &'static str {
        match self {
            Self::Blobs => "blobs",
            Self::Packs => "packs",
            Self::Parts => "parts",
        }
    }
}

/// A key: `<area>/<two hex digits>/<uuid>`, relative to the store's root. It cannot leave the root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Box<str>);

/// A text that is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a blob key is <blobs|packs|parts>/<two hex digits>/<uuid>")]
pub struct KeyError;

impl Key {
    /// A key that nobody has used: unique by the randomness of `ambient`, and refused by the store if it is not.
    pub fn fresh(area: Area, ambient: &Ambient) -> Self {
        Self::from_uuid(area, ambient.id())
    }

    /// The folder is named by the id's last digits: its first ones are time and would fill one folder at a time.
    fn from_uuid(area: Area, id: Uuid) -> Self {
        Self(format!("{}/{:02x}/{id}", area.word(), id.as_bytes()[15]).into())
    }

    /// Reads a key. Only the exact form that [`Key::fresh`] makes is accepted.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut segments = text.splitn(3, '/');
        let area = segments.next().ok_or(KeyError)?;
        let area = Area::ALL.into_iter().find(|known| known.word() == area).ok_or(KeyError)?;
        let id = segments.nth(1).and_then(|id| Uuid::parse_str(id).ok()).ok_or(KeyError)?;
        let key = Self::from_uuid(area, id);
        if key.as_str() == text { Ok(key) } else { Err(KeyError) }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The area that the key belongs to.
    pub fn area(&self) -> Option<Area> {
        let word = self.0.split('/').next()?;
        Area::ALL.into_iter().find(|area| area.word() == word)
    }

    /// The last segment, unique by itself.
    pub(crate) fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The folder: everything before the last segment.
    pub(crate) fn folder(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fresh_keys_are_read_back_and_differ() {
        let ambient = Ambient::system();
        for area in Area::ALL {
            let key = Key::fresh(area, &ambient);
            assert_eq!(Key::parse(key.as_str()), Ok(key.clone()));
            assert_ne!(Key::fresh(area, &ambient), key);
            assert_eq!(format!("{}/{}", key.folder(), key.name()), key.as_str());
        }
    }

    #[test]
    fn nothing_else_is_a_key() {
        let id = "01890a5d-ac96-774b-bcce-b302099a80ab";
        assert!(Key::parse(&format!("blobs/ab/{id}")).is_ok());
        for bad in [
            String::new(),
            id.to_owned(),
            format!("/blobs/ab/{id}"),
            format!("staging/ab/{id}"),
            format!("blobs/ac/{id}"),
            format!("blobs/../{id}"),
            format!("blobs/ab/{id}/"),
            format!("blobs/ab/../{id}"),
            format!("blobs//ab/{id}"),
            format!("blobs/ab/{}", id.to_uppercase()),
            format!("blobs/ab/{{{id}}}"),
        ] {
            assert_eq!(Key::parse(&bad), Err(KeyError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_stays_inside(text in "(blobs|packs|parts|[./]{0,4})/[./0-9a-f]{0,4}/[-./0-9a-f]{0,40}") {
            if let Ok(key) = Key::parse(&text) {
                prop_assert!(!key.as_str().contains("..") && !key.as_str().starts_with('/'));
            }
        }
    }
}

//! How the fields of a manifest are spelled: another reader, one that does not mind upper and lower case or takes the
//! last of two, must not take a field for ours that we pass over.

use model::json::{self, Fault, Step};

const FIELDS: [&str; 9] =
    ["schemaVersion", "mediaType", "artifactType", "config", "layers", "blobs", "manifests", "subject", "annotations"];
const DESCRIPTOR_FIELDS: [&str; 4] = ["mediaType", "digest", "size", "urls"];
/// Keys of one object at most: the walk keeps them while it is in there.
const KEYS: usize = 4000;

/// Refuses, saying why, what two readers could read differently.
pub(super) fn check(manifest: &[u8]) -> Result<(), Fault> {
    json::walk(manifest, &mut |place, before, key| {
        if before == KEYS {
            return Err(format!("an object has more than {KEYS} keys"));
        }
        let twin = |field: &&str| *field != key && folded(field).eq(folded(key));
        match fields(place).iter().any(twin) {
            true => Err("this field is spelled so that readers would differ".to_owned()),
            false => Ok(()),
        }
    })
}

/// What a reader makes of a key that folds letters as Unicode does, Go's among them: besides the capital ones, the long
/// s and the sign of the kelvin are letters of our fields.
fn folded(key: &str) -> impl Iterator<Item = char> {
    key.chars().map(|letter| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        letter => letter.to_ascii_lowercase(),
    })
}

/// The fields of ours that an object at this place has.
fn fields(place: &[Step]) -> &'static [&'static str] {
    match place {
        [] => &FIELDS,
        [Step::Key(one)] if matches!(one.as_str(), "config" | "subject") => &DESCRIPTOR_FIELDS,
        [Step::Key(list), Step::Index(_)] if matches!(list.as_str(), "layers" | "blobs" | "manifests") => {
            &DESCRIPTOR_FIELDS
        }
        _ => &[],
    }
}

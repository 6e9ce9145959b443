//! Composed and decomposed letters: one name to people, rules and claims, and several to those who compare bytes.

/// Spellings of one path at most: what has more is spelled in two ways as a whole.
const MOST: usize = 16;

/// A path with each of its segments in composed and in decomposed letters, in every combination: folders come from one
/// system and files from another.
pub(super) fn spellings(path: &str) -> Vec<String> {
    let mut spelled = vec![String::new()];
    for (place, segment) in path.split('/').enumerate() {
        let mut ways = vec![model::composed(segment), model::decomposed(segment)];
        ways.dedup();
        if spelled.len() * ways.len() > MOST {
            return vec![model::composed(path), model::decomposed(path)];
        }
        let slash = if place == 0 { "" } else { "/" };
        spelled = spelled.iter().flat_map(|head| ways.iter().map(move |way| format!("{head}{slash}{way}"))).collect();
    }
    spelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_segment_is_spelled_in_both_ways() {
        let found = spellings("caf\u{e9}/plain/de\u{301}");
        let wanted = [
            "caf\u{e9}/plain/d\u{e9}",
            "caf\u{e9}/plain/de\u{301}",
            "cafe\u{301}/plain/d\u{e9}",
            "cafe\u{301}/plain/de\u{301}",
        ];
        assert_eq!(found, wanted);
        assert_eq!(spellings("a/b"), ["a/b"]);
        assert_eq!(spellings(&"\u{e9}/".repeat(7)).len(), 2);
    }
}

//! The `Range` request header.
//!
//! One range is honoured. A request for several is answered with the whole thing (RFC 9110 §14.2 lets a
//! server ignore the header): no client of ours needs `multipart/byteranges`, and a thousand overlapping
//! ranges are an attack. What is not a byte range in valid syntax is ignored likewise; a range that begins
//! outside the thing, or ends before it begins, is 416.

use http::{HeaderMap, HeaderValue, header};

/// What to send of a thing of known length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of it, with 200.
    Whole,
    /// These bytes, with 206; `start < end <= length`.
    Part {
        /// First byte.
        start: u64,
        /// One past the last byte.
        end: u64,
    },
    /// Nothing, with 416: see [`crate::Problem::outside`].
    Outside,
}

impl Selection {
    /// How many bytes it selects of `length`.
    pub fn len(self, length: u64) -> u64 {
        match self {
            Self::Whole => length,
            Self::Part { start, end } => end - start,
            Self::Outside => 0,
        }
    }

    /// Whether it selects no byte of `length`.
    pub fn is_empty(self, length: u64) -> bool {
        self.len(length) == 0
    }

    /// The `Content-Range` of a 206.
    pub fn content_range(self, length: u64) -> Option<HeaderValue> {
        let Self::Part { start, end } = self else { return None };
        HeaderValue::try_from(format!("bytes {start}-{}/{length}", end - 1)).ok()
    }
}

/// Reads the header of a GET for a thing of `length` bytes. Check `If-Range` before.
pub fn select(headers: &HeaderMap, length: u64) -> Selection {
    let mut lines = headers.get_all(header::RANGE).iter();
    match (lines.next(), lines.next()) {
        (Some(one), None) => one.to_str().map_or(Selection::Whole, |text| parse(text, length)),
        _ => Selection::Whole,
    }
}

fn parse(text: &str, length: u64) -> Selection {
    let Some((unit, spec)) = text.split_once('=') else { return Selection::Whole };
    let Some((first, last)) = spec.trim().split_once('-') else { return Selection::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Selection::Whole;
    }
    match (number(first), number(last)) {
        (Some(Number::Empty), Some(Number::Is(suffix))) => tail(suffix, length),
        (Some(Number::Is(start)), Some(Number::Empty)) => part(start, u64::MAX, length),
        (Some(Number::Is(start)), Some(Number::Is(last))) if start <= last => part(start, last, length),
        (Some(Number::Is(_)), Some(Number::Is(_))) => Selection::Outside,
        _ => Selection::Whole,
    }
}

enum Number {
    Empty,
    Is(u64),
}

/// Digits only; more than fit count as the largest number, which is as far outside.
fn number(text: &str) -> Option<Number> {
    match text {
        "" => Some(Number::Empty),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(Number::Is(digits.parse().unwrap_or(u64::MAX)))
        }
        _ => None,
    }
}

fn part(start: u64, last: u64, length: u64) -> Selection {
    if start >= length {
        return Selection::Outside;
    }
    Selection::Part { start, end: last.saturating_add(1).min(length) }
}

fn tail(suffix: u64, length: u64) -> Selection {
    if suffix == 0 || length == 0 {
        return Selection::Outside;
    }
    Selection::Part { start: length.saturating_sub(suffix), end: length }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(start: u64, end: u64) -> Selection {
        Selection::Part { start, end }
    }

    #[test]
    fn single_ranges_of_ten_bytes() {
        for (text, expected) in [
            ("bytes=0-3", part(0, 4)),
            ("bytes=0-0", part(0, 1)),
            ("bytes=3-", part(3, 10)),
            ("bytes=-3", part(7, 10)),
            ("bytes=-99", part(0, 10)),
            ("bytes=9-99", part(9, 10)),
            ("Bytes= 0-3 ", part(0, 4)),
            ("bytes=0-18446744073709551615", part(0, 10)),
            ("bytes=0-99999999999999999999999", part(0, 10)),
            ("bytes=-99999999999999999999999", part(0, 10)),
            ("bytes=10-", Selection::Outside),
            ("bytes=10-11", Selection::Outside),
            ("bytes=-0", Selection::Outside),
            ("bytes=3-1", Selection::Outside),
            ("bytes=99999999999999999999999-", Selection::Outside),
        ] {
            assert_eq!(parse(text, 10), expected, "{text}");
        }
    }

    #[test]
    fn several_or_malformed_ranges_give_the_whole() {
        for text in [
            "bytes=0-1,3-4",
            "bytes=--3",
            "bytes=-1-3",
            "bytes=+1-3",
            "bytes=1-3x",
            "bytes=",
            "bytes=-",
            "bytes",
            "items=0-1",
            "bytes=0x0-1",
            "bytes=٣-٤",
        ] {
            assert_eq!(parse(text, 10), Selection::Whole, "{text}");
        }
        let thousand = format!("bytes={}", "0-9,".repeat(1000));
        assert_eq!(parse(&thousand, 10), Selection::Whole);
        let mut headers = HeaderMap::new();
        headers.append(header::RANGE, HeaderValue::from_static("bytes=0-1"));
        headers.append(header::RANGE, HeaderValue::from_static("bytes=2-3"));
        assert_eq!(select(&headers, 10), Selection::Whole);
    }

    #[test]
    fn of_nothing_every_range_is_outside() {
        for text in ["bytes=0-0", "bytes=0-", "bytes=-1"] {
            assert_eq!(parse(text, 0), Selection::Outside, "{text}");
        }
    }

    #[test]
    fn content_range_counts_inclusively() {
        assert_eq!(part(2, 5).content_range(10).unwrap(), "bytes 2-4/10");
        assert_eq!(Selection::Whole.content_range(10), None);
    }

    proptest! {
        #[test]
        fn a_part_is_never_empty_and_never_beyond(text in "bytes=[0-9]{0,21}-[0-9]{0,21}", length: u64) {
            if let Selection::Part { start, end } = parse(&text, length) {
                prop_assert!(start < end && end <= length);
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC*", length: u64) {
            let _ = parse(&text, length);
        }

        #[test]
        fn what_is_asked_inside_is_given(start in 0u64..1000, more in 0u64..1000, rest in 1u64..1000) {
            let (last, length) = (start + more, start + more + rest);
            prop_assert_eq!(parse(&format!("bytes={start}-{last}"), length), part(start, last + 1));
        }
    }
}

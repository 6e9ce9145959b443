//! A small reader of raw HTTP/1 heads, for the one question that the parser cannot answer afterwards:
//! how many `Content-Length` lines did this head have? (hyper drops them beside `Transfer-Encoding`.)
//!
//! It knows where a head begins only while it can count what lies between heads. A chunked body ends
//! that knowledge for the rest of the connection; it then answers "unknown", never a guess.

use memchr::memchr;

/// Longest line prefix worth keeping: the name, a colon, some blanks and twenty digits.
const KEPT: usize = 64;

/// Where in the stream the reader is.
#[derive(Debug)]
enum Place {
    Head,
    /// So many bytes of body to come.
    Body(u64),
    /// It cannot tell any more.
    Lost,
}

/// The reader of one connection.
#[derive(Debug)]
pub(crate) struct HeadScan {
    place: Place,
    line: [u8; KEPT],
    length: usize,
    head_bytes: usize,
    first_byte: Option<u8>,
    any_line: bool,
    lengths: u8,
    content_length: u64,
    chunked: bool,
}

impl HeadScan {
    pub(crate) fn new() -> Self {
        Self {
            place: Place::Head,
            line: [0; KEPT],
            length: 0,
            head_bytes: 0,
            first_byte: None,
            any_line: false,
            lengths: 0,
            content_length: 0,
            chunked: false,
        }
    }

    /// Bytes of the unfinished head; 0 outside of heads or when unknown.
    pub(crate) fn unfinished(&self) -> usize {
        if matches!(self.place, Place::Head) { self.head_bytes } else { 0 }
    }

    /// Whether what came is a greeting of TLS (RFC 8446, section 5.1: a record of type handshake) and no head.
    pub(crate) fn is_tls(&self) -> bool {
        self.first_byte == Some(22)
    }

    /// Whether not even the request line has arrived whole.
    pub(crate) fn in_first_line(&self) -> bool {
        !self.any_line
    }

    /// Reads on. `fresh` says that every earlier request was taken up. Gives the number of
    /// `Content-Length` lines when a head ends here.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], fresh: bool) -> Option<u8> {
        let mut ended = None;
        while !bytes.is_empty() {
            match self.place {
                Place::Lost => return ended,
                Place::Body(0) if fresh && ended.is_none() => *self = Self::new(),
                Place::Body(0) => self.place = Place::Lost,
                Place::Body(left) => {
                    let here = left.min(bytes.len() as u64);
                    self.place = Place::Body(left - here);
                    bytes = bytes.get(usize::try_from(here).unwrap_or(0)..).unwrap_or(&[]);
                }
                Place::Head => {
                    self.first_byte = self.first_byte.or(bytes.first().copied());
                    let (end, rest) = match memchr(b'\n', bytes) {
                        Some(at) => (true, bytes.get(at + 1..).unwrap_or(&[])),
                        None => (false, &[][..]),
                    };
                    let line = bytes.get(..bytes.len() - rest.len() - usize::from(end)).unwrap_or(&[]);
                    self.head_bytes += line.len() + usize::from(end);
                    self.keep(line);
                    bytes = rest;
                    if end && self.end_line() {
                        ended = Some(self.lengths);
                    }
                }
            }
        }
        ended
    }

    fn keep(&mut self, part: &[u8]) {
        let room = self.line.get_mut(self.length..).unwrap_or_default();
        let kept = room.len().min(part.len());
        if let (Some(to), Some(from)) = (room.get_mut(..kept), part.get(..kept)) {
            to.copy_from_slice(from);
        }
        self.length += kept;
    }

    /// Takes up a whole line; true when it ended the head.
    fn end_line(&mut self) -> bool {
        let line = self.line.get(..self.length).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.length = 0;
        if line.is_empty() {
            if !self.any_line {
                return false;
            }
            self.place = if self.chunked { Place::Lost } else { Place::Body(self.content_length) };
            return true;
        }
        self.any_line = true;
        if let Some(value) = value_of(line, b"content-length:") {
            self.lengths = self.lengths.saturating_add(1);
            self.content_length = number(value);
        } else if value_of(line, b"transfer-encoding:").is_some() {
            self.chunked = true;
        }
        false
    }
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (head, value) = line.split_at_checked(name.len())?;
    head.eq_ignore_ascii_case(name).then_some(value)
}

/// What is not a plain number is refused by the parser anyway; here it only must not mislead.
fn number(value: &[u8]) -> u64 {
    std::str::from_utf8(value.trim_ascii()).ok().and_then(|text| text.parse().ok()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn it_counts_content_length_lines_however_the_bytes_arrive() {
        let head = b"POST / HTTP/1.1\r\ncontent-LENGTH: 3\r\nTransfer-Encoding: chunked\r\nContent-Length:3\r\n\r\n";
        for step in [1, 2, 7, 16, head.len()] {
            let mut scan = HeadScan::new();
            let ends: Vec<u8> = head.chunks(step).filter_map(|part| scan.feed(part, true)).collect();
            assert_eq!(ends, [2], "in steps of {step}");
        }
    }

    #[test]
    fn it_keeps_its_place_over_bodies_of_known_length() {
        let mut scan = HeadScan::new();
        assert_eq!(scan.feed(b"POST / HTTP/1.1\r\nContent-Length: 30\r\n\r\ncontent-length: 1\r\n", true), Some(1));
        assert_eq!(scan.feed(b"content-len", false), None);
        assert_eq!(scan.feed(PLAIN, true), Some(0));
        assert_eq!(scan.feed(PLAIN, true), Some(0));
    }

    #[test]
    fn a_chunked_body_or_pipelining_ends_its_knowledge() {
        let mut scan = HeadScan::new();
        assert_eq!(scan.feed(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true), Some(0));
        assert_eq!(scan.feed(PLAIN, true), None);
        let mut scan = HeadScan::new();
        assert_eq!(scan.feed(&[PLAIN, PLAIN].concat(), true), Some(0));
        assert_eq!(scan.feed(PLAIN, true), None);
    }

    #[test]
    fn it_counts_the_bytes_of_an_unfinished_head() {
        let mut scan = HeadScan::new();
        scan.feed(b"GET /", true);
        assert!(scan.in_first_line());
        assert_eq!(scan.unfinished(), 5);
        scan.feed(b" HTTP/1.1\r\nA: b", true);
        assert!(!scan.in_first_line());
        assert_eq!(scan.unfinished(), 20);
        scan.feed(b"\r\n\r\n", true);
        assert_eq!(scan.unfinished(), 0);
    }

    #[test]
    fn a_greeting_of_tls_is_known_by_its_first_byte() {
        for (bytes, tls) in [(&b"\x16\x03\x01\x02\n\n"[..], true), (PLAIN, false), (b"", false)] {
            let mut scan = HeadScan::new();
            scan.feed(bytes, true);
            assert_eq!(scan.is_tls(), tls);
        }
    }

    #[test]
    fn blank_lines_before_a_request_are_not_a_head() {
        let mut scan = HeadScan::new();
        assert_eq!(scan.feed(b"\r\n\r\n", true), None);
        assert_eq!(scan.feed(PLAIN, true), Some(0));
    }

    proptest! {
        #[test]
        fn how_the_bytes_arrive_changes_nothing(lines in prop::collection::vec(prop::sample::select(LINES.to_vec()), 0..12), step in 1usize..40) {
            let bytes = lines.concat().into_bytes();
            let (mut whole, mut cut) = (HeadScan::new(), HeadScan::new());
            let at_once = whole.feed(&bytes, false);
            let in_pieces: Vec<u8> = bytes.chunks(step).filter_map(|part| cut.feed(part, false)).collect();
            prop_assert_eq!(at_once.as_slice(), in_pieces);
            prop_assert_eq!((whole.unfinished(), whole.in_first_line()), (cut.unfinished(), cut.in_first_line()));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), fresh: bool) {
            let mut scan = HeadScan::new();
            for part in bytes.chunks(7) {
                scan.feed(part, fresh);
            }
        }
    }

    /// Pieces of heads and bodies.
    const LINES: [&str; 9] = [
        "GET / HTTP/1.1\r\n",
        "Content-Length: 3\r\n",
        "content-length:18446744073709551616\n",
        "Content-Length : 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "\r\n",
        "\n",
        "\r",
        "abc",
    ];
}

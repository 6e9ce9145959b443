//! `Content-Disposition` whose file name cannot say anything but a file name.

use http::HeaderValue;
use model::is_invisible;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 8187 lets stand unencoded.
const EXTENDED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Longest file name told, in characters.
const LONGEST: usize = 255;

/// `attachment` under this name: the browser saves instead of showing.
pub fn attachment(name: &str) -> HeaderValue {
    build("attachment", name)
}

/// `inline` under this name. Only for types that run nothing.
pub fn inline(name: &str) -> HeaderValue {
    build("inline", name)
}

/// The last segment of `name`, in plain ASCII for old readers and encoded for the others.
fn build(kind: &'static str, name: &str) -> HeaderValue {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().filter(|c| !c.is_control() && !is_invisible(*c)).take(LONGEST).collect();
    if kept.is_empty() || kept == "." || kept == ".." {
        return HeaderValue::from_static(kind);
    }
    let plain: String = kept.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let mut text = format!("{kind}; filename=\"{plain}\"");
    if plain != kept {
        text.push_str("; filename*=UTF-8''");
        text.extend(utf8_percent_encode(&kept, EXTENDED));
    }
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(kind))
}

fn is_plain(c: char) -> bool {
    c == ' ' || (c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%' | ';' | '/'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_names_stay_and_others_are_encoded() {
        assert_eq!(attachment("a-1.0.tar.gz"), "attachment; filename=\"a-1.0.tar.gz\"");
        assert_eq!(attachment("dir/a b.txt"), "attachment; filename=\"a b.txt\"");
        assert_eq!(inline("ä€.txt"), "inline; filename=\"__.txt\"; filename*=UTF-8''%C3%A4%E2%82%AC.txt");
    }

    #[test]
    fn nothing_breaks_out_of_the_quotes() {
        assert_eq!(
            attachment("a\"; filename=\"b.exe"),
            "attachment; filename=\"a__ filename=_b.exe\"; filename*=UTF-8''a%22%3B%20filename%3D%22b.exe"
        );
        assert_eq!(attachment("a\r\nSet-Cookie: x"), "attachment; filename=\"aSet-Cookie: x\"");
        assert_eq!(attachment("invoice\u{202e}fdp.exe"), "attachment; filename=\"invoicefdp.exe\"");
        assert_eq!(attachment("..\\..\\a.bat"), "attachment; filename=\"a.bat\"");
        assert_eq!(attachment(".."), "attachment");
        assert_eq!(attachment(""), "attachment");
    }

    proptest! {
        #[test]
        fn any_name_gives_exactly_one_quoted_string(name in any::<String>()) {
            let value = attachment(&name);
            let text = value.to_str().unwrap();
            prop_assert!(text.starts_with("attachment"));
            prop_assert!(matches!(text.matches('"').count(), 0 | 2));
            prop_assert!(text.len() < 255 * 14);
        }
    }
}

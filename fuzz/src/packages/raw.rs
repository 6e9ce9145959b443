//! Files of any kind.

use formats::raw::Raw;

use crate::request;

pub(crate) fn request(bytes: &[u8]) -> bool {
    request::run(&Raw, bytes)
}

pub(crate) fn requests() -> Vec<Vec<u8>> {
    super::plain(&["GET a/b.txt", "PUT a/%C3%A4%20b.txt", "GET a/", "DELETE a/b.txt", "HEAD "])
}

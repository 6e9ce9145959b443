//! Files of any kind.

pub(crate) fn requests() -> Vec<Vec<u8>> {
    super::plain(&["GET a/b.txt", "PUT a/%C3%A4%20b.txt", "GET a/", "DELETE a/b.txt", "HEAD "])
}

//! Bodies that are not what the head said.

use acceptance::Result;
use acceptance::http::Connection;
use serde_json::json;

use super::left_nothing;
use crate::shape::{ask, check, refused};
use crate::site::{Site, ensure};

/// Each cut leaves nothing behind and hurts nobody else.
#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing() -> Result<()> {
    for site in [Site::embedded().await?, Site::scaled().await?] {
        site.repository("files", json!({})).await?;
        let large = "x".repeat(300_000);
        let cuts = [
            ("nothing of it", "Content-Length: 10\r\n\r\n".to_string()),
            ("half of it", "Content-Length: 10\r\n\r\nhello".to_string()),
            ("all but one byte of a large one", format!("Content-Length: 300001\r\n\r\n{large}")),
            ("chunked without an end", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n".to_string()),
            ("chunked, a chunk cut", format!("Transfer-Encoding: chunked\r\n\r\n493e1\r\n{large}")),
            ("chunked, a length cut", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1".to_string()),
            ("chunked, the last line cut", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n".to_string()),
        ];
        for (number, (what, rest)) in cuts.iter().enumerate() {
            let path = format!("/repository/files/{number}");
            let mut connection = Connection::open(site.server.address()?).await?;
            let head =
                format!("PUT {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n{rest}", site.admin.token());
            connection.write_raw(head.as_bytes()).await?;
            connection.finish_writing().await?;
            ensure(connection.closes().await, format!("{what}: the connection stays"))?;
            left_nothing(&site.admin, &path).await?;
        }
        ensure(staged(&site)? == 0, "a staged file stayed")?;
    }
    Ok(())
}

/// Files of more than 100 KiB in the store: each would be a body that broke off.
fn staged(site: &Site) -> Result<usize> {
    let mut folders = vec![site.server.blobs().to_path_buf()];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)?.flatten() {
            match entry.file_type()?.is_dir() {
                true => folders.push(entry.path()),
                false => count += usize::from(entry.metadata()?.len() > 100 << 10),
            }
        }
    }
    Ok(count)
}

/// Bytes behind the announced length are the next request, and here no request.
#[tokio::test]
async fn bytes_behind_the_announced_length_are_not_the_files() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("files", json!({})).await?;
    let mut connection = Connection::open(site.server.address()?).await?;
    let head = format!(
        "PUT /repository/files/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 5\r\n\r\n",
        site.admin.token()
    );
    connection.write_raw(format!("{head}hello and more\r\n\r\n").as_bytes()).await?;
    let first = connection.read_answer(false).await?;
    check(&first)?;
    ensure(first.status == 201, format!("{first:?}"))?;
    let second = connection.read_answer(false).await?;
    ensure(second.status == 400, format!("{second:?}"))?;
    ensure(connection.closes().await, "and the connection ends")?;
    ensure(ask(site.admin.get("/repository/files/a")).await?.text() == "hello", "five bytes were stored")
}

#[tokio::test]
async fn a_published_path_never_changes() -> Result<()> {
    for site in [Site::embedded().await?, Site::scaled().await?] {
        site.repository("files", json!({})).await?;
        let path = "/repository/files/a.txt";
        let first = ask(site.admin.put(path).body("one")).await?.expect(&[201])?;
        let tag = first.header("etag").unwrap_or_default().to_string();
        let writer = site.person("writer", &["repo:files:write"]).await?;
        for body in ["two", "one", "", "one "] {
            for client in [&*site.admin, &*writer] {
                refused(client.put(path).body(body), 409).await?;
                refused(client.put(path).chunks(vec![body.into()]), 409).await?;
                refused(client.put(path).header("If-Match", &tag).body(body), 409).await?;
            }
        }
        refused(writer.delete(path), 403).await?;
        ensure(ask(site.admin.get(path)).await?.text() == "one", "it is what it was")?;
        // Withdrawn: gone, and the place stays taken.
        ask(site.admin.delete(path)).await?.expect(&[204])?;
        refused(site.admin.get(path), 410).await?;
        ensure(ask(site.admin.head(path)).await?.status == 410, "also for HEAD")?;
        refused(site.admin.put(path).body("two"), 409).await?;
        refused(site.admin.put(path).body("one"), 409).await?;
        let again = ask(site.admin.delete(path)).await?.status;
        ensure(matches!(again, 204 | 404 | 409 | 410), format!("a second time: {again}"))?;
        ensure(!ask(site.admin.get("/repository/files/")).await?.text().contains("a.txt"), "it is not listed")?;
        refused(site.admin.delete("/repository/files/never"), 404).await?;
        refused(site.admin.delete("/repository/files/"), 405).await?;
    }
    Ok(())
}

//! Bytes straight from and to the object store, where the operator allows it.

use acceptance::Result;
use acceptance::http::Http;
use acceptance::server::{Backing, Server};
use serde_json::json;

use crate::steps::{content, sha256};

/// Address and path of a URL.
fn cut(url: &str) -> Option<(std::net::SocketAddr, String)> {
    let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
    Some((host.parse().ok()?, format!("/{path}")))
}

#[tokio::test]
async fn large_downloads_are_redirected_and_small_ones_are_not() -> Result<()> {
    let plan = Server::plan(Backing::Scaled).variable("ARTIFORTRESS_DOWNLOAD_PRESIGNED", "true");
    let server = plan.start().await?;
    server.repository("files", "raw").await?;
    let admin = server.admin()?;
    let (large, small) = (content(1, 3_000_000), content(2, 1000));
    admin.put("/repository/files/large").body(large.clone()).send().await?.expect(&[201])?;
    admin.put("/repository/files/small").body(small.clone()).send().await?.expect(&[201])?;
    assert_eq!(admin.get("/repository/files/small").send().await?.expect(&[200])?.body, small);
    let answer = admin.get("/repository/files/large").send().await?.expect(&[307])?;
    let (address, path) = cut(answer.header("location").expect("an address")).expect("a URL");
    let direct = Http::new(address).get(&path).header("Range", "bytes=5-9").send().await?.expect(&[206])?;
    assert_eq!(direct.body, large[5..10]);
    admin.get("/repository/files/large").anonymous().send().await?.expect(&[401])?;
    Ok(())
}

#[tokio::test]
async fn parts_go_straight_to_the_store_and_are_verified_before_anybody_sees_them() -> Result<()> {
    let plan = Server::plan(Backing::Scaled).variable("ARTIFORTRESS_UPLOAD_PRESIGNED_PARTS", "true");
    let server = plan.start().await?;
    server.repository("files", "raw").await?;
    let admin = server.admin()?;
    for (sent, good) in [(content(5, 6 << 20), true), (content(6, 6 << 20), false)] {
        let announced = sha256(&content(5, 6 << 20));
        let announced = if good { announced } else { sha256(&content(7, 6 << 20)) };
        let body = json!({"expectedDigest": announced, "expectedLength": sent.len()});
        let created = admin.post("/v1/repos/files/uploads").json(&body).send().await?.expect(&[201])?;
        let base = format!("/v1/repos/files/uploads/{}", created.string("/uploadId")?);
        let mut parts = Vec::new();
        for (number, piece) in (1..).zip(sent.chunks(5 << 20)) {
            let offer = admin
                .post(&format!("{base}/parts"))
                .json(&json!({"partNumber": number}))
                .send()
                .await?
                .expect(&[200])?;
            let (address, path) = cut(&offer.string("/uploadUrl")?).expect("a URL");
            let answer = Http::new(address).put(&path).body(piece.to_vec()).send().await?.expect(&[200])?;
            parts.push(json!({"partNumber": number, "eTag": answer.header("etag")}));
        }
        admin.get(&format!("/v1/repos/files/blobs/{announced}")).send().await?.expect(&[404])?;
        admin.post(&format!("{base}/complete")).json(&json!({"parts": parts})).send().await?.expect(&[200])?;
        let committed = admin.post(&format!("{base}/commit")).send().await?;
        if good {
            committed.expect(&[200])?;
            let read = admin.get(&format!("/v1/repos/files/blobs/{announced}")).send().await?.expect(&[200])?;
            assert_eq!(read.body, sent);
        } else {
            assert_eq!(committed.expect(&[409])?.string("/code")?, "upload_verification_failed");
            admin.get(&format!("/v1/repos/files/blobs/{announced}")).send().await?.expect(&[404])?;
        }
    }
    Ok(())
}

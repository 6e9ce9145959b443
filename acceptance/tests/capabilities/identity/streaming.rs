//! Whoever loses the right to read loses the rest of a body that is on its way, within a second; what somebody sends who
//! loses the right to it meanwhile is refused.

use std::time::Duration;

use acceptance::Result;
use acceptance::http::{Answer, Connection, Http};
use bytes::Bytes;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::shape::ask;
use crate::site::{Site, ensure, mint};

const SIZE: usize = 24 << 20;
/// Between two reads of 64 KiB: all of it would take four seconds at least, of which one is allowed.
const PAUSE: Duration = Duration::from_millis(10);

/// Within it a right that ended is known to have ended.
const ALLOWED: Duration = Duration::from_secs(1);

/// How the right to read ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Revoked,
    Unbound,
    Disabled,
    Closed,
    Never,
}

#[tokio::test]
async fn a_body_on_its_way_ends_with_the_right_to_it() -> Result<()> {
    ends_are_seen(&Site::embedded().await?).await
}

#[tokio::test]
async fn a_body_on_its_way_ends_with_the_right_to_it_scaled_out() -> Result<()> {
    ends_are_seen(&Site::scaled().await?).await
}

async fn ends_are_seen(site: &Site) -> Result<()> {
    site.repository("libs", json!({})).await?;
    let piece = Bytes::from(vec![7; 1 << 20]);
    ask(site.admin.put("/repository/libs/large").pieces(vec![piece; SIZE >> 20])).await?.expect(&[201])?;
    for end in [End::Revoked, End::Unbound, End::Disabled, End::Closed, End::Never] {
        let read = interrupted(site, end).await?;
        let whole = read > SIZE;
        ensure(whole == matches!(end, End::Never), format!("{end:?}: {read} bytes of {SIZE} were read"))?;
    }
    Ok(())
}

/// Reads slowly, and takes the right away meanwhile: how much came.
async fn interrupted(site: &Site, end: End) -> Result<usize> {
    let subject = format!("{end:?}").to_lowercase();
    let closing = matches!(end, End::Closed);
    ask(site.admin.patch("/v1/repos/libs").json(&json!({"anonymousRead": closing}))).await?.expect(&[200])?;
    if matches!(end, End::Disabled) {
        ask(site.admin.post("/v1/admin/service-accounts").json(&json!({"subject": subject}))).await?.expect(&[201])?;
    }
    let binding = format!("/v1/repos/libs/bindings/{subject}");
    ask(site.admin.put(&binding).json(&json!({"roles": ["read"]}))).await?.expect(&[200])?;
    let token = mint(&site.admin, &subject, &[]).await?;
    let authorization = if closing { String::new() } else { format!("Authorization: Bearer {}\r\n", token.secret) };
    // With little room, so that the server has most of it yet to send.
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(64 << 10)?;
    let mut socket = socket.connect(site.server.address()?).await?;
    let head = format!("GET /repository/libs/large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{authorization}\r\n");
    socket.write_all(head.as_bytes()).await?;
    let (mut read, mut buffer) = (0, vec![0; 64 << 10]);
    while read < SIZE / 16 {
        read += socket.read(&mut buffer).await?;
        tokio::time::sleep(PAUSE).await;
    }
    let admin: &Http = &site.admin;
    let request = match end {
        End::Revoked => admin.post("/v1/auth/pats/revoke").json(&json!({"tokenId": token.id})),
        End::Unbound => admin.delete(&binding),
        End::Disabled => admin.delete(&format!("/v1/admin/service-accounts/{subject}")),
        End::Closed => admin.patch("/v1/repos/libs").json(&json!({"anonymousRead": false})),
        End::Never => admin.get("/v1/repos/libs"),
    };
    ask(request).await?.expect(&[200])?;
    while let Ok(count @ 1..) = socket.read(&mut buffer).await {
        read += count;
        if !matches!(end, End::Never) {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(read)
}

#[tokio::test]
async fn a_body_on_its_way_in_is_refused_with_the_right_to_send_it() -> Result<()> {
    refusals_are_seen(&Site::embedded().await?).await
}

#[tokio::test]
async fn a_body_on_its_way_in_is_refused_with_the_right_to_send_it_scaled_out() -> Result<()> {
    refusals_are_seen(&Site::scaled().await?).await
}

async fn refusals_are_seen(site: &Site) -> Result<()> {
    site.repository("files", json!({})).await?;
    site.repository("images", json!({"format": "oci"})).await?;
    site.repository("packages", json!({"format": "npm"})).await?;
    let mint = r#"{"subject":"rita","scopes":["repo:files:read"],"ttlMinutes":60}"#;
    for end in [End::Revoked, End::Unbound, End::Disabled, End::Never] {
        let subject = format!("in-{end:?}").to_lowercase();
        let upload = ask(site.admin.post("/v2/images/app/blobs/uploads/")).await?.expect(&[202])?;
        let upload = upload.header("location").unwrap_or_default().to_owned();
        let drafted = json!({"packageType": "raw", "packageName": format!("{subject}-4"), "version": "1"});
        let publish = json!({"name": subject, "versions": {}, "_attachments": {}}).to_string();
        for (number, (repo, head, body, done)) in [
            ("files", format!("PUT /repository/files/{subject}"), "two halves", 201),
            ("images", format!("PATCH {upload}"), "two halves", 202),
            ("packages", format!("PUT /repository/packages/{subject}"), publish.as_str(), 200),
            // Who may not write here may still make a token of their own.
            ("files", "POST /v1/auth/pats".to_owned(), &mint.replace("rita", &format!("{subject}-3")), 200),
            ("files", "POST /v1/repos/files/packages/versions/drafts".to_owned(), &drafted.to_string(), 201),
        ]
        .into_iter()
        .enumerate()
        {
            let answer = sent_meanwhile(site, end, repo, &format!("{subject}-{number}"), &head, body).await?;
            let expected = match end {
                End::Never => done,
                // A short request is to be sent again, as somebody who may do less now.
                End::Unbound if head.starts_with("POST") => 403,
                End::Unbound => 404,
                _ => 401,
            };
            ensure(answer.status == expected, format!("{end:?} {head}: {} {}", answer.status, answer.text()))?;
        }
        let stored = ask(site.admin.get(&format!("/repository/files/{subject}"))).await?.status;
        ensure((stored == 200) == matches!(end, End::Never), format!("{end:?}: what was refused is there"))?;
    }
    Ok(())
}

/// Sends half of a body, takes the right away, sends the rest after the second that is allowed.
async fn sent_meanwhile(site: &Site, end: End, repo: &str, subject: &str, head: &str, body: &str) -> Result<Answer> {
    ask(site.admin.post("/v1/admin/service-accounts").json(&json!({"subject": subject}))).await?.expect(&[201])?;
    let binding = format!("/v1/repos/{repo}/bindings/{subject}");
    ask(site.admin.put(&binding).json(&json!({"roles": ["write"]}))).await?.expect(&[200])?;
    let token = mint(&site.admin, subject, &[]).await?;
    let (first, rest) = body.split_at(body.len() / 2);
    let mut connection = Connection::open(site.server.address()?).await?;
    let kind = if body.starts_with('{') { "application/json" } else { "application/octet-stream" };
    let (secret, length) = (&token.secret, body.len());
    let head = format!(
        "{head} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\nIdempotency-Key: {subject}\r\n\
         Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    );
    connection.write_raw(format!("{head}{first}").as_bytes()).await?;
    tokio::time::sleep(ALLOWED / 2).await;
    let admin: &Http = &site.admin;
    let request = match end {
        End::Revoked => admin.post("/v1/auth/pats/revoke").json(&json!({"tokenId": token.id})),
        End::Unbound => admin.delete(&binding),
        End::Disabled => admin.delete(&format!("/v1/admin/service-accounts/{subject}")),
        End::Closed | End::Never => admin.get("/v1/repos/files"),
    };
    ask(request).await?.expect(&[200])?;
    tokio::time::sleep(ALLOWED).await;
    connection.write_raw(rest.as_bytes()).await?;
    connection.read_answer(false).await
}

//! Parts of files.

use acceptance::Result;
use serde_json::json;

use super::{noise, sha256};
use crate::shape::ask;
use crate::site::{Site, ensure};

/// What a range of a thing of `length` bytes must give: a part, the whole, or nothing.
enum Given {
    Part(usize, usize),
    Whole,
    Outside,
}

fn cases(length: usize) -> Vec<(String, Given)> {
    use Given::{Outside, Part, Whole};
    let last = length - 1;
    let text = |text: &str| text.to_string();
    vec![
        (text("bytes=0-0"), Part(0, 0)),
        (text("bytes=0-"), Part(0, last)),
        (text("bytes=1-3"), Part(1, 3)),
        (format!("bytes={last}-"), Part(last, last)),
        (format!("bytes={last}-{last}"), Part(last, last)),
        (format!("bytes=0-{last}"), Part(0, last)),
        (format!("bytes=0-{length}"), Part(0, last)),
        (format!("bytes={}-{}", length / 2, length * 2), Part(length / 2, last)),
        (text("bytes=5-18446744073709551615"), Part(5, last)),
        (text("bytes=5-99999999999999999999999999"), Part(5, last)),
        (text("bytes=-1"), Part(last, last)),
        (text("bytes=-5"), Part(length - 5, last)),
        (format!("bytes=-{length}"), Part(0, last)),
        (format!("bytes=-{}", length + 1), Part(0, last)),
        (text("bytes=-99999999999999999999999999"), Part(0, last)),
        (text("BYTES=1-3"), Part(1, 3)),
        (format!("bytes={length}-"), Outside),
        (format!("bytes={length}-{}", length + 1), Outside),
        (text("bytes=-0"), Outside),
        (text("bytes=9223372036854775807-"), Outside),
        (text("bytes=18446744073709551615-"), Outside),
        (text("bytes=99999999999999999999999999-"), Outside),
        (text("bytes=3-1"), Outside),
        (text("bytes=--1"), Whole),
        (text("bytes=-1-3"), Whole),
        (text("bytes=1--3"), Whole),
        (text("bytes=+1-3"), Whole),
        (text("bytes=1-3x"), Whole),
        (text("bytes=0x1-3"), Whole),
        (text("bytes=1.5-3"), Whole),
        (text("bytes=-"), Whole),
        (text("bytes="), Whole),
        (text("bytes"), Whole),
        (text("1-3"), Whole),
        (text(""), Whole),
        (text("items=1-3"), Whole),
        (text("bytes=0-1,3-4"), Whole),
        (text("bytes=0-1, -1"), Whole),
        (text("bytes=0-0,0-0,0-0"), Whole),
        (format!("bytes={}0-1", "0-,".repeat(1000)), Whole),
        (format!("bytes={}", vec!["5-"; 1000].join(",")), Whole),
        (format!("bytes={}", vec!["-5"; 1000].join(",")), Whole),
    ]
}

#[tokio::test]
async fn single_ranges_are_cut_others_give_the_whole_and_what_is_outside_is_416() -> Result<()> {
    for site in [Site::embedded().await?, Site::scaled().await?] {
        site.repository("files", json!({})).await?;
        for length in [10, 64 << 10, (2 << 20) + 7] {
            let bytes = noise(length, 3);
            let path = format!("/repository/files/{length}");
            ask(site.admin.put(&path).body(bytes.clone())).await?.expect(&[201])?;
            for (range, given) in cases(length) {
                let answer = ask(site.admin.get(&path).range(&range)).await?;
                let shown = range.get(..60).unwrap_or(&range);
                let (status, part, told) = match given {
                    Given::Part(from, to) => (206, &bytes[from..=to], Some(format!("bytes {from}-{to}/{length}"))),
                    Given::Whole => (200, &bytes[..], None),
                    Given::Outside => (416, &b""[..], Some(format!("bytes */{length}"))),
                };
                ensure(answer.status == status, format!("{shown} of {length}: {}", answer.status))?;
                ensure(status == 416 || answer.body == part, format!("{shown} of {length}: other bytes"))?;
                ensure(answer.header("content-range") == told.as_deref(), format!("{shown} of {length}: {told:?}"))?;
                let head = ask(site.admin.head(&path).range(&range)).await?;
                ensure(head.status == 200, format!("HEAD has no parts: {shown}: {}", head.status))?;
            }
        }
    }
    println!("{} cases", cases(10).len() * 3);
    Ok(())
}

#[tokio::test]
async fn of_an_empty_file_every_range_is_outside() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("files", json!({})).await?;
    ask(site.admin.put("/repository/files/empty").body("")).await?.expect(&[201])?;
    for range in ["bytes=0-0", "bytes=0-", "bytes=-1", "bytes=-0"] {
        ask(site.admin.get("/repository/files/empty").range(range)).await?.expect(&[416])?;
    }
    ask(site.admin.get("/repository/files/empty")).await?.expect(&[200])?;
    Ok(())
}

/// `If-Range`: a part only of what the client already has.
#[tokio::test]
async fn if_range_guards_a_resumed_download() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("files", json!({})).await?;
    let path = "/repository/files/a";
    ask(site.admin.put(path).body("hello")).await?.expect(&[201])?;
    let modified = ask(site.admin.get(path)).await?.header("last-modified").unwrap_or_default().to_string();
    let tag = format!("\"{}\"", sha256(b"hello"));
    let cases = [
        (206, tag.clone()),
        (206, modified),
        (200, format!("W/{tag}")),
        (200, format!("\"{}\"", sha256(b"other"))),
        (200, "Mon, 01 Jan 2001 00:00:00 GMT".to_string()),
        (200, "Fri, 01 Jan 2100 00:00:00 GMT".to_string()),
        (200, "nonsense".to_string()),
    ];
    for (status, value) in cases {
        let answer = ask(site.admin.get(path).range("bytes=1-2").header("If-Range", &value)).await?;
        ensure(answer.status == status, format!("{value}: {}", answer.status))?;
        ensure(answer.text() == if status == 206 { "el" } else { "hello" }, "and the right bytes")?;
    }
    Ok(())
}

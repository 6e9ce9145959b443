//! curl through a remote repository of raw files.

use acceptance::server::Backing;
use acceptance::{Result, Trouble};
use serde_json::json;

use super::mirror::Mirror;
use super::together::{Kind, members};
use super::{Client, REFUSED, Says, through_a_mirror, through_another};
use crate::desk::{Deed, Desk};

const FILE: &str = "tools/a b/1.0+x/tool.bin";
const CONTENT: &str = "bytes of a tool\n";

struct Curl;

#[tokio::test]
async fn curl_of_another_artifortress() -> Result<()> {
    through_another(&Curl, Backing::Embedded).await
}

#[tokio::test]
async fn curl_of_another_artifortress_on_postgresql_and_s3() -> Result<()> {
    through_another(&Curl, Backing::Scaled).await
}

#[tokio::test]
async fn curl_of_a_static_mirror() -> Result<()> {
    through_a_mirror(&Curl).await
}

#[tokio::test]
async fn curl_through_a_virtual_repository() -> Result<()> {
    for kind in [Kind::Ours, Kind::Static] {
        together(kind).await?;
    }
    Ok(())
}

/// Through one address: what is published there, and what the upstream has; and again without it.
async fn together(kind: Kind) -> Result<()> {
    let desk = Desk::bare(Backing::Embedded, "raw").await?;
    let mut source = members(&Curl, kind, &desk).await?;
    let reader = desk.token("rita", &["repo:*:read"]).await?;
    let ours = desk.write("ours.bin", "ours\n")?.display().to_string();
    curl(&desk, desk.admin.token(), "ours/1.0/ours.bin")?.args(["-T", &ours]).works()?;
    for home in ["first", "second"] {
        Curl.install(&desk, home, &reader, FILE)?.works()?;
        Curl.check(&desk, home)?;
        assert_eq!(curl(&desk, &reader, "ours/1.0/ours.bin")?.works()?, "ours\n");
        source.stop()?;
        desk.change("up", json!({"settings": {"upstream": {"indexSeconds": 0}}})).await?;
    }
    curl(&desk, &reader, "tools/unknown")?.fails_saying(&["503", "the upstream cannot be read"]).map(drop)
}

impl Client for Curl {
    fn format(&self) -> &'static str {
        "raw"
    }

    fn publish(&self, desk: &Desk, token: &str) -> Result<Vec<Deed>> {
        let file = desk.write("tool.bin", CONTENT)?.display().to_string();
        Ok(vec![curl(desk, token, FILE)?.args(["-T", &file])])
    }

    fn lay_out(&self, _: &Desk, mirror: &Mirror) -> Result<()> {
        mirror.write(FILE, CONTENT)
    }

    fn install(&self, desk: &Desk, home: &str, token: &str, package: &str) -> Result<Deed> {
        let file = desk.write(&format!("{home}/got"), "")?.display().to_string();
        let deed = curl(desk, token, package)?;
        Ok(if package == FILE { deed.args(["-o", &file]) } else { deed })
    }

    fn check(&self, desk: &Desk, home: &str) -> Result<()> {
        let got = std::fs::read_to_string(desk.home.join(home).join("got"))?;
        if got == CONTENT { Ok(()) } else { Err(Trouble::new(got)) }
    }

    fn says(&self) -> Says {
        Says {
            package: FILE,
            missing: "tools/none",
            unasked: "tools/unknown",
            wrong: &["401"],
            not_found: &["404", "was not found"],
            away: &["503", "the upstream cannot be read"],
            refused: &["403", REFUSED],
        }
    }
}

/// curl as the page of raw files has it, and with the answer to what failed.
fn curl(desk: &Desk, token: &str, path: &str) -> Result<Deed> {
    let (url, header) =
        (format!("{}/{}", desk.url()?, path.replace(' ', "%20")), format!("Authorization: Bearer {token}"));
    Ok(desk.command("curl")?.args(["-sS", "--fail-with-body", "-H", &header, &url]))
}

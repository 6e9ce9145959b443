//! curl through a remote repository of raw files.

use acceptance::server::Backing;
use acceptance::{Result, Trouble};

use super::mirror::Mirror;
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

//! A checksum database behind the gap: what the go command asks of it, and what `artifortress mirror` brings of it.

use acceptance::server::Backing;
use acceptance::{Result, Trouble};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Client as _;
use super::go::Go;
use super::mirror::{Mirror, bytes};
use crate::desk::{Deed, Desk};
use crate::go::{go, ours};

const NAME: &str = "sum.gap.example";
/// How large the tree was when it was asked for the one module and for the other: with parts of tiles, on three levels.
const SIZES: [usize; 2] = [66_000, 66_300];
/// Where their records are: one deep in the tree, one in a tile that is a part in the first tree and whole in the second.
const RECORDS: [(&str, usize); 2] = [("base", 300), ("tool", 65_900)];

type Hash = [u8; 32];

/// A database: a key, and the hashes of its tree, those of records first.
struct Database {
    key: Ed25519KeyPair,
    levels: Vec<Vec<Hash>>,
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::digest([&[1][..], left, right].concat()).into()
}

impl Database {
    /// With these records among many others.
    fn of(records: &[(usize, String)]) -> Result<Self> {
        let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).map_err(|_| Trouble::new("no key"))?;
        let text = |number: usize| match records.iter().find(|(own, _)| *own == number) {
            Some((_, text)) => text.clone(),
            None => format!("filler.example/m{number} v1.0.0 h1:AAAA\n"),
        };
        let leaf = |number: usize| Sha256::digest([&[0][..], text(number).as_bytes()].concat()).into();
        let mut levels: Vec<Vec<Hash>> = vec![(0..SIZES[1]).map(leaf).collect()];
        while let Some(last) = levels.last().filter(|last| last.len() > 1) {
            let above = last.chunks_exact(2).map(|pair| node(&pair[0], &pair[1])).collect();
            levels.push(above);
        }
        Ok(Self { key, levels })
    }

    /// The hash of the tree as it was at this size.
    fn root(&self, size: usize) -> Option<Hash> {
        let parts = (0..self.levels.len()).filter(|level| (size >> level) & 1 == 1);
        let parts = parts.map(|level| self.levels[level][(size >> level) - 1]);
        parts.reduce(|right, left| node(&left, &right))
    }

    fn number(&self) -> [u8; 4] {
        let digest = Sha256::digest([format!("{NAME}\n").as_bytes(), &[1], self.key.public_key().as_ref()].concat());
        [digest[0], digest[1], digest[2], digest[3]]
    }

    /// As `GOSUMDB` has it.
    fn verifier(&self) -> String {
        let key = STANDARD.encode([&[1][..], self.key.public_key().as_ref()].concat());
        format!("{NAME}+{:08x}+{key}", u32::from_be_bytes(self.number()))
    }

    /// What it says of its tree, signed.
    fn note(&self, size: usize) -> Result<String> {
        let root = self.root(size).ok_or_else(|| Trouble::new("an empty tree"))?;
        let text = format!("go.sum database tree\n{size}\n{}\n", STANDARD.encode(root));
        let signature = [&self.number()[..], self.key.sign(text.as_bytes()).as_ref()].concat();
        Ok(format!("{text}\n\u{2014} {NAME} {}\n", STANDARD.encode(signature)))
    }

    /// Lays it out as files. Of what is whole by now it has no parts any more.
    fn lay_out(&self, mirror: &Mirror, records: &[(usize, String)]) -> Result<()> {
        let write = |path: &str, content: &[u8]| mirror.write(&format!("sumdb/{NAME}/{path}"), content);
        write("supported", b"")?;
        write("latest", self.note(SIZES[1])?.as_bytes())?;
        for ((name, number), (size, (_, text))) in RECORDS.iter().zip(SIZES.iter().zip(records)) {
            let lookup = format!("lookup/example.com/!acme/{name}@v1.0.0");
            write(&lookup, format!("{number}\n{text}\n{}", self.note(*size)?).as_bytes())?;
        }
        for level in 0..3 {
            let hashes = &self.levels[8 * level];
            for (number, tile) in hashes.chunks(256).enumerate() {
                let part = if tile.len() == 256 { String::new() } else { format!(".p/{}", tile.len()) };
                write(&format!("tile/8/{level}/{number:03}{part}"), &tile.concat())?;
            }
            let older = SIZES[0] >> (8 * level);
            let (number, width) = (older / 256, older % 256);
            if level > 0 && width > 0 {
                let part = &hashes[number * 256..number * 256 + width];
                write(&format!("tile/8/{level}/{number:03}.p/{width}"), &part.concat())?;
            }
        }
        Ok(())
    }
}

/// A build with a cache of its own, that believes the database alone.
fn build(desk: &Desk, home: &str, database: &Database) -> Result<Deed> {
    let env = desk.config("go", "env")?;
    let env: String =
        env.lines().filter(|line| !line.starts_with("GONOSUMDB")).map(|line| format!("{line}\n")).collect();
    desk.write(".config/go/env", format!("{env}GOSUMDB={}\n", database.verifier()))?;
    Ok(go(desk, home)?.args(["run", "."]).at(desk.home.join(home).join("app")))
}

#[tokio::test]
async fn records_are_there_without_an_upstream() -> Result<()> {
    let mut mirror = Mirror::begin()?;
    let fields = json!({"repoType": "remote", "upstreamUrl": mirror.url(), "anonymousRead": true});
    let online = Desk::with(Backing::Embedded, "go", fields.clone()).await?;
    let gap = Desk::with(Backing::Embedded, "go", fields).await?;
    Go.lay_out(&online, &mirror)?;
    Go.install(&online, "made", online.admin.token(), Go.says().package)?.works()?;
    let app = online.home.join("made/app");
    let text = |file: &str| -> Result<String> { Ok(String::from_utf8_lossy(&bytes(&app.join(file))?).into_owned()) };
    let sums = text("go.sum")?;
    let of = |name: &str| -> String {
        sums.lines().filter(|line| line.contains(&format!("/{name} "))).map(|line| format!("{line}\n")).collect()
    };
    let records: Vec<(usize, String)> = RECORDS.iter().map(|(name, number)| (*number, of(name))).collect();
    let database = Database::of(&records)?;
    database.lay_out(&mirror, &records)?;
    for home in ["whole", "bare"] {
        gap.write(&format!("{home}/app/go.mod"), text("go.mod")?)?;
        gap.write(&format!("{home}/app/main.go"), text("main.go")?)?;
    }
    gap.write("whole/app/go.sum", &sums)?;

    // Who has all sums asks the database for nothing.
    let lockfile = app.join("go.sum").display().to_string();
    let bring = |more: &[&str]| -> Result<Deed> {
        Ok(ours(&gap, gap.admin.token())?.args(["mirror", gap.key, "--lockfile", &lockfile]).args(more.iter().copied()))
    };
    bring(&[])?.works()?;
    build(&gap, "whole", &database)?.works()?;
    let asked = mirror.asked();
    let of_database = asked.iter().filter(|path| path.starts_with("sumdb/")).count();
    if of_database > 0 {
        return Err(Trouble::new(format!("the database was asked: {asked:?}")));
    }

    // Who has none asks it for everything; what it was not brought is not there.
    let said = bring(&["--sumdb", &database.verifier()])?.works()?;
    if !said.contains("2 records of the checksum database") {
        return Err(Trouble::new(said));
    }
    mirror.stop()?;
    let offline = json!({"settings": {"upstream": {"offline": true}}});
    gap.admin.patch(&format!("/v1/repos/{}", gap.key)).json(&offline).send().await?.expect(&[200])?;
    build(&gap, "bare", &database)?.works()?;
    let found = bytes(&gap.home.join("bare/app/go.sum"))?;
    if found != sums.as_bytes() {
        return Err(Trouble::new(format!("other sums: {}", String::from_utf8_lossy(&found))));
    }
    Ok(())
}

//! The steps themselves, and their text on each engine.

use model::Timestamp;

use crate::store::Engine;

/// A step of the schema. The body is one text for both engines; the walls differ.
pub(super) struct Migration {
    pub(super) version: u32,
    pub(super) name: &'static str,
    pub(super) body: &'static str,
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
    /// Programs that know fewer steps than this may no longer use the database.
    pub(super) oldest_program: u32,
}

/// All steps, in order. One that was released never changes.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "first",
        body: include_str!("../../migrations/0001_first.sql"),
        sqlite: include_str!("../../migrations/0001_first.sqlite.sql"),
        postgres: include_str!("../../migrations/0001_first.postgres.sql"),
        oldest_program: 1,
    },
    Migration {
        version: 2,
        name: "remote",
        body: include_str!("../../migrations/0002_remote.sql"),
        sqlite: include_str!("../../migrations/0002_remote.sqlite.sql"),
        postgres: include_str!("../../migrations/0002_remote.postgres.sql"),
        oldest_program: 1,
    },
    Migration {
        version: 3,
        name: "waivers",
        body: include_str!("../../migrations/0003_waivers.sql"),
        sqlite: include_str!("../../migrations/0003_waivers.sqlite.sql"),
        postgres: include_str!("../../migrations/0003_waivers.postgres.sql"),
        oldest_program: 1,
    },
    Migration {
        version: 4,
        name: "instants",
        body: include_str!("../../migrations/0004_instants.sql"),
        sqlite: include_str!("../../migrations/0004_instants.sqlite.sql"),
        postgres: include_str!("../../migrations/0004_instants.postgres.sql"),
        oldest_program: 1,
    },
    Migration {
        version: 5,
        name: "cached",
        body: include_str!("../../migrations/0005_cached.sql"),
        sqlite: "",
        postgres: "",
        oldest_program: 1,
    },
    Migration {
        version: 6,
        name: "small",
        body: include_str!("../../migrations/0006_small.sql"),
        sqlite: "",
        postgres: "",
        oldest_program: 1,
    },
    Migration {
        version: 7,
        name: "whole",
        body: include_str!("../../migrations/0007_whole.sql"),
        sqlite: include_str!("../../migrations/0007_whole.sqlite.sql"),
        postgres: include_str!("../../migrations/0007_whole.postgres.sql"),
        oldest_program: 1,
    },
];

/// Which steps a database has taken.
pub(super) const LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations
    (version INT NOT NULL PRIMARY KEY, name TEXT NOT NULL, oldest_program INT NOT NULL, applied_at INT NOT NULL) STRICT;";

/// The advisory lock makes concurrent migrators wait; the guard makes the second one do nothing.
pub(super) fn postgres_script(step: &Migration, now: Timestamp) -> String {
    format!(
        "BEGIN; SELECT pg_advisory_xact_lock(6837201);
         {ledger}
         DO $migration$ BEGIN IF NOT EXISTS (SELECT 1 FROM schema_migrations WHERE version = {version}) THEN
         EXECUTE $body${body}{walls}$body$;
         INSERT INTO schema_migrations (version, name, oldest_program, applied_at) VALUES ({version}, '{name}', {oldest}, {now});
         END IF; END $migration$;
         COMMIT;",
        ledger = render(LEDGER, Engine::Postgres),
        version = step.version,
        body = render(step.body, Engine::Postgres),
        walls = step.postgres,
        name = step.name,
        oldest = step.oldest_program,
        now = now.0,
    )
}

/// Puts an engine's types into the one text, and takes its comments out.
pub(super) fn render(text: &str, engine: Engine) -> String {
    let words: [(&str, &str); 7] = match engine {
        Engine::Sqlite => [
            ("INT", "INTEGER"),
            ("NAME", "TEXT"),
            ("BYTES", "BLOB"),
            ("BOOL", "INTEGER"),
            ("UUID", "BLOB"),
            ("STRICT", "STRICT"),
            ("SMALL", "STRICT, WITHOUT ROWID"),
        ],
        Engine::Postgres => [
            ("INT", "BIGINT"),
            ("NAME", "TEXT COLLATE \"C\""),
            ("BYTES", "BYTEA"),
            ("BOOL", "BOOLEAN"),
            ("UUID", "UUID"),
            ("STRICT", ""),
            ("SMALL", ""),
        ],
    };
    let code = text.lines().filter(|line| !line.trim_start().starts_with("--"));
    let word = |token: &str| {
        words.iter().find(|(from, _)| *from == token).map_or(token.to_owned(), |(_, to)| (*to).to_owned())
    };
    let mut out = String::with_capacity(text.len() * 2);
    for line in code {
        let mut token = String::new();
        for c in line.chars() {
            if c.is_ascii_alphanumeric() || c == '_' {
                token.push(c);
            } else {
                out.push_str(&word(&std::mem::take(&mut token)));
                out.push(c);
            }
        }
        out.push_str(&word(&token));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// What was released: the texts' digests. A line is added here with its step, and never changes.
    const RELEASED: &[&str] = &[
        "first 7e286629b1e2bfbad358c21edc972b7f7d8e5aeafeed585f9be719ddcfdc693b",
        "remote 040314424321fab38aa2e5b9653673c38b03b94909dffb99fc9a59fcc8ea9ddf",
        "waivers 9e2cf20dfa7c0dd8f2ed1d3cdad6fda9879ed8a48f5e105d539348b5decd7934",
        "instants 9e5422d0681ca8ce016d936ce61f3b2120595c6aba6682b29d4c68affedfeef0",
        "cached 85849649ad49af0fb28444f879516554c7600d188fb294e47806695ef69b87de",
        "small b52c12e1de7e5a91cc6ff9d4d46e9ff3153caf1a72a9cc9cf609f548eceed554",
        "whole bf635d821e579da2fa6765529b24b4817f57272d8b2c708770ce888fd495f6e0",
    ];

    #[test]
    fn a_step_that_was_released_never_changes() {
        let digest = |step: &Migration| {
            let texts = [step.name, step.body, step.sqlite, step.postgres].join("\0");
            format!("{} {}", step.name, model::digest::hex(&Sha256::digest(texts)))
        };
        let found: Vec<String> = MIGRATIONS.iter().map(digest).collect();
        assert_eq!(found, RELEASED);
    }
}

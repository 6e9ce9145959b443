//! Time that passes without anybody waiting: what is written down grows older.

use std::time::Duration;

use super::Server;
use crate::Result;

/// What says when something happened, as far as moments of the past are told by it.
const TIMES: [(&str, &[&str]); 7] = [
    ("versions", &["created_at", "published_at", "sealed_at"]),
    ("entries", &["added_at"]),
    ("refs", &["from_at", "to_at"]),
    ("marks", &["from_at", "to_at"]),
    ("tombstones", &["from_at", "to_at"]),
    ("observations", &["seen_at"]),
    ("outlooks", &["checked_at"]),
];

/// Longer than it takes until what happened is settled.
const HOUR: Duration = Duration::from_secs(3600);

impl Server {
    /// A moment after everything that has happened so far and before everything that comes, an hour from both. Makes a
    /// repository of this name.
    pub async fn moment(&self, repo: &str) -> Result<String> {
        self.let_pass(HOUR)?;
        self.repository(repo, "raw").await?;
        let admin = self.admin()?;
        admin.put(&format!("/repository/{repo}/now")).body("now").send().await?.expect(&[201])?;
        self.let_pass(HOUR)?;
        let versions = admin.get(&format!("/v1/repos/{repo}/packages/versions?package=now")).send().await?;
        versions.expect(&[200])?.string("/items/0/publishedAtUtc")
    }

    /// Lets everything that was published, marked, moved, withdrawn and observed be older by `span`. Documents that the
    /// server remembers stay as they are until their package changes.
    pub fn let_pass(&self, span: Duration) -> Result<()> {
        let micros = span.as_micros();
        let older = |(table, columns): &(&str, &[&str])| {
            let columns: Vec<_> = columns.iter().map(|column| format!("{column} = {column} - {micros}")).collect();
            format!("UPDATE {table} SET {};", columns.join(", "))
        };
        let updates: String = TIMES.iter().map(older).collect();
        if self.database.is_some() {
            let script = format!("BEGIN; SET LOCAL session_replication_role = replica; {updates} COMMIT;");
            return self.sql(&script).map(drop);
        }
        // The walls are taken down and put up again, in one transaction.
        let tables: Vec<_> = TIMES.iter().map(|(table, _)| format!("'{table}'")).collect();
        let triggers = format!("FROM sqlite_schema WHERE type = 'trigger' AND tbl_name IN ({})", tables.join(", "));
        let walls = self.sql(&format!("SELECT sql || ';' {triggers}"))?;
        let fall = self.sql(&format!("SELECT 'DROP TRIGGER ' || name || ';' {triggers}"))?;
        self.sql(&format!("BEGIN IMMEDIATE;\n{fall}\n{updates}\n{walls}\nCOMMIT;")).map(drop)
    }
}

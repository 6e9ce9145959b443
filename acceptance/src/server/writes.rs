//! What is written into the database, table by table.

use super::Server;
use crate::Result;

/// Where processes write whatever they are asked: what they do next, and that they live.
const ALWAYS: [&str; 4] = ["jobs", "leases", "consumers", "token_uses"];

impl Server {
    /// From now on [`Server::written`] counts.
    pub fn count_writes(&self) -> Result<()> {
        let postgres = self.database.is_some();
        let tables = match postgres {
            true => "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
            false => "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        };
        let mut script = String::from("CREATE TABLE written (name TEXT NOT NULL);\n");
        if postgres {
            script += "CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN INSERT INTO written VALUES (tg_table_name); RETURN NULL; END $$;\n";
        }
        for table in self.sql(tables)?.lines().map(str::trim).filter(|table| !ALWAYS.contains(table)) {
            for deed in ["INSERT", "UPDATE", "DELETE"] {
                let does = match postgres {
                    true => "FOR EACH ROW EXECUTE FUNCTION count_write()".to_owned(),
                    false => format!("BEGIN INSERT INTO written VALUES ('{table}'); END"),
                };
                script += &format!("CREATE TRIGGER count_{deed}_{table} AFTER {deed} ON {table} {does};\n");
            }
        }
        self.sql(&format!("BEGIN;\n{script}COMMIT;")).map(drop)
    }

    /// The tables of which rows were written since counting began, each as often as one was.
    pub fn written(&self) -> Result<Vec<String>> {
        Ok(self.sql("SELECT name FROM written ORDER BY name")?.lines().map(|line| line.trim().to_owned()).collect())
    }
}

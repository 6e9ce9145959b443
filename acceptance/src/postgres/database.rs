//! Databases for tests: fresh, cloned from a template, and dropped with their handle.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Lock;
use crate::{Result, Trouble, environment};

/// What an administrator of a cluster can do. Speaks through `psql`: drivers live in the store alone.
#[derive(Clone, Debug)]
pub struct Admin {
    url: String,
}

impl Admin {
    /// An administrator who connects with `url`.
    pub fn new(url: String) -> Admin {
        Admin { url }
    }

    /// The administrator's own address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A new, empty database, about 40 ms.
    pub fn database(&self) -> Result<Database> {
        self.create("template0")
    }

    /// A new database with everything that is in `template`, which nobody may be connected to.
    pub fn clone_of(&self, template: &Database) -> Result<Database> {
        self.create(&template.name)
    }

    /// Runs `sql` and returns its rows: one a line, columns separated by `|`. The database's refusal is the trouble.
    pub fn sql(&self, sql: &str) -> Result<String> {
        psql(&self.url, sql)
    }

    fn create(&self, template: &str) -> Result<Database> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("create database {name} template {template} strategy file_copy"))?;
        Ok(Database { admin: self.clone(), name })
    }
}

/// A database of one test; dropped with this handle, open connections or not.
#[derive(Debug)]
pub struct Database {
    admin: Admin,
    name: String,
}

impl Database {
    /// Its address, password included.
    pub fn url(&self) -> String {
        match self.admin.url.rsplit_once('/') {
            Some((server, _)) => format!("{server}/{}", self.name),
            None => self.name.clone(),
        }
    }

    /// Runs `sql` in it, as [`Admin::sql`] does: to look inside, or to attack what triggers must defend.
    pub fn sql(&self, sql: &str) -> Result<String> {
        psql(&self.url(), sql)
    }

    /// Locks a table; everybody whom that concerns waits until the lock is dropped.
    pub fn lock(&self, table: &str, mode: &str) -> Result<Lock> {
        Lock::take(&self.url(), table, mode)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = self.admin.sql(&format!("drop database if exists {} with (force)", self.name));
    }
}

fn psql(url: &str, sql: &str) -> Result<String> {
    let program = environment::program("psql", super::BIN)?;
    let done = Command::new(program).args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, url]).output()?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).trim_end().to_string()),
        false => Err(Trouble::new(String::from_utf8_lossy(&done.stderr).trim_end().to_string())),
    }
}

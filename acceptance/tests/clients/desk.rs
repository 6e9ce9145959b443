//! A person's desk: a server with one repository, a home folder, and commands that know nothing else.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use acceptance::server::{Backing, Persona, Server, binary};
use acceptance::{Result, Trouble, environment, nursery, scratch, tree};
use serde_json::{Value, json};

/// A server with one repository of a format, and a home for a client.
pub(crate) struct Desk {
    pub(crate) server: Server,
    pub(crate) admin: Persona,
    /// The repository's key: the format's word.
    pub(crate) key: &'static str,
    /// What clients are told to read, as it stands in addresses: that repository, until a test says otherwise.
    pub(crate) place: String,
    /// The client's home; removed with the desk.
    pub(crate) home: PathBuf,
}

impl Desk {
    /// Begins with an empty repository of the format.
    pub(crate) async fn open(backing: Backing, format: &'static str) -> Result<Desk> {
        Desk::with(backing, format, json!({"repoType": "local"})).await
    }

    /// Begins with a repository of the format, made from these fields.
    pub(crate) async fn with(backing: Backing, format: &'static str, fields: Value) -> Result<Desk> {
        let desk = Desk::bare(backing, format).await?;
        desk.make(format, fields).await?;
        Ok(desk)
    }

    /// Begins with a server on which the repository is still to be made.
    pub(crate) async fn bare(backing: Backing, format: &'static str) -> Result<Desk> {
        let plan = Server::plan(backing).variable("ARTIFORTRESS_RATE_REQUESTS_PER_MINUTE", "0");
        let server = plan.variable("ARTIFORTRESS_PRIVATE_UPSTREAMS", "127.0.0.0/8").start().await?;
        let admin = server.admin()?.token().to_owned();
        Desk::at(server, format, admin)
    }

    /// Makes a repository of the desk's format from these fields.
    pub(crate) async fn make(&self, key: &str, mut fields: Value) -> Result<()> {
        (fields["repoKey"], fields["format"]) = (json!(key), json!(self.key));
        self.admin.post("/v1/repos").json(&fields).send().await?.expect(&[201]).map(drop)
    }

    /// Changes a repository.
    pub(crate) async fn change(&self, key: &str, fields: Value) -> Result<()> {
        self.admin.patch(&format!("/v1/repos/{key}")).json(&fields).send().await?.expect(&[200]).map(drop)
    }

    /// A moment as `date` understands it, in the form that `date` is told.
    pub(crate) fn moment(&self, when: &str, form: &str) -> Result<String> {
        let deed = self.command("date")?.env("LC_ALL", "C").args(["-u", "-d", when, &format!("+{form}")]);
        Ok(deed.works()?.trim().to_owned())
    }

    /// Our own program, spoken to as the admin.
    pub(crate) fn ours(&self, words: &[&str]) -> Result<String> {
        let deed = self.command(binary()?)?.env("ARTIFORTRESS_SERVER", format!("http://{}", self.server.address()?));
        deed.env("ARTIFORTRESS_TOKEN", self.admin.token()).args(words.iter().copied()).works()
    }

    /// At a server that runs, with the token of its admin.
    pub(crate) fn at(server: Server, format: &'static str, admin: String) -> Result<Desk> {
        let admin = Persona::new("admin", admin, server.http()?);
        Ok(Desk { server, admin, key: format, place: format.to_owned(), home: scratch::folder("desk")? })
    }

    /// The address that clients are told, without a slash at the end.
    pub(crate) fn url(&self) -> Result<String> {
        Ok(format!("http://{}/repository/{}", self.server.address()?, self.place))
    }

    /// A token of somebody else with exactly these scopes.
    pub(crate) async fn token(&self, subject: &str, scopes: &[&str]) -> Result<String> {
        let body = json!({"subject": subject, "scopes": scopes});
        self.admin.post("/v1/auth/pats").json(&body).send().await?.expect(&[200])?.string("/token")
    }

    /// What the repository was asked so far, from the access log: method, path below the repository, status.
    pub(crate) async fn asked(&self) -> Result<Vec<String>> {
        static MARKS: AtomicU64 = AtomicU64::new(0);
        let mark = format!("01a1fd17-0000-7000-8000-{:012}", MARKS.fetch_add(1, Ordering::Relaxed));
        self.admin.get("/v1/auth/whoami").header("X-Correlation-Id", &mark).send().await?.expect(&[200])?;
        let (log, root) = (self.server.logged(&mark).await?, format!("/repository/{}", self.key));
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let asked = lines.filter(|line| line["target"] == "access").filter_map(|line| {
            let path = line["path"].as_str()?.strip_prefix(&root)?;
            Some(format!("{} {path} {}", line["method"].as_str()?, line["status"]))
        });
        Ok(asked.collect())
    }

    /// Writes a file below the home.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.home.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&self.home))?;
        fs::write(&path, content)?;
        Ok(path)
    }

    /// A command in the home, with no environment but `PATH`, `HOME` and what is added.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Result<Deed> {
        let mut command = nursery::guarded(program.as_ref(), "KILL");
        command.env_clear().env("PATH", environment::require("PATH")?).env("HOME", &self.home);
        command.env("TMPDIR", &self.home).current_dir(&self.home);
        Ok(Deed { command })
    }

    /// What `artifortress client-config` prints of one file of a client, word for word.
    pub(crate) fn config(&self, client: &str, file: &str) -> Result<String> {
        self.ours(&["client-config", &self.place, "--client", client, "--file", file])
    }

    /// The configuration that a guide shows: the content of its block number `number` fenced as ````kind````, with this
    /// server's address and a token in place of the ones that readers see there.
    pub(crate) fn shown(&self, guide: &str, kind: &str, number: usize, token: &str) -> Result<String> {
        let text = tree::text(guide)?;
        let fence = format!("```{kind}\n");
        let block = text.split(&fence).nth(number + 1).and_then(|rest| rest.split("\n```").next());
        let block = block.ok_or_else(|| Trouble::new(format!("{guide} has no block {number} of {kind}")))?;
        let block = block.replace("http://127.0.0.1:8080", &format!("http://{}", self.server.address()?));
        Ok(block.replace("$TOKEN", token) + "\n")
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // A module cache is read-only to its owner too.
        drop(Command::new("chmod").args(["-R", "u+w"]).arg(&self.home).status());
        drop(fs::remove_dir_all(&self.home));
    }
}

/// A command that is about to run.
pub(crate) struct Deed {
    command: Command,
}

impl Deed {
    pub(crate) fn args<'a>(mut self, args: impl IntoIterator<Item = &'a str>) -> Deed {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Deed {
        self.command.env(name, value);
        self
    }

    /// In this folder below the home.
    pub(crate) fn at(mut self, folder: impl AsRef<Path>) -> Deed {
        self.command.current_dir(folder);
        self
    }

    /// It must work. Returns what it said, both ways.
    pub(crate) fn works(self) -> Result<String> {
        let (success, name, said) = self.run()?;
        if success { Ok(said) } else { Err(Trouble::new(format!("{} failed:\n{}", name, said))) }
    }

    /// It must fail and say all of `words`, of which there is one at least. Returns what it said.
    pub(crate) fn fails_saying(self, words: &[&str]) -> Result<String> {
        let (success, name, said) = self.run()?;
        if success {
            return Err(Trouble::new(format!("{} worked:\n{}", name, said)));
        }
        match words.iter().find(|word| !says(&said, word)) {
            None if words.is_empty() => Err(Trouble::new(format!("{name}: what should it say?\n{said}"))),
            None => Ok(said),
            Some(word) => Err(Trouble::new(format!("{} does not say {word:?}:\n{}", name, said))),
        }
    }

    /// Starts it, and what it says is lost: a server, which the caller ends.
    pub(crate) fn begins(mut self) -> Result<Child> {
        self.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        nursery::spawn(self.command)
    }

    /// Starts it and waits for a line that begins with `start`. Returns that line, and what is under way.
    pub(crate) fn until_it_says(mut self, start: &str) -> Result<(String, Underway)> {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let name = format!("{:?}", self.command);
        let mut child = nursery::spawn(self.command)?;
        let said = child.stdout.take().ok_or_else(|| Trouble::new("a pipe that is none"))?;
        let mut underway = Underway { name, child, said: BufReader::new(said) };
        let mut line = String::new();
        while underway.said.read_line(&mut line)? > 0 {
            if line.starts_with(start) {
                return Ok((line, underway));
            }
            line.clear();
        }
        Err(Trouble::new(format!("it ended before it said {start:?}:\n{:?}", underway.works())))
    }

    fn run(mut self) -> Result<(bool, String, String)> {
        let name = format!("{:?}", self.command);
        let done = self.command.output().map_err(|error| Trouble::new(format!("{name}: {error}")))?;
        let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        Ok((done.status.success(), name, said))
    }
}

/// Whether a text has this word in it. A number must stand by itself: a port may have any digits.
fn says(said: &str, word: &str) -> bool {
    let digit = |character: Option<char>| character.is_some_and(|character| character.is_ascii_digit());
    let (first, last) = (digit(word.chars().next()), digit(word.chars().next_back()));
    let alone = |at: usize| {
        let (before, after) = (&said[..at], &said[at + word.len()..]);
        !(first && digit(before.chars().next_back()) || last && digit(after.chars().next()))
    };
    !word.is_empty() && said.match_indices(word).any(|(at, _)| alone(at))
}

/// A command that runs.
pub(crate) struct Underway {
    name: String,
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Underway {
    /// It must come to a good end. Returns what it said since.
    pub(crate) fn works(mut self) -> Result<String> {
        let mut said = String::new();
        self.said.read_to_string(&mut said)?;
        let done = self.child.wait_with_output()?;
        said.push_str(&String::from_utf8_lossy(&done.stderr));
        if done.status.success() { Ok(said) } else { Err(Trouble::new(format!("{} failed:\n{said}", self.name))) }
    }
}

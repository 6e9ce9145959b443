//! Servers and people for these tests.

use acceptance::http::{Http, Request};
use acceptance::server::{Backing, Persona, Plan, Server, binary};
use acceptance::{Result, Trouble, nursery};
use serde_json::{Value, json};

use crate::engines::backing;

/// The plan of a server, on the engine of the test, without rate limits, so that a test may ask as often as it likes.
pub(crate) fn plan() -> Plan {
    unlimited(Server::plan(backing()))
}

fn unlimited(plan: Plan) -> Plan {
    plan.variable("ARTIFORTRESS_RATE_REQUESTS_PER_MINUTE", "0").variable("ARTIFORTRESS_RATE_LOGINS_PER_MINUTE", "0")
}

/// A server and its first admin.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) admin: Persona,
}

impl AsRef<Persona> for Site {
    fn as_ref(&self) -> &Persona {
        &self.admin
    }
}

impl Site {
    /// On the engine of the test.
    pub(crate) async fn here() -> Result<Site> {
        Site::on(backing()).await
    }

    /// SQLite and a folder.
    pub(crate) async fn embedded() -> Result<Site> {
        Site::on(Backing::Embedded).await
    }

    /// PostgreSQL and S3, several processes.
    pub(crate) async fn scaled() -> Result<Site> {
        Site::on(Backing::Scaled).await
    }

    /// PostgreSQL, S3 and two processes that answer, known to their clients under one name: the admin at each of them.
    pub(crate) async fn twins() -> Result<(Site, Vec<Persona>)> {
        let plan = Server::plan(Backing::Scaled).variable("ARTIFORTRESS_EXTERNAL_URL", "http://registry.example");
        let server = unlimited(plan.variable("ARTIFORTRESS_PRIVATE_UPSTREAMS", "127.0.0.0/8").apis(2)).start().await?;
        let site = Site { admin: server.admin()?, server };
        let processes: Vec<_> = site.server.addresses().into_iter().map(|address| site.admin.at(address)).collect();
        ensure(processes.len() == 2, "two processes")?;
        Ok((site, processes))
    }

    /// On the engine of the test: the admin at every process that answers, two where there can be more than one.
    pub(crate) async fn each() -> Result<(Site, Vec<Persona>)> {
        match backing() {
            Backing::Scaled => Site::twins().await,
            Backing::Embedded => {
                let server = plan().variable("ARTIFORTRESS_PRIVATE_UPSTREAMS", "127.0.0.0/8").start().await?;
                let admin = server.admin()?;
                let site = Site { admin: admin.clone(), server };
                Ok((site, vec![admin]))
            }
        }
    }

    async fn on(backing: Backing) -> Result<Site> {
        let server = unlimited(Server::plan(backing)).start().await?;
        let admin = server.admin()?;
        Ok(Site { server, admin })
    }

    /// Makes a local raw repository with these further fields.
    pub(crate) async fn repository(&self, key: &str, more: Value) -> Result<()> {
        let mut body = json!({"repoKey": key, "format": "raw"});
        if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
            body.extend(more.clone());
        }
        self.admin.post("/v1/repos").json(&body).send().await?.expect(&[201])?;
        Ok(())
    }

    /// A new person with exactly these scopes.
    pub(crate) async fn person(&self, subject: &str, scopes: &[&str]) -> Result<Persona> {
        let token = mint(&self.admin, subject, scopes).await?;
        Ok(Persona::new(subject, token.secret, self.server.http()?))
    }
}

/// A token and its id.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// Mints a token for `subject`.
pub(crate) async fn mint(by: &Http, subject: &str, scopes: &[&str]) -> Result<Token> {
    minted(by.post("/v1/auth/pats").json(&json!({"subject": subject, "scopes": scopes}))).await
}

/// The token that `request` mints.
pub(crate) async fn minted(request: Request) -> Result<Token> {
    let answer = request.send().await?.expect(&[200])?;
    Ok(Token { id: answer.string("/tokenId")?, secret: answer.string("/token")? })
}

/// A trouble when `holds` is false.
pub(crate) fn ensure(holds: bool, what: impl Into<String>) -> Result<()> {
    match holds {
        true => Ok(()),
        false => Err(Trouble::new(what)),
    }
}

/// The memory that the process holds, in bytes.
pub(crate) fn resident(server: &Server) -> Result<u64> {
    let pid = server.pid("serve").ok_or_else(|| Trouble::new("it does not run"))?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024)
}

/// Our program as somebody with this token.
pub(crate) fn program(server: &Server, token: &str, words: &[&str]) -> Result<std::process::Output> {
    let mut command = nursery::guarded(&binary()?, "KILL");
    command.args(words).env_clear().env("HOME", server.data()).env("ARTIFORTRESS_TOKEN", token);
    Ok(command.env("ARTIFORTRESS_SERVER", format!("http://{}", server.address()?)).output()?)
}

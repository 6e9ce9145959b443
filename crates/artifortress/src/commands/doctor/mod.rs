//! `doctor`: looks at everything that is commonly wrong, and says what to do about it.

mod database;
mod machine;
mod remote;

use clap::Args;
use serde_json::json;

use super::connection::Connection;
use super::failure::Failure;
use super::table;
use crate::Context;
use crate::config::{Config, ConfigFlags, Process};

/// Check configuration, data folder, database, clock, server and login; each line says what to do
#[derive(Args, Debug)]
pub struct Doctor {
    #[command(flatten)]
    connection: Connection,

    /// Leave out what needs a running server, and read the whole database instead, changing nothing
    #[arg(long)]
    offline: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    config: ConfigFlags,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Pass,
    Warn,
    Fail,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        }
    }
}

/// One line of the report.
#[derive(Clone, Debug)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    detail: String,
    /// What to do about it; empty when it passed.
    action: String,
}

impl Finding {
    fn pass(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Pass, detail: detail.into(), action: String::new() }
    }

    fn warn(check: &'static str, detail: impl Into<String>, action: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warn, detail: detail.into(), action: action.into() }
    }

    fn fail(check: &'static str, detail: impl Into<String>, action: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Fail, detail: detail.into(), action: action.into() }
    }
}

impl Doctor {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let mut findings = self.configuration(context).await;
        if !self.offline {
            findings.extend(remote::look(&self.connection, context).await);
        }
        self.tell(context, &findings);
        match findings.iter().filter(|finding| finding.verdict == Verdict::Fail).count() {
            0 => Ok(()),
            1 => Err(Failure::new("1 check failed")),
            failed => Err(Failure::new(format!("{failed} checks failed"))),
        }
    }

    async fn configuration(&self, context: &Context) -> Vec<Finding> {
        let config = Config::load(&self.config, &context.environment);
        let config = config.and_then(|config| config.check_for(Process::Serve).map(|()| config));
        match config {
            Ok(config) => {
                let mut findings = vec![Finding::pass("configuration", "every setting is known and in range")];
                findings.extend(machine::look(&config, &context.ambient));
                let database = database::look(&config, self.offline).await;
                let is_read = database.as_ref().is_some_and(|finding| finding.verdict != Verdict::Fail);
                findings.extend(database);
                if self.offline && is_read {
                    findings.push(database::whole(&config).await);
                }
                findings
            }
            Err(error) => {
                let finding = |problem: &crate::config::Problem| {
                    Finding::fail("configuration", problem.to_string(), "see docs/operate/configuration.md")
                };
                error.problems.iter().map(finding).collect()
            }
        }
    }

    fn tell(&self, context: &Context, findings: &[Finding]) {
        let as_json = |f: &Finding| {
            json!({ "check": f.check, "state": f.verdict.word(), "detail": f.detail, "action": f.action })
        };
        if self.json {
            return table::json(&context.console, &json!({ "checks": findings.iter().map(as_json).collect::<Vec<_>>() }));
        }
        for finding in findings {
            context.console.line(&format!("{}  {:<14} {}", finding.verdict.word(), finding.check, finding.detail));
            if !finding.action.is_empty() {
                context.console.line(&format!("      {:<14} -> {}", "", finding.action));
            }
        }
    }
}

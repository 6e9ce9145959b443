//! What can be seen of the server: reach, TLS, clock, readiness, login.

use model::Timestamp;
use outbound::{Client, Retry};
use serde_json::Value;

use super::Finding;
use crate::Context;
use crate::commands::connection::{Connection, given_token};
use crate::commands::credentials::Credentials;
use crate::commands::failure::{Exit, Failure};
use crate::commands::health::{readiness, unwell};

pub(super) async fn look(connection: &Connection, context: &Context) -> Vec<Finding> {
    let client = match connection.client(context) {
        Ok(client) => client.with_retry(Retry::none()),
        Err(failure) => return vec![Finding::fail("connection", failure.message, failure.more.join("; "))],
    };
    let answer = match client.anonymous().get("/health/live").send().await {
        Ok(answer) => answer,
        Err(error) => {
            let action = "start it with `artifortress serve`, or name the right one with --server";
            return vec![Finding::fail("server", error.to_string(), action)];
        }
    };
    let mut findings = vec![Finding::pass("server", format!("{} answers", client.base())), tls(client.base())];
    findings.extend(answer.header("date").and_then(|date| skew(date, context.ambient.now())));
    findings.push(ready(&client).await);
    findings.push(login(&client, context).await);
    if let Some(summary) = asked(&client, "/v1/admin/ops/summary").await {
        findings.extend(admins(&client, &summary).await);
        findings.extend(bytes(&summary));
        findings.extend(jobs(&summary));
    }
    findings.extend(upstreams(&client).await);
    findings
}

fn tls(base: &str) -> Finding {
    const CHECK: &str = "TLS";
    if base.starts_with("https://") {
        return Finding::pass(CHECK, "the connection is encrypted and the certificate is trusted");
    }
    let host = base.trim_start_matches("http://");
    if host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]") {
        return Finding::pass(CHECK, "plain HTTP that does not leave this machine");
    }
    let action = "set ARTIFORTRESS_TLS_CERT and ARTIFORTRESS_TLS_KEY, or put a proxy with TLS in front";
    Finding::warn(CHECK, "tokens travel unencrypted", action)
}

fn skew(date: &str, now: Timestamp) -> Option<Finding> {
    const CHECK: &str = "clocks";
    let theirs = httpdate::parse_http_date(date).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
    let apart = now.unix_seconds().abs_diff(i64::try_from(theirs).ok()?);
    let detail = format!("this machine and the server differ by {apart} s");
    let action = "synchronise both clocks (NTP)";
    Some(match apart {
        0..=30 => Finding::pass(CHECK, detail),
        31..=300 => Finding::warn(CHECK, detail, action),
        _ => Finding::fail(CHECK, detail, action),
    })
}

async fn ready(client: &Client) -> Finding {
    const CHECK: &str = "readiness";
    let ready = match readiness(client).await {
        Ok(ready) => ready,
        Err(failure) => return Finding::fail(CHECK, failure.message, "look at the server's log"),
    };
    let detail = unwell(Some(&ready)).join(", ");
    match ready["status"].as_str() {
        Some("ready") => Finding::pass(CHECK, "ready"),
        Some("degraded") => Finding::warn(CHECK, format!("degraded: {detail}"), "mend the optional dependency"),
        _ => Finding::fail(CHECK, format!("not ready: {detail}"), "mend the dependency, or look at the server's log"),
    }
}

async fn login(client: &Client, context: &Context) -> Finding {
    const CHECK: &str = "login";
    let given = given_token(&context.environment).is_ok_and(|token| token.is_some());
    let stored = Credentials::load(&context.environment).is_ok_and(|stored| stored.token(client.base()).is_some());
    if !given && !stored {
        return Finding::warn(CHECK, "there is none for this server", "`artifortress login`, or `init` on a fresh server");
    }
    match whoami(client).await {
        Ok(who) => Finding::pass(CHECK, format!("you are {}", who["subject"].as_str().unwrap_or("somebody"))),
        Err(failure) if failure.exit == Exit::Denied => {
            let action = "`artifortress login`; where no admin is left, `artifortress recover` beside the database";
            Finding::fail(CHECK, failure.message, action)
        }
        Err(failure) => Finding::fail(CHECK, failure.message, "look at the server's log"),
    }
}

/// Whether somebody can administer the server for a while yet; only auditors are told.
async fn admins(client: &Client, summary: &Value) -> Option<Finding> {
    const CHECK: &str = "admin tokens";
    let ends = summary.get("lastAdminTokenExpiresAtUtc")?;
    let Some(until) = ends.as_str() else {
        return Some(Finding::warn(CHECK, "none is in force", "`artifortress recover` beside the database"));
    };
    let detail = format!("the last one ends {until}");
    if summary["lastAdminTokenEndsSoon"] != true {
        return Some(Finding::pass(CHECK, detail));
    }
    // Only admins are told the policy; without one of its own a server allows a week.
    let policy = asked(client, "/v1/admin/auth/pat-policy").await.unwrap_or_default();
    let minutes = policy["maxTtlMinutes"].as_u64().unwrap_or(10_080);
    let mint = format!("artifortress admin tokens mint --subject NAME --scope 'repo:*:admin' --ttl-minutes {minutes}");
    Some(Finding::warn(CHECK, detail, format!("`{mint}` for another admin, who renews yours")))
}

/// Whether all bytes are what was written; only auditors are told.
fn bytes(summary: &Value) -> Option<Finding> {
    const CHECK: &str = "bytes";
    let (damaged, lost) = (summary["damagedCopies"].as_u64()?, summary["lostBlobs"].as_u64()?);
    let detail = format!("damaged copies: {damaged}; blobs without a good copy: {lost}");
    Some(match (damaged, lost) {
        (0, 0) => Finding::pass(CHECK, "no copy is known to be damaged"),
        (_, 0) => {
            let action = "a job makes new copies of good ones; where they stay, look at the disk and the server's log";
            Finding::warn(CHECK, detail, action)
        }
        _ => {
            let action = "push the same bytes again, to their path or a free one: `artifortress admin audit --action blob.` \
                          names them";
            Finding::fail(CHECK, detail, action)
        }
    })
}

/// Whether background work waits for a person; only auditors are told.
fn jobs(summary: &Value) -> Option<Finding> {
    const CHECK: &str = "jobs";
    Some(match summary["deadLetters"].as_u64()? {
        0 => Finding::pass(CHECK, "none waits for a person"),
        dead => {
            let action = "`artifortress admin jobs list` says why, `artifortress admin jobs retry --all` tries again";
            Finding::warn(CHECK, format!("given up after too many attempts: {dead}"), action)
        }
    })
}

/// Whether the credentials of remote repositories can be opened, of those that the caller may change; `None` without
/// any. The first 200 repositories are looked at.
async fn upstreams(client: &Client) -> Option<Finding> {
    const CHECK: &str = "upstreams";
    let repositories = asked(client, "/v1/repos?limit=200").await?;
    let remote: Vec<&Value> =
        repositories["items"].as_array()?.iter().filter(|repo| repo["repoType"] == "remote").collect();
    let closed = remote.iter().find_map(|repo| Some((repo["repoKey"].as_str()?, repo["upstreamAuth"]["problem"].as_str()?)));
    match (remote.len(), closed) {
        (0, _) => None,
        (_, Some((key, problem))) => {
            let action = "start the server with the master key that it had, or give the credentials again";
            Some(Finding::fail(CHECK, format!("{key}: {problem}"), action))
        }
        (some, None) => Some(Finding::pass(CHECK, format!("remote repositories: {some}; no credentials are closed"))),
    }
}

async fn asked(client: &Client, place: &str) -> Option<Value> {
    client.get(place).send().await.ok()?.json().await.ok()
}

async fn whoami(client: &Client) -> Result<Value, Failure> {
    Ok(client.get("/v1/auth/whoami").send().await?.json().await?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::doctor::Verdict;

    #[test]
    fn bytes_that_are_lost_are_worse_than_copies_that_are_damaged() {
        let verdict = |damaged: u64, lost: u64| {
            let found = bytes(&json!({ "damagedCopies": damaged, "lostBlobs": lost })).expect("told");
            assert_eq!(found.action.is_empty(), found.verdict == Verdict::Pass);
            found.verdict
        };
        assert_eq!([verdict(0, 0), verdict(2, 0), verdict(2, 1)], [Verdict::Pass, Verdict::Warn, Verdict::Fail]);
        assert!(bytes(&json!({})).is_none(), "an older server says nothing");
    }
}

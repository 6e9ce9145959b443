//! Everybody who could ask.

use acceptance::Result;
use acceptance::http::Request;
use serde_json::json;

use super::model::{Role, Target, Tenancy};
use crate::site::{Site, mint};

/// Somebody, with what they hold and how they say who they are.
pub(crate) struct Principal {
    pub(crate) name: &'static str,
    /// Whether the credentials are good.
    pub(crate) valid: bool,
    /// Whether no credentials are sent.
    pub(crate) anonymous: bool,
    /// The role on every repository of the walk, the missing ones too.
    pub(crate) role: Option<Role>,
    /// Whether they hold `repo:*:admin`.
    pub(crate) everything: bool,
    tenancy: Option<Tenancy>,
    authorization: Vec<String>,
}

impl Principal {
    /// The request with their credentials.
    pub(crate) fn dress(&self, request: Request) -> Request {
        self.authorization.iter().fold(request, |request, value| request.header("Authorization", value))
    }

    /// `repo:*:admin` is the tenant's admin, too.
    pub(crate) fn tenancy(&self) -> Option<Tenancy> {
        if self.everything { Some(Tenancy::Admin) } else { self.tenancy }
    }

    /// The tenant's admin administers each repository.
    pub(crate) fn repository_role(&self) -> Option<Role> {
        if self.tenancy() == Some(Tenancy::Admin) { Some(Role::Admin) } else { self.role }
    }

    fn nobody(name: &'static str, authorization: &[&str]) -> Principal {
        let authorization: Vec<String> = authorization.iter().map(|value| value.to_string()).collect();
        let anonymous = authorization.is_empty();
        Principal { name, valid: false, anonymous, role: None, everything: false, tenancy: None, authorization }
    }

    fn somebody(name: &'static str, token: &str) -> Principal {
        Principal { valid: true, ..Principal::nobody(name, &[&format!("Bearer {token}")]) }
    }
}

pub(crate) struct People(Vec<Principal>);

impl People {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Principal> {
        self.0.iter()
    }

    /// Makes the repositories of the walk and everybody who asks for them.
    pub(crate) async fn gather(site: &Site) -> Result<People> {
        site.repository("private", json!({})).await?;
        site.repository("public", json!({"anonymousRead": true})).await?;
        for key in ["private", "public"] {
            site.admin.put(&format!("/repository/{key}/kept.txt")).body("kept").send().await?.expect(&[201])?;
        }
        let remote = json!({"repoType": "remote", "upstreamUrl": "http://127.0.0.1:1/"});
        site.repository(Target::Remote.key(), remote).await?;
        site.repository("retired", json!({})).await?;
        site.admin.delete("/v1/repos/retired").send().await?.expect(&[200])?;
        let mut people = vec![Principal::nobody("anonymous", &[])];
        let roles =
            [("reader", Role::Read), ("writer", Role::Write), ("promoter", Role::Promote), ("repo-admin", Role::Admin)];
        for (name, role) in roles {
            let word = format!("{role:?}").to_lowercase();
            let scopes = Target::ALL.map(|target| format!("repo:{}:{word}", target.key()));
            let token = mint(&site.admin, name, &scopes.each_ref().map(String::as_str)).await?;
            people.push(Principal { role: Some(role), ..Principal::somebody(name, &token.secret) });
        }
        let tenancies =
            [("auditor", Tenancy::Auditor), ("operator", Tenancy::Operator), ("tenant-admin", Tenancy::Admin)];
        for (name, tenancy) in tenancies {
            let word = format!("tenant:{}", format!("{tenancy:?}").to_lowercase());
            let token = mint(&site.admin, name, &[&word]).await?;
            people.push(Principal { tenancy: Some(tenancy), ..Principal::somebody(name, &token.secret) });
        }
        let everything = mint(&site.admin, "everything", &["repo:*:admin"]).await?;
        people.push(Principal { everything: true, ..Principal::somebody("everything", &everything.secret) });
        let stranger = mint(&site.admin, "stranger", &["repo:elsewhere:admin"]).await?;
        people.push(Principal::somebody("stranger", &stranger.secret));
        people.extend(broken(site).await?);
        Ok(People(people))
    }
}

/// Credentials that are none: each was, or looks like, those of an admin of everything.
async fn broken(site: &Site) -> Result<Vec<Principal>> {
    let scopes = ["repo:*:admin"];
    let expired = mint(&site.admin, "expired", &scopes).await?;
    site.server.sql("UPDATE tokens SET expires_at = created_at + 1 WHERE principal_id = (SELECT id FROM principals WHERE subject = 'expired')")?;
    let revoked = mint(&site.admin, "revoked", &scopes).await?;
    site.admin.post("/v1/auth/pats/revoke").json(&json!({"tokenId": revoked.id})).send().await?.expect(&[200])?;
    let good = mint(&site.admin, "good", &scopes).await?.secret;
    let bearer = |text: &str| format!("Bearer {text}");
    let (head, tail) = good.split_at(good.len() - 1);
    let almost = format!("{head}{}", if tail == "a" { "b" } else { "a" });
    Ok(vec![
        Principal::nobody("expired token", &[&bearer(&expired.secret)]),
        Principal::nobody("revoked token", &[&bearer(&revoked.secret)]),
        Principal::nobody("unknown token", &["Bearer nobody-has-ever-seen-this"]),
        Principal::nobody("almost a token", &[&bearer(&almost)]),
        Principal::nobody("half a token", &[&bearer(&good[..good.len() / 2])]),
        Principal::nobody("empty bearer", &["Bearer "]),
        Principal::nobody("no scheme", &[&almost]),
        Principal::nobody("another scheme", &[&format!("Digest {good}")]),
        Principal::nobody("broken basic", &["Basic ***"]),
        Principal::nobody("basic without a colon", &["Basic Z29vZA=="]),
        Principal::nobody("two tokens", &[&bearer(&good), &bearer(&good)]),
    ])
}

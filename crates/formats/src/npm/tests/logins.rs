//! Logging in, and tokens.

use model::{Code, Scope, Secret, Timestamp, TokenId};

use super::*;
use crate::{LoginStep, Method, Rights, TokenDeed, TokenLine};

#[test]
fn a_login_is_a_name_and_a_token_or_a_yes_in_a_browser() {
    let step = |method, rest| Npm.step(&Asked::plain(method, rest));
    for rest in ["-/user/org.couchdb.user:me", "-/user/org.couchdb.user%3Ame/-rev/1"] {
        assert_eq!(step(Method::Put, rest), Some(LoginStep::Password));
        assert_eq!(step(Method::Get, rest), None);
    }
    assert_eq!(step(Method::Post, "-/v1/login"), Some(LoginStep::Begin));
    let browsers = ["npm/9.2.0 node/v18", "npm/11.19.1 node/v20", "pnpm/10.1.0 npm/? node/v20", "yarn/4.5.0", ""];
    assert!(browsers.iter().all(|agent| Npm.has_browser(agent)));
    let none = ["npm/5.8.0 node/v10", "npm/6.14.18 node/v14.21.3 linux x64", "npm/8.19.4 node/v16 workspaces/false"];
    assert!(!none.iter().any(|agent| Npm.has_browser(agent)));
    assert!(step(Method::Put, "-/user/token/x").is_none() && step(Method::Put, "tool").is_none());
    let login = Logins::read(&Npm, br#"{"_id":"org.couchdb.user:Me","name":"Me","password":"p","type":"user"}"#)
        .expect("a login");
    assert_eq!((login.name.as_str(), login.token.expose().as_str()), ("me", "p"));
    assert!(!format!("{login:?}").contains("\"p\""));
    assert!(Logins::read(&Npm, b"{}").is_none() && Logins::read(&Npm, b"x").is_none());
    // Where the client is sent to ask is where its question is understood.
    let invited = Npm.invite("https://host/page", "https://host/repository/js", "1/aft_x");
    let invited: Json = model::json::from_slice(&invited.body).expect("JSON");
    let asked = invited["doneUrl"].as_str().and_then(|url| url.strip_prefix("https://host/repository/js/"));
    assert_eq!(
        step(Method::Get, asked.expect("below the repository")),
        Some(LoginStep::Ask(Secret::new("1/aft_x".into())))
    );
    assert!(Npm.wait().status == 202 && Npm.wait().headers.iter().any(|(name, _)| *name == "retry-after"));
}

fn wanted(body: Json) -> Result<crate::TokenWanted, String> {
    Npm.wanted(body.to_string().as_bytes()).map_err(|refusal| {
        assert_eq!(refusal.code, Code::BadRequest);
        refusal.detail
    })
}

#[test]
fn a_token_is_wanted_as_old_and_new_clients_say_it() {
    let plain = wanted(json!({"password": "p", "name": null})).expect("read");
    assert_eq!((plain.password.expose().as_str(), plain.rights, plain.life), ("p", Rights::Same, None));
    assert_eq!(plain.name, "npm token");
    let old = wanted(json!({"password": "p", "readonly": true, "cidr_whitelist": []})).expect("read");
    assert_eq!(old.rights, Rights::Read);
    let new = json!({"password": "p", "name": "ci", "description": "builds", "packages_all": true, "bypass_2fa": true,
        "packages_and_scopes_permission": "read-write", "orgs_permission": "no-access", "expires": 2});
    let new = wanted(new).expect("read");
    assert_eq!((new.rights, new.name.as_str()), (Rights::Write, "ci: builds"));
    assert_eq!(new.life.map(|life| life.as_secs()), Some(2 * 24 * 3600));
    // Of two answers to one question the weaker holds.
    let both = json!({"password": "p", "readonly": true, "packages_and_scopes_permission": "read-write"});
    assert_eq!(wanted(both).expect("read").rights, Rights::Read);
}

#[test]
fn what_a_token_cannot_be_bound_to_is_refused() {
    for (field, value, word) in [
        ("cidr_whitelist", json!(["10.0.0.0/8"]), "--cidr"),
        ("packages", json!(["tool"]), "--packages"),
        ("scopes", json!(["@acme"]), "--scopes"),
        ("orgs", json!(["acme"]), "--orgs"),
        ("orgs_permission", json!("read-only"), "--orgs-permission"),
        ("packages_and_scopes_permission", json!("no-access"), "read-only or read-write"),
        ("only_on_sundays", json!(true), "only_on_sundays"),
    ] {
        let mut body = json!({"password": "p"});
        body[field] = value;
        assert!(wanted(body).expect_err(field).contains(word), "{field}");
    }
    assert!(Npm.wanted(br#"{"readonly": true, "readonly": false}"#).is_err());
    assert!(Npm.wanted(b"x").is_err() && Npm.wanted(b"[]").is_err());
}

#[test]
fn a_list_of_tokens_shows_no_secret_and_goes_on() {
    let scopes: Vec<Scope> = ["repo:js:read", "repo:*:read"].map(|scope| scope.parse().expect("a scope")).into();
    let line = TokenLine {
        id: TokenId(Default::default()),
        name: "ci",
        scopes: &scopes,
        created_at: Timestamp(0),
        expires_at: Timestamp(60_000_000),
    };
    let list = |more| model::json::from_slice::<Json>(&Npm.list(&[line], more).body).expect("JSON");
    let shown = list(false);
    let one = &shown["objects"][0];
    assert_eq!((&one["key"], &one["token"], &one["name"]), (&json!(line.id.to_string()), &json!("aft_"), &json!("ci")));
    // npm prints a list that is empty as if there were one.
    assert!(one["readonly"] == true && one["cidr_whitelist"].is_null());
    assert_eq!(one["created"], Timestamp(0).to_string());
    assert!(shown["urls"].is_object() && shown["urls"].get("next").is_none());
    let next = list(true)["urls"]["next"].as_str().and_then(|url| url.strip_prefix('/')).expect("more").to_owned();
    let (rest, query) = next.split_once('?').expect("a query");
    let asked = Asked { query, ..Asked::plain(Method::Get, rest) };
    assert!(matches!(Npm.parse(&asked), Ok(Operation::Tokens(TokenDeed::List(Some(after)))) if after == line.id));
    let scopes = [Scope::everything()];
    let strong = TokenLine { scopes: &scopes, ..line };
    let made: Json = model::json::from_slice(&Npm.made(&strong, "aft_secret").body).expect("JSON");
    assert!(made["token"] == "aft_secret" && made["readonly"] == false);
}

#[test]
fn tokens_have_their_addresses() {
    let parse = |method, rest| Npm.parse(&Asked::plain(method, rest));
    let base = "-/npm/v1/tokens";
    assert!(matches!(parse(Method::Get, base), Ok(Operation::Tokens(TokenDeed::List(None)))));
    assert!(matches!(parse(Method::Post, base), Ok(Operation::Tokens(TokenDeed::Make))));
    assert!(matches!(parse(Method::Put, base), Err(ParseError::Method(_))));
    let bad = Asked { query: "after=x", ..Asked::plain(Method::Get, base) };
    assert!(matches!(Npm.parse(&bad), Err(ParseError::Query(_))));
    let Ok(Operation::Tokens(TokenDeed::End(named, _))) = parse(Method::Delete, "-/npm/v1/tokens/token/abc") else {
        panic!("no end")
    };
    assert_eq!(named.expose(), "abc");
    assert!(matches!(parse(Method::Get, "-/npm/v1/tokens/token/abc"), Err(ParseError::Method("DELETE"))));
}

#[test]
fn what_is_not_offered_says_so_and_what_there_is_instead() {
    for rest in [
        "-/package/@acme%2ftool/visibility",
        "-/package/tool/access",
        "-/package/tool/collaborators",
        "-/package/@acme%2ftool/trust",
        "-/org/acme/user",
        "-/user/org.couchdb.user:bob",
        "-/npm/v1/user",
        "-/npm/v1/keys",
    ] {
        let Ok(Operation::Say(view)) = Npm.parse(&Asked::plain(Method::Get, rest)) else { panic!("{rest}") };
        let said = Npm.say(view, &Site { base: "", auth_required: true, subject: None }).expect("an answer");
        // Clients go on without these when there are none: 404, and no other status.
        assert_eq!(said.status, 404, "{rest}");
        assert!(String::from_utf8_lossy(&said.body).contains("bindings of the repository"), "{rest}");
    }
}

//! Tokens: what clients ask for and how they are told to ask.
//!
//! Source: "Token Authentication Specification" and "Token Scope Documentation" of the distribution
//! project; the POST form is its OAuth2 variant.

use model::{RepoKey, Role};

use super::{Address, ImageAt, Step};
use crate::Method;

/// The token of nobody: it opens what everybody may read.
pub const NOBODY: &str = "anonymous";

/// A right that a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// Roles on a repository.
    On(RepoKey, Role),
    /// To see the catalogue.
    Catalogue,
}

/// The rights of `scope` parameters, each holding one scope or several with spaces between. What we
/// do not know gives nothing.
pub fn rights<'s>(scopes: impl Iterator<Item = &'s str>) -> Vec<Right> {
    let mut rights = Vec::new();
    for scope in scopes.flat_map(|text| text.split(' ')).take(SCOPES) {
        // A name may hold a colon where it begins with a host: what the scope begins and ends with counts.
        let Some((kind, (name, actions))) =
            scope.split_once(':').and_then(|(kind, rest)| Some((kind, rest.rsplit_once(':')?)))
        else {
            continue;
        };
        match (kind.split('(').next().unwrap_or(kind), ImageAt::of(name)) {
            ("registry", _) if name == "catalog" => rights.push(Right::Catalogue),
            ("repository", Some(at)) => {
                rights.extend(actions.split(',').flat_map(roles).map(|role| Right::On(at.key.clone(), *role)));
            }
            _ => {}
        }
    }
    rights
}

/// Scopes in one request at most.
const SCOPES: usize = 100;

fn roles(action: &str) -> &'static [Role] {
    match action {
        "pull" => &[Role::Read],
        "push" => &[Role::Read, Role::Write],
        "delete" => &[Role::Promote],
        "*" => &[Role::Read, Role::Write, Role::Promote],
        _ => &[],
    }
}

/// How a client is told where tokens are: `base` is our address, `scope` what a token has to be asked for.
pub fn challenge(base: &str, scope: Option<&str>, insufficient: bool) -> String {
    let service = base.split_once("://").map_or(base, |(_, host)| host);
    let mut text = format!("Bearer realm=\"{base}/v2/token\",service=\"{service}\"");
    if let Some(scope) = scope {
        text.push_str(&format!(",scope=\"{scope}\""));
    }
    if insufficient {
        text.push_str(",error=\"insufficient_scope\"");
    }
    text
}

/// What a token has to be asked for to do this at an address; `from` is the image that a blob is to be taken from.
pub fn scope_for(address: &Address, method: Method, from: Option<&ImageAt>) -> Option<String> {
    match address {
        Address::Image(at, step) => {
            let actions = match (step, method) {
                (_, Method::Get | Method::Head) if !matches!(step, Step::Upload(_)) => "pull",
                (Step::Manifest(_) | Step::Blob(_), Method::Delete) => "pull,push,delete",
                _ => "pull,push",
            };
            let from = from.map(|from| format!(" repository:{from}:pull")).unwrap_or_default();
            Some(format!("repository:{at}:{actions}{from}"))
        }
        Address::Catalogue => Some("registry:catalog:*".to_owned()),
        Address::Token => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_become_rights_and_unknown_ones_nothing() {
        let key = |text| RepoKey::parse(text).expect("a key");
        let read = |scopes: &[&str]| rights(scopes.iter().copied());
        assert_eq!(read(&["repository:k/a:pull"]), [Right::On(key("k"), Role::Read)]);
        assert_eq!(
            read(&["repository:k/a/b:pull,push repository:j/x:pull"]),
            [Role::Read, Role::Read, Role::Write]
                .map(|role| Right::On(key("k"), role))
                .into_iter()
                .chain([Right::On(key("j"), Role::Read)])
                .collect::<Vec<_>>()
        );
        assert_eq!(read(&["registry:catalog:*"]), [Right::Catalogue]);
        assert_eq!(read(&["repository(plugin):k/a:delete"]), [Right::On(key("k"), Role::Promote)]);
        for nothing in [
            "",
            ":",
            "::",
            "repository",
            "repository:k:pull",
            "repository:K/a:pull",
            "repository:k/a:",
            "repository:k/../a:pull",
            "tenant:k/a:pull",
            "repository:k/a:admin",
            "registry:other:*",
        ] {
            assert_eq!(read(&[nothing]), [], "{nothing}");
        }
    }

    #[test]
    fn the_challenge_says_where_for_whom_and_for_what() {
        let at = ImageAt::of("k/a").expect("an image");
        let image = Address::Image(at, Step::Manifest("v1".to_owned()));
        let scope = |method| scope_for(&image, method, None).expect("a scope");
        assert_eq!(
            challenge("https://h:1", Some(&scope(Method::Put)), false),
            r#"Bearer realm="https://h:1/v2/token",service="h:1",scope="repository:k/a:pull,push""#
        );
        let pull = challenge("https://h", Some(&scope(Method::Get)), true);
        assert!(pull.ends_with(":pull\",error=\"insufficient_scope\""), "{pull}");
        assert_eq!(scope(Method::Delete), "repository:k/a:pull,push,delete");
        let from = ImageAt::of("j/b").expect("an image");
        let both = scope_for(&image, Method::Post, Some(&from));
        assert_eq!(both.as_deref(), Some("repository:k/a:pull,push repository:j/b:pull"));
        assert_eq!(scope_for(&Address::Catalogue, Method::Get, None).as_deref(), Some("registry:catalog:*"));
        assert_eq!(scope_for(&Address::Token, Method::Get, None), None);
        assert_eq!(challenge("https://h", None, false), r#"Bearer realm="https://h/v2/token",service="h""#);
    }
}

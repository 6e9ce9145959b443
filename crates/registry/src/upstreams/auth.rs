//! Credentials for an upstream: read, sealed, shown without what is secret.

use model::Secret;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value as Json, json};

use super::address::Origin;

/// Bytes of a user's name, a password or a token at most.
const LONGEST: usize = 16 * 1024;

/// Credentials for an upstream. They go to its origin and, for tokens, to the realm, and to nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamAuth {
    /// What is shown.
    pub login: UpstreamLogin,
    /// The one other origin that may be shown it: where the upstream sends its clients for tokens.
    pub realm: Option<Origin>,
}

/// Who we are to an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamLogin {
    /// RFC 7617.
    Basic {
        /// Whose password it is; without a colon.
        user: String,
        /// What nobody else may know.
        password: Secret<String>,
    },
    /// RFC 6750.
    Bearer {
        /// What nobody else may know.
        token: Secret<String>,
    },
}

/// Credentials as those see them who may change them: without what is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ShownAuth {
    /// Who we are.
    Known {
        /// `basic` or `bearer`.
        kind: &'static str,
        /// For `basic`.
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// The one other origin that may be shown it.
        #[serde(skip_serializing_if = "Option::is_none")]
        realm: Option<Origin>,
    },
    /// They are there and cannot be opened.
    Closed {
        /// Why, and what helps.
        problem: String,
    },
}

impl UpstreamAuth {
    /// Nothing that was given is repeated in what is said to be wrong with it.
    fn from_json(value: Json) -> Result<Self, String> {
        let Json::Object(mut fields) = value else { return Err("must be an object or null".to_owned()) };
        let kind = text(&mut fields, "kind")?.ok_or("needs kind: basic or bearer")?;
        let login = match kind.as_str() {
            "basic" => {
                let user = text(&mut fields, "user")?.ok_or("needs user")?;
                if user.contains(':') {
                    return Err("user may not hold a colon".to_owned());
                }
                UpstreamLogin::Basic { user, password: secret(&mut fields, "password")? }
            }
            "bearer" => {
                let token = secret(&mut fields, "token")?;
                if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Err("token must be ASCII without spaces".to_owned());
                }
                UpstreamLogin::Bearer { token }
            }
            _ => return Err("kind must be basic or bearer".to_owned()),
        };
        let realm = text(&mut fields, "realm")?.map(|text| Origin::parse(&text)).transpose();
        let realm = realm.map_err(|why| format!("realm {why}"))?;
        match fields.is_empty() {
            true => Ok(Self { login, realm }),
            false => Err(format!("has a field that {kind} does not know")),
        }
    }

    /// What is sealed.
    pub(super) fn to_text(&self) -> Secret<Vec<u8>> {
        let mut fields = match &self.login {
            UpstreamLogin::Basic { user, password } => {
                json!({"kind": "basic", "user": user, "password": password.expose()})
            }
            UpstreamLogin::Bearer { token } => json!({"kind": "bearer", "token": token.expose()}),
        };
        if let (Some(fields), Some(realm)) = (fields.as_object_mut(), &self.realm) {
            fields.insert("realm".to_owned(), json!(realm));
        }
        Secret::new(fields.to_string().into_bytes())
    }

    /// What was sealed.
    pub(super) fn from_text(text: &Secret<Vec<u8>>) -> Option<Self> {
        model::json::from_slice(text.expose()).ok().and_then(|value| Self::from_json(value).ok())
    }

    /// Without what is secret.
    pub(super) fn shown(&self) -> ShownAuth {
        let (kind, user) = match &self.login {
            UpstreamLogin::Basic { user, .. } => ("basic", Some(user.clone())),
            UpstreamLogin::Bearer { .. } => ("bearer", None),
        };
        ShownAuth::Known { kind, user, realm: self.realm.clone() }
    }
}

impl<'de> Deserialize<'de> for UpstreamAuth {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        Self::from_json(Json::deserialize(source)?).map_err(de::Error::custom)
    }
}

fn text(fields: &mut Map<String, Json>, name: &str) -> Result<Option<String>, String> {
    match fields.remove(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) if text.is_empty() || text.len() > LONGEST => {
            Err(format!("{name} must have 1 to {LONGEST} bytes"))
        }
        Some(Json::String(text)) if text.chars().any(char::is_control) => {
            Err(format!("{name} may hold no control characters"))
        }
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{name} must be text")),
    }
}

fn secret(fields: &mut Map<String, Json>, name: &str) -> Result<Secret<String>, String> {
    text(fields, name)?.map(Secret::new).ok_or_else(|| format!("needs {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Json) -> Result<UpstreamAuth, String> {
        model::json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn credentials_survive_being_sealed_and_are_shown_without_the_secret() {
        for value in [
            json!({"kind": "basic", "user": "ada", "password": "hunter2", "realm": "https://login.example"}),
            json!({"kind": "bearer", "token": "hunter2"}),
        ] {
            let auth = read(value).expect("credentials");
            assert_eq!(UpstreamAuth::from_text(&auth.to_text()), Some(auth.clone()));
            let shown = serde_json::to_string(&auth.shown()).expect("JSON");
            assert!(!shown.contains("hunter2") && !format!("{auth:?}").contains("hunter2"), "{shown}");
        }
        let auth = read(json!({"kind": "basic", "user": "ada", "password": "x", "realm": "https://L/"})).expect("read");
        let shown = serde_json::to_value(auth.shown()).expect("JSON");
        assert_eq!(shown, json!({"kind": "basic", "user": "ada", "realm": "https://l"}));
    }

    #[test]
    fn what_is_none_is_refused_without_repeating_it() {
        let bad = [
            json!("hunter2"),
            json!(["hunter2"]),
            json!({"kind": "hunter2"}),
            json!({"kind": "basic", "user": "ada"}),
            json!({"kind": "basic", "password": "hunter2"}),
            json!({"kind": "basic", "user": "a:b", "password": "hunter2"}),
            json!({"kind": "basic", "user": "ada", "password": ""}),
            json!({"kind": "basic", "user": "ada", "password": "hunter2\n"}),
            json!({"kind": "basic", "user": "ada", "password": 2}),
            json!({"kind": "basic", "user": "ada", "password": "hunter2", "token": "hunter2"}),
            json!({"kind": "bearer", "token": "hunter2 hunter2"}),
            json!({"kind": "bearer", "token": "hunter2", "hunter2": 1}),
            json!({"kind": "bearer", "token": "hunter2", "realm": "https://hunter2@a"}),
            json!({"kind": "bearer", "token": "hunter2", "realm": "https://a/hunter2"}),
        ];
        for value in bad {
            let why = read(value.clone()).expect_err("none");
            assert!(!why.contains("hunter2"), "{value}: {why}");
        }
    }
}

//! What every handler can reach, and how a request becomes a call.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use registry::{Call, Caller, Registry};

use crate::edge::Context;
use crate::edge::rate::{Class, Key, RateLimiter};
use crate::ops::Readiness;
use crate::problem::{Explain, Problem};

/// The application: shared by all requests, cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The verbs.
    pub registry: Registry,
    /// How often a client may ask.
    pub limiter: Arc<RateLimiter>,
    /// Whether we can serve.
    pub readiness: Arc<Readiness>,
    /// Stamped into the root document, e.g. `production`.
    pub environment: Arc<str>,
}

/// The challenges of a 401: browsers and package managers answer the first, scripts the second.
const CHALLENGES: &str = r#"Basic realm="artifortress", charset="UTF-8", Bearer realm="artifortress""#;

impl App {
    /// Begins the call of a request: reads the credentials, spends one unit of the rate allowance. Who is
    /// not known yet spends the address's before anything is asked of the database, so that a flood of
    /// invented tokens ends here; who turns out to be known gets it back and spends their own. Headers that are not
    /// understood cost as much.
    pub async fn begin(&self, headers: &HeaderMap, context: &Context) -> Result<Call, Problem> {
        let address = Key::Address(context.client);
        let token =
            presented_token(headers).or_else(|refused| self.spend(address, Class::Request).and(Err(refused)))?;
        let known = token.as_deref().is_some_and(|token| self.registry.recognises(token));
        if !known {
            self.spend(address, Class::Request)?;
        }
        let call = match self.registry.call(token.as_deref(), context.correlation).await {
            Ok(call) => call,
            Err(error) if known => {
                self.spend(address, Class::Request)?;
                return Err(Problem::from(error));
            }
            Err(error) => return Err(Problem::from(error)),
        };
        if matches!(call.caller(), Caller::Known(_)) {
            if !known {
                self.limiter.refund(address, Class::Request);
            }
            self.admit(&call, context)?;
        }
        Ok(call)
    }

    /// Tells the access log who asks, and spends one unit of their allowance, or 429. Every call passes here.
    pub(crate) fn admit(&self, call: &Call, context: &Context) -> Result<(), Problem> {
        let client = match call.caller() {
            Caller::Known(identity) => {
                context.asked_by(identity.subject.as_str());
                Key::Principal(identity.principal)
            }
            Caller::Anonymous => Key::Address(context.client),
        };
        self.spend(client, Class::Request)
    }

    /// One unit of an allowance, or 429.
    pub fn spend(&self, client: Key, class: Class) -> Result<(), Problem> {
        let verdict = self.limiter.check(client, class);
        if verdict.allowed { Ok(()) } else { Err(Problem::limited(&verdict)) }
    }

    /// One try at something that guesses could break, or 429.
    pub fn spend_login(&self, address: IpAddr) -> Result<(), Problem> {
        self.spend(Key::Address(address), Class::Login)
    }
}

/// The token of `Authorization: Bearer`, of `Basic` as the password, or alone. Anything else is 401, so
/// that a typo is never mistaken for an anonymous request.
pub(crate) fn presented_token(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let refused =
        || challenged("the Authorization header is not understood: use Bearer, or Basic with the token as password");
    if values.next().is_some() {
        return Err(refused());
    }
    let text = value.to_str().map_err(|_| refused())?;
    let Some((scheme, rest)) = text.split_once(' ') else {
        // Cargo sends its token alone, and so do libraries that read its registries, whatever they call themselves.
        if registry::TokenSecret::looks_like(text) {
            return Ok(Some(text.to_owned()));
        }
        let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let alone = formats::by_client(agent).is_some_and(formats::Format::sends_bare_tokens);
        return Err(match alone {
            true => challenged(
                "this is no token of this server: one begins with aft_, and `artifortress admin tokens mint` makes one",
            ),
            false => refused(),
        });
    };
    let token = if scheme.eq_ignore_ascii_case("bearer") {
        rest.trim().to_owned()
    } else if scheme.eq_ignore_ascii_case("basic") {
        let decoded = STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let (_, password) = decoded.as_deref().and_then(|pair| pair.split_once(':')).ok_or_else(refused)?;
        password.to_owned()
    } else {
        return Err(refused());
    };
    Ok(Some(token))
}

/// A 401 with the challenges.
pub fn challenged(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::unauthorized(detail).challenge(HeaderValue::from_static(CHALLENGES))
}

/// Seconds to wait where nobody knows better.
const SOON: u64 = 2;

impl From<registry::Error> for Problem {
    fn from(error: registry::Error) -> Self {
        match error {
            registry::Error::Refused(refusal) if refusal.code == model::Code::Unauthorized => {
                challenged(refusal.detail)
            }
            registry::Error::Refused(refusal) => {
                // Rounded up: who comes earlier comes in vain.
                let wait = refusal.retry_after.map_or(SOON, |wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
                let code = crate::problem::Code::ALL.iter().find(|code| code.as_str() == refusal.code.word());
                let fault = refusal.field.map(|field| (field, refusal.detail.clone()));
                let problem = code.map(|code| Self::new(*code, refusal.detail).because(refusal.reason));
                let explain = refusal.block.map(|block| Explain {
                    lifted_by: vec![block.lifted_by],
                    until: block.until,
                    link: block.link,
                });
                let problem = problem.map(|problem| explain.into_iter().fold(problem, Self::explain));
                let problem =
                    problem.map(|problem| fault.into_iter().fold(problem, |all, (at, why)| all.field(at, why)));
                match problem {
                    Some(problem) if refusal.code.status() == 503 || refusal.code.status() == 429 => {
                        problem.retry_after(wait)
                    }
                    Some(problem) => problem,
                    None => Self::internal_error("a code without a status"),
                }
            }
            registry::Error::Defect(why) => {
                tracing::error!(why, "a defect");
                Self::internal_error("something went wrong on our side; the correlation id leads to the log")
            }
        }
    }
}

/// The call of this request. Remembered in the request, so that it begins once.
pub struct Asking(pub Call);

impl FromRequestParts<App> for Asking {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if let Some(call) = parts.extensions.get::<Call>() {
            return Ok(Self(call.clone()));
        }
        let context = <Context as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        let call = app.begin(&parts.headers, &context).await?;
        parts.extensions.insert(call.clone());
        Ok(Self(call))
    }
}

/// `None` when no credentials were sent.
impl OptionalFromRequestParts<App> for Asking {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>, Problem> {
        if !parts.headers.contains_key(AUTHORIZATION) {
            return Ok(None);
        }
        <Self as FromRequestParts<App>>::from_request_parts(parts, app).await.map(Some)
    }
}

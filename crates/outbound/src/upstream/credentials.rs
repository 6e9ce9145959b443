//! Who we are to an upstream, and which origins may see it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::Secret;
use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::address::same_origin;
use crate::error::Error;
use crate::request::{bearer, secret};

/// What an upstream knows us by.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A name and a password.
    Basic {
        /// The name.
        user: String,
        /// The password, or what stands in its place.
        password: Secret<String>,
    },
    /// A token, sent as it is.
    Bearer(Secret<String>),
}

impl Credentials {
    fn header(&self) -> Result<HeaderValue, Error> {
        match self {
            Self::Basic { user, .. } if user.contains(':') => {
                Err(Error::Address("the user's name may not hold a colon".to_owned()))
            }
            Self::Basic { user, password } => {
                secret(&format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose()))))
            }
            Self::Bearer(token) => bearer(token),
        }
    }
}

/// Credentials, ready to send, with the origins that may see them.
pub(crate) struct Bound {
    pub(crate) address: Url,
    realm: Option<Url>,
    header: Option<HeaderValue>,
}

impl Bound {
    /// Binds `credentials` to the origin of `address`, and to that of `realm` for getting tokens.
    pub(crate) fn new(address: Url, realm: Option<Url>, credentials: Option<&Credentials>) -> Result<Self, Error> {
        Ok(Self { address, realm, header: credentials.map(Credentials::header).transpose()? })
    }

    /// What goes along to `url`: to the upstream's own origin only.
    pub(crate) fn to(&self, url: &Url) -> Option<HeaderValue> {
        self.header.clone().filter(|_| same_origin(&self.address, url))
    }

    /// What goes along to `realm`, for a token that `challenger` will see. Others are told to come without us: who
    /// sends us to our own realm may not have a token that our credentials bought.
    pub(crate) fn to_realm(&self, realm: &Url, challenger: &Url) -> Option<HeaderValue> {
        let known = same_origin(&self.address, realm) || self.realm.as_ref().is_some_and(|own| same_origin(own, realm));
        self.header.clone().filter(|_| known && same_origin(&self.address, challenger))
    }
}

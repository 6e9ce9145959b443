//! Somebody with a token.

use std::ops::Deref;

use crate::http::Http;

/// A subject, her token, and a client that speaks as her: `alice.get("/v1/repos").send().await?`.
#[derive(Clone, Debug)]
pub struct Persona {
    subject: String,
    token: String,
    http: Http,
}

impl Persona {
    /// A persona who speaks over `http` with `token`.
    pub fn new(subject: &str, token: String, http: Http) -> Persona {
        Persona { subject: subject.to_string(), http: http.with_token(&token), token }
    }

    /// Her name.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Her token in plain.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The same persona, speaking to another API process of the same installation.
    pub fn at(&self, address: std::net::SocketAddr) -> Persona {
        Persona::new(&self.subject, self.token.clone(), Http::new(address))
    }

    /// What she speaks through.
    pub fn client(&self) -> Http {
        self.http.clone()
    }
}

impl AsRef<Persona> for Persona {
    fn as_ref(&self) -> &Persona {
        self
    }
}

impl Deref for Persona {
    type Target = Http;

    fn deref(&self) -> &Http {
        &self.http
    }
}

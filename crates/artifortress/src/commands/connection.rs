//! Which server, as whom: flags over environment over the stored login.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use model::Secret;
use outbound::{Client, Proxies, Settings, Trust};

use super::credentials::Credentials;
use super::failure::Failure;
use crate::Context;
use crate::config::Environment;

/// The largest file that may hold a token.
const TOKEN_LIMIT: u64 = 64 * 1024;

/// How to reach the server. The token comes from `ARTIFORTRESS_TOKEN` or `ARTIFORTRESS_TOKEN_FILE`, else from
/// the stored login; never from the command line.
#[derive(Args, Clone, Debug, Default)]
pub struct Connection {
    /// The server's address [default: ARTIFORTRESS_SERVER, else the server of the last login]
    #[arg(long, value_name = "URL", help_heading = "Connection")]
    pub server: Option<String>,

    /// A file of further certificate authorities to trust (PEM) [default: ARTIFORTRESS_CA_FILE, else that of the login]
    #[arg(long, value_name = "PATH", help_heading = "Connection")]
    pub ca_file: Option<PathBuf>,
}

impl Connection {
    /// The server's address, without a slash at its end.
    pub fn address(&self, context: &Context) -> Result<String, Failure> {
        let environment = &context.environment;
        let named = self.server.as_deref().or_else(|| environment.filled("ARTIFORTRESS_SERVER"));
        let server = match named {
            Some(named) => named.to_owned(),
            None => Credentials::load(environment)
                .ok()
                .and_then(|stored| stored.default_server().map(str::to_owned))
                .unwrap_or_else(|| local(environment.filled("ARTIFORTRESS_LISTEN"))),
        };
        Ok(server.trim_end_matches('/').to_owned())
    }

    /// A client that sends the token, if there is one.
    pub fn client(&self, context: &Context) -> Result<Client, Failure> {
        let server = self.address(context)?;
        let token = self.token(context, &server)?;
        self.client_with(context, &server, token)
    }

    /// The token for `server`, if there is one.
    pub fn token(&self, context: &Context, server: &str) -> Result<Option<Secret<String>>, Failure> {
        match given_token(&context.environment)? {
            Some(token) => Ok(Some(token)),
            None => Ok(Credentials::load(&context.environment)?.token(server)),
        }
    }

    /// The file of further authorities that is named, by its whole path.
    pub fn authorities(&self, context: &Context) -> Result<Option<PathBuf>, Failure> {
        let named = || context.environment.filled("ARTIFORTRESS_CA_FILE").map(PathBuf::from);
        let Some(path) = self.ca_file.clone().or_else(named) else { return Ok(None) };
        let told = |error| Failure::usage(format!("cannot read '{}': {error}", path.display()));
        std::path::absolute(&path).map(Some).map_err(told)
    }

    /// A client for `server` that sends `token`.
    pub fn client_with(
        &self,
        context: &Context,
        server: &str,
        token: Option<Secret<String>>,
    ) -> Result<Client, Failure> {
        let environment = &context.environment;
        let kept = || Credentials::load(environment).ok().and_then(|stored| stored.ca_file(server));
        let extra = self.authorities(context)?.or_else(kept);
        let bundle = bundle(environment);
        let settings =
            Settings { token, trust: Trust { bundle, extra }, proxies: proxies(environment), ..Settings::new(server) };
        Ok(Client::new(settings, context.ambient.clone())?)
    }
}

/// The address at which a server that listens there is reached from the same machine.
pub(super) fn local(listen: Option<&str>) -> String {
    let listen = listen.and_then(|text| text.parse::<std::net::SocketAddr>().ok());
    let Some(mut address) = listen else { return "http://127.0.0.1:8080".to_owned() };
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    format!("http://{address}")
}

/// The token that the environment gives.
pub(super) fn given_token(environment: &Environment) -> Result<Option<Secret<String>>, Failure> {
    match (environment.filled("ARTIFORTRESS_TOKEN"), environment.filled("ARTIFORTRESS_TOKEN_FILE")) {
        (Some(_), Some(_)) => {
            Err(Failure::usage("ARTIFORTRESS_TOKEN and ARTIFORTRESS_TOKEN_FILE are both set: choose one"))
        }
        (Some(token), None) => Ok(Some(Secret::new(token.trim().to_owned()))),
        (None, Some(path)) => secret_file(Path::new(path)).map(Some),
        (None, None) => Ok(None),
    }
}

/// The secret in the file at `path`, without blanks around it.
pub(super) fn secret_file(path: &Path) -> Result<Secret<String>, Failure> {
    let unreadable = |error| Failure::usage(format!("cannot read the secret in '{}': {error}", path.display()));
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(TOKEN_LIMIT).read_to_string(&mut text)).map_err(unreadable)?;
    match text.trim() {
        "" => Err(Failure::usage(format!("'{}' is empty", path.display()))),
        token => Ok(Secret::new(token.to_owned())),
    }
}

/// The authorities that are believed in place of the system's, where the environment names them.
pub(crate) fn bundle(environment: &Environment) -> Option<PathBuf> {
    environment.filled("SSL_CERT_FILE").map(PathBuf::from)
}

/// The usual variables.
pub(crate) fn proxies(environment: &Environment) -> Proxies {
    let either =
        |name: &str| environment.filled(&name.to_lowercase()).or_else(|| environment.filled(name)).map(str::to_owned);
    // Where a web server runs us as a CGI program, the upper-case form of this one is a header of the request.
    let http = match environment.filled("REQUEST_METHOD") {
        Some(_) => environment.filled("http_proxy").map(str::to_owned),
        None => either("HTTP_PROXY"),
    };
    Proxies { http, https: either("HTTPS_PROXY"), except: either("NO_PROXY") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_come_from_the_usual_variables() {
        let of = |variables: &[(&str, &str)]| {
            let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            let proxies = proxies(&variables.iter().map(own).collect());
            [proxies.http, proxies.https, proxies.except].map(Option::unwrap_or_default)
        };
        let upper = [("HTTP_PROXY", "a:1"), ("HTTPS_PROXY", "b:2"), ("NO_PROXY", "c")];
        assert_eq!(of(&upper), ["a:1", "b:2", "c"]);
        let lower = [("http_proxy", "d:4"), ("https_proxy", "e:5"), ("no_proxy", "f")];
        assert_eq!(of(&lower), ["d:4", "e:5", "f"]);
        assert_eq!(of(&[upper, lower].concat()), ["d:4", "e:5", "f"]);
        assert_eq!(of(&[("HTTP_PROXY", "a:1"), ("REQUEST_METHOD", "GET")]), ["", "", ""], "a header `Proxy`");
        assert_eq!(of(&[("HTTP_PROXY", "")]), ["", "", ""]);
    }
}

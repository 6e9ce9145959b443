//! The upstream of a remote repository, as `admin repos` is told of it. Secrets come from files or the environment,
//! never from the command line.

use std::path::{Path, PathBuf};

use clap::Args;
use model::Secret;
use serde_json::{Map, Value, json};

use crate::commands::connection::secret_file;
use crate::commands::failure::Failure;
use crate::config::Environment;

const PASSWORD: &str = "ARTIFORTRESS_UPSTREAM_PASSWORD";
const TOKEN: &str = "ARTIFORTRESS_UPSTREAM_TOKEN";

/// Where a remote repository reads from, and who we are there.
#[derive(Args, Debug)]
pub(super) struct Upstream {
    /// The address that a remote repository reads from, as the format's clients are told of it: a registry (npm, oci), a simple
    /// index with `/simple` (pypi), the root of a sparse index without `sparse+` (cargo), a module proxy (go), the root of a Maven
    /// repository, a folder (raw)
    #[arg(long, value_name = "URL")]
    upstream_url: Option<String>,
    /// Who we are there; the password comes from --upstream-password-file or ARTIFORTRESS_UPSTREAM_PASSWORD
    #[arg(long, value_name = "NAME", conflicts_with = "upstream_token_file")]
    upstream_user: Option<String>,
    /// The file that holds the password
    #[arg(long, value_name = "FILE", requires = "upstream_user")]
    upstream_password_file: Option<PathBuf>,
    /// The file that holds a bearer token; without one and with --upstream-url: ARTIFORTRESS_UPSTREAM_TOKEN
    #[arg(long, value_name = "FILE")]
    upstream_token_file: Option<PathBuf>,
    /// The one other origin that may be shown the credentials, such as https://login.example
    #[arg(long, value_name = "ORIGIN")]
    upstream_realm: Option<String>,
}

impl Upstream {
    /// Adds to `body` what was named.
    pub(super) fn add_to(&self, body: &mut Map<String, Value>, environment: &Environment) -> Result<(), Failure> {
        if let Some(url) = &self.upstream_url {
            body.insert("upstreamUrl".to_owned(), json!(url));
        }
        let Some(mut auth) = self.credentials(environment)? else {
            return match self.upstream_realm {
                Some(_) => Err(Failure::usage("--upstream-realm goes with credentials: name them too")),
                None => Ok(()),
            };
        };
        if let (Some(fields), Some(realm)) = (auth.as_object_mut(), &self.upstream_realm) {
            fields.insert("realm".to_owned(), json!(realm));
        }
        body.insert("upstreamAuth".to_owned(), auth);
        Ok(())
    }

    fn credentials(&self, environment: &Environment) -> Result<Option<Value>, Failure> {
        if let Some(user) = &self.upstream_user {
            let password = given(self.upstream_password_file.as_deref(), environment, PASSWORD)?;
            let missing = || Failure::usage(format!("--upstream-user needs --upstream-password-file or {PASSWORD}"));
            let password = password.ok_or_else(missing)?;
            return Ok(Some(json!({ "kind": "basic", "user": user, "password": password.expose() })));
        }
        // A token that lies in the environment means nothing where no upstream is spoken of.
        let token = match (&self.upstream_token_file, &self.upstream_url) {
            (None, None) => None,
            (file, _) => given(file.as_deref(), environment, TOKEN)?,
        };
        Ok(token.map(|token| json!({ "kind": "bearer", "token": token.expose() })))
    }
}

/// The secret in the file, else the one in the environment.
fn given(file: Option<&Path>, environment: &Environment, variable: &str) -> Result<Option<Secret<String>>, Failure> {
    match file {
        Some(file) => secret_file(file).map(Some),
        None => Ok(environment.filled(variable).map(|text| Secret::new(text.to_owned()))),
    }
}

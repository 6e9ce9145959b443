//! Values that name a place: databases, blob stores, base addresses.

use std::path::PathBuf;

use model::Secret;

use super::value::Value;

/// Where the truth lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// One file, one process.
    Sqlite(PathBuf),
    /// A `postgres://` URL, password included.
    Postgres(Secret<String>),
}

impl DatabaseUrl {
    /// Whether `text` carries a password: one after the user's name or one among the parameters.
    pub fn holds_password(text: &str) -> bool {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let user = rest.rsplit_once('@').map_or("", |(user, _)| user);
        let parameters = rest.split_once('?').map_or("", |(_, parameters)| parameters);
        let in_parameters = parameters.split('&').any(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            name.eq_ignore_ascii_case("password") || name.contains('%')
        });
        in_parameters || user.contains(':')
    }
}

impl Value for DatabaseUrl {
    const FORM: &'static str = "postgres://… or sqlite:PATH";

    fn read(text: &str) -> Result<Self, String> {
        let postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
        match text.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))),
            None if postgres => Ok(Self::Postgres(Secret::new(text.to_owned()))),
            _ => Err("must begin with postgres:// or sqlite: and name a place".to_owned()),
        }
    }
}

/// Where the bytes live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobPlace {
    /// A folder on a local or shared disk.
    Folder(PathBuf),
    /// A bucket, and a prefix without slashes at its ends (maybe empty).
    Bucket {
        /// The bucket's name.
        bucket: String,
        /// What every object's key begins with.
        prefix: String,
    },
}

impl Value for BlobPlace {
    const FORM: &'static str = "file:DIR or s3://bucket/prefix";

    fn read(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("file:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() {
                Err("file: needs a folder".to_owned())
            } else {
                Ok(Self::Folder(path.into()))
            };
        }
        let Some(rest) = text.strip_prefix("s3://") else {
            return Err(format!("'{text}' must begin with file: or s3://"));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() || bucket.contains(['@', ':', '?', '#']) || prefix.contains(['?', '#']) {
            return Err(format!("'{text}' must be s3://bucket or s3://bucket/prefix"));
        }
        Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
    }
}

/// An absolute `http` or `https` address without query, credentials or slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(pub String);

impl Value for BaseUrl {
    const FORM: &'static str = "http(s)://host[:port][/path]";

    fn read(text: &str) -> Result<Self, String> {
        let refused = || format!("'{text}' must be an address such as https://artifacts.example.org");
        let address: http::Uri = text.parse().map_err(|_| refused())?;
        let web = matches!(address.scheme_str(), Some("http" | "https"));
        let authority = address.authority().map_or("", http::uri::Authority::as_str);
        if !web || authority.is_empty() || authority.contains('@') || address.query().is_some() || text.contains('#') {
            return Err(refused());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

/// A web origin: scheme, host and port, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(pub String);

impl Value for Origin {
    const FORM: &'static str = "origin";

    fn read(text: &str) -> Result<Self, String> {
        let refused = || format!("'{text}' must be an origin such as https://ui.example.org ('*' is not accepted)");
        let BaseUrl(origin) = BaseUrl::read(text).map_err(|_| refused())?;
        let bare = origin.split_once("://").is_some_and(|(_, host)| !host.contains('/'));
        if bare && !text.ends_with('/') { Ok(Self(origin.to_ascii_lowercase())) } else { Err(refused()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_a_database_url_are_seen() {
        for with in [
            "postgres://a:b@h/d",
            "postgres://:b@h/d",
            "postgres://h/d?password=x",
            "postgres://a:b/c@h/d",
            "postgres://h/d?x=1&PASSWORD=y",
        ] {
            assert!(DatabaseUrl::holds_password(with), "{with}");
        }
        for without in ["postgres://a@h:5432/d", "postgres://h:5432/d?sslmode=require", "sqlite:/a/b.db"] {
            assert!(!DatabaseUrl::holds_password(without), "{without}");
        }
    }

    #[test]
    fn blob_places_are_read() {
        let bucket = BlobPlace::read("s3://b/some/prefix/").expect("valid");
        assert_eq!(bucket, BlobPlace::Bucket { bucket: "b".into(), prefix: "some/prefix".into() });
        assert_eq!(BlobPlace::read("file:/x"), Ok(BlobPlace::Folder("/x".into())));
        for bad in ["", "file:", "s3://", "http://b", "s3://k:s@b", "/x"] {
            assert!(BlobPlace::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_and_origins_are_strict() {
        assert_eq!(BaseUrl::read("https://a.example/x/"), Ok(BaseUrl("https://a.example/x".into())));
        for bad in ["a.example", "ftp://a", "https://u:p@a", "https://a?x=1", "https://", "https://a/#x"] {
            assert!(BaseUrl::read(bad).is_err(), "{bad}");
        }
        assert!(Origin::read("https://a.example:8443").is_ok());
        for bad in ["*", "https://a/", "https://a/x", "null"] {
            assert!(Origin::read(bad).is_err(), "{bad}");
        }
    }
}

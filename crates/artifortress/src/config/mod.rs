//! The configuration: flags over environment over file, one table of settings, one plain value.
//!
//! The rule: `[upload] session_minutes` in the file is `ARTIFORTRESS_UPLOAD_SESSION_MINUTES` in the
//! environment and `--upload-session-minutes` on the command line. Whatever is unknown, out of
//! range, doubled or missing refuses to start and names the key and the place.

mod agreement;
mod environment;
mod file;
mod flags;
mod layer;
mod place;
mod problem;
mod reference;
mod sections;
mod setting;
#[cfg(test)]
mod tests;
mod value;

use std::path::{Path, PathBuf};

pub use environment::Environment;
pub use flags::{ConfigFlags, FewFlags};
pub use place::{BaseUrl, BlobPlace, DatabaseUrl, Origin};
pub use problem::{ConfigError, Place, Problem};
pub use reference::reference;
pub use sections::{
    Blobs, Cors, Database, Download, Http, Lifecycle, Log, Quota, Rate, S3, Server, Tls, Tokens, Upload, Versions,
    Worker,
};
pub use setting::{Secrecy, Setting};
pub use value::{EnvironmentName, LogFilter, LogFormat, MasterKey, Value};

pub use agreement::Process;
use layer::{Given, Layer, settle};

/// Declares the whole from its sections.
macro_rules! config {
    ($($(#[$doc:meta])* $field:ident: $section:ident),+ $(,)?) => {
        /// Everything that can be set, checked. Holds secrets, but never prints them.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Config {
            $($(#[$doc])* pub $field: $section),+
        }

        impl Config {
            /// The table: every setting, section by section.
            pub fn settings() -> impl Iterator<Item = &'static Setting> {
                [$($section::SETTINGS),+].into_iter().flatten()
            }

            fn read(settled: &[(&'static Setting, Given)]) -> Result<Self, String> {
                let text = |settings: &'static [Setting]| move |key: &'static str| {
                    let section = settings.first().map_or("", |setting| setting.section);
                    let found = settled.iter().find(|(s, _)| s.section == section && s.key == key);
                    found.map(|(_, given)| given.text.clone()).unwrap_or_default()
                };
                Ok(Self { $($field: $section::read(text($section::SETTINGS))?),+ })
            }
        }
    };
}

config! {
    /// Folder, addresses, environment, keys.
    server: Server,
    /// The metadata.
    database: Database,
    /// The bytes.
    blobs: Blobs,
    /// Access to object storage.
    s3: S3,
    /// Upload sessions.
    upload: Upload,
    /// Downloads.
    download: Download,
    /// Limits of one connection.
    http: Http,
    /// TLS of the listener.
    tls: Tls,
    /// Browsers of other origins.
    cors: Cors,
    /// Limits by principal or address.
    rate: Rate,
    /// Published versions.
    versions: Versions,
    /// Deletion.
    lifecycle: Lifecycle,
    /// Background work.
    worker: Worker,
    /// What a tenant may use.
    quota: Quota,
    /// Personal access tokens.
    tokens: Tokens,
    /// Logs.
    log: Log,
}

impl Config {
    /// Reads and checks everything. All problems are reported at once.
    pub fn load(flags: &ConfigFlags, environment: &Environment) -> Result<Self, ConfigError> {
        let settings: Vec<&'static Setting> = Self::settings().collect();
        let flag_layer = flags.layer();
        let (variables, mut problems) = environment::layer(environment, &settings);
        let file = match find_file(flags, environment, &[&flag_layer, &variables]) {
            Some(file) => read_file(&file, &settings, &mut problems)?,
            None => Layer::default(),
        };
        let mut settled = Vec::new();
        for setting in settings {
            match settle(setting, &[&flag_layer, &variables, &file]) {
                Ok(given) => settled.push((setting, given)),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(ConfigError { problems });
        }
        let config = Self::read(&settled).map_err(|what| Problem::new("", Place::Unset, what))?;
        config.agrees(&|name| place_of(&settled, name))?;
        Ok(config)
    }

    /// The database, the default filled in.
    pub fn database_url(&self) -> DatabaseUrl {
        let default = || DatabaseUrl::Sqlite(self.server.data.join("artifortress.db"));
        self.database.url.clone().unwrap_or_else(default)
    }

    /// Where the bytes live, the default filled in.
    pub fn blob_place(&self) -> BlobPlace {
        self.blobs.place.clone().unwrap_or_else(|| BlobPlace::Folder(self.server.data.join("blobs")))
    }
}

fn place_of(settled: &[(&'static Setting, Given)], name: &str) -> Place {
    settled.iter().find(|(setting, _)| setting.name() == name).map_or(Place::Unset, |(_, given)| given.place.clone())
}

/// A file, and whether it was found through the data folder (and so may not move that folder).
struct Located {
    path: PathBuf,
    by_default: bool,
}

fn find_file(flags: &ConfigFlags, environment: &Environment, layers: &[&Layer]) -> Option<Located> {
    let named = flags.config.clone().or_else(|| environment.filled("ARTIFORTRESS_CONFIG").map(PathBuf::from));
    if let Some(path) = named {
        return Some(Located { path, by_default: false });
    }
    let data = layers.iter().find_map(|layer| layer.get("data")).map_or("./data", |given| given.text.as_str());
    let path = Path::new(data).join("artifortress.toml");
    path.exists().then_some(Located { path, by_default: true })
}

fn read_file(
    located: &Located,
    settings: &[&'static Setting],
    problems: &mut Vec<Problem>,
) -> Result<Layer, ConfigError> {
    let (layer, found) = file::layer(&located.path, settings)?;
    problems.extend(found);
    if let (true, Some(data)) = (located.by_default, layer.get("data")) {
        let what = "cannot be set in a file that was found through it: use --config, --data or ARTIFORTRESS_DATA_DIR";
        problems.push(Problem::new("data", data.place.clone(), what));
    }
    Ok(layer)
}

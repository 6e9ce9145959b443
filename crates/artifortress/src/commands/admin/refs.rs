//! `admin refs`.

use clap::Subcommand;
use serde_json::json;

use super::Desk;
use super::versions::InRepo;
use crate::commands::failure::Failure;

#[derive(Debug, Subcommand)]
pub(super) enum Refs {
    /// List the refs of a package
    List {
        #[command(flatten)]
        package: InRepo,
    },
    /// Point a ref at a published version
    Set {
        #[command(flatten)]
        package: InRepo,
        /// The ref
        name: String,
        /// The version that it shall point at
        version: String,
    },
    /// Remove a ref; its history stays
    Delete {
        #[command(flatten)]
        package: InRepo,
        /// The ref
        name: String,
        /// Only where it points at this version now
        #[arg(long, value_name = "VERSION")]
        expected: Option<String>,
    },
    /// Where a ref pointed, youngest first
    History {
        #[command(flatten)]
        package: InRepo,
        /// The ref
        name: String,
    },
}

const COLUMNS: [(&str, &str); 5] =
    [("REF", "name"), ("VERSION", "version"), ("SINCE", "sinceUtc"), ("UNTIL", "untilUtc"), ("BY", "bySubject")];

impl Refs {
    pub(super) async fn run(self, desk: &Desk<'_>) -> Result<(), Failure> {
        match self {
            Self::List { package } => list(desk, &package, &["refs"], None).await,
            Self::History { package, name } => list(desk, &package, &["refs", "history"], Some(&name)).await,
            Self::Set { package, name, version } => {
                let id = package.version_id(desk, &version).await?;
                let call = desk.client.put(&package.at(&["refs"])).json(&json!({ "name": name, "versionId": id }));
                desk.perform(call, &format!("{name} of {} points at {version}", package.package)).await
            }
            Self::Delete { package, name, expected } => {
                let expected = match expected {
                    Some(version) => Some(package.version_id(desk, &version).await?),
                    None => None,
                };
                let more = [("name", Some(name.as_str())), ("expectedVersionId", expected.as_deref())];
                let filters = [&package.filters()[..], &more].concat();
                let given = filters.into_iter().filter_map(|(field, value)| Some((field, value?)));
                let call = desk.client.delete(&package.at(&["refs"]));
                let call = given.fold(call, |call, (field, value)| call.query(field, value));
                desk.perform(call, &format!("{name} of {} is removed", package.package)).await
            }
        }
    }
}

async fn list(desk: &Desk<'_>, package: &InRepo, place: &[&str], name: Option<&str>) -> Result<(), Failure> {
    let filters = [&package.filters()[..], &[("name", name)]].concat();
    desk.list(&package.at(place), &filters, None, &COLUMNS).await
}

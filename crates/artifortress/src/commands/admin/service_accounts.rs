//! `admin service-accounts`.

use clap::Subcommand;
use serde_json::json;

use super::Desk;
use super::sure::Sure;
use crate::commands::failure::Failure;

const PLACE: &str = "/v1/admin/service-accounts";

#[derive(Debug, Subcommand)]
pub(super) enum ServiceAccounts {
    /// List them
    List,
    /// Make one; give it roles with `bindings set` and a token with `tokens mint --subject`
    Create {
        /// Its subject
        subject: String,
        /// What it is for
        #[arg(long)]
        description: Option<String>,
    },
    /// Disable one: its tokens are refused from the next request on, until it is enabled again
    Disable {
        /// Its subject
        subject: String,
    },
    /// Enable one again, with its tokens
    Enable {
        /// Its subject
        subject: String,
    },
    /// Delete one for good: its tokens are revoked, its name is never used again
    Delete {
        /// Its subject
        subject: String,
        #[command(flatten)]
        sure: Sure,
    },
}

impl ServiceAccounts {
    pub(super) async fn run(self, desk: &Desk<'_>) -> Result<(), Failure> {
        match self {
            Self::List => {
                let columns = [
                    ("SUBJECT", "subject"),
                    ("DESCRIPTION", "description"),
                    ("CREATED", "createdAtUtc"),
                    ("DISABLED", "disabledAtUtc"),
                    ("DELETED", "deletedAtUtc"),
                ];
                desk.list(PLACE, &[], None, &columns).await
            }
            Self::Create { subject, description } => {
                let mut body = json!({ "subject": subject });
                if let Some(description) = description {
                    body["description"] = json!(description);
                }
                let call = desk.client.post(PLACE).json(&body).once();
                desk.perform(call, &format!("service account {subject} is made")).await
            }
            Self::Disable { subject } => disable(desk, &subject, true).await,
            Self::Enable { subject } => disable(desk, &subject, false).await,
            Self::Delete { subject, sure } => {
                sure.agreed(desk, &format!("delete the service account {subject} for good"))?;
                let call = desk.client.delete(&at(&subject));
                desk.perform(call, &format!("service account {subject} is deleted")).await
            }
        }
    }
}

fn at(subject: &str) -> String {
    format!("{PLACE}{}", outbound::path([subject]))
}

async fn disable(desk: &Desk<'_>, subject: &str, disabled: bool) -> Result<(), Failure> {
    let call = desk.client.patch(&at(subject)).json(&json!({ "disabled": disabled }));
    let done = if disabled { "disabled" } else { "enabled" };
    desk.perform(call, &format!("service account {subject} is {done}")).await
}

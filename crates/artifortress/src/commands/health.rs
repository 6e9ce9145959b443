//! `health`: is the server alive, and is it ready?

use clap::Args;
use outbound::{Client, Retry};
use serde_json::{Value, json};

use super::connection::Connection;
use super::failure::Failure;
use super::table;
use crate::Context;

/// Ask the server whether it is alive and ready; exit code 1 when it is not
#[derive(Args, Debug)]
pub struct Health {
    #[command(flatten)]
    connection: Connection,

    /// Ask only whether it is alive
    #[arg(long)]
    live: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Health {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = self.connection.client(context)?.with_retry(Retry::none());
        let live: Value = client.get("/health/live").send().await?.json().await?;
        let ready = if self.live { None } else { Some(readiness(&client).await?) };
        let state = ready.as_ref().and_then(|ready| ready["status"].as_str()).unwrap_or("live").to_owned();
        if self.json {
            table::json(&context.console, &json!({ "live": live, "ready": ready }));
        } else {
            context.console.line(&format!("{} is {state}", client.base()));
            for dependency in unwell(ready.as_ref()) {
                context.console.line(&format!("  {dependency}"));
            }
        }
        if state == "not_ready" { Err(Failure::new(format!("{} is not ready", client.base()))) } else { Ok(()) }
    }
}

/// The answer of `/health/ready`. A refusal that says `not_ready` is an answer too.
pub(super) async fn readiness(client: &Client) -> Result<Value, Failure> {
    let answer = client.get("/health/ready").accept(503).send().await?;
    let status = answer.status();
    match answer.json().await {
        Ok(ready) => Ok(ready),
        // A proxy in between has its own way to say no.
        Err(_) if status == 503 => Ok(json!({ "status": "not_ready" })),
        Err(error) => Err(error.into()),
    }
}

/// The dependencies that are not healthy, by name.
pub(super) fn unwell(ready: Option<&Value>) -> Vec<String> {
    let dependencies = ready.and_then(|ready| ready["dependencies"].as_array());
    let sick = dependencies.into_iter().flatten().filter(|dependency| dependency["healthy"] != true);
    sick.map(|dependency| {
        let text = |field: &str| dependency[field].as_str().unwrap_or_default().to_owned();
        format!("{} is unwell {}", text("name"), text("detail")).trim_end().to_owned()
    })
    .collect()
}

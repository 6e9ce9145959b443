//! `backing COMMAND…`: starts PostgreSQL and an S3 server, runs the command with their addresses in its environment,
//! stops both and ends with the command's exit code. `backing s3 ADDRESS FOLDER` is the S3 server's own process.

use std::path::Path;
use std::process::{Command, ExitCode};

use acceptance::postgres::{Cluster, Durability};
use acceptance::s3::{Service, serve};
use acceptance::{Result, Trouble, backing, environment};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["s3", address, folder] => serve_s3(address, Path::new(folder)),
        [] => Err(Trouble::new("usage: backing COMMAND…")),
        ["--", command @ ..] | command => run(command),
    };
    done.unwrap_or_else(|trouble| {
        eprintln!("backing: {trouble:?}");
        ExitCode::FAILURE
    })
}

fn run(command: &[&str]) -> Result<ExitCode> {
    let (Some(program), arguments) = (command.first(), command.get(1..).unwrap_or_default()) else {
        return Err(Trouble::new("usage: backing COMMAND…"));
    };
    let cluster = Cluster::start(Durability::Off)?;
    let service = Service::start()?;
    let bucket = service.s3().bucket("shared")?;
    let variables = backing::variables(&cluster.admin(), service.s3(), &bucket);
    // In our own process group, so that Ctrl-C reaches it, and told to end should we be killed.
    let guard = ["--pdeathsig", "TERM", "--", program];
    let end = Command::new("setpriv").args(guard).args(arguments).envs(variables).status()?;
    Ok(end.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

#[tokio::main]
async fn serve_s3(address: &str, folder: &Path) -> Result<ExitCode> {
    let access_key = environment::require(backing::S3_ACCESS_KEY)?;
    let secret_key = environment::require(backing::S3_SECRET_KEY)?;
    serve::serve(address.parse()?, folder, &access_key, &secret_key).await?;
    Ok(ExitCode::SUCCESS)
}

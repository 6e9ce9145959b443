//! TLS from files that may be replaced, spoken to by `curl`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use acceptance::server::Server;
use acceptance::{Result, scratch};

use crate::site::{ensure, plan};

/// Writes a certificate of its own authority for `localhost` with this serial number.
fn certificate(folder: &Path, serial: &str) -> Result<()> {
    let (key, cert) = (folder.join("key.new"), folder.join("cert.new"));
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]);
    command.args([
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-set_serial",
        serial,
    ]);
    let done = command.arg("-keyout").arg(&key).arg("-out").arg(&cert).output()?;
    ensure(done.status.success(), String::from_utf8_lossy(&done.stderr))?;
    fs::rename(key, folder.join("key.pem"))?;
    Ok(fs::rename(cert, folder.join("cert.pem"))?)
}

/// What `curl` says of a request: `status version`, and the headers.
fn curl(server: &Server, folder: &Path, arguments: &[&str], path: &str) -> Result<(String, String)> {
    let url = format!("https://localhost:{}{path}", server.address()?.port());
    let mut command = Command::new("curl");
    command.args(["-s", "-m", "5", "-o", "/dev/null", "-D", "-", "-w", "\n%{http_code} %{http_version}"]);
    let done = command.arg("--cacert").arg(folder.join("cert.pem")).args(arguments).arg(url).output()?;
    let text = String::from_utf8_lossy(&done.stdout).to_lowercase();
    let (headers, told) = text.trim_end().rsplit_once('\n').unwrap_or(("", &text));
    Ok((told.to_string(), headers.to_string()))
}

async fn encrypted(more: &[(&str, &str)]) -> Result<(Server, PathBuf)> {
    let folder = scratch::folder("tls")?;
    certificate(&folder, "1")?;
    let plan = plan()
        .without_admin()
        .variable("ARTIFORTRESS_TLS_CERT", folder.join("cert.pem").display().to_string())
        .variable("ARTIFORTRESS_TLS_KEY", folder.join("key.pem").display().to_string());
    let plan = more.iter().fold(plan, |plan, (name, value)| plan.variable(name, *value));
    Ok((plan.start().await?, folder))
}

#[tokio::test]
async fn http_1_and_2_over_tls_1_2_and_1_3_and_nothing_older() -> Result<()> {
    let (server, folder) = encrypted(&[("ARTIFORTRESS_HSTS", "true")]).await?;
    for (arguments, expected) in [
        (&["--http1.1"][..], "200 1.1"),
        (&["--http2"], "200 2"),
        (&["--tlsv1.2", "--tls-max", "1.2"], "200 2"),
        (&["--tlsv1.3"], "200 2"),
        (&["--tls-max", "1.1"], "000 0"),
        (&["--cacert", "/etc/ssl/certs/ca-certificates.crt"], "000 0"),
    ] {
        let (told, headers) = curl(&server, &folder, arguments, "/health/ready")?;
        ensure(told == expected, format!("{arguments:?}: {told}"))?;
        let strict = headers.contains("strict-transport-security: max-age=31536000");
        ensure(strict == expected.starts_with("200"), format!("{arguments:?}: {headers}"))?;
    }
    // Refusals are strict, too; and nobody is served in plain.
    let (told, headers) = curl(&server, &folder, &[], "/v1/repos")?;
    ensure(told == "401 2" && headers.contains("strict-transport-security"), format!("{told} {headers}"))?;
    ensure(server.http()?.get("/").send().await.is_err(), "plain HTTP is not spoken here")?;
    let (told, _) = curl(&server, &folder, &[], "/")?;
    ensure(told == "200 2", "and whoever tried harmed nobody")
}

#[tokio::test]
async fn a_new_certificate_is_used_and_a_broken_one_is_not() -> Result<()> {
    let (server, folder) = encrypted(&[]).await?;
    let (told, headers) = curl(&server, &folder, &[], "/")?;
    ensure(
        told == "200 2" && !headers.contains("strict-transport-security"),
        "without the setting nothing is promised",
    )?;
    let old = scratch::folder("tls-old")?;
    fs::copy(folder.join("cert.pem"), old.join("cert.pem"))?;
    fs::write(folder.join("cert.pem"), "-----BEGIN CERTIFICATE-----\nbroken")?;
    until(|| server.log().contains("not usable"), "the broken one to be noticed").await?;
    ensure(curl(&server, &old, &[], "/")?.0 == "200 2", "the old certificate stays")?;
    certificate(&folder, "2")?;
    until(|| curl(&server, &folder, &[], "/").is_ok_and(|(told, _)| told == "200 2"), "the new certificate").await?;
    ensure(curl(&server, &old, &[], "/")?.0 == "000 0", "and the old one is gone")
}

#[tokio::test]
async fn half_a_configuration_does_not_start() -> Result<()> {
    let folder = scratch::folder("tls")?;
    certificate(&folder, "1")?;
    let cert = folder.join("cert.pem").display().to_string();
    for (name, value) in [("ARTIFORTRESS_TLS_CERT", cert.as_str()), ("ARTIFORTRESS_TLS_KEY", cert.as_str())] {
        ensure(plan().without_admin().variable(name, value).start().await.is_err(), name)?;
    }
    let missing = plan().variable("ARTIFORTRESS_TLS_CERT", &cert).variable("ARTIFORTRESS_TLS_KEY", "none.pem");
    ensure(missing.start().await.is_err(), "a key that is not there")
}

async fn until(holds: impl Fn() -> bool, what: &str) -> Result<()> {
    let began = Instant::now();
    while !holds() {
        ensure(began.elapsed() < Duration::from_secs(20), format!("waited for {what}"))?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

//! What twine, pip, uv and poetry have in common: one environment that holds them, homes, packages.

use std::path::{Path, PathBuf};

use acceptance::Result;
use serde_json::{Value as Json, json};

use crate::desk::{Deed, Desk};

/// Where `kit/install-tools` puts them.
pub(crate) const CLIENTS: &str = "/opt/clients/python/bin";
/// The guide whose configuration the tests run.
pub(super) const GUIDE: &str = "docs/formats/pypi.md";

/// A client in the home of somebody.
pub(crate) fn client(desk: &Desk, who: &str, name: &str) -> Result<Deed> {
    let deed = desk.command(Path::new(CLIENTS).join(name))?.env("HOME", desk.home.join(who));
    let deed = deed.env("NO_COLOR", "1").env("COLUMNS", "400").env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    let deed = deed.env("PIP_CONFIG_FILE", desk.home.join(who).join("pip.conf")).env("PIP_RETRIES", "0");
    Ok(deed.env("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring").env("UV_HTTP_RETRIES", "0"))
}

/// A block of the guide, for this server and this repository.
pub(super) fn shown(desk: &Desk, kind: &str, number: usize, token: &str) -> Result<String> {
    let text = desk.shown(GUIDE, kind, number, token)?.replace("/libs/", &format!("/{}/", desk.place));
    Ok(text.replace("machine 127.0.0.1", &format!("machine {}", desk.server.address()?.ip())))
}

/// The home of somebody with this token: the files that the guide shows.
pub(crate) fn set_up(desk: &Desk, who: &str, token: &str) -> Result<()> {
    desk.write(&format!("{who}/.pypirc"), shown(desk, "ini", 0, token)?)?;
    desk.write(&format!("{who}/pip.conf"), shown(desk, "ini", 1, token)?)?;
    desk.write(&format!("{who}/.netrc"), shown(desk, "text", 0, token)?).map(drop)
}

/// An environment without anything in it; what is installed there is seen by its `python`.
pub(crate) fn environment(desk: &Desk, name: &str) -> Result<PathBuf> {
    let home = desk.home.join(name);
    let python = desk.command(Path::new(CLIENTS).join("python"))?;
    python.args(["-m", "venv", "--without-pip", &home.display().to_string()]).works()?;
    Ok(home.join("bin/python"))
}

/// Runs some Python there.
pub(crate) fn run(desk: &Desk, python: &Path, text: &str) -> Result<String> {
    desk.command(python)?.args(["-c", text]).works()
}

/// Makes a package from this description; its path.
pub(crate) fn packed(desk: &Desk, folder: &str, kind: &str, said: &Json) -> Result<String> {
    let program = desk.write("pack.py", include_str!("pack.py"))?.display().to_string();
    let folder = desk.home.join(folder).display().to_string();
    let deed = desk.command(Path::new(CLIENTS).join("python"))?;
    let name = deed.args([&program, kind, &said.to_string(), &folder]).works()?;
    Ok(format!("{folder}/{}", name.trim()))
}

/// A wheel with a library that was compiled just now, for this machine alone.
pub(super) fn native(desk: &Desk, name: &str) -> Result<String> {
    let source = desk.write("answer.c", "int answer(void) { return 42; }\n")?.display().to_string();
    let library = desk.home.join("answer.so").display().to_string();
    desk.command(Path::new("cc"))?.args(["-shared", "-fPIC", "-o", &library, &source]).works()?;
    let text = "import ctypes, os\n\n\ndef greet():\n    folder = os.path.dirname(__file__)\n    \
                return ctypes.CDLL(os.path.join(folder, 'answer.so')).answer()\n";
    let tag = format!("py3-none-linux_{}", std::env::consts::ARCH);
    let said = json!({"name": name, "version": "1.0", "native": library, "tag": tag, "text": text});
    packed(desk, "dist", "wheel", &said)
}

/// Yanks, tombstones, … a version over the control plane.
pub(super) async fn act(desk: &Desk, package: &str, version: &str, verb: &str, reason: &str) -> Result<()> {
    let base = "/v1/repos/pypi/packages/versions";
    let found = desk.admin.get(&format!("{base}/resolve?name={package}&version={version}")).send().await?;
    let id = found.expect(&[200])?.string("/versionId")?;
    let post = desk.admin.post(&format!("{base}/{id}/{verb}"));
    let post = if reason.is_empty() { post } else { post.json(&json!({"reason": reason})) };
    post.send().await?.expect(&[200]).map(drop)
}

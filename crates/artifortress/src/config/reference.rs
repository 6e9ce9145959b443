//! The reference of all settings, generated from the table.

use std::fmt::Write;

use super::Config;
use super::setting::{Secrecy, Setting};

const HEAD: &str = "\
# Configuration

*Generated from the table of settings in `crates/artifortress/src/config/sections.rs`; a test keeps it current.*

Flags win over environment variables, which win over the file. The file is TOML: the one that `--config` or
`ARTIFORTRESS_CONFIG` names, else `<data>/artifortress.toml` if there is one. One rule gives all names:
`[upload] session_minutes` is `ARTIFORTRESS_UPLOAD_SESSION_MINUTES` and `--upload-session-minutes`.

A secret can also be named as a file: `master_key_file`, `ARTIFORTRESS_MASTER_KEY_FILE`, `--master-key-file`. On the
command line a secret, or a database URL with a password, is refused. An unknown key or `ARTIFORTRESS_*` variable, a
value out of range, a missing secret, or a secret given both as a value and as a file refuses to start, and the message
names the key and the place. Lists are written with commas between the items, in the file also as an array of texts.
";

/// The Markdown text of `docs/operate/configuration.md`.
pub fn reference() -> String {
    let mut text = HEAD.to_owned();
    let mut section = None;
    for setting in Config::settings() {
        if section != Some(setting.section) {
            section = Some(setting.section);
            begin(&mut text, setting.section);
        }
        row(&mut text, setting);
    }
    text
}

fn begin(text: &mut String, section: &str) {
    let title = if section.is_empty() { "At the top of the file".to_owned() } else { format!("`[{section}]`") };
    let columns = "| key | variable | flag | value | default | meaning |\n|---|---|---|---|---|---|";
    // Writing into a String cannot fail.
    let _ = write!(text, "\n## {title}\n\n{columns}\n");
}

fn row(text: &mut String, setting: &Setting) {
    let default =
        if setting.default.is_empty() { setting.otherwise.to_owned() } else { format!("`{}`", setting.default) };
    let _ = writeln!(
        text,
        "| `{}` | `{}` | {} | {} | {default} | {} |",
        setting.key,
        setting.variable(),
        flag(setting),
        form(setting),
        setting.doc.trim()
    );
}

fn flag(setting: &Setting) -> String {
    match setting.secrecy {
        Secrecy::Secret => format!("`--{}-file`", setting.flag()),
        _ => format!("`--{}`", setting.flag()),
    }
}

fn form(setting: &Setting) -> String {
    match (setting.range, setting.secrecy) {
        (Some((least, most)), _) => format!("{least} to {most}"),
        (None, Secrecy::Plain) => setting.form.to_owned(),
        (None, Secrecy::Secret) if setting.form.starts_with("secret") => setting.form.to_owned(),
        (None, _) => format!("secret: {}", setting.form),
    }
}

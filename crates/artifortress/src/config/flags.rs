//! The command line: one flag for each setting, made from the table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::Config;
use super::layer::{Given, Layer};
use super::problem::Place;
use super::setting::{Secrecy, Setting};

/// Above them in the help.
const HEADING: &str = "Settings";

/// What the command line gives: flatten it into every command that needs the configuration.
#[derive(Clone, Debug, Default)]
pub struct ConfigFlags {
    /// `--config`: the configuration file.
    pub config: Option<PathBuf>,
    given: BTreeMap<String, String>,
}

impl ConfigFlags {
    /// The flags as a layer, by setting.
    pub(super) fn layer(&self) -> Layer {
        let mut layer = Layer::default();
        for flag in flags() {
            if let Some(text) = self.given.get(&flag.flag) {
                layer.insert(flag.name, Given::new(text, Place::Flag(format!("--{}", flag.flag))));
            }
        }
        layer
    }
}

/// One flag: a setting's own, or the one that names a secret's file.
struct Flag {
    flag: String,
    name: String,
    setting: &'static Setting,
    is_file: bool,
}

fn flags() -> Vec<Flag> {
    let mut flags = Vec::new();
    for setting in Config::settings() {
        let (flag, name) = (setting.flag(), setting.name());
        if setting.has_file_form() {
            let (flag, name) = (format!("{flag}-file"), format!("{name}_file"));
            flags.push(Flag { flag, name, setting, is_file: true });
        }
        flags.push(Flag { flag, name, setting, is_file: false });
    }
    flags
}

fn argument(flag: &Flag) -> Arg {
    let setting = flag.setting;
    let form = if flag.is_file { "path" } else { setting.form };
    let doc = setting.doc.trim();
    let help = match (flag.is_file, setting.default) {
        (true, _) => format!("{doc} [a file that holds it]"),
        (false, "") => format!("{doc} [default: {}]", setting.otherwise),
        (false, default) => format!("{doc} [default: {default}]"),
    };
    let argument = Arg::new(flag.flag.clone())
        .long(flag.flag.clone())
        .value_name(form.to_uppercase())
        .help(help)
        .help_heading(HEADING)
        .allow_hyphen_values(true)
        .hide_short_help(!setting.section.is_empty())
        .hide(setting.secrecy == Secrecy::Secret && !flag.is_file);
    if form == <bool as super::value::Value>::FORM {
        argument.num_args(0..=1).default_missing_value("true")
    } else {
        argument
    }
}

impl Args for ConfigFlags {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("PATH")
            .value_parser(clap::value_parser!(PathBuf))
            .help("The configuration file [default: `<data>/artifortress.toml`, if there is one]")
            .help_heading(HEADING);
        flags().iter().fold(command.arg(config), |command, flag| command.arg(argument(flag)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ConfigFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let text = |flag: &str| matches.get_one::<String>(flag).cloned();
        let given = flags().into_iter().filter_map(|flag| text(&flag.flag).map(|text| (flag.flag, text))).collect();
        Ok(Self { config: matches.get_one("config").cloned(), given })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The same flags for a command that looks at few of the settings: the others may be given, so that a line can be used
/// again, and are not shown.
#[derive(Clone, Debug, Default)]
pub struct FewFlags(pub ConfigFlags);

/// What is shown of them.
const FEW: [&str; 5] = ["config", "data", "listen", "bootstrap-token-file", "tls-cert"];

impl Args for FewFlags {
    fn augment_args(command: Command) -> Command {
        ConfigFlags::augment_args(command).mut_args(|argument| {
            let shown = FEW.contains(&argument.get_id().as_str());
            if argument.get_help_heading() == Some(HEADING) && !shown { argument.hide(true) } else { argument }
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for FewFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        ConfigFlags::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

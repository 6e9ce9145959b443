//! What the API calls by its names, and commands by theirs: a refusal that says the one is explained with the other.

/// Names of fields, parameters and headers, and what a command has in their place.
const WORDS: [(&str, &str); 16] = [
    ("upstreamUrl", "--upstream-url"),
    ("upstreamAuth", "--upstream-user with its password, or --upstream-token-file (null: --no-upstream-auth)"),
    ("upstreamAuth.realm", "--upstream-realm"),
    ("memberRepos", "--member"),
    ("repoType", "--type"),
    ("anonymousRead", "--anonymous-read"),
    ("allowOverwrite", "--setting allowOverwrite=true"),
    ("deployTo", "--setting 'virtual={\"deployTo\": \"KEY\"}'"),
    ("settings.virtual", "--setting 'virtual={…}'"),
    ("settings.virtual.merging", "--setting 'virtual={\"merging\": …}'"),
    ("settings.upstream", "--setting 'upstream={…}'"),
    ("settings.upstream.proxy", "--setting 'upstream={\"proxy\": …}'"),
    ("settings.upstream.extraCa", "--setting 'upstream={\"extraCa\": …}'"),
    ("settings.remote", "--setting 'remote={…}'"),
    ("mode=tombstone", "--tombstone"),
    ("ttlMinutes", "--ttl-minutes"),
];

/// What a command calls that which `text` speaks of; `None`: nothing that has another name.
pub(super) fn in_flags(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split(|c: char| !(c.is_ascii_alphanumeric() || ".=".contains(c))).collect();
    let said = |name: &&(&str, &str)| words.iter().any(|word| word.trim_matches('.') == name.0);
    let found: Vec<String> = WORDS.iter().filter(said).map(|(name, flag)| format!("{name} is {flag}")).collect();
    (!found.is_empty()).then(|| format!("on the command line {}", found.join("; ")))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::{WORDS, in_flags};
    use crate::commands::Cli;

    /// Every flag below a command, as people write it.
    fn flags(command: &clap::Command) -> Vec<String> {
        let own = command.get_arguments().filter_map(|arg| Some(format!("--{}", arg.get_long()?)));
        own.chain(command.get_subcommands().flat_map(flags)).collect()
    }

    #[test]
    fn every_flag_that_is_named_is_there() {
        let known = flags(&Cli::command());
        let named = WORDS.iter().flat_map(|(_, words)| words.split([' ', ')'])).filter(|word| word.starts_with("--"));
        let missing: Vec<_> = named
            .map(|word| word.split('=').next().unwrap_or(word).trim_end_matches(','))
            .filter(|word| !known.iter().any(|flag| flag == word))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn the_help_names_every_format() {
        let mut create = Cli::command();
        for name in ["admin", "repos", "create"] {
            create = create.find_subcommand(name).expect("a command").clone();
        }
        let format = create.get_arguments().find(|arg| arg.get_long() == Some("format")).expect("a flag");
        let help = format.get_help().expect("its help").to_string();
        let missing: Vec<_> =
            formats::ALL.iter().map(|format| format.key()).filter(|key| !help.contains(&format!(" {key}"))).collect();
        assert!(missing.is_empty(), "{missing:?}: {help}");
    }

    #[test]
    fn names_of_the_api_are_explained_with_flags() {
        let said = "with another upstreamUrl the credentials would go another way: give upstreamAuth again, or null.";
        let flags = in_flags(said).expect("two names");
        assert!(
            flags.starts_with("on the command line upstreamUrl is --upstream-url; upstreamAuth is --upstream-user")
        );
        assert!(flags.contains("--no-upstream-auth") && !flags.contains("--upstream-realm"), "{flags}");
        let whole = in_flags("use mode=tombstone to withdraw its versions as well");
        assert_eq!(whole.as_deref(), Some("on the command line mode=tombstone is --tombstone"));
        let deeper = in_flags("with another settings.upstream.proxy");
        assert_eq!(
            deeper.as_deref(),
            Some("on the command line settings.upstream.proxy is --setting 'upstream={\"proxy\": …}'")
        );
        assert_eq!(in_flags("the member up has the format raw, not npm"), None);
    }
}

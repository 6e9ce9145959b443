//! `admin audit`: the journal.

use clap::Args;
use model::Timestamp;

use super::Desk;
use crate::commands::failure::Failure;

const COLUMNS: [(&str, &str); 6] = [
    ("TIME", "occurredAtUtc"),
    ("SUBJECT", "subject"),
    ("ACTION", "action"),
    ("REPO", "repoKey"),
    ("RESOURCE", "resource"),
    ("CORRELATION", "correlationId"),
];

#[derive(Args, Debug)]
pub(super) struct Audit {
    /// Who did it
    #[arg(long)]
    subject: Option<String>,
    /// How what was done begins, such as `repo.created` or `auth.`
    #[arg(long)]
    action: Option<String>,
    /// What kind of thing it was done to, such as `version`
    #[arg(long, value_name = "TYPE")]
    resource_type: Option<String>,
    /// The id of the thing it was done to
    #[arg(long, value_name = "ID")]
    resource: Option<String>,
    /// In this repository
    #[arg(long, value_name = "KEY")]
    repo: Option<String>,
    /// From this time on: RFC 3339, or an age such as `30m`, `12h`, `7d`
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Everything that one request did
    #[arg(long, value_name = "ID")]
    correlation_id: Option<String>,
    /// The oldest first instead of the newest
    #[arg(long)]
    oldest: bool,
    /// How many at most
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

impl Audit {
    pub(super) async fn run(self, desk: &Desk<'_>) -> Result<(), Failure> {
        let now = desk.context.ambient.now();
        let since = self.since.as_deref().map(|text| time(text, now)).transpose()?;
        let until = self.until.as_deref().map(|text| time(text, now)).transpose()?;
        let filters = [
            ("subject", self.subject.as_deref()),
            ("action", self.action.as_deref()),
            ("resourceType", self.resource_type.as_deref()),
            ("resource", self.resource.as_deref()),
            ("repo", self.repo.as_deref()),
            ("since", since.as_deref()),
            ("until", until.as_deref()),
            ("correlationId", self.correlation_id.as_deref()),
            ("order", self.oldest.then_some("oldest")),
        ];
        desk.list("/v1/audit", &filters, Some(self.limit.max(1)), &COLUMNS).await
    }
}

/// A time, or how long ago.
fn time(text: &str, now: Timestamp) -> Result<String, Failure> {
    let unit = |count: &str, seconds: u64| count.parse::<u64>().ok().and_then(|count| count.checked_mul(seconds));
    let age = match text.char_indices().last() {
        Some((at, 's')) => unit(&text[..at], 1),
        Some((at, 'm')) => unit(&text[..at], 60),
        Some((at, 'h')) => unit(&text[..at], 3600),
        Some((at, 'd')) => unit(&text[..at], 86_400),
        _ => None,
    };
    let time = match age {
        Some(seconds) => Some(now.minus(std::time::Duration::from_secs(seconds))),
        None => Timestamp::parse(text),
    };
    let refused = || Failure::usage(format!("'{text}' is neither a time (2026-01-31T12:00:00Z) nor an age (30m, 12h, 7d)"));
    time.map(|time| time.to_string()).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_ages_are_read() {
        let now = Timestamp::parse("2026-01-02T00:00:00Z").expect("a time");
        assert_eq!(time("1d", now), Ok("2026-01-01T00:00:00.000000Z".to_owned()));
        assert_eq!(time("2026-01-01T01:00:00+01:00", now), Ok("2026-01-01T00:00:00.000000Z".to_owned()));
        for bad in ["", "d", "yesterday", "-1d", "1w", "99999999999999999999d", "ä"] {
            assert!(time(bad, now).is_err(), "{bad}");
        }
    }
}

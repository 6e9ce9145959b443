//! What is said of it in the end.

use std::collections::BTreeMap;

use formats::{Compared, Gap, Lockfile, Passed, Thing};
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::{files, table};
use super::Mirror;
use super::bring::{BroughtFile, Done};
use super::records::Records;
use crate::Context;

/// Failures that are named one by one.
const SHOWN: usize = 50;

/// A thing as people write it.
pub(super) fn name(thing: &Thing) -> String {
    match thing {
        Thing::Package { name, version: Some(version) } => format!("{name}@{version}"),
        Thing::Package { name, version: None } => name.clone(),
        Thing::Path(path) => path.clone(),
    }
}

/// What would be asked for.
pub(super) fn plan(mirror: &Mirror, context: &Context, file: &Lockfile) -> Result<(), Failure> {
    let names: Vec<String> = file.wanted.iter().map(|one| name(&one.thing)).collect();
    if mirror.json {
        let wanted = json!({ "repo": mirror.repo, "wanted": names, "passed": passed(file) });
        table::json(&context.console, &wanted);
    } else {
        names.iter().for_each(|name| context.console.line(name));
        tell_passed(context, file);
    }
    expect_no_gaps(mirror, file)
}

/// What came of it; an error where something is not there as it should be.
pub(super) fn outcome(mirror: &Mirror, context: &Context, file: &Lockfile, done: &[Done<'_>], records: Option<&Records>) -> Result<(), Failure> {
    let bad: Vec<&Done<'_>> = done.iter().filter(|done| !done.is_good()).collect();
    let sum = Sum::of(done);
    if mirror.json {
        let items: Vec<Value> = done.iter().map(item).collect();
        let mut whole = json!({ "repo": mirror.repo, "items": items, "passed": passed(file), "summary": sum.json(&bad, gaps(file).count()) });
        if let Some(records) = records {
            whole["sumdb"] = records.json();
        }
        table::json(&context.console, &whole);
    } else {
        tell_passed(context, file);
        context.console.line(&sum.sentence(done.len()));
        tell_records(context, records);
    }
    if done.is_empty() {
        return Err(Failure::new("nothing was named that can be brought"));
    }
    if bad.is_empty() {
        return expect_records(records).and_then(|()| expect_no_gaps(mirror, file));
    }
    let gaps = match gaps(file).count() {
        0 => String::new(),
        some => format!(", and {some} more cannot be brought"),
    };
    let failure = Failure::new(format!("{} of {} are not there as they should be{gaps}", bad.len(), done.len()));
    let failure = bad.iter().take(SHOWN).fold(failure, |failure, done| failure.advise(why(done)));
    Err(match bad.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => failure.advise(format!("and {more} more: --json says all")),
        _ => failure,
    })
}

/// What came of a checksum database.
fn tell_records(context: &Context, records: Option<&Records>) {
    if let Some(Records { records, tiles, .. }) = records {
        context.console.line(&format!("{records} records of the checksum database, and {tiles} tiles that prove them"));
    }
}

/// Fails where the database has not all of it.
fn expect_records(records: Option<&Records>) -> Result<(), Failure> {
    let Some(records) = records.filter(|records| !records.missing.is_empty()) else { return Ok(()) };
    let failure = Failure::new(format!("{} of the checksum database are missing", records.missing.len()));
    let named = records.missing.iter().take(SHOWN).map(|(what, why)| format!("{}: {why}", what.escape_debug()));
    Err(named.fold(failure, Failure::advise).advise("modules that it is not to be asked for are named with --nosumdb"))
}

/// Fails where something is missing that clients will ask for, unless that is accepted.
fn expect_no_gaps(mirror: &Mirror, file: &Lockfile) -> Result<(), Failure> {
    let missing = gaps(file).count();
    if missing == 0 || mirror.accept_gaps {
        return Ok(());
    }
    let failure = Failure::new(format!("{missing} that clients will ask for cannot be brought from what was named"));
    let advice = "pin versions, or name what is missing with --lockfile or --name; --accept-gaps does without";
    Err(failure.advise(advice))
}

/// What is passed over although clients will ask for it.
fn gaps(file: &Lockfile) -> impl Iterator<Item = &Passed> {
    file.passed.iter().filter(|one| one.gap != Gap::None)
}

fn tell_passed(context: &Context, file: &Lockfile) {
    for Passed { what, why, gap } in &file.passed {
        let how = if *gap == Gap::None { "passed over" } else { "not brought" };
        context.console.complain(&format!("{how}: {}: {why}", what.escape_debug()));
    }
}

fn passed(file: &Lockfile) -> Vec<Value> {
    let one = |one: &Passed| json!({ "what": one.what, "why": one.why, "needed": one.gap != Gap::None });
    file.passed.iter().map(one).collect()
}

/// Why something is not there as it should be.
fn why(done: &Done<'_>) -> String {
    let bad = |file: &&BroughtFile| !matches!(file.state.as_str(), "present" | "fetched");
    let of_file = || done.item.files.iter().find(bad);
    let detail = match &done.compared {
        Compared::Differs(why) => Some(why.clone()),
        _ => done.item.detail.clone().or_else(|| {
            let file = of_file()?;
            Some(format!("{}: {}", file.path, file.detail.clone().unwrap_or_else(|| file.state.clone())))
        }),
    };
    let state = if matches!(done.compared, Compared::Differs(_)) { "differs" } else { done.item.state.as_str() };
    format!("{} {state}: {}", name(&done.locked.thing), detail.unwrap_or_default())
}

fn item(done: &Done<'_>) -> Value {
    let compared = match &done.compared {
        Compared::Same => "same",
        Compared::Differs(_) => "differs",
        Compared::Unknown => "unknown",
    };
    let mut item = json!({ "what": name(&done.locked.thing), "state": done.item.state, "versions": done.item.versions,
        "files": done.item.files.len(), "checksums": compared });
    if !done.is_good() {
        item["detail"] = json!(why(done));
    }
    item
}

/// Files by their state, and bytes.
struct Sum {
    files: BTreeMap<String, usize>,
    fetched: u64,
    compared: usize,
}

impl Sum {
    fn of(done: &[Done<'_>]) -> Self {
        let mut sum = Self { files: BTreeMap::new(), fetched: 0, compared: 0 };
        for file in done.iter().flat_map(|done| &done.item.files) {
            *sum.files.entry(file.state.clone()).or_default() += 1;
            sum.fetched += if file.state == "fetched" { file.size_bytes } else { 0 };
        }
        sum.compared = done.iter().filter(|done| done.compared == Compared::Same).count();
        sum
    }

    fn json(&self, bad: &[&Done<'_>], gaps: usize) -> Value {
        json!({ "files": self.files, "fetchedBytes": self.fetched, "compared": self.compared, "bad": bad.len(), "gaps": gaps })
    }

    fn sentence(&self, things: usize) -> String {
        let files = |state: &str| self.files.get(state).copied().unwrap_or_default();
        format!(
            "{things} named: {} fetched ({}), {} there already; checksums of {} compared with the lockfile",
            files::count(files("fetched")),
            files::size(self.fetched),
            files("present"),
            self.compared
        )
    }
}

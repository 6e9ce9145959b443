//! Documents that keep what they promise: links lead somewhere, decisions are counted, commands exist.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use acceptance::{Result, tree};

use crate::keep;

#[test]
fn every_link_leads_somewhere() -> Result<()> {
    let planted =
        "see [a](missing.md) and [b](../gone/x.md#part)\n```\n[c](in-code.md)\n```\n[d](README.md#no-such-part)";
    assert_eq!(broken("README.md", planted).len(), 3);
    let innocent = "[a](https://example.com) [b](#here) [c](README.md) [d](acceptance/) `[e](x)`\n\n## Here";
    assert_eq!(broken("README.md", innocent), Vec::<String>::new());

    keep(|file| file.ends_with(".md"), broken)
}

fn broken(file: &str, text: &str) -> Vec<String> {
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    let mut bad = Vec::new();
    for target in links(text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (path, part) = target.split_once('#').unwrap_or((target.as_str(), ""));
        let whole = folder.join(path);
        let exists = path.is_empty() || tree::root().join(&whole).exists();
        let other = || tree::text(&whole.to_string_lossy()).unwrap_or_default();
        let parts = |text: &str| text.lines().filter_map(anchor).any(|anchor| anchor == part);
        let leads =
            part.is_empty() || if path.is_empty() { parts(text) } else { !path.ends_with(".md") || parts(&other()) };
        if !exists || !leads {
            bad.push(format!("{file}: the link `{target}` leads nowhere"));
        }
    }
    bad
}

/// The targets of `[text](target)` outside code.
fn links(text: &str) -> Vec<String> {
    let prose = text.split("```").step_by(2).flat_map(|part| part.split('`').step_by(2));
    prose
        .flat_map(|part| part.match_indices("](").map(|(at, _)| &part[at + 2..]).collect::<Vec<_>>())
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.trim().to_string())
        .collect()
}

/// The name under which a heading can be linked.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
        .collect::<String>();
    Some(kept.replace(' ', "-"))
}

#[test]
fn decisions_are_numbered_without_gaps() -> Result<()> {
    assert!(misnumbered(&["0001-a.md", "0003-b.md"]).is_some());
    assert!(misnumbered(&["0001-a.md", "0001-b.md"]).is_some());
    assert!(misnumbered(&["one.md"]).is_some());
    assert_eq!(misnumbered(&["0001-a.md", "0002-b.md"]), None);

    let files = tree::files()?;
    let records: Vec<_> = files.iter().filter_map(|file| file.strip_prefix("docs/decisions/")).collect();
    assert!(!records.is_empty());
    assert_eq!(misnumbered(&records), None);
    keep(
        |file| file.starts_with("docs/decisions/"),
        |file, text| {
            let parts = ["## Decision", "## Alternatives", "## Consequences"];
            parts
                .iter()
                .filter(|part| !text.contains(*part))
                .map(|part| format!("{file}: has no part `{part}`"))
                .collect()
        },
    )
}

fn misnumbered(names: &[&str]) -> Option<String> {
    let mut names = names.to_vec();
    names.sort_unstable();
    let wrong = names.iter().enumerate().find(|(place, name)| !name.starts_with(&format!("{:04}-", place + 1)));
    wrong.map(|(place, name)| format!("{name}: expected number {:04}", place + 1))
}

#[test]
fn every_make_command_in_the_documents_exists() -> Result<()> {
    let known = BTreeSet::from(["test"]);
    assert_eq!(unknown("a.md", "run `make tset`, then\n    make test", &known), ["a.md: there is no `make tset`"]);

    let makefile = tree::text("Makefile")?;
    let known = makefile.lines().filter_map(|line| line.split_once(':')).map(|(target, _)| target).collect();
    keep(|file| file.ends_with(".md"), |file, text| unknown(file, text, &known))
}

fn unknown(file: &str, text: &str, known: &BTreeSet<&str>) -> Vec<String> {
    let after = |at: usize| {
        text[at + 5..].split(|letter: char| !letter.is_alphanumeric() && letter != '-').next().unwrap_or_default()
    };
    text.match_indices("make ")
        .filter(|(at, _)| text[..*at].ends_with('`') || text[..*at].ends_with("\n") || text[..*at].ends_with("    "))
        .map(|(at, _)| after(at))
        .filter(|target| !known.contains(target))
        .map(|target| format!("{file}: there is no `make {target}`"))
        .collect()
}

/// The page that says how we test.
const HOW_WE_TEST: &str = "docs/operate/how-we-test.md";

#[test]
fn every_seeded_defect_and_its_test_are_documented() -> Result<()> {
    let planted = "Defect: it lies\nTest: -p store a_test\n";
    assert_eq!(undocumented("kit/seeded-defects.d/lie.patch", planted, "| `lie` | `other_test` |").len(), 1);
    assert_eq!(undocumented("kit/seeded-defects.d/lie.patch", planted, "| `lie` | `a_test` |"), Vec::<String>::new());

    let page = tree::text(HOW_WE_TEST)?;
    keep(|file| file.starts_with("kit/seeded-defects.d/"), |file, text| undocumented(file, text, &page))
}

/// Every format has a line with a server that is installed for the tests.
#[test]
fn the_vendor_of_every_format_is_documented() -> Result<()> {
    let tools = "test docker-registry docker-registry\ndevpi devpi-server 6.20.3";
    let page = "| `oci` | crane | `docker-registry` |\n| `pypi` | pip | `devpy` |\n| `raw` | `curl` |";
    assert_eq!(strangers(page, "oci", tools), ["docker-registry"]);
    assert_eq!(strangers(page, "pypi", tools), Vec::<String>::new());
    assert_eq!(strangers(page, "raw", tools), Vec::<String>::new());

    let (page, tools) = (tree::text(HOW_WE_TEST)?, tree::text("kit/install-tools")?);
    for format in ["cargo", "go", "maven", "npm", "oci", "pypi"] {
        assert_eq!(
            strangers(&page, format, &tools).len(),
            1,
            "{HOW_WE_TEST}: no server for {format} that is installed"
        );
    }
    Ok(())
}

/// Other vendors' servers of a format that the page names and that are among the tools.
fn strangers(page: &str, format: &str, tools: &str) -> Vec<String> {
    let row = format!("| `{format}` |");
    let named = page.lines().filter(|line| line.starts_with(&row)).filter_map(|line| line.rsplit('|').nth(1));
    let named = named.map(|name| name.trim().trim_matches('`').to_owned());
    let installed = |name: &String| tools.lines().any(|line| line.split_whitespace().any(|word| word == name));
    named.filter(installed).collect()
}

#[test]
fn the_readme_leads_to_the_page_of_every_format() -> Result<()> {
    let readme = tree::text("README.md")?;
    let pages = tree::files()?.into_iter().filter(|file| file.starts_with("docs/formats/"));
    for page in pages.filter(|page| !page.ends_with("adding-a-format.md")) {
        assert!(readme.contains(&format!("({page})")), "README.md has no link to {page}");
    }
    Ok(())
}

/// A defect that cannot be planted any more proves nothing.
#[test]
fn every_seeded_defect_fits_the_code() -> Result<()> {
    for file in tree::files()?.iter().filter(|file| file.starts_with("kit/seeded-defects.d/")) {
        let fits = Command::new("git").args(["apply", "--check", file]).current_dir(tree::root()).output()?;
        assert!(fits.status.success(), "{file}: {}", String::from_utf8_lossy(&fits.stderr));
    }
    Ok(())
}

fn undocumented(file: &str, patch: &str, page: &str) -> Vec<String> {
    let name = file.rsplit('/').next().unwrap_or_default().trim_end_matches(".patch");
    let test = patch.lines().find_map(|line| line.strip_prefix("Test: ")).unwrap_or_default();
    let test = test.rsplit([' ', ':']).next().unwrap_or_default();
    let said = |line: &str| line.contains(&format!("`{name}`")) && line.contains(test) && !test.is_empty();
    match page.lines().any(said) {
        true => Vec::new(),
        false => vec![format!("{file}: {HOW_WE_TEST} has no line with `{name}` and its test {test}")],
    }
}

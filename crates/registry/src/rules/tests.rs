//! What the rules say, by themselves.

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp(1_700_000_000_000_000);
const HOUR: i64 = 3_600_000_000;

fn rules(list: &str) -> Rules {
    waived(list, Vec::new())
}

fn waived(list: &str, waivers: Vec<Waiver>) -> Rules {
    let list: Vec<Rule> = serde_json::from_str(list).expect("rules");
    let npm = formats::by_key("npm").expect("a format");
    Rules::new(&RepoKey::parse("up").expect("a key"), npm, list, waivers).expect("rules")
}

fn waiver(package: &str, version: Option<&str>, until: Timestamp) -> Waiver {
    Waiver {
        id: model::WaiverId(Default::default()),
        package: package.to_owned(),
        version: version.map(str::to_owned),
        reason: "r".to_owned(),
        by: "ada".to_owned(),
        created_at: NOW,
        until,
        ended_at: None,
    }
}

fn of<'a>(name: &'a str, version: &'a str, hours: Option<i64>) -> Subject<'a> {
    let published_at = hours.map(|hours| Timestamp(NOW.0 - hours * HOUR));
    Subject { name, version, path: None, published_at }
}

fn rule_of(rules: &Rules, subject: &Subject<'_>) -> Option<usize> {
    rules.judge(subject, NOW).denial().and_then(|denial| denial.rule)
}

#[test]
fn the_first_that_matches_decides_and_what_none_matches_is_let_through() {
    let rules = rules(
        r#"[{"kind":"allow","pattern":"good"},{"kind":"block","pattern":"bad*","versions":"<2","reason":"holes"},
            {"kind":"claim","pattern":"@acme/*"},{"kind":"minimumAge","hours":72}]"#,
    );
    assert_eq!(rule_of(&rules, &of("good", "1.0.0", Some(0))), None, "an earlier rule lets it through");
    assert_eq!(rule_of(&rules, &of("bad-one", "1.9.9", Some(900))), Some(1));
    assert_eq!(rule_of(&rules, &of("bad-one", "2.0.0", Some(900))), None);
    assert_eq!(rule_of(&rules, &of("bad-one", "no version", Some(900))), Some(1), "what cannot be compared is blocked");
    assert_eq!(rule_of(&rules, &of("@acme/x", "1.0.0", Some(900))), Some(2));
    assert_eq!(rule_of(&rules, &of("other", "1.0.0", Some(71))), Some(3));
    assert_eq!(rule_of(&rules, &of("other", "1.0.0", Some(72))), None);
    assert_eq!(rule_of(&rules, &of("other", "1.0.0", None)), Some(3), "no time is too young");
    let denial = rules.judge(&of("bad-one", "1.0.0", None), NOW);
    assert!(denial.denial().is_some_and(|denial| denial.sentence.ends_with("blocked in up: holes")), "{denial:?}");
}

#[test]
fn age_says_when_it_ends_and_a_freeze_never_does() {
    let young = rules(r#"[{"kind":"minimumAge","hours":72}]"#);
    let until = Timestamp(NOW.0 + 2 * HOUR);
    assert_eq!(young.judge(&of("a", "1.0.0", Some(70)), NOW).until(), Some(until));
    assert!(young.judge(&of("a", "1.0.0", Some(70)), until).denial().is_none());
    let frozen = rules(r#"[{"kind":"freeze","notAfter":"2023-11-14T22:13:20Z"}]"#);
    assert_eq!(rule_of(&frozen, &of("a", "1.0.0", Some(0))), None, "exactly then");
    assert_eq!(rule_of(&frozen, &of("a", "1.0.0", Some(-1))), Some(0));
    assert_eq!(rule_of(&frozen, &of("a", "1.0.0", None)), Some(0));
}

#[test]
fn a_waiver_lifts_age_and_block_for_a_while_and_no_claim() {
    let list = r#"[{"kind":"claim","pattern":"own"},{"kind":"block","pattern":"*"},{"kind":"minimumAge","hours":72}]"#;
    let until = Timestamp(NOW.0 + HOUR);
    let all = vec![waiver("A", Some("1.0.0"), until), waiver("b", None, until), waiver("own", None, until)];
    let rules = waived(list, all);
    assert_eq!(rules.judge(&of("a", "1.0.0", None), NOW), Verdict::Allow { rule: None, until: Some(until) });
    assert_eq!(rule_of(&rules, &of("a", "1.0.1", None)), Some(1));
    assert_eq!(rule_of(&rules, &of("b", "9.0.0", None)), None);
    assert_eq!(rule_of(&rules, &of("own", "9.0.0", None)), Some(0));
    assert!(rules.judge(&of("b", "9.0.0", None), until).denial().is_some(), "it has ended");
}

#[test]
fn what_a_hosted_repository_claims_comes_before_all() {
    let claims: Vec<Rule> = serde_json::from_str(r#"[{"kind":"claim","pattern":"own*"}]"#).expect("rules");
    let until = Timestamp(NOW.0 + HOUR);
    let waivers = vec![waiver("own", None, until)];
    let rules = waived(r#"[{"kind":"allow","pattern":"*"}]"#, waivers)
        .with_claims_of(&claims, &Claimant::new(RepoKey::parse("sec").expect("a key"), false));
    let denial = Some(rules.claimed(None, "own"));
    assert_eq!(rules.judge(&of("own", "1.0.0", Some(9)), NOW).denial().cloned(), denial);
    assert_eq!(rules.judge_name("own", NOW), denial);
    assert_eq!((rules.judge_name("other", NOW), rule_of(&rules, &of("other", "1.0.0", None))), (None, None));
}

#[test]
fn a_name_is_judged_before_anybody_is_asked() {
    let rules = rules(
        r#"[{"kind":"allow","pattern":"own-but","versions":">1"},{"kind":"claim","pattern":"own*"},
            {"kind":"block","pattern":"some","versions":"<1"},{"kind":"block","pattern":"none"},
            {"kind":"block","pattern":"/none-of-this/*"}]"#,
    );
    let name = |name| rules.judge_name(name, NOW).map(|denial| (denial.rule, denial.claimed));
    assert_eq!(name("own"), Some((Some(1), true)));
    assert_eq!(name("own-but"), None, "some versions of it come through");
    assert_eq!((name("some"), name("none"), name("none-of-this/a")), (None, Some((Some(3), false)), None));
}

proptest! {
    /// What may not be asked for has no version that is let through.
    #[test]
    fn what_is_said_of_a_name_holds_for_all_its_versions(
        kinds in prop::collection::vec(0u8..7, 0..6), version in 0u8..4, hours in prop::option::of(0i64..100)
    ) {
        let rule = |kind: u8| match kind {
            0 => r#"{"kind":"claim","pattern":"a*"}"#,
            1 => r#"{"kind":"allow","pattern":"a"}"#,
            2 => r#"{"kind":"allow","pattern":"a","versions":"<2"}"#,
            3 => r#"{"kind":"block","pattern":"*","versions":">=1"}"#,
            4 => r#"{"kind":"block","pattern":"*a"}"#,
            5 => r#"{"kind":"minimumAge","hours":50}"#,
            _ => r#"{"kind":"allow","pattern":"/x/*"}"#,
        };
        let list: Vec<_> = kinds.iter().map(|kind| rule(*kind)).collect();
        let rules = rules(&format!("[{}]", list.join(",")));
        let version = format!("{version}.0.0");
        let subject = Subject { path: Some("x/y"), ..of("a", &version, hours) };
        if rules.judge_name("a", NOW).is_some() {
            prop_assert!(rules.judge(&subject, NOW).denial().is_some());
        }
    }

    /// Time alone lets in, and not before it was said.
    #[test]
    fn a_denial_holds_until_it_says(hours in 0i64..100, minimum in 0u32..100, later in 0i64..200) {
        let rules = rules(&format!(r#"[{{"kind":"minimumAge","hours":{minimum}}}]"#));
        let subject = of("a", "1.0.0", Some(hours));
        let (first, then) = (rules.judge(&subject, NOW), Timestamp(NOW.0 + later * HOUR));
        let holds = first.until().is_some_and(|until| then < until);
        prop_assert_eq!(rules.judge(&subject, then).denial().is_some(), holds);
    }
}

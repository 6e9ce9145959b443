//! What is asked of another registry, and what its answers say.

use crate::oci::{INDEX, Oci};
use crate::{Ask, Contents as _, Known, Named, PackageAt, Said, Source, Unreadable, Upstream as _, Wanting};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

fn at() -> PackageAt {
    PackageAt::named("team/app")
}

fn targets(wanted: Wanting<'_>) -> Vec<String> {
    Oci.asks(&at(), wanted).into_iter().map(|ask| ask.target).collect()
}

fn named(byte: u8) -> Named {
    Named::Sha256(model::Sha256Digest([byte; 32]))
}

fn said<'a>(body: &'a str, media_type: &'a str) -> Said<'a> {
    Said { body: body.as_bytes(), media_type, address: "", changed_at: None }
}

fn read(wanted: Wanting<'_>, bodies: &[Option<&str>]) -> Result<Option<Known>, Unreadable> {
    let said: Vec<_> = bodies.iter().map(|body| body.map(|body| said(body, ""))).collect();
    Oci.read(&at(), wanted, &said)
}

#[test]
fn each_question_has_its_address() {
    assert_eq!(targets(Wanting::All), ["team/app/tags/list?n=1000"]);
    assert_eq!(targets(Wanting::One("v1.0_x")), ["team/app/manifests/v1.0_x"]);
    let (short, hex) = (named(7).to_string(), "07".repeat(32));
    assert_eq!(targets(Wanting::Part(&short)), [format!("team/app/referrers/{short}")]);
    let older = |named: Named| Oci.older_part(&named.to_string()).expect("a tag");
    assert_eq!(older(named(7)), format!("sha256-{hex}"));
    assert_eq!(older(Named::Sha512([7; 64])), format!("sha512-{hex}"), "cut to what a tag holds");
    assert_eq!(targets(Wanting::Part(&older(named(7)))), [format!("team/app/manifests/sha256-{hex}")]);
    assert_eq!(Oci.older_part("latest"), None);
    for odd in ["a/b", "../x", "", "a?b"] {
        assert!(targets(Wanting::One(odd)).is_empty() && targets(Wanting::Part(odd)).is_empty(), "{odd}");
    }
    for odd in ["A", "a/../b", "", "a?b", "a//b"] {
        assert!(Oci.asks(&PackageAt::named(odd), Wanting::All).is_empty(), "{odd}");
    }
    assert_eq!(Oci.version(&at(), &named(7)).target, format!("team/app/manifests/{short}"));
    assert_eq!(Oci.blob(&at(), &named(7)).target, format!("team/app/blobs/{short}"));
}

#[test]
fn a_path_in_the_address_stands_in_front_of_names() {
    for (given, root) in [
        ("https://r.example", "https://r.example/v2"),
        ("https://r.example/", "https://r.example/v2"),
        ("https://r.example:8443/library", "https://r.example:8443/v2/library"),
        ("http://[::1]:5000/a/b", "http://[::1]:5000/v2/a/b"),
        ("https://r.example/v2", "https://r.example/v2"),
        ("https://r.example/v2/library", "https://r.example/v2/library"),
        ("https://r.example/v2x", "https://r.example/v2/v2x"),
    ] {
        assert_eq!(Oci.root(given), root, "{given}");
    }
}

#[test]
fn a_tag_stands_for_the_digest_of_what_it_says() {
    let body = format!(r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","layers":[]}}"#);
    for kind in ["", "application/json", "application/octet-stream", "text/plain", IMAGE] {
        let known = Oci.read(&at(), Wanting::One("v1"), &[Some(said(&body, kind))]);
        let known = known.expect(kind).expect("there");
        let digest = &known.refs[0].1;
        assert!(known.refs[0].0 == "v1" && known.versions[0].version.as_str() == digest, "{known:?}");
        assert!(digest.parse::<Named>().is_ok());
    }
    assert_eq!(read(Wanting::One("v1"), &[None]), Ok(None));
    let long = format!(r#"{{"schemaVersion":2,"layers":[],"x":"{}"}}"#, "x".repeat(4 << 20));
    for odd in ["", "<html>", "{}", "[]", r#"{"errors":[]}"#, r#"{"schemaVersion":1}"#, &long] {
        assert!(read(Wanting::One("v1"), &[Some(odd)]).is_err(), "{}", &odd[..odd.len().min(40)]);
    }
    let other = Oci.read(&at(), Wanting::One("v1"), &[Some(said(&body, INDEX))]);
    assert!(other.is_err(), "the header says that it is something else");
}

#[test]
fn tags_of_all_pages_are_one_list() {
    let tags = |body| {
        read(Wanting::All, &[Some(body)])
            .map(|known| known.expect("there").refs.into_iter().map(|(tag, _)| tag).collect::<Vec<_>>())
    };
    let two = r#"{"name":"x","tags":["b","a","a"]}
        {"name":"x","tags":["c","not a tag","-x",""]}"#;
    assert_eq!(tags(two), Ok(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]));
    assert_eq!(tags(r#"{"name":"x","tags":null}"#), Ok(Vec::new()));
    for odd in ["", "{}", "<html>", r#"{"tags":"a"}"#, r#"{"tags":[1]}"#, r#"{"tags":["a"]}{"#, r#"{"errors":[]}"#] {
        assert!(tags(odd).is_err(), "{odd}");
    }
}

#[test]
fn referrers_are_read_from_an_index() {
    let (one, two) = (named(1).to_string(), named(2).to_string());
    let list = |digest: &str| {
        format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{IMAGE}","digest":"{digest}","size":7,"artifactType":"a/b",
            "annotations":{{"k":"v"}},"data":"e30="}},{{"mediaType":"{IMAGE}","digest":"md5:00","size":7}}]}}"#
        )
    };
    let subject = named(9).to_string();
    let told = |body: Option<&str>| {
        let known = read(Wanting::Part(&subject), &[body])?;
        Ok::<_, Unreadable>(known.map(|known| {
            known.versions.into_iter().map(|one| (one.version.to_string(), one.manifest)).collect::<Vec<_>>()
        }))
    };
    let kept = format!(r#"{{"mediaType":"{IMAGE}","size":7,"artifactType":"a/b","annotations":{{"k":"v"}}}}"#);
    let (first, second) = (list(&one), list(&two));
    assert_eq!(told(Some(&first)), Ok(Some(vec![(one.clone(), kept.clone())])));
    assert_eq!(told(None), Ok(None));
    let pages = format!("{first}{first}{second}");
    assert_eq!(told(Some(&pages)).map(|told| told.map(|told| told.len())), Ok(Some(2)), "each once");
    for odd in ["", "{}", "<html>", r#"{"manifests":[{}]}"#] {
        assert!(told(Some(odd)).is_err(), "{odd}");
    }
}

#[test]
fn the_next_page_is_asked_for_where_the_first_was() {
    let next = |target: &str, link: &str| {
        Oci.next_page(&Ask { target: target.to_owned(), accept: "" }, link).map(|ask| ask.target)
    };
    let list = "team/app/tags/list?n=1000";
    for (link, target) in [
        (r#"</v2/team/app/tags/list?n=9&last=x>; rel="next""#, Some("team/app/tags/list?n=9&last=x")),
        ("<https://evil.example/v2/x/tags/list?last=x>; rel=next", Some("team/app/tags/list?last=x")),
        (r#"<?a>; rel="prev", <?b>; title=x; REL="Next""#, Some("team/app/tags/list?b")),
        (r#"<?a>; rel="next", <?b>; rel="prev""#, Some("team/app/tags/list?a")),
        (r#"</v2/team/app/tags/list>; rel="next""#, None),
        (r#"</v2/x?a>; rel="last""#, None),
        ("", None),
        ("<", None),
    ] {
        assert_eq!(next(list, link).as_deref(), target, "{link}");
    }
    let link = r#"<?a>; rel="next""#;
    assert!(next("team/app/referrers/sha256:00", link).is_some() && next("team/app/manifests/v1", link).is_none());
}

/// The files of a version are the same when it comes and when it comes again.
#[test]
fn a_manifest_names_its_blobs_again() {
    let layer = |byte, size| format!(r#"{{"mediaType":"a/b","digest":"{}","size":{size}}}"#, named(byte));
    let body = format!(
        r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{},"layers":[{}],"subject":{}}}"#,
        layer(1, 3),
        layer(2, 5),
        layer(3, 7)
    );
    let name = named(9);
    let release = Oci.release(&at(), &name, said(&body, IMAGE)).expect("a release");
    assert!(!release.again && !release.joins && release.subject == Some(named(3).to_string()));
    assert_eq!(release.version.as_str(), name.to_string());
    let files = Oci.files(&at(), release.version.as_str(), &release.manifest).expect("its files");
    let shown = |files: &[crate::ReleaseFile]| {
        files.iter().map(|file| (file.path.clone(), file.location.clone(), file.media_type.clone())).collect::<Vec<_>>()
    };
    assert_eq!((shown(&files), files.len()), (shown(&release.files), 3));
    assert!(matches!(release.files[0].source, Source::Staged(0)));
    let held = files.iter().map(|file| match file.source {
        Source::Held { content, size, required } => (content, size, required),
        _ => (named(0), 0, true),
    });
    let size = body.len() as u64;
    assert_eq!(held.collect::<Vec<_>>(), [(name, size, false), (named(1), 3, false), (named(2), 5, false)]);
    assert!(Oci.files(&at(), "v1", &release.manifest).is_none() && Oci.files(&at(), &name.to_string(), "{}").is_none());
}

//! Registries of images.

use formats::oci::{Address, ImageAt, Manifest, Oci, Push, Query, Reference, rights};
use formats::{Ask, Contents, Intake, Named, PackageAt, Said, Upstream, Wanting};

use crate::publish;

/// What follows `/v2/`, with its query.
pub(crate) fn address(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let _ = rights(query.split('&'));
    let query = Query::parse(query).is_ok_and(|query| query.tags().is_ok());
    let Ok(address) = Address::parse(path) else { return false };
    if let Address::Image(at, _) = &address {
        assert_eq!(ImageAt::of(&at.to_string()).as_ref(), Some(at), "an image's name reads back as itself");
    }
    query
}

pub(crate) fn addresses() -> Vec<Vec<u8>> {
    let digest = format!("sha256:{}", "ab".repeat(32));
    [
        "token?service=x&scope=repository:oci/app:pull,push".to_owned(),
        "_catalog?n=10&last=oci/app".to_owned(),
        format!("oci/team/app/manifests/{digest}?tag=a&tag=b"),
        "oci/app/tags/list?n=5".to_owned(),
        format!("oci/app/blobs/uploads/?mount={digest}&from=oci/other"),
        format!("oci/app/blobs/{digest}"),
        format!("oci/app/referrers/{digest}?artifactType=application/x"),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect()
}

/// A manifest: reference and media type, one line each, then its bytes.
pub(crate) fn manifest(bytes: &[u8]) -> bool {
    let mut lines = bytes.splitn(3, |&byte| byte == b'\n');
    let mut line = || lines.next().and_then(|line| std::str::from_utf8(line).ok());
    let (Some(reference), Some(media_type)) = (line(), line()) else { return false };
    let body = lines.next().unwrap_or_default();
    let Some(reference) = Reference::parse(reference) else { return false };
    let Some(at) = ImageAt::of("oci/team/app") else { return false };
    let push = || -> Box<dyn Intake> { Box::new(Push::new(at.clone(), reference.clone(), Vec::new(), media_type)) };
    if let Ok(found) = Manifest::parse(body, media_type) {
        let held: std::collections::BTreeSet<Named> = found.blobs.iter().map(|blob| blob.content).collect();
        assert_eq!(held.len(), found.blobs.len(), "a blob is held once");
    }
    publish::accept(&Oci, push(), push(), body)
}

pub(crate) fn manifests() -> Vec<Vec<u8>> {
    let (image, index) = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json");
    let about = |kind: &str, byte: &str| {
        format!(r#"{{"mediaType":"{kind}","digest":"sha256:{}","size":3,"annotations":{{"a":"b"}}}}"#, byte.repeat(32))
    };
    let (config, layer) = (about("application/vnd.oci.image.config.v1+json", "aa"), about("application/x.layer", "bb"));
    let (subject, part) = (about(image, "cc"), about(image, "dd"));
    [
        format!(
            "v1\n{image}\n{{\"schemaVersion\":2,\"mediaType\":\"{image}\",\"config\":{config},\"layers\":[{layer}]}}"
        ),
        format!("v1\n{index}\n{{\"schemaVersion\":2,\"manifests\":[{part}],\"subject\":{subject}}}"),
        format!(
            "v1\n{image}\n{{\"schemaVersion\":2,\"artifactType\":\"application/x\",\"config\":{config},\"layers\":[]}}"
        ),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect()
}

/// What another registry says: what was asked for, a media type and a `Link`, one line each, then the answer.
pub(crate) fn upstream(bytes: &[u8]) -> bool {
    let mut lines = bytes.splitn(4, |&byte| byte == b'\n');
    let mut line = || lines.next().and_then(|line| std::str::from_utf8(line).ok());
    let (Some(asked), Some(media_type), Some(link)) = (line(), line(), line()) else { return false };
    let at = PackageAt::named("team/app");
    let said = Said { body: lines.next().unwrap_or_default(), media_type, address: "", changed_at: None };
    if let Ok(named) = asked.parse::<Named>() {
        let Ok(release) = Oci.release(&at, &named, said) else { return listed(&at, Wanting::Part(asked), link, said) };
        let again = Oci.files(&at, release.version.as_str(), &release.manifest).expect("its own metadata");
        let paths = |files: &[formats::ReleaseFile]| files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
        assert_eq!(paths(&again), paths(&release.files), "it comes again as it came");
        return true;
    }
    listed(&at, if asked.is_empty() { Wanting::All } else { Wanting::One(asked) }, link, said)
}

fn listed(at: &PackageAt, wanted: Wanting<'_>, link: &str, said: Said<'_>) -> bool {
    let asks = Oci.asks(at, wanted);
    let next = asks.iter().filter_map(|ask| Oci.next_page(ask, link));
    let beneath = |ask: &Ask| ask.target.starts_with("team/app/") && !ask.target.split('/').any(|part| part == "..");
    assert!(asks.iter().all(beneath), "nothing else is asked for");
    assert!(next.into_iter().all(|ask| ask.target.starts_with("team/app/")), "nor on the next page");
    let read = Oci.read(at, wanted, &[Some(said)]);
    assert_eq!(read, Oci.read(at, wanted, &[Some(said)]), "reading depends on chance");
    matches!(read, Ok(Some(_)))
}

pub(crate) fn upstreams() -> Vec<Vec<u8>> {
    let (image, index) = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json");
    let digest = format!("sha256:{}", "ab".repeat(32));
    let about = format!(r#"{{"mediaType":"{image}","digest":"{digest}","size":3,"artifactType":"a/b"}}"#);
    let next = r#"</v2/team/app/tags/list?n=1&last=a>; rel="next""#;
    [
        format!("v1\n{image}\n\n{{\"schemaVersion\":2,\"config\":{about},\"layers\":[{about}]}}"),
        format!("{digest}\n{image}\n\n{{\"schemaVersion\":2,\"config\":{about},\"layers\":[{about}]}}"),
        format!("{digest}\n{index}\n{next}\n{{\"manifests\":[{about}]}}"),
        format!("\napplication/json\n{next}\n{{\"name\":\"team/app\",\"tags\":[\"a\",\"b\"]}}{{\"tags\":null}}"),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect()
}

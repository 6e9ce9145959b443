//! What clients send that mean harm, or are broken: refused in their own shape, and nothing of it stays.

use acceptance::http::{Answer, Http};
use acceptance::{Result, Trouble};
use bytes::Bytes;
use serde_json::{Value, json};

use super::yard::{IMAGE, INDEX, LAYER, Yard, header, push_as, sha256, sha512, texts, told};

/// Nothing was published under the image's name, and the next good request succeeds.
async fn nothing_stays(yard: &Yard, image: &str) -> Result<()> {
    told(yard.admin.get(&format!("{image}/tags/list")).send().await?, 404, "NAME_UNKNOWN")?;
    yard.tagged(image, "good").await?;
    assert_eq!(texts(&yard.admin.get(&format!("{image}/tags/list")).send().await?.expect(&[200])?, "/tags")?, ["good"]);
    Ok(())
}

async fn begin(yard: &Yard, image: &str) -> Result<String> {
    let begun = yard.admin.post(&format!("{image}/blobs/uploads/")).body("").send().await?.expect(&[202])?;
    header(&begun, "location")
}

pub(super) async fn digests_have_one_spelling(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    let bytes = yard.noise(40);
    let right = sha256(&bytes);
    let hex = right.trim_start_matches("sha256:");
    let manifest = yard.manifest(&image).await?;
    for bad in [
        format!("sha256:{}", hex.to_uppercase()),
        format!("SHA256:{hex}"),
        format!("sha-256:{hex}"),
        format!("sha256:{hex}00"),
        format!("sha256:{}", &hex[1..]),
        format!("sha512:{hex}"),
        format!("sha1:{}", &hex[..40]),
        format!("md5:{}", &hex[..32]),
        "sha256:".to_owned(),
        hex.to_owned(),
        format!("sha256+b64u:{hex}"),
    ] {
        let sent = yard.admin.post(&format!("{image}/blobs/uploads/?digest={}", bad.replace('+', "%2B")));
        told(sent.body(bytes.clone()).send().await?, 400, "DIGEST_INVALID")?;
        let put = yard.admin.put(&format!("{}?digest={}", begin(yard, &image).await?, bad.replace('+', "%2B")));
        told(put.body(bytes.clone()).send().await?, 400, "DIGEST_INVALID")?;
        for request in [
            yard.admin.get(&format!("{image}/blobs/{bad}")),
            yard.admin.delete(&format!("{image}/blobs/{bad}")),
            yard.admin.get(&format!("{image}/referrers/{bad}")),
        ] {
            told(request.send().await?, 400, "DIGEST_INVALID")?;
        }
        if bad.contains(':') {
            let at = format!("{image}/manifests/{bad}");
            told(yard.push(&image, &bad, &manifest.to_string()).await?, 400, "DIGEST_INVALID")?;
            told(yard.admin.get(&at).send().await?, 404, "MANIFEST_UNKNOWN")?;
            told(yard.admin.delete(&at).send().await?, 404, "MANIFEST_UNKNOWN")?;
        }
        for field in ["config", "subject"] {
            let mut wrong = manifest.clone();
            wrong[field] = json!({"mediaType": LAYER, "digest": bad, "size": 20});
            told(yard.push(&image, "v1", &wrong.to_string()).await?, 400, "MANIFEST_INVALID")?;
        }
    }
    told(yard.admin.get(&format!("{image}/blobs/{right}")).send().await?, 404, "BLOB_UNKNOWN")?;
    nothing_stays(yard, &image).await
}

pub(super) async fn two_digests_are_none(yard: &Yard) -> Result<()> {
    let (image, bytes) = (yard.image("oci"), yard.noise(40));
    let (right, wrong) = (sha256(&bytes), sha256(b"other"));
    for query in [format!("digest={right}&digest={wrong}"), format!("digest={wrong}&digest={right}")] {
        let sent = yard.admin.post(&format!("{image}/blobs/uploads/?{query}")).body(bytes.clone()).send().await?;
        assert_eq!(sent.status, 400);
        let put = yard.admin.put(&format!("{}?{query}", begin(yard, &image).await?)).body(bytes.clone());
        assert_eq!(put.send().await?.status, 400);
    }
    told(yard.admin.get(&format!("{image}/blobs/{right}")).send().await?, 404, "BLOB_UNKNOWN")?;
    for algorithm in ["md5", "sha1", "SHA256", ""] {
        let begun = yard.admin.post(&format!("{image}/blobs/uploads/?digest-algorithm={algorithm}")).body("");
        told(begun.send().await?, 400, "DIGEST_INVALID")?;
    }
    let begun = yard.admin.post(&format!("{image}/blobs/uploads/?digest-algorithm=sha512")).body("");
    let location = header(&begun.send().await?.expect(&[202])?, "location")?;
    let put = yard.admin.put(&format!("{location}?digest={}", sha512(&bytes))).body(bytes);
    put.send().await?.expect(&[201]).map(drop)
}

pub(super) async fn a_digest_is_that_of_the_bytes_as_sent(yard: &Yard) -> Result<()> {
    let (image, bytes) = (yard.image("oci"), yard.noise(40));
    // Whatever a client says of an encoding: what came is what is named.
    let put = yard.admin.put(&format!("{}?digest={}", begin(yard, &image).await?, sha256(b"unpacked")));
    let refused = put.header("Content-Encoding", "gzip").body(bytes.clone()).send().await?;
    assert!([400, 415].contains(&refused.status), "{}", refused.status);
    told(yard.admin.get(&format!("{image}/blobs/{}", sha256(&bytes))).send().await?, 404, "BLOB_UNKNOWN").map(drop)
}

pub(super) async fn json_that_readers_could_differ_on_is_refused(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    let good = yard.manifest(&image).await?.to_string();
    let inside = |text: &str| good.replacen('{', &format!("{{{text},"), 1);
    for bad in [
        inside(r#""schemaVersion":2"#),
        inside(r#""layers":[]"#),
        inside(r#""la\u0079ers":[]"#),
        inside(r#""x":{"a":1,"a":2}"#),
        inside(r#""annotations":{"a":"1","a":"2"}"#),
        inside(r#""annotations":{"a":1}"#),
        inside(r#""x":1e400"#),
        inside(r#""x":"\ud800""#),
        inside("\"x\":\"\u{1}\""),
        inside(&format!("\"x\":{}{}", "[".repeat(100_000), "]".repeat(100_000))),
        inside(&format!("\"x\":{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000))),
        inside(&format!("\"x\":{}", "9".repeat(100_000))),
        format!("{good}{good}"),
        format!("{good} x"),
        format!("\u{feff}{good}"),
        good[..good.len() - 1].to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "\"x\"".to_owned(),
        "2".to_owned(),
        "{\"schemaVersion\":1}".to_owned(),
        "\u{0}".to_owned(),
    ] {
        let told_so = told(yard.push(&image, "v1", &bad).await?, 400, "MANIFEST_INVALID");
        told_so.map_err(|trouble| Trouble::new(format!("{:.80}: {trouble:?}", bad)))?;
    }
    let put = yard.admin.put(&format!("{image}/manifests/v1")).header("Content-Type", IMAGE);
    told(put.body(vec![0xff, 0xfe, b'{', b'}']).send().await?, 400, "MANIFEST_INVALID")?;
    nothing_stays(yard, &image).await
}

pub(super) async fn a_manifest_is_one_thing_under_one_type(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    let good = yard.manifest(&image).await?;
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []});
    let without = |value: &Value| {
        let mut value = value.clone();
        value.as_object_mut().map(|map| map.remove("mediaType"));
        value
    };
    let mut both = without(&good);
    both["manifests"] = json!([]);
    let mut other = good.clone();
    other["mediaType"] = json!("application/vnd.docker.distribution.manifest.v2+json");
    for (kind, body) in [
        (INDEX, good.clone()),
        (IMAGE, index.clone()),
        (INDEX, without(&good)),
        (IMAGE, without(&index)),
        (IMAGE, both.clone()),
        (INDEX, both.clone()),
        ("application/json", both),
        (IMAGE, other),
        ("application/vnd.docker.distribution.manifest.list.v2+json", without(&good)),
        ("application/vnd.docker.distribution.manifest.v1+json", without(&good)),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", without(&good)),
        ("text/html", good.clone()),
        ("no type", without(&good)),
        ("*/*;q=1", good.clone()),
    ] {
        told(push_as(&yard.admin, &image, "v1", kind, &body.to_string()).await?, 400, "MANIFEST_INVALID")?;
    }
    nothing_stays(yard, &image).await
}

pub(super) async fn sizes_are_not_believed(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    let good = yard.manifest(&image).await?;
    for (size, code) in [
        (json!(299), "MANIFEST_INVALID"),
        (json!(0), "MANIFEST_INVALID"),
        (json!(-1), "MANIFEST_INVALID"),
        (json!(300.0), "MANIFEST_INVALID"),
        (json!("300"), "MANIFEST_INVALID"),
        (json!(u64::MAX), "MANIFEST_INVALID"),
        (Value::Null, "MANIFEST_INVALID"),
    ] {
        let mut lie = good.clone();
        lie["layers"][0]["size"] = size;
        told(yard.push(&image, "v1", &lie.to_string()).await?, 400, code)?;
    }
    let mut two = good.clone();
    let mut again = two["layers"][0].clone();
    again["size"] = json!(301);
    two["layers"] = json!([two["layers"][0], again]);
    told(yard.push(&image, "v1", &two.to_string()).await?, 400, "MANIFEST_INVALID")?;
    nothing_stays(yard, &image).await
}

pub(super) async fn a_manifest_refers_to_so_much_and_no_more(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    let children = |count: usize| {
        let child = |number: usize| json!({"mediaType": IMAGE, "digest": sha256(&number.to_le_bytes()), "size": 7});
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": (0..count).map(child).collect::<Vec<_>>()})
    };
    let most = children(4000).to_string();
    let more = children(4001).to_string();
    told(push_as(&yard.admin, &image, "v1", INDEX, &more).await?, 400, "MANIFEST_INVALID")?;
    told(yard.admin.get(&format!("{image}/tags/list")).send().await?, 404, "NAME_UNKNOWN")?;
    push_as(&yard.admin, &image, "v1", INDEX, &most).await?.expect(&[201]).map(drop)
}

pub(super) async fn a_tower_of_indexes_is_only_bytes(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    let (mut below, body) = yard.tagged(&image, "ground").await?;
    let (mut size, mut kind) = (body.len(), IMAGE);
    for floor in 0..100 {
        let child = json!({"mediaType": kind, "digest": below, "size": size});
        let subject = json!({"mediaType": kind, "digest": below, "size": size});
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child], "subject": subject});
        let index = index.to_string();
        push_as(&yard.admin, &image, &format!("floor{floor}"), INDEX, &index).await?.expect(&[201])?;
        (below, size, kind) = (sha256(index.as_bytes()), index.len(), INDEX);
    }
    let top = yard.admin.get(&format!("{image}/manifests/floor99")).send().await?.expect(&[200])?;
    assert_eq!(header(&top, "docker-content-digest")?, below);
    Ok(())
}

pub(super) async fn ranges_of_chunks_may_not_lie(yard: &Yard) -> Result<()> {
    let (image, bytes) = (yard.image("oci"), yard.noise(30));
    let location = begin(yard, &image).await?;
    let streamed = |range: &str, length: usize| {
        let pieces = bytes[..length].chunks(7).map(Bytes::copy_from_slice).collect();
        yard.admin.patch(&location).header("Content-Range", range).chunks(pieces)
    };
    for (range, length) in [("0-9", 20), ("0-19", 10), ("0-0", 30), ("0-99999", 30), ("0-18446744073709551614", 3)] {
        let refused = streamed(range, length).send().await?;
        assert!([400, 413].contains(&refused.status), "{range}: {}", refused.status);
        let stands = yard.admin.get(&location).send().await?.expect(&[204])?;
        assert_eq!(header(&stands, "range")?, "0-0", "{range} left something");
    }
    told(streamed("bytes 0-29/30", 30).send().await?, 400, "BLOB_UPLOAD_INVALID")?;
    streamed("0-29", 30).send().await?.expect(&[202])?;
    yard.admin.put(&format!("{location}?digest={}", sha256(&bytes))).body("").send().await?.expect(&[201])?;
    let got = yard.admin.get(&format!("{image}/blobs/{}", sha256(&bytes))).send().await?.expect(&[200])?;
    assert_eq!(got.body[..], bytes[..]);
    Ok(())
}

pub(super) async fn a_body_that_breaks_off_leaves_nothing(yard: &Yard) -> Result<()> {
    let (image, bytes) = (yard.image("oci"), yard.noise(200_000));
    let (digest, location) = (sha256(&bytes), begin(yard, &image).await?);
    let manifest = yard.manifest(&image).await?.to_string();
    let token = yard.admin.token();
    for (head, body) in [
        (format!("PATCH {location}"), &bytes[..]),
        (format!("PUT {location}?digest={digest}"), &bytes[..]),
        (format!("POST {image}/blobs/uploads/?digest={digest}"), &bytes[..]),
        (format!("PUT {image}/manifests/v1"), manifest.as_bytes()),
    ] {
        let mut connection = yard.admin.connect().await?;
        let head = format!(
            "{head} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        connection.write_raw(head.as_bytes()).await?;
        connection.write_raw(&body[..body.len() / 2]).await?;
        connection.finish_writing().await?;
        // Whether it is answered does not matter: it is over once the server has closed.
        let told = connection.read_answer(false).await.map(|answer| answer.status);
        assert!(told.is_err() || told.is_ok_and(|status| status >= 400));
    }
    let stands = yard.admin.get(&location).send().await?.expect(&[204])?;
    assert_eq!(header(&stands, "range")?, "0-0");
    told(yard.admin.get(&format!("{image}/blobs/{digest}")).send().await?, 404, "BLOB_UNKNOWN")?;
    yard.admin.put(&format!("{location}?digest={digest}")).body(bytes).send().await?.expect(&[201])?;
    nothing_stays(yard, &image).await
}

pub(super) async fn names_that_are_none_are_refused(yard: &Yard) -> Result<()> {
    let long = format!("oci/{}", "a".repeat(252));
    let named = |what: &str, trouble| Trouble::new(format!("{what}: {trouble:?}"));
    for name in [
        "oci/A",
        "oci/a..b",
        "oci/a.",
        "oci/.a",
        "oci/a%00b",
        "oci/a%20b",
        "oci/a%25",
        "oci/%5f",
        "oci/a%e2%80%aeb",
        "oci/con",
        "oci/x/aux",
        "oci/nul/x",
        &long,
    ] {
        for request in [
            yard.admin.post(&format!("/v2/{name}/blobs/uploads/")).body(""),
            yard.admin.get(&format!("/v2/{name}/tags/list")),
            yard.admin.put(&format!("/v2/{name}/manifests/v1")).header("Content-Type", IMAGE).body("{}"),
        ] {
            told(request.send().await?, 400, "NAME_INVALID").map_err(|trouble| named(name, trouble))?;
        }
        // Who pushes looks first, and goes on to where it is told why.
        yard.admin.head(&format!("/v2/{name}/manifests/v1")).send().await?.expect(&[404])?;
    }
    let longer = format!("/v2/oci/{}/tags/list", "a/".repeat(30_000));
    yard.admin.get(&longer).send().await?.expect(&[414])?;
    let image = yard.image("oci");
    let body = yard.manifest(&image).await?.to_string();
    let long = "a".repeat(129);
    for (tag, code) in [
        ("-a", "MANIFEST_INVALID"),
        (".a", "MANIFEST_INVALID"),
        ("a%20b", "MANIFEST_INVALID"),
        ("%e2%80%ae", "MANIFEST_INVALID"),
        ("a%25", "MANIFEST_INVALID"),
        (&long, "MANIFEST_INVALID"),
        ("a:b", "DIGEST_INVALID"),
        ("a%2fb", "NAME_INVALID"),
        ("a%00", "NAME_INVALID"),
    ] {
        told(yard.push(&image, tag, &body).await?, 400, code).map_err(|trouble| named(tag, trouble))?;
    }
    nothing_stays(yard, &image).await
}

/// What an answer tells: everything but what every answer has for itself.
fn said(answer: &Answer, own: &[&str]) -> (u16, Vec<(String, String)>, String) {
    let plain = |text: &str| own.iter().fold(text.to_owned(), |text, own| text.replace(own, "…"));
    let names =
        ["content-type", "docker-content-digest", "www-authenticate", "cache-control", "range", "oci-filters-applied"];
    let headers = names.iter().filter_map(|name| Some(((*name).to_owned(), plain(answer.header(name)?))));
    (answer.status, headers.collect(), plain(&answer.text()))
}

pub(super) async fn what_is_hidden_looks_like_what_is_absent(yard: &Yard) -> Result<()> {
    let (secret, target) = (yard.image("other"), yard.image("oci"));
    let (manifest, body) = yard.tagged(&secret, "v1").await?;
    let layer = serde_json::from_str::<Value>(&body)?["layers"][0]["digest"].as_str().unwrap_or_default().to_owned();
    let absent = sha256(&yard.noise(33));
    yard.tagged(&target, "own").await?;
    let mallory = yard.person("mallory", &["repo:oci:write"]).await?;
    let at = |request: fn(&Http, &str) -> acceptance::http::Request, path: String| request(&mallory, &path);
    let from = secret.trim_start_matches("/v2/");
    for (request, path, hidden) in [
        (Http::get as fn(&Http, &str) -> _, format!("{target}/blobs/DIGEST"), &layer),
        (Http::head, format!("{target}/blobs/DIGEST"), &layer),
        (Http::get, format!("{target}/manifests/DIGEST"), &manifest),
        (Http::head, format!("{target}/manifests/DIGEST"), &manifest),
        (Http::get, format!("{target}/referrers/DIGEST"), &manifest),
        (Http::get, format!("{secret}/blobs/DIGEST"), &layer),
        (Http::get, format!("{secret}/manifests/DIGEST"), &manifest),
        (Http::post, format!("{target}/blobs/uploads/?mount=DIGEST&from={from}"), &layer),
        (Http::post, format!("{target}/blobs/uploads/?mount=DIGEST"), &layer),
        (Http::delete, format!("{target}/blobs/DIGEST"), &layer),
    ] {
        let ask = async |digest: &str| {
            let answer = at(request, path.replace("DIGEST", digest)).header("If-None-Match", "\"x\"").body("");
            Ok::<_, Trouble>(said(&answer.send().await?, &[digest]))
        };
        assert_eq!(ask(hidden).await?, ask(&absent).await?, "{path}");
    }
    // A manifest cannot borrow what its pusher cannot reach.
    told(push_as(&mallory, &target, "v1", IMAGE, &body).await?, 404, "MANIFEST_BLOB_UNKNOWN").map(drop)
}

pub(super) async fn a_subject_elsewhere_is_not_touched(yard: &Yard) -> Result<()> {
    let (theirs, mine) = (yard.image("other"), yard.image("oci"));
    let (subject, _) = yard.tagged(&theirs, "v1").await?;
    let mallory = yard.person("mallory2", &["repo:oci:write"]).await?;
    let mut claim = yard.manifest(&mine).await?;
    claim["subject"] = json!({"mediaType": IMAGE, "digest": subject, "size": 1});
    push_as(&mallory, &mine, "claim", IMAGE, &claim.to_string()).await?.expect(&[201])?;
    let count = async |image: &str| {
        let found = yard.admin.get(&format!("{image}/referrers/{subject}")).send().await?.expect(&[200])?;
        Ok::<_, Trouble>(found.json()?["manifests"].as_array().map_or(0, Vec::len))
    };
    assert_eq!((count(&theirs).await?, count(&mine).await?), (0, 1));
    Ok(())
}

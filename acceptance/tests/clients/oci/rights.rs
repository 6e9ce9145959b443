//! Who may do what, and how clients come by their tokens.

use acceptance::Result;
use acceptance::http::Http;

use super::yard::{IMAGE, Yard, header, push_as, sha256, texts, told};

/// A token for `scopes`, asked for with Basic credentials.
async fn exchange(yard: &Yard, secret: &str, scopes: &str) -> Result<Http> {
    let http = yard.server.http()?;
    let answer =
        http.get(&format!("/v2/token?service=x&{scopes}")).basic("anybody", secret).send().await?.expect(&[200])?;
    let token = answer.string("/token")?;
    assert_eq!(token, answer.string("/access_token")?);
    assert!(answer.json()?["expires_in"].as_u64().is_some_and(|seconds| (60..=3600).contains(&seconds)));
    assert_eq!(header(&answer, "cache-control")?, "no-store");
    Ok(http.with_token(&token))
}

pub(super) async fn who_asks_is_told_where_tokens_are(yard: &Yard) -> Result<()> {
    let (image, nobody) = (yard.image("oci"), yard.server.http()?);
    let name = image.trim_start_matches("/v2/");
    let host = nobody.address();
    for ping in ["/v2/", "/v2"] {
        let refused = told(nobody.get(ping).send().await?, 401, "UNAUTHORIZED")?;
        assert_eq!(
            header(&refused, "www-authenticate")?,
            format!("Bearer realm=\"http://{host}/v2/token\",service=\"{host}\"")
        );
        let known = yard.admin.get(ping).send().await?.expect(&[200])?;
        for answer in [&refused, &known] {
            assert_eq!(header(answer, "docker-distribution-api-version")?, "registry/2.0");
        }
    }
    let refused = told(nobody.get(&format!("{image}/manifests/v1")).send().await?, 401, "UNAUTHORIZED")?;
    assert!(header(&refused, "www-authenticate")?.ends_with(&format!(",scope=\"repository:{name}:pull\"")));
    let refused = told(nobody.post(&format!("{image}/blobs/uploads/")).body("").send().await?, 401, "UNAUTHORIZED")?;
    assert!(header(&refused, "www-authenticate")?.ends_with(&format!(",scope=\"repository:{name}:pull,push\"")));
    let mount = format!("{image}/blobs/uploads/?mount={}&from=other/x", sha256(b"x"));
    let refused = told(nobody.post(&mount).body("").send().await?, 401, "UNAUTHORIZED")?;
    let both = format!(",scope=\"repository:{name}:pull,push repository:other/x:pull\"");
    assert!(header(&refused, "www-authenticate")?.ends_with(&both), "one token does for both");
    // Hidden, missing and impossible look the same.
    for at in ["/v2/none/a/manifests/v1", "/v2/oci/A/manifests/v1", "/v2/oci/a/nothing", "/v2/x"] {
        told(nobody.get(at).send().await?, 401, "UNAUTHORIZED")?;
    }
    nobody.get("/v2/").basic("anybody", yard.admin.token()).send().await?.expect(&[200])?;
    told(nobody.get("/v2/").bearer("aft_wrong").send().await?, 401, "UNAUTHORIZED")?;
    told(nobody.get("/v2/token").basic("x", "wrong").send().await?, 401, "UNAUTHORIZED")?;
    let mine = format!("Bearer {}", yard.admin.token());
    let twice = nobody.get("/v2/token").header("Authorization", mine).header("Authorization", "Bearer other");
    told(twice.send().await?, 401, "UNAUTHORIZED").map(drop)
}

pub(super) async fn a_token_can_do_no_more_than_its_caller(yard: &Yard) -> Result<()> {
    let (image, other) = (yard.image("oci"), yard.image("other"));
    yard.tagged(&image, "v1").await?;
    yard.tagged(&other, "v1").await?;
    let (name, away) = (image.trim_start_matches("/v2/"), other.trim_start_matches("/v2/"));
    let rita = yard.person("rita", &["repo:oci:read"]).await?;
    let begin = format!("{image}/blobs/uploads/");
    let hers =
        exchange(yard, rita.token(), &format!("scope=repository:{name}:pull,push,delete&scope=repository:{away}:pull"))
            .await?;
    hers.get(&format!("{image}/manifests/v1")).send().await?.expect(&[200])?;
    // Another token could do no more: clients show its owner what is said, where they would go in circles after a 401.
    let mount = format!("{begin}?mount={}&from={away}", sha256(b"x"));
    for at in [&begin, &mount] {
        told(hers.post(at).body("").send().await?, 403, "DENIED")?;
    }
    told(hers.delete(&format!("{image}/manifests/v1")).send().await?, 403, "DENIED")?;
    told(yard.server.http()?.post(&begin).basic("rita", rita.token()).body("").send().await?, 403, "DENIED")?;
    told(hers.get(&format!("{other}/manifests/v1")).send().await?, 404, "NAME_UNKNOWN")?;
    // What was not asked for is not given, whatever the caller holds.
    let pull = exchange(yard, yard.admin.token(), &format!("scope=repository:{name}:pull")).await?;
    pull.get(&format!("{image}/manifests/v1")).send().await?.expect(&[200])?;
    let alone = format!(",scope=\"repository:{name}:pull,push\",error=\"insufficient_scope\"");
    for at in [&begin, &mount] {
        let refused = told(pull.post(at).body("").send().await?, 401, "DENIED")?;
        assert!(header(&refused, "www-authenticate")?.ends_with(&alone), "one scope, which podman understands");
    }
    assert_eq!(pull.get("/v1/admin/auth/pats").send().await?.status, 403);
    let push = exchange(yard, yard.admin.token(), &format!("scope=repository:{name}:pull,push")).await?;
    push.post(&begin).body("").send().await?.expect(&[202])?;
    told(push.delete(&format!("{image}/manifests/{}", sha256(b"x"))).send().await?, 401, "DENIED")?;
    // A list of all images is no list of those that one token was made for: podman asks with one made for nothing.
    for few in [exchange(yard, rita.token(), "").await?, pull] {
        let refused = told(few.get("/v2/_catalog").send().await?, 401, "UNAUTHORIZED")?;
        let wanted = ",scope=\"registry:catalog:*\",error=\"insufficient_scope\"";
        assert!(header(&refused, "www-authenticate")?.ends_with(wanted));
    }
    let all = exchange(yard, rita.token(), "scope=registry:catalog:*").await?;
    all.get("/v2/_catalog").send().await?.expect(&[200])?;
    // The form of the other variant, and both scopes in one.
    let form = format!(
        "grant_type=password&username=a&password={}&scope=repository:{name}:pull+repository:{away}:pull",
        yard.admin.token()
    );
    let post = yard.server.http()?.post("/v2/token").header("Content-Type", "application/x-www-form-urlencoded");
    let token = post.body(form).send().await?.expect(&[200])?.string("/access_token")?;
    let two = yard.server.http()?.with_token(&token);
    for image in [&image, &other] {
        two.get(&format!("{image}/manifests/v1")).send().await?.expect(&[200])?;
    }
    // It dies with the token that it came from.
    let id = rita.get("/v1/auth/whoami").send().await?.expect(&[200])?.string("/tokenId")?;
    rita.post("/v1/auth/pats/revoke").json(&serde_json::json!({"tokenId": id})).send().await?.expect(&[200])?;
    told(hers.get(&format!("{image}/manifests/v1")).send().await?, 401, "UNAUTHORIZED").map(drop)
}

pub(super) async fn a_public_repository_is_read_by_anybody(yard: &Yard) -> Result<()> {
    let (image, hidden) = (yard.image("public"), yard.image("oci"));
    let (digest, body) = yard.tagged(&image, "v1").await?;
    yard.tagged(&hidden, "v1").await?;
    let nobody = yard.server.http()?;
    let answer = nobody.get("/v2/token?scope=repository:public/x:pull").send().await?.expect(&[200])?;
    let known_nobody = nobody.with_token(&answer.string("/token")?);
    known_nobody.get("/v2/").send().await?.expect(&[200])?;
    for http in [&nobody, &known_nobody] {
        http.get(&format!("{image}/manifests/{digest}")).send().await?.expect(&[200])?;
        assert_eq!(texts(&http.get(&format!("{image}/tags/list")).send().await?.expect(&[200])?, "/tags")?, ["v1"]);
        let refused = told(http.get(&format!("{hidden}/manifests/v1")).send().await?, 401, "UNAUTHORIZED")?;
        let insufficient = header(&refused, "www-authenticate")?.ends_with(",error=\"insufficient_scope\"");
        assert_eq!(
            insufficient,
            std::ptr::eq(http, &known_nobody),
            "who showed the token of nobody is told that it is that"
        );
        told(push_as(http, &image, "v2", IMAGE, &body).await?, 401, "UNAUTHORIZED")?;
        told(http.delete(&format!("{image}/manifests/{digest}")).send().await?, 401, "UNAUTHORIZED")?;
    }
    Ok(())
}

pub(super) async fn bytes_are_mounted_only_by_those_who_may_read_them(yard: &Yard) -> Result<()> {
    let (source, target) = (yard.image("other"), yard.image("oci"));
    let bytes = yard.noise(5000);
    let digest = yard.blob(&source, &bytes).await?;
    let from = source.trim_start_matches("/v2/");
    let wilma = yard.person("wilma", &["repo:oci:write"]).await?;
    let mount =
        |http: &Http, query: &str| http.post(&format!("{target}/blobs/uploads/?mount={digest}{query}")).body("");
    for query in [format!("&from={from}"), String::new(), "&from=../x".to_owned(), "&from=none/x".to_owned()] {
        let missed = mount(&wilma, &query).send().await?.expect(&[202])?;
        let location = header(&missed, "location")?;
        wilma.delete(&location).send().await?.expect(&[204])?;
        told(wilma.get(&format!("{target}/blobs/{digest}")).send().await?, 404, "BLOB_UNKNOWN")?;
    }
    let done = mount(&yard.admin, &format!("&from={from}")).send().await?.expect(&[201])?;
    assert_eq!(header(&done, "location")?, format!("{target}/blobs/{digest}"));
    assert_eq!(wilma.get(&format!("{target}/blobs/{digest}")).send().await?.expect(&[200])?.body[..], bytes[..]);
    mount(&wilma, "").send().await?.expect(&[201])?;
    Ok(())
}

pub(super) async fn hostile_addresses_open_nothing(yard: &Yard) -> Result<()> {
    let image = yard.image("oci");
    yard.tagged(&image, "v1").await?;
    let path = image.trim_start_matches("/v2/oci/");
    let (nobody, rita) = (yard.server.http()?, yard.person("rina", &["repo:public:read"]).await?);
    for at in [
        format!("/v2/oc%69/{path}/manifests/v1"),
        format!("/v2/oc%2569/{path}/manifests/v1"),
        format!("/v2/public/../oci/{path}/manifests/v1"),
        format!("/v2/public/%2e%2e/oci/{path}/manifests/v1"),
        format!("/v2/public/..%2foci/{path}/manifests/v1"),
        format!("/v2/public;x/../oci/{path}/manifests/v1"),
        format!("/v2//oci/{path}/manifests/v1"),
        format!("/v2/./oci/{path}/manifests/v1"),
        format!("/v2/OCI/{path}/manifests/v1"),
        format!("/v2/public\\..\\oci/{path}/manifests/v1"),
        format!("/v2/oci%00/{path}/manifests/v1"),
    ] {
        for http in [&nobody, &*rita] {
            let status = http.get(&at).send().await?.status;
            assert!([400, 401, 404].contains(&status), "{at}: {status}");
        }
    }
    // What is no repository of images is none here, and images are only here.
    let raw = serde_json::json!({"repoKey": "raw", "format": "raw"});
    let made = yard.admin.post("/v1/repos").json(&raw).send().await?;
    assert!([201, 409].contains(&made.status));
    told(yard.admin.get("/v2/raw/a/manifests/v1").send().await?, 404, "NAME_UNKNOWN")?;
    assert_eq!(yard.admin.get(&format!("/repository/oci/{path}/manifests/v1")).send().await?.status, 404);
    let draft = serde_json::json!({"packageType": "oci", "packageName": "x", "version": "1"});
    assert_eq!(yard.admin.post("/v1/repos/oci/packages/versions/drafts").json(&draft).send().await?.status, 400);
    let refused = yard.admin.post(&format!("{image}/manifests/v1")).body("").send().await?;
    assert_eq!(header(&told(refused, 405, "UNSUPPORTED")?, "allow")?, "GET, HEAD, PUT, DELETE");
    Ok(())
}

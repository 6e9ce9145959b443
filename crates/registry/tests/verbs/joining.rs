//! Files that join a version, with what belongs to them: which conflict is told, what counts as one version, which sums
//! are computed.

use bytes::Bytes;
use formats::{Answer, Intake, NewFile, PackageAt, Piece, Plan, Release, ReleaseFile, Source, StagedFile, Wanted};
use model::{Code, Refusal};
use registry::{Error, Grant, RepoSettings, Result, Write};

use crate::bench::{Bench, package, path, version_name};

/// A file and what is made of it, as the body says.
#[derive(Debug)]
struct Given {
    version: &'static str,
    name: &'static str,
}

impl Intake for Given {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<Piece>) -> std::result::Result<(), Refusal> {
        let sums = Wanted { md5: true, blake2: true, ..Wanted::default() };
        out.extend([Piece::Begin(NewFile { sums, ..NewFile::default() }), Piece::Bytes(bytes), Piece::End]);
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<Piece>) -> std::result::Result<(), Refusal> {
        Ok(())
    }

    fn plan(self: Box<Self>, files: &mut [StagedFile]) -> std::result::Result<Plan, Refusal> {
        let file = |tail: &str, source| ReleaseFile {
            path: path(&format!("{}{tail}", self.name)),
            location: path(&format!("packages/demo/{}/{}{tail}", self.version, self.name)),
            source,
            media_type: None,
            attributes: None,
        };
        let mut text = Vec::new();
        files[0].bytes.read_to_end(&mut text).map_err(|error| Refusal::new(Code::BadRequest, error.to_string()))?;
        let sums = format!("{:?}", files[0].sums.attributes());
        let release = Release {
            package: PackageAt::named("demo"),
            display: "Demo".to_owned(),
            exact_name: false,
            version: version_name(self.version),
            files: vec![file("", Source::Staged(0)), file(".metadata", Source::Derived([b"of ", &*text].concat()))],
            manifest: "{}".to_owned(),
            refs: Vec::new(),
            subject: None,
            again: false,
            joins: true,
        };
        Ok(Plan { release: Some(release), answer: Answer::text(200, sums), ..Plan::default() })
    }
}

async fn put(grant: &Grant<Write>, version: &'static str, name: &'static str, bytes: &'static [u8]) -> Result<Answer> {
    let mut receiving = grant.take_in(Box::new(Given { version, name }));
    receiving.write(Bytes::from_static(bytes)).await?;
    receiving.end().await?.perform().await
}

fn refusal(outcome: Result<Answer>) -> (Code, String) {
    let told = outcome.err().and_then(|error| if let Error::Refused(refusal) = error { Some(refusal) } else { None });
    let told = told.expect("a refusal");
    (told.code, told.detail)
}

async fn both() -> [Bench; 2] {
    [Bench::sqlite().await, Bench::postgres().await]
}

#[tokio::test]
async fn a_file_that_is_there_is_what_a_conflict_names() {
    for bench in both().await {
        let repo = bench.repository_of("pypi", "libs", RepoSettings::default()).await;
        let grant = bench.grant::<Write>(&repo).await;
        let exists = |name: &str| (Code::Conflict, format!("{name} already exists: published files never change"));
        put(&grant, "1.0", "demo.whl", b"one").await.expect("stored");
        assert_eq!(refusal(put(&grant, "1.0", "demo.whl", b"two").await), exists("demo.whl"));
        let id = grant.to_read().resolve("", &package("Demo"), &version_name("1.0")).await.expect("a version").1.id;
        grant.seal_version(id).await.expect("sealed");
        // Sealed or not: it is there, with these bytes or with others.
        put(&grant, "1.0", "demo.whl", b"one").await.expect("the same again");
        assert_eq!(refusal(put(&grant, "1.0", "demo.whl", b"two").await), exists("demo.whl"));
        let (code, why) = refusal(put(&grant, "1.0", "demo.tar.gz", b"one").await);
        assert!(code == Code::Conflict && why.ends_with("is sealed: it takes no more files"), "{why}");
        assert_eq!(bench.count("SELECT count(*) FROM entries").await, 2);
    }
}

#[tokio::test]
async fn spellings_of_a_version_are_one_and_the_second_leaves_nothing() {
    for bench in both().await {
        let repo = bench.repository_of("pypi", "libs", RepoSettings::default()).await;
        let grant = bench.grant::<Write>(&repo).await;
        put(&grant, "1.0", "demo-1.0.whl", b"one").await.expect("stored");
        let (code, why) = refusal(put(&grant, "1.0.0", "demo-1.0.0.whl", b"two").await);
        assert_eq!(
            (code, why.as_str()),
            (Code::Conflict, "1.0.0 and 1.0 are one version of Demo, and 1.0 exists or existed here")
        );
        put(&grant, "1.0.1", "demo-1.0.1.whl", b"three").await.expect("another version");
        put(&grant, "1.0", "demo-1.0.tar.gz", b"four").await.expect("a file joins");
        assert_eq!(bench.count("SELECT count(*) FROM versions").await, 2);
        assert_eq!(bench.count("SELECT count(*) FROM entries").await, 6);
    }
}

#[tokio::test]
async fn sums_are_those_that_were_asked_for() {
    let bench = Bench::sqlite().await;
    let repo = bench.repository_of("pypi", "libs", RepoSettings::default()).await;
    let said = put(&bench.grant::<Write>(&repo).await, "1.0", "demo.whl", b"abc").await.expect("stored");
    let said = String::from_utf8(said.body).expect("text");
    for (word, sum) in [
        ("md5", "900150983cd24fb0d6963f7d28e17f72"),
        ("blake2b_256", "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"),
    ] {
        assert!(said.contains(word) && said.contains(sum), "{said}");
    }
    assert!(!said.contains("sha1") && !said.contains("sha512"), "{said}");
}

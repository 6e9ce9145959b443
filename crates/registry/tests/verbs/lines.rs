//! Files of snapshots that do not say of which build they are: each becomes one of the youngest or of the next.

use std::time::Duration;

use bytes::Bytes;
use formats::{Asked, Method, Operation, PackageAt, Site};
use model::{Code, RepoKey, VersionId};
use registry::{Call, Read, RepoSettings, Result, Write};

use crate::bench::{Bench, code, content, path};
use crate::both;

both! {
    files_join_the_build_that_lacks_them;
    nobody_joins_what_is_somebody_elses_or_over;
    what_lacks_a_file_gets_it_in_its_own_run_alone;
    everybody_finds_their_own_among_those_of_others;
    the_youngest_is_found_whatever_else_there_is;
    of_many_at_once_each_is_kept;
    they_are_gathered_where_builds_appear_at_once;
}

const LINE: &str = "com/example/demo/1.1-SNAPSHOT";
const POM: &[u8] =
    b"<project><groupId>com.example</groupId><artifactId>demo</artifactId><version>1.1-SNAPSHOT</version></project>";
const SITE: Site<'static> = Site { base: "https://host/repository/libs", auth_required: true, subject: None };

async fn send(call: &Call, repo: &RepoKey, to: &str, bytes: Bytes) -> Result<()> {
    let format = formats::by_key("maven").expect("a format");
    let Ok(Operation::Receive(intake)) = format.parse(&Asked::plain(Method::Put, to)) else { unreachable!("{to}") };
    let mut receiving = call.authorize::<Write>(repo).await?.take_in(intake);
    receiving.write(bytes).await?;
    receiving.end().await?.perform().await.map(drop)
}

/// Puts a file of the line, named by what follows `demo-1.1-SNAPSHOT`.
async fn put(call: &Call, repo: &RepoKey, tail: &str, bytes: &'static [u8]) -> Result<()> {
    send(call, repo, &format!("{LINE}/demo-1.1-SNAPSHOT{tail}"), Bytes::from_static(bytes)).await
}

/// The builds that the index of the line names, each file as `build.extension`, without what they have in common.
async fn shown(call: &Call, repo: &RepoKey) -> Vec<String> {
    let at = PackageAt { namespace: "com.example".to_owned(), name: "demo".to_owned() };
    let grant = call.authorize::<Read>(repo).await.expect("a reader");
    let index = match grant.part(&at, "1.1-SNAPSHOT", 1, &SITE).await {
        Ok(index) => String::from_utf8_lossy(index.body()).into_owned(),
        Err(refused) => {
            assert_eq!(refused.code(), Some(Code::NotFound), "{refused:?}");
            return Vec::new();
        }
    };
    let after = |text: &str, tag: &str| {
        let (_, rest) = text.split_once(&format!("<{tag}>")).expect("an element");
        rest.split('<').next().expect("its text").to_owned()
    };
    let files = index.split("<snapshotVersion>").skip(1);
    files.map(|file| format!("{}.{}", after(file, "value"), after(file, "extension"))).collect()
}

async fn files_join_the_build_that_lacks_them(bench: &Bench) {
    let repo = bench.repository_of("maven", "libs", RepoSettings::default()).await;
    let dora = bench.somebody("dora", &["repo:libs:write"]).await;
    put(&dora, &repo, ".pom", POM).await.expect("a build begins");
    put(&dora, &repo, ".jar", b"one").await.expect("it goes on");
    let events = bench.count("SELECT count(*) FROM events").await;
    put(&dora, &repo, ".jar", b"one").await.expect("the last once more, after an answer that was lost");
    assert_eq!(bench.count("SELECT count(*) FROM events").await, events, "nothing happened");
    put(&dora, &repo, ".jar.md5", b"f97c5d29941bfb1b2fdab0874906ab82").await.expect("its checksum");
    bench.clock.advance(Duration::from_secs(5));
    put(&dora, &repo, "-sources.jar", b"src").await.expect("it goes on");
    let first = ["1.1-20231114.221320-1.jar", "1.1-20231114.221320-1.pom", "1.1-20231114.221320-1.jar"];
    assert_eq!(shown(&dora, &repo).await, first);

    // What is there begins the next, changed or not, and the others join that.
    put(&dora, &repo, ".pom", POM).await.expect("the next begins");
    put(&dora, &repo, ".jar", b"two").await.expect("it goes on");
    let second = ["1.1-20231114.221325-2.jar", "1.1-20231114.221325-2.pom", "1.1-20231114.221320-1.jar"];
    assert_eq!(shown(&dora, &repo).await, second);
    // The checksum of a file of the one before is as good, that of none is not.
    put(&dora, &repo, ".jar.md5", b"f97c5d29941bfb1b2fdab0874906ab82").await.expect("of the first");
    put(&dora, &repo, ".jar.md5", b"b8a9f715dbb64fd5c56e7783c6820a61").await.expect("of the second");
    let wrong = put(&dora, &repo, ".jar.md5", b"00000000000000000000000000000000").await;
    assert_eq!(code(wrong), Code::Unprocessable);
    assert_eq!(code(put(&dora, &repo, ".war.md5", b"00000000000000000000000000000000").await), Code::Conflict);

    // One that says of which build it is counts as all others do.
    let named = format!("{LINE}/demo-1.1-20240101.000000-7.jar");
    send(&dora, &repo, &named, Bytes::from_static(b"seven")).await.expect("named");
    put(&dora, &repo, ".jar", b"eight").await.expect("after it, although the clock says otherwise");
    let shown = shown(&dora, &repo).await;
    assert_eq!(shown.first().map(String::as_str), Some("1.1-20240101.000000-8.jar"), "{shown:?}");
    // A POM says of which line it is, and names of builds are longer.
    let other = b"<project><groupId>com.example</groupId><artifactId>demo</artifactId><version>1.2</version></project>";
    assert_eq!(code(put(&dora, &repo, ".pom", other).await), Code::Unprocessable);
    let long = format!("{LINE}/demo-1.1-SNAPSHOT.{}", "x".repeat(236));
    assert_eq!(code(send(&dora, &repo, &long, Bytes::from_static(b"x")).await), Code::BadRequest);
    assert_eq!(bench.count("SELECT count(*) FROM versions").await, 4);
}

async fn nobody_joins_what_is_somebody_elses_or_over(bench: &Bench) {
    let repo = bench.repository_of("maven", "libs", RepoSettings::default()).await;
    let dora = bench.somebody("dora", &["repo:libs:write", "repo:libs:promote"]).await;
    let rita = bench.somebody("rita", &["repo:libs:write"]).await;
    let stranger = bench.somebody("stranger", &["repo:libs:read"]).await;
    assert_eq!(code(put(&stranger, &repo, ".jar", b"no").await), Code::Forbidden);
    put(&dora, &repo, ".jar", b"dora's").await.expect("a build");
    put(&rita, &repo, ".jar", b"rita's").await.expect("another");
    put(&rita, &repo, ".pom", POM).await.expect("hers goes on");
    put(&dora, &repo, ".pom", POM).await.expect("and so does this");
    put(&dora, &repo, "-sources.jar", b"src").await.expect("to hers, not to the youngest");
    let both = ["1.1-20231114.221320-2.jar", "1.1-20231114.221320-2.pom", "1.1-20231114.221320-1.jar"];
    assert_eq!(shown(&dora, &repo).await, both);
    assert_eq!(bench.count("SELECT count(*) FROM versions").await, 2);
    // After a while it is a run of its own.
    bench.clock.advance(Duration::from_secs(121));
    put(&dora, &repo, "-javadoc.jar", b"doc").await.expect("the next");
    assert_eq!(bench.count("SELECT count(*) FROM versions").await, 3);
    // What was withdrawn is never used again.
    withdraw(&dora, &repo, "1.1-20231114.221521-3", "-javadoc.jar").await;
    put(&dora, &repo, ".jar", b"next").await.expect("the next");
    let shown = shown(&dora, &repo).await;
    assert_eq!(shown.first().map(String::as_str), Some("1.1-20231114.221521-4.jar"), "{shown:?}");
    // What is sealed or yanked takes nothing more.
    let youngest = id_of(bench, "1.1-20231114.221521-4").await;
    dora.authorize::<Write>(&repo).await.expect("a writer").seal_version(youngest).await.expect("sealed");
    put(&dora, &repo, "-sources.jar", b"src").await.expect("the next");
    assert_eq!(bench.count("SELECT count(*) FROM versions").await, 5);
    let youngest = id_of(bench, "1.1-20231114.221521-5").await;
    dora.authorize::<Write>(&repo).await.expect("a writer").yank(youngest, None).await.expect("yanked");
    put(&dora, &repo, ".jar", b"after").await.expect("the next");
    assert_eq!(bench.count("SELECT count(*) FROM versions").await, 6);
}

async fn id_of(bench: &Bench, version: &str) -> VersionId {
    let look = async |session: &mut store::Session<'_>| {
        let sql = "SELECT id FROM versions WHERE version = $1";
        session.row(sql, store::args![*version]).await?.expect("a version").get::<VersionId>(0)
    };
    bench.registry.store().read(look).await.expect("an id")
}

/// Withdraws the version that has a file with this tail.
async fn withdraw(call: &Call, repo: &RepoKey, build: &str, tail: &str) {
    let address = format!("{LINE}/demo-{build}{tail}");
    let format = formats::by_key("maven").expect("a format");
    let Ok(Operation::Change(changes, _)) = format.parse(&Asked::plain(Method::Delete, &address)) else {
        unreachable!("{address}")
    };
    call.authorize::<Read>(repo).await.expect("a reader").change(changes).await.expect("withdrawn");
}

async fn what_lacks_a_file_gets_it_in_its_own_run_alone(bench: &Bench) {
    let repo = bench.repository_of("maven", "libs", RepoSettings::default()).await;
    let dora = bench.somebody("dora", &["repo:libs:write", "repo:libs:promote"]).await;
    // A run that broke off, or was of another tool: only it lacks its POM.
    put(&dora, &repo, ".jar", b"alone").await.expect("a build");
    bench.clock.advance(Duration::from_secs(121));
    for run in ["one", "two"] {
        put(&dora, &repo, ".pom", POM).await.expect("the next");
        put(&dora, &repo, ".jar", run.as_bytes()).await.expect("it goes on");
        bench.clock.advance(Duration::from_secs(121));
    }
    let third = ["1.1-20231114.221722-3.jar", "1.1-20231114.221722-3.pom"];
    assert_eq!(shown(&dora, &repo).await, third);
    // The same bytes as the last, long after it: a run whose order is another.
    put(&dora, &repo, ".jar", b"two").await.expect("the next");
    put(&dora, &repo, ".pom", POM).await.expect("it goes on");
    let fourth = ["1.1-20231114.221923-4.jar", "1.1-20231114.221923-4.pom"];
    assert_eq!(shown(&dora, &repo).await, fourth);
    // A file that takes long to come is of the run in which it began to.
    let (format, address) = (formats::by_key("maven").expect("a format"), format!("{LINE}/demo-1.1-SNAPSHOT.war"));
    let Ok(Operation::Receive(intake)) = format.parse(&Asked::plain(Method::Put, &address)) else { unreachable!() };
    let mut receiving = dora.authorize::<Write>(&repo).await.expect("a writer").take_in(intake);
    bench.clock.advance(Duration::from_secs(3600));
    receiving.write(Bytes::from_static(b"war")).await.expect("bytes");
    receiving.end().await.expect("a plan").perform().await.expect("taken");
    assert_eq!(bench.count("SELECT count(*) FROM versions").await, 4);
    // After that the run goes on.
    put(&dora, &repo, "-sources.jar", b"src").await.expect("it goes on");
    assert_eq!(bench.count("SELECT count(*) FROM versions").await, 4);
    // Where the last of all is withdrawn, the one before is not gone on with.
    withdraw(&dora, &repo, "1.1-20231114.221923-4", ".war").await;
    put(&dora, &repo, "-javadoc.jar", b"doc").await.expect("the next");
    assert_eq!(bench.count("SELECT count(*) FROM versions").await, 5);
}

async fn everybody_finds_their_own_among_those_of_others(bench: &Bench) {
    let repo = bench.repository_of("maven", "libs", RepoSettings::default()).await;
    let dora = bench.somebody("dora", &["repo:libs:write"]).await;
    let rita = bench.somebody("rita", &["repo:libs:write"]).await;
    put(&dora, &repo, ".jar", b"one").await.expect("hers");
    for number in 0..120_u64 {
        send(&rita, &repo, &format!("{LINE}/demo-1.1-SNAPSHOT.jar"), content(number, 20)).await.expect("another");
    }
    for number in 3000..3110 {
        let to = format!("com/example/demo/1.1-{number}/demo-1.1-{number}.txt");
        send(&rita, &repo, &to, Bytes::from_static(b"x")).await.expect("a release");
    }
    put(&dora, &repo, ".jar.md5", b"f97c5d29941bfb1b2fdab0874906ab82").await.expect("the checksum of hers");
    put(&dora, &repo, ".pom", POM).await.expect("it joins hers");
    assert_eq!(bench.count("SELECT count(*) FROM versions").await, 231);
    let (jar, pom) = ("1.1-20231114.221320-121.jar", "1.1-20231114.221320-1.pom");
    assert_eq!(shown(&dora, &repo).await, [jar, pom]);
}

async fn the_youngest_is_found_whatever_else_there_is(bench: &Bench) {
    let repo = bench.repository_of("maven", "libs", RepoSettings::default()).await;
    let dora = bench.somebody("dora", &["repo:libs:write"]).await;
    let releases = async |from: u32| {
        for number in from..from + 60 {
            let to = format!("com/example/demo/1.1-{number}/demo-1.1-{number}.txt");
            send(&dora, &repo, &to, Bytes::from_static(b"x")).await.expect("a release");
        }
    };
    releases(3000).await;
    put(&dora, &repo, ".jar", b"one").await.expect("a build");
    releases(4000).await;
    put(&dora, &repo, ".pom", POM).await.expect("it goes on");
    assert_eq!(shown(&dora, &repo).await, ["1.1-20231114.221320-1.jar", "1.1-20231114.221320-1.pom"]);
    // A build of a time to come, after which all have that time: the greatest number is not the greatest name.
    let named = format!("{LINE}/demo-1.1-20991231.235959-950.jar");
    send(&dora, &repo, &named, Bytes::from_static(b"950")).await.expect("named");
    for number in 951..1060_u64 {
        let to = format!("{LINE}/demo-1.1-SNAPSHOT.jar");
        send(&dora, &repo, &to, content(number, 20)).await.expect("each is taken");
    }
    let shown = shown(&dora, &repo).await;
    assert_eq!(shown.first().map(String::as_str), Some("1.1-20991231.235959-1059.jar"), "{shown:?}");
    // After the last of all there is none.
    let named = format!("{LINE}/demo-1.1-99991231.235959-999999999.jar");
    send(&dora, &repo, &named, Bytes::from_static(b"last")).await.expect("named");
    assert_eq!(code(put(&dora, &repo, ".jar", b"after").await), Code::Conflict);
}

async fn of_many_at_once_each_is_kept(bench: &Bench) {
    let repo = bench.repository_of("maven", "libs", RepoSettings::default()).await;
    let dora = bench.somebody("dora", &["repo:libs:write"]).await;
    let mut tasks = Vec::new();
    for number in 0..32_u64 {
        let (call, repo) = (dora.clone(), repo.clone());
        let to = format!("{LINE}/demo-1.1-SNAPSHOT.jar");
        tasks.push(tokio::spawn(async move { send(&call, &repo, &to, content(number, 20)).await }));
    }
    for task in tasks {
        task.await.expect("no panic").expect("each is taken");
    }
    assert_eq!(bench.count("SELECT count(*) FROM versions WHERE state = 'published'").await, 32);
    assert_eq!(bench.count("SELECT count(DISTINCT digest) FROM entries").await, 32);
    assert_eq!(shown(&dora, &repo).await, ["1.1-20231114.221320-32.jar"]);
}

async fn they_are_gathered_where_builds_appear_at_once(bench: &Bench) {
    let settings = RepoSettings { atomic_deploy: true, ..RepoSettings::default() };
    let repo = bench.repository_of("maven", "libs", settings).await;
    let dora = bench.somebody("dora", &["repo:libs:write"]).await;
    let rita = bench.somebody("rita", &["repo:libs:write"]).await;
    put(&dora, &repo, ".jar", b"one").await.expect("gathered");
    put(&dora, &repo, ".jar.md5", b"f97c5d29941bfb1b2fdab0874906ab82").await.expect("its checksum");
    put(&dora, &repo, "-sources.jar", b"src").await.expect("gathered");
    assert!(shown(&dora, &repo).await.is_empty());
    let file = path(&format!("{LINE}/demo-1.1-20231114.221320-1.jar"));
    let reader = async |call: &Call| call.authorize::<Read>(&repo).await.expect("a reader");
    reader(&dora).await.find(&file).await.expect("whoever sends it reads it");
    assert_eq!(code(reader(&rita).await.find(&file).await), Code::NotFound);
    // Others begin one of their own.
    put(&rita, &repo, ".jar", b"hers").await.expect("gathered");
    send(&dora, &repo, "com/example/demo/maven-metadata.xml", Bytes::from_static(b"<metadata/>")).await.expect("whole");
    assert_eq!(shown(&rita, &repo).await, ["1.1-20231114.221320-1.jar", "1.1-20231114.221320-1.jar"]);
    send(&rita, &repo, "com/example/demo/maven-metadata.xml", Bytes::from_static(b"<metadata/>")).await.expect("whole");
    assert_eq!(shown(&rita, &repo).await, ["1.1-20231114.221320-2.jar", "1.1-20231114.221320-1.jar"]);
}

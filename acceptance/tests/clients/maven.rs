//! Maven: deploy a build of several modules, resolve it, deploy snapshots, withdraw. Its plugins come from the packages
//! of the system, those of newer ones from where `kit/install-tools` put them, so that no other repository is asked.

use std::path::{Path, PathBuf};

use acceptance::Result;
use acceptance::server::{Backing, Persona, binary};

use crate::desk::{Deed, Desk};

pub(crate) const DEPLOY: &str = "org.apache.maven.plugins:maven-deploy-plugin:2.7:deploy-file";
pub(crate) const GET: &str = "org.apache.maven.plugins:maven-dependency-plugin:2.8:get";
/// The guide whose command the test runs.
const GUIDE: &str = "docs/formats/maven.md";
/// Where the system's packages put Maven's own plugins.
pub(crate) const PLUGINS: &str = "/usr/share/maven-repo";

/// One of the Mavens, and what it is asked to do.
struct Program {
    path: PathBuf,
    /// A repository of its plugins.
    plugins: PathBuf,
    deploy: String,
    get: String,
    list: String,
    /// What it says of an artifact that nobody has.
    missing: &'static str,
    /// What it says of a release that was withdrawn.
    withdrawn: &'static str,
}

impl Program {
    fn of_the_system() -> Program {
        let list = "org.apache.maven.plugins:maven-dependency-plugin:2.8:list".to_owned();
        let missing = "Could not find artifact com.example:nothing";
        let withdrawn = "Could not find artifact com.example:core:jar:2.0 in ours";
        let (path, plugins, deploy, get) = ("mvn".into(), PLUGINS.into(), DEPLOY.into(), GET.into());
        Program { path, plugins, deploy, get, list, missing, withdrawn }
    }

    /// From 3.9.11 on, another transport reads what a server says of its errors. Of what is missing, Maven 4 says now that it
    /// was not found, now that it had been asked for before: it looks twice.
    fn newer(version: &str) -> Program {
        let home = Path::new("/opt/clients/maven").join(version);
        let plugin = |rest: &str| format!("org.apache.maven.plugins:maven-{rest}");
        Program {
            path: home.join("bin/mvn"),
            plugins: home.join("plugins"),
            deploy: plugin("deploy-plugin:3.1.4:deploy-file"),
            get: plugin("dependency-plugin:3.8.1:get"),
            list: plugin("dependency-plugin:3.8.1:list"),
            missing: "com.example:nothing:jar:1.0 (absent)",
            withdrawn: "core-2.0.pom was withdrawn",
        }
    }

    fn run(&self, desk: &Desk, token: &str, local: &str) -> Result<Deed> {
        mvn_at(&self.path, desk, token, local)
    }
}

#[tokio::test]
async fn artifacts_on_sqlite_and_disk() -> Result<()> {
    follow(Backing::Embedded, false, &Program::of_the_system()).await
}

#[tokio::test]
async fn deployments_that_appear_at_once() -> Result<()> {
    follow(Backing::Embedded, true, &Program::of_the_system()).await
}

#[tokio::test]
async fn artifacts_on_postgresql_and_s3() -> Result<()> {
    follow(Backing::Scaled, false, &Program::of_the_system()).await
}

#[tokio::test]
async fn artifacts_of_maven_3_9() -> Result<()> {
    follow(Backing::Embedded, false, &Program::newer("3.9.16")).await
}

#[tokio::test]
async fn artifacts_of_maven_4() -> Result<()> {
    follow(Backing::Embedded, false, &Program::newer("4.0.0-rc-6")).await
}

async fn follow(backing: Backing, atomic: bool, program: &Program) -> Result<()> {
    let mut desk = Desk::open(backing, "maven").await?;
    if atomic {
        at_once(&desk)?;
    }
    let token = desk.admin.token().to_owned();
    let reader = desk.token("rita", &["repo:maven:read"]).await?;
    settings_with(&desk, &program.plugins)?;
    let (admin, reader, stranger) = (token.as_str(), reader.as_str(), "not-a-token");
    build(&desk)?;
    let deploy =
        || -> Result<Deed> { Ok(program.run(&desk, admin, "build")?.args(["deploy"]).at(desk.home.join("build"))) };
    if atomic {
        watched(&desk, deploy()?, reader).await?
    } else {
        deploy()?.works().map(drop)?
    }
    // The same bytes once more: as after an answer that was lost.
    deploy()?.works()?;

    let file = |name: &str| desk.home.join(name).display().to_string();
    desk.write("other.jar", "other bytes")?;
    let put = |who: &str, version: &str, name: &str| -> Result<Deed> {
        let named =
            [format!("-Durl={}/", desk.url()?), format!("-Dversion={version}"), format!("-Dfile={}", file(name))];
        let deed = program.run(&desk, who, "build")?.args([program.deploy.as_str(), "-DrepositoryId=ours"]);
        let deed = deed.args(["-DgroupId=com.example"]);
        Ok(deed.args(["-DartifactId=core", "-Dpackaging=jar"]).args(named.iter().map(String::as_str)))
    };
    put(admin, "1.0", "other.jar")?.fails_saying(&["409", "core-1.0.jar already exists"])?;
    put(stranger, "3.0", "other.jar")?.fails_saying(&["401", "the token is unknown"])?;
    put(reader, "3.0", "other.jar")?.fails_saying(&["403", "role write"])?;

    let get = |who: &str, local: &str, what: &str| -> Result<Deed> {
        let asked = [format!("-Dartifact=com.example:{what}"), format!("-DremoteRepositories=ours::::{}", desk.url()?)];
        Ok(program.run(&desk, who, local)?.args([program.get.as_str()]).args(asked.iter().map(String::as_str)))
    };
    get(reader, "clean", "app:1.0")?.works()?;
    let core = desk.home.join("clean/com/example/core/1.0/core-1.0.jar");
    assert!(core.exists(), "the dependency of the dependency is there");
    get(reader, "clean", "nothing:1.0")?.fails_saying(&[program.missing])?;
    get(stranger, "stranger", "app:1.0")?.fails_saying(&["401", "the token is unknown"])?;
    if backing == Backing::Embedded {
        changing(&desk, program, reader, &put, &get).await?;
    }

    // With nobody to ask.
    let again = get(reader, "clean", "app:1.0")?.args(["-o"]);
    desk.server.stop()?;
    again.works().map(drop)
}

/// Makes deployments appear at once, as the guide shows.
fn at_once(desk: &Desk) -> Result<()> {
    let shown = desk.shown(GUIDE, "sh", 0, "")?.replace(" libs ", " maven ");
    let words: Vec<_> = shown.split_whitespace().skip(1).collect();
    let deed = desk.command(binary()?)?.env("ARTIFORTRESS_SERVER", format!("http://{}", desk.server.address()?));
    deed.env("ARTIFORTRESS_TOKEN", desk.admin.token()).args(words).works().map(drop)
}

type Act<'a> = dyn Fn(&str, &str, &str) -> Result<Deed> + 'a;

/// Snapshots, of which the youngest is taken; and releases that are withdrawn.
async fn changing(desk: &Desk, program: &Program, reader: &str, put: &Act<'_>, get: &Act<'_>) -> Result<()> {
    let admin = desk.admin.token();
    for (number, content) in [("1", "first"), ("2", "second")] {
        desk.write("snapshot.jar", content)?;
        put(admin, "1.1-SNAPSHOT", "snapshot.jar")?.works()?;
        get(reader, "clean", "core:1.1-SNAPSHOT")?.args(["-U"]).works()?;
        let resolved =
            std::fs::read_to_string(desk.home.join("clean/com/example/core/1.1-SNAPSHOT/core-1.1-SNAPSHOT.jar"))?;
        assert_eq!(resolved, content);
        let index = desk.admin.get("/repository/maven/com/example/core/1.1-SNAPSHOT/maven-metadata.xml").send().await?;
        assert!(index.expect(&[200])?.text().contains(&format!("<buildNumber>{number}<")));
    }

    // A range takes the greatest release that is left.
    put(admin, "2.0", "other.jar")?.works()?;
    range(desk)?;
    let resolve = || -> Result<String> {
        let deed = program.run(desk, reader, "clean")?.args(["-U", program.list.as_str()]);
        deed.at(desk.home.join("range")).works()
    };
    let listed = resolve()?;
    assert!(listed.contains("com.example:core:jar:2.0"), "{listed}");
    desk.admin.delete("/repository/maven/com/example/core/2.0/").send().await?.expect(&[204])?;
    let listed = resolve()?;
    assert!(listed.contains("com.example:core:jar:1.0"), "{listed}");
    get(reader, "stranger", "core:2.0")?.fails_saying(&[program.withdrawn])?;
    put(admin, "2.0", "other.jar")?.fails_saying(&["409", "was tombstoned: its name is never used again"]).map(drop)
}

/// Deploys while a reader looks again and again: of a module they see nothing, and then all.
async fn watched(desk: &Desk, deed: Deed, token: &str) -> Result<()> {
    let reader = Persona::new("rita", token.to_owned(), desk.server.http()?);
    let deploying = tokio::task::spawn_blocking(move || deed.works());
    while !deploying.is_finished() {
        for module in ["core", "app"] {
            let seen = seen(&reader, module).await?;
            assert!(seen.windows(2).all(|pair| pair != [true, false]), "{module} is there in parts: {seen:?}");
        }
    }
    deploying.await??;
    assert_eq!((seen(&reader, "core").await?, seen(&reader, "app").await?), ([true; 4], [true; 4]));
    Ok(())
}

/// Whether a reader sees a module's files and its index, asked for one after the other.
async fn seen(reader: &Persona, module: &str) -> Result<[bool; 4]> {
    let paths = ["1.0/@-1.0.jar", "1.0/@-1.0.pom", "maven-metadata.xml", "1.0/@-1.0.jar"];
    let mut seen = [false; 4];
    for (seen, path) in seen.iter_mut().zip(paths) {
        let path = format!("/repository/maven/com/example/{module}/{}", path.replace('@', module));
        *seen = reader.get(&path).send().await?.expect(&[200, 404])?.status == 200;
    }
    Ok(seen)
}

/// The settings that our program prints, with a folder of plugins in place of all that is elsewhere, also of what
/// plugins name; the mirror that comes first is taken.
pub(crate) fn settings(desk: &Desk) -> Result<()> {
    settings_with(desk, Path::new(PLUGINS))
}

fn settings_with(desk: &Desk, plugins: &Path) -> Result<()> {
    let url = format!("file://{}", plugins.display());
    let mirror = format!("<mirror><id>plugins</id><mirrorOf>external:*</mirrorOf><url>{url}</url></mirror>");
    let printed = desk.config("maven", "settings.xml")?;
    let settings = if printed.contains("<mirrors>") {
        printed.replace("<mirrors>", &format!("<mirrors>{mirror}"))
    } else {
        printed.replace("<profiles>", &format!("<mirrors>{mirror}</mirrors>\n<profiles>"))
    };
    desk.write("settings.xml", settings).map(drop)
}

/// Maven with this token and a local repository of its own.
pub(crate) fn mvn(desk: &Desk, token: &str, local: &str) -> Result<Deed> {
    mvn_at(Path::new("mvn"), desk, token, local)
}

fn mvn_at(program: &Path, desk: &Desk, token: &str, local: &str) -> Result<Deed> {
    let (settings, local) = (desk.home.join("settings.xml"), desk.home.join(local).display().to_string());
    let deed = desk.command(program)?.env("MAVEN_OPTS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC");
    let options = [format!("-Dmaven.repo.local={local}"), settings.display().to_string()];
    let [local, settings] = &options;
    Ok(deed.env("ARTIFORTRESS_TOKEN", token).args(["-B", "-s", settings, local]))
}

/// A parent with two modules, one of which depends on the other.
pub(crate) fn build(desk: &Desk) -> Result<()> {
    // Of a repository that takes nothing the program prints no such part.
    let home = desk.shown(GUIDE, "xml", 1, "")?.replace("/libs/", &format!("/{}/", desk.place));
    let gav = |artifact: &str| {
        format!("<groupId>com.example</groupId><artifactId>{artifact}</artifactId><version>1.0</version>")
    };
    let head = "<modelVersion>4.0.0</modelVersion>";
    let parent = format!(
        "<project>{head}{}<packaging>pom</packaging><modules><module>core</module><module>app</module></modules>{home}</project>",
        gav("parent")
    );
    desk.write("build/pom.xml", parent)?;
    for (module, more) in [("core", String::new()), ("app", format!("<dependency>{}</dependency>", gav("core")))] {
        let pom = format!(
            "<project>{head}<parent>{}</parent><artifactId>{module}</artifactId><dependencies>{more}</dependencies></project>",
            gav("parent")
        );
        desk.write(&format!("build/{module}/pom.xml"), pom)?;
        desk.write(&format!("build/{module}/src/main/resources/{module}.txt"), module)?;
    }
    Ok(())
}

/// A project that takes any release of `core`.
fn range(desk: &Desk) -> Result<()> {
    let pom = "<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>y</artifactId><version>1</version>\
               <packaging>pom</packaging><dependencies><dependency><groupId>com.example</groupId>\
               <artifactId>core</artifactId><version>[1.0],[2.0,3.0)</version></dependency></dependencies></project>";
    desk.write("range/pom.xml", pom).map(drop)
}

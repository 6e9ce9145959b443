//! Maven through a remote repository.

use acceptance::server::Backing;
use acceptance::shelf::hex;
use acceptance::{Result, Trouble};
use sha1::{Digest as _, Sha1};

use super::goods::Offer;
use super::mirror::Mirror;
use super::{Chooser, Client, REFUSED, Says, through_a_mirror, through_another};
use crate::desk::{Deed, Desk};
use crate::maven::{DEPLOY, GET, build, mvn, settings};

pub(super) struct Maven;

#[tokio::test]
async fn maven_of_another_artifortress() -> Result<()> {
    through_another(&Maven, Backing::Embedded).await
}

#[tokio::test]
async fn maven_of_another_artifortress_on_postgresql_and_s3() -> Result<()> {
    through_another(&Maven, Backing::Scaled).await
}

#[tokio::test]
async fn maven_of_a_static_mirror() -> Result<()> {
    through_a_mirror(&Maven).await
}

impl Client for Maven {
    fn format(&self) -> &'static str {
        "maven"
    }

    fn publish(&self, desk: &Desk, token: &str) -> Result<Vec<Deed>> {
        settings(desk)?;
        build(desk)?;
        Ok(vec![mvn(desk, token, "build")?.args(["deploy"]).at(desk.home.join("build"))])
    }

    /// What Maven itself writes to a folder: artifacts, metadata and their checksums.
    fn lay_out(&self, desk: &Desk, mirror: &Mirror) -> Result<()> {
        settings(desk)?;
        build(desk)?;
        let there = format!("-DaltDeploymentRepository=static::default::file://{}", mirror.folder.display());
        let deed = mvn(desk, "", "build")?.args(["deploy", &there]);
        deed.at(desk.home.join("build")).works().map(drop)
    }

    fn install(&self, desk: &Desk, home: &str, token: &str, package: &str) -> Result<Deed> {
        settings(desk)?;
        let asked =
            [format!("-Dartifact=com.example:{package}"), format!("-DremoteRepositories=ours::::{}", desk.url()?)];
        Ok(mvn(desk, token, home)?.args([GET]).args(asked.iter().map(String::as_str)))
    }

    fn check(&self, desk: &Desk, home: &str) -> Result<()> {
        let lost = |name: &&&str| !desk.home.join(home).join("com/example").join(name).is_file();
        let files = ["app/1.0/app-1.0.jar", "core/1.0/core-1.0.jar", "parent/1.0/parent-1.0.pom"];
        files.iter().find(lost).map_or(Ok(()), |name| Err(Trouble::new(format!("{name} is not there"))))
    }

    fn says(&self) -> Says {
        Says {
            // A range: the index is asked too.
            package: "app:[1.0,2.0)",
            missing: "nothing:1.0",
            unasked: "unknown:1.0",
            wrong: &["401", "the token is unknown"],
            not_found: &["Could not find artifact com.example:nothing"],
            away: &["503", "the upstream cannot be read"],
            refused: &["403", REFUSED],
        }
    }
}

impl Chooser for Maven {
    fn release(&self, desk: &Desk, token: &str, name: &str, version: &str, needy: bool) -> Result<Deed> {
        settings(desk)?;
        let jar = desk.write(&format!("{name}.jar"), format!("{name} {version}"))?;
        let pom = desk.write(&format!("{name}.xml"), pom(name, version, needy))?;
        let there = [format!("-Durl={}/", desk.url()?), format!("-Dfile={}", jar.display())];
        let deed =
            mvn(desk, token, "home")?.args([DEPLOY, "-DrepositoryId=ours", &format!("-DpomFile={}", pom.display())]);
        Ok(deed.args(there.iter().map(String::as_str)))
    }

    /// The time of a file is that of the server which has it.
    fn offer(&self, desk: &Desk, mirror: &Mirror, name: &str, offers: &[Offer]) -> Result<()> {
        let (tree, mut versions) = (format!("com/example/{name}"), String::new());
        for offer in offers {
            let version = offer.version;
            let modified = desk.moment(offer.when, "%a, %d %b %Y %H:%M:%S GMT")?;
            for (ending, text) in [("pom", pom(name, version, false)), ("jar", format!("{name} {version}"))] {
                let file = format!("{tree}/{version}/{name}-{version}.{ending}");
                mirror.head(&file, &format!("Last-Modified: {modified}"))?;
                mirror.write(&format!("{file}.sha1"), hex(&Sha1::digest(&text)))?;
                mirror.write(&file, text)?;
            }
            versions += &format!("<version>{version}</version>");
        }
        let last = offers.last().map_or("", |offer| offer.version);
        let said = format!("<latest>{last}</latest><release>{last}</release><versions>{versions}</versions>");
        let metadata = format!(
            "<metadata><groupId>com.example</groupId><artifactId>{name}</artifactId><versioning>{said}</versioning></metadata>"
        );
        mirror.write(&format!("{tree}/maven-metadata.xml"), metadata)
    }

    fn any(&self, name: &str) -> String {
        format!("{name}:[1,)")
    }

    fn exactly(&self, name: &str, version: &str) -> String {
        format!("{name}:{version}")
    }

    fn installed(&self, desk: &Desk, home: &str, name: &str) -> Result<String> {
        let folder = desk.home.join(home).join("com/example").join(name);
        let versions =
            std::fs::read_dir(&folder)?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let there = |version: &String| folder.join(version).join(format!("{name}-{version}.jar")).is_file();
        let found: Vec<String> = versions.filter(there).collect();
        Ok(found.join(" and "))
    }
}

/// A description of a jar in our group.
fn pom(name: &str, version: &str, needy: bool) -> String {
    let gav = |name: &str, version: &str| {
        format!("<groupId>com.example</groupId><artifactId>{name}</artifactId><version>{version}</version>")
    };
    let needs = if needy { format!("<dependency>{}</dependency>", gav("app", "1.0")) } else { String::new() };
    format!(
        "<project><modelVersion>4.0.0</modelVersion>{}<dependencies>{needs}</dependencies></project>",
        gav(name, version)
    )
}

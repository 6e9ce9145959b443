//! Maven through a remote repository.

use acceptance::server::Backing;
use acceptance::{Result, Trouble};

use super::mirror::Mirror;
use super::{Client, REFUSED, Says, through_a_mirror, through_another};
use crate::desk::{Deed, Desk};
use crate::maven::{GET, build, mvn, settings};

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

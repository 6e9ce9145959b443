//! What Maven and Gradle are told. Both read the token from the environment.

use crate::{Place, Setup};

pub(super) fn all(place: &Place<'_>) -> Vec<Setup> {
    let url = place.url();
    let mut setups = vec![Setup::new(&["maven"], "~/.m2/settings.xml", settings(&url))];
    if place.takes {
        setups.push(Setup::new(&["maven"], "pom.xml", distribution(&url)));
    }
    setups.push(Setup::new(&["gradle"], "build.gradle.kts", gradle(place)));
    setups
}

fn settings(url: &str) -> String {
    format!(
        r#"<settings>
  <servers>
    <server><id>ours</id><username>token</username><password>${{env.ARTIFORTRESS_TOKEN}}</password></server>
  </servers>
  <profiles>
    <profile>
      <id>ours</id>
      <repositories>
        <repository>
          <id>ours</id><url>{url}/</url>
          <snapshots><updatePolicy>always</updatePolicy></snapshots>
        </repository>
      </repositories>
      <pluginRepositories>
        <pluginRepository><id>ours</id><url>{url}/</url></pluginRepository>
      </pluginRepositories>
    </profile>
  </profiles>
  <activeProfiles><activeProfile>ours</activeProfile></activeProfiles>
</settings>"#
    )
}

fn distribution(url: &str) -> String {
    format!(
        r#"<distributionManagement>
  <repository><id>ours</id><url>{url}/</url></repository>
  <snapshotRepository><id>ours</id><url>{url}/</url></snapshotRepository>
</distributionManagement>"#
    )
}

/// What publishes, behind what reads.
const PUBLISHING: &str = "

publishing {
    repositories {
        maven { ours() }
    }
}";

fn gradle(place: &Place<'_>) -> String {
    let plain = if place.is_encrypted() { "" } else { "\n    isAllowInsecureProtocol = true" };
    let publishing = if place.takes { PUBLISHING } else { "" };
    format!(
        r#"fun MavenArtifactRepository.ours() {{
    url = uri("{}/"){plain}
    credentials {{
        username = "token"
        password = providers.environmentVariable("ARTIFORTRESS_TOKEN").get()
    }}
}}

repositories {{
    maven {{ ours() }}
}}{publishing}"#,
        place.url()
    )
}

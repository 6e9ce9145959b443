//! What Maven and Gradle are told. Both read the token from the environment.

use crate::{Place, Setup};

pub(super) fn all(place: &Place<'_>) -> Vec<Setup> {
    let url = place.url();
    let mut setups = vec![Setup::new(&["maven"], "~/.m2/settings.xml", settings(place))];
    if place.takes {
        setups.push(Setup::new(&["maven"], "pom.xml", distribution(&url)));
    }
    setups.push(Setup::new(&["gradle"], "build.gradle.kts", gradle(place)));
    setups
}

fn settings(place: &Place<'_>) -> String {
    let url = place.url();
    let alone = if place.proxies { mirror(&url) } else { String::new() };
    format!(
        r#"<settings>
  <servers>
    <server><id>ours</id><username>token</username><password>${{env.ARTIFORTRESS_TOKEN}}</password></server>
  </servers>{alone}
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

/// What puts the repository in place of every other one: Maven asks a source of its own behind those that it is told of,
/// and takes from there whatever is refused here.
fn mirror(url: &str) -> String {
    format!(
        r#"
  <mirrors>
    <mirror><id>ours</id><mirrorOf>*</mirrorOf><url>{url}/</url></mirror>
  </mirrors>"#
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_others_packages_stands_in_for_every_repository() {
        let local = Place::local("https://host", "libs");
        assert!(!settings(&local).contains("mirror"));
        let told = settings(&Place { proxies: true, ..local });
        let mirror = "<mirror><id>ours</id><mirrorOf>*</mirrorOf><url>https://host/repository/libs/</url></mirror>";
        assert!(told.contains(mirror) && told.contains("<server><id>ours</id>"), "{told}");
        // The public source that is built in has no snapshots: the profile asks for them.
        assert_eq!(told.replace(&super::mirror(&local.url()), ""), settings(&local));
    }
}

//! Lists of artifacts: coordinates, or what the dependency plugin prints with its goal `list`.

use super::layout::{SNAPSHOT, check_version, is_id};
use crate::lockfile::{is_word, text};
use crate::{Locked, Lockfile, Unreadable};

/// What `dependency:list` says last of an artifact.
const SCOPES: [&str; 6] = ["compile", "provided", "runtime", "test", "system", "import"];
/// Types of artifacts that are not their extensions.
const JARS: [&str; 7] = ["jar", "test-jar", "maven-plugin", "bundle", "ejb", "ejb-client", "java-source"];

pub(super) fn read(name: &str, bytes: &[u8]) -> Option<Result<Lockfile, Unreadable>> {
    name.ends_with(".txt").then(|| text(bytes).and_then(whole))
}

fn whole(text: &str) -> Result<Lockfile, Unreadable> {
    let mut file = Lockfile::default();
    for (number, line) in text.lines().enumerate() {
        let bare = line.trim().strip_prefix("[INFO]").unwrap_or(line).trim();
        // What stands after a coordinate is about its module, or a comment.
        let Some(word) = bare.split_ascii_whitespace().next().filter(|word| !word.starts_with('#')) else { continue };
        let fields: Vec<&str> = word.split(':').collect();
        match Artifact::of(&fields) {
            Some(artifact) if artifact.version.ends_with(SNAPSHOT) => file.lack(word, "what is no release changes")?,
            Some(artifact) => artifact.add(&mut file)?,
            // The plugin says more than its list.
            None if line.trim().starts_with("[INFO]") || bare.ends_with("resolved:") => {}
            None => return Err(Unreadable(format!("line {} is no group:artifact:version", number + 1))),
        }
    }
    Ok(file.once())
}

struct Artifact<'t> {
    group: &'t str,
    artifact: &'t str,
    version: &'t str,
    kind: &'t str,
    classifier: &'t str,
}

impl<'t> Artifact<'t> {
    fn of(fields: &[&'t str]) -> Option<Self> {
        let listed = fields.last().is_some_and(|last| SCOPES.contains(last));
        let (group, artifact, version, kind, classifier) = match (listed, fields) {
            (true, [group, artifact, kind, version, _]) => (group, artifact, version, *kind, ""),
            (true, [group, artifact, kind, classifier, version, _]) => (group, artifact, version, *kind, *classifier),
            (false, [group, artifact, version]) => (group, artifact, version, "jar", ""),
            (false, [group, artifact, version, kind]) => (group, artifact, version, *kind, ""),
            (false, [group, artifact, version, kind, classifier]) => (group, artifact, version, *kind, *classifier),
            _ => return None,
        };
        let plain = group.split('.').all(is_id) && is_id(artifact) && check_version(version).is_ok();
        let words = is_word(kind)
            && !kind.contains('/')
            && (classifier.is_empty() || is_word(classifier))
            && !classifier.contains(['/', '\\']);
        (plain && words).then_some(Self { group, artifact, version, kind, classifier })
    }

    /// Its POM, and itself.
    fn add(&self, file: &mut Lockfile) -> Result<(), Unreadable> {
        let Self { group, artifact, version, kind, classifier } = self;
        let begin = format!("{}/{artifact}/{version}/{artifact}-{version}", group.replace('.', "/"));
        file.add(Locked::path(format!("{begin}.pom")))?;
        let extension = if JARS.contains(kind) { "jar" } else { kind };
        let classifier = match (*kind, *classifier) {
            ("test-jar", "") => "tests",
            ("java-source", "") => "sources",
            (_, classifier) => classifier,
        };
        match (extension, classifier) {
            ("pom", _) => Ok(()),
            (extension, "") => file.add(Locked::path(format!("{begin}.{extension}"))),
            (extension, classifier) => file.add(Locked::path(format!("{begin}-{classifier}.{extension}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Thing;

    fn paths(text: &str) -> Vec<String> {
        let file = read("list.txt", text.as_bytes()).expect("a list").expect("it is read");
        let path = |locked: &Locked| match &locked.thing {
            Thing::Path(path) => path.clone(),
            other => format!("{other:?}"),
        };
        file.wanted.iter().map(path).collect()
    }

    #[test]
    fn coordinates_are_files() {
        let text =
            "# ours\norg.acme:tool:1.0\norg.acme:bom:2.0:pom\n\norg.acme:native:1.0:so:linux\norg.acme:tool:1.0\n";
        assert_eq!(
            paths(text),
            [
                "org/acme/tool/1.0/tool-1.0.pom",
                "org/acme/tool/1.0/tool-1.0.jar",
                "org/acme/bom/2.0/bom-2.0.pom",
                "org/acme/native/1.0/native-1.0.pom",
                "org/acme/native/1.0/native-1.0-linux.so"
            ]
        );
    }

    #[test]
    fn what_the_dependency_plugin_prints() {
        let text = "[INFO] --- dependency:3.6.1:list (default-cli) @ app ---\n[INFO]\n[INFO] The following files have been resolved:\n\
                    [INFO]    org.acme:tool:jar:1.0:compile -- module org.acme.tool\n\
                    [INFO]    org.acme:tool:test-jar:tests:1.0:test\n[INFO]    org.acme:young:jar:1.0-SNAPSHOT:compile\n";
        assert_eq!(
            paths(text),
            [
                "org/acme/tool/1.0/tool-1.0.pom",
                "org/acme/tool/1.0/tool-1.0.jar",
                "org/acme/tool/1.0/tool-1.0-tests.jar"
            ]
        );
        let file = read("list.txt", text.as_bytes()).expect("a list").expect("it is read");
        assert_eq!(file.passed.len(), 1, "{:?}", file.passed);
        assert_eq!(file.passed[0].gap, crate::Gap::Package, "{:?}", file.passed);
    }

    #[test]
    fn what_is_none_is_refused() {
        for odd in ["org.acme", "a:b", "../x:b:1", "a:b:1:../x", "a:b:..", "a:b:1:jar:x/y"] {
            assert!(read("list.txt", odd.as_bytes()).is_some_and(|read| read.is_err()), "{odd}");
        }
        assert!(read("pom.xml", b"").is_none());
    }

    #[test]
    fn what_hides_something_is_no_coordinate() {
        for line in ["a:b:test-jar:1.0:te\u{1b}st", "a:b:1.0:jar:te\u{1b}st", "a:b:1.0:j\u{7}ar"] {
            let read = read("list.txt", line.as_bytes()).expect("a list");
            assert!(read.is_err(), "{line:?}: {read:?}");
        }
    }
}

//! The library in Java, `participants/java`: built and tested by Maven.

use std::process::Command;
use std::sync::OnceLock;

use super::broker::shared;
use super::tools::{folder, has_tools, run};

/// Builds it, and runs its own tests, on the broker too. False, said once, where it cannot be built.
pub(super) fn built() -> bool {
    static BUILT: OnceLock<bool> = OnceLock::new();
    *BUILT.get_or_init(|| {
        let Some(broker) = shared() else { return false };
        if !has_tools("the library in Java", &[("javac", "-version")]) {
            return false;
        }
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "-Pspring", "-f"]).arg(folder("participants/java/pom.xml")).arg("package");
        run(maven.env("SAGA_TEST_KAFKA", broker.address()));
        true
    })
}

#[test]
fn the_library_in_java_passes_its_own_tests() {
    built();
}

#[test]
fn the_readme_shows_a_participant_that_compiles() {
    if !built() {
        return;
    }
    let readme = std::fs::read_to_string(folder("participants/java/README.md")).unwrap();
    let (_, code) = readme.split_once("```java\n").unwrap();
    let (code, _) = code.split_once("```\n").unwrap();
    let desk = tempfile::tempdir().unwrap();
    let file = desk.path().join("Cards.java");
    std::fs::write(&file, code).unwrap();
    let mut javac = Command::new("javac");
    javac.args(["-Xlint:all,-try,-processing", "-Werror", "-cp"]).arg(folder("target/java/payments/lib/*"));
    run(javac.arg("-d").arg(desk.path()).arg(&file));
}

//! The build that cargo-mutants makes (`--cfg mutants`, CONTRIBUTING.md) leaves out all that no mutant of the engine is tried with.
//! What is left must not name it: nothing else builds it so, and nobody would notice.

use std::path::Path;

use super::tidy::{files, read};

/// The modules that a file leaves out of that build, or, of its own, the others.
fn modules(file: &str, is_left_out: bool) -> Vec<String> {
    let text = read(Path::new(file));
    let (mut found, mut condition) = (Vec::new(), false);
    for line in text.lines() {
        let name = line.strip_prefix("pub mod ").or(line.strip_prefix("mod ")).and_then(|rest| rest.strip_suffix(';'));
        if let Some(name) = name {
            found.extend((condition == is_left_out).then(|| name.to_owned()));
        }
        condition = line.contains("not(mutants)") || (line.starts_with("#[") && condition);
    }
    found
}

#[test]
fn what_is_built_for_mutants_names_nothing_that_is_left_out() {
    let left_out = modules("src/lib.rs", true);
    assert!(left_out.iter().any(|name| name == "http"), "{left_out:?}");
    let areas = modules("tests/all.rs", false);
    let built: Vec<_> = areas.iter().flat_map(|area| files(&format!("tests/{area}"), &[".rs"])).collect();
    assert!(built.len() > 10, "{built:?}");
    let mut broken = Vec::new();
    for file in &built {
        // Items end with a brace, or a semicolon, at the first column; what has the condition in it is left out itself.
        let text = read(file);
        for item in text.split("\n}\n").filter(|item| !item.contains("not(mutants)")) {
            let named = left_out.iter().filter(|name| item.contains(&format!("saga::{name}")));
            broken.extend(named.map(|name| format!("{} names saga::{name}", file.display())));
        }
    }
    assert!(
        broken.is_empty(),
        "`cargo mutants` does not compile; put `#[cfg(not(mutants))]` there:\n{}",
        broken.join("\n")
    );
}

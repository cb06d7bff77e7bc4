//! The extension for VS Code, as far as it can be tried without one: its files fit together, its grammar knows every
//! word of the language, and its client is JavaScript.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("editors/vscode")
}

fn json(name: &str) -> Value {
    let path = folder().join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All patterns of a grammar.
fn patterns(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(pattern) if ["match", "begin", "end"].contains(&key.as_str()) => {
                        found.push(pattern.clone());
                    }
                    other => patterns(other, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| patterns(item, found)),
        _ => {}
    }
}

#[test]
fn what_the_package_names_is_there() {
    let package = json("package.json");
    let language = &package["contributes"]["languages"][0];
    assert_eq!(language["extensions"], serde_json::json!([".saga"]));
    let grammar = &package["contributes"]["grammars"][0];
    assert_eq!(grammar["language"], language["id"]);
    for file in [&package["main"], &language["configuration"], &grammar["path"]] {
        assert!(folder().join(file.as_str().unwrap()).is_file(), "{file}");
    }
    json("language-configuration.json");
    assert_eq!(json("syntaxes/saga.tmLanguage.json")["scopeName"], grammar["scopeName"]);
    assert_eq!(package["version"], env!("CARGO_PKG_VERSION"), "the extension goes with the program");
    // What the extension registers is what the package promises.
    let client = fs::read_to_string(folder().join("extension.js")).unwrap();
    let command = package["contributes"]["commands"][0]["command"].as_str().unwrap();
    assert!(client.contains(&format!("registerCommand(\"{command}\"")));
    assert!(client.contains(&format!("\"{}\"", saga::lsp::GRAPH)));
}

/// Words in quotes in the grammar of the language that are words of the language: those of its `kw_` and plain
/// literals, without what it reads only to refuse it.
fn words() -> BTreeSet<String> {
    let grammar = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar/saga.pest")).unwrap();
    let reference = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar/reference.md")).unwrap();
    let mut words = BTreeSet::new();
    let mut name = "";
    for rule in grammar.lines().filter(|line| !line.trim_start().starts_with("//")) {
        if rule.starts_with(|letter: char| letter.is_ascii_lowercase()) {
            name = rule.split('=').next().unwrap_or_default().trim();
        }
        // `reserved` is written letter by letter.
        if name.starts_with("wrong") || name.starts_with("junk") || name == "reserved" {
            continue;
        }
        for (index, literal) in rule.split('"').enumerate() {
            if let Some(word) = literal.strip_suffix(' ').filter(|_| index % 2 == 1)
                && word.len() > 1
                && word.chars().all(|letter| letter.is_ascii_lowercase())
                && reference.contains(word)
            {
                words.insert(word.to_owned());
            }
        }
    }
    words
}

/// Words of other languages, which are read for a hint, and stand in the reference's prose.
const FOREIGN: [&str; 22] = [
    "while", "goto", "return", "import", "include", "service", "process", "workflow", "array", "set", "optional",
    "throw", "raise", "wait", "foreach", "switch", "with", "and", "or", "not", "is", "by",
];

#[test]
fn the_grammar_colours_every_word_of_the_language() {
    let mut found = Vec::new();
    patterns(&json("syntaxes/saga.tmLanguage.json"), &mut found);
    let coloured: BTreeSet<&str> =
        found.iter().flat_map(|pattern| pattern.split(|letter: char| !letter.is_ascii_lowercase())).collect();
    let words = words();
    for word in ["step", "compensate", "pivot", "parallel", "scenario", "catch", "queries"] {
        assert!(words.contains(word), "the grammar was not understood: no {word}");
    }
    let missing: Vec<&String> =
        words.iter().filter(|word| !coloured.contains(word.as_str()) && !FOREIGN.contains(&word.as_str())).collect();
    assert!(missing.is_empty(), "syntaxes/saga.tmLanguage.json has no pattern for {missing:?}");
}

#[test]
fn the_client_is_javascript() {
    let Ok(version) = Command::new("node").arg("--version").output() else {
        eprintln!("SKIPPED: no node here");
        return;
    };
    assert!(version.status.success());
    let checked = Command::new("node").arg("--check").arg(folder().join("extension.js")).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

//! Findings as SARIF: held to the official schema, and with the places that the text has.

use saga::diagnostic::codes;
use saga::diagnostic::sarif::log;
use serde_json::{Value, json};

use super::check;

fn schema() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(include_str!("../schemas/sarif-2.1.0.json")).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

#[track_caller]
pub(crate) fn valid(log: &Value) {
    let schema = schema();
    let errors: Vec<String> =
        schema.iter_errors(log).map(|error| format!("{} at {}", error, error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{log:#}");
}

/// A name that is given twice, behind letters of more bytes than one.
const TWICE: &str = "// äöü\ntype Ä = string\ntype Size = string type Size = int\n";

#[test]
fn a_finding_has_its_place_its_origin_and_its_page() {
    let checked = check(TWICE);
    let sources = &checked.sources;
    let log = log(&[(sources, checked.findings.clone())], &[], codes::page);
    valid(&log);
    let run = &log["runs"][0];
    let twice = run["results"].as_array().unwrap().iter().find(|result| result["ruleId"] == "SG0208").unwrap();
    assert_eq!(twice["level"], "error");
    let place = &twice["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "case.saga");
    assert_eq!(
        place["region"],
        json!({ "startLine": 3, "startColumn": 25, "endLine": 3, "endColumn": 29, "byteOffset": 51, "byteLength": 4 })
    );
    assert_eq!(twice["relatedLocations"][0]["physicalLocation"]["region"]["startColumn"], 6);
    let rule = &run["tool"]["driver"]["rules"][usize::try_from(twice["ruleIndex"].as_u64().unwrap()).unwrap()];
    assert_eq!(rule["id"], "SG0208");
    assert_eq!(rule["help"]["markdown"].as_str(), codes::page("SG0208"));
}

#[test]
fn every_kind_of_mistake_is_a_valid_log() {
    let texts = ["", "saga {", TWICE, "saga a { step b { } }", "participant p { command C {} returns { a: nope } }"];
    let checked: Vec<_> = texts.iter().map(|text| check(text)).collect();
    let files: Vec<_> = checked.iter().map(|checked| (&checked.sources, checked.findings.clone())).collect();
    assert!(files.iter().all(|(_, findings)| !findings.is_empty()));
    valid(&log(&files, &["failed to read x.saga: no such file".to_owned()], codes::page));
}

#[test]
fn names_of_files_are_made_uris() {
    for (name, uri) in [
        ("a b/ü#1.saga", "a%20b/%C3%BC%231.saga"),
        ("c:d.saga", "c%3Ad.saga"),
        ("/tmp/x.saga", "file:///tmp/x.saga"),
        ("standard input", "standard%20input"),
    ] {
        let checked = saga::check::check_text(name, "");
        let log = log(&[(&checked.sources, checked.findings.clone())], &[], codes::page);
        valid(&log);
        let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], uri, "{log:#}");
    }
}

#[test]
fn what_could_not_be_read_is_said_in_the_log_too() {
    let log = log(&[], &["failed to read x.saga: no such file".to_owned()], codes::page);
    valid(&log);
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert_eq!(invocation["toolExecutionNotifications"][0]["message"]["text"], "failed to read x.saga: no such file");
}

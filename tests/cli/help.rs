//! What the command line says of itself.

use super::Desk;

#[test]
fn the_commands() {
    insta::assert_snapshot!(Desk::new().saga(&["help"]));
}

#[test]
fn exit_codes() {
    insta::assert_snapshot!(Desk::new().saga(&["help", "exit-codes"]));
}

#[test]
fn the_language_is_the_reference() {
    let output = Desk::new().command(&["help", "language"]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), include_str!("../../grammar/reference.md"));
}

#[test]
fn a_near_miss_of_a_topic_and_of_a_command() {
    insta::assert_snapshot!(Desk::new().saga(&["help", "langauge"]));
    insta::assert_snapshot!(Desk::new().saga(&["chekc", "x.saga"]));
}

#[test]
fn options_for_programs_have_one_spelling() {
    let mut shown = String::new();
    for arguments in [
        &["graph", "x.saga", "--format", "json"][..],
        &["list", "-o", "json"],
        &["run", "x.saga", "--json"],
        &["graph", "x.saga", "--json"],
        &["fmt", "x.saga", "--json"],
    ] {
        shown.push_str(&Desk::new().saga(arguments));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn a_page_and_a_near_miss_of_a_code() {
    insta::assert_snapshot!(Desk::new().saga(&["explain", "sg0001"]));
    insta::assert_snapshot!(Desk::new().saga(&["explain", "SG1010"]));
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = Desk::new().command(&["completions", shell]).output().unwrap();
        assert!(output.status.success(), "{shell}");
        assert!(String::from_utf8(output.stdout).unwrap().contains("resolve"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Desk::new().command(&["help", "language"]).stdout(writer).output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(141));
}

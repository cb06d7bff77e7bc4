//! Sources that nobody should give, and some will.

use super::Desk;
use std::fs::File;

#[test]
fn a_file_that_is_not_there() {
    insta::assert_snapshot!(Desk::new().saga(&["check", "bokking.saga"]));
}

#[test]
fn a_file_that_is_not_there_hides_nothing_of_the_others() {
    let desk = Desk::with("empty.saga", "");
    insta::assert_snapshot!(desk.saga(&["check", "not_there.saga", "empty.saga", "nor_there.saga"]));
}

#[test]
fn a_directory() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path().join("workflows")).unwrap();
    insta::assert_snapshot!(desk.saga(&["check", "workflows"]));
}

#[test]
fn an_empty_file() {
    insta::assert_snapshot!(Desk::with("empty.saga", "").saga(&["check", "empty.saga"]));
}

#[test]
fn a_binary_file() {
    let desk = Desk::with("binary.saga", [0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0xff, 0xfe]);
    insta::assert_snapshot!(desk.saga(&["check", "binary.saga"]));
}

#[test]
fn a_file_of_100_mb_is_refused_at_once() {
    let desk = Desk::new();
    // Sparse: it takes no room.
    File::create(desk.path().join("large.saga")).unwrap().set_len(100 << 20).unwrap();
    insta::assert_snapshot!(desk.saga(&["check", "large.saga"]));
}

#[test]
fn ten_thousand_levels_of_anything() {
    for (open, close) in
        [("parallel { ", "} "), ("(", ")"), ("[", "]"), ("{ a: ", "}"), ("!", ""), ("when true { ", "} ")]
    {
        let deep = format!("{}true{}", open.repeat(10_000), close.repeat(10_000));
        let body = if open.contains("parallel") || open.contains("when") {
            format!("saga deep {{ version 1 {deep} }}")
        } else {
            format!("saga deep {{ version 1 let x = {deep} }}")
        };
        let desk = Desk::with("deep.saga", body);
        let output = desk.command(&["check", "deep.saga"]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{open}: {said}");
        assert!(said.len() < 100_000, "{open}: {} bytes of findings", said.len());
    }
}

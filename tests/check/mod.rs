//! From a text to its program and everything that is said about it.

use saga::check::{Checked, check_files};
use saga::diagnostic::render::{Color, text};
use saga::source::{SourceFile, Sources};

/// A mistake, and a snapshot of it with what is said about it.
macro_rules! mistake {
    ($name:ident, $source:expr) => {
        #[test]
        fn $name() {
            let source: &str = $source;
            insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
                insta::assert_snapshot!(format!("{source}\n\n{:─<100}\n\n{}", "", crate::check::findings(source)));
            });
        }
    };
}

mod anything;
mod hash;
mod mistakes;
mod outcomes;
mod pages;
mod runs;
mod sarif;
mod structure;
mod types;
mod workflows;

/// Checks a text as the only file.
fn check(source: &str) -> (Sources, Checked) {
    check_as("case.saga", source)
}

fn check_as(name: &str, source: &str) -> (Sources, Checked) {
    let mut sources = Sources::default();
    sources.add(SourceFile::new(name, source));
    let checked = check_files(&sources);
    (sources, checked)
}

/// The findings of a text as people see them.
fn findings(source: &str) -> String {
    findings_as("case.saga", source)
}

fn findings_as(name: &str, source: &str) -> String {
    let (sources, checked) = check_as(name, source);
    text(&sources, &checked.findings, Color::Never)
}

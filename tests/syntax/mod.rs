//! The front end: texts to trees, findings, and the layout.

use saga::diagnostic::render::{Color, text};
use saga::diagnostic::{Diagnostic, Problems};
use saga::source::{SourceFile, Sources};
use saga::syntax::tree::File;

/// A mistake, and a snapshot of it with what is said about it.
macro_rules! mistake {
    ($name:ident, $source:expr) => {
        #[test]
        fn $name() {
            let source: &str = $source;
            insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
                insta::assert_snapshot!(format!("{source}\n\n{:─<100}\n\n{}", "", crate::syntax::findings(source)));
            });
        }
    };
}

mod habits;
mod limits;
mod mistakes;
mod pages;
mod trees;
mod twin;
mod yaml;

pub(crate) const EXAMPLES: [(&str, &str); 6] = [
    ("booking_in_order", include_str!("examples/booking_in_order.saga")),
    ("booking", include_str!("examples/booking.saga")),
    ("transfer", include_str!("examples/transfer.saga")),
    ("order", include_str!("examples/order.saga")),
    ("payment", include_str!("examples/payment.saga")),
    ("choreography", include_str!("examples/choreography.saga")),
];

/// Parses a text as the only file.
fn parse(source: &str) -> (Sources, File, Vec<Diagnostic>) {
    parse_as("case.saga", source)
}

fn parse_as(name: &str, source: &str) -> (Sources, File, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let file = SourceFile::new(name, source);
    let id = sources.add(file.clone());
    let (tree, problems): (File, Problems) = saga::syntax::parse(id, &file);
    (sources, tree, problems.sorted())
}

/// The findings of a text as people see them.
fn findings(source: &str) -> String {
    findings_as("case.saga", source)
}

fn findings_as(name: &str, source: &str) -> String {
    let (sources, _, findings) = parse_as(name, source);
    text(&sources, &findings, Color::Never)
}

//! The front end: texts to trees, findings, and the layout.

use saga::diagnostic::render::{Color, text};
use saga::diagnostic::{Diagnostic, Problems};
use saga::source::{SourceFile, Sources};
use saga::syntax::tree::File;

mod trees;

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
    let mut sources = Sources::default();
    let file = SourceFile::new("case.saga", source);
    let id = sources.add(file.clone());
    let (tree, problems): (File, Problems) = saga::syntax::parse(id, &file);
    (sources, tree, problems.sorted())
}

/// The findings of a text as people see them.
fn findings(source: &str) -> String {
    let (sources, _, findings) = parse(source);
    text(&sources, &findings, Color::Never)
}

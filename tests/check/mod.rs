//! From a text to its program and everything that is said about it.

use saga::check::{Checked, Library, NotFound, Place, check_file, check_text};
use saga::diagnostic::render::{Color, text};
use saga::source::SourceFile;

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
mod bounds;
mod choreography;
mod covered;
mod hash;
mod mistakes;
mod outcomes;
mod pages;
mod personal;
mod runs;
pub(crate) mod sarif;
mod structure;
mod triggers;
mod types;
mod uses;
mod workflows;

/// Checks a text as the only file.
fn check(source: &str) -> Checked {
    check_as("case.saga", source)
}

fn check_as(name: &str, source: &str) -> Checked {
    check_text(name, source)
}

/// The findings of a text as people see them.
fn findings(source: &str) -> String {
    findings_as("case.saga", source)
}

fn findings_as(name: &str, source: &str) -> String {
    let checked = check_as(name, source);
    text(&checked.sources, &checked.findings, Color::Never)
}

/// Files by name, all in one folder; what begins with `../` lies outside of it.
struct Shelf(Vec<(String, String)>);

impl Shelf {
    fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }

    /// Checks the first of them.
    fn check(&self) -> Checked {
        let (name, text) = &self.0[0];
        check_file(SourceFile::new(name.as_str(), text.as_str()), self)
    }

    fn findings(&self) -> String {
        let checked = self.check();
        text(&checked.sources, &checked.findings, Color::Never)
    }
}

impl Library for Shelf {
    fn first(&self, name: &str) -> Place {
        Place { key: name.to_owned(), name: name.to_owned() }
    }

    fn find(&self, _: &Place, path: &str) -> Result<Place, NotFound> {
        if path.starts_with("../") {
            return Err(NotFound::Outside { folder: "sagas".to_owned() });
        }
        if path.ends_with('/') {
            return Err(NotFound::NotAFile);
        }
        let path = path.trim_start_matches("./");
        match self.0.iter().find(|(name, _)| name == path) {
            Some((name, _)) => Ok(self.first(name)),
            None => Err(NotFound::Missing { beside: self.0.iter().map(|(name, _)| name.clone()).collect() }),
        }
    }

    fn read(&self, place: &Place, most: usize) -> Result<Vec<u8>, NotFound> {
        let (_, text) = self.0.iter().find(|(name, _)| *name == place.key).expect("it was found");
        if text == "locked" {
            return Err(NotFound::Unreadable("permission denied".to_owned()));
        }
        Ok(text.bytes().take(most + 1).collect())
    }
}

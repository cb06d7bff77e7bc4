//! Every code with its page. `saga explain SG0101` prints the page; `tests/tidy.rs` checks that each code has a
//! page in `codes/` and a test case that shows it, and that no number is used twice.

/// A stable code: `SG` and four digits. Never reused for another rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// Declares the codes: a constant, and its row in the catalogue with the page.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        $($(#[$doc])* pub const $name: Code = Code($code);)*

        /// All codes with their pages (Markdown), in order.
        pub const CATALOGUE: &[(Code, &str)] =
            &[$(($name, include_str!(concat!("codes/", $code, ".md")))),*];
    };
}

codes! {
    /// A word of the language that is not built yet.
    NOT_BUILT_YET = "SG0001";
}

/// The page of a code, written in any case.
#[must_use]
pub fn page(code: &str) -> Option<&'static str> {
    CATALOGUE.iter().find(|(known, _)| known.0.eq_ignore_ascii_case(code)).map(|(_, page)| *page)
}

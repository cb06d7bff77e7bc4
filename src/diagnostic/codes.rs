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

    /// A file in which nothing is declared.
    EMPTY_FILE = "SG0101";
    /// Bytes that are not UTF-8.
    NOT_UTF8 = "SG0102";
    /// A file above the limit.
    FILE_TOO_LARGE = "SG0103";
    /// A character that has no meaning where it stands.
    STRAY_CHARACTER = "SG0104";
    /// Single, curly or back quotes around a string.
    QUOTES = "SG0105";
    /// A string that its line ends.
    STRING_NOT_CLOSED = "SG0106";
    /// A backslash with something unknown behind it.
    BAD_ESCAPE = "SG0107";
    /// A string above the limit.
    STRING_TOO_LONG = "SG0108";
    /// A comment of another language.
    COMMENT_STYLE = "SG0109";
    /// A bracket without its closing one.
    NOT_CLOSED = "SG0110";
    /// A closing bracket too many.
    CLOSES_NOTHING = "SG0111";
    /// Nesting above the limit.
    TOO_DEEP = "SG0112";
    /// More statements than the limit.
    TOO_MANY_STATEMENTS = "SG0113";
    /// Something is missing, or something else was expected.
    EXPECTED = "SG0114";
    /// A word that begins nothing here.
    UNKNOWN_WORD = "SG0115";
    /// A name in the wrong letters.
    NAME_STYLE = "SG0116";
    /// A name that is a word of the language.
    RESERVED_NAME = "SG0117";
    /// A block that does not begin.
    MISSING_BRACE = "SG0118";
    /// A separator of another language, too many, or missing.
    SEPARATOR = "SG0119";
    /// An operator of another language.
    OPERATOR = "SG0120";
    /// A number or duration in a form that is not known.
    NUMBER_STYLE = "SG0121";
    /// Clauses in another order than they happen.
    CLAUSE_ORDER = "SG0122";
    /// A clause that stands there already.
    CLAUSE_TWICE = "SG0123";
    /// A word of another workflow language.
    FOREIGN_WORD = "SG0124";
    /// A code, topic or path without quotes.
    MISSING_QUOTES = "SG0125";
    /// A wait or a loop that does not say what follows when it ends without success.
    MISSING_OTHERWISE = "SG0126";
    /// A statement without a part that it needs.
    MISSING_PART = "SG0127";
    /// `a < b < c`.
    CHAINED_COMPARISON = "SG0128";
    /// An expression that needs parentheses.
    PARENTHESES = "SG0129";
    /// A documentation comment that documents nothing.
    STRAY_DOC = "SG0130";
    /// More findings than are shown.
    TOO_MANY_FINDINGS = "SG0131";
}

/// The page of a code, written in any case.
#[must_use]
pub fn page(code: &str) -> Option<&'static str> {
    CATALOGUE.iter().find(|(known, _)| known.0.eq_ignore_ascii_case(code)).map(|(_, page)| *page)
}

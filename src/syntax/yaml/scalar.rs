//! What a scalar says: an expression in `${ … }`, or a literal; and what readers of YAML take a plain one for.

use std::borrow::Cow;

/// What stands in a scalar.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content<'t> {
    /// A literal, `$${` resolved.
    Literal(Cow<'t, str>),
    /// What stands between `${` and `}`, and where that begins.
    Expression(&'t str, usize),
    /// `${` with text around it, there.
    Mixed(usize),
    /// `${` without its `}`, there.
    Unclosed(usize),
}

pub(super) fn content(text: &str) -> Content<'_> {
    let lead = text.len() - text.trim_start().len();
    if let Some(rest) = text.get(lead..).and_then(|rest| rest.strip_prefix("${")) {
        let Some(length) = inside(rest) else { return Content::Unclosed(lead) };
        let behind = rest.get(length + 1..).unwrap_or_default();
        return if behind.trim().is_empty() {
            Content::Expression(rest.get(..length).unwrap_or_default(), lead + 2)
        } else {
            Content::Mixed(lead)
        };
    }
    match begins(text) {
        Some(at) => match text.get(at + 2..).and_then(inside) {
            Some(_) => Content::Mixed(at),
            None => Content::Unclosed(at),
        },
        None => Content::Literal(literal(text)),
    }
}

/// The length of an expression up to its `}`.
fn inside(rest: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut bytes = rest.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            b'"' => {
                while let Some((_, byte)) = bytes.next() {
                    match byte {
                        b'\\' => drop(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    None
}

/// The first `${` that no `$` stands before.
fn begins(text: &str) -> Option<usize> {
    text.match_indices("${").map(|(at, _)| at).find(|at| !text.get(..*at).is_some_and(|before| before.ends_with('$')))
}

/// `$${` stands for `${`, and each `$` more for one more.
fn literal(text: &str) -> Cow<'_, str> {
    if text.contains("$${") { Cow::Owned(text.replace("$${", "${")) } else { Cow::Borrowed(text) }
}

/// A literal as it is written in a scalar.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if text.contains("${") { Cow::Owned(text.replace("${", "$${")) } else { Cow::Borrowed(text) }
}

/// What a plain scalar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plain {
    Null,
    Bool(bool),
    Int,
    Decimal,
    Duration,
    Text,
    /// A truth value or null to some readers of YAML, and a text to others.
    WordOfSome,
    /// A number to some readers, and a text or another number to others.
    NumberOfSome,
}

pub(super) fn plain(text: &str) -> Plain {
    const WORDS: [&str; 9] = ["yes", "no", "on", "off", "y", "n", "true", "false", "null"];
    match text {
        "" | "~" | "null" => return Plain::Null,
        "true" => return Plain::Bool(true),
        "false" => return Plain::Bool(false),
        _ => {}
    }
    if WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return Plain::WordOfSome;
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    if digits(whole) && digits(fraction) {
        return match (whole.len() > 1 && whole.starts_with('0'), whole == unsigned) {
            (true, _) => Plain::NumberOfSome,
            (false, true) => Plain::Int,
            (false, false) => Plain::Decimal,
        };
    }
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    if unit.len() < text.len() && matches!(unit, "ms" | "s" | "m" | "h" | "d") {
        return Plain::Duration;
    }
    if is_number_of_some(text) { Plain::NumberOfSome } else { Plain::Text }
}

/// `0x1F`, `0o17`, `1_000`, `+5`, `1e5`, `.5`, `1.`, `.inf`, `12:30`.
fn is_number_of_some(text: &str) -> bool {
    let lower = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    if matches!(lower.as_str(), ".inf" | ".nan") {
        return true;
    }
    let based = |prefix: &str, known: fn(char) -> bool| {
        lower.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| known(c) || c == '_'))
    };
    if based("0x", |c| c.is_ascii_hexdigit()) || based("0o", |c| c.is_digit(8)) || based("0b", |c| c.is_digit(2)) {
        return true;
    }
    let numeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let begins =
        lower.starts_with(|c: char| c.is_ascii_digit() || c == '.') && lower.bytes().any(|b| b.is_ascii_digit());
    let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
    let exponent = exponent.trim_start_matches(['+', '-']);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let float = numeric(whole) && numeric(fraction) && numeric(exponent) && !exponent.is_empty();
    let clock = lower.contains(':') && lower.split(':').all(|part| (1..=2).contains(&part.len()) && numeric(part));
    begins && (float || clock)
}

#[cfg(test)]
mod tests {
    use super::{Content, Plain, content, escaped, plain};

    #[test]
    fn plain_scalars_are_told_apart() {
        for (texts, is) in [
            (&["", "~", "null"][..], Plain::Null),
            (&["0", "42", "-3"], Plain::Int),
            (&["840.00", "-0.5", "0.10"], Plain::Decimal),
            (&["15m", "200ms", "3d"], Plain::Duration),
            (&["no", "On", "YES", "off", "y", "N", "True", "NULL"], Plain::WordOfSome),
            (
                &[
                    "007", "0x1F", "0o17", "1_000", "+5", "1e5", "1.5E-3", ".5", "1.", "-.inf", "12:30", "1:20:30",
                    "00.5",
                ],
                Plain::NumberOfSome,
            ),
            (&["ana", "KE905", "2026-11-23", "1.2.3", "a:b", "-", "5mm", "none", "e5", "10:300", "."], Plain::Text),
        ] {
            for text in texts {
                assert_eq!(plain(text), is, "{text}");
            }
        }
    }

    #[test]
    fn expressions_stand_alone() {
        assert_eq!(content("${ a.b }"), Content::Expression(" a.b ", 2));
        assert_eq!(content("${ { a: \"}\" } }"), Content::Expression(" { a: \"}\" } ", 2));
        assert_eq!(content("order ${ a }"), Content::Mixed(6));
        assert_eq!(content("${ a } and ${ b }"), Content::Mixed(0));
        assert_eq!(content("${ a"), Content::Unclosed(0));
        assert_eq!(content("${ \"}"), Content::Unclosed(0));
        assert_eq!(content("$${x} $$${y} $z"), Content::Literal("${x} $${y} $z".into()));
        for text in ["${a}", "$${", "$ {", "a $$$${b", "plain"] {
            assert_eq!(content(&escaped(text)), Content::Literal(text.into()), "{text}");
        }
    }
}

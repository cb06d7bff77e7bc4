//! Parts that stand alone: an expression, a type, a clause of a scenario, as a scalar of the YAML twin holds them.
//!
//! The same grammar and the same findings as in a file. Places count from the begin of the part; who asks knows where
//! that stands.

use super::{Builder, Pair, Rule, Wanted, start};
use crate::diagnostic::{Diagnostic, Problems, codes};
use crate::source::FileId;
use crate::syntax::scan;
use crate::syntax::tree::{Expect, Expr, Happening, Literal, Rate, Reference, Target, TypeExpr};

/// What a part holds, and all that is to be said about it.
pub(in crate::syntax) struct Lone<T> {
    pub(in crate::syntax) value: Option<T>,
    pub(in crate::syntax) problems: Problems,
    pub(in crate::syntax) incomplete: bool,
}

pub(in crate::syntax) fn expr(file: FileId, text: &str) -> Lone<Expr> {
    read(file, text, Rule::lone_expr, |builder, parts| {
        let first = parts.next()?;
        builder.expr_slot(first, "a value between `${` and `}`")
    })
}

pub(in crate::syntax) fn type_expr(file: FileId, text: &str) -> Lone<TypeExpr> {
    read(file, text, Rule::lone_type, |builder, parts| {
        let first = parts.next()?;
        if first.as_rule() == Rule::missing_type {
            builder.gap(&first, "a type", "write `string`, `int`, `decimal`, `bool`, …");
            return None;
        }
        Some(builder.type_expr(first))
    })
}

/// `participant.Command`
pub(in crate::syntax) fn target(file: FileId, text: &str) -> Lone<Target> {
    read(file, text, Rule::lone_target, |builder, parts| {
        let first = parts.next()?;
        match first.as_rule() {
            Rule::target => builder.target(&first),
            Rule::wrong_target => {
                builder.cut_off(first);
                None
            }
            _ => {
                builder.gap(&first, "`participant.Command`", "write `hotels.ReserveRoom`");
                None
            }
        }
    })
}

pub(in crate::syntax) fn reference(file: FileId, text: &str) -> Lone<Reference> {
    read(file, text, Rule::lone_reference, |builder, parts| {
        let first = parts.next()?;
        if first.as_rule() == Rule::missing_name {
            builder.gap(&first, "a name", "");
            return None;
        }
        Some(builder.reference(first))
    })
}

/// `3`
pub(in crate::syntax) fn count(file: FileId, text: &str) -> Lone<Literal> {
    counted(file, text, Rule::lone_count, "a whole number", "write digits only")
}

/// `3 times`
pub(in crate::syntax) fn times(file: FileId, text: &str) -> Lone<Literal> {
    counted(file, text, Rule::lone_times, "how many times", "write `3 times`")
}

/// `5 at once`
pub(in crate::syntax) fn window(file: FileId, text: &str) -> Lone<Literal> {
    counted(file, text, Rule::lone_window, "how many at once", "write `5 at once`")
}

fn counted(file: FileId, text: &str, rule: Rule, expected: &str, hint: &str) -> Lone<Literal> {
    read(file, text, rule, |builder, parts| {
        let mut count = None;
        while let Some(part) = parts.next() {
            match part.as_rule() {
                Rule::number | Rule::missing_number => {
                    count = builder.number_slot(&part, parts, Wanted::Count, expected);
                }
                Rule::missing_word => builder.gap(&part, expected, hint),
                _ => {}
            }
        }
        count
    })
}

/// `100 at once`, `5 per second`
pub(in crate::syntax) fn at_most(file: FileId, text: &str) -> Lone<(Literal, Rate)> {
    read(file, text, Rule::lone_at_most, |builder, parts| {
        let (count, rate) = builder.counted_rate(parts);
        Some((count?, rate?))
    })
}

/// `10s`, `200ms..5s`
pub(in crate::syntax) fn range(file: FileId, text: &str) -> Lone<(Literal, Option<Literal>)> {
    read(file, text, Rule::lone_range, |builder, parts| {
        let (mut from, mut to) = (None, None);
        while let Some(part) = parts.next() {
            match part.as_rule() {
                Rule::wrong_range => builder.wrong_range(&part),
                Rule::number | Rule::string | Rule::missing_duration => {
                    let duration = builder.number_slot(&part, parts, Wanted::Duration, "a duration");
                    if from.is_none() { from = duration } else { to = duration }
                }
                _ => {}
            }
        }
        Some((from?, to))
    })
}

/// What stands behind `when` in a scenario; codes have no quotes.
pub(in crate::syntax) fn happening(file: FileId, text: &str) -> Lone<Happening> {
    read(file, text, Rule::lone_happening, |builder, parts| {
        let first = parts.next()?;
        let span = builder.span(&first);
        builder.happening(first, span)
    })
}

/// What stands behind `expect` in a scenario; codes have no quotes.
pub(in crate::syntax) fn expect(file: FileId, text: &str) -> Lone<Expect> {
    read(file, text, Rule::lone_expect, |builder, parts| {
        let first = parts.next()?;
        let span = builder.span(&first);
        builder.expect(first, span)
    })
}

fn read<T>(
    file: FileId,
    text: &str,
    rule: Rule,
    build: impl FnOnce(&mut Builder<'_>, &mut super::Pairs<'_>) -> Option<T>,
) -> Lone<T> {
    let scanned = scan::scan(file, text);
    if !scanned.readable {
        return Lone { value: None, problems: scanned.problems, incomplete: true };
    }
    let (value, incomplete, found) = start(file, &scanned, rule, |builder, pairs| {
        builder.bare_codes = true;
        let whole = pairs.into_iter().next()?;
        let rest = whole.clone().into_inner().find(|part| part.as_rule() == Rule::rest);
        let mut parts = whole.into_inner();
        let value = build(builder, &mut parts);
        if let Some(rest) = rest {
            builder.rest(&rest);
        }
        value
    });
    let mut problems = scanned.problems;
    problems.extend(found);
    Lone { value, problems, incomplete }
}

impl Builder<'_> {
    /// What stands behind the end of a part.
    fn rest(&mut self, pair: &Pair<'_>) {
        self.incomplete = true;
        if self.silent(pair) {
            return;
        }
        let span = self.span(pair);
        self.problems.push(
            Diagnostic::error(codes::EXPECTED, span, "expected nothing more here")
                .here("what stands before it is complete")
                .hint("is an operator missing before it? Otherwise remove it"),
        );
    }
}

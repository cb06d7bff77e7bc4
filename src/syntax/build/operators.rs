//! Operators: their ranks, and those of other languages.

use super::Builder;
use crate::diagnostic::{Code, codes};
use crate::source::Span;
use crate::syntax::tree::BinaryOp;

/// Ranks of operators, the loosest first; `!` lies between `&&` and comparisons.
pub(super) const RANK_NOT: u8 = 4;
pub(super) const RANK_COMPARE: u8 = 5;

/// The operator and its rank.
pub(super) fn operator(written: &str) -> (BinaryOp, u8) {
    match written {
        "??" => (BinaryOp::Coalesce, 1),
        "||" | "or" | "|" => (BinaryOp::Or, 2),
        "&&" | "and" | "&" => (BinaryOp::And, 3),
        "!=" | "!==" | "<>" => (BinaryOp::NotEqual, RANK_COMPARE),
        "<=" => (BinaryOp::LessEqual, RANK_COMPARE),
        ">=" => (BinaryOp::GreaterEqual, RANK_COMPARE),
        "<" => (BinaryOp::Less, RANK_COMPARE),
        ">" => (BinaryOp::Greater, RANK_COMPARE),
        "+" => (BinaryOp::Add, 6),
        "-" => (BinaryOp::Subtract, 6),
        "*" | "%" => (BinaryOp::Multiply, 7),
        "/" => (BinaryOp::Divide, 7),
        _ => (BinaryOp::Equal, RANK_COMPARE),
    }
}

impl Builder<'_> {
    pub(super) fn foreign_operator(&mut self, written: &str, span: Span) {
        let (instead, why): (&str, &str) = match written {
            "=" => ("==", "`=` is for `let`"),
            "===" => ("==", ""),
            "!==" | "<>" => ("!=", ""),
            "and" | "&" => ("&&", ""),
            "or" | "|" => ("||", ""),
            "%" => {
                self.incomplete = true;
                let hint = "there is no remainder; let the participant compute it";
                self.report(codes::OPERATOR, span, "`%` is not known here", "", hint);
                return;
            }
            _ => return,
        };
        let code: Code = codes::OPERATOR;
        self.report(code, span, format!("`{written}` is written `{instead}` here"), why, format!("write `{instead}`"));
    }
}

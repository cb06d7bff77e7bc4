//! Expressions and types as text, with the parentheses that they need and no others.

use std::fmt::Write as _;

use crate::source::is_obeyed;
use crate::syntax::tree::{BinaryOp, Expr, ExprKind, Record, TypeExpr, TypeExprKind};

/// Ranks, as `build/operators.rs` has them; above them signs, and what can be looked into.
const RANK_NOT: u8 = 4;
const RANK_COMPARE: u8 = 5;
const RANK_SIGN: u8 = 8;
const RANK_VALUE: u8 = 9;

/// An expression as text.
pub(in crate::syntax) fn expr(expr: &Expr) -> String {
    let mut out = String::new();
    write(&mut out, expr, 0);
    out
}

/// A type as text; documentation of its fields stands on lines of its own.
pub(in crate::syntax) fn type_expr(ty: &TypeExpr) -> String {
    match &ty.kind {
        TypeExprKind::Named(name) => name.to_string(),
        TypeExprKind::List(of) => format!("list<{}>", type_expr(of)),
        TypeExprKind::Map(of) => format!("map<{}>", type_expr(of)),
        TypeExprKind::Choice(words) => words.iter().map(|word| quoted(&word.value)).collect::<Vec<_>>().join(" | "),
        TypeExprKind::Record(fields) => record(fields),
        TypeExprKind::Optional(of) => format!("{}?", type_expr(of)),
    }
}

fn record(record: &Record) -> String {
    let mut out = String::from("{");
    for (index, field) in record.fields.iter().enumerate() {
        out.push_str(if index == 0 { " " } else { ", " });
        for line in field.docs.iter().flat_map(|docs| docs.value.split('\n')) {
            let _ = write!(out, "\n{}\n", format!("/// {line}").trim_end());
        }
        if field.personal.is_some() {
            out.push_str("personal ");
        }
        let _ = write!(out, "{}: {}", key(&field.key.text), type_expr(&field.ty));
    }
    out.push_str(" }");
    out
}

/// A text in quotes.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            other if is_obeyed(other) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(other));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// A key, in quotes where it is no word.
#[must_use]
pub fn key(text: &str) -> String {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_word = begins && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_word { text.to_owned() } else { quoted(text) }
}

const fn rank_of(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Coalesce => 1,
        BinaryOp::Or => 2,
        BinaryOp::And => 3,
        BinaryOp::Equal
        | BinaryOp::NotEqual
        | BinaryOp::LessEqual
        | BinaryOp::GreaterEqual
        | BinaryOp::Less
        | BinaryOp::Greater => RANK_COMPARE,
        BinaryOp::Add | BinaryOp::Subtract => 6,
        BinaryOp::Multiply | BinaryOp::Divide => 7,
    }
}

/// Writes an expression where one of at least the rank `least` can stand.
fn write(out: &mut String, expr: &Expr, least: u8) {
    let rank = match &expr.kind {
        ExprKind::If(_) => 0,
        ExprKind::Binary(op, ..) => rank_of(*op),
        ExprKind::Not(_) => RANK_NOT,
        ExprKind::Negate(_) => RANK_SIGN,
        // A number with a `.` behind it would be another number.
        ExprKind::Int(_) | ExprKind::Decimal(_) | ExprKind::Duration(_) => RANK_SIGN,
        _ => RANK_VALUE,
    };
    if rank < least {
        out.push('(');
        write(out, expr, 0);
        out.push(')');
        return;
    }
    match &expr.kind {
        ExprKind::Text(text) => out.push_str(&quoted(text)),
        ExprKind::Int(text) | ExprKind::Decimal(text) | ExprKind::Duration(text) | ExprKind::Name(text) => {
            out.push_str(text);
        }
        ExprKind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        ExprKind::Null => out.push_str("null"),
        ExprKind::Field(of, name) => {
            write(out, of, RANK_VALUE);
            let _ = write!(out, ".{}", key(&name.text));
        }
        ExprKind::Every(of) => {
            write(out, of, RANK_VALUE);
            out.push_str("[*]");
        }
        ExprKind::Index(of, index) => {
            write(out, of, RANK_VALUE);
            out.push('[');
            write(out, index, 0);
            out.push(']');
        }
        ExprKind::Call(name, arguments) => {
            out.push_str(&name.text);
            listed(out, ('(', ')'), arguments);
        }
        ExprKind::Object(entries) => {
            out.push('{');
            for (index, (name, value)) in entries.iter().enumerate() {
                out.push_str(if index == 0 { " " } else { ", " });
                let _ = write!(out, "{}: ", key(&name.text));
                write(out, value, 0);
            }
            out.push_str(" }");
        }
        ExprKind::List(elements) => listed(out, ('[', ']'), elements),
        ExprKind::Not(of) => {
            out.push('!');
            write(out, of, RANK_NOT);
        }
        ExprKind::Negate(of) => {
            out.push('-');
            write(out, of, RANK_SIGN);
        }
        ExprKind::Binary(op, _, sides) => {
            write(out, &sides.0, if rank == RANK_COMPARE { rank + 1 } else { rank });
            let _ = write!(out, " {} ", op.symbol());
            write(out, &sides.1, rank + 1);
        }
        ExprKind::If(parts) => {
            out.push_str("if ");
            write(out, &parts.0, 0);
            out.push_str(" then ");
            write(out, &parts.1, 0);
            out.push_str(" else ");
            write(out, &parts.2, 0);
        }
    }
}

fn listed(out: &mut String, (open, close): (char, char), elements: &[Expr]) {
    out.push(open);
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write(out, element, 0);
    }
    out.push(close);
}

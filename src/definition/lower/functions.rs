//! Calls of the twelve functions: their arguments and what they give.

use std::sync::Arc;

use super::expressions::unknown;
use super::operators::join;
use super::scope::Place;
use super::{Lowering, near};
use crate::definition::expression::{Expr, Function, Typed};
use crate::definition::types::Type;
use crate::definition::value::Value;
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::tree;

/// Names, what they take, and what that is called in messages.
const FUNCTIONS: [(&str, Function, &str); 12] = [
    ("id", Function::Id, "id(\"word\")"),
    ("count", Function::Count, "count(list)"),
    ("sum", Function::Sum, "sum(list)"),
    ("min", Function::Min, "min(list)"),
    ("max", Function::Max, "max(list)"),
    ("any", Function::Any, "any(list)"),
    ("all", Function::All, "all(list)"),
    ("contains", Function::Contains, "contains(list, value) or contains(text, part)"),
    ("present", Function::Present, "present(list)"),
    ("rounded", Function::Rounded, "rounded(decimal, places)"),
    ("length", Function::Length, "length(text)"),
    ("text", Function::Text, "text(value)"),
];

/// Digits that a decimal can have behind its point.
const MAX_PLACES: i64 = 28;

impl Lowering<'_> {
    pub(super) fn call(&mut self, name: &tree::Name, arguments: &[tree::Expr], span: Span) -> Typed {
        let Some((_, function, form)) = FUNCTIONS.iter().find(|(known, ..)| *known == name.text) else {
            for argument in arguments {
                self.expr(argument, None);
            }
            let title = format!("there is no function `{}`", name.text);
            let finding = Diagnostic::error(codes::UNKNOWN_FUNCTION, name.span, title);
            self.report(match near(&name.text, FUNCTIONS.iter().map(|(known, ..)| *known)) {
                Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
                None => finding
                    .why("There are twelve functions, and none can be added: a definition must end and be analysable.")
                    .hint("have a participant compute it"),
            });
            return unknown(span);
        };
        let wanted = if matches!(function, Function::Contains | Function::Rounded) { 2 } else { 1 };
        let wants_decimal = (*function == Function::Rounded).then_some(Type::Decimal);
        let mut typed: Vec<Typed> = Vec::with_capacity(arguments.len());
        for argument in arguments {
            // What is looked for is read as what the list holds: a word of a choice, an instant.
            let element = typed.first().and_then(|list| match list.ty.required() {
                Type::List(element) if *function == Function::Contains => Some(element.required().clone()),
                _ => None,
            });
            let hint = if typed.is_empty() { wants_decimal.clone() } else { element };
            typed.push(self.expr(argument, hint.as_ref()));
        }
        if typed.len() != wanted {
            let count = typed.len();
            let title = format!("`{}` takes {wanted} {}, and this gives {count}", name.text, plural(wanted));
            self.report(Diagnostic::error(codes::FUNCTION_ARGUMENTS, span, title).hint(format!("write `{form}`")));
            return unknown(span);
        }
        for argument in &mut typed {
            if argument.ty.is_optional() {
                let required = argument.ty.required().clone();
                *argument = Typed { ty: Type::Unknown, ..self.coerce(argument.clone(), &required) };
            }
        }
        if typed.iter().any(|argument| argument.ty == Type::Unknown) {
            return unknown(span);
        }
        let own = matches!(function, Function::Sum | Function::Rounded).then_some(span);
        let overflow = typed.iter().find_map(|argument| argument.overflow).or(own);
        match self.result(*function, &mut typed) {
            Ok(ty) => {
                let is_decimal = *function == Function::Sum && ty == Type::Decimal;
                let expr = Expr::Call(*function, typed.into_iter().map(|argument| argument.expr).collect());
                // The sum of no decimals is 0 too, and is a decimal.
                let expr = if is_decimal { Expr::ToDecimal(Box::new(expr)) } else { expr };
                Typed { expr, ty, span, overflow }
            }
            Err(Refusal::Reported) => unknown(span),
            Err(Refusal::Wants(wants)) => {
                let given: Vec<String> = typed.iter().map(|argument| format!("`{}`", argument.ty)).collect();
                let title = format!("`{}` wants {wants}, and this is {}", name.text, given.join(" and "));
                self.report(Diagnostic::error(codes::FUNCTION_ARGUMENTS, span, title).hint(format!("write `{form}`")));
                unknown(span)
            }
        }
    }

    fn result(&mut self, function: Function, arguments: &mut [Typed]) -> Result<Type, Refusal> {
        let (first, rest) = arguments.split_first_mut().ok_or(Refusal::Reported)?;
        let element = match &first.ty {
            Type::List(element) => Some(element.as_ref().clone()),
            _ => None,
        };
        match function {
            Function::Id if self.scope.place == Place::Trigger => {
                self.out_of_place("id", first.span);
                Err(Refusal::Reported)
            }
            Function::Id => match &first.expr {
                Expr::Literal(Value::String(_)) => Ok(Type::String),
                _ => Err(Refusal::Wants("a word in quotes")),
            },
            Function::Count => element.map(|_| Type::Int).ok_or(Refusal::Wants("a list")),
            Function::Sum => match self.all_there(first, element)? {
                ty @ (Type::Int | Type::Decimal) => Ok(ty),
                Type::Unknown => Ok(Type::Int),
                _ => Err(Refusal::Wants("a list of `int` or `decimal`")),
            },
            Function::Min | Function::Max => match self.all_there(first, element)? {
                ty @ (Type::Int | Type::Decimal | Type::Timestamp | Type::Duration) => Ok(ty.optional()),
                _ => Err(Refusal::Wants("a list of `int`, `decimal`, `timestamp` or `duration`")),
            },
            Function::Any | Function::All => match self.all_there(first, element)? {
                Type::Bool | Type::Unknown => Ok(Type::Bool),
                _ => Err(Refusal::Wants("a list of `bool`")),
            },
            Function::Contains => {
                let part = rest.first_mut().ok_or(Refusal::Reported)?;
                let is_scalar = |ty: &Type| !matches!(ty, Type::Record(_) | Type::List(_) | Type::Map(_) | Type::Json);
                let fits = match element {
                    Some(element) => is_scalar(element.required()) && join(&element, &part.ty).is_some(),
                    None => first.ty == Type::String && part.ty == Type::String,
                };
                if fits { Ok(Type::Bool) } else { Err(Refusal::Wants("a list and a value of its type, or two texts")) }
            }
            Function::Present => match element {
                Some(element) if element.is_optional() => Ok(Type::List(Arc::new(element.required().clone()))),
                Some(Type::Unknown) => Ok(first.ty.clone()),
                Some(_) => {
                    self.never_absent(first, "present", first.span);
                    Err(Refusal::Reported)
                }
                None => Err(Refusal::Wants("a list")),
            },
            Function::Rounded => {
                let places = rest.first().ok_or(Refusal::Reported)?;
                let is_places = matches!(places.expr, Expr::Literal(Value::Int(0..=MAX_PLACES)));
                match first.ty {
                    Type::Decimal | Type::Int if is_places => Ok(Type::Decimal),
                    _ => Err(Refusal::Wants("a `decimal`, and a number of places from 0 to 28")),
                }
            }
            Function::Length => {
                if first.ty == Type::String {
                    Ok(Type::Int)
                } else {
                    Err(Refusal::Wants("a `string`"))
                }
            }
            Function::Text => match first.ty {
                Type::Int | Type::Decimal | Type::Bool | Type::Timestamp | Type::Duration | Type::Choice(_) => {
                    Ok(Type::String)
                }
                _ => Err(Refusal::Wants("an `int`, `decimal`, `bool`, `timestamp`, `duration` or choice")),
            },
        }
    }

    /// The element type of a list whose elements are all there.
    fn all_there(&mut self, list: &Typed, element: Option<Type>) -> Result<Type, Refusal> {
        match element {
            Some(element) if element.is_optional() => {
                let title = format!("elements of this list may be absent: it is `{}`", list.ty);
                self.report(
                    Diagnostic::error(codes::MAYBE_ABSENT, list.span, title)
                        .hint("take those that are there: `present(…)`"),
                );
                Err(Refusal::Reported)
            }
            Some(element) => Ok(element),
            None => Err(Refusal::Wants("a list")),
        }
    }
}

enum Refusal {
    Reported,
    Wants(&'static str),
}

const fn plural(count: usize) -> &'static str {
    if count == 1 { "argument" } else { "arguments" }
}

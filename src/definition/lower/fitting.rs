//! Whether a value may stand where a type is wanted, and what to say where it may not.

use rust_decimal::Decimal;

use super::expressions::unknown;
use super::scope::Place;
use super::{Lowering, listed};
use crate::definition::expression::{Expr, Typed};
use crate::definition::types::Type;
use crate::definition::value::Value;
use crate::diagnostic::{Diagnostic, codes};

impl Lowering<'_> {
    /// Makes `typed` what the place wants, or reports that it is not.
    pub(super) fn coerce(&mut self, typed: Typed, wanted: &Type) -> Typed {
        if !typed.ty.fits(wanted) {
            self.does_not_fit(&typed, wanted);
            return Typed { ty: wanted.clone(), ..unknown(typed.span) };
        }
        // Of `json` it is a value, and not absent.
        if matches!((&typed.expr, wanted), (Expr::Literal(Value::Null), Type::Json)) {
            return Typed { expr: Expr::Literal(Value::Raw("null".into())), ty: Type::Json, ..typed };
        }
        if becomes_decimal(&typed.ty, wanted) {
            let expr = match typed.expr {
                Expr::Literal(Value::Int(value)) => Expr::Literal(Value::Decimal(Decimal::from(value))),
                other => Expr::ToDecimal(Box::new(other)),
            };
            return Typed { expr, ty: wanted.clone(), span: typed.span, overflow: typed.overflow };
        }
        typed
    }

    fn does_not_fit(&mut self, typed: &Typed, wanted: &Type) {
        let shown = match &typed.expr {
            Expr::Read(read) => format!("`{read}`"),
            Expr::Literal(Value::Null) => "`null`".into(),
            _ => "this".into(),
        };
        if typed.ty.required().fits(wanted) {
            let name = shown.trim_matches('`').to_owned();
            let finding = Diagnostic::error(
                codes::MAYBE_ABSENT,
                typed.span,
                format!("{shown} may be absent, and `{wanted}` is wanted here"),
            );
            return self.report(match &typed.expr {
                Expr::Read(_) if self.scope.place == Place::Compensation => finding
                    .here(format!("`{}`", typed.ty))
                    .why("A compensation also runs where nobody knows the outcome: then the step has no answer.")
                    .hint(format!("let the command take `{wanted}?`, or say what to take then: `{name} ?? …`")),
                Expr::Read(_) if self.scope.place == Place::Trigger => finding.here(format!("`{}`", typed.ty)).hint(
                    format!("say what to take then, `{name} ?? …`, or let only such through: `where {name} != null`"),
                ),
                Expr::Read(_) => finding.here(format!("`{}`", typed.ty)).hint(format!(
                    "say what to take then, `{name} ?? …`, or ask before, `when {name} != null {{ … }}`"
                )),
                Expr::Literal(_) => finding.hint("write a value, or make the place optional with `?`"),
                _ => finding.here(format!("`{}`", typed.ty)).hint("say what to take then, with `?? …` behind it"),
            });
        }
        let title = format!("{shown} is `{}`, and `{wanted}` is wanted here", typed.ty);
        let finding = Diagnostic::error(codes::TYPE_MISMATCH, typed.span, title);
        let is_text = matches!(
            typed.ty,
            Type::Int | Type::Decimal | Type::Bool | Type::Timestamp | Type::Duration | Type::Choice(_)
        );
        let name = shown.trim_matches('`');
        self.report(match (typed.ty.required(), wanted.required()) {
            (_, Type::String) if is_text => match &typed.expr {
                Expr::Literal(_) => finding.hint("write it in quotes"),
                Expr::Read(_) => finding.hint(format!("as text it is `text({name})`")),
                _ => finding.hint("as text it is `text(…)`"),
            },
            (Type::String, Type::Int | Type::Decimal) if matches!(typed.expr, Expr::Literal(_)) => {
                finding.hint("write the number without quotes")
            }
            (Type::String, Type::Duration) if matches!(typed.expr, Expr::Literal(_)) => {
                finding.hint("write the duration as one word without quotes: `15m`")
            }
            (Type::String, Type::Bool) if matches!(typed.expr, Expr::Literal(_)) => {
                finding.hint("write the condition without quotes; in YAML it stands in `${ … }`")
            }
            (Type::Record(given), Type::Record(wanted)) => {
                let lacking = wanted.fields.iter().filter(|field| {
                    given.field(&field.key).map_or(!field.ty.is_optional(), |given| !given.ty.fits(&field.ty))
                });
                let names = listed(lacking.map(|field| field.key.as_str()));
                finding.hint(format!("it differs in {names}: build the object with `{{ … }}`"))
            }
            _ => finding,
        });
    }
}

/// Whether integers in it must become decimals.
fn becomes_decimal(given: &Type, wanted: &Type) -> bool {
    match (given.required(), wanted.required()) {
        (Type::Int, Type::Decimal) => true,
        (Type::List(given), Type::List(wanted)) => becomes_decimal(given, wanted),
        _ => false,
    }
}

//! Moves the places of a part, which count from its begin, to where it stands in the file.

use crate::source::Span;
use crate::syntax::tree::{
    Answer, Called, Expect, ExpectKind, Expr, ExprKind, Happening, HappeningKind, Literal, Name, Rate, Reference,
    Target, Text, TypeExpr, TypeExprKind,
};

/// Where a place of the part stands in the file.
pub(super) type Place<'a> = &'a dyn Fn(Span) -> Span;

pub(super) trait Relocate {
    fn relocate(&mut self, place: Place<'_>);
}

impl Relocate for Span {
    fn relocate(&mut self, place: Place<'_>) {
        *self = place(*self);
    }
}

impl Relocate for Name {
    fn relocate(&mut self, place: Place<'_>) {
        self.span.relocate(place);
    }
}

impl Relocate for Text {
    fn relocate(&mut self, place: Place<'_>) {
        self.span.relocate(place);
    }
}

impl Relocate for Literal {
    fn relocate(&mut self, place: Place<'_>) {
        self.span.relocate(place);
    }
}

impl Relocate for Rate {
    fn relocate(&mut self, _: Place<'_>) {}
}

impl<T: Relocate> Relocate for Option<T> {
    fn relocate(&mut self, place: Place<'_>) {
        if let Some(inner) = self {
            inner.relocate(place);
        }
    }
}

impl<T: Relocate> Relocate for Vec<T> {
    fn relocate(&mut self, place: Place<'_>) {
        for inner in self {
            inner.relocate(place);
        }
    }
}

impl<A: Relocate, B: Relocate> Relocate for (A, B) {
    fn relocate(&mut self, place: Place<'_>) {
        self.0.relocate(place);
        self.1.relocate(place);
    }
}

impl Relocate for Expr {
    fn relocate(&mut self, place: Place<'_>) {
        self.span.relocate(place);
        match &mut self.kind {
            ExprKind::Text(_) | ExprKind::Int(_) | ExprKind::Decimal(_) | ExprKind::Duration(_) => {}
            ExprKind::Bool(_) | ExprKind::Null | ExprKind::Name(_) => {}
            ExprKind::Every(of) | ExprKind::Not(of) | ExprKind::Negate(of) => of.relocate(place),
            ExprKind::Field(of, name) => {
                of.relocate(place);
                name.relocate(place);
            }
            ExprKind::Index(of, index) => {
                of.relocate(place);
                index.relocate(place);
            }
            ExprKind::Call(name, arguments) => {
                name.relocate(place);
                arguments.relocate(place);
            }
            ExprKind::Object(entries) => entries.relocate(place),
            ExprKind::List(elements) => elements.relocate(place),
            ExprKind::Binary(_, sign, sides) => {
                sign.relocate(place);
                sides.relocate(place);
            }
            ExprKind::If(parts) => {
                parts.0.relocate(place);
                parts.1.relocate(place);
                parts.2.relocate(place);
            }
        }
    }
}

impl Relocate for TypeExpr {
    fn relocate(&mut self, place: Place<'_>) {
        self.span.relocate(place);
        match &mut self.kind {
            TypeExprKind::Named(_) => {}
            TypeExprKind::List(of) | TypeExprKind::Map(of) | TypeExprKind::Optional(of) => of.relocate(place),
            TypeExprKind::Choice(words) => words.relocate(place),
            TypeExprKind::Record(record) => {
                record.span.relocate(place);
                for field in &mut record.fields {
                    field.docs.relocate(place);
                    field.personal.relocate(place);
                    field.key.relocate(place);
                    field.ty.relocate(place);
                    field.span.relocate(place);
                }
            }
        }
    }
}

impl Relocate for Target {
    fn relocate(&mut self, place: Place<'_>) {
        self.participant.relocate(place);
        self.command.relocate(place);
    }
}

impl Relocate for Reference {
    fn relocate(&mut self, place: Place<'_>) {
        self.parts.relocate(place);
        self.span.relocate(place);
    }
}

impl Relocate for Called {
    fn relocate(&mut self, place: Place<'_>) {
        self.step.relocate(place);
    }
}

impl Relocate for Happening {
    fn relocate(&mut self, place: Place<'_>) {
        self.span.relocate(place);
        match &mut self.kind {
            HappeningKind::Signal { signal, payload, after } => {
                signal.relocate(place);
                payload.relocate(place);
                after.relocate(place);
            }
            HappeningKind::Cancelled { after } => after.relocate(place),
            HappeningKind::Answer { called, what, times } => {
                called.relocate(place);
                match what {
                    Answer::Fails(code) => code.relocate(place),
                    Answer::TimesOut | Answer::StaysPending => {}
                    Answer::Replies(reply) => reply.relocate(place),
                }
                times.relocate(place);
            }
        }
    }
}

impl Relocate for Expect {
    fn relocate(&mut self, place: Place<'_>) {
        self.span.relocate(place);
        match &mut self.kind {
            ExpectKind::Completed(output) => output.relocate(place),
            ExpectKind::Compensated(code) => code.relocate(place),
            ExpectKind::Stuck(called) => called.relocate(place),
            ExpectKind::Calls(called) => called.relocate(place),
        }
    }
}

//! Scopes of their own: `try` and its handlers.

use super::Lowering;
use super::steps::Defaults;
use crate::definition::expression::Expr;
use crate::definition::types::Type;
use crate::definition::value::Value;
use crate::definition::{Catch, StatementKind, Try};
use crate::syntax::tree;

impl Lowering<'_> {
    /// In handlers and below, names of the body may be absent: what it did may have been taken back. Where every handler
    /// ends in `fail`, the body alone goes on, and its names are there.
    pub(super) fn try_catch(&mut self, written: &tree::Try, defaults: &Defaults) -> StatementKind {
        let within = written.within.as_ref().map(|within| self.expression_of(within, &Type::Duration));
        if let Some(within) = within.as_ref().filter(|it| matches!(it.expr, Expr::Literal(Value::Duration(0)))) {
            self.senseless(within.span, "a `try` within 0 leaves no time at all", "write how long it may take");
        }
        let (names, known) = (self.scope.names_mark(), self.scope.facts_mark());
        let body = self.block(&written.block, defaults);
        let mut outcomes = vec![self.outcome(names, known, &body)];
        let mut catches = Vec::with_capacity(written.catches.len());
        self.scope.handlers += 1;
        for catch in &written.catches {
            let (names, known) = (self.scope.names_mark(), self.scope.facts_mark());
            let block = self.block(&catch.block, defaults);
            outcomes.push(self.outcome(names, known, &block));
            let codes = catch.codes.iter().map(|code| code.value.as_str().into()).collect();
            catches.push(Catch { codes, block, span: catch.span });
        }
        self.scope.handlers -= 1;
        self.join(outcomes, Vec::new());
        StatementKind::Try(Box::new(Try { within, body, catches }))
    }
}

//! Waits for signals.

use std::sync::Arc;

use compact_str::CompactString;

use super::participants::is_unknown;
use super::scope::{Kind, facts};
use super::steps::Defaults;
use super::{Lowering, listed, near};
use crate::definition::expression::Expr;
use crate::definition::types::Type;
use crate::definition::value::Value;
use crate::definition::{Await, Signal, StatementKind};
use crate::diagnostic::{Diagnostic, codes};
use crate::syntax::tree;

impl Lowering<'_> {
    /// What a signal carries has a name: in `where`, and below where it came.
    pub(super) fn await_signal(&mut self, written: &tree::Await, defaults: &Defaults) -> Option<StatementKind> {
        let within = written.within.as_ref().map(|within| self.expression_of(within, &Type::Duration));
        if let Some(within) = within.as_ref().filter(|it| matches!(it.expr, Expr::Literal(Value::Duration(0)))) {
            self.senseless(within.span, "an `await` within 0 waits for nothing", "write how long it may take");
        }
        let name = written.alias.as_ref().unwrap_or(&written.signal);
        let signal = self.signal(&written.signal);
        let ty = signal.as_ref().filter(|signal| !is_unknown(&signal.shape));
        let ty = ty.map_or(Type::Unknown, |signal| Type::Record(Arc::clone(&signal.shape)));
        let (names, known) = (self.scope.names_mark(), self.scope.facts_mark());
        self.declare(name, ty, Kind::Signal);
        let filter = written.filter.as_ref().map(|filter| self.expression_of(filter, &Type::Bool));
        let learnt = filter.as_ref().map(|filter| facts(&filter.expr, true)).unwrap_or_default();
        let mut taken = self.outcome(names, known, &[]);
        taken.learnt = learnt;
        let inner = self.scope.names_mark();
        let otherwise = written.otherwise.as_ref().map(|block| self.block(block, defaults)).unwrap_or_default();
        let missed = self.outcome(inner, known, &otherwise);
        self.join(vec![taken, missed], Vec::new());
        let wait = Await { name: name.text.clone(), signal: signal?, filter, within: within? };
        Some(StatementKind::Await { wait: Arc::new(wait), otherwise })
    }

    fn signal(&mut self, name: &tree::Name) -> Option<Arc<Signal>> {
        self.scope.awaited.push((name.text.clone(), name.span));
        if let Some(signal) = self.scope.signals.get(&name.text) {
            return Some(Arc::clone(signal));
        }
        let title = format!("the saga has no signal `{}`", name.text);
        let finding = Diagnostic::error(codes::UNKNOWN_SIGNAL, name.span, title);
        let known: Vec<CompactString> = self.scope.signals.keys().cloned().collect();
        let meant = near(&name.text, known.iter().map(CompactString::as_str)).map(CompactString::from);
        if let Some(meant) = meant.clone() {
            // What uses its value below is right, for all that is known.
            self.declare(&tree::Name { text: meant.clone(), span: name.span }, Type::Unknown, Kind::Skipped);
            self.scope.awaited.push((meant, name.span));
        }
        let finding = match &meant {
            Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
            None if known.is_empty() => finding.hint(format!("declare it above: `signal {} {{ … }}`", name.text)),
            None => finding.hint(format!("its signals are {}", listed(known.iter().map(CompactString::as_str)))),
        };
        self.report(finding);
        None
    }

    /// The branch from `beside` on awaits what another since `first` awaits too.
    pub(super) fn awaited_beside(&mut self, first: usize, beside: usize) {
        let (others, own) = self.scope.awaited.split_at(beside);
        let others = others.get(first..).unwrap_or_default();
        let twice: Vec<_> = own
            .iter()
            .filter_map(|(name, span)| {
                let (_, other) = others.iter().find(|(other, _)| other == name)?;
                Some((name.clone(), *span, *other))
            })
            .collect();
        for (name, span, other) in twice {
            let title = format!("`{name}` is awaited in two branches at once");
            self.report(
                Diagnostic::error(codes::AWAITED_BESIDE, span, title)
                    .also(other, "also awaited here")
                    .why("A signal is taken once, and which of the two would take it is a matter of chance.")
                    .hint("give each branch a signal of its own, or await it once behind the `parallel`"),
            );
        }
    }
}

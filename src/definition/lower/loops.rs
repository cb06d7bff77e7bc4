//! Loops: `for each` and `repeat`, and what names mean in their next round and below them.

use std::sync::Arc;

use compact_str::CompactString;

use super::expressions::unknown;
use super::scope::{Kind, facts};
use super::steps::Defaults;
use super::{Lowering, Names, near};
use crate::definition::expression::{Expr, Read, Root, Typed};
use crate::definition::json::int_literal;
use crate::definition::limits::{MAX_ELEMENTS, MAX_LOOPS, MAX_ROUNDS};
use crate::definition::types::Type;
use crate::definition::{ForEach, Length, Repeat, StatementKind};
use crate::diagnostic::{Diagnostic, Problems, codes};
use crate::source::Span;
use crate::syntax::tree;

/// What is known of a `repeat` around.
#[derive(Default)]
pub(super) struct Rounds {
    /// The names that a round gives, as they are at its end.
    types: Names<Type>,
    /// How much of that is known.
    known: Known,
}

/// What is known of the names of a round.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Known {
    /// It is being found out: nothing is said about them yet.
    Open,
    /// Something in the block is wrong: of what is unknown nothing is said, since it would follow from that.
    Partly,
    /// All.
    #[default]
    Wholly,
}

impl Rounds {
    /// Whether what its names are is still open.
    pub(super) fn is_open(&self) -> bool {
        self.known == Known::Open
    }
}

impl Lowering<'_> {
    /// In the block a name is that of one element; below, the list of all.
    pub(super) fn for_each(&mut self, written: &tree::ForEach, span: Span, defaults: &Defaults) -> StatementKind {
        let list = self.expression(&written.list);
        let length = self.scope.length(&list.expr);
        let window = match &written.window {
            Some(window) => self.bounded(window, "a number of elements at once", MAX_ELEMENTS),
            None => Some(1),
        };
        let (names, known, awaited) = (self.scope.names_mark(), self.scope.facts_mark(), self.scope.awaited.len());
        let element = self.element(&list);
        self.declare(&written.element, element, Kind::Element);
        let filter = written.filter.as_ref().map(|filter| self.expression_of(filter, &Type::Bool));
        self.scope.assume(filter.as_ref().map(|filter| facts(&filter.expr, true)).unwrap_or_default());
        self.enter_loop(span);
        let body = self.block(&written.block, defaults);
        self.loops -= 1;
        if window.is_some_and(|window| window > 1) {
            self.awaited_at_once(awaited);
        }
        self.scope.forget(known);
        let gathered = if filter.is_some() { length.map(Length::of_some) } else { length };
        for binding in self.scope.names_since(names).filter(|binding| binding.ty != Type::Unknown) {
            binding.ty = Type::List(Arc::new(binding.ty.clone()));
            binding.length = gathered;
        }
        let element = written.element.text.clone();
        // What is wrong with the number has been said.
        let window = window.unwrap_or(1);
        StatementKind::ForEach(Box::new(ForEach { element, list, length, filter, window, body }))
    }

    /// What the elements of a list are.
    fn element(&mut self, list: &Typed) -> Type {
        match &list.ty {
            Type::List(element) => return element.as_ref().clone(),
            Type::Unknown => {}
            Type::Optional(inner) if matches!(inner.as_ref(), Type::List(_)) => {
                drop(self.coerce(list.clone(), inner));
            }
            other => {
                let title = format!("`for each` goes through a list, and this is `{other}`");
                self.report(
                    Diagnostic::error(codes::TYPE_MISMATCH, list.span, title)
                        .hint("give it a `list<…>`; a single value needs no loop"),
                );
            }
        }
        Type::Unknown
    }

    /// In the block names are those of the round; below, those of the last.
    pub(super) fn repeat(&mut self, written: &tree::Repeat, span: Span, defaults: &Defaults) -> Option<StatementKind> {
        let times = self.bounded(&written.times, "a number of rounds", MAX_ROUNDS);
        self.enter_loop(span);
        let rounds = self.rehearse(&written.block, defaults);
        self.scope.rounds.push(rounds);
        let body = self.block(&written.block, defaults);
        let until = written.until.as_ref().map(|until| self.expression_of(until, &Type::Bool));
        self.scope.rounds.pop();
        self.loops -= 1;
        let (names, known) = (self.scope.names_mark(), self.scope.facts_mark());
        let held = |outcome: bool| until.as_ref().map(|until| facts(&until.expr, outcome)).unwrap_or_default();
        self.scope.assume(held(false));
        let otherwise = written.otherwise.as_ref().map(|block| self.block(block, defaults)).unwrap_or_default();
        if self.outcome(names, known, &otherwise).ends {
            self.scope.assume(held(true));
        }
        Some(StatementKind::Repeat(Box::new(Repeat { times: times.unwrap_or(1), body, until: until?, otherwise })))
    }

    /// Goes through a round without saying anything of it, for what its names are: one round may name what stands further
    /// down by `previous`. Inside of that, an inner `repeat` stays open, so that each statement is gone through once for each
    /// loop around it, and no more.
    fn rehearse(&mut self, block: &tree::Block, defaults: &Defaults) -> Rounds {
        if self.scope.rounds.iter().any(Rounds::is_open) {
            return Rounds { types: Names::default(), known: Known::Open };
        }
        let problems = std::mem::take(&mut self.problems);
        let (names, known, awaited) = (self.scope.names_mark(), self.scope.facts_mark(), self.scope.awaited.len());
        let (room, is_full, skipped_any) = (self.room, self.is_full, self.skipped_any);
        let signals = self.inner_signals.len();
        self.scope.rounds.push(Rounds { types: Names::default(), known: Known::Open });
        self.block(block, defaults);
        self.scope.rounds.pop();
        self.inner_signals.truncate(signals);
        (self.room, self.is_full, self.skipped_any) = (room, is_full, skipped_any);
        self.scope.awaited.truncate(awaited);
        self.scope.forget(known);
        let given = self.scope.bindings.split_off(names);
        let said: Problems = std::mem::replace(&mut self.problems, problems);
        let types = given.into_iter().map(|(name, binding)| (name, binding.ty)).collect();
        Rounds { types, known: if said.has_errors() { Known::Partly } else { Known::Wholly } }
    }

    /// `previous.name`
    pub(super) fn previous(&mut self, name: &tree::Name, span: Span) -> Typed {
        // What stands below uses it, so it is used.
        self.scope.used_early.insert(name.text.clone());
        let found = self.scope.rounds.iter().rev().find_map(|rounds| rounds.types.get(&name.text).cloned());
        let is_open = self.scope.rounds.iter().any(Rounds::is_open);
        let is_known = self.scope.rounds.iter().all(|rounds| rounds.known == Known::Wholly);
        match found {
            Some(Type::Unknown) if is_known => {
                let title = format!("what `{}` is follows from itself alone", name.text);
                self.report(
                    Diagnostic::error(codes::TYPE_MISMATCH, span, title)
                        .hint(format!("say what it is in the first round: `previous.{} ?? 0`", name.text)),
                );
                unknown(span)
            }
            Some(Type::Unknown) => unknown(span),
            Some(ty) => {
                let read = Read { root: Root::Previous(name.text.clone()), path: Vec::new(), ty: ty.optional() };
                let ty = self.scope.narrowed(&read);
                Typed { expr: Expr::Read(Read { ty: ty.clone(), ..read }), ty, span, overflow: None }
            }
            None => {
                if !is_open {
                    self.not_in_round(name);
                }
                unknown(span)
            }
        }
    }

    fn not_in_round(&mut self, name: &tree::Name) {
        let title = format!("a round of this `repeat` gives no `{}`", name.text);
        let finding = Diagnostic::error(codes::UNKNOWN_NAME, name.span, title);
        let known: Vec<&CompactString> = self.scope.rounds.iter().flat_map(|rounds| rounds.types.keys()).collect();
        let meant = near(&name.text, known.iter().map(|name| name.as_str())).map(CompactString::from);
        self.report(match meant {
            Some(meant) => finding.hint(format!("did you mean `previous.{meant}`?")),
            None => finding.hint("behind `previous` stands a step, `let` or signal of the block, by its name"),
        });
    }

    /// A literal between 1 and a limit.
    fn bounded(&mut self, literal: &tree::Literal, what: &str, limit: u16) -> Option<u16> {
        match int_literal(&literal.text).and_then(|number| u16::try_from(number).ok()) {
            Some(0) => {
                self.senseless(literal.span, &format!("{what} of 0 lets nothing happen"), "write at least 1");
                None
            }
            Some(number) if number <= limit => Some(number),
            Some(_) | None => {
                self.out_of_range(literal, what, &limit.to_string());
                None
            }
        }
    }

    fn enter_loop(&mut self, span: Span) {
        self.loops += 1;
        if self.loops == MAX_LOOPS + 1 {
            self.too_many_loops(
                span,
                "run the inner part by a participant, or give it to sagas of its own by a message",
            );
        }
    }

    pub(super) fn too_many_loops(&mut self, span: Span, hint: &str) {
        let title = format!("loops may stand inside each other {MAX_LOOPS} deep, and this is deeper");
        self.report(Diagnostic::error(codes::TOO_LARGE, span, title).hint(hint));
    }

    /// Elements at once would take the same signals.
    fn awaited_at_once(&mut self, first: usize) {
        let awaited = self.scope.awaited.get(first..).unwrap_or_default().to_vec();
        for (name, span) in awaited {
            let title = format!("`{name}` is awaited by several elements at once");
            self.report(
                Diagnostic::error(codes::AWAITED_BESIDE, span, title)
                    .why("A signal is taken once, and which of the elements would take it is a matter of chance.")
                    .hint("leave out `at most … at once`; or put the block into a saga of its own and `run` that: then each element has a signal of its own"),
            );
        }
    }
}

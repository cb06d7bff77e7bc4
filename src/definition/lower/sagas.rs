//! Sagas: the head, the statements in their order, and the output.

use std::sync::Arc;

use compact_str::CompactString;
use indexmap::IndexMap;

use super::participants::{docs, unknown_shape};
use super::scope::{Binding, Kind, Place, Scope, facts};
use super::steps::Defaults;
use super::{Lowering, listed};
use crate::definition::expression::{BinaryOp, Expr, Read, Typed};
use crate::definition::json::int_literal;
use crate::definition::types::Type;
use crate::definition::value::Value;
use crate::definition::{ContentHash, Saga, Signal, Sleep, Statement, StatementKind};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::tree;

impl<'t> Lowering<'t> {
    pub(super) fn saga(&mut self, item: &'t tree::Saga) -> Saga {
        self.scope = Scope::new(Arc::default(), Place::Forward);
        self.collect_names(item);
        let mut saga = Saga {
            name: item.name.text.clone(),
            version: 1,
            content: ContentHash::default(),
            input: Arc::default(),
            signals: IndexMap::new(),
            choreography: None,
            deadline: None,
            body: Vec::new(),
            output: None,
            docs: docs(&item.docs),
            span: item.name.span,
        };
        let mut defaults = Defaults::default();
        self.heads(&item.heads, &mut saga, &mut defaults);
        self.scope.signals.clone_from(&saga.signals);
        saga.body = self.block(&item.body, &defaults);
        saga.output = item.output.as_ref().map(|output| self.expression(output));
        self.report_unused_names();
        // Behind its own names, so that each is addressed by its way: `paid.card_updated`.
        let inner = std::mem::take(&mut self.inner_signals);
        saga.signals.extend(inner.into_iter().map(|signal| (signal.name.clone(), signal)));
        saga
    }

    fn heads(&mut self, heads: &'t [tree::Head], saga: &mut Saga, times: &mut Defaults) {
        let (mut version, mut coordination, mut input, mut deadline, mut defaults) = (None, None, None, None, None);
        for head in heads {
            match head {
                tree::Head::Version(number, span) => {
                    self.once("`version`", &mut version, *span);
                    match int_literal(&number.text).and_then(|number| u64::try_from(number).ok()) {
                        Some(0) => self.senseless(number.span, "versions count from 1", "write `version 1`"),
                        Some(number) => saga.version = number,
                        None => self.out_of_range(number, "a version", &i64::MAX.to_string()),
                    }
                }
                tree::Head::Coordination(word, span) => {
                    self.once("`coordination`", &mut coordination, *span);
                    self.coordination(word, *span, saga);
                }
                tree::Head::Input(shape, span) => {
                    self.once("`input`", &mut input, *span);
                    let shape = self.shape(Some(shape), "an input");
                    saga.input = shape.clone().unwrap_or_default();
                    self.scope.input = shape;
                }
                tree::Head::Signal(signal) => {
                    let shape = self.shape(signal.shape.as_ref(), "a signal").unwrap_or_else(unknown_shape);
                    let (name, span, docs) = (signal.name.text.clone(), signal.name.span, docs(&signal.docs));
                    // The second of that name was reported when names were collected.
                    saga.signals.entry(name.clone()).or_insert_with(|| Arc::new(Signal { name, shape, docs, span }));
                }
                tree::Head::Deadline(literal, span) => {
                    self.once("`deadline`", &mut deadline, *span);
                    saga.deadline = self.time(literal, "a deadline");
                }
                tree::Head::Defaults(written) => {
                    self.once("`defaults`", &mut defaults, written.span);
                    *times = self.defaults(written);
                }
            }
        }
    }

    fn coordination(&mut self, word: &tree::Name, span: Span, saga: &mut Saga) {
        match word.text.as_str() {
            "orchestration" => {}
            "choreography" => saga.choreography = Some(span),
            other => {
                let known = ["orchestration", "choreography"];
                let title = format!("`{other}` is no way to coordinate a saga");
                let finding = Diagnostic::error(codes::UNKNOWN_WORD, word.span, title);
                self.report(match super::near(other, known) {
                    Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
                    None => finding.hint("write `orchestration`, which is the default, or `choreography`"),
                });
            }
        }
    }

    /// A duration that may not be 0.
    pub(super) fn time(&mut self, literal: &tree::Literal, what: &str) -> Option<std::time::Duration> {
        let duration = self.duration(literal)?;
        if duration.is_zero() {
            self.senseless(literal.span, &format!("{what} of 0 leaves no time at all"), "write how long it may take");
            return None;
        }
        Some(duration)
    }

    pub(super) fn block(&mut self, block: &tree::Block, defaults: &Defaults) -> Vec<Statement> {
        self.blocks += 1;
        let statements = block.statements.iter().filter_map(|statement| self.one(statement, defaults)).collect();
        self.blocks -= 1;
        statements
    }

    fn one(&mut self, statement: &tree::Statement, defaults: &Defaults) -> Option<Statement> {
        let kind = self.statement(statement, defaults)?;
        Some(Statement { kind, span: statement.span })
    }

    fn statement(&mut self, statement: &tree::Statement, defaults: &Defaults) -> Option<StatementKind> {
        match &statement.kind {
            tree::StatementKind::Step(step) => match &step.action {
                Some(action @ tree::Action { kind: tree::ActionKind::Run(saga), .. }) => {
                    self.run(step, (action, saga), defaults)
                }
                _ => Some(StatementKind::Step(Arc::new(self.step(step, defaults, statement.span)))),
            },
            tree::StatementKind::Pivot => Some(StatementKind::Pivot),
            tree::StatementKind::Parallel(block) => Some(self.parallel(block, defaults)),
            tree::StatementKind::Sequence(block) => Some(StatementKind::Sequence(self.block(block, defaults))),
            tree::StatementKind::When(when) => Some(self.when(when, statement.span, defaults)),
            tree::StatementKind::Sleep(sleep) => Some(StatementKind::Sleep(self.sleep(sleep))),
            tree::StatementKind::Let(written) => {
                let value = self.expression(&written.value);
                if value.ty == Type::Unknown.optional() {
                    let title = "`null` alone has no type".to_owned();
                    self.report(Diagnostic::error(codes::TYPE_MISMATCH, value.span, title).hint("remove this `let`"));
                }
                let length = self.scope.length(&value.expr);
                self.declare(&written.name, value.ty.clone(), Kind::Let);
                if let Some(binding) = self.scope.bindings.get_mut(&written.name.text) {
                    binding.length = length;
                }
                Some(StatementKind::Let { name: written.name.text.clone(), value })
            }
            tree::StatementKind::Fail(fail) => {
                self.may_be_given(&fail.code);
                let message =
                    fail.message.as_ref().map(|message| self.expression_of(message, &Type::String.optional()));
                Some(StatementKind::Fail { code: fail.code.value.as_str().into(), message })
            }
            tree::StatementKind::ForEach(each) => Some(self.for_each(each, statement.span, defaults)),
            tree::StatementKind::Repeat(repeat) => self.repeat(repeat, statement.span, defaults),
            tree::StatementKind::Try(written) => Some(self.try_catch(written, defaults)),
            tree::StatementKind::Await(wait) => self.await_signal(wait, defaults),
        }
    }

    /// Gives a name; a second one of that name was reported when names were collected, and changes nothing.
    pub(super) fn declare(&mut self, name: &tree::Name, ty: Type, kind: Kind) {
        let is_used = self.scope.used_early.contains(&name.text);
        let binding = || Binding { kind, span: name.span, ty, is_beside: false, is_used, length: None };
        self.scope.bindings.entry(name.text.clone()).or_insert_with(binding);
    }

    fn sleep(&mut self, sleep: &tree::Sleep) -> Sleep {
        if sleep.until {
            return Sleep::Until(self.expression_of(&sleep.expr, &Type::Timestamp));
        }
        let duration = self.expression_of(&sleep.expr, &Type::Duration);
        if matches!(duration.expr, Expr::Literal(Value::Duration(0))) {
            self.senseless(duration.span, "a sleep of 0 does nothing", "remove it, or write how long");
        }
        Sleep::For(duration)
    }

    /// The names of a branch are not there for its siblings; below, all are.
    fn parallel(&mut self, block: &tree::Block, defaults: &Defaults) -> StatementKind {
        let before = self.scope.names_mark();
        let mut branches = Vec::with_capacity(block.statements.len());
        let mut learnt = Vec::new();
        let awaited = self.scope.awaited.len();
        for statement in &block.statements {
            let (names, known) = (self.scope.names_mark(), self.scope.facts_mark());
            let beside = self.scope.awaited.len();
            branches.extend(self.one(statement, defaults));
            self.awaited_beside(awaited, beside);
            learnt.extend(self.scope.forget(known));
            self.scope.names_since(names).for_each(|binding| binding.is_beside = true);
        }
        self.scope.names_since(before).for_each(|binding| binding.is_beside = false);
        self.scope.assume(learnt);
        StatementKind::Parallel(branches)
    }

    fn when(&mut self, when: &tree::When, span: Span, defaults: &Defaults) -> StatementKind {
        let before = self.scope.facts_mark();
        let mut arms: Vec<(Typed, Vec<Statement>)> = Vec::with_capacity(when.arms.len());
        let mut outcomes = Vec::with_capacity(when.arms.len() + 1);
        // What holds below because every branch before ends in `fail`.
        let mut passed = Vec::new();
        let mut all_end = true;
        for arm in &when.arms {
            let condition = self.expression_of(&arm.condition, &Type::Bool);
            let (names, known) = (self.scope.names_mark(), self.scope.facts_mark());
            self.scope.assume(facts(&condition.expr, true));
            let statements = self.block(&arm.block, defaults);
            let outcome = self.outcome(names, known, &statements);
            let failed = facts(&condition.expr, false);
            all_end = all_end && outcome.ends;
            if all_end {
                passed.extend(failed.iter().cloned());
            }
            self.scope.assume(failed);
            outcomes.push(outcome);
            arms.push((condition, statements));
        }
        self.words_left_out(when, &arms, span);
        let (names, known) = (self.scope.names_mark(), self.scope.facts_mark());
        let otherwise = when.otherwise.as_ref().map(|block| self.block(block, defaults)).unwrap_or_default();
        outcomes.push(self.outcome(names, known, &otherwise));
        self.scope.forget(before);
        self.join(outcomes, passed);
        StatementKind::When { arms, otherwise }
    }

    /// Below ways of which one is taken. Where one way alone goes on, what it knows and names holds below; else the names
    /// of each way may be absent. `passed` holds below in any case.
    pub(super) fn join(&mut self, outcomes: Vec<Outcome>, mut passed: Vec<CompactString>) {
        let going_on = outcomes.iter().filter(|outcome| !outcome.ends).count();
        for outcome in outcomes.into_iter().filter(|outcome| !outcome.ends && going_on == 1) {
            for (binding, ty) in self.scope.names_since(outcome.first).zip(outcome.types) {
                binding.ty = ty;
            }
            passed.extend(outcome.learnt);
        }
        self.scope.assume(passed);
    }

    /// The end of one way: for the others, and below unless it alone goes on, its names may be absent.
    pub(super) fn outcome(&mut self, names: usize, known: usize, statements: &[Statement]) -> Outcome {
        let mut types = Vec::new();
        for binding in self.scope.names_since(names) {
            types.push(binding.ty.clone());
            if binding.ty != Type::Unknown {
                binding.ty = binding.ty.clone().optional();
            }
        }
        Outcome { first: names, types, learnt: self.scope.forget(known), ends: ends_in_fail(statements) }
    }

    /// Comparisons of one choice with some of its words, and nothing for the others.
    fn words_left_out(&mut self, when: &tree::When, arms: &[(Typed, Vec<Statement>)], span: Span) {
        if when.otherwise.is_some() || arms.len() < 2 {
            return;
        }
        let mut said: Vec<&CompactString> = Vec::new();
        let mut choice: Option<&Read> = None;
        for (condition, _) in arms {
            let Some((read, word)) = compared(&condition.expr) else { return };
            if choice.is_some_and(|choice| choice.root != read.root || choice.path != read.path) {
                return;
            }
            choice.get_or_insert(read);
            said.push(word);
        }
        let Some(choice) = choice else { return };
        let Type::Choice(words) = choice.ty.required() else { return };
        let left: Vec<&str> = words.iter().filter(|word| !said.contains(word)).map(CompactString::as_str).collect();
        if !left.is_empty() {
            let title = format!("nothing is said for {} of `{choice}`", listed(left));
            self.report(
                Diagnostic::error(codes::WORDS_LEFT_OUT, span, title)
                    .hint("add `otherwise when …` for each, or a last `otherwise { }` for the rest"),
            );
        }
    }
}

/// How one way through a `when`, an `await` or a `try` ends.
pub(super) struct Outcome {
    /// The first of its names.
    pub(super) first: usize,
    /// What its names are where it was taken.
    pub(super) types: Vec<Type>,
    pub(super) learnt: Vec<CompactString>,
    /// In a `fail`.
    pub(super) ends: bool,
}

/// `path == "word"`, either way round.
fn compared(condition: &Expr) -> Option<(&Read, &CompactString)> {
    let Expr::Binary(BinaryOp::Equal, operands) = condition else { return None };
    match operands.as_ref() {
        (Expr::Read(read), Expr::Literal(Value::String(word)))
        | (Expr::Literal(Value::String(word)), Expr::Read(read)) => Some((read, word)),
        _ => None,
    }
}

/// Whether what is written behind these statements is never reached.
pub(crate) fn ends_in_fail(statements: &[Statement]) -> bool {
    statements.last().is_some_and(|last| match &last.kind {
        StatementKind::Fail { .. } => true,
        StatementKind::Sequence(inner) => ends_in_fail(inner),
        StatementKind::Parallel(branches) => branches.iter().any(|branch| ends_in_fail(std::slice::from_ref(branch))),
        StatementKind::When { arms, otherwise } => {
            ends_in_fail(otherwise) && arms.iter().all(|(_, block)| ends_in_fail(block))
        }
        StatementKind::Try(written) => {
            ends_in_fail(&written.body) && written.catches.iter().all(|catch| ends_in_fail(&catch.block))
        }
        StatementKind::Repeat(repeat) => ends_in_fail(&repeat.body),
        _ => false,
    })
}

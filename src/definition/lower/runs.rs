//! Steps that run another saga: in which order sagas are lowered for that, and what stands in the step's place.

use std::collections::BTreeSet;
use std::sync::Arc;

use compact_str::CompactString;
use indexmap::IndexMap;

use super::expressions::unknown;
use super::objects::Shape;
use super::skipped::each_step;
use super::steps::{Defaults, timing_span};
use super::{Lowering, Typed, listed, near};
use crate::definition::blocks::{depth, loops};
use crate::definition::inline::{UNDO, inlined, under};
use crate::definition::limits::{MAX_INLINED, MAX_LOOPS};
use crate::definition::types::Type;
use crate::definition::{Compensation, Run, Saga, StatementKind, Step};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::limits::MAX_NESTING;
use crate::syntax::tree;

/// A saga that waits for those that it runs.
struct Open<'t> {
    saga: &'t str,
    runs: Vec<&'t tree::Name>,
}

impl<'t> Lowering<'t> {
    /// The names of the sagas, what is run before what runs it. A saga that would run itself is reported where the
    /// circle closes.
    pub(super) fn in_order(&mut self, sagas: &IndexMap<&'t str, &'t tree::Saga>) -> Vec<&'t str> {
        let mut order: Vec<&str> = Vec::with_capacity(sagas.len());
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for first in sagas.keys() {
            // A stack of its own: who runs whom may be as long as the file.
            let mut open: Vec<Open<'t>> = Vec::new();
            let mut next = Some(*first);
            loop {
                if let Some((name, item)) = next.take().and_then(|name| sagas.get_key_value(name))
                    && seen.insert(*name)
                {
                    open.push(Open { saga: name, runs: runs(item) });
                }
                let Some(last) = open.last_mut() else { break };
                match last.runs.pop() {
                    None => {
                        order.push(last.saga);
                        open.pop();
                    }
                    Some(run) => match open.iter().position(|open| open.saga == run.text) {
                        Some(from) => {
                            let way: Vec<&str> = open.iter().skip(from).map(|open| open.saga).collect();
                            self.runs_itself(run, &way);
                        }
                        None => next = Some(run.text.as_str()),
                    },
                }
            }
        }
        order
    }

    fn runs_itself(&mut self, run: &tree::Name, way: &[&str]) {
        self.circular.insert(run.span);
        let others = way.get(1..).unwrap_or_default();
        let by =
            if others.is_empty() { String::new() } else { format!(", by way of {}", listed(others.iter().copied())) };
        let title = format!("`{}` would run inside itself{by}", run.text);
        self.report(
            Diagnostic::error(codes::RUNS_ITSELF, run.span, title)
                .why("A sub-saga is put in the place of its step, and this one would never end.")
                .hint("take what both need into a saga of its own, which runs neither"),
        );
    }

    /// The statement that a step with `run` becomes; none where what it runs is not known.
    pub(super) fn run(
        &mut self,
        step: &tree::Step,
        (action, name): (&tree::Action, &tree::Name),
        defaults: &Defaults,
    ) -> Option<StatementKind> {
        self.no_times_of_run(
            &step.timing,
            || format!("`{}` runs a saga, which takes no times here", step.name.text),
            "for a time of the whole put the step into `try within 1h { … } catch \"deadline\" { … }`",
        );
        let (saga, input) = self.inner_with_input(action, name);
        let value = saga.as_ref().map_or(Type::Unknown, |saga| match &saga.output {
            Some(output) => output.ty.clone(),
            None => Type::Record(Arc::default()),
        });
        let compensation = self.step_named(step, value, defaults);
        let made = saga.and_then(|saga| {
            let (name, span) = (step.name.text.clone(), step.name.span);
            let step = Step { name, span, pivot: step.pivot.is_some(), action: None, compensation };
            self.put(&saga, step, input, action.span)
        });
        if made.is_none() {
            self.skipped_any = true;
        }
        let made = made.map(|run| StatementKind::Run(Box::new(run)));
        // A point of no return stays one, so that nothing is said that follows from its being missed.
        made.or_else(|| step.pivot.map(|_| StatementKind::Pivot))
    }

    /// The saga that takes a step back.
    pub(super) fn undo_run(
        &mut self,
        step: &tree::Name,
        (action, name): (&tree::Action, &tree::Name),
        times: &[tree::Timing],
    ) -> Compensation {
        self.no_times_of_run(
            times,
            || format!("a saga takes `{}` back, which takes no times here", step.text),
            "remove the times: it is repeated until all of it is done",
        );
        let (saga, input) = self.inner_with_input(action, name);
        let made = saga.and_then(|saga| {
            let undo = Step {
                name: under(&step.text, UNDO),
                span: step.span,
                pivot: false,
                action: None,
                compensation: Compensation::Unsaid,
            };
            self.put(&saga, undo, input, action.span)
        });
        self.skipped_any |= made.is_none();
        made.map_or(Compensation::Nothing, |run| Compensation::Run(Box::new(run)))
    }

    fn no_times_of_run(&mut self, times: &[tree::Timing], title: impl FnOnce() -> String, hint: &str) {
        let Some(first) = times.first() else { return };
        self.report(
            Diagnostic::error(codes::TIMES_OF_RUN, timing_span(first), title())
                .why("The steps of that saga have times of their own.")
                .hint(hint),
        );
    }

    /// The saga that is run, if it is known, and what it is given.
    fn inner_with_input(&mut self, action: &tree::Action, name: &tree::Name) -> (Option<Arc<Saga>>, Typed) {
        let saga = self.inner(name);
        let input = match &saga {
            Some(saga) => {
                let what = || format!("the input of `{}`", saga.name);
                let shape = Shape { record: &saga.input, what: Some(&what), origin: Some(saga.span) };
                self.payload(action.payload.as_ref(), &shape, action.span)
            }
            None => match &action.payload {
                Some(payload) => self.expression(payload),
                None => unknown(action.span),
            },
        };
        (saga, input)
    }

    /// The saga that is run, if it is known and no circle closes here.
    fn inner(&mut self, name: &tree::Name) -> Option<Arc<Saga>> {
        if self.circular.contains(&name.span) {
            return None;
        }
        let found = self.sagas.get(&name.text).cloned();
        if found.is_none() && !self.all_sagas.contains(&name.text) {
            self.unknown_saga(name);
        }
        found
    }

    pub(super) fn unknown_saga(&mut self, name: &tree::Name) {
        if self.misses_files {
            return;
        }
        let finding = Diagnostic::error(codes::UNKNOWN_SAGA, name.span, format!("there is no saga `{}`", name.text));
        let known: Vec<&str> = self.all_sagas.iter().map(CompactString::as_str).collect();
        let finding = match near(&name.text, known.iter().copied()) {
            Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
            None if known.is_empty() => finding.hint("this file has no saga"),
            None => finding.hint(format!("this file has {}", listed(known))),
        };
        self.report(finding);
    }

    /// Puts a saga in the place of its step.
    fn put(&mut self, saga: &Arc<Saga>, step: Step, input: Typed, span: Span) -> Option<Run> {
        if self.blocks + depth(&saga.body) > MAX_NESTING {
            let title = format!("with `{}` in it, this is nested deeper than {MAX_NESTING}", saga.name);
            self.report(
                Diagnostic::error(codes::TOO_LARGE, span, title)
                    .why("A sub-saga is put in the place of its step, with all that it runs itself.")
                    .hint("run fewer sagas inside each other"),
            );
            return None;
        }
        if self.loops + loops(&saga.body) > MAX_LOOPS {
            self.too_many_loops(
                span,
                "a sub-saga is put in the place of its step, with its loops: run it outside of some of these",
            );
            return None;
        }
        let Ok(copy) = inlined(saga, &step.name, &mut self.room) else {
            // Once: the others are the same mistake.
            if !std::mem::replace(&mut self.is_full, true) {
                let title = format!("sub-sagas are {MAX_INLINED} statements and parts of expressions by here");
                self.report(
                    Diagnostic::error(codes::TOO_LARGE, span, title)
                        .why("Each `run` puts a copy of the saga in the place of its step, with all that this one runs itself.")
                        .hint("run fewer and smaller sagas, or let a participant start one by a message"),
                );
            }
            return None;
        };
        self.inner_signals.extend(copy.signals);
        let (saga, step) = (saga.name.clone(), Arc::new(step));
        Some(Run { step, saga, input, body: copy.body, output: copy.output, span })
    }
}

/// The sagas that one runs, from the last.
fn runs(saga: &tree::Saga) -> Vec<&tree::Name> {
    let mut found = Vec::new();
    each_step(&saga.body, &mut |step| {
        let undo = step.compensate.as_ref().and_then(|compensate| compensate.action.as_ref());
        for action in step.action.iter().chain(undo) {
            if let tree::ActionKind::Run(name) = &action.kind {
                found.push(name);
            }
        }
    });
    found.reverse();
    found
}

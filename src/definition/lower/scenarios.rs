//! Scenarios: data typed by its place, references to steps, and expectations that can come about.

use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use indexmap::IndexMap;

use super::objects::Shape;
use super::participants::is_unknown;
use super::references::{Indices, Known, name, place};
use super::scope::{Place, Scope};
use super::{Lowering, listed, near};
use crate::definition::evaluate::Nothing;
use crate::definition::expression::{Expr, Typed};
use crate::definition::json::{int_literal, least};
use crate::definition::types::{Record, Type};
use crate::definition::value::{Value, to_json};
use crate::definition::{
    Answer, Called, Compensation, Expect, ExpectKind, Happening, HappeningKind, Saga, Scenario, Step, Verb,
};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::tree::{self, ExprKind};

impl Lowering<'_> {
    pub(super) fn scenario(
        &mut self,
        item: &tree::Scenario,
        sagas: &IndexMap<CompactString, Arc<Saga>>,
    ) -> Option<Scenario> {
        let Some(saga) = sagas.get(&item.saga.text) else {
            self.unknown_saga(&item.saga);
            return None;
        };
        self.scope = Scope::new(Arc::clone(&saga.input), Place::Scenario);
        let known = Known::of(saga, self.skipped_any);
        let happenings = item.happenings.iter().filter_map(|happening| self.happening(happening, &known)).collect();
        let expects = item.expects.iter().filter_map(|expect| self.expect(expect, saga, &known)).collect();
        self.one_outcome(&item.expects);
        Some(Scenario {
            title: item.title.value.clone(),
            saga: saga.name.clone(),
            given: self.given_input(item, saga),
            happenings,
            expects,
            span: item.title.span,
        })
    }

    fn given_input(&mut self, item: &tree::Scenario, saga: &Saga) -> Option<Box<str>> {
        let what = || format!("the input of `{}`", saga.name);
        let shape = Shape { record: &saga.input, what: Some(&what), origin: Some(saga.span) };
        if item.given.is_none() && saga.input.fields.iter().all(|field| field.ty.is_optional()) {
            return None;
        }
        // Proposals from the input would propose the input itself.
        self.scope.input = None;
        let given = self.payload(item.given.as_ref(), &shape, item.title.span);
        self.scope.input = Some(Arc::clone(&saga.input));
        constant(&given)
    }

    fn happening(&mut self, written: &tree::Happening, known: &Known) -> Option<Happening> {
        let kind = match &written.kind {
            tree::HappeningKind::Signal { signal, payload, after } => {
                let after = after.as_ref().map_or(Some(Duration::ZERO), |after| self.duration(after))?;
                let (signal, with) = self.arrives(signal, payload.as_ref(), known)?;
                HappeningKind::Arrives { signal, with, after }
            }
            tree::HappeningKind::Cancelled { after } => {
                let after = after.as_ref().map_or(Some(Duration::ZERO), |after| self.duration(after))?;
                HappeningKind::Cancelled(after)
            }
            tree::HappeningKind::Answer { called, what, times } => {
                let count = times.as_ref().and_then(|times| {
                    let count = int_literal(&times.text).and_then(|count| u32::try_from(count).ok());
                    match count {
                        Some(0) => {
                            self.senseless(times.span, "0 times is never", "remove the clause, or write at least 1");
                        }
                        Some(_) => {}
                        None => self.out_of_range(times, "a count", &u32::MAX.to_string()),
                    }
                    count
                });
                let (called, step) = self.called(called, known)?;
                let answer = self.answer(what, &called, step.as_deref(), written.span)?;
                HappeningKind::Answer { called, answer, times: count }
            }
        };
        Some(Happening { kind, span: written.span })
    }

    /// A signal of the saga with what it carries.
    fn arrives(
        &mut self,
        written: &tree::Reference,
        payload: Option<&tree::Expr>,
        known: &Known,
    ) -> Option<(CompactString, Box<str>)> {
        let name = name(written);
        let Some(signal) = known.signals.get(name.as_str()) else {
            let title = format!("the saga has no signal `{name}`");
            let finding = Diagnostic::error(codes::UNKNOWN_SIGNAL, written.span, title);
            let names: Vec<&str> = known.signals.keys().map(CompactString::as_str).collect();
            self.report(match near(&name, names.iter().copied()) {
                Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
                None => finding.hint(format!("its signals are {}", listed(names))),
            });
            return None;
        };
        if !self.indices_fit(written, known, Indices::All) {
            return None;
        }
        let what = || format!("what `{name}` carries");
        let shape = Shape { record: &signal.shape, what: Some(&what), origin: Some(signal.span) };
        let input = self.scope.input.take();
        let with = self.payload(payload, &shape, written.span);
        self.scope.input = input;
        Some((place(written).into(), constant(&with)?))
    }

    /// A step that exists and can be called so; without the step where it may be in what was skipped.
    fn called(&mut self, written: &tree::Called, known: &Known) -> Option<(Called, Option<Arc<Step>>)> {
        let place = place(&written.step);
        let called = Called { undo: written.undo, step: place.as_str().into() };
        let span = written.step.span;
        let Some(step) = known.steps.get(name(&written.step).as_str()) else {
            if known.is_partial {
                return Some((called, None));
            }
            self.unknown_step(&written.step, known);
            return None;
        };
        if !self.indices_fit(&written.step, known, Indices::AllOrNone) {
            return None;
        }
        let run = match &step.compensation {
            Compensation::Run(run) if written.undo => &run.step.name,
            _ => &step.name,
        };
        let inside = known.runs.contains(run.as_str()).then(|| {
            let within = format!("{run}.");
            let steps = known.steps.keys().filter(|name| name.starts_with(&within));
            format!("`{run}` runs a saga; the steps in it are {}", listed(steps.map(CompactString::as_str)))
        });
        let (is_called, title) = if written.undo {
            let has_undo = matches!(step.compensation, Compensation::Call(_));
            let title = match &step.compensation {
                Compensation::Run(run) => format!("the saga `{}` takes `{place}` back, which is no call", run.saga),
                _ => format!("nothing takes `{place}` back, so it is never undone"),
            };
            (has_undo, title)
        } else {
            (step.action.is_some(), format!("`{place}` does nothing forward, so it is never called"))
        };
        if !is_called {
            let hint = match inside {
                Some(inside) => inside,
                None if written.undo => "remove this".to_owned(),
                None => "its compensation is `undo …`".to_owned(),
            };
            self.report(Diagnostic::error(codes::NEVER_HAPPENS, span, title).also(step.span, "the step").hint(hint));
            return None;
        }
        Some((called, Some(Arc::clone(step))))
    }

    fn answer(&mut self, written: &tree::Answer, called: &Called, step: Option<&Step>, span: Span) -> Option<Answer> {
        let invocation = step.and_then(|step| match &step.compensation {
            Compensation::Call(undo) if called.undo => Some(undo.as_ref()),
            _ if called.undo => None,
            _ => step.action.as_ref(),
        });
        if let Some(sent) = invocation.filter(|invocation| invocation.verb == Verb::Send) {
            let title =
                format!("`{}.{}` is a message, which is never answered", sent.participant.name, sent.command.name);
            let finding = Diagnostic::error(codes::NEVER_HAPPENS, span, title).also(sent.command.span, "declared here");
            self.report(finding.hint("remove this: a message is always sent"));
            return None;
        }
        match written {
            tree::Answer::TimesOut => Some(Answer::TimesOut),
            tree::Answer::StaysPending => Some(Answer::StaysPending),
            tree::Answer::Fails(None) if called.undo => Some(Answer::Fails(None)),
            tree::Answer::Fails(None) => {
                let hint = match invocation.and_then(|invocation| invocation.command.fails.first()) {
                    Some(code) => format!("write `when {} fails \"{code}\"`", called.step),
                    None => "its command declares no code: let it `times out`".into(),
                };
                let finding = Diagnostic::error(codes::NEVER_HAPPENS, span, "a step fails with a code");
                self.report(finding.hint(hint));
                None
            }
            tree::Answer::Fails(Some(code)) => {
                if let Some(invocation) = invocation {
                    let fails = &invocation.command.fails;
                    if !fails.iter().any(|known| *known == code.value.as_str()) {
                        let command = format!("{}.{}", invocation.participant.name, invocation.command.name);
                        let finding = Diagnostic::error(
                            codes::NEVER_HAPPENS,
                            code.span,
                            format!("`{command}` does not fail with \"{}\"", code.value),
                        );
                        let finding = finding.also(invocation.command.span, "declared here");
                        self.report(if fails.is_empty() {
                            finding.hint(format!(
                                "it declares no codes: add `fails \"{}\"` to it, or let it `times out`",
                                code.value
                            ))
                        } else {
                            finding.hint(format!("its codes are {}", listed(fails.iter().map(CompactString::as_str))))
                        });
                        return None;
                    }
                }
                Some(Answer::Fails(Some(code.value.as_str().into())))
            }
            tree::Answer::Replies(reply) => {
                let Some(invocation) = invocation else {
                    return Some(Answer::Replies(least(&Type::Record(Arc::default()), "").into()));
                };
                let what = || format!("the reply of `{}.{}`", invocation.participant.name, invocation.command.name);
                let shape = Shape {
                    record: &invocation.command.reply,
                    what: Some(&what),
                    origin: Some(invocation.command.span),
                };
                let input = self.scope.input.take();
                let reply = self.payload(Some(reply), &shape, span);
                self.scope.input = input;
                constant(&reply).map(Answer::Replies)
            }
        }
    }

    fn expect(&mut self, written: &tree::Expect, saga: &Saga, known: &Known) -> Option<Expect> {
        let kind = match &written.kind {
            tree::ExpectKind::Completed(None) => ExpectKind::Completed(None),
            tree::ExpectKind::Completed(Some(output)) => {
                ExpectKind::Completed(Some(self.part_of_output(output, saga)?))
            }
            tree::ExpectKind::Compensated(None) => ExpectKind::Compensated(None),
            tree::ExpectKind::Compensated(Some(code)) => {
                if !known.is_partial && !known.codes.contains(code.value.as_str()) {
                    let title = format!("`{}` never ends with \"{}\"", saga.name, code.value);
                    let finding = Diagnostic::error(codes::NEVER_HAPPENS, code.span, title);
                    let codes: Vec<&str> = known.codes.iter().map(CompactString::as_str).collect();
                    self.report(match near(&code.value, codes.iter().copied()) {
                        Some(meant) => finding.hint(format!("did you mean \"{meant}\"?")),
                        None => finding.hint(format!("it can end with {}", listed(codes))),
                    });
                    return None;
                }
                ExpectKind::Compensated(Some(code.value.as_str().into()))
            }
            tree::ExpectKind::Stuck(called) => ExpectKind::Stuck(self.called(called, known)?.0),
            tree::ExpectKind::Calls(calls) => {
                let calls: Vec<Option<(Called, _)>> = calls.iter().map(|called| self.called(called, known)).collect();
                let calls: Option<Vec<Called>> =
                    calls.into_iter().map(|called| called.map(|(called, _)| called)).collect();
                ExpectKind::Calls(calls?)
            }
        };
        Some(Expect { kind, span: written.span })
    }

    /// Some fields of the output, each typed by its place.
    fn part_of_output(&mut self, written: &tree::Expr, saga: &Saga) -> Option<Box<str>> {
        let empty = Record::default();
        let record = match saga.output.as_ref().map(|output| &output.ty) {
            Some(Type::Record(record)) => record.as_ref(),
            Some(_) => return None,
            None => &empty,
        };
        let ExprKind::Object(fields) = &written.kind else { return None };
        if is_unknown(record) {
            return None;
        }
        self.nodes = 0;
        let given = self.given(fields, |key| Some(record.field(key).map_or(Type::Unknown, |field| field.ty.clone())));
        let mut parts = Vec::with_capacity(given.len());
        for (key, (at, typed)) in given {
            if record.field(&key).is_none() {
                let title = format!("the output of `{}` has no field `{key}`", saga.name);
                let known: Vec<&str> = record.fields.iter().map(|field| field.key.as_str()).collect();
                let finding = Diagnostic::error(codes::UNKNOWN_FIELD, at, title);
                self.report(match near(&key, known.iter().copied()) {
                    Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
                    None if known.is_empty() => finding.hint("the saga has no output"),
                    None => finding.hint(format!("it has {}", listed(known))),
                });
                return None;
            }
            // What must be absent is said by null, and must not be lost.
            let value = typed.evaluate(&Nothing).ok()?;
            parts.push((key, if value == Value::Null { Value::Raw("null".into()) } else { value }));
        }
        Some(to_json(&Value::Object(parts)).into())
    }

    fn one_outcome(&mut self, expects: &[tree::Expect]) {
        let mut first = None;
        for expect in expects {
            if !matches!(expect.kind, tree::ExpectKind::Calls(_)) {
                self.once("an expected outcome", &mut first, expect.span);
            }
        }
    }
}

/// The JSON of a constant; `None` where it is not one, which was reported.
fn constant(typed: &Typed) -> Option<Box<str>> {
    if typed.ty == Type::Unknown || matches!(typed.expr, Expr::Read(_)) {
        return None;
    }
    typed.evaluate_json(&Nothing).ok().map(Into::into)
}

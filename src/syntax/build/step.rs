//! Steps: what they do, their timing, how they are taken back.

use super::words::{self, Place};
use super::{Builder, Pair, Rule, Style, word};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::tree::{Action, ActionKind, Compensate, Expr, Name, Step, Target, Timing};

/// Reading order is the order in which things happen.
const ORDER: &str = "the order in a step is: what it does, its timing, `compensate`";

impl Builder<'_> {
    pub(super) fn step(&mut self, pair: Pair<'_>) -> Option<Step> {
        let mut step_name = None;
        let mut pivot = None;
        let mut clauses = Clauses::default();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::pivot_of => pivot = Some(self.span(&part)),
                Rule::modifier => self.modifier(&part),
                Rule::word => step_name = Some(self.new_name(&part, Style::Snake)),
                Rule::missing_name => self.gap(&part, "the step's name", "write `step reserve_room { … }`"),
                Rule::missing_block => {
                    self.gap_of(
                        codes::MISSING_BRACE,
                        &part,
                        "`{` behind the step's name",
                        "write `step name { call … }`",
                    );
                }
                Rule::wrong_after => {
                    let place = self.span(&part);
                    let hint = "order is the order of the text: write steps one below the other, or put them into `parallel { … }`";
                    self.report(codes::FOREIGN_WORD, place, "`after` is not a word of this language", "", hint);
                }
                _ => self.clause(part, &mut clauses),
            }
        }
        let Clauses { action, timing, compensate } = clauses;
        Some(Step { pivot, name: step_name?, action, timing, compensate })
    }

    fn modifier(&mut self, pair: &Pair<'_>) {
        let span = self.span(pair);
        let word = word(pair);
        let hint = match word.to_ascii_lowercase().as_str() {
            "retriable" | "retryable" | "repeatable" => {
                "write `step`: behind the pivot every step is repeated until it succeeds"
            }
            "compensatable" | "compensable" | "reversible" => "write `step`, and `compensate …` in it",
            "parallel" | "async" | "concurrent" => "write `parallel { step … step … }`",
            "optional" => words::TRY,
            "final" | "last" | "commit" | "pivotal" | "point" => "write `pivot step`",
            "compensate" | "compensation" | "undo" => {
                "write `compensate service.Command { … }` in the step that it takes back"
            }
            _ => "only `pivot` can stand before `step`",
        };
        self.report(codes::FOREIGN_WORD, span, format!("a step cannot be `{word}`"), "", hint);
    }

    fn clause(&mut self, pair: Pair<'_>, clauses: &mut Clauses) {
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::call | Rule::send | Rule::run => {
                if !self.once(clauses.action.as_ref().map(|action| action.span), span, "what the step does") {
                    return;
                }
                if let Some(compensate) = &clauses.compensate {
                    let earlier = compensate.span;
                    self.out_of_order((span, "what the step does"), (earlier, "`compensate`"), ORDER);
                } else if let Some(timing) = clauses.timing.first() {
                    let earlier = timing_span(timing);
                    self.out_of_order((span, "what the step does"), (earlier, "its timing"), ORDER);
                }
                clauses.action = self.action(pair, span);
            }
            Rule::compensate => {
                if self.once(clauses.compensate.as_ref().map(|compensate| compensate.span), span, "`compensate`") {
                    clauses.compensate = self.compensate(pair, span);
                }
            }
            Rule::junk_clause => self.junk(pair, Place::Step, &mut Vec::new()),
            _ => {
                if let Some(compensate) = &clauses.compensate {
                    let earlier = compensate.span;
                    self.out_of_order((span, "this"), (earlier, "`compensate`"), ORDER);
                }
                self.timing(pair, &mut clauses.timing);
            }
        }
    }

    pub(super) fn out_of_order(&mut self, (span, what): (Span, &str), (earlier, before): (Span, &str), hint: &str) {
        self.problems.push(
            Diagnostic::error(codes::CLAUSE_ORDER, span, format!("{what} stands before {before}"))
                .here("too late")
                .also(earlier, "stands first")
                .hint(hint),
        );
    }

    fn action(&mut self, pair: Pair<'_>, span: Span) -> Option<Action> {
        let rule = pair.as_rule();
        let mut kind = None;
        let mut payload = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::wrong_colon => self.colon(&part),
                Rule::target if rule == Rule::call => kind = self.target(&part).map(ActionKind::Call),
                Rule::target => kind = self.target(&part).map(ActionKind::Send),
                Rule::wrong_target => self.cut_off(part),
                Rule::plain_name => kind = Some(ActionKind::Run(self.name(&part))),
                Rule::missing_target if rule == Rule::call => {
                    self.gap(&part, "what is called, behind `call`", "write `call hotels.ReserveRoom { … }`");
                }
                Rule::missing_target => self.gap(&part, "what is sent, behind `send`", "write `send mail.Told { … }`"),
                Rule::missing_name => self.gap(&part, "the name of a saga behind `run`", "write `run pay { … }`"),
                _ => self.payload(part, &mut payload),
            }
        }
        Some(Action { kind: kind?, payload, span })
    }

    fn payload(&mut self, pair: Pair<'_>, payload: &mut Option<Expr>) {
        match pair.as_rule() {
            Rule::kw_with => {
                let span = self.span(&pair);
                self.report(
                    codes::FOREIGN_WORD,
                    span,
                    "no word before the braces",
                    "remove it",
                    "write `call hotels.ReserveRoom { key: value }`",
                );
            }
            Rule::wrong_arguments => {
                let span = self.span(&pair);
                self.incomplete = true;
                let hint = "write `call hotels.ReserveRoom { key: value }`";
                self.report(codes::SEPARATOR, span, "what is given stands in braces", "not in parentheses", hint);
            }
            Rule::object => *payload = Some(self.object(pair)),
            _ => {}
        }
    }

    /// `participant.Command`
    pub(super) fn target(&mut self, pair: &Pair<'_>) -> Option<Target> {
        let span = self.span(pair);
        let (mut names, mut count) = ([None, None], 0);
        for name in self.names(pair) {
            if let Some(slot) = names.get_mut(count) {
                *slot = Some(name);
            }
            count += 1;
        }
        let [participant, command] = names;
        match (participant, command, (count > 2).then_some(())) {
            (Some(participant), Some(command), None) => Some(Target { participant, command }),
            (_, None, _) => {
                self.incomplete = true;
                let hint = "write `participant.Command`, such as `hotels.ReserveRoom`";
                self.report(codes::EXPECTED, span, "expected the participant and its command", "only one name", hint);
                None
            }
            _ => {
                self.incomplete = true;
                let hint = "write `participant.Command`, such as `hotels.ReserveRoom`";
                self.report(codes::EXPECTED, span, "expected the participant and its command", "too many names", hint);
                None
            }
        }
    }

    /// `participant.` and nothing behind it.
    pub(super) fn cut_off(&mut self, pair: Pair<'_>) {
        if let Some(missing) = pair.into_inner().nth(1) {
            self.gap(&missing, "the name of a command or message behind `.`", "write `hotels.ReserveRoom`");
        }
    }

    fn compensate(&mut self, pair: Pair<'_>, span: Span) -> Option<Compensate> {
        let (mut target, mut payload) = (None, None);
        let mut kind = Rule::kw_call;
        let mut first: Option<Span> = None;
        let mut end = span;
        let mut timing = Vec::new();
        let mut nothing: Option<Span> = None;
        for part in pair.into_inner() {
            let place = self.span(&part);
            match part.as_rule() {
                Rule::wrong_undo => {
                    let title = format!("`{}` is written `compensate` here", word(&part));
                    self.report(codes::FOREIGN_WORD, place, title, "", "write `compensate service.Command { … }`");
                }
                Rule::wrong_colon => self.colon(&part),
                Rule::kw_nothing => nothing = Some(place),
                Rule::undo_by => {
                    let title = format!("no `{}` behind `compensate`", word(&part));
                    self.report(
                        codes::FOREIGN_WORD,
                        place,
                        title,
                        "remove it",
                        "write `compensate service.Command { … }`",
                    );
                }
                Rule::kw_send | Rule::kw_run => {
                    kind = part.as_rule();
                    first = first.or(Some(place));
                }
                Rule::kw_call => {
                    self.report(
                        codes::FOREIGN_WORD,
                        place,
                        "no `call` behind `compensate`",
                        "remove it",
                        "write `compensate service.Command { … }`",
                    );
                }
                Rule::target => {
                    first = first.or(Some(place));
                    end = place;
                    target = if kind == Rule::kw_run {
                        self.run_name(&part).map(ActionKind::Run)
                    } else {
                        self.compensating(&part, kind)
                    };
                }
                Rule::wrong_target => self.cut_off(part),
                Rule::missing_target => {
                    self.gap(
                        &part,
                        "what takes the step back, behind `compensate`",
                        "write `compensate hotels.CancelRoom { … }` or `compensate nothing`",
                    );
                }
                Rule::timeout | Rule::within | Rule::retry => self.timing(part, &mut timing),
                _ => {
                    end = place;
                    self.payload(part, &mut payload);
                }
            }
        }
        if let Some(nothing) = nothing {
            // Nothing takes no time: these are the step's.
            for misplaced in &timing {
                self.out_of_order((timing_span(misplaced), "this"), (nothing, "`compensate`"), ORDER);
            }
            return Some(Compensate { action: None, timing, span });
        }
        let action = Action { kind: target?, payload, span: first.unwrap_or(span).to(end) };
        Some(Compensate { action: Some(action), timing, span })
    }

    fn compensating(&mut self, pair: &Pair<'_>, kind: Rule) -> Option<ActionKind> {
        let target = self.target(pair)?;
        Some(if kind == Rule::kw_send { ActionKind::Send(target) } else { ActionKind::Call(target) })
    }

    fn run_name(&mut self, pair: &Pair<'_>) -> Option<Name> {
        let span = self.span(pair);
        let (name, more) = {
            let mut names = self.names(pair);
            (names.next(), names.next())
        };
        if more.is_some() {
            self.incomplete = true;
            self.report(
                codes::EXPECTED,
                span,
                "expected the name of a saga",
                "has a `.`",
                "write `compensate run name { … }`",
            );
            return None;
        }
        name
    }
}

/// What a step says.
#[derive(Default)]
struct Clauses {
    action: Option<Action>,
    timing: Vec<Timing>,
    compensate: Option<Compensate>,
}

const fn timing_span(timing: &Timing) -> Span {
    match timing {
        Timing::Timeout(_, span) | Timing::Within(_, span) => *span,
        Timing::Retry(retry) => retry.span,
    }
}

//! Triggers and scenarios.

use super::words::Place;
use super::{Builder, Pair, Rule, Style, Wanted, word};
use crate::diagnostic::codes;
use crate::source::Span;
use crate::syntax::tree::{
    Answer, Called, Expect, ExpectKind, Expr, Happening, HappeningKind, Literal, Name, Reference, Scenario, Text,
    Trigger,
};

impl Builder<'_> {
    pub(super) fn trigger(&mut self, pair: Pair<'_>) -> Option<Trigger> {
        let docs = self.docs(&pair);
        let span = self.span(&pair);
        let (mut name, mut topic, mut event) = (None, None, None);
        let (mut filter, mut start, mut signal) = (None, None, None);
        let mut complete = true;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word => name = Some(self.new_name(&part, Style::Snake)),
                Rule::missing_name => {
                    self.gap(&part, "the trigger's name", "write `trigger order_created { … }`");
                    complete = false;
                }
                Rule::missing_block => {
                    self.gap_of(
                        codes::MISSING_BRACE,
                        &part,
                        "`{` behind the trigger's name",
                        "write `trigger name { on \"topic\" event { … } … }`",
                    );
                    complete = false;
                }
                Rule::on_topic => {
                    topic = self.topic(part);
                    complete &= topic.is_some();
                }
                Rule::on_event => {
                    for shape in part.into_inner() {
                        match shape.as_rule() {
                            Rule::wrong_colon => self.colon(&shape),
                            Rule::missing_type => {
                                self.gap(&shape, "the event's fields behind `event`", "write `event { name: type }`");
                                complete = false;
                            }
                            Rule::record | Rule::shape_name => event = Some(self.shape(shape)),
                            _ => {}
                        }
                    }
                }
                Rule::filter => filter = self.filter(part),
                Rule::start => {
                    let (mut saga, mut payload) = (None, None);
                    for part in part.into_inner() {
                        match part.as_rule() {
                            Rule::word => saga = Some(self.name(&part)),
                            Rule::missing_name => self.gap(&part, "the name of a saga behind `start`", ""),
                            Rule::object => payload = Some(self.object(part)),
                            _ => {}
                        }
                    }
                    start = saga.map(|saga| (saga, payload));
                }
                Rule::signals => {
                    let (mut target, mut payload) = (None, None);
                    for part in part.into_inner() {
                        match part.as_rule() {
                            Rule::reference => target = Some(self.reference(part)),
                            Rule::missing_name => {
                                self.gap(&part, "a signal behind `signal`", "write `signal saga.name { id: … }`");
                            }
                            Rule::object => payload = Some(self.object(part)),
                            _ => {}
                        }
                    }
                    signal = target.map(|target| (target, payload));
                }
                Rule::junk_part => self.junk(part, Place::Trigger, &mut Vec::new()),
                _ => {}
            }
        }
        let name: Name = name?;
        if complete && (topic.is_none() || event.is_none()) {
            self.incomplete = true;
            let lacks = if topic.is_none() { "`on \"topic\"`" } else { "`event { … }`" };
            self.report(
                codes::MISSING_PART,
                name.span,
                format!("this trigger has no {lacks}"),
                "",
                "a trigger says `on \"topic\" event { … }`, and what it starts or signals",
            );
        }
        Some(Trigger { docs, name, topic: topic?, event: event?, filter, start, signal, span })
    }

    pub(super) fn reference(&mut self, pair: Pair<'_>) -> Reference {
        let span = self.span(&pair);
        let mut parts = Vec::new();
        for part in pair.into_inner() {
            let mut names: Vec<Name> = Vec::new();
            let mut indices = Vec::new();
            let mut inner = part.into_inner();
            while let Some(part) = inner.next() {
                match part.as_rule() {
                    Rule::path => names.extend(self.names(&part)),
                    Rule::number | Rule::missing_number => {
                        indices.extend(self.number_slot(&part, &mut inner, Wanted::Count, "a whole number as index"));
                    }
                    _ if !self.silent(&part) => {
                        self.incomplete = true;
                        let place = self.span(&part);
                        self.report(
                            codes::EXPECTED,
                            place,
                            "expected `]`",
                            "cannot follow here",
                            "an index counts from 1: `reserve[2]`",
                        );
                    }
                    _ => {}
                }
            }
            // Indices belong to the last name of the path.
            let last = names.pop();
            parts.extend(names.into_iter().map(|name| (name, Vec::new())));
            parts.extend(last.map(|name| (name, indices)));
        }
        Reference { parts, span }
    }

    pub(super) fn scenario(&mut self, pair: Pair<'_>) -> Option<Scenario> {
        let span = self.span(&pair);
        let (mut title, mut saga): (Option<Text>, Option<Name>) = (None, None);
        let mut given: Option<Expr> = None;
        let (mut happenings, mut expects) = (Vec::new(), Vec::new());
        let mut order: (u8, Span) = (0, span);
        let mut disordered = 0;
        let mut lacking = false;
        for part in pair.into_inner() {
            let place = self.span(&part);
            let rank = match part.as_rule() {
                Rule::given => 1,
                Rule::happening => 2,
                Rule::expect => 3,
                _ => 0,
            };
            if rank > 0 && rank < order.0 {
                disordered += 1;
            }
            if rank > 0 && rank < order.0 && disordered == 1 {
                self.problems.push(
                    crate::diagnostic::Diagnostic::error(
                        codes::CLAUSE_ORDER,
                        place,
                        "a scenario says `given`, then `when`, then `expect`",
                    )
                    .here("too late")
                    .also(order.1, "stands first")
                    .hint("reading order is: the input, what happens, what must come of it"),
                );
            } else if rank >= order.0 && rank > 0 {
                order = (rank, place);
            }
            match part.as_rule() {
                Rule::string => title = Some(self.text(&part)),
                Rule::missing_string => self.gap(
                    &part,
                    "what happens, in quotes, behind `scenario`",
                    "write `scenario \"the card is declined\" for booking { … }`",
                ),
                Rule::missing_word => {
                    self.gap(&part, "`for` behind the scenario's title", "write `scenario \"…\" for booking { … }`");
                }
                Rule::word => saga = Some(self.name(&part)),
                Rule::missing_name => self.gap(&part, "the name of a saga behind `for`", ""),
                Rule::missing_block => {
                    lacking = true;
                    self.gap_of(
                        codes::MISSING_BRACE,
                        &part,
                        "`{` behind the saga's name",
                        "write `scenario \"…\" for booking { … }`",
                    );
                }
                Rule::given if self.once(given.as_ref().map(|given| given.span), place, "`given`") => {
                    given = self.given(part);
                }
                Rule::happening => {
                    happenings.extend(part.into_inner().next().and_then(|what| self.happening(what, place)));
                }
                Rule::expect => {
                    lacking = true;
                    expects.extend(part.into_inner().next().and_then(|what| self.expect(what, place)));
                }
                Rule::junk_part => {
                    lacking = true;
                    self.junk(part, Place::Scenario, &mut Vec::new());
                }
                _ => {}
            }
        }
        let title = title?;
        if !lacking {
            self.incomplete = true;
            self.report(
                codes::MISSING_PART,
                title.span,
                "this scenario expects nothing",
                "",
                "add `expect completed`, `expect compensated \"code\"` or `expect calls …`",
            );
        }
        Some(Scenario { title, saga: saga?, given, happenings, expects, span })
    }

    fn given(&mut self, pair: Pair<'_>) -> Option<Expr> {
        let mut given = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::wrong_colon => self.colon(&part),
                Rule::missing_object => {
                    self.gap(&part, "the input in braces behind `given`", "write `given { name: value }`");
                }
                Rule::object => given = Some(self.object(part)),
                _ => {}
            }
        }
        given
    }

    /// What stands behind `when`.
    pub(super) fn happening(&mut self, what: Pair<'_>, span: Span) -> Option<Happening> {
        let kind = match what.as_rule() {
            Rule::arrives => self.arrives(what)?,
            Rule::cancelled => {
                let after =
                    what.into_inner().find(|part| part.as_rule() == Rule::after).and_then(|part| self.after(part));
                HappeningKind::Cancelled { after }
            }
            Rule::answer => self.answer(what)?,
            _ => {
                self.gap(&what, "what happens, behind `when`", "write `when step fails \"code\"`, `when step times out`, `when cancelled after 5s` or `when signal x arrives`");
                return None;
            }
        };
        Some(Happening { kind, span })
    }

    fn arrives(&mut self, pair: Pair<'_>) -> Option<HappeningKind> {
        let (mut signal, mut payload, mut after) = (None, None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::reference => signal = Some(self.reference(part)),
                Rule::missing_name => self.gap(&part, "the signal's name", ""),
                Rule::missing_word => self.gap(
                    &part,
                    "`arrives` behind the signal's name",
                    "write `when signal approval arrives { … } after 2h`",
                ),
                Rule::object => payload = Some(self.object(part)),
                Rule::after => after = self.after(part),
                _ => {}
            }
        }
        Some(HappeningKind::Signal { signal: signal?, payload, after })
    }

    fn after(&mut self, pair: Pair<'_>) -> Option<Literal> {
        let mut inner = pair.into_inner();
        let part = inner.next()?;
        self.number_slot(&part, &mut inner, Wanted::Duration, "a duration behind `after`")
    }

    fn answer(&mut self, pair: Pair<'_>) -> Option<HappeningKind> {
        let (mut called, mut what, mut times) = (None, None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::called => called = self.called(part),
                Rule::missing_clause => {
                    self.gap(
                        &part,
                        "what the step does",
                        "write `fails \"code\"`, `times out`, `stays pending` or `replies { … }` behind its name",
                    );
                }
                Rule::answer_fails => {
                    let mut code = None;
                    for part in part.into_inner() {
                        match part.as_rule() {
                            Rule::kw_with => self.needless(&part, "write `fails \"code\"`"),
                            _ => code = self.text_slot(&part, "a code", "a code in quotes"),
                        }
                    }
                    what = Some(Answer::Fails(code));
                }
                Rule::answer_late => {
                    for gap in part.into_inner().filter(|part| part.as_rule() == Rule::missing_word) {
                        self.gap(&gap, "`out` behind `times`", "write `when step times out`");
                    }
                    what = Some(Answer::TimesOut);
                }
                Rule::answer_pending => {
                    for gap in part.into_inner().filter(|part| part.as_rule() == Rule::missing_word) {
                        self.gap(&gap, "`pending` behind `stays`", "write `when step stays pending`");
                    }
                    what = Some(Answer::StaysPending);
                }
                Rule::answer_replies => {
                    for part in part.into_inner() {
                        match part.as_rule() {
                            Rule::kw_with => self.needless(&part, "write `replies { … }`"),
                            Rule::missing_object => self.gap(&part, "the reply in braces behind `replies`", ""),
                            Rule::object => what = Some(Answer::Replies(self.object(part))),
                            _ => {}
                        }
                    }
                }
                Rule::often => {
                    let mut inner = part.into_inner();
                    while let Some(part) = inner.next() {
                        match part.as_rule() {
                            Rule::number => {
                                times =
                                    self.number_slot(&part, &mut inner, Wanted::Count, "a whole number before `times`");
                            }
                            Rule::missing_word => self.gap(&part, "`times` behind the number", ""),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        Some(HappeningKind::Answer { called: called?, what: what?, times })
    }

    fn needless(&mut self, pair: &Pair<'_>, hint: &str) {
        let span = self.span(pair);
        self.report(codes::FOREIGN_WORD, span, format!("no `{}` here", word(pair)), "remove it", hint);
    }

    fn called(&mut self, pair: Pair<'_>) -> Option<Called> {
        let mut undo = false;
        let mut step = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::kw_undo => undo = true,
                Rule::reference => step = Some(self.reference(part)),
                Rule::missing_name => self.gap(&part, "the name of a step", ""),
                _ => {}
            }
        }
        Some(Called { undo, step: step? })
    }

    /// What stands behind `expect`.
    pub(super) fn expect(&mut self, what: Pair<'_>, span: Span) -> Option<Expect> {
        let kind = match what.as_rule() {
            Rule::completed => {
                let mut output = None;
                for part in what.into_inner() {
                    match part.as_rule() {
                        Rule::kw_with => self.needless(&part, "write `expect completed { … }`"),
                        Rule::object => output = Some(self.object(part)),
                        _ => {}
                    }
                }
                ExpectKind::Completed(output)
            }
            Rule::compensated => {
                let mut code = None;
                for part in what.into_inner() {
                    match part.as_rule() {
                        Rule::kw_with => self.needless(&part, "write `expect compensated \"code\"`"),
                        _ => code = self.text_slot(&part, "a code", "a code in quotes"),
                    }
                }
                ExpectKind::Compensated(code)
            }
            Rule::stuck => {
                let called =
                    what.into_inner().find(|part| part.as_rule() == Rule::called).and_then(|part| self.called(part));
                ExpectKind::Stuck(called?)
            }
            Rule::calls | Rule::lone_calls => ExpectKind::Calls(
                what.into_inner()
                    .filter(|part| matches!(part.as_rule(), Rule::called | Rule::lone_called))
                    .filter_map(|part| self.called(part))
                    .collect(),
            ),
            _ => {
                self.gap(&what, "how it ends, or what it calls,", "write `expect completed`, `expect compensated \"code\"`, `expect stuck step` or `expect calls a, b, undo a`");
                return None;
            }
        };
        Some(Expect { kind, span })
    }
}

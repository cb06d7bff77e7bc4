//! Where members begin, what separates them, and which signs stand without space: read off the tree.

use std::collections::BTreeSet;

use crate::source::Span;
use crate::syntax::scan::{Token, TokenKind};
use crate::syntax::tree::{
    Block, Compensate, Defaults, Expr, ExprKind, File, Head, Item, ParticipantItem, Record, Saga, Scenario, Statement,
    StatementKind, Step, Timing, Trigger, TypeExpr, TypeExprKind,
};

/// Places of a text, by the offset of the token there.
#[derive(Default)]
pub(super) struct Marks {
    /// Has a line of its own where the group around it has lines.
    members: BTreeSet<u32>,
    /// Members that `,` separates on one line.
    listed: BTreeSet<u32>,
    /// `,` that the layout writes itself.
    separators: BTreeSet<u32>,
    /// Begins a line behind a block that has lines.
    lines: BTreeSet<u32>,
    /// Begins a clause that shares the line of the one before.
    clauses: BTreeSet<u32>,
    /// `<` of types.
    angles: BTreeSet<u32>,
    /// `>` of types.
    closing_angles: BTreeSet<u32>,
    /// `[` of lists.
    lists: BTreeSet<u32>,
}

impl Marks {
    pub(super) fn of(file: &File, text: &str, tokens: &[Token]) -> Self {
        let mut reader = Reader { marks: Self::default(), text, tokens };
        file.items.iter().for_each(|item| reader.item(item));
        reader.marks
    }

    pub(super) fn is_member(&self, at: u32) -> bool {
        self.members.contains(&at)
    }

    pub(super) fn is_listed(&self, at: u32) -> bool {
        self.listed.contains(&at)
    }

    pub(super) fn is_separator(&self, at: u32) -> bool {
        self.separators.contains(&at)
    }

    pub(super) fn begins_line(&self, at: u32) -> bool {
        self.lines.contains(&at)
    }

    pub(super) fn is_clause(&self, at: u32) -> bool {
        self.clauses.contains(&at)
    }

    /// No space behind it.
    pub(super) fn is_tight(&self, at: u32) -> bool {
        self.angles.contains(&at)
    }

    /// No space before it.
    pub(super) fn is_tight_before(&self, at: u32) -> bool {
        self.angles.contains(&at) || self.closing_angles.contains(&at)
    }

    pub(super) fn may_break(&self, at: u32) -> bool {
        self.lists.contains(&at)
    }
}

struct Reader<'a> {
    marks: Marks,
    text: &'a str,
    tokens: &'a [Token],
}

impl Reader<'_> {
    fn member(&mut self, span: Span) {
        self.marks.members.insert(span.start);
    }

    /// The token before a place: the keyword of a clause of which the tree keeps only what stands behind it.
    fn keyword(&self, span: Span) -> Option<u32> {
        let index = self.tokens.partition_point(|token| token.start < span.start).checked_sub(1)?;
        self.tokens.get(index).map(|token| token.start)
    }

    fn member_before(&mut self, span: Span) {
        self.marks.members.extend(self.keyword(span));
    }

    /// Tokens inside a span that stand in no inner bracket.
    fn outer(&self, span: Span) -> impl Iterator<Item = Token> {
        let first = self.tokens.partition_point(|token| token.start <= span.start);
        let mut depth = 0_usize;
        self.tokens.iter().skip(first).copied().take_while(move |token| token.end < span.end).filter(move |token| {
            match token.kind {
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth = depth.saturating_sub(1),
                TokenKind::Word | TokenKind::Number | TokenKind::Text | TokenKind::Mark => {}
            }
            depth == 0
        })
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Use(item) => self.member(item.span),
            Item::Type(item) => {
                self.member(item.span);
                self.ty(&item.body);
            }
            Item::Participant(participant) => {
                self.member(participant.span);
                participant.items.iter().for_each(|item| self.participant_item(item));
            }
            Item::Saga(saga) => self.saga(saga),
            Item::Trigger(trigger) => self.trigger(trigger),
            Item::Scenario(scenario) => self.scenario(scenario),
        }
    }

    fn participant_item(&mut self, item: &ParticipantItem) {
        match item {
            ParticipantItem::Commands(_, span)
            | ParticipantItem::Events(_, span)
            | ParticipantItem::AnswersQueries(span) => {
                self.member(*span);
            }
            ParticipantItem::AtMost(limit) => self.member(limit.span),
            ParticipantItem::Command(command) => {
                self.member(command.span);
                command.request.iter().chain(&command.returns).for_each(|shape| self.ty(shape));
            }
            ParticipantItem::Message(message) => {
                self.member(message.span);
                message.shape.iter().for_each(|shape| self.ty(shape));
            }
        }
    }

    fn saga(&mut self, saga: &Saga) {
        self.member(saga.span);
        for head in &saga.heads {
            match head {
                Head::Version(_, span) | Head::Coordination(_, span) | Head::Deadline(_, span) => self.member(*span),
                Head::Input(shape, span) => {
                    self.member(*span);
                    self.ty(shape);
                }
                Head::Signal(signal) => {
                    self.member(signal.span);
                    signal.shape.iter().for_each(|shape| self.ty(shape));
                }
                Head::Defaults(defaults) => self.defaults(defaults),
            }
        }
        self.block(&saga.body);
        if let Some(output) = &saga.output {
            self.member_before(output.span);
            self.expr(output);
        }
    }

    fn defaults(&mut self, defaults: &Defaults) {
        self.member(defaults.span);
        defaults.timing.iter().for_each(|timing| self.timing(timing));
        let mut rest = defaults.compensate.iter();
        // The first stands behind its `compensate`, which is the member.
        if let Some(first) = rest.next() {
            let span = timing_span(first);
            self.member_before(span);
            self.within(first);
        }
        for timing in rest {
            self.marks.clauses.insert(timing_span(timing).start);
            self.within(timing);
        }
    }

    fn timing(&mut self, timing: &Timing) {
        self.member(timing_span(timing));
        self.within(timing);
    }

    fn within(&mut self, timing: &Timing) {
        if let Timing::Within(expr, _) = timing {
            self.expr(expr);
        }
    }

    fn block(&mut self, block: &Block) {
        block.statements.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &Statement) {
        self.member(statement.span);
        match &statement.kind {
            StatementKind::Step(step) => self.step(step),
            StatementKind::Pivot => {}
            StatementKind::Parallel(block) | StatementKind::Sequence(block) => self.block(block),
            StatementKind::When(when) => {
                for arm in &when.arms {
                    self.expr(&arm.condition);
                    self.block(&arm.block);
                }
                when.otherwise.iter().for_each(|block| self.block(block));
            }
            StatementKind::ForEach(each) => {
                self.expr(&each.list);
                each.filter.iter().for_each(|filter| self.expr(filter));
                self.block(&each.block);
            }
            StatementKind::Repeat(repeat) => {
                self.block(&repeat.block);
                repeat.until.iter().for_each(|until| self.expr(until));
                if let Some(otherwise) = &repeat.otherwise {
                    self.marks.lines.extend(self.keyword(otherwise.span));
                    self.block(otherwise);
                }
            }
            StatementKind::Try(attempt) => {
                attempt.within.iter().for_each(|within| self.expr(within));
                self.block(&attempt.block);
                attempt.catches.iter().for_each(|catch| self.block(&catch.block));
            }
            StatementKind::Await(wait) => {
                wait.filter.iter().chain(&wait.within).for_each(|expr| self.expr(expr));
                wait.otherwise.iter().for_each(|block| self.block(block));
            }
            StatementKind::Sleep(sleep) => self.expr(&sleep.expr),
            StatementKind::Let(value) => self.expr(&value.value),
            StatementKind::Fail(fail) => fail.message.iter().for_each(|message| self.expr(message)),
        }
    }

    fn step(&mut self, step: &Step) {
        if let Some(action) = &step.action {
            self.member(action.span);
            action.payload.iter().for_each(|payload| self.expr(payload));
        }
        step.timing.iter().for_each(|timing| self.timing(timing));
        if let Some(Compensate { action, timing, span }) = &step.compensate {
            self.member(*span);
            action.iter().filter_map(|action| action.payload.as_ref()).for_each(|payload| self.expr(payload));
            for timing in timing {
                self.within(timing);
            }
        }
    }

    fn trigger(&mut self, trigger: &Trigger) {
        self.member(trigger.span);
        self.member_before(trigger.topic.span);
        self.member_before(trigger.event.span);
        self.ty(&trigger.event);
        if let Some(filter) = &trigger.filter {
            self.member_before(filter.span);
            self.expr(filter);
        }
        if let Some((saga, payload)) = &trigger.start {
            self.member_before(saga.span);
            if let Some(payload) = payload {
                self.expr(payload);
            }
        }
        if let Some((signal, payload)) = &trigger.signal {
            self.member_before(signal.span);
            if let Some(payload) = payload {
                self.expr(payload);
            }
        }
    }

    fn scenario(&mut self, scenario: &Scenario) {
        use crate::syntax::tree::{Answer, ExpectKind, HappeningKind};
        self.member(scenario.span);
        if let Some(given) = &scenario.given {
            self.member_before(given.span);
            self.expr(given);
        }
        for happening in &scenario.happenings {
            self.member(happening.span);
            match &happening.kind {
                HappeningKind::Signal { payload: Some(payload), .. } => self.expr(payload),
                HappeningKind::Answer { what: Answer::Replies(reply), .. } => self.expr(reply),
                HappeningKind::Signal { .. } | HappeningKind::Cancelled { .. } | HappeningKind::Answer { .. } => {}
            }
        }
        for expect in &scenario.expects {
            self.member(expect.span);
            if let ExpectKind::Completed(Some(output)) = &expect.kind {
                self.expr(output);
            }
        }
    }

    fn ty(&mut self, ty: &TypeExpr) {
        match &ty.kind {
            TypeExprKind::Named(_) | TypeExprKind::Choice(_) => {}
            TypeExprKind::List(element) | TypeExprKind::Map(element) => {
                self.marks.angles.extend(self.keyword(element.span));
                let behind = self.tokens.partition_point(|token| token.start < element.span.end);
                self.marks.closing_angles.extend(self.tokens.get(behind).map(|token| token.start));
                self.ty(element);
            }
            TypeExprKind::Optional(ty) => self.ty(ty),
            TypeExprKind::Record(record) => self.record(record),
        }
    }

    fn record(&mut self, record: &Record) {
        self.separators(record.span);
        for field in &record.fields {
            self.member(field.span);
            self.marks.listed.insert(field.span.start);
            self.ty(&field.ty);
        }
    }

    fn separators(&mut self, span: Span) {
        let commas: Vec<u32> = self
            .outer(span)
            .filter(|token| self.text.as_bytes().get(token.start as usize) == Some(&b','))
            .map(|token| token.start)
            .collect();
        self.marks.separators.extend(commas);
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Text(_) | ExprKind::Int(_) | ExprKind::Decimal(_) | ExprKind::Duration(_) => {}
            ExprKind::Bool(_) | ExprKind::Null | ExprKind::Name(_) => {}
            ExprKind::Field(of, _) | ExprKind::Every(of) | ExprKind::Not(of) | ExprKind::Negate(of) => self.expr(of),
            ExprKind::Index(of, index) => {
                self.expr(of);
                self.expr(index);
            }
            ExprKind::Call(_, arguments) => arguments.iter().for_each(|argument| self.expr(argument)),
            ExprKind::Object(entries) => {
                self.separators(expr.span);
                for (key, value) in entries {
                    self.member(key.span);
                    self.marks.listed.insert(key.span.start);
                    self.expr(value);
                }
            }
            ExprKind::List(elements) => {
                self.marks.lists.insert(expr.span.start);
                for element in elements {
                    self.member(element.span);
                    self.expr(element);
                }
            }
            ExprKind::Binary(_, _, sides) => {
                self.expr(&sides.0);
                self.expr(&sides.1);
            }
            ExprKind::If(parts) => {
                self.expr(&parts.0);
                self.expr(&parts.1);
                self.expr(&parts.2);
            }
        }
    }
}

const fn timing_span(timing: &Timing) -> Span {
    match timing {
        Timing::Timeout(_, span) | Timing::Within(_, span) => *span,
        Timing::Retry(retry) => retry.span,
    }
}

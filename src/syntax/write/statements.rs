//! Statements of the text form.

use std::fmt::Write as _;

use super::items::{codes, object, timings};
use super::{Writer, expr, quoted};
use crate::syntax::tree::{Action, ActionKind, Block, Compensate, Expr, Statement, StatementKind, Step, Target};

impl Writer {
    pub(super) fn statement(&mut self, statement: &Statement) {
        match &statement.kind {
            StatementKind::Step(step) => self.step(step),
            StatementKind::Pivot => self.line("pivot"),
            StatementKind::Parallel(block) => self.block("parallel", block),
            StatementKind::Sequence(block) => self.block("sequence", block),
            StatementKind::When(when) => {
                for (index, arm) in when.arms.iter().enumerate() {
                    let otherwise = if index == 0 { "" } else { "otherwise " };
                    self.block(&format!("{otherwise}when {}", condition(&arm.condition)), &arm.block);
                }
                self.block_if("otherwise", when.otherwise.as_ref());
            }
            StatementKind::ForEach(each) => {
                let filter =
                    each.filter.as_ref().map(|filter| format!(" where {}", condition(filter))).unwrap_or_default();
                let window =
                    each.window.as_ref().map(|count| format!(", at most {} at once", count.text)).unwrap_or_default();
                let head = format!("for each {} in {}{filter}{window}", each.element.text, condition(&each.list));
                self.block(&head, &each.block);
            }
            StatementKind::Repeat(repeat) => {
                self.block(&format!("repeat at most {} times", repeat.times.text), &repeat.block);
                if let Some(until) = &repeat.until {
                    self.line(&format!("until {}", condition(until)));
                }
                self.block_if("otherwise", repeat.otherwise.as_ref());
            }
            StatementKind::Try(attempt) => {
                let within = attempt.within.as_ref().map(|within| format!(" within {}", condition(within)));
                self.block(&format!("try{}", within.unwrap_or_default()), &attempt.block);
                for catch in &attempt.catches {
                    let space = if catch.codes.is_empty() { "" } else { " " };
                    self.block(&format!("catch{space}{}", codes(&catch.codes)), &catch.block);
                }
            }
            StatementKind::Await(wait) => {
                let mut line = format!("await {}", wait.signal.text);
                if let Some(alias) = &wait.alias {
                    let _ = write!(line, " as {}", alias.text);
                }
                for (word, part) in [("where", &wait.filter), ("within", &wait.within)] {
                    if let Some(part) = part {
                        let _ = write!(line, " {word} {}", condition(part));
                    }
                }
                match &wait.otherwise {
                    Some(block) => self.block(&format!("{line} otherwise"), block),
                    None => self.line(&line),
                }
            }
            StatementKind::Sleep(sleep) => {
                let until = if sleep.until { "until " } else { "" };
                self.line(&format!("sleep {until}{}", expr(&sleep.expr)));
            }
            StatementKind::Let(value) => self.line(&format!("let {} = {}", value.name.text, expr(&value.value))),
            StatementKind::Fail(fail) => {
                let message = fail.message.as_ref().map(|message| format!(", {}", expr(message)));
                self.line(&format!("fail {}{}", quoted(&fail.code.value), message.unwrap_or_default()));
            }
        }
    }

    fn block(&mut self, head: &str, block: &Block) {
        if block.statements.is_empty() {
            return self.line(&format!("{head} {{ }}"));
        }
        self.group(head, |writer| block.statements.iter().for_each(|statement| writer.statement(statement)));
    }

    fn block_if(&mut self, head: &str, block: Option<&Block>) {
        if let Some(block) = block {
            self.block(head, block);
        }
    }

    fn step(&mut self, step: &Step) {
        let head = format!("{}step {}", if step.pivot.is_some() { "pivot " } else { "" }, step.name.text);
        let mut clauses: Vec<String> = step.action.iter().map(|step| action(step, "call ")).collect();
        clauses.extend(timings(&step.timing));
        if let Some(Compensate { action: undo, timing, .. }) = &step.compensate {
            let mut clause = format!("compensate {}", undo.as_ref().map_or("nothing".into(), |undo| action(undo, "")));
            for timing in timings(timing) {
                let _ = write!(clause, " {timing}");
            }
            clauses.push(clause);
        }
        match clauses.as_slice() {
            [] => self.line(&format!("{head} {{ }}")),
            [only] => self.line(&format!("{head} {{ {only} }}")),
            _ => self.group(&head, |writer| clauses.iter().for_each(|clause| writer.line(clause))),
        }
    }
}

/// `call p.C { … }`; behind `compensate` without the word.
fn action(action: &Action, call: &str) -> String {
    let target = |target: &Target| format!("{}.{}", target.participant.text, target.command.text);
    let head = match &action.kind {
        ActionKind::Call(to) => format!("{call}{}", target(to)),
        ActionKind::Send(to) => format!("send {}", target(to)),
        ActionKind::Run(saga) => format!("run {}", saga.text),
    };
    format!("{head}{}", object(action.payload.as_ref()))
}

/// An expression before a block: one that begins with `{` would be read as that block.
pub(super) fn condition(condition: &Expr) -> String {
    let written = expr(condition);
    if written.starts_with('{') { format!("({written})") } else { written }
}

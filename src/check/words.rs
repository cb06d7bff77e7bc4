//! Names that are longer than a word of a message may be: nobody could read the command, and nobody would answer it.

use crate::definition::limits::MAX_WORD;
use crate::definition::{Compensation, Program, Statement, StatementKind, Step, blocks};
use crate::diagnostic::{Diagnostic, Problems, codes};
use crate::source::Span;

/// What a loop adds to a place, at most.
const INDEX: usize = "[1000]".len();

pub(super) fn check(program: &Program, problems: &mut Problems) {
    let mut words = Words { problems };
    for participant in program.participants.values() {
        for command in participant.commands.values().chain(participant.messages.values()) {
            words.word("the command's name", command.wire.len(), command.span);
            for code in &command.fails {
                words.word("a code of the command", code.len(), command.span);
            }
        }
    }
    for saga in program.sagas.values() {
        words.word("the saga's name", saga.name.len(), saga.span);
        words.statements(&saga.body, 0);
    }
}

struct Words<'p> {
    problems: &'p mut Problems,
}

impl Words<'_> {
    fn statements(&mut self, statements: &[Statement], loops: usize) {
        for statement in statements {
            match &statement.kind {
                StatementKind::Step(step) => self.step(step, loops),
                StatementKind::Run(run) => self.step(&run.step, loops),
                _ => {}
            }
            let is_loop = matches!(statement.kind, StatementKind::ForEach(_) | StatementKind::Repeat(_));
            for block in blocks(statement) {
                self.statements(block, loops + usize::from(is_loop));
            }
        }
    }

    fn step(&mut self, step: &Step, loops: usize) {
        let what = "the step's place, which is made of its name and those of the steps that run its saga,";
        self.word(what, step.name.len() + loops * INDEX, step.span);
        if let Compensation::Run(run) = &step.compensation {
            self.statements(&run.body, loops);
        }
    }

    fn word(&mut self, what: &str, bytes: usize, span: Span) {
        if bytes > MAX_WORD {
            let title = format!("{what} takes {bytes} bytes in a message, and the limit is {MAX_WORD}");
            self.problems.push(Diagnostic::error(codes::TOO_LARGE, span, title).hint("give it a shorter name"));
        }
    }
}

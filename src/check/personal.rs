//! Where personal data gets into what is shown as it is: the message of a failure.

use std::collections::BTreeSet;

use crate::definition::Program;
use crate::definition::personal::{Message, Veils};
use crate::diagnostic::{Diagnostic, Problems, codes};

pub(super) fn check(program: &Program, problems: &mut Problems) {
    let mut messages: Vec<Message> = Vec::new();
    for saga in program.sagas.values() {
        messages.extend(Veils::of(saga).messages());
    }
    // What a saga says of its own data needs nobody who runs it.
    messages.sort_by_key(|message| message.run.is_some());
    let mut said = BTreeSet::new();
    for Message { span, run } in messages {
        if !said.insert(span) {
            continue;
        }
        let title = "this message is made of personal data, and is shown to everybody";
        let finding = Diagnostic::warning(codes::PERSONAL_MESSAGE, span, title)
            .why("Lists, histories, logs and traces show the message of a failure as it is.")
            .hint("say what is wrong without the value");
        problems.push(match run {
            Some(run) => finding.also(run, "what is given here is personal"),
            None => finding,
        });
    }
}

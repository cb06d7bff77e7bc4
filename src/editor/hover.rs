//! What a name is, as Markdown: its declaration in short, then its documentation.

use super::index::{Index, Symbol};
use super::types::{Given, shape, value};
use crate::definition::{Command, Participant, Program, Verb};

pub(super) fn text(program: &Program, index: &Index, symbol: &Symbol) -> Option<String> {
    match symbol {
        Symbol::Type(name) => {
            let ty = program.types.get(name)?;
            let body = match ty {
                crate::definition::types::Type::Record(record) => format!(" {}", shape(record)),
                other => format!(" = {other}"),
            };
            Some(block(&format!("type {name}{body}"), None))
        }
        Symbol::Participant(name) => {
            let participant = program.participants.get(name)?;
            Some(block(&declared(participant), participant.docs.as_deref()))
        }
        Symbol::Command(participant, name) => {
            let owner = program.participants.get(participant)?;
            if let Some(message) = owner.messages.get(name) {
                let code = format!("message {participant}.{name} {}", shape(&message.request));
                return Some(block(&code, message.docs.as_deref()));
            }
            let command = owner.commands.get(name)?;
            Some(block(&format!("command {participant}.{}", contract(command)), command.docs.as_deref()))
        }
        Symbol::Saga(name) => {
            let saga = program.sagas.get(name)?;
            let code = format!("saga {name} {{ version {}  input {} }}", saga.version, shape(&saga.input));
            Some(block(&code, saga.docs.as_deref()))
        }
        Symbol::Trigger(name) => {
            let trigger = program.triggers.iter().find(|trigger| trigger.name == *name)?;
            let code = format!("trigger {name} {{ on \"{}\" event {} }}", trigger.topic, shape(&trigger.event));
            Some(block(&code, trigger.docs.as_deref()))
        }
        Symbol::File(_) => None,
        Symbol::Input(saga) => {
            let saga = program.sagas.get(saga)?;
            Some(block(&format!("input {}", shape(&saga.input)), None))
        }
        Symbol::Value(saga, name) => match value(program.sagas.get(saga)?, name)? {
            Given::Run(run) => {
                let pivot = if run.step.pivot { "pivot " } else { "" };
                let docs = program.sagas.get(&run.saga).and_then(|saga| saga.docs.as_deref());
                let docs = docs.map(|docs| format!("\n\n{docs}")).unwrap_or_default();
                let code = format!("{pivot}step {name}: {}", run.output.ty);
                Some(block(&code, Some(&format!("runs `{}`{docs}", run.saga))))
            }
            Given::Let(ty) => Some(block(&format!("let {name}: {ty}"), None)),
            Given::Element(_) => {
                let ty = super::types::root(program, saga, name)?;
                Some(block(&format!("for each {name}: {ty}"), None))
            }
            Given::Signal(signal) => {
                Some(block(&format!("signal {} {}", signal.name, shape(&signal.shape)), signal.docs.as_deref()))
            }
            Given::Step(step) => {
                let pivot = if step.pivot { "pivot " } else { "" };
                let Some(action) = &step.action else { return Some(block(&format!("{pivot}step {name}"), None)) };
                let (participant, asked) = (&action.participant.name, &action.command);
                let (code, words) = match action.verb {
                    Verb::Call => (
                        format!("{pivot}step {name}: {}", shape(&asked.reply)),
                        format!("calls `{participant}.{}`", contract(asked)),
                    ),
                    Verb::Send => (
                        format!("{pivot}step {name}"),
                        format!("sends `{participant}.{} {}`", asked.name, shape(&asked.request)),
                    ),
                };
                let docs = asked.docs.as_deref().map(|docs| format!("\n\n{docs}")).unwrap_or_default();
                Some(block(&code, Some(&format!("{words}{docs}"))))
            }
        },
        Symbol::Field(declared) => index.field(*declared).map(ToOwned::to_owned),
        Symbol::Code(code) => Some(failure(program, code)),
    }
}

fn block(code: &str, docs: Option<&str>) -> String {
    let docs = docs.map(|docs| format!("\n\n{docs}")).unwrap_or_default();
    format!("```saga\n{code}\n```{docs}")
}

fn declared(participant: &Participant) -> String {
    let queries = if participant.answers_queries { "  answers queries" } else { "" };
    format!("participant {} {{ commands \"{}\"{queries} }}", participant.name, participant.commands_topic)
}

fn contract(command: &Command) -> String {
    let fails: Vec<String> = command.fails.iter().map(|code| format!("\"{code}\"")).collect();
    let fails = if fails.is_empty() { String::new() } else { format!(" fails {}", fails.join(", ")) };
    format!("{} {} returns {}{fails}", command.name, shape(&command.request), shape(&command.reply))
}

/// Who can give a code.
fn failure(program: &Program, code: &str) -> String {
    let mut by: Vec<String> = Vec::new();
    for participant in program.participants.values() {
        let commands = participant.commands.values().filter(|command| command.fails.iter().any(|known| known == code));
        by.extend(commands.map(|command| format!("- `{}.{}` refuses with it", participant.name, command.name)));
    }
    if crate::definition::ENGINE_CODES.contains(&code) {
        by.push("- the engine gives it".to_owned());
    }
    block(&format!("\"{code}\""), Some(&format!("a failure code\n\n{}", by.join("\n"))))
}

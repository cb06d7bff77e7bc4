//! Topics: each belongs to one participant, none is the engine's own, and triggers read events.

use compact_str::CompactString;
use indexmap::IndexMap;

use crate::definition::{Participant, Program};
use crate::diagnostic::{Diagnostic, Problems, codes};
use crate::source::Span;

/// Topics that begin so are the engine's.
const ENGINE_PREFIX: &str = "saga.";

/// The longest name that Kafka takes.
const MAX_TOPIC_BYTES: usize = 249;

/// Topics that a definition names and that are a deployment's own, whose prefix is no part of the definition.
#[must_use]
pub fn on_own_topics(program: &Program, is_own: impl Fn(&str) -> bool) -> Vec<Diagnostic> {
    let of_participants = program.participants.values().flat_map(|participant| {
        let topics = [&participant.commands_topic, &participant.events_topic].into_iter();
        topics.map(|topic| (topic, participant.span, format!("the participant `{}`", participant.name)))
    });
    let triggers = program.triggers.iter();
    let of_triggers = triggers.map(|trigger| (&trigger.topic, trigger.span, format!("the trigger `{}`", trigger.name)));
    let found = of_participants.chain(of_triggers).filter(|(topic, ..)| is_own(topic));
    let told = |(topic, at, who): (&CompactString, Span, String)| {
        Diagnostic::error(codes::TOPIC_NAME, at, format!("the topic \"{topic}\" of {who} is the deployment's own"))
            .why("By the prefix that is given it is that of its requests, replies, journal or definitions, or of what was set aside.")
            .hint("choose another name, or another `--prefix`")
    };
    found.map(told).collect()
}

pub(super) fn check(program: &Program, problems: &mut Problems) {
    let mut owners: IndexMap<&CompactString, &Participant> = IndexMap::new();
    for participant in program.participants.values() {
        for topic in [&participant.commands_topic, &participant.events_topic] {
            well_named(topic, participant.span, &format!("{}.commands", participant.name), problems);
            if let Some(first) = owners.get(topic).copied() {
                shared(topic, first, participant, problems);
            } else {
                owners.insert(topic, participant);
            }
        }
    }
    for trigger in &program.triggers {
        well_named(&trigger.topic, trigger.span, "shop.orders", problems);
        let whose = owners.get(&trigger.topic).filter(|owner| owner.commands_topic == trigger.topic);
        if let Some(participant) = whose {
            let title = format!("\"{}\" holds the commands of `{}`", trigger.topic, participant.name);
            problems.push(
                Diagnostic::error(codes::TRIGGER_ON_COMMANDS, trigger.span, title)
                    .also(participant.span, "reads it")
                    .why("Commands are meant for their participant, who takes them away.")
                    .hint("name a topic on which events are written"),
            );
        }
    }
}

fn shared(topic: &str, first: &Participant, second: &Participant, problems: &mut Problems) {
    let (title, hint) = if first.name == second.name {
        (
            format!("`{}` has its commands and its events on one topic, \"{topic}\"", first.name),
            "give the events a topic of their own",
        )
    } else {
        let title = format!("`{}` and `{}` share the topic \"{topic}\"", first.name, second.name);
        (title, "give each its own: `commands \"…\"`, `events \"…\"`")
    };
    let finding = Diagnostic::error(codes::TOPIC_SHARED, second.span, title)
        .why("A participant takes everything on its topic, so it would get what is meant for another.")
        .hint(hint);
    problems.push(if first.name == second.name { finding } else { finding.also(first.span, "has it too") });
}

fn well_named(topic: &str, at: Span, example: &str, problems: &mut Problems) {
    let title = if topic.starts_with(ENGINE_PREFIX) {
        format!("the topic \"{topic}\" is the engine's own")
    } else if topic.is_empty() || topic.len() > MAX_TOPIC_BYTES || topic == "." || topic == ".." {
        format!("\"{topic}\" cannot be the name of a topic: it must have 1 to {MAX_TOPIC_BYTES} characters")
    } else if !topic.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')) {
        format!("\"{topic}\" cannot be the name of a topic: only letters, digits, `.`, `_` and `-` can stand in it")
    } else {
        return;
    };
    let finding = Diagnostic::error(codes::TOPIC_NAME, at, title);
    problems.push(if topic.starts_with(ENGINE_PREFIX) {
        finding
            .why("Names that begin with `saga.` are those of the engine's requests, journals and replies.")
            .hint(format!("choose another name, such as \"{example}\""))
    } else {
        finding.hint(format!("for example \"{example}\""))
    });
}

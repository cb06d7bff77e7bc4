//! What could stand where the text ends: looked up by the words right before it, since what is being written is no
//! sentence yet.

use std::sync::Arc;

use compact_str::CompactString;

use super::index::{Index, Symbol};
use super::types::{field, root, shape, values};
use crate::definition::types::{Record, Type};
use crate::definition::{Command, ENGINE_CODES, Program};
use crate::syntax::Place;
use crate::syntax::tree::{File, Item};

/// What a suggestion or an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A type.
    Type,
    /// A participant.
    Participant,
    /// A command.
    Command,
    /// A saga.
    Saga,
    /// A scenario.
    Scenario,
    /// A step, `let` or other value.
    Value,
    /// A field.
    Field,
    /// A failure code.
    Code,
    /// A word of the language.
    Keyword,
    /// A function.
    Function,
}

/// A suggestion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// What is inserted.
    pub label: String,
    /// What it is.
    pub what: What,
    /// Its type or shape.
    pub detail: String,
    /// Its documentation.
    pub docs: Option<String>,
}

fn one(label: impl Into<String>, what: What, detail: impl Into<String>, docs: Option<&String>) -> Completion {
    Completion { label: label.into(), what, detail: detail.into(), docs: docs.cloned() }
}

/// How far back the beginning of an object is looked for.
const LOOK_BACK_MAX: usize = 16 * 1024;

const FUNCTIONS: [&str; 12] =
    ["id", "count", "sum", "min", "max", "any", "all", "contains", "present", "rounded", "length", "text"];
const ROOTS: [&str; 5] = ["input", "saga", "failure", "round", "previous"];
const TYPES: [&str; 9] = ["string", "int", "decimal", "bool", "timestamp", "duration", "json", "list", "map"];

pub(super) fn complete(program: &Program, tree: &File, index: &Index, before: &str) -> Vec<Completion> {
    let before = tail(before);
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    // What is being typed already is the editor's to filter by.
    let head = before.trim_end_matches(is_word);
    let saga = saga_around(tree, before.1);
    let event = event_around(program, tree, before.1);
    if in_string(head.0) {
        return codes(program, index, head.0);
    }
    let head = head.0;
    if let Some(path) = head.strip_suffix('.') {
        return members(program, &saga, event, path);
    }
    let words = head.trim_end();
    let last = words.rsplit(|letter: char| !is_word(letter)).next().unwrap_or_default();
    match last {
        "call" | "send" => return participants(program),
        "compensate" => {
            let mut all = participants(program);
            all.push(one("nothing", What::Keyword, "there is nothing to take back", None));
            return all;
        }
        "run" | "start" | "for" if !words.ends_with("for each") => return sagas(program),
        "returns" => return types(program),
        "calls" | "stuck" | "undo" => return steps(program, &saga),
        "await" | "signal" => return signals(program, &saga),
        _ => {}
    }
    match words.chars().next_back() {
        Some(':') if in_type(words) => types(program),
        Some('{' | ',') => keys(program, words).unwrap_or_else(|| expression(program, &saga, event)),
        None => keywords(Place::Top),
        Some('}') if words.matches('{').count() <= words.matches('}').count() => keywords(Place::Top),
        Some(':' | '=' | '(' | '[' | '+' | '-' | '*' | '/' | '<' | '>' | '&' | '|' | '?' | '!') => {
            expression(program, &saga, event)
        }
        _ => match last {
            "when" | "until" | "where" | "within" | "in" | "sleep" | "if" | "then" | "else" => {
                expression(program, &saga, event)
            }
            _ => {
                let mut all = keywords(Place::Block);
                all.extend(keywords(Place::Step));
                all.extend(expression(program, &saga, event));
                all
            }
        },
    }
}

/// The last part of a long text, and where it ends.
struct Tail<'t>(&'t str, usize);

impl Tail<'_> {
    fn trim_end_matches(&self, what: impl Fn(char) -> bool) -> Self {
        Self(self.0.trim_end_matches(what), self.1)
    }
}

fn tail(text: &str) -> Tail<'_> {
    let mut from = text.len().saturating_sub(LOOK_BACK_MAX);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    Tail(text.get(from..).unwrap_or_default(), text.len())
}

/// The saga or scenario's saga in which the text ends.
fn saga_around(tree: &File, at: usize) -> CompactString {
    let around = tree.items.iter().rev().find_map(|item| match item {
        Item::Saga(item) if (item.span.start as usize) < at => Some(item.name.text.clone()),
        Item::Scenario(item) if (item.span.start as usize) < at => Some(item.saga.text.clone()),
        _ => None,
    });
    around.unwrap_or_default()
}

/// What a trigger reads, where the text ends in one.
fn event_around<'p>(program: &'p Program, tree: &File, at: usize) -> Option<&'p Arc<Record>> {
    let begins = |item: &&Item| match item {
        Item::Use(item) => item.span.start,
        Item::Type(item) => item.span.start,
        Item::Participant(item) => item.span.start,
        Item::Saga(item) => item.span.start,
        Item::Trigger(item) => item.span.start,
        Item::Scenario(item) => item.span.start,
    };
    let Item::Trigger(around) = tree.items.iter().rev().find(|item| (begins(item) as usize) < at)? else { return None };
    program.triggers.iter().find(|trigger| trigger.name == around.name.text).map(|trigger| &trigger.event)
}

/// Whether the line ends within quotes.
fn in_string(head: &str) -> bool {
    let line = head.rsplit('\n').next().unwrap_or_default();
    line.replace("\\\"", "").matches('"').count() % 2 == 1
}

/// What may begin there, as it is written.
fn keywords(place: Place) -> Vec<Completion> {
    let words = place.words().iter().flat_map(|word| match *word {
        "pivot" => ["pivot", "pivot step"].as_slice(),
        "for" => &["for each"],
        _ => std::slice::from_ref(word),
    });
    words.map(|word| one(*word, What::Keyword, "", None)).collect()
}

fn participants(program: &Program) -> Vec<Completion> {
    let all = program.participants.values();
    all.map(|it| one(it.name.as_str(), What::Participant, &*it.commands_topic, it.docs.as_ref())).collect()
}

fn sagas(program: &Program) -> Vec<Completion> {
    program
        .sagas
        .values()
        .map(|saga| one(saga.name.as_str(), What::Saga, shape(&saga.input), saga.docs.as_ref()))
        .collect()
}

fn steps(program: &Program, saga: &str) -> Vec<Completion> {
    let Some(saga) = program.sagas.get(saga) else { return Vec::new() };
    values(saga)
        .into_iter()
        .map(|(name, given)| one(name.as_str(), What::Value, given.ty().to_string(), None))
        .collect()
}

fn signals(program: &Program, saga: &str) -> Vec<Completion> {
    let all = program.sagas.get(saga).into_iter().flat_map(|saga| saga.signals.values());
    all.map(|signal| one(signal.name.as_str(), What::Value, shape(&signal.shape), signal.docs.as_ref())).collect()
}

fn types(program: &Program) -> Vec<Completion> {
    let built_in = TYPES.iter().map(|name| one(*name, What::Type, "", None));
    built_in
        .chain(program.types.iter().map(|(name, ty)| one(name.as_str(), What::Type, ty.to_string(), None)))
        .collect()
}

fn expression(program: &Program, saga: &str, event: Option<&Arc<Record>>) -> Vec<Completion> {
    // No instance is there yet, so neither are its values and ids.
    if let Some(event) = event {
        let functions = FUNCTIONS.iter().filter(|name| **name != "id").map(|name| one(*name, What::Function, "", None));
        return [one("event", What::Keyword, shape(event), None)].into_iter().chain(functions).collect();
    }
    let mut all = steps(program, saga);
    all.extend(ROOTS.iter().map(|name| one(*name, What::Keyword, "", None)));
    all.extend(FUNCTIONS.iter().map(|name| one(*name, What::Function, "", None)));
    all
}

/// Failure codes: those of a step in a scenario, else all.
fn codes(program: &Program, index: &Index, head: &str) -> Vec<Completion> {
    let line = head.rsplit('\n').next().unwrap_or_default();
    let words = line.trim_end_matches('"').trim_end();
    let mentions = ["fails", "catch", "compensated", "fail"]
        .iter()
        .any(|word| words.split_whitespace().any(|known| known == *word));
    if !mentions {
        return Vec::new();
    }
    let mut found: Vec<String> = index
        .symbols()
        .filter_map(|symbol| if let Symbol::Code(code) = symbol { Some(code.to_string()) } else { None })
        .chain(program.participants.values().flat_map(|participant| {
            participant.commands.values().flat_map(|command| command.fails.iter().map(ToString::to_string))
        }))
        .filter(|code| !code.is_empty())
        .collect();
    if words.contains("catch") || words.contains("compensated") {
        found.extend(ENGINE_CODES.iter().map(|code| (*code).to_owned()));
    }
    found.sort();
    found.dedup();
    found.into_iter().map(|code| one(code, What::Code, "", None)).collect()
}

/// What stands behind the dot of a path.
fn members(program: &Program, saga: &str, event: Option<&Arc<Record>>, path: &str) -> Vec<Completion> {
    let is_path = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '[' | ']' | '*');
    let start = path.trim_end_matches(is_path);
    let path = path.get(start.len()..).unwrap_or_default();
    let keyword = start.trim_end().rsplit(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default();
    if let Some(participant) =
        program.participants.get(path).filter(|_| ["call", "send", "compensate"].contains(&keyword))
    {
        let commands = participant
            .commands
            .values()
            .map(|it| one(it.name.as_str(), What::Command, contract(it), it.docs.as_ref()));
        let messages = participant
            .messages
            .values()
            .map(|it| one(it.name.as_str(), What::Command, shape(&it.request), it.docs.as_ref()));
        return if keyword == "send" { messages.collect() } else { commands.chain(messages).collect() };
    }
    let fixed = |fields: &[(&str, &str)]| fields.iter().map(|(key, ty)| one(*key, What::Field, *ty, None)).collect();
    match path {
        "saga" => return fixed(&[("id", "string"), ("started", "timestamp")]),
        "failure" => return fixed(&[("code", "string"), ("step", "string"), ("message", "string?")]),
        _ => {}
    }
    // What a round before gave is what this one gives.
    let path = match path.strip_prefix("previous") {
        Some("") => return steps(program, saga),
        Some(rest) => rest.strip_prefix('.').unwrap_or(path),
        None => path,
    };
    let mut parts = path.split('.');
    let first = parts.next().unwrap_or_default();
    let known = match (event, name_of(first)) {
        (Some(event), "event") => Some(Type::Record(Arc::clone(event))),
        (Some(_), _) => None,
        (None, name) => root(program, saga, name),
    };
    let mut ty = known.map(|ty| indexed(first, ty));
    for part in parts {
        ty = ty.and_then(|ty| field(&ty, name_of(part)).map(|field| indexed(part, field.ty.clone())));
    }
    match ty.as_ref().map(Type::required) {
        Some(Type::Record(record)) => fields(record, &[]),
        _ => Vec::new(),
    }
}

fn name_of(part: &str) -> &str {
    part.split('[').next().unwrap_or_default()
}

/// The element, once for each pair of brackets.
fn indexed(part: &str, ty: Type) -> Type {
    part.matches('[').fold(ty, |ty, _| super::types::indexed(ty))
}

fn contract(command: &Command) -> String {
    format!("{} returns {}", shape(&command.request), shape(&command.reply))
}

fn fields(record: &Record, given: &[&str]) -> Vec<Completion> {
    let open = record.fields.iter().filter(|field| !given.contains(&field.key.as_str()));
    open.map(|field| one(field.key.as_str(), What::Field, field.ty.to_string(), field.docs.as_ref())).collect()
}

/// Whether a colon is that of a field of a shape: what opens the braces around it is no payload.
fn in_type(words: &str) -> bool {
    let Some((opener, _)) = opening(words) else { return false };
    let word = opener.trim_end().rsplit(|letter: char| letter.is_whitespace()).next().unwrap_or_default();
    let name_before = opener.split_whitespace().rev().nth(1).unwrap_or_default();
    matches!(word, "input" | "returns") || matches!(name_before, "type" | "command" | "message" | "signal")
}

/// The keys of the payload in whose braces the text ends, without those that are there.
fn keys(program: &Program, words: &str) -> Option<Vec<Completion>> {
    let (opener, inside) = opening(words)?;
    let target = opener.trim_end().rsplit(|letter: char| letter.is_whitespace()).next()?;
    let given: Vec<&str> = inside.split(',').filter_map(|field| Some(field.split_once(':')?.0.trim())).collect();
    if target == "given" {
        // The saga that the scenario is for stands before its brace.
        let name = opener.rsplit("scenario").next()?.split(" for ").nth(1)?.split_whitespace().next()?;
        return Some(fields(&program.sagas.get(name)?.input, &given));
    }
    let (participant, command) = target.split_once('.')?;
    let participant = program.participants.get(participant)?;
    let asked = participant.commands.get(command).or_else(|| participant.messages.get(command))?;
    Some(fields(&asked.request, &given))
}

/// What stands before the innermost open brace, and behind it.
fn opening(words: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (at, letter) in words.char_indices().rev() {
        match letter {
            '}' => depth += 1,
            '{' if depth == 0 => return Some((words.get(..at)?, words.get(at + 1..)?)),
            '{' => depth -= 1,
            _ => {}
        }
    }
    None
}

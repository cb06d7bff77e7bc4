//! Maps of the document: their keys, each once, and those that are known.

use super::node::{Kind, Node, Scalar, Style};
use super::scalar::{Plain, plain};
use super::{Reader, codes};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::build::words::near;

/// A key with its value.
#[derive(Clone, Copy)]
pub(super) struct Entry<'n> {
    pub(super) key: &'n str,
    pub(super) at: Span,
    /// Quoted keys are never read as words of the language.
    pub(super) quoted: bool,
    pub(super) value: &'n Node,
}

impl Entry<'_> {
    /// From the key to the end of the value; the value of an alias stands elsewhere.
    pub(super) fn span(&self) -> Span {
        if self.value.span.start >= self.at.end { self.at.to(self.value.span) } else { self.at }
    }
}

/// A map whose keys are known.
pub(super) struct Map<'n> {
    pub(super) entries: Vec<Entry<'n>>,
}

impl<'n> Map<'n> {
    pub(super) fn get(&self, key: &str) -> Option<Entry<'n>> {
        self.entries.iter().find(|entry| entry.key == key).copied()
    }
}

/// What may stand in a map, and what to call it.
pub(super) struct Form {
    pub(super) what: &'static str,
    pub(super) keys: &'static [&'static str],
}

impl Reader<'_> {
    /// The keys of a map that people name: each once.
    pub(super) fn entries<'n>(&mut self, node: &'n Node, what: &str, hint: &str) -> Option<Vec<Entry<'n>>> {
        let Kind::Map(pairs) = &node.kind else {
            self.expected(what, node, hint);
            return None;
        };
        let mut entries: Vec<Entry<'n>> = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let Some(scalar) = key.scalar() else {
                self.expected("a word as key", key, "a key is one word; quote a text that holds `{`, `[` or `: `");
                continue;
            };
            if let Some(entry) = self.entry(scalar, key, value) {
                entries.push(entry);
            }
        }
        // Sorted by key, doubled ones stand beside each other; the order of the text decides which was first.
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by_key(|index| entries.get(*index).map(|entry| (entry.key, entry.at.start)));
        let mut doubled = Vec::new();
        let mut first: Option<Entry<'n>> = None;
        for index in order {
            let Some(entry) = entries.get(index).copied() else { continue };
            match first.filter(|first| first.key == entry.key) {
                Some(first) => {
                    self.refuse(
                        Diagnostic::error(
                            codes::YAML_KEY_TWICE,
                            entry.at,
                            format!("the key `{}` stands twice", entry.key),
                        )
                        .here("and here again")
                        .also(first.at, "stands here first")
                        .why("Readers of YAML take the first or the last of them, and say nothing.")
                        .hint("keep one of the two"),
                    );
                    doubled.push(index);
                }
                None => first = Some(entry),
            }
        }
        doubled.sort_unstable();
        for index in doubled.into_iter().rev() {
            entries.remove(index);
        }
        Some(entries)
    }

    fn entry<'n>(&mut self, scalar: &'n Scalar, key: &Node, value: &'n Node) -> Option<Entry<'n>> {
        let text = scalar.text.as_str();
        if text == "<<" && scalar.style == Style::Plain {
            self.report(
                codes::YAML_MERGE_KEY,
                key.span,
                "merge keys are not known here",
                "YAML 1.2 has none",
                "write the keys out; `*name` repeats a whole value",
            );
            return None;
        }
        if text.is_empty() && scalar.style == Style::Plain {
            self.expected("a word as key", key, "write `key: value`");
            return None;
        }
        // `on` is a word of triggers, and the keys of a payload are its participant's: a key is read by its text.
        Some(Entry { key: text, at: key.span, quoted: scalar.style != Style::Plain, value })
    }

    /// The keys of a map that the language names.
    pub(super) fn map<'n>(&mut self, node: &'n Node, form: &Form) -> Option<Map<'n>> {
        let hint = format!("its keys are {}", listed(form.keys));
        let mut entries = self.entries(node, &format!("{}, a map", form.what), &hint)?;
        let mut unknown = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            if !form.keys.contains(&entry.key) {
                unknown.push(index);
            }
        }
        for index in unknown.into_iter().rev() {
            let entry = entries.remove(index);
            self.unknown_key(&entry, form);
        }
        Some(Map { entries })
    }

    /// A key that means nothing where it stands.
    pub(super) fn unknown_key(&mut self, entry: &Entry<'_>, form: &Form) {
        let title = format!("`{}` is no key of {}", entry.key, form.what);
        let finding = Diagnostic::error(codes::YAML_UNKNOWN_KEY, entry.at, title);
        self.refuse(match near(entry.key, form.keys) {
            Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
            None => match habit(entry.key, form.keys) {
                Some(meant) => finding.hint(format!("write `{meant}`")),
                None => finding.hint(format!("its keys are {}", listed(form.keys))),
            },
        });
    }

    /// The values of a list.
    pub(super) fn list<'n>(&mut self, entry: &Entry<'n>, what: &str) -> Vec<&'n Node> {
        let Kind::List(nodes) = &entry.value.kind else {
            let hint = format!("write `{}: [ … ]`, or each on a line of its own behind `- `", entry.key);
            self.expected(&format!("{what}, a list"), entry.value, hint);
            return Vec::new();
        };
        nodes.iter().map(AsRef::as_ref).collect()
    }
}

/// What people write out of habit, if the word for it is one of these.
pub(super) fn habit(key: &str, known: &[&str]) -> Option<&'static str> {
    const HABITS: [(&str, &[&str]); 14] = [
        (
            "with",
            &["request", "payload", "parameters", "params", "args", "arguments", "inputs", "data", "body", "given"],
        ),
        ("returns", &["reply", "response", "result", "output", "outputs"]),
        ("fails", &["errors", "error", "codes", "failures"]),
        ("step", &["name", "id", "task", "activity", "call", "send", "run"]),
        ("sequence", &["steps", "tasks", "states", "do", "then", "flow"]),
        ("do", &["then", "steps", "sequence", "body"]),
        ("otherwise", &["else", "default"]),
        ("when", &["if", "switch", "choice", "case"]),
        ("for each", &["for", "foreach", "forEach", "for_each", "map", "loop"]),
        ("repeat", &["while", "until", "retry"]),
        ("compensate", &["rollback", "undo", "compensation", "compensator", "revert"]),
        ("retry", &["retries", "retryPolicy", "backoff"]),
        ("sleep", &["wait", "delay", "timer"]),
        ("version", &["apiVersion", "revision"]),
    ];
    let word =
        |(word, habits): &(&'static str, &[&str])| (known.contains(word) && habits.contains(&key)).then_some(*word);
    HABITS.iter().find_map(word)
}

/// Words in backquotes, the last behind `and`.
pub(super) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => "none".to_owned(),
    }
}

/// Whether a plain scalar is a text to every reader of YAML.
pub(super) fn is_text(scalar: &Scalar) -> bool {
    scalar.style != Style::Plain || plain(&scalar.text) == Plain::Text
}

//! Sagas: the head, timing, and the order in which the tree has them.

use super::keys::{Entry, Form, Map};
use super::{Reader, codes};
use crate::syntax::build::lone;
use crate::syntax::build::words::Style;
use crate::syntax::tree::{Block, Defaults, Head, Retry, Saga, Signal, Timing};

const SAGA: Form = Form {
    what: "a saga",
    keys: &["version", "coordination", "input", "signal", "deadline", "defaults", "sequence", "output"],
};
const SIGNAL: Form = Form { what: "a signal", keys: &["with"] };
const DEFAULTS: Form = Form { what: "`defaults`", keys: &["timeout", "within", "retry", "compensate"] };
const UNDO_DEFAULTS: Form = Form { what: "`compensate` among defaults", keys: &["timeout", "within", "retry"] };
const RETRY: Form = Form { what: "`retry`", keys: &["times", "every"] };

impl Reader<'_> {
    pub(super) fn saga(&mut self, entry: &Entry<'_>) -> Option<Saga> {
        let docs = self.docs(entry.at);
        let name = self.key_name(entry, Style::Snake);
        let map = self.map(entry.value, &SAGA)?;
        let mut heads = Vec::new();
        let (mut body, mut output) = (Block::default(), None);
        for entry in &map.entries {
            let span = entry.span();
            match entry.key {
                "version" => {
                    let number = self.plain_part(entry.value, "a whole number", lone::count);
                    heads.extend(number.map(|number| Head::Version(number, span)));
                }
                "coordination" => {
                    let word = self.name(entry.value, "`orchestration` or `choreography`");
                    heads.extend(word.map(|word| Head::Coordination(word, span)));
                }
                "input" => heads.extend(self.shape(entry.value).map(|shape| Head::Input(shape, span))),
                "deadline" => {
                    let duration = self.duration(entry.value, "a duration, such as `15m`");
                    heads.extend(duration.map(|duration| Head::Deadline(duration, span)));
                }
                "signal" => {
                    let hint = "write each below its name: `signal: { approval: { with: … } }`";
                    for entry in self.entries(entry.value, "a map of names", hint).unwrap_or_default() {
                        heads.extend(self.signal(&entry).map(Head::Signal));
                    }
                }
                "defaults" => heads.extend(self.defaults(entry).map(Head::Defaults)),
                "sequence" => body = self.block(entry),
                _ => output = self.object(entry.value),
            }
        }
        Some(Saga { docs, name, heads, body, output, span: entry.span() })
    }

    fn signal(&mut self, entry: &Entry<'_>) -> Option<Signal> {
        let docs = self.docs(entry.at);
        let name = self.key_name(entry, Style::Snake);
        let map = self.map(entry.value, &SIGNAL)?;
        let shape = map.get("with").and_then(|entry| self.shape(entry.value));
        Some(Signal { docs, name, shape, span: entry.span() })
    }

    fn defaults(&mut self, entry: &Entry<'_>) -> Option<Defaults> {
        let map = self.map(entry.value, &DEFAULTS)?;
        let timing = self.timing(&map);
        let compensate = map.get("compensate").and_then(|entry| self.map(entry.value, &UNDO_DEFAULTS));
        let compensate = compensate.map(|map| self.timing(&map)).unwrap_or_default();
        Some(Defaults { timing, compensate, span: entry.span() })
    }

    /// `timeout`, `within` and `retry` of a map.
    pub(super) fn timing(&mut self, map: &Map<'_>) -> Vec<Timing> {
        let mut clauses = Vec::new();
        for entry in &map.entries {
            let span = entry.span();
            clauses.extend(match entry.key {
                "timeout" => {
                    let duration = self.duration(entry.value, "a duration, such as `10s`");
                    duration.map(|duration| Timing::Timeout(duration, span))
                }
                "within" => self.expr(entry.value).map(|within| Timing::Within(within, span)),
                "retry" => self.retry(entry).map(Timing::Retry),
                _ => None,
            });
        }
        clauses
    }

    fn retry(&mut self, entry: &Entry<'_>) -> Option<Retry> {
        let map = self.map(entry.value, &RETRY)?;
        let Some(times) = map.get("times") else {
            let hint = "write `retry: { times: 3, every: 200ms..5s }`";
            self.lacks(codes::MISSING_PART, entry.at, "`retry` without `times`", "how often?", hint);
            return None;
        };
        let times = self.plain_part(times.value, "a whole number", lone::count);
        let every = map.get("every");
        let every = every.and_then(|entry| self.plain_part(entry.value, "pauses, such as `200ms..5s`", lone::range));
        let (from, to) = every.map_or((None, None), |(from, to)| (Some(from), to));
        Some(Retry { times: times?, from, to, span: entry.span() })
    }
}

//! Definitions that give one command of one topic different contracts: its participant cannot keep to both. That is a
//! warning, since definitions may be on their way from one contract to the other.

use std::collections::BTreeMap;

use super::Out;
use crate::http::cast::Cast;

/// Says of each definition where it contradicts one of those before it. Each has a name for people.
pub(super) fn warn(definitions: &[(&str, Cast)], out: &mut Out) {
    for (index, (name, cast)) in definitions.iter().enumerate() {
        for (before, other) in definitions.iter().take(index) {
            let mut found: BTreeMap<_, Vec<&str>> = BTreeMap::new();
            for (topic, word, what) in other.contradictions(cast) {
                found.entry((topic, word)).or_default().push(what);
            }
            for ((topic, word), what) in found {
                out.remark(format_args!(
                    "warning: {before} and {name} give `{word}` on {topic} different {}: one participant reads that topic, \
                     and cannot keep to both",
                    what.join(", ")
                ));
            }
        }
    }
}

//! The one order of items, of a head's clauses, and of a participant's.

use crate::syntax::tree::{File, Head, Item, ParticipantItem};

/// The items by kind.
pub(in crate::syntax) fn items(file: &File) -> Vec<&Item> {
    let mut items: Vec<&Item> = file.items.iter().collect();
    items.sort_by_key(|item| match item {
        Item::Use(_) => 0,
        Item::Type(_) => 1,
        Item::Participant(_) => 2,
        Item::Saga(_) => 3,
        Item::Trigger(_) => 4,
        Item::Scenario(_) => 5,
    });
    items
}

/// The clauses of a saga's head by kind.
pub(in crate::syntax) fn heads(heads: &[Head]) -> Vec<&Head> {
    let mut heads: Vec<&Head> = heads.iter().collect();
    heads.sort_by_key(|head| match head {
        Head::Version(..) => 0,
        Head::Coordination(..) => 1,
        Head::Input(..) => 2,
        Head::Signal(_) => 3,
        Head::Deadline(..) => 4,
        Head::Defaults(_) => 5,
    });
    heads
}

/// What stands in a participant, by kind.
pub(in crate::syntax) fn parts(items: &[ParticipantItem]) -> Vec<&ParticipantItem> {
    let mut items: Vec<&ParticipantItem> = items.iter().collect();
    items.sort_by_key(|item| match item {
        ParticipantItem::Commands(..) => 0,
        ParticipantItem::Events(..) => 1,
        ParticipantItem::AnswersQueries(_) => 2,
        ParticipantItem::AtMost(_) => 3,
        ParticipantItem::Command(_) => 4,
        ParticipantItem::Message(_) => 5,
    });
    items
}

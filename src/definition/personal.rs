//! What of a value is personal: of what comes from outside, what its shape says; of what is computed, what it is made of.
//!
//! Types cannot say it: a text has none of its own to carry a mark, a record that is passed on holds fields which the type of
//! its place does not name, and the content hash covers types. So it is found beside them, by [`Veils`], and whoever shows
//! a value asks for its [`Veil`]. Where this cannot be exact, it hides too much rather than too little.

mod flow;

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;

pub use self::flow::{Message, Veils};
use super::expression::PathSegment;
use super::limits::MAX_TYPE_FIELDS;
use super::types::{Record, Type};

/// What of a value is hidden where values are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Veil {
    /// Nothing.
    #[default]
    Nothing,
    /// All of it.
    Whole,
    /// Of an object, of each of these fields so much; never empty, and none of them is [`Veil::Nothing`].
    Fields(Arc<BTreeMap<CompactString, Self>>),
    /// Of a list or a map, so much of each element; never [`Veil::Nothing`].
    Each(Arc<Self>),
}

impl Veil {
    /// What a declared type says.
    #[must_use]
    pub fn of(ty: &Type) -> Self {
        match ty {
            Type::List(inner) | Type::Map(inner) => Self::each(Self::of(inner)),
            Type::Optional(inner) => Self::of(inner),
            Type::Record(record) => Self::of_record(record),
            Type::String
            | Type::Int
            | Type::Decimal
            | Type::Bool
            | Type::Timestamp
            | Type::Duration
            | Type::Json
            | Type::Unknown
            | Type::Choice(_) => Self::Nothing,
        }
    }

    /// What a declared shape says.
    #[must_use]
    pub fn of_record(record: &Record) -> Self {
        let veil = |personal, ty| if personal { Self::Whole } else { Self::of(ty) };
        Self::fields(record.fields.iter().map(|field| (&field.key, veil(field.personal, &field.ty))))
    }

    /// Whether there is nothing to hide.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// Of an object with these fields.
    fn fields<'k>(fields: impl Iterator<Item = (&'k CompactString, Self)>) -> Self {
        let hidden = fields.filter(|(_, veil)| !veil.is_nothing()).map(|(key, veil)| (key.clone(), veil));
        let hidden: BTreeMap<CompactString, Self> = hidden.collect();
        if hidden.is_empty() { Self::Nothing } else { Self::Fields(Arc::new(hidden)).bounded() }
    }

    /// Of a list or map with such elements.
    fn each(element: Self) -> Self {
        if element.is_nothing() { Self::Nothing } else { Self::Each(Arc::new(element)).bounded() }
    }

    /// Objects that hold one value twice, and such objects twice again, would multiply beyond memory: what has more parts than
    /// any declared type is hidden as a whole.
    fn bounded(self) -> Self {
        let mut room = MAX_TYPE_FIELDS;
        if self.takes(&mut room) { self } else { Self::Whole }
    }

    fn takes(&self, room: &mut usize) -> bool {
        match self {
            Self::Nothing | Self::Whole => true,
            Self::Each(element) => element.takes(room),
            Self::Fields(fields) => fields.values().all(|field| {
                *room = room.saturating_sub(1);
                *room > 0 && field.takes(room)
            }),
        }
    }

    /// What is hidden of either.
    fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, veil) | (veil, Self::Nothing) => veil,
            (Self::Whole, _) | (_, Self::Whole) => Self::Whole,
            (Self::Fields(one), Self::Fields(other)) => {
                if Arc::ptr_eq(&one, &other) {
                    return Self::Fields(one);
                }
                let mut fields = Arc::unwrap_or_clone(one);
                for (key, veil) in other.iter() {
                    let before = fields.remove(key).unwrap_or_default();
                    fields.insert(key.clone(), before.join(veil.clone()));
                }
                Self::Fields(Arc::new(fields)).bounded()
            }
            // Of a map that is written as an object, or of what is a list elsewhere.
            (one, other) => Self::each(one.element().join(other.element())),
        }
    }

    /// Of an element of a list or a map, whichever.
    fn element(&self) -> Self {
        match self {
            Self::Nothing => Self::Nothing,
            Self::Whole => Self::Whole,
            Self::Each(element) => element.as_ref().clone(),
            Self::Fields(fields) => fields.values().cloned().fold(Self::Nothing, Self::join),
        }
    }

    /// One segment further into the value.
    fn at(&self, segment: &PathSegment) -> Self {
        match (self, segment) {
            (Self::Fields(fields), PathSegment::Key(key)) => fields.get(key).cloned().unwrap_or_default(),
            _ => self.element(),
        }
    }

    /// Of a value of which it cannot be told any more what came from where.
    fn merged(&self) -> Self {
        if self.is_nothing() { Self::Nothing } else { Self::Whole }
    }
}

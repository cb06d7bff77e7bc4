//! Types of values, and what fits what.

use std::fmt;
use std::sync::Arc;

use compact_str::CompactString;

use crate::source::Span;

/// The type of a value. Structural: the name of a record means nothing but in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `string`
    String,
    /// `int`: 64 bit, signed
    Int,
    /// `decimal`: 28 digits, scale kept
    Decimal,
    /// `bool`
    Bool,
    /// `timestamp`
    Timestamp,
    /// `duration`
    Duration,
    /// `json`: opaque
    Json,
    /// `list<T>`
    List(Arc<Type>),
    /// `map<T>`
    Map(Arc<Type>),
    /// `"a" | "b"`
    Choice(Arc<[CompactString]>),
    /// `{ … }`
    Record(Arc<Record>),
    /// `T?`; never of an optional
    Optional(Arc<Type>),
    /// What could not be resolved, and was reported where it stands. It fits everything, so that no finding follows
    /// from another; a program without errors holds none.
    Unknown,
}

/// A shape: fields in the order of the text.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The declared name, if it has one.
    pub name: Option<CompactString>,
    /// The fields.
    pub fields: Vec<Field>,
}

/// Structural: names, docs and places of declarations do not matter.
impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.fields == other.fields
    }
}
impl Eq for Record {}

/// A field of a record.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its key.
    pub key: CompactString,
    /// Its type.
    pub ty: Type,
    /// Declared so: hidden in views and logs. What is made of it is found by [`Veils`](super::personal::Veils).
    pub personal: bool,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where it is declared.
    pub span: Span,
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.ty == other.ty
    }
}
impl Eq for Field {}

impl Record {
    /// The field of that key.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.key == key)
    }
}

impl Type {
    /// `T?`, or the type itself where it is optional already.
    #[must_use]
    pub fn optional(self) -> Self {
        if self.is_optional() { self } else { Self::Optional(Arc::new(self)) }
    }

    /// Whether a value may be absent.
    #[must_use]
    pub const fn is_optional(&self) -> bool {
        matches!(self, Self::Optional(_))
    }

    /// The type of a list's elements.
    #[must_use]
    pub fn element(&self) -> Option<&Self> {
        if let Self::List(inner) = self.required() { Some(inner) } else { None }
    }

    /// The type without its question mark.
    #[must_use]
    pub fn required(&self) -> &Self {
        if let Self::Optional(inner) = self { inner } else { self }
    }

    /// Whether a value of this type may stand where `wanted` is asked for: `T` fits `T?`, `int` fits `decimal`, a
    /// choice fits one with more words and `string`'s place never, a record one with fewer or optional fields,
    /// anything `json`.
    #[must_use]
    pub fn fits(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (_, Self::Json | Self::Unknown) | (Self::Unknown, _) => true,
            (Self::Optional(inner), Self::Optional(wanted)) => inner.fits(wanted),
            (Self::Optional(_), _) => false,
            (_, Self::Optional(wanted)) => self.fits(wanted),
            (Self::Int, Self::Decimal) => true,
            (Self::List(inner), Self::List(wanted)) | (Self::Map(inner), Self::Map(wanted)) => inner.fits(wanted),
            (Self::Choice(words), Self::Choice(wanted)) => words.iter().all(|word| wanted.contains(word)),
            (Self::Record(record), Self::Record(wanted)) if Arc::ptr_eq(record, wanted) => true,
            (Self::Record(record), Self::Record(wanted)) => wanted
                .fields
                .iter()
                .all(|field| record.field(&field.key).map_or(field.ty.is_optional(), |given| given.ty.fits(&field.ty))),
            (left, right) => left == right,
        }
    }
}

/// As it would be written in the language.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("string"),
            Self::Int => f.write_str("int"),
            Self::Decimal => f.write_str("decimal"),
            Self::Bool => f.write_str("bool"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Duration => f.write_str("duration"),
            Self::Json => f.write_str("json"),
            Self::Unknown => f.write_str("an unknown type"),
            Self::List(inner) => write!(f, "list<{inner}>"),
            Self::Map(inner) => write!(f, "map<{inner}>"),
            Self::Choice(words) => {
                for (index, word) in words.iter().enumerate() {
                    let bar = if index == 0 { "" } else { " | " };
                    write!(f, "{bar}\"{word}\"")?;
                }
                Ok(())
            }
            Self::Record(record) => write!(f, "{record}"),
            Self::Optional(inner) => write!(f, "{inner}?"),
        }
    }
}

/// The name, or the fields in braces.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            return f.write_str(name);
        }
        if self.fields.is_empty() {
            return f.write_str("{}");
        }
        f.write_str("{ ")?;
        for (index, field) in self.fields.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}: {}", field.key, field.ty)?;
        }
        f.write_str(" }")
    }
}

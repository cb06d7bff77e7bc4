//! Whether JSON text fits a type: one walk, every misfit with its place.

use std::collections::BTreeSet;
use std::fmt;

use compact_str::CompactString;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{MAX_JSON_BYTES, MAX_JSON_DEPTH, MAX_MISFITS, decode, describe, kind, not_json};
use crate::definition::types::{Record, Type};

/// One place where JSON does not fit its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The place, `items[2].sku`; empty for the whole.
    pub path: String,
    /// The type that is wanted there, as it is written in the language.
    pub expected: String,
    /// What stands there, shortened; `nothing` where a field is missing. Of what is personal only its kind: messages go
    /// where values do not.
    pub found: String,
}

/// `at items[2].sku: expected string, found 5`
impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "at {}: ", self.path)?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

/// Whether JSON `text` fits `ty`. Fields that the type does not know are ignored; absent and null are alike.
///
/// # Errors
///
/// All misfits in the order of the text (missing fields behind the others of their object), at most
/// [`MAX_MISFITS`]; a single one where the text is too long, too deep or not JSON.
pub fn check_json(ty: &Type, text: &str) -> Result<(), Vec<Misfit>> {
    let whole = |expected: String, found: String| vec![Misfit { path: String::new(), expected, found }];
    if text.len() > MAX_JSON_BYTES {
        return Err(whole(format!("at most {MAX_JSON_BYTES} bytes"), format!("{} bytes", text.len())));
    }
    if is_too_deep(text) {
        return Err(whole(format!("at most {MAX_JSON_DEPTH} levels"), "deeper nesting".into()));
    }
    let mut misfits = Vec::new();
    let mut json = serde_json::Deserializer::from_str(text);
    let walked = Fit { ty, place: None, is_personal: false, misfits: &mut misfits }
        .deserialize(&mut json)
        .and_then(|()| json.end());
    if let Err(error) = walked {
        let unreadable = not_json(&error);
        return Err(whole(unreadable.expected, unreadable.found));
    }
    if misfits.is_empty() { Ok(()) } else { Err(misfits) }
}

/// Counts brackets outside strings: no recursion, whatever the text is.
fn is_too_deep(text: &str) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                if depth > MAX_JSON_DEPTH {
                    return true;
                }
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// A place in the text; the links live on the stack of the walk.
struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    segment: Segment<'a>,
}

enum Segment<'a> {
    Key(&'a str),
    Element(usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}")?;
        }
        match self.segment {
            Segment::Key(key) if self.parent.is_some() => write!(f, ".{key}"),
            Segment::Key(key) => write!(f, "{key}"),
            Segment::Element(index) => write!(f, "[{index}]"),
        }
    }
}

/// Walks one value.
struct Fit<'a> {
    ty: &'a Type,
    place: Option<&'a Place<'a>>,
    /// It stands in a field that is personal.
    is_personal: bool,
    misfits: &'a mut Vec<Misfit>,
}

impl Fit<'_> {
    fn misfit(&mut self, json: &str) {
        if self.misfits.len() < MAX_MISFITS {
            let path = self.place.map(ToString::to_string).unwrap_or_default();
            let found = if self.is_personal { kind(json).to_owned() } else { describe(json) };
            self.misfits.push(Misfit { path, expected: self.ty.to_string(), found });
        }
    }

    /// Readers differ in which of two counts.
    fn doubled(&mut self, key: &str) {
        if self.misfits.len() < MAX_MISFITS {
            let path = Place { parent: self.place, segment: Segment::Key(key) }.to_string();
            self.misfits.push(Misfit { path, expected: "it once".into(), found: "it again".into() });
        }
    }

    fn missing(&mut self, record: &Record, seen: &[bool]) {
        for (field, _) in record.fields.iter().zip(seen).filter(|(field, seen)| !**seen && !field.ty.is_optional()) {
            let place = Place { parent: self.place, segment: Segment::Key(&field.key) };
            Fit { ty: &field.ty, place: Some(&place), is_personal: false, misfits: self.misfits }.misfit("");
        }
    }
}

impl<'de> DeserializeSeed<'de> for Fit<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(mut self, json: D) -> Result<(), D::Error> {
        match self.ty.required() {
            Type::Json => IgnoredAny::deserialize(json).map(|_| ()),
            Type::Record(_) | Type::List(_) | Type::Map(_) => json.deserialize_any(self),
            _ => {
                let raw = <&RawValue>::deserialize(json)?.get();
                if decode(self.ty, raw).is_err() {
                    self.misfit(raw);
                }
                Ok(())
            }
        }
    }
}

impl<'de> Visitor<'de> for Fit<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ty)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let ty = self.ty.required();
        let mut seen = match ty {
            Type::Record(record) => vec![false; record.fields.len()],
            _ => Vec::new(),
        };
        let mut keys = BTreeSet::new();
        while let Some(key) = map.next_key::<CompactString>()? {
            let (inner, is_doubled, is_personal) = match ty {
                Type::Record(record) => {
                    let index = record.fields.iter().position(|field| field.key == key);
                    let before = index.and_then(|index| seen.get_mut(index)).map(|seen| std::mem::replace(seen, true));
                    let field = index.and_then(|index| record.fields.get(index));
                    let is_personal = self.is_personal || field.is_some_and(|field| field.personal);
                    (field.map(|field| &field.ty), before == Some(true), is_personal)
                }
                Type::Map(inner) => (Some(inner.as_ref()), !keys.insert(key.clone()), self.is_personal),
                _ => (None, false, false),
            };
            // Keys of a map are data too.
            let named = if self.is_personal && matches!(ty, Type::Map(_)) { "…" } else { key.as_str() };
            if is_doubled {
                self.doubled(named);
            }
            let place = Place { parent: self.place, segment: Segment::Key(named) };
            match inner {
                Some(ty) => map.next_value_seed(Fit { ty, place: Some(&place), is_personal, misfits: self.misfits })?,
                None => map.next_value::<IgnoredAny>().map(|_| ())?,
            }
        }
        match ty {
            Type::Record(record) => self.missing(record, &seen),
            Type::Map(_) => {}
            _ => self.misfit("{"),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        if let Type::List(inner) = self.ty.required() {
            let mut index = 0;
            loop {
                let place = Place { parent: self.place, segment: Segment::Element(index) };
                let next = Fit { ty: inner, place: Some(&place), is_personal: self.is_personal, misfits: self.misfits };
                if list.next_element_seed(next)?.is_none() {
                    return Ok(());
                }
                index += 1;
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        self.misfit("[");
        Ok(())
    }

    fn visit_unit<E>(mut self) -> Result<(), E> {
        if !self.ty.is_optional() {
            self.misfit("null");
        }
        Ok(())
    }
    fn visit_bool<E>(mut self, found: bool) -> Result<(), E> {
        self.misfit(&found.to_string());
        Ok(())
    }
    fn visit_i64<E>(mut self, found: i64) -> Result<(), E> {
        self.misfit(&found.to_string());
        Ok(())
    }
    fn visit_u64<E>(mut self, found: u64) -> Result<(), E> {
        self.misfit(&found.to_string());
        Ok(())
    }
    fn visit_f64<E>(mut self, found: f64) -> Result<(), E> {
        self.misfit(&found.to_string());
        Ok(())
    }
    fn visit_str<E>(mut self, found: &str) -> Result<(), E> {
        self.misfit(&format!("\"{found}\""));
        Ok(())
    }
}

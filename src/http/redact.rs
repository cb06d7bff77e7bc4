//! Takes personal data out of payloads before they are shown. The log keeps it: sagas need it.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::value::RawValue;

use crate::definition::personal::Veil;
use crate::definition::types::{Record, Type};
use crate::json::Json;

/// What stands in place of a personal value.
pub const PERSONAL: &str = "\"(personal)\"";

/// A value without what is personal of it. Fields of which nobody has said anything are left as they are; what has another
/// form than that in which something is hidden goes as a whole.
#[must_use]
pub fn redact(veil: &Veil, json: &Json) -> Json {
    if veil.is_nothing() { json.clone() } else { shown(veiled(veil, json.get())) }
}

/// An answer that does not fit its contract: nobody knows what stands in it where. So where the contract has anything personal,
/// only fields that it knows and does not call so are shown, and what is nested in another form than theirs is not.
#[must_use]
pub fn redact_unfit(record: &Record, json: &Json) -> Json {
    if Veil::of_record(record).is_nothing() { json.clone() } else { shown(of_record(record, json.get())) }
}

fn shown(text: Cow<'_, str>) -> Json {
    // What cannot be taken apart is shown as nothing rather than with what it may hold.
    Json::parse(text.into_owned()).unwrap_or_else(|_| Json::empty_object())
}

fn veiled<'t>(veil: &Veil, text: &'t str) -> Cow<'t, str> {
    let inside = match veil {
        Veil::Nothing => return Cow::Borrowed(text),
        Veil::Whole => None,
        Veil::Fields(fields) => object(text, |key, value| match fields.get(key) {
            Some(veil) => veiled(veil, value),
            None => Cow::Borrowed(value),
        }),
        Veil::Each(veil) if text.starts_with('[') => list(text, |element| veiled(veil, element)),
        Veil::Each(veil) => object(text, |_, value| veiled(veil, value)),
    };
    inside.unwrap_or_else(|| hidden(text))
}

fn of_record<'t>(record: &Record, text: &'t str) -> Cow<'t, str> {
    let inside = object(text, |key, value| match record.field(key) {
        Some(field) if !field.personal => of_type(&field.ty, value),
        Some(_) | None => hidden(value),
    });
    inside.unwrap_or_else(|| hidden(text))
}

fn of_type<'t>(ty: &Type, text: &'t str) -> Cow<'t, str> {
    match ty {
        Type::Optional(inner) => of_type(inner, text),
        Type::Record(record) => of_record(record, text),
        Type::List(inner) => list(text, |element| of_type(inner, element)).unwrap_or_else(|| hidden(text)),
        Type::Map(inner) => object(text, |_, value| of_type(inner, value)).unwrap_or_else(|| hidden(text)),
        Type::Json => Cow::Borrowed(text),
        _ if text.starts_with(['{', '[']) => hidden(text),
        _ => Cow::Borrowed(text),
    }
}

/// That nothing is there hides nothing.
const fn hidden(text: &str) -> Cow<'_, str> {
    if matches!(text.as_bytes(), b"null") { Cow::Borrowed(text) } else { Cow::Borrowed(PERSONAL) }
}

/// The list with each element replaced; none if it is none.
fn list<'t>(text: &'t str, element: impl Fn(&'t str) -> Cow<'t, str>) -> Option<Cow<'t, str>> {
    let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let elements: Vec<_> = elements.into_iter().map(|raw| element(raw.get())).collect();
    Some(Cow::Owned(format!("[{}]", elements.join(","))))
}

/// The object with each value replaced, in its order; none if it is none.
fn object<'t>(text: &'t str, value: impl Fn(&str, &'t str) -> Cow<'t, str>) -> Option<Cow<'t, str>> {
    let fields: IndexMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    let fields: Vec<String> = fields
        .iter()
        .map(|(key, raw)| {
            let key_text = serde_json::to_string(key).unwrap_or_default();
            format!("{key_text}:{}", value(key, raw.get()))
        })
        .collect();
    Some(Cow::Owned(format!("{{{}}}", fields.join(","))))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::definition::types::Field;
    use crate::source::Span;

    fn field(key: &str, ty: Type, personal: bool) -> Field {
        Field { key: key.into(), ty, personal, docs: None, span: Span::default() }
    }

    fn record(fields: Vec<Field>) -> Arc<Record> {
        Arc::new(Record { name: None, fields })
    }

    fn party() -> Arc<Record> {
        let guest = record(vec![field("name", Type::String, true), field("age", Type::Int.optional(), false)]);
        let guest = Arc::new(Type::Record(guest));
        record(vec![
            field("guests", Type::List(Arc::clone(&guest)), false),
            field("by", Type::Map(guest), false),
            field("amount", Type::Decimal, false),
            field("rest", Type::Json, false),
        ])
    }

    #[test]
    fn personal_fields_go_wherever_they_are_nested() {
        let veil = Veil::of_record(&party());
        let json = r#"{"amount":840.00,"guests":[{"name":"ana","age":7},{"name":null,"pet":"rex"}],"by":{"x":{"name":"eva"}}}"#;
        let shown = redact(&veil, &Json::parse(json).unwrap());
        let wanted = r#"{"amount":840.00,"guests":[{"name":"(personal)","age":7},{"name":null,"pet":"rex"}],"by":{"x":{"name":"(personal)"}}}"#;
        assert_eq!(shown.get(), wanted);
    }

    #[test]
    fn what_has_another_form_goes_as_a_whole() {
        let veil = Veil::of_record(&party());
        let shown = redact(&veil, &Json::parse(r#"{"guests":"ana","by":["ana"],"amount":1}"#).unwrap());
        assert_eq!(shown.get(), r#"{"guests":"(personal)","by":["(personal)"],"amount":1}"#);
        assert_eq!(redact(&veil, &Json::parse("7").unwrap()).get(), PERSONAL);
    }

    #[test]
    fn of_what_does_not_fit_known_fields_in_their_form_are_shown() {
        let json = r#"{"amount":"much","guest":"ana","guests":[{"nam":"ana","name":7,"age":"old"},"ana"],"by":{"x":null},"rest":{"a":1}}"#;
        let shown = redact_unfit(&party(), &Json::parse(json).unwrap());
        let wanted = r#"{"amount":"much","guest":"(personal)","guests":[{"nam":"(personal)","name":"(personal)","age":"old"},"(personal)"],"by":{"x":null},"rest":{"a":1}}"#;
        assert_eq!(shown.get(), wanted);
        let amount = redact_unfit(&party(), &Json::parse(r#"{"amount":{"name":"ana"},"by":"ana"}"#).unwrap());
        assert_eq!(amount.get(), r#"{"amount":"(personal)","by":"(personal)"}"#);
        let plain = record(vec![field("amount", Type::Decimal, false)]);
        let json = r#"{"amout":840.00}"#;
        assert_eq!(redact_unfit(&plain, &Json::parse(json).unwrap()).get(), json, "nothing in it is personal");
    }
}

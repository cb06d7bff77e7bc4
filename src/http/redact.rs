//! Takes `personal` fields out of payloads before they are shown. The log keeps them: sagas need them.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::value::RawValue;

use crate::definition::types::Type;
use crate::json::Json;

/// What stands in place of a personal value.
pub const PERSONAL: &str = "\"(personal)\"";

/// The payload without the values of fields that `ty` calls personal. Fields that the type does not know are left as
/// they are, and so is what is no JSON of that type: types say what is personal, not values.
#[must_use]
pub fn redact(ty: &Type, json: &Json) -> Json {
    if !has_personal(ty) {
        return json.clone();
    }
    // What cannot be taken apart is shown as nothing rather than with what it may hold.
    Json::parse(rewritten(ty, json.get()).into_owned()).unwrap_or_else(|_| Json::empty_object())
}

/// Whether a value of the type can hold a personal field. Types are at most 64 deep.
fn has_personal(ty: &Type) -> bool {
    match ty {
        Type::List(inner) | Type::Map(inner) | Type::Optional(inner) => has_personal(inner),
        Type::Record(record) => record.fields.iter().any(|field| field.personal || has_personal(&field.ty)),
        Type::String
        | Type::Int
        | Type::Decimal
        | Type::Bool
        | Type::Timestamp
        | Type::Duration
        | Type::Json
        | Type::Unknown
        | Type::Choice(_) => false,
    }
}

fn rewritten<'t>(ty: &Type, text: &'t str) -> Cow<'t, str> {
    match ty {
        Type::Optional(inner) => rewritten(inner, text),
        Type::List(inner) => match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(elements) => {
                let elements: Vec<_> = elements.iter().map(|element| rewritten(inner, element.get())).collect();
                Cow::Owned(format!("[{}]", elements.join(",")))
            }
            Err(_) => Cow::Borrowed(text),
        },
        Type::Map(inner) => object(text, |_, value| rewritten(inner, value)),
        Type::Record(record) => object(text, |key, value| match record.field(key) {
            Some(field) if field.personal && value != "null" => Cow::Borrowed(PERSONAL),
            Some(field) => rewritten(&field.ty, value),
            None => Cow::Borrowed(value),
        }),
        _ => Cow::Borrowed(text),
    }
}

/// The object with each value replaced, in its order.
fn object<'t>(text: &'t str, value: impl Fn(&str, &'t str) -> Cow<'t, str>) -> Cow<'t, str> {
    let Ok(fields) = serde_json::from_str::<IndexMap<String, &'t RawValue>>(text) else { return Cow::Borrowed(text) };
    let fields: Vec<String> = fields
        .iter()
        .map(|(key, raw)| {
            let key_text = serde_json::to_string(key).unwrap_or_default();
            format!("{key_text}:{}", value(key, raw.get()))
        })
        .collect();
    Cow::Owned(format!("{{{}}}", fields.join(",")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::definition::types::{Field, Record};
    use crate::source::Span;

    fn field(key: &str, ty: Type, personal: bool) -> Field {
        Field { key: key.into(), ty, personal, docs: None, span: Span::default() }
    }

    fn record(fields: Vec<Field>) -> Type {
        Type::Record(Arc::new(Record { name: None, fields }))
    }

    #[test]
    fn personal_fields_go_wherever_they_are_nested() {
        let guest = record(vec![field("name", Type::String, true), field("age", Type::Int.optional(), false)]);
        let ty = record(vec![
            field("guests", Type::List(Arc::new(guest.clone())), false),
            field("by", Type::Map(Arc::new(guest)), false),
            field("amount", Type::Decimal, false),
        ]);
        let json = r#"{"amount":840.00,"guests":[{"name":"ana","age":7},{"name":null,"pet":"rex"}],"by":{"x":{"name":"eva"}}}"#;
        let shown = redact(&ty, &Json::parse(json).unwrap());
        let wanted = r#"{"amount":840.00,"guests":[{"name":"(personal)","age":7},{"name":null,"pet":"rex"}],"by":{"x":{"name":"(personal)"}}}"#;
        assert_eq!(shown.get(), wanted);
    }
}

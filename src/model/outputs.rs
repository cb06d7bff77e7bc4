//! Whether what a saga ended with is what a scenario expects of it.

use compact_str::CompactString;
use serde_json::Value;

use crate::definition::json::decode;
use crate::definition::types::Type;

/// The first place at which an output of this type departs from what is wanted of it, with what is wanted and what was
/// found there; both are JSON. Only fields that are wanted count, and one value in two ways of writing it is the same: 10.5
/// and 10.50, an hour and 60 minutes.
pub(super) fn departure(ty: &Type, wanted: &str, output: &str) -> Option<(CompactString, String, String)> {
    match (serde_json::from_str(wanted), serde_json::from_str(output)) {
        (Ok(wanted), Ok(output)) => part(ty, &wanted, &output, ""),
        _ => Some((CompactString::default(), wanted.to_owned(), output.to_owned())),
    }
}

fn part(ty: &Type, wanted: &Value, found: &Value, at: &str) -> Option<(CompactString, String, String)> {
    let behind = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    match (ty.required(), wanted, found) {
        (Type::Record(_) | Type::Map(_) | Type::Json, Value::Object(wanted), Value::Object(found)) => {
            wanted.iter().find_map(|(key, wanted)| {
                let found = found.get(key).unwrap_or(&Value::Null);
                part(of_key(ty.required(), key), wanted, found, &behind(key))
            })
        }
        (Type::List(inner), Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            let pairs = wanted.iter().zip(found).enumerate();
            pairs.into_iter().find_map(|(index, (wanted, found))| part(inner, wanted, found, &format!("{at}[{index}]")))
        }
        (ty, wanted, found) => {
            let (wanted, found) = (wanted.to_string(), found.to_string());
            let is_same = wanted == found
                || matches!((decode(ty, &wanted), decode(ty, &found)), (Ok(wanted), Ok(found)) if wanted == found);
            (!is_same).then(|| (at.into(), wanted, found))
        }
    }
}

fn of_key<'t>(ty: &'t Type, key: &str) -> &'t Type {
    match ty {
        Type::Record(shape) => {
            shape.fields.iter().find(|field| field.key == key).map_or(&Type::Json, |field| &field.ty)
        }
        Type::Map(inner) => inner,
        _ => &Type::Json,
    }
}

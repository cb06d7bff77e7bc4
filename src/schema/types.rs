//! Types as JSON Schema. A schema takes what the engine takes, and what the engine writes fits it; it says no more than
//! the type does, so fields that it does not know are allowed.

use serde_json::{Map, Value, json};

use super::Names;
use crate::definition::types::{Field, Record, Type};

/// The schemas of named types, as they are met.
pub(super) struct Types {
    at: &'static str,
    /// By the name of the type.
    pub(super) names: Names,
}

impl Types {
    /// `at` is where named ones stand in the document: `#/$defs/`.
    pub(super) fn new(at: &'static str) -> Self {
        Self { at, names: Names::default() }
    }

    /// The schema of a value. Types are at most 64 deep, so this may recurse.
    pub(super) fn of(&mut self, ty: &Type) -> Value {
        match ty {
            Type::String => json!({ "type": "string" }),
            Type::Int => json!({
                "type": ["integer", "string"],
                "format": "int64",
                "minimum": i64::MIN,
                "maximum": i64::MAX,
                "pattern": "^-?[0-9]+$",
                "description": "64 bit, signed; beyond 2^53 as a string of digits",
            }),
            Type::Decimal => json!({
                "type": ["string", "number"],
                "pattern": "^-?[0-9]+(\\.[0-9]+)?$",
                "description": "exact, at most 28 digits; written as a string",
            }),
            Type::Bool => json!({ "type": "boolean" }),
            Type::Timestamp => json!({
                "type": "string",
                "format": "date-time",
                "description": "from 1970-01-01 to 9999-12-30; what is finer than a millisecond is cut off",
            }),
            Type::Duration => json!({
                "type": "string",
                "pattern": "^([-+]?[Pp].+|[0-9_]+(ms|s|m|h|d))$",
                "description": "ISO 8601, such as PT15M; written so; `15m` is read too",
            }),
            Type::Json | Type::Unknown => json!({}),
            Type::List(inner) => json!({ "type": "array", "items": self.of(inner) }),
            Type::Map(inner) => json!({ "type": "object", "additionalProperties": self.of(inner) }),
            Type::Choice(words) => json!({ "type": "string", "enum": &**words }),
            Type::Record(record) => self.record(record),
            Type::Optional(inner) => json!({ "anyOf": [self.of(inner), { "type": "null" }] }),
        }
    }

    /// The shape of a whole payload, with the documentation of what it belongs to.
    pub(super) fn shape(&mut self, record: &Record, docs: Option<&str>) -> Value {
        let mut schema = self.record(record);
        // Beside a `$ref` of draft 7 nothing else counts.
        if let (Some(docs), Some(schema)) = (docs, schema.as_object_mut().filter(|schema| !schema.contains_key("$ref")))
        {
            schema.insert("description".to_owned(), json!(docs));
        }
        schema
    }

    fn record(&mut self, record: &Record) -> Value {
        let schema = self.fields(&record.fields);
        match &record.name {
            None => schema,
            Some(name) => {
                self.names.add(name.as_str(), schema);
                json!({ "$ref": format!("{}{name}", self.at) })
            }
        }
    }

    fn fields(&mut self, fields: &[Field]) -> Value {
        let mut properties = Map::new();
        let mut required: Vec<&str> = Vec::new();
        for field in fields {
            let mut schema = self.of(&field.ty);
            if field.personal || field.docs.is_some() {
                if schema.as_object().is_some_and(|schema| schema.contains_key("$ref")) {
                    schema = json!({ "allOf": [schema] });
                }
                if let Some(schema) = schema.as_object_mut() {
                    schema.extend(field.docs.iter().map(|docs| ("description".to_owned(), json!(docs))));
                    schema.extend(field.personal.then(|| ("x-personal".to_owned(), json!(true))));
                }
            }
            properties.insert(field.key.to_string(), schema);
            if !field.ty.is_optional() {
                required.push(&field.key);
            }
        }
        json!({ "type": "object", "properties": properties, "required": required })
    }
}

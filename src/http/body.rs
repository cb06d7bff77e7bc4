//! Reads what a request says, and names the field that is wrong: callers know fields, not our types.

use indexmap::IndexMap;
use serde::de::DeserializeOwned;

use super::api::{ApiError, EventBody, ListQuery, OrderBody, PartitionOrder, StartBody};
use super::dead::DeadQuery;
use super::past::{HistoryQuery, ShowQuery};
use crate::json::Json;

/// What stands in a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holds {
    /// A string.
    Text,
    /// One of these.
    Word(&'static [&'static str]),
    /// Any JSON.
    Json,
    /// A number from 0 on, in a query.
    Count,
}

/// A field: its name, what it holds, whether it must be there.
type Field = (&'static str, Holds, bool);

/// What can be sent.
pub(super) trait Body: DeserializeOwned {
    /// All fields.
    const FIELDS: &'static [Field];
    /// One that is right.
    const EXAMPLE: &'static str;
}

impl Body for StartBody {
    const FIELDS: &'static [Field] =
        &[("saga", Holds::Text, true), ("id", Holds::Text, false), ("input", Holds::Json, false)];
    const EXAMPLE: &'static str = r#"{"saga":"booking","id":"trip-7","input":{"nights":2}}"#;
}

impl Body for OrderBody {
    const FIELDS: &'static [Field] = &[
        ("order", Holds::Word(&["cancel", "retry", "resolve", "signal"]), true),
        ("step", Holds::Text, false),
        ("work", Holds::Word(&["do", "undo"]), false),
        ("outcome", Holds::Word(&["succeeded", "failed"]), false),
        ("reply", Holds::Json, false),
        ("code", Holds::Text, false),
        ("signal", Holds::Text, false),
        ("with", Holds::Json, false),
        ("by", Holds::Text, false),
        ("reason", Holds::Text, false),
        ("request", Holds::Text, false),
    ];
    const EXAMPLE: &'static str = r#"{"order":"retry","step":"reserve_room","by":"eva","reason":"the hotel is back"}"#;
}

impl Body for EventBody {
    const FIELDS: &'static [Field] = &[("event", Holds::Json, true), ("key", Holds::Text, false)];
    const EXAMPLE: &'static str = r#"{"event":{"order":"7"},"key":"7"}"#;
}

impl Body for PartitionOrder {
    const FIELDS: &'static [Field] =
        &[("order", Holds::Word(&["accept_gap"]), true), ("by", Holds::Text, false), ("reason", Holds::Text, false)];
    const EXAMPLE: &'static str = r#"{"order":"accept_gap","by":"eva","reason":"there is no backup"}"#;
}

impl Body for ListQuery {
    const FIELDS: &'static [Field] = &[
        ("saga", Holds::Text, false),
        ("status", Holds::Word(&["running", "compensating", "stuck", "completed", "compensated"]), false),
        ("step", Holds::Text, false),
        ("ended", Holds::Word(&["too"]), false),
        ("limit", Holds::Count, false),
    ];
    const EXAMPLE: &'static str = r#""?status=stuck&limit=20""#;
}

impl Body for ShowQuery {
    const FIELDS: &'static [Field] = &[("at", Holds::Text, false), ("run", Holds::Text, false)];
    const EXAMPLE: &'static str = r#""?at=10m""#;
}

impl Body for HistoryQuery {
    const FIELDS: &'static [Field] = &[("run", Holds::Text, false)];
    const EXAMPLE: &'static str = r#""?run=all""#;
}

impl Body for DeadQuery {
    const FIELDS: &'static [Field] = &[("limit", Holds::Count, false)];
    const EXAMPLE: &'static str = r#""?limit=20""#;
}

/// Reads a body.
pub(super) fn read<T: Body>(bytes: &[u8]) -> Result<T, ApiError> {
    let wrong = |why: String| Err(ApiError::bad_request(why).example(T::EXAMPLE));
    let fields: IndexMap<String, Json> = match serde_json::from_slice(bytes) {
        Ok(fields) => fields,
        Err(_) if bytes.trim_ascii().is_empty() => {
            return wrong("the body is empty: a JSON object is wanted".to_owned());
        }
        Err(error) if error.is_data() => return wrong("the body is no JSON object".to_owned()),
        Err(error) => return wrong(format!("the body is no JSON: {error}")),
    };
    for (name, value) in &fields {
        if let Err(why) = fits::<T>("the body", name, value.get()) {
            return wrong(why);
        }
    }
    let is_there = |name: &str| fields.get(name).is_some_and(|value| value.get() != "null");
    if let Some((name, holds, _)) = T::FIELDS.iter().find(|(name, _, needed)| *needed && !is_there(name)) {
        return wrong(format!("the body lacks `{name}`: {}", wanted(*holds)));
    }
    serde_json::from_slice(bytes).or_else(|error| wrong(format!("the body cannot be used: {error}")))
}

/// Reads a query.
pub(super) fn query<T: Body>(pairs: Vec<(String, String)>) -> Result<T, ApiError> {
    let mut words = serde_json::Map::new();
    for (name, text) in pairs {
        let count = text.parse::<u32>().ok().filter(|_| matches!(holds::<T>(&name), Some(Holds::Count)));
        let value = count.map_or_else(|| serde_json::Value::from(text), serde_json::Value::from);
        fits::<T>("the query", &name, &value.to_string())
            .map_err(|why| ApiError::bad_request(why).example(T::EXAMPLE))?;
        words.insert(name, value);
    }
    serde_json::from_value(words.into())
        .map_err(|error| ApiError::bad_request(format!("the query cannot be used: {error}")))
}

fn holds<T: Body>(name: &str) -> Option<Holds> {
    T::FIELDS.iter().find(|(field, ..)| *field == name).map(|(_, holds, _)| *holds)
}

fn fits<T: Body>(what: &str, name: &str, value: &str) -> Result<(), String> {
    let Some(holds) = holds::<T>(name) else {
        let known: Vec<String> = T::FIELDS.iter().map(|(name, ..)| format!("`{name}`")).collect();
        return Err(format!("{what} has a field `{name}` that means nothing here: it knows {}", known.join(", ")));
    };
    let text = || serde_json::from_str::<String>(value).ok();
    let fits = match holds {
        Holds::Json => true,
        // Absent and null are alike.
        _ if value == "null" => true,
        Holds::Text => text().is_some(),
        Holds::Word(words) => text().is_some_and(|text| words.contains(&text.as_str())),
        Holds::Count => value.parse::<u32>().is_ok(),
    };
    if fits { Ok(()) } else { Err(format!("`{name}` in {what} must be {}", wanted(holds))) }
}

fn wanted(holds: Holds) -> String {
    match holds {
        Holds::Text => "a string".to_owned(),
        Holds::Json => "JSON".to_owned(),
        Holds::Count => "a number".to_owned(),
        Holds::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or "),
    }
}

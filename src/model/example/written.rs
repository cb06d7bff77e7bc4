//! An example as a scenario of the language.

use std::fmt::Write as _;

use super::Example;
use crate::check::shown;
use crate::definition::types::{Record, Type};
use crate::definition::{Answer, Called, ExpectKind, HappeningKind};
use crate::json::Json;
use crate::model::world::without_indices;
use crate::plan::Plan;
use crate::source::{FileId, SourceFile};
use crate::syntax::{self, key, quoted};

impl Example {
    /// To paste behind the definition; laid out as `saga fmt` does.
    #[must_use]
    pub fn text(&self, plan: &Plan) -> String {
        let mut text = String::new();
        for remark in &self.remarks {
            let _ = writeln!(text, "// {remark}");
        }
        let _ = writeln!(text, "scenario {} for {} {{", quoted(&self.title), plan.saga.name);
        if !plan.saga.input.fields.is_empty() {
            let _ = writeln!(text, "  given {}", object(&plan.saga.input, self.given.get()));
        }
        for happening in &self.happenings {
            let _ = writeln!(text, "  when {}", self::happening(plan, happening));
        }
        for expect in &self.expects {
            let _ = writeln!(text, "  expect {}", expected(expect));
        }
        text.push_str("}\n");
        let file = SourceFile::new("example.saga", text);
        let (tree, _) = syntax::parse(FileId::default(), &file);
        syntax::format(&file, &tree)
    }
}

/// `charge fails "declined"`
pub(super) fn happening(plan: &Plan, happening: &HappeningKind) -> String {
    match happening {
        HappeningKind::Cancelled(after) => format!("cancelled{}", behind(*after)),
        HappeningKind::Arrives { signal, with, after } => {
            let shape = plan.saga.signals.get(without_indices(signal).as_str()).map(|signal| signal.shape.clone());
            let with = shape.filter(|shape| !shape.fields.is_empty()).map(|shape| object(&shape, with));
            let with = with.map(|with| format!(" {with}")).unwrap_or_default();
            format!("signal {signal} arrives{with}{}", behind(*after))
        }
        HappeningKind::Answer { called, answer, times } => {
            let answer = match answer {
                Answer::Fails(None) => "fails".to_owned(),
                Answer::Fails(Some(code)) => format!("fails {}", quoted(code)),
                Answer::TimesOut => "times out".to_owned(),
                Answer::StaysPending => "stays pending".to_owned(),
                Answer::Replies(with) => {
                    let action = super::work(plan, &called.step).and_then(|work| work.action());
                    let reply = action.map(|action| object(&action.command.reply, with));
                    format!("replies {}", reply.unwrap_or_default())
                }
            };
            let times = times.map(|times| format!(" {times} times")).unwrap_or_default();
            format!("{} {answer}{times}", self::called(called))
        }
    }
}

fn behind(after: std::time::Duration) -> String {
    if after.is_zero() { String::new() } else { format!(" after {}", shown(after)) }
}

fn called(called: &Called) -> String {
    if called.undo { format!("undo {}", called.step) } else { called.step.to_string() }
}

fn expected(expect: &ExpectKind) -> String {
    match expect {
        ExpectKind::Completed(_) => "completed".to_owned(),
        ExpectKind::Compensated(None) => "compensated".to_owned(),
        ExpectKind::Compensated(Some(code)) => format!("compensated {}", quoted(code)),
        ExpectKind::Stuck(at) => format!("stuck {}", called(at)),
        ExpectKind::Calls(calls) if calls.is_empty() => "calls nothing".to_owned(),
        ExpectKind::Calls(calls) => format!("calls {}", calls.iter().map(called).collect::<Vec<_>>().join(", ")),
    }
}

/// JSON that fits a shape, as the language writes it.
fn object(shape: &Record, json: &str) -> String {
    let value = serde_json::from_str(json).unwrap_or_default();
    record(shape, &value)
}

fn record(shape: &Record, json: &serde_json::Value) -> String {
    let field = |field: &crate::definition::types::Field| {
        // Of what is not there nothing is written; `null` is JSON, too.
        let value = json.get(field.key.as_str()).filter(|value| !value.is_null() || field.ty == Type::Json)?;
        Some(format!("{}: {}", key(&field.key), literal(&field.ty, value)))
    };
    let fields: Vec<String> = shape.fields.iter().filter_map(field).collect();
    if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
}

fn literal(ty: &Type, json: &serde_json::Value) -> String {
    match (ty, json) {
        (Type::Optional(inner), json) => literal(inner, json),
        (Type::Record(shape), json) => record(shape, json),
        (Type::List(inner), serde_json::Value::Array(all)) => {
            format!("[{}]", all.iter().map(|one| literal(inner, one)).collect::<Vec<_>>().join(", "))
        }
        (Type::Map(inner), serde_json::Value::Object(all)) => {
            let entries: Vec<_> =
                all.iter().map(|(name, one)| format!("{}: {}", key(name), literal(inner, one))).collect();
            if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
        }
        // Numbers are strings in JSON where a reader would make floats of them.
        (Type::Int | Type::Decimal, serde_json::Value::String(number)) => number.clone(),
        (Type::Duration, serde_json::Value::String(text)) => duration(text),
        (_, serde_json::Value::String(text)) => quoted(text),
        (_, serde_json::Value::Object(all)) => {
            let entries: Vec<_> =
                all.iter().map(|(name, one)| format!("{}: {}", key(name), literal(&Type::Json, one))).collect();
            if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
        }
        (_, serde_json::Value::Array(all)) => {
            format!("[{}]", all.iter().map(|one| literal(&Type::Json, one)).collect::<Vec<_>>().join(", "))
        }
        (_, scalar) => scalar.to_string(),
    }
}

fn duration(text: &str) -> String {
    let json = Json::of(&text).ok();
    match json.and_then(|json| crate::definition::json::decode(&Type::Duration, json.get()).ok()) {
        Some(crate::definition::value::Value::Duration(millis)) => {
            shown(std::time::Duration::from_millis(u64::try_from(millis).unwrap_or_default()))
        }
        _ => quoted(text),
    }
}

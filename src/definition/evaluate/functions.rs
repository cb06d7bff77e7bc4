//! The twelve functions.

use compact_str::CompactString;
use rust_decimal::{Decimal, RoundingStrategy};

use super::{Evaluation, Invalid, arithmetic};
use crate::definition::expression::{BinaryOp, Expr, Function};
use crate::definition::json::{decimal_text, duration_text};
use crate::definition::value::{Value, to_json};

impl Evaluation<'_> {
    fn id(&self, way: &Value, word: &Value) -> Result<Value, Invalid> {
        match (way, word) {
            (Value::String(way), Value::String(word)) => self.take(Value::String(self.env.id(way, word).into())),
            (_, other) => Err(misfit("string", other)),
        }
    }

    pub(super) fn call(&self, function: Function, arguments: &[Expr]) -> Result<Value, Invalid> {
        match (function, arguments) {
            (Function::Id, [word]) => self.id(&Value::String(CompactString::default()), &self.value(word)?),
            (Function::Id, [word, way]) => self.id(&self.value(way)?, &self.value(word)?),
            (Function::Count, [list]) => Ok(Value::Int(i64::try_from(self.list(list)?.len()).unwrap_or(i64::MAX))),
            (Function::Sum, [list]) => {
                let mut sum = Value::Int(0);
                for element in self.list(list)? {
                    sum = arithmetic::compute(BinaryOp::Add, &sum, &element)?;
                }
                Ok(sum)
            }
            (Function::Min, [list]) => self.extreme(list, std::cmp::Ordering::is_lt),
            (Function::Max, [list]) => self.extreme(list, std::cmp::Ordering::is_gt),
            (Function::Any, [list]) => Ok(Value::Bool(self.list(list)?.contains(&Value::Bool(true)))),
            (Function::All, [list]) => Ok(Value::Bool(!self.list(list)?.contains(&Value::Bool(false)))),
            (Function::Contains, [whole, part]) => {
                let (whole, part) = (self.value(whole)?, self.value(part)?);
                Ok(Value::Bool(match (&whole, &part) {
                    (Value::List(elements), part) => elements.iter().any(|element| arithmetic::same(element, part)),
                    (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
                    _ => return Err(misfit("list or string", &whole)),
                }))
            }
            (Function::Present, [list]) => {
                let present = self.list(list)?.into_iter().filter(|element| *element != Value::Null);
                Ok(Value::List(present.collect()))
            }
            (Function::Rounded, [number, places]) => match (self.value(number)?, self.value(places)?) {
                (Value::Decimal(number), Value::Int(places)) => rounded(number, places),
                (Value::Int(number), Value::Int(places)) => rounded(Decimal::from(number), places),
                (other, _) => Err(misfit("decimal", &other)),
            },
            (Function::Length, [text]) => match self.value(text)? {
                Value::String(text) => Ok(Value::Int(i64::try_from(text.chars().count()).unwrap_or(i64::MAX))),
                other => Err(misfit("string", &other)),
            },
            (Function::Text, [value]) => {
                let value = self.value(value)?;
                self.take(Value::String(text(value)?))
            }
            (function, arguments) => Err(Invalid::new(format!("call {function:?} with {} arguments", arguments.len()))),
        }
    }

    fn list(&self, list: &Expr) -> Result<Vec<Value>, Invalid> {
        match self.value(list)? {
            Value::List(elements) => Ok(elements),
            other => Err(misfit("list", &other)),
        }
    }

    /// The first element that is beyond all before it; absent of none.
    fn extreme(&self, list: &Expr, is_beyond: fn(std::cmp::Ordering) -> bool) -> Result<Value, Invalid> {
        let mut extreme = Value::Null;
        for element in self.list(list)? {
            if extreme == Value::Null || arithmetic::order(&element, &extreme).is_some_and(is_beyond) {
                extreme = element;
            }
        }
        Ok(extreme)
    }
}

/// Half to even, to exactly so many places: `rounded(2.5, 0)` is 2, `rounded(2, 2)` is 2.00.
fn rounded(number: Decimal, places: i64) -> Result<Value, Invalid> {
    let too_many = || Invalid::new(format!("round to {places} places: the result has more than 28 digits"));
    let places = u32::try_from(places).map_err(|_| too_many())?;
    let mut rounded = number.round_dp_with_strategy(places, RoundingStrategy::MidpointNearestEven);
    rounded.rescale(places);
    if rounded.scale() != places {
        return Err(too_many());
    }
    arithmetic::within_digits(rounded).filter(|fits| fits.scale() == places).map(Value::Decimal).ok_or_else(too_many)
}

/// As in JSON, without quotes.
fn text(value: Value) -> Result<CompactString, Invalid> {
    Ok(match value {
        Value::Bool(value) => CompactString::const_new(if value { "true" } else { "false" }),
        Value::Int(value) => value.to_string().into(),
        Value::Decimal(value) => decimal_text(value).into(),
        Value::String(text) => text,
        Value::Timestamp(instant) => instant.to_string().into(),
        Value::Duration(millis) => duration_text(millis).into(),
        other => return Err(misfit("scalar", &other)),
    })
}

fn misfit(wanted: &str, found: &Value) -> Invalid {
    let mut shown = to_json(found);
    if shown.len() > 40 {
        shown = "something longer".into();
    }
    Invalid::new(format!("read {shown} as {wanted}"))
}

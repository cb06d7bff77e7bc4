//! Evaluates typed expressions against the data of an instance.
//!
//! Total and bounded: depth and nodes are limited when an expression is lowered, lists and texts by
//! [`MAX_JSON_BYTES`]. Only an overflow of arithmetic, a result beyond that limit, or data that does not fit its
//! declared type (which the engine refuses before it stores it) ends in [`Invalid`]. There is no clock and no
//! randomness; `id("word")` comes from the environment, which derives it.

mod arithmetic;
mod functions;

use std::borrow::Cow;
use std::cell::Cell;

use super::expression::{BinaryOp, Expr, PathSegment, Read, Root, Typed};
use super::json::{MAX_JSON_BYTES, Unreadable, decode, locate};
use super::types::Type;
use super::value::{Value, to_json};

/// Why an expression has no value. The step that needs it fails with the code `invalid`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// For people; a lowercase fragment.
    pub message: String,
}

impl Invalid {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl From<Unreadable> for Invalid {
    fn from(unreadable: Unreadable) -> Self {
        Self::new(unreadable.to_string())
    }
}

/// What a root stands for.
#[derive(Clone, Debug)]
pub enum Datum<'a> {
    /// JSON text; only what is asked for is read from it.
    Json(Cow<'a, str>),
    /// A value.
    Value(Value),
}

/// The data of one instance at one place of its saga.
pub trait Environment {
    /// What the root stands for; `None` where it is absent (a branch not taken, a step undone, no failure).
    fn read(&self, root: &Root) -> Option<Datum<'_>>;

    /// `id("word")`: a UUID v5 derived from the instance, the way to the saga that another one runs (empty outside of
    /// those), and the word: the same in each replay.
    fn id(&self, way: &str, word: &str) -> String;
}

/// No data: constants need none.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl Environment for Nothing {
    fn read(&self, _: &Root) -> Option<Datum<'_>> {
        None
    }

    fn id(&self, _: &str, word: &str) -> String {
        word.to_owned()
    }
}

/// The value of `expr` in `env`.
///
/// # Errors
///
/// An overflow, a result that is too large, or data that does not fit its type.
pub fn evaluate(expr: &Expr, env: &dyn Environment) -> Result<Value, Invalid> {
    Evaluation { env, bytes_left: Cell::new(MAX_JSON_BYTES) }.value(expr)
}

impl Typed {
    /// The value of this expression in `env`.
    ///
    /// # Errors
    ///
    /// As [`evaluate`].
    pub fn evaluate(&self, env: &dyn Environment) -> Result<Value, Invalid> {
        evaluate(&self.expr, env)
    }

    /// Whether it has a value in `env`, which is not kept.
    ///
    /// # Errors
    ///
    /// As [`evaluate`].
    pub fn probe(&self, env: &dyn Environment) -> Result<(), Invalid> {
        let evaluation = Evaluation { env, bytes_left: Cell::new(MAX_JSON_BYTES) };
        match &self.expr {
            // That of each field: nothing is added where they are put together.
            Expr::Object(fields) => fields.iter().try_for_each(|(_, value)| evaluation.value(value).map(drop)),
            expr => evaluation.value(expr).map(drop),
        }
    }

    /// The value as canonical JSON.
    ///
    /// # Errors
    ///
    /// As [`evaluate`].
    pub fn evaluate_json(&self, env: &dyn Environment) -> Result<String, Invalid> {
        self.evaluate(env).map(|value| to_json(&value))
    }
}

/// One evaluation, and how much text it may still make.
struct Evaluation<'e> {
    env: &'e dyn Environment,
    bytes_left: Cell<usize>,
}

impl Evaluation<'_> {
    fn value(&self, expr: &Expr) -> Result<Value, Invalid> {
        match expr {
            Expr::Literal(value) => self.take(value.clone()),
            Expr::Read(read) => self.read(read),
            Expr::Every(list, path, ty) => match self.value(list)? {
                Value::List(elements) => {
                    let projected = elements.iter().map(|element| self.step(element, path, ty));
                    projected.collect::<Result<_, _>>().map(Value::List)
                }
                _ => Ok(Value::Null),
            },
            Expr::Into(base, segment, ty) => self.step(&self.value(base)?, std::slice::from_ref(segment), ty),
            Expr::Index(operands, ty) => {
                let (base, key) = operands.as_ref();
                let base = self.value(base)?;
                match self.value(key)? {
                    Value::Int(index) => match u32::try_from(index) {
                        Ok(index) => self.step(&base, &[PathSegment::Element(index)], ty),
                        Err(_) => Ok(Value::Null),
                    },
                    Value::String(key) => self.step(&base, &[PathSegment::Key(key)], ty),
                    _ => Ok(Value::Null),
                }
            }
            Expr::Not(inner) => Ok(Value::Bool(!self.holds(inner)?)),
            Expr::Negate(inner) => arithmetic::negate(&self.value(inner)?),
            Expr::Binary(op, operands) => self.binary(*op, &operands.0, &operands.1),
            Expr::If(parts) => {
                let (condition, then, otherwise) = parts.as_ref();
                self.value(if self.holds(condition)? { then } else { otherwise })
            }
            Expr::Call(function, arguments) => self.call(*function, arguments),
            Expr::Object(fields) => {
                let fields = fields.iter().map(|(key, value)| Ok((key.clone(), self.value(value)?)));
                fields.collect::<Result<_, Invalid>>().map(Value::Object)
            }
            Expr::List(elements) => {
                elements.iter().map(|element| self.value(element)).collect::<Result<_, _>>().map(Value::List)
            }
            Expr::ToDecimal(inner) => self.value(inner).map(arithmetic::to_decimal),
        }
    }

    fn holds(&self, condition: &Expr) -> Result<bool, Invalid> {
        match self.value(condition)? {
            Value::Bool(holds) => Ok(holds),
            other => Err(Invalid::new(format!("read {} as bool", to_json(&other)))),
        }
    }

    fn binary(&self, op: BinaryOp, left: &Expr, right: &Expr) -> Result<Value, Invalid> {
        match op {
            BinaryOp::And => Ok(Value::Bool(self.holds(left)? && self.holds(right)?)),
            BinaryOp::Or => Ok(Value::Bool(self.holds(left)? || self.holds(right)?)),
            BinaryOp::Coalesce => match self.value(left)? {
                Value::Null => self.value(right),
                present => Ok(present),
            },
            BinaryOp::Equal => Ok(Value::Bool(arithmetic::same(&self.value(left)?, &self.value(right)?))),
            BinaryOp::NotEqual => Ok(Value::Bool(!arithmetic::same(&self.value(left)?, &self.value(right)?))),
            BinaryOp::LessEqual | BinaryOp::GreaterEqual | BinaryOp::Less | BinaryOp::Greater => {
                let order = arithmetic::order(&self.value(left)?, &self.value(right)?);
                let order = order.ok_or_else(|| Invalid::new("compare values of two kinds"))?;
                Ok(Value::Bool(match op {
                    BinaryOp::LessEqual => order.is_le(),
                    BinaryOp::GreaterEqual => order.is_ge(),
                    BinaryOp::Less => order.is_lt(),
                    _ => order.is_gt(),
                }))
            }
            BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.take(arithmetic::compute(op, &left, &right)?)
            }
        }
    }

    fn read(&self, read: &Read) -> Result<Value, Invalid> {
        let value = match self.env.read(&read.root) {
            None => Value::Null,
            Some(Datum::Json(text)) => match locate(&text, &read.path)? {
                None => Value::Null,
                Some(found) => self.take(decode(&read.ty, found)?)?,
            },
            Some(Datum::Value(value)) => self.step(&value, &read.path, &read.ty)?,
        };
        if value == Value::Null && !read.ty.is_optional() && read.ty != Type::Json {
            return Err(Invalid::new(format!("read {read}: it is absent")));
        }
        Ok(value)
    }

    /// The value at `path` in a value; absent where the way ends before.
    fn step(&self, value: &Value, path: &[PathSegment], ty: &Type) -> Result<Value, Invalid> {
        let Some((segment, rest)) = path.split_first() else {
            return self.take(match value {
                Value::Raw(text) => decode(ty, text)?,
                other => other.clone(),
            });
        };
        let inner = match (value, segment) {
            (Value::Raw(text), _) => {
                return match locate(text, path)? {
                    None => Ok(Value::Null),
                    Some(found) => self.take(decode(ty, found)?),
                };
            }
            (Value::Object(fields), PathSegment::Key(key)) => fields.iter().find(|(known, _)| known == key),
            (Value::List(elements), PathSegment::Element(index)) => {
                let element = usize::try_from(*index).ok().and_then(|index| elements.get(index));
                return element.map_or(Ok(Value::Null), |element| self.step(element, rest, ty));
            }
            _ => None,
        };
        inner.map_or(Ok(Value::Null), |(_, inner)| self.step(inner, rest, ty))
    }

    /// Counts the text of a value against the limit, so that nothing grows from step to step.
    fn take(&self, value: Value) -> Result<Value, Invalid> {
        let size = size(&value);
        match self.bytes_left.get().checked_sub(size) {
            Some(left) => {
                self.bytes_left.set(left);
                Ok(value)
            }
            None => Err(Invalid::new(format!("make a value of more than {MAX_JSON_BYTES} bytes"))),
        }
    }
}

/// About the bytes of its JSON.
fn size(value: &Value) -> usize {
    /// A number, a literal word, or the brackets and commas of a list.
    const SCALAR_BYTES: usize = 8;
    match value {
        Value::String(text) => text.len(),
        Value::Raw(text) => text.len(),
        Value::List(elements) => elements.iter().map(size).sum::<usize>() + SCALAR_BYTES,
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| key.len() + size(value)).sum::<usize>() + SCALAR_BYTES
        }
        _ => SCALAR_BYTES,
    }
}

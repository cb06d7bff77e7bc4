//! Typed expressions: total, bounded in depth and cost, evaluated without a clock or randomness.
//!
//! Lowering makes them; `evaluate.rs` runs them. Names stay names: the environment that evaluates knows which
//! instance, loop element and inlined saga they belong to.

use std::fmt;
use std::time::Duration;

use compact_str::CompactString;

use super::types::Type;
use super::value::Value;
use crate::source::Span;

pub use crate::syntax::tree::BinaryOp;

/// An expression with its type.
#[derive(Clone, Debug)]
pub struct Typed {
    /// What is computed.
    pub expr: Expr,
    /// Of which type the result is.
    pub ty: Type,
    /// Where it is written.
    pub span: Span,
    /// The first arithmetic in it that may overflow, so that evaluation ends in [`Invalid`](super::evaluate::Invalid).
    pub overflow: Option<Span>,
}

impl Typed {
    /// The duration that stands here in the text.
    pub(crate) fn literal_duration(&self) -> Option<Duration> {
        match &self.expr {
            Expr::Literal(Value::Duration(millis)) => u64::try_from(*millis).ok().map(Duration::from_millis),
            _ => None,
        }
    }
}

/// What is computed.
#[derive(Clone, Debug)]
pub enum Expr {
    /// A constant.
    Literal(Value),
    /// A name or root, and the way into its value.
    Read(Read),
    /// `xs[*].f`: projects each element of a list; `T?` elements stay absent.
    Every(Box<Expr>, Vec<PathSegment>, Type),
    /// A field or element of a computed value; absent where the value is absent.
    Into(Box<Expr>, PathSegment, Type),
    /// `xs[i]`, `m[k]` with a computed key: optional.
    Index(Box<(Expr, Expr)>, Type),
    /// `!x`
    Not(Box<Expr>),
    /// `-x`
    Negate(Box<Expr>),
    /// Two operands; the operator's meaning follows from the operands' types.
    Binary(BinaryOp, Box<(Expr, Expr)>),
    /// `if a then b else c`
    If(Box<(Expr, Expr, Expr)>),
    /// One of the twelve functions.
    Call(Function, Vec<Expr>),
    /// `{ key: … }`
    Object(Vec<(CompactString, Expr)>),
    /// `[ … ]`
    List(Vec<Expr>),
    /// An `int` where a `decimal` is wanted.
    ToDecimal(Box<Expr>),
}

impl Expr {
    /// Shows this and each expression in it, the outer before the inner.
    pub fn walk<'e>(&'e self, see: &mut dyn FnMut(&'e Self)) {
        see(self);
        match self {
            Self::Literal(_) | Self::Read(_) => {}
            Self::Every(inner, ..)
            | Self::Into(inner, ..)
            | Self::Not(inner)
            | Self::Negate(inner)
            | Self::ToDecimal(inner) => inner.walk(see),
            Self::Index(pair, _) | Self::Binary(_, pair) => {
                pair.0.walk(see);
                pair.1.walk(see);
            }
            Self::If(parts) => [&parts.0, &parts.1, &parts.2].into_iter().for_each(|part| part.walk(see)),
            Self::Call(_, parts) | Self::List(parts) => parts.iter().for_each(|part| part.walk(see)),
            Self::Object(fields) => fields.iter().for_each(|(_, part)| part.walk(see)),
        }
    }
}

/// Reads a value of the instance.
#[derive(Clone, Debug)]
pub struct Read {
    /// Where it starts.
    pub root: Root,
    /// The way into it.
    pub path: Vec<PathSegment>,
    /// The type of what is read, optional where it may be absent.
    pub ty: Type,
}

/// As the author wrote it: `input.items[0].sku`.
impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)?;
        self.path.iter().try_for_each(|segment| match segment {
            PathSegment::Key(key) if key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') => {
                write!(f, ".{key}")
            }
            PathSegment::Key(key) => write!(f, "[{key:?}]"),
            PathSegment::Element(index) => write!(f, "[{index}]"),
        })
    }
}

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathSegment {
    /// `.key`, or `["key"]` of a map
    Key(CompactString),
    /// `[2]` of a list
    Element(u32),
}

/// Where a read starts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Root {
    /// The saga's input.
    Input,
    /// The value of a step, let, loop variable or signal, by its name within its own saga.
    Name(CompactString),
    /// `previous.name` in a `repeat`.
    Previous(CompactString),
    /// `saga.id`
    SagaId,
    /// `saga.started`
    SagaStarted,
    /// `failure.code`
    FailureCode,
    /// `failure.step`
    FailureStep,
    /// `failure.message`
    FailureMessage,
    /// `round`
    Round,
    /// `event` in a trigger
    Event,
}

/// As the author wrote it: `previous.draft`.
impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name(name) => name,
            Self::Previous(name) => return write!(f, "previous.{name}"),
            Self::Input => "input",
            Self::SagaId => "saga.id",
            Self::SagaStarted => "saga.started",
            Self::FailureCode => "failure.code",
            Self::FailureStep => "failure.step",
            Self::FailureMessage => "failure.message",
            Self::Round => "round",
            Self::Event => "event",
        })
    }
}

/// The functions of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `id("word")`
    Id,
    /// `count(list)`
    Count,
    /// `sum(list)`
    Sum,
    /// `min(list)`
    Min,
    /// `max(list)`
    Max,
    /// `any(list)`
    Any,
    /// `all(list)`
    All,
    /// `contains(list, x)`, `contains(text, part)`
    Contains,
    /// `present(list)`
    Present,
    /// `rounded(decimal, places)`
    Rounded,
    /// `length(string)`
    Length,
    /// `text(x)`
    Text,
}

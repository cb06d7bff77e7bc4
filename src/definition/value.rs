//! Values while an expression is evaluated. At rest they are JSON text.

use compact_str::CompactString;
use rust_decimal::Decimal;

use crate::time::Timestamp;

/// A value. Equal values of one type have one representation, but for decimals, which keep their scale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Absent, or null.
    Null,
    /// `bool`
    Bool(bool),
    /// `int`
    Int(i64),
    /// `decimal`
    Decimal(Decimal),
    /// `string` and choices
    String(CompactString),
    /// `timestamp`
    Timestamp(Timestamp),
    /// `duration`, in milliseconds
    Duration(i64),
    /// `list<T>`
    List(Vec<Value>),
    /// Records and maps, in the order of the text.
    Object(Vec<(CompactString, Value)>),
    /// JSON text that is passed on and not looked into.
    Raw(Box<str>),
}

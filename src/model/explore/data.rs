//! The data that is explored: of what conditions look at, the values that make a difference; of all else the least.
//!
//! What a saga does depends on data only by its conditions. For each name that one reads, directly or through a `let`,
//! each field is tried with the words of a choice, true and false, present and absent, and the numbers that the
//! definition writes and their neighbours.

use std::collections::BTreeSet;
use std::sync::Arc;

use compact_str::CompactString;

use crate::definition::expression::{Expr, Root, Typed};
use crate::definition::json::least;
use crate::definition::types::{Record, Type};
use crate::definition::value::{Value, to_json};
use crate::json::Json;
use crate::plan::{Kind, Plan};

/// The most payloads of one kind that are tried.
pub const PAYLOADS_MAX: usize = 16;

/// What conditions look at.
#[derive(Debug, Default)]
pub(super) struct Looked {
    input: bool,
    names: BTreeSet<CompactString>,
    numbers: BTreeSet<i64>,
    /// Whether one is about `failure.message`.
    pub(super) messages: bool,
    /// Whether more payloads were possible than are tried.
    pub(super) was_cut: bool,
}

impl Looked {
    pub(super) fn at(plan: &Plan) -> Self {
        let mut looked = Self::default();
        for (_, node) in plan.nodes() {
            match &node.kind {
                Kind::Choice { arms, .. } => arms.iter().for_each(|(condition, _)| looked.read(&condition.expr)),
                Kind::Await(wait, _) => wait.filter.iter().for_each(|filter: &Typed| looked.read(&filter.expr)),
                Kind::Each(each) => {
                    each.filter.iter().chain([&each.list]).for_each(|typed| looked.read(&typed.expr));
                }
                Kind::Repeat(repeat) => looked.read(&repeat.until.expr),
                _ => {}
            }
        }
        // What a `let` is made of is looked at where the `let` is. Later ones read earlier ones.
        let nodes: Vec<_> = plan.nodes().collect();
        for (_, node) in nodes.iter().rev() {
            if let Kind::Let(value) = &node.kind
                && looked.names.contains(&node.place)
            {
                looked.read(&value.expr);
            }
        }
        looked
    }

    fn read(&mut self, expr: &Expr) {
        expr.walk(&mut |expr| match expr {
            Expr::Literal(Value::Int(number)) => drop(self.numbers.insert(*number)),
            Expr::Literal(Value::Decimal(number)) => {
                let whole = i64::try_from(number.trunc().mantissa()).ok();
                self.numbers.extend(whole.filter(|_| number.is_integer()));
            }
            Expr::Read(read) => match &read.root {
                Root::Input => self.input = true,
                Root::FailureMessage => self.messages = true,
                Root::Name(name) | Root::Previous(name) => drop(self.names.insert(name.clone())),
                _ => {}
            },
            _ => {}
        });
    }

    /// The inputs to begin with.
    pub(super) fn inputs(&mut self, plan: &Plan) -> Vec<Json> {
        let is_looked_at = self.input;
        self.payloads(&plan.saga.input, is_looked_at, "input")
    }

    /// The values of a step, signal or `let` of this name.
    pub(super) fn values(&mut self, name: &str, record: &Arc<Record>) -> Vec<Json> {
        let is_looked_at = self.names.contains(name);
        self.payloads(record, is_looked_at, name)
    }

    fn payloads(&mut self, record: &Arc<Record>, is_looked_at: bool, word: &str) -> Vec<Json> {
        let ty = Type::Record(Arc::clone(record));
        if !is_looked_at {
            return Json::parse(least(&ty, word)).into_iter().collect();
        }
        let values = self.records(record, word);
        values.iter().filter_map(|value| Json::parse(to_json(value)).ok()).collect()
    }

    /// Every combination of what the fields can be, up to the limit.
    fn records(&mut self, record: &Record, word: &str) -> Vec<Value> {
        let mut all: Vec<Vec<(CompactString, Value)>> = vec![Vec::new()];
        for field in &record.fields {
            let values = match field.ty {
                Type::Json => vec![Value::Raw("null".into())],
                _ => self.each(&field.ty, word),
            };
            let mut next = Vec::new();
            for value in &values {
                for before in &all {
                    if next.len() == PAYLOADS_MAX {
                        self.was_cut = true;
                        break;
                    }
                    let mut fields = before.clone();
                    fields.push((field.key.clone(), value.clone()));
                    next.push(fields);
                }
            }
            all = next;
        }
        all.into_iter().map(Value::Object).collect()
    }

    fn each(&mut self, ty: &Type, word: &str) -> Vec<Value> {
        match ty {
            Type::Bool => vec![Value::Bool(false), Value::Bool(true)],
            Type::Choice(words) => words.iter().cloned().map(Value::String).collect(),
            Type::Optional(inner) => {
                let mut values = self.each(inner, word);
                values.insert(0, Value::Null);
                values
            }
            Type::Record(record) => self.records(record, word),
            Type::Int => self.around().into_iter().map(Value::Int).collect(),
            Type::Decimal => {
                let decimal = |number: i64| Value::Decimal(rust_decimal::Decimal::from(number));
                self.around().into_iter().map(decimal).collect()
            }
            Type::String => vec![Value::String(word.into())],
            Type::Timestamp => vec![Value::Timestamp(super::START)],
            Type::Duration => vec![Value::Duration(0)],
            Type::List(inner) => {
                let mut values = vec![Value::List(Vec::new())];
                let one = self.each(inner, word);
                // Two differ from one by what stands before and behind.
                let two = one.first().cloned().zip(one.last().cloned());
                values.extend(one.into_iter().map(|one| Value::List(vec![one])));
                values.extend(two.map(|(first, last)| Value::List(vec![first, last])));
                values
            }
            Type::Map(_) => vec![Value::Object(Vec::new())],
            Type::Json | Type::Unknown => vec![Value::Null],
        }
    }

    /// 0, 1, and the numbers that conditions write with those beside them.
    fn around(&self) -> BTreeSet<i64> {
        let near = |number: &i64| [number.saturating_sub(1), *number, number.saturating_add(1)];
        self.numbers.iter().flat_map(near).chain([0, 1]).collect()
    }
}

//! Types: a text in the syntax of the language, or a map for a record.

use super::Reader;
use super::keys::Entry;
use super::node::{Kind, Node};
use crate::diagnostic::codes;
use crate::source::Span;
use crate::syntax::build::lone;
use crate::syntax::tree::{Field, Name, Record, TypeExpr, TypeExprKind};

/// Before the name of a field that is personal.
const PERSONAL: &str = "personal ";

impl Reader<'_> {
    pub(super) fn type_expr(&mut self, node: &Node) -> Option<TypeExpr> {
        match &node.kind {
            Kind::Map(_) => self.record(node),
            Kind::Scalar(scalar) if !scalar.text.trim().is_empty() => self.part(node, "a type", lone::type_expr),
            Kind::Scalar(_) | Kind::List(_) => {
                let hint = "write `string`, `int`, `decimal`, …, `list<string>`, or a map of fields";
                self.expected("a type", node, hint);
                None
            }
        }
    }

    /// A record, or the name of a type.
    pub(super) fn shape(&mut self, node: &Node) -> Option<TypeExpr> {
        let ty = self.type_expr(node)?;
        if !matches!(ty.kind, TypeExprKind::Record(_) | TypeExprKind::Named(_)) {
            let hint = "write a map of fields, or the name of a type that is one";
            self.report(codes::NOT_A_RECORD, ty.span, "a shape has fields", "this has none", hint);
            return None;
        }
        Some(ty)
    }

    fn record(&mut self, node: &Node) -> Option<TypeExpr> {
        let entries = self.entries(node, "a map of fields", "write `{ name: string }`")?;
        if !self.deeper(node.span) {
            return None;
        }
        let fields = entries.iter().filter_map(|entry| self.field(entry)).collect();
        self.depth -= 1;
        Some(TypeExpr { kind: TypeExprKind::Record(Record { fields, span: node.span }), span: node.span })
    }

    fn field(&mut self, entry: &Entry<'_>) -> Option<Field> {
        let docs = self.docs(entry.at);
        let (personal, key) = match entry.key.strip_prefix(PERSONAL).filter(|_| !entry.quoted) {
            Some(rest) => {
                let key = rest.trim_start();
                let word = Span { end: entry.at.start + super::offset(PERSONAL.len() - 1), ..entry.at };
                let start = entry.at.end - super::offset(key.len());
                (Some(word), Name { text: key.into(), span: Span { start, ..entry.at } })
            }
            None => (None, Name { text: entry.key.into(), span: entry.at }),
        };
        let ty = self.type_expr(entry.value)?;
        Some(Field { docs, personal, key, ty, span: entry.span() })
    }
}

//! Objects against the shapes that are wanted: every missing and surplus field in one finding.

use std::sync::Arc;

use compact_str::CompactString;
use foldhash::fast::RandomState;

use super::expressions::unknown;
use super::participants::is_unknown;
use super::{Lowering, Names, listed, near};
use crate::definition::expression::{Expr, Typed};
use crate::definition::types::{Field, Record, Type};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::tree::{self, ExprKind};

impl Lowering<'_> {
    pub(super) fn object(&mut self, fields: &[(tree::Name, tree::Expr)], wanted: Option<&Type>, span: Span) -> Typed {
        match wanted.map(Type::required) {
            Some(Type::Record(record)) if !is_unknown(record) => {
                let shape = Shape { record, what: None, origin: None };
                self.object_of(fields, &shape, span)
            }
            Some(Type::Map(value)) => {
                let given = self.given(fields, |_| Some(value.as_ref().clone()));
                let overflow = given.values().find_map(|(_, typed)| typed.overflow);
                let fields = given.into_iter().map(|(key, (_, typed))| (key, typed.expr)).collect();
                Typed { expr: Expr::Object(fields), ty: Type::Map(value.clone()), span, overflow }
            }
            other => {
                let of_json = other.filter(|ty| **ty == Type::Json).cloned();
                let given = self.given(fields, |_| of_json.clone());
                let overflow = given.values().find_map(|(_, typed)| typed.overflow);
                let declared = given.iter().map(|(key, (place, typed))| Field {
                    key: key.clone(),
                    ty: typed.ty.clone(),
                    personal: false,
                    docs: None,
                    span: *place,
                });
                let record = Record { name: None, fields: declared.collect() };
                let fields = given.into_iter().map(|(key, (_, typed))| (key, typed.expr)).collect();
                Typed { expr: Expr::Object(fields), ty: Type::Record(Arc::new(record)), span, overflow }
            }
        }
    }

    /// The payload of a command: an object, or `{}` where nothing is written.
    pub(super) fn payload(&mut self, written: Option<&tree::Expr>, shape: &Shape<'_>, span: Span) -> Typed {
        self.nodes = 0;
        match written {
            Some(tree::Expr { kind: ExprKind::Object(fields), span }) if !is_unknown(shape.record) => {
                self.object_of(fields, shape, *span)
            }
            None if !is_unknown(shape.record) => self.object_of(&[], shape, span),
            Some(other) => self.expression(other),
            None => unknown(span),
        }
    }

    fn object_of(&mut self, fields: &[(tree::Name, tree::Expr)], shape: &Shape<'_>, span: Span) -> Typed {
        let record = shape.record;
        let mut given =
            self.given(fields, |key| record.field(key).map_or(Some(Type::Unknown), |field| Some(field.ty.clone())));
        self.compare(&given, shape, span);
        let mut overflow = None;
        let mut lowered = Vec::with_capacity(given.len());
        for field in &record.fields {
            if let Some((_, typed)) = given.swap_remove(&field.key) {
                overflow = overflow.or(typed.overflow);
                lowered.push((field.key.clone(), typed.expr));
            }
        }
        let ty = Type::Record(Arc::clone(record));
        Typed { expr: Expr::Object(lowered), ty, span, overflow }
    }

    /// The fields as written; doubled ones are reported.
    pub(super) fn given(
        &mut self,
        fields: &[(tree::Name, tree::Expr)],
        wanted: impl Fn(&str) -> Option<Type>,
    ) -> Names<(Span, Typed)> {
        let mut given: Names<(Span, Typed)> = Names::with_capacity_and_hasher(fields.len(), RandomState::default());
        for (key, value) in fields {
            let wanted = wanted(&key.text);
            let typed = self.expr(value, wanted.as_ref());
            let typed = match &wanted {
                Some(wanted) => self.coerce(typed, wanted),
                None => typed,
            };
            match given.get(&key.text) {
                Some((first, _)) => {
                    let first = *first;
                    self.said_twice(&format!("the field `{}`", key.text), key.span, Some(first));
                }
                None => drop(given.insert(key.text.clone(), (key.span, typed))),
            }
        }
        given
    }

    /// Missing and surplus fields, all in one finding.
    fn compare(&mut self, given: &Names<(Span, Typed)>, shape: &Shape<'_>, span: Span) {
        let mut missing: Vec<&Field> = shape
            .record
            .fields
            .iter()
            .filter(|field| !field.ty.is_optional() && field.ty != Type::Unknown && !given.contains_key(&field.key))
            .collect();
        let surplus: Vec<(&CompactString, Span)> = given
            .iter()
            .filter(|(key, _)| shape.record.field(key).is_none())
            .map(|(key, (at, _))| (key, *at))
            .collect();
        if missing.is_empty() && surplus.is_empty() {
            return;
        }
        let what = shape.what.map_or_else(|| "this object".to_owned(), |what| what());
        let mut parts = Vec::new();
        if !missing.is_empty() {
            parts.push(format!("lacks {}", listed(missing.iter().map(|field| field.key.as_str()))));
        }
        if !surplus.is_empty() {
            parts.push(format!("has no field {}", listed(surplus.iter().map(|(key, _)| key.as_str()))));
        }
        let title = format!("{what} {}", parts.join(", and "));
        let first = surplus.first().filter(|_| missing.is_empty()).map(|(_, at)| *at);
        let mut finding = Diagnostic::error(codes::PAYLOAD_FIELDS, first.unwrap_or(span), title);
        let labelled = |finding: Diagnostic, at: Span, text: String| {
            if first == Some(at) { finding.here(text) } else { finding.also(at, text) }
        };
        let mut hints = Vec::new();
        for (key, at) in surplus {
            let open = shape.record.fields.iter().filter(|field| !given.contains_key(&field.key));
            if let Some(meant) = near(key, open.map(|field| field.key.as_str())) {
                hints.push(format!("rename `{key}` to `{meant}`"));
                missing.retain(|field| field.key != meant);
                finding = labelled(finding, at, format!("meant as `{meant}`?"));
            } else {
                hints.push(format!("remove `{key}`"));
                finding = labelled(finding, at, "not in the contract".to_owned());
            }
        }
        if !missing.is_empty() {
            let additions: Vec<String> = missing.iter().map(|field| self.proposed(field)).collect();
            hints.push(format!("add `{}`", additions.join(", ")));
        }
        if let Some(origin) = shape.origin {
            finding = finding.also(origin, format!("its shape is {}", fields_of(shape.record)));
        }
        self.report(finding.hint(hints.join("; ")));
    }

    /// A field that can be pasted: from what came from outside where that has one of its name and type.
    fn proposed(&self, field: &Field) -> String {
        let same = self.scope.input.as_ref().and_then(|input| input.field(&field.key));
        match same.filter(|same| same.ty.fits(&field.ty)) {
            Some(_) => format!("{key}: {root}.{key}", key = field.key, root = self.scope.outside()),
            None => format!("{}: …", field.key),
        }
    }
}

/// What an object must be, and what to call it in messages.
pub(super) struct Shape<'a> {
    pub(super) record: &'a Arc<Record>,
    /// In messages, such as "the payload of …".
    pub(super) what: Option<&'a dyn Fn() -> String>,
    /// Where the shape is declared.
    pub(super) origin: Option<Span>,
}

/// A shape with its fields, whatever it is called.
fn fields_of(record: &Record) -> String {
    Record { name: None, fields: record.fields.clone() }.to_string()
}

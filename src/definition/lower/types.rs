//! Types: names resolved, shapes built; a type may not contain itself, nor be larger than a limit.

use std::sync::Arc;

use compact_str::CompactString;
use indexmap::IndexMap;

use super::{Lowering, near};
use crate::definition::limits::{MAX_DEPTH, MAX_TYPE_FIELDS};
use crate::definition::types::{Field, Record, Type};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::tree;

/// A declared type and how far its resolution is.
pub(super) struct DeclaredType<'t> {
    pub(super) item: &'t tree::TypeItem,
    state: State,
}

#[derive(Clone)]
enum State {
    Waiting,
    InProgress,
    Done(Type, Size),
}

/// Of a type with all that is inside it written out.
#[derive(Clone, Copy, Default)]
struct Size {
    depth: usize,
    fields: usize,
}

const BUILT_IN: [(&str, Type); 7] = [
    ("string", Type::String),
    ("int", Type::Int),
    ("decimal", Type::Decimal),
    ("bool", Type::Bool),
    ("timestamp", Type::Timestamp),
    ("duration", Type::Duration),
    ("json", Type::Json),
];

/// Names that other languages give to the built-in types.
const FOREIGN: [(&str, &str); 16] = [
    ("str", "string"),
    ("String", "string"),
    ("text", "string"),
    ("uuid", "string"),
    ("integer", "int"),
    ("long", "int"),
    ("Int", "int"),
    ("i64", "int"),
    ("number", "decimal"),
    ("float", "decimal"),
    ("double", "decimal"),
    ("money", "decimal"),
    ("boolean", "bool"),
    ("date", "timestamp"),
    ("datetime", "timestamp"),
    ("object", "json"),
];

impl<'t> Lowering<'t> {
    pub(super) fn declare_type(&mut self, item: &'t tree::TypeItem) {
        match self.types.get(item.name.text.as_str()).map(|first| first.item.name.span) {
            Some(first) => self.taken("type", &item.name, first),
            None => {
                self.types.insert(&item.name.text, DeclaredType { item, state: State::Waiting });
            }
        }
    }

    /// All declared types, in the order of the text.
    pub(super) fn resolve_types(&mut self) -> IndexMap<CompactString, Type> {
        let names: Vec<&'t str> = self.types.keys().copied().collect();
        names.into_iter().map(|name| (name.into(), self.declared(name).0)).collect()
    }

    /// A declared type, resolved on first use.
    fn declared(&mut self, name: &'t str) -> (Type, Size) {
        let Some(declared) = self.types.get_mut(name) else { return (Type::Unknown, Size::default()) };
        let item = declared.item;
        match declared.state.clone() {
            State::Done(ty, size) => (ty, size),
            State::InProgress => {
                let finding = Diagnostic::error(
                    codes::TYPE_CONTAINS_ITSELF,
                    item.name.span,
                    format!("type `{name}` contains itself"),
                );
                self.report(
                    finding
                        .why("A value of such a type has no bounded depth, and every payload must have one.")
                        .hint("pass the inner part as `json`, or refer to it by its id"),
                );
                (Type::Unknown, Size::default())
            }
            State::Waiting => {
                declared.state = State::InProgress;
                let (mut ty, size) = self.resolve(&item.body);
                if let Type::Record(record) = &mut ty
                    && matches!(item.body.kind, tree::TypeExprKind::Record(_))
                {
                    Arc::make_mut(record).name = Some(name.into());
                }
                if let Some(declared) = self.types.get_mut(name) {
                    declared.state = State::Done(ty.clone(), size);
                }
                (ty, size)
            }
        }
    }

    /// A type as written.
    pub(super) fn type_of(&mut self, written: &'t tree::TypeExpr) -> Type {
        self.resolve(written).0
    }

    /// The shape of an input, request, reply or message; `{}` where nothing is written, `None` where it is unknown.
    pub(super) fn shape(&mut self, written: Option<&'t tree::TypeExpr>, of_what: &str) -> Option<Arc<Record>> {
        let Some(written) = written else { return Some(Arc::default()) };
        match self.type_of(written) {
            Type::Record(record) => Some(record),
            Type::Unknown => None,
            other => {
                let title = format!("{of_what} must be an object, and this is `{other}`");
                self.report(
                    Diagnostic::error(codes::NOT_A_RECORD, written.span, title)
                        .hint(format!("write `{{ value: {other} }}`, with a name that says what it is")),
                );
                None
            }
        }
    }

    fn resolve(&mut self, written: &'t tree::TypeExpr) -> (Type, Size) {
        let (ty, inner) = match &written.kind {
            tree::TypeExprKind::Named(name) => return self.named(name, written.span),
            tree::TypeExprKind::List(inner) => {
                let (inner, size) = self.resolve(inner);
                (Type::List(Arc::new(inner)), size)
            }
            tree::TypeExprKind::Map(inner) => {
                let (inner, size) = self.resolve(inner);
                (Type::Map(Arc::new(inner)), size)
            }
            tree::TypeExprKind::Optional(inner) => {
                let (inner, size) = self.resolve(inner);
                return (if inner == Type::Unknown { inner } else { inner.optional() }, size);
            }
            tree::TypeExprKind::Choice(words) => return (self.choice(words), Size::default()),
            tree::TypeExprKind::Record(record) => {
                let (fields, size) = self.fields(record);
                (Type::Record(Arc::new(Record { name: None, fields })), size)
            }
        };
        let size = Size { depth: inner.depth + 1, fields: inner.fields };
        if size.depth > MAX_DEPTH || size.fields > MAX_TYPE_FIELDS {
            let title =
                format!("written out, this type is deeper than {MAX_DEPTH} or larger than {MAX_TYPE_FIELDS} fields");
            self.too_large(written.span, title);
            return (Type::Unknown, Size::default());
        }
        (ty, size)
    }

    fn too_large(&mut self, span: Span, title: String) {
        self.report(Diagnostic::error(codes::TOO_LARGE, span, title).hint("pass the inner part as `json`"));
    }

    fn named(&mut self, name: &CompactString, span: Span) -> (Type, Size) {
        if let Some((_, ty)) = BUILT_IN.iter().find(|(built_in, _)| built_in == name) {
            return (ty.clone(), Size::default());
        }
        if let Some((declared, _)) = self.types.get_key_value(name.as_str()) {
            let declared = *declared;
            self.used_types.insert(name.clone());
            return self.declared(declared);
        }
        if !self.misses_files {
            let foreign = FOREIGN.iter().find(|(foreign, _)| foreign == name).map(|(_, ours)| *ours);
            let known = BUILT_IN.iter().map(|(built_in, _)| *built_in).chain(self.types.keys().copied());
            let meant = foreign.or_else(|| near(name, known)).map(CompactString::from);
            let finding = Diagnostic::error(codes::UNKNOWN_TYPE, span, format!("there is no type `{name}`"));
            let finding = match &meant {
                Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
                None => finding.hint(format!("define it: `type {name} {{ … }}`")),
            };
            self.used_types.extend(meant);
            self.report(finding);
        }
        (Type::Unknown, Size::default())
    }

    fn choice(&mut self, written: &[tree::Text]) -> Type {
        let mut words: Vec<CompactString> = Vec::new();
        for word in written {
            if words.iter().any(|known| *known == word.value.as_str()) {
                self.said_twice(&format!("the word \"{}\"", word.value), word.span, None);
            } else {
                words.push(word.value.as_str().into());
            }
        }
        Type::Choice(words.into())
    }

    fn fields(&mut self, record: &'t tree::Record) -> (Vec<Field>, Size) {
        let mut fields: IndexMap<&str, Field> = IndexMap::new();
        let mut size = Size::default();
        for field in &record.fields {
            let (ty, inner) = self.resolve(&field.ty);
            size.depth = size.depth.max(inner.depth);
            size.fields = size.fields.saturating_add(inner.fields).saturating_add(1);
            if let Some(first) = fields.get(field.key.text.as_str()) {
                let first = first.span;
                self.said_twice(&format!("the field `{}`", field.key.text), field.key.span, Some(first));
                continue;
            }
            let lowered = Field {
                key: field.key.text.clone(),
                ty,
                personal: field.personal.is_some(),
                docs: field.docs.as_ref().map(|docs| docs.value.clone()),
                span: field.key.span,
            };
            fields.insert(&field.key.text, lowered);
        }
        (fields.into_values().collect(), size)
    }

    /// Something stands twice that may stand once.
    pub(super) fn said_twice(&mut self, what: &str, span: Span, first: Option<Span>) {
        let finding = Diagnostic::error(codes::SAID_TWICE, span, format!("{what} stands here a second time"));
        let finding = match first {
            Some(first) => finding.also(first, "first here"),
            None => finding,
        };
        self.report(finding.hint("remove one of the two"));
    }
}

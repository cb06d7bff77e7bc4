//! Triggers: the shape of events, which are taken, and what they start and signal.

use std::sync::Arc;

use compact_str::CompactString;
use indexmap::IndexMap;

use super::objects::Shape;
use super::participants::{docs, is_unknown, unknown_shape};
use super::references::place;
use super::scope::{Place, Scope, facts};
use super::{Lowering, listed, near};
use crate::definition::expression::Expr;
use crate::definition::types::{Field, Record, Type};
use crate::definition::{Aim, Saga, Signal, Trigger};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::tree;

impl<'t> Lowering<'t> {
    pub(super) fn trigger(
        &mut self,
        item: &'t tree::Trigger,
        sagas: &IndexMap<CompactString, Arc<Saga>>,
    ) -> Option<Trigger> {
        let event = self.shape(Some(&item.event), "an event").unwrap_or_else(unknown_shape);
        self.scope = Scope::new(Arc::clone(&event), Place::Trigger);
        let filter = item.filter.as_ref().map(|filter| self.expression_of(filter, &Type::Bool));
        // What `where` asks for is there in what it lets through.
        self.scope.assume(filter.as_ref().map(|filter| facts(&filter.expr, true)).unwrap_or_default());
        let start = item.start.as_ref().and_then(|(saga, payload)| self.starts(saga, payload.as_ref(), sagas));
        let signal = item.signal.as_ref().and_then(|(to, payload)| self.signals(to, payload.as_ref(), sagas));
        if item.start.is_none() && item.signal.is_none() {
            let title = format!("the trigger `{}` neither starts nor signals anything", item.name.text);
            self.report(
                Diagnostic::error(codes::TRIGGER_WITHOUT_EFFECT, item.name.span, title)
                    .hint("write `start saga { id: event.…, input: { … } }` or `signal saga.name { id: event.… }`"),
            );
        }
        let is_whole = start.is_some() == item.start.is_some() && signal.is_some() == item.signal.is_some();
        let trigger = Trigger {
            name: item.name.text.clone(),
            topic: item.topic.value.as_str().into(),
            event,
            filter,
            start,
            signal,
            docs: docs(&item.docs),
            span: item.name.span,
        };
        is_whole.then_some(trigger)
    }

    fn starts(
        &mut self,
        name: &tree::Name,
        payload: Option<&tree::Expr>,
        sagas: &IndexMap<CompactString, Arc<Saga>>,
    ) -> Option<Aim> {
        let Some(saga) = sagas.get(&name.text) else {
            self.unknown_saga(name);
            return None;
        };
        let what = || format!("the start of `{}`", saga.name);
        self.aim(&saga.name, payload, name.span, ("input", &saga.input), (&what, saga.span))
    }

    fn signals(
        &mut self,
        to: &tree::Reference,
        payload: Option<&tree::Expr>,
        sagas: &IndexMap<CompactString, Arc<Saga>>,
    ) -> Option<(Aim, CompactString)> {
        let (first, rest) = to.parts.split_first()?;
        let Some(saga) = sagas.get(&first.0.text) else {
            self.unknown_saga(&first.0);
            return None;
        };
        let way = place(&tree::Reference { parts: rest.to_vec(), span: to.span });
        let Some(signal) = saga.signals.get(way.as_str()) else {
            self.no_such_signal(saga, &way, to.span);
            return None;
        };
        let what = || format!("the signal `{}.{way}`", saga.name);
        let aim = self.aim(&saga.name, payload, to.span, ("with", &signal.shape), (&what, signal.span))?;
        Some((aim, signal.name.clone()))
    }

    fn no_such_signal(&mut self, saga: &Saga, way: &str, span: Span) {
        // What was skipped may run a saga that has it.
        if self.skipped_any {
            return;
        }
        let title = if way.is_empty() {
            format!("this names the saga `{}`, and no signal of it", saga.name)
        } else {
            format!("the saga `{}` has no signal `{way}`", saga.name)
        };
        let known: Vec<&str> = saga.signals.values().map(|signal: &Arc<Signal>| signal.name.as_str()).collect();
        let finding = Diagnostic::error(codes::UNKNOWN_SIGNAL, span, title).also(saga.span, "the saga");
        self.report(match near(way, known.iter().copied()) {
            Some(meant) => finding.hint(format!("did you mean `{}.{meant}`?", saga.name)),
            None if known.is_empty() => finding.hint("declare one in its head: `signal name { … }`"),
            None => finding.hint(format!("its signals are {}", listed(known))),
        });
    }

    /// `{ id: …, input: … }` or `{ id: …, with: … }`. What is given may be left out where all of it may be absent.
    fn aim(
        &mut self,
        saga: &CompactString,
        payload: Option<&tree::Expr>,
        span: Span,
        (key, given): (&'static str, &Arc<Record>),
        (what, origin): (&dyn Fn() -> String, Span),
    ) -> Option<Aim> {
        let field = |key: &'static str, ty| Field { key: key.into(), ty, personal: false, docs: None, span: origin };
        let mut fields = vec![field("id", Type::String)];
        if is_unknown(given) {
            fields.push(field(key, Type::Unknown));
        } else if !given.fields.is_empty() {
            let ty = Type::Record(Arc::clone(given));
            let may_be_absent = given.fields.iter().all(|field| field.ty.is_optional());
            fields.push(field(key, if may_be_absent { ty.optional() } else { ty }));
        }
        let record = Arc::new(Record { name: None, fields });
        let shape = Shape { record: &record, what: Some(what), origin: Some(origin) };
        let Expr::Object(fields) = self.payload(payload, &shape, span).expr else { return None };
        let mut fields: IndexMap<CompactString, Expr> = fields.into_iter().collect();
        let id = fields.swap_remove("id")?;
        Some(Aim { saga: saga.clone(), id, payload: fields.swap_remove(key) })
    }
}

//! A promise that a state or a step breaks: which, where, and what has to happen yet for it.

use super::{Property, Setting, Told};
use crate::model::world::without_indices;
use crate::plan::At;
use crate::source::Span;

/// A promise, broken.
pub(super) struct Broken {
    pub(super) property: Property,
    /// Where, in words.
    pub(super) at: String,
    /// What stands there.
    place: At,
    /// What breaks it behind the way to a state; none where the last step of the way does.
    pub(super) by: Option<Told>,
}

impl Broken {
    /// At a place of the saga.
    pub(super) fn at(setting: &Setting<'_>, property: Property, place: At) -> Self {
        Self { property, at: setting.plan.place(place).into(), place, by: None }
    }

    /// At no place, or at more than one: the words say where.
    pub(super) fn said(property: Property, at: impl Into<String>) -> Self {
        Self { property, at: at.into(), place: At::ROOT, by: None }
    }

    /// One of two places, which are in the words.
    pub(super) fn of(self, place: At) -> Self {
        Self { place, ..self }
    }

    /// Behind the way there.
    pub(super) fn by(self, told: Told) -> Self {
        Self { by: Some(told), ..self }
    }

    /// Where that is written: a step's name, a statement, or the saga's name.
    pub(super) fn span(&self, setting: &Setting<'_>) -> Span {
        let plan = setting.plan;
        plan.work(self.place.node()).map_or_else(|| plan.node(self.place.node()).span, |work| work.step.span)
    }

    /// Each is told once, of all elements and rounds.
    pub(super) fn key(&self) -> (Property, String) {
        (self.property, without_indices(&self.at))
    }
}

//! What expressions see of an instance.

use std::fmt::Write as _;

use compact_str::CompactString;
use uuid::Uuid;

use super::event::Failure;
use super::id::Direction;
use super::instance::{Instance, State};
use crate::definition::evaluate::{Datum, Environment, evaluate};
use crate::definition::expression::{Expr, Root};
use crate::definition::value::Value;
use crate::json::Json;
use crate::plan::{At, Kind, NodeId, Plan, common};

/// Whether a condition holds of an instance at a place; none where it cannot be computed.
pub(crate) fn holds(plan: &Plan, instance: &Instance, at: At, condition: &Expr) -> Option<bool> {
    match evaluate(condition, &View::of(plan, instance, (at, Direction::Do))) {
        Ok(Value::Bool(holds)) => Some(holds),
        Ok(_) | Err(_) => None,
    }
}

/// An instance's data, seen by an expression.
pub(super) struct View<'a> {
    pub(super) plan: &'a Plan,
    pub(super) instance: &'a Instance,
    /// What the expression stands at, and whether that is being done or taken back: `failure` depends on it.
    pub(super) at: (At, Direction),
    /// The signal that a `where` is asked about, by the name that it has there.
    pub(super) candidate: Option<(&'a str, &'a Json)>,
}

impl<'a> View<'a> {
    pub(super) const fn of(plan: &'a Plan, instance: &'a Instance, at: (At, Direction)) -> Self {
        Self { plan, instance, at, candidate: None }
    }

    /// In a compensation why it runs; in a handler what it was caught for.
    fn failure(&self) -> Option<&'a Failure> {
        let (at, direction) = self.at;
        match direction {
            Direction::Undo => self.instance.failing_around(self.plan, at),
            Direction::Do => match self.instance.state(self.plan.beside(at, self.plan.handled(at.node())?))? {
                State::Caught(caught) => Some(&caught.failure),
                _ => None,
            },
        }
    }
}

impl Environment for View<'_> {
    fn read(&self, root: &Root) -> Option<Datum<'_>> {
        match root {
            Root::Input => self.instance.input.as_ref().map(|input| Datum::Json(input.get().into())),
            Root::Name(name) => self.named(name),
            Root::SagaId => Some(text(self.instance.id.as_str())),
            Root::SagaStarted => Some(Datum::Value(Value::Timestamp(self.instance.started))),
            Root::FailureCode => self.failure().map(|failure| text(&failure.code)),
            Root::FailureStep => self.failure().map(|failure| text(&failure.step)),
            Root::FailureMessage => self.failure()?.message.as_deref().map(text),
            Root::Previous(name) => self.previous(name),
            Root::Round => self.round().map(|depth| Datum::Value(Value::Int(self.at.0.index(depth).into()))),
            // That of triggers, which are no instances.
            Root::Event => None,
        }
    }

    /// A UUID v5 (RFC 9562) of the instance, its run, the way, the elements and rounds, and the word.
    fn id(&self, way: &str, word: &str) -> String {
        let Instance { id, run, .. } = self.instance;
        let mut name = format!("{id}/{}", run.0);
        // The run is a number, and a way has no brackets: what stands behind cannot be taken for a part of it.
        if !way.is_empty() {
            name.extend([".", way]);
        }
        let at = self.at.0;
        for (depth, around) in self.plan.node(at.node()).loops.iter().enumerate() {
            let inside = match &self.plan.node(around.node).kind {
                Kind::Each(each) => each.element,
                Kind::Repeat(repeat) => repeat.round,
                _ => around.node,
            };
            let _ = write!(name, "[{} {}]", self.plan.node(inside).place, at.index(depth));
        }
        name.extend(["/", word]);
        Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
    }
}

impl View<'_> {
    fn named(&self, name: &CompactString) -> Option<Datum<'_>> {
        if let Some((_, value)) = self.candidate.filter(|(candidate, _)| *name == **candidate) {
            return Some(Datum::Json(value.get().into()));
        }
        let node = self.plan.named(name)?;
        let at = self.at.0;
        let around = common(&self.plan.node(at.node()).loops, &self.plan.node(node).loops);
        self.read_at(at.beside(node, around), around)
    }

    /// The value of a name in the round before this one.
    fn previous(&self, name: &CompactString) -> Option<Datum<'_>> {
        let node = self.plan.named(name)?;
        let at = self.at.0;
        let loops = &self.plan.node(node).loops;
        let around = common(&self.plan.node(at.node()).loops, loops);
        let repeat = loops.iter().take(around).rposition(|around| self.is_repeat(around.node))?;
        // Before the first there is none: in a round 0 nothing has a state.
        let before = at.index(repeat).checked_sub(1)?;
        self.read_at(at.within(node, repeat, before), repeat + 1)
    }

    /// The innermost `repeat` around.
    fn round(&self) -> Option<usize> {
        let loops = &self.plan.node(self.at.0.node()).loops;
        loops.iter().rposition(|around| self.is_repeat(around.node))
    }

    fn is_repeat(&self, node: NodeId) -> bool {
        matches!(self.plan.node(node).kind, Kind::Repeat(_))
    }

    /// The value of a node, which is addressed in the first `depth` loops around it. Of further loops it is all elements,
    /// or the last round.
    fn read_at(&self, at: At, depth: usize) -> Option<Datum<'_>> {
        if depth == self.plan.node(at.node()).depth() {
            return self.value(at).map(|text| Datum::Json(text.into()));
        }
        let mut text = String::new();
        self.gather(at, depth, &mut text).then(|| Datum::Json(text.into()))
    }

    /// Writes the values of a node's elements; says whether there is any such thing.
    fn gather(&self, at: At, depth: usize, text: &mut String) -> bool {
        let node = at.node();
        let Some(around) = self.plan.node(node).loops.get(depth) else {
            let value = self.value(at);
            text.push_str(value.unwrap_or_default());
            return value.is_some();
        };
        let around = at.beside(around.node, depth);
        match (&self.plan.node(around.node()).kind, self.instance.state(around)) {
            (Kind::Repeat(repeat), _) => {
                let last = self.instance.rounds(around).begun(repeat);
                self.gather(at.within(node, depth, last), depth + 1, text)
            }
            // One that failed, or is taken back, has no list.
            (Kind::Each(_), Some(State::Each(elements)))
                if elements.over == elements.count && elements.left.is_none() =>
            {
                text.push('[');
                for index in 1..=elements.count {
                    if index > 1 {
                        text.push(',');
                    }
                    if !self.gather(at.within(node, depth, index), depth + 1, text) {
                        text.push_str("null");
                    }
                }
                text.push(']');
                true
            }
            _ => false,
        }
    }

    fn value(&self, at: At) -> Option<&str> {
        match self.instance.state(at)? {
            State::Done(Some(value)) | State::Bound(value) => Some(value.get()),
            // What has no answer is there all the same, and holds nothing.
            State::Done(None) => Some("{}"),
            State::Undoing(undoing) => undoing.value.as_ref().map(Json::get),
            // A step that was refused, lost or taken back has no value.
            State::Doing(_)
            | State::Refused(_)
            | State::Unknown
            | State::Turned
            | State::Undone
            | State::Chose(_)
            | State::Each(_)
            | State::Rounds(_)
            | State::Sleeping(_)
            | State::Woke
            | State::Reached
            | State::Failing(_)
            | State::Caught(_)
            | State::Halted(_) => None,
        }
    }
}

fn text(text: &str) -> Datum<'static> {
    Datum::Value(Value::String(CompactString::from(text)))
}

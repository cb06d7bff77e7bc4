//! From a definition to the nodes of its plan, numbered and named in reading order.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::{CompactString, format_compact};

use super::{Around, Class, Each, Kind, Node, NodeId, Places, ROOT, ROOT_PLACE, Repeat, SubSaga, Trial, Undo, Work};
use crate::definition::expression::Typed;
use crate::definition::{self, Catch, Compensation, Run, Saga, Statement, StatementKind, Step, Verb, has_pivot};
use crate::source::Span;

/// Definitions are limited to 10,000 statements, and ten times that with all that they run: far below 32 bits.
pub(super) fn node_id(index: usize) -> NodeId {
    NodeId(u32::try_from(index).expect("the statements of a definition are limited"))
}

/// Whether the point of no return lies behind, on the way through the saga's own sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passed {
    NotYet,
    Behind,
}

struct Builder {
    /// The innermost scope around what is being built.
    scope: NodeId,
    /// The saga's body around it.
    flow: NodeId,
    tries: Vec<NodeId>,
    runs: Vec<NodeId>,
    nodes: Vec<Node>,
    places: Places,
    /// Of each word, in each sub-saga.
    counts: BTreeMap<(CompactString, &'static str), u32>,
    /// The step that runs what is being built, with those around: `paid.card`; empty outside of sub-sagas.
    way: CompactString,
    /// A point of no return in here is that of a sub-saga alone.
    own_pivot: bool,
    /// The loops around what is being built.
    loops: Arc<[Around]>,
}

/// The nodes of a plan, and what finds them.
pub(super) struct Built {
    pub(super) nodes: Vec<Node>,
    pub(super) places: Places,
    pub(super) tries: Vec<NodeId>,
    pub(super) runs: Vec<NodeId>,
}

pub(super) fn build(saga: &Saga) -> Built {
    let mut builder = Builder {
        scope: ROOT,
        flow: ROOT,
        tries: Vec::new(),
        runs: Vec::new(),
        nodes: Vec::new(),
        places: Places::default(),
        counts: BTreeMap::new(),
        way: CompactString::default(),
        own_pivot: false,
        loops: Arc::default(),
    };
    builder.scope(saga);
    let Builder { nodes, places, tries, runs, .. } = builder;
    Built { nodes, places, tries, runs }
}

impl Builder {
    fn scope(&mut self, saga: &Saga) {
        let root = self.add(CompactString::const_new(ROOT_PLACE), None, saga.span);
        let (children, _) = self.statements(&saga.body, root, Passed::NotYet);
        self.set(root, Kind::Scope(children));
    }

    /// The children of `parent`, one behind the other, and where the point of no return is behind them.
    fn statements(&mut self, statements: &[Statement], parent: NodeId, mut passed: Passed) -> (Vec<NodeId>, Passed) {
        let mut children: Vec<NodeId> = Vec::with_capacity(statements.len());
        for statement in statements.iter().filter(|statement| !is_empty(statement)) {
            // That of a sub-saga which stands behind the point of no return: there is nothing left to decide.
            if matches!(statement.kind, StatementKind::Pivot) && passed == Passed::Behind {
                continue;
            }
            let (child, after) = self.statement(statement, parent, passed);
            if let Some(before) = children.last().and_then(|last| self.nodes.get_mut(last.0 as usize)) {
                before.next = Some(child);
            }
            children.push(child);
            passed = after;
        }
        (children, passed)
    }

    fn sequence(&mut self, statements: &[Statement], parent: NodeId, span: Span, passed: Passed) -> (NodeId, Passed) {
        let place = self.count("sequence");
        let id = self.add(place, Some(parent), span);
        let (children, after) = self.statements(statements, id, passed);
        self.set(id, Kind::Sequence(children));
        (id, after)
    }

    fn statement(&mut self, statement: &Statement, parent: NodeId, passed: Passed) -> (NodeId, Passed) {
        let span = statement.span;
        match &statement.kind {
            StatementKind::Step(step) => {
                let id = self.add(step.name.clone(), Some(parent), span);
                let class = match (step.pivot, passed) {
                    (_, Passed::Behind) => Class::Retriable,
                    (true, Passed::NotYet) if self.own_pivot => Class::InnerPivot,
                    (true, Passed::NotYet) => Class::Pivot,
                    (false, Passed::NotYet) => Class::Compensatable,
                };
                let back = self.way_back(step, id);
                self.set(id, Kind::Step(Work { step: Arc::clone(step), class, undo: undo(step), back }));
                (id, if step.pivot { Passed::Behind } else { passed })
            }
            StatementKind::Pivot => {
                let place = self.count("pivot");
                let id = self.add(place, Some(parent), span);
                (id, Passed::Behind)
            }
            StatementKind::Parallel(statements) => {
                let place = self.count("parallel");
                let id = self.add(place, Some(parent), span);
                let branches = statements.iter().filter(|statement| !is_empty(statement));
                let children: Vec<NodeId> = branches.map(|statement| self.statement(statement, id, passed).0).collect();
                self.set(id, Kind::Parallel(children));
                (id, passed)
            }
            StatementKind::Sequence(statements) => self.sequence(statements, parent, span, passed),
            StatementKind::When { arms, otherwise } => {
                let place = self.count("when");
                let id = self.add(place, Some(parent), span);
                let mut after = passed;
                let mut branch = |builder: &mut Self, statements: &[Statement]| {
                    let (child, behind) = builder.sequence(statements, id, span, passed);
                    if behind == Passed::Behind {
                        after = Passed::Behind;
                    }
                    child
                };
                let arms: Vec<(Typed, NodeId)> =
                    arms.iter().map(|(condition, block)| (condition.clone(), branch(self, block))).collect();
                let otherwise = branch(self, otherwise);
                self.set(id, Kind::Choice { arms, otherwise });
                (id, after)
            }
            StatementKind::Sleep(sleep) => {
                let place = self.count("sleep");
                let id = self.add(place, Some(parent), span);
                self.set(id, Kind::Sleep(sleep.clone()));
                (id, passed)
            }
            StatementKind::Try(written) => {
                let place = self.count("try");
                let id = self.add(place, Some(parent), span);
                self.tries.push(id);
                let around = std::mem::replace(&mut self.scope, id);
                // What fails in it is taken back, wherever it stands: its steps are compensatable.
                let (body, _) = self.statements(&written.body, id, Passed::NotYet);
                self.scope = around;
                let last = node_id(self.nodes.len().saturating_sub(1));
                let handler =
                    |catch: &Catch| (catch.codes.clone(), self.sequence(&catch.block, id, catch.span, passed).0);
                let catches = written.catches.iter().map(handler).collect();
                self.set(id, Kind::Try(Trial { within: written.within.clone(), body, catches, last }));
                (id, passed)
            }
            StatementKind::Run(run) => self.sub_saga(run, parent, span, passed),
            StatementKind::ForEach(each) => (self.for_each(each, parent, span, passed), passed),
            StatementKind::Repeat(repeat) => (self.repeat(repeat, parent, span, passed), passed),
            StatementKind::Await { wait, otherwise } => {
                let id = self.add(wait.name.clone(), Some(parent), span);
                let (otherwise, _) = self.sequence(otherwise, id, span, passed);
                self.set(id, Kind::Await(Arc::clone(wait), otherwise));
                (id, passed)
            }
            StatementKind::Let { name, value } => {
                let id = self.add(name.clone(), Some(parent), span);
                self.set(id, Kind::Let(value.clone()));
                (id, passed)
            }
            StatementKind::Fail { code, message } => {
                let place = self.count("fail");
                let id = self.add(place, Some(parent), span);
                self.set(id, Kind::Fail { code: code.clone(), message: message.clone() });
                (id, passed)
            }
        }
    }

    fn for_each(&mut self, each: &definition::ForEach, parent: NodeId, span: Span, passed: Passed) -> NodeId {
        let place = self.count("each");
        let id = self.add(place, Some(parent), span);
        let around = self.enter_loop(id);
        let element = self.add(each.element.clone(), Some(id), span);
        let (children, _) = self.statements(&each.body, element, passed);
        self.set(element, Kind::Sequence(children));
        self.loops = around;
        let each = Each {
            list: each.list.clone(),
            length: each.length,
            filter: each.filter.clone(),
            window: each.window,
            element,
            last: node_id(self.nodes.len().saturating_sub(1)),
            owes: self.owes(element),
        };
        self.set(id, Kind::Each(Box::new(each)));
        id
    }

    fn repeat(&mut self, repeat: &definition::Repeat, parent: NodeId, span: Span, passed: Passed) -> NodeId {
        let place = self.count("repeat");
        let id = self.add(place, Some(parent), span);
        let around = self.enter_loop(id);
        let place = self.count("round");
        let round = self.add(place, Some(id), span);
        let (children, _) = self.statements(&repeat.body, round, passed);
        self.set(round, Kind::Sequence(children));
        self.loops = around;
        let last = node_id(self.nodes.len().saturating_sub(1));
        let owes = self.owes(round);
        let (otherwise, _) = self.sequence(&repeat.otherwise, id, span, passed);
        let (times, until) = (repeat.times, repeat.until.clone());
        self.set(id, Kind::Repeat(Box::new(Repeat { times, round, until, otherwise, last, owes })));
        id
    }

    /// Whether anything from a node on, up to what was built last, can be taken back.
    fn owes(&self, first: NodeId) -> bool {
        let owes = |node: &Node| match &node.kind {
            Kind::Step(work) => work.has_compensation(),
            // It has a value, which it loses.
            Kind::Run(_) => true,
            _ => false,
        };
        self.nodes.iter().skip(first.0 as usize).any(owes)
    }

    /// What is built next stands in this loop too; returns those that are left.
    fn enter_loop(&mut self, node: NodeId) -> Arc<[Around]> {
        let part = if self.way.is_empty() { 0 } else { self.way.matches('.').count() + 1 };
        let inside = self.loops.iter().copied().chain([Around { node, part }]).collect();
        std::mem::replace(&mut self.loops, inside)
    }

    /// The saga that the step runs stands below it, as a sequence that begins with its input.
    fn sub_saga(&mut self, run: &Run, parent: NodeId, span: Span, passed: Passed) -> (NodeId, Passed) {
        let id = self.add(run.step.name.clone(), Some(parent), span);
        self.runs.push(id);
        let own_pivot = passed == Passed::NotYet && !run.step.pivot && has_pivot(&run.body);
        let around = (self.own_pivot, std::mem::replace(&mut self.way, run.step.name.clone()));
        self.own_pivot |= own_pivot;

        let input = self.add(run.input_name(), Some(id), run.span);
        self.set(input, Kind::Let(run.input.clone()));
        let (statements, mut after) = self.statements(&run.body, id, passed);
        let mut children: Vec<NodeId> = std::iter::once(input).chain(statements).collect();
        self.follows(input, children.get(1).copied());
        if run.step.pivot && after == Passed::NotYet {
            // The saga has none: done as a whole, it is the point of no return.
            let place = self.count("pivot");
            let pivot = self.add(place, Some(id), span);
            self.follows(children.last().copied().unwrap_or(input), Some(pivot));
            children.push(pivot);
            after = Passed::Behind;
        }
        let last = node_id(self.nodes.len().saturating_sub(1));

        (self.own_pivot, self.way) = around;
        let class = if passed == Passed::Behind { Class::Retriable } else { Class::Compensatable };
        let back = self.way_back(&run.step, id);
        let work = Work { step: Arc::clone(&run.step), class, undo: undo(&run.step), back };
        let (saga, output) = (run.saga.clone(), run.output.clone());
        self.set(id, Kind::Run(Box::new(SubSaga { work, saga, output, children, last, own_pivot })));
        (id, if own_pivot { passed } else { after })
    }

    /// The saga that takes a step back stands below it. Being behind its point of no return from the first, it has none.
    fn way_back(&mut self, step: &Step, of: NodeId) -> Option<NodeId> {
        let Compensation::Run(run) = &step.compensation else { return None };
        let id = self.add(run.step.name.clone(), Some(of), run.span);
        let around = (
            (std::mem::replace(&mut self.scope, id), std::mem::replace(&mut self.flow, id)),
            (std::mem::take(&mut self.own_pivot), std::mem::replace(&mut self.way, run.step.name.clone())),
        );

        let input = self.add(run.input_name(), Some(id), run.span);
        self.set(input, Kind::Let(run.input.clone()));
        let (statements, _) = self.statements(&run.body, id, Passed::Behind);
        let children: Vec<NodeId> = std::iter::once(input).chain(statements).collect();
        self.follows(input, children.get(1).copied());

        ((self.scope, self.flow), (self.own_pivot, self.way)) = around;
        self.set(id, Kind::Scope(children));
        Some(id)
    }

    fn follows(&mut self, node: NodeId, next: Option<NodeId>) {
        if let Some(node) = self.nodes.get_mut(node.0 as usize) {
            node.next = next;
        }
    }

    /// `word#1`, `word#2`, …, in a sub-saga behind its step's name: names of the language have no `#`, so these never meet a
    /// step's.
    fn count(&mut self, word: &'static str) -> CompactString {
        let count = self.counts.entry((self.way.clone(), word)).or_default();
        *count += 1;
        if self.way.is_empty() {
            format_compact!("{word}#{count}")
        } else {
            format_compact!("{}.{word}#{count}", self.way)
        }
    }

    fn add(&mut self, place: CompactString, parent: Option<NodeId>, span: Span) -> NodeId {
        let id = node_id(self.nodes.len());
        self.places.insert(place.clone(), id);
        let (loops, scope, flow) = (Arc::clone(&self.loops), self.scope, self.flow);
        self.nodes.push(Node { place, parent, scope, flow, next: None, loops, kind: Kind::Pivot, span });
        id
    }

    fn set(&mut self, id: NodeId, kind: Kind) {
        if let Some(node) = self.nodes.get_mut(id.0 as usize) {
            node.kind = kind;
        }
    }
}

/// A block of nothing has no node: so a node that has ended always has a leaf that says so.
fn is_empty(statement: &Statement) -> bool {
    match &statement.kind {
        StatementKind::Parallel(statements) | StatementKind::Sequence(statements) => statements.iter().all(is_empty),
        // It cannot fail.
        StatementKind::Try(written) => written.body.iter().all(is_empty),
        // Whatever its list holds.
        StatementKind::ForEach(each) => each.body.iter().all(is_empty),
        StatementKind::Step(_)
        | StatementKind::Run(_)
        | StatementKind::Repeat(_)
        | StatementKind::Pivot
        | StatementKind::When { .. }
        | StatementKind::Sleep(_)
        | StatementKind::Await { .. }
        | StatementKind::Let { .. }
        | StatementKind::Fail { .. } => false,
    }
}

fn undo(step: &Step) -> Option<Undo> {
    let Compensation::Call(compensation) = &step.compensation else { return None };
    match &step.action {
        Some(action)
            if action.participant.name == compensation.participant.name
                && action.verb == Verb::Call
                && compensation.verb == Verb::Call =>
        {
            Some(Undo::OfCommand)
        }
        Some(_) | None => Some(Undo::OfItsOwn),
    }
}

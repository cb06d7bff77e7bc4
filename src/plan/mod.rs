//! The plan: a saga's definition as a tree of numbered nodes, for the engine.
//!
//! Nodes are numbered in reading order, so a child's number is above its parent's. Each has a *place*, a name that
//! people read and that the journal keeps: the step's or `let`'s own name, or for what has no name its word and its
//! count in reading order (`when#1`, `sleep#2`). Places depend on the definition alone, never on the engine's
//! version. The step graph of [`graph`] is derived from the tree, for pictures and questions about order.

pub mod graph;
pub mod picture;
pub mod svg;

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::{CompactString, format_compact};

use crate::definition::expression::Typed;
use crate::definition::types::Record;
use crate::definition::{Await, Catch, Compensation, Invocation, Saga, Sleep, Statement, StatementKind, Step, Verb};
use crate::source::Span;

/// Number of a node in its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// The saga's body.
pub const ROOT: NodeId = NodeId(0);

/// Its place.
pub const ROOT_PLACE: &str = "saga";

/// A saga, compiled for the engine.
#[derive(Debug)]
pub struct Plan {
    /// The definition that it came from.
    pub saga: Arc<Saga>,
    nodes: Vec<Node>,
    places: BTreeMap<CompactString, NodeId>,
    has_limits: bool,
    /// Inner scopes, in reading order: an inner one behind the one around it.
    tries: Vec<NodeId>,
}

/// A node.
#[derive(Debug)]
pub struct Node {
    /// Its name for people and for the journal.
    pub place: CompactString,
    /// Above it; none for the root.
    pub parent: Option<NodeId>,
    /// The innermost scope around it, the unit of unwinding; the root's is itself.
    pub scope: NodeId,
    /// The sibling behind it in a sequence, or in the body of a scope.
    pub next: Option<NodeId>,
    /// What it is.
    pub kind: Kind,
    /// Where it is written.
    pub span: Span,
}

/// What a node is. Loops, inner scopes and waits for signals join these with the rest of the language.
#[derive(Debug)]
pub enum Kind {
    /// The saga's body, the outermost unit of unwinding: its children one after the other.
    Scope(Vec<NodeId>),
    /// A unit of unwinding inside: its children one after the other, and what follows where it fails.
    Try(Trial),
    /// One after the other.
    Sequence(Vec<NodeId>),
    /// All at once.
    Parallel(Vec<NodeId>),
    /// The first arm whose condition holds, else the last child.
    Choice {
        /// Conditions with their sequences.
        arms: Vec<(Typed, NodeId)>,
        /// The sequence for when none holds.
        otherwise: NodeId,
    },
    /// A unit of work.
    Step(Work),
    /// The point of no return, once reached.
    Pivot,
    /// A durable timer.
    Sleep(Sleep),
    /// A wait for a signal; the sequence for when it does not come.
    Await(Arc<Await>, NodeId),
    /// A named value.
    Let(Typed),
    /// Makes the scope fail.
    Fail {
        /// The code.
        code: CompactString,
        /// For people.
        message: Option<Typed>,
    },
}

/// A scope of its own, for the engine.
#[derive(Debug)]
pub struct Trial {
    /// How long it may take.
    pub within: Option<Typed>,
    /// Its children, one after the other; at least one.
    pub body: Vec<NodeId>,
    /// The handlers: the codes that each takes (none: all), and its sequence, which belongs to the scope around.
    pub catches: Vec<(Vec<CompactString>, NodeId)>,
    /// The last node of the body.
    pub last: NodeId,
}

/// A step, for the engine.
#[derive(Debug)]
pub struct Work {
    /// The definition.
    pub step: Arc<Step>,
    /// What the saga's place of no return makes of it.
    pub class: Class,
    /// How its compensation reaches the participant, if it has one.
    pub undo: Option<Undo>,
}

/// Step kinds (Richardson, *Microservices Patterns* 2e, 9.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Before the point of no return: may fail, is taken back.
    Compensatable,
    /// The point of no return itself.
    Pivot,
    /// Behind it: repeated until it succeeds.
    Retriable,
}

/// How a compensation reaches the participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// As `undo` of the step's own command: the guard of the participant that did the work finds it by the id.
    OfCommand,
    /// As a `do` or a message of its own, with an id of its own: the step has no action, or another participant did the
    /// work, or it was told by a message. So the one that compensates has never heard of the command and would take an
    /// `undo` for nothing to do; and a message takes nothing back.
    OfItsOwn,
}

impl Work {
    /// The forward command.
    #[must_use]
    pub fn action(&self) -> Option<&Invocation> {
        self.step.action.as_ref()
    }

    /// The command that takes it back.
    #[must_use]
    pub fn compensation(&self) -> Option<&Invocation> {
        match &self.step.compensation {
            Compensation::Call(invocation) => Some(invocation),
            Compensation::Unsaid | Compensation::Nothing => None,
        }
    }
}

impl Plan {
    /// Compiles a definition that `check` found no error in.
    #[must_use]
    pub fn new(saga: Arc<Saga>) -> Self {
        let mut builder = Builder {
            scope: ROOT,
            tries: Vec::new(),
            nodes: Vec::new(),
            places: BTreeMap::new(),
            counts: BTreeMap::new(),
        };
        builder.scope(&saga);
        let Builder { nodes, places, tries, .. } = builder;
        let has_limits = invocations(&nodes).any(|invocation| !invocation.participant.limits.is_empty());
        Self { saga, nodes, places, has_limits, tries }
    }

    /// All that is asked of participants, there and back.
    pub fn invocations(&self) -> impl Iterator<Item = &Invocation> {
        invocations(&self.nodes)
    }

    /// Whether a participant says `at most …`.
    #[must_use]
    pub const fn has_limits(&self) -> bool {
        self.has_limits
    }

    /// The node of that number; numbers come from this plan.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id.0 as usize).expect("a node's number is from its own plan")
    }

    /// All nodes in reading order.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (NodeId, &Node)> {
        self.nodes.iter().enumerate().map(|(index, node)| (node_id(index), node))
    }

    /// The node at a place.
    #[must_use]
    pub fn find(&self, place: &str) -> Option<NodeId> {
        self.places.get(place).copied()
    }

    /// Inner scopes, in reading order.
    #[must_use]
    pub fn tries(&self) -> &[NodeId] {
        &self.tries
    }

    /// Those that belong to a scope, which itself is none of them.
    #[must_use]
    pub fn tries_within(&self, scope: NodeId) -> &[NodeId] {
        let from = self.tries.partition_point(|inner| *inner <= scope);
        let behind = self.tries.get(from..).unwrap_or_default();
        let count = behind.partition_point(|inner| self.is_within(*inner, scope));
        behind.get(..count).unwrap_or_default()
    }

    /// Whether a node belongs to a scope, itself or by one inside.
    #[must_use]
    pub fn is_within(&self, node: NodeId, scope: NodeId) -> bool {
        match &self.node(scope).kind {
            Kind::Try(trial) => scope < node && node <= trial.last,
            _ => scope == ROOT,
        }
    }

    /// The `try` whose handler a node stands in, the innermost.
    #[must_use]
    pub fn handled(&self, node: NodeId) -> Option<NodeId> {
        let mut way = std::iter::successors(Some(node), |node| self.node(*node).parent);
        let is_handler = |node: &NodeId| {
            let Some(Kind::Try(trial)) = self.node(*node).parent.map(|parent| &self.node(parent).kind) else {
                return false;
            };
            *node > trial.last
        };
        way.find(is_handler).and_then(|handler| self.node(handler).parent)
    }

    /// The step at a node.
    #[must_use]
    pub fn work(&self, id: NodeId) -> Option<&Work> {
        if let Kind::Step(work) = &self.node(id).kind { Some(work) } else { None }
    }

    /// The input's shape.
    #[must_use]
    pub fn input(&self) -> &Arc<Record> {
        &self.saga.input
    }

    /// Whether the flow ends `one` before it enters `other`, whenever it comes to both. Neither is before the other
    /// where they stand in sibling branches, and a `fail` is before nothing: it never ends. Takes time in proportion
    /// to the nesting.
    #[must_use]
    pub fn is_before(&self, one: NodeId, other: NodeId) -> bool {
        if matches!(self.node(one).kind, Kind::Fail { .. }) {
            return false;
        }
        let (one, other) = (self.way_to(one), self.way_to(other));
        let Some(fork) = one.iter().zip(&other).position(|(one, other)| one != other) else { return false };
        let around = fork.checked_sub(1).and_then(|index| one.get(index)).map(|node| &self.node(*node).kind);
        let in_order = match around {
            Some(Kind::Scope(_) | Kind::Sequence(_)) => true,
            // A handler begins when the body has ended; of handlers one alone runs.
            Some(Kind::Try(trial)) => one.get(fork).is_some_and(|one| *one <= trial.last),
            _ => false,
        };
        in_order && one.get(fork) < other.get(fork)
    }

    /// From the root to a node.
    fn way_to(&self, node: NodeId) -> Vec<NodeId> {
        let mut way: Vec<NodeId> = std::iter::successors(Some(node), |node| self.node(*node).parent).collect();
        way.reverse();
        way
    }

    /// The children of a node in reading order.
    #[must_use]
    pub fn children(&self, id: NodeId) -> Vec<NodeId> {
        match &self.node(id).kind {
            Kind::Scope(children) | Kind::Sequence(children) | Kind::Parallel(children) => children.clone(),
            Kind::Choice { arms, otherwise } => arms.iter().map(|(_, arm)| *arm).chain([*otherwise]).collect(),
            Kind::Try(trial) => {
                trial.body.iter().copied().chain(trial.catches.iter().map(|(_, block)| *block)).collect()
            }
            Kind::Await(_, otherwise) => vec![*otherwise],
            Kind::Step(_) | Kind::Pivot | Kind::Sleep(_) | Kind::Let(_) | Kind::Fail { .. } => Vec::new(),
        }
    }
}

fn invocations(nodes: &[Node]) -> impl Iterator<Item = &Invocation> {
    fn of(node: &Node) -> [Option<&Invocation>; 2] {
        match &node.kind {
            Kind::Step(work) => [work.action(), work.compensation()],
            _ => [None, None],
        }
    }
    nodes.iter().flat_map(of).flatten()
}

/// Definitions are limited to 10,000 statements, far below 32 bits.
fn node_id(index: usize) -> NodeId {
    NodeId(u32::try_from(index).expect("a definition has at most 10,000 statements"))
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
    tries: Vec<NodeId>,
    nodes: Vec<Node>,
    places: BTreeMap<CompactString, NodeId>,
    counts: BTreeMap<&'static str, u32>,
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
                    (true, _) => Class::Pivot,
                    (false, Passed::NotYet) => Class::Compensatable,
                    (false, Passed::Behind) => Class::Retriable,
                };
                self.set(id, Kind::Step(Work { step: Arc::clone(step), class, undo: undo(step) }));
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

    /// `word#1`, `word#2`, …: names of the language have no `#`, so these never meet a step's.
    fn count(&mut self, word: &'static str) -> CompactString {
        let count = self.counts.entry(word).or_default();
        *count += 1;
        format_compact!("{word}#{count}")
    }

    fn add(&mut self, place: CompactString, parent: Option<NodeId>, span: Span) -> NodeId {
        let id = node_id(self.nodes.len());
        self.places.insert(place.clone(), id);
        self.nodes.push(Node { place, parent, scope: self.scope, next: None, kind: Kind::Pivot, span });
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
        StatementKind::Step(_)
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

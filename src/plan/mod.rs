//! The plan: a saga's definition as a tree of numbered nodes, for the engine.
//!
//! Nodes are numbered in reading order, so a child's number is above its parent's. Each has a *place*, a name that
//! people read and that the journal keeps: the step's or `let`'s own name, or for what has no name its word and its
//! count in reading order (`when#1`, `sleep#2`); in loops with an index for each ([`At`]). Places depend on the definition alone, never on the engine's
//! version. The step graph of [`graph`] is derived from the tree, for pictures and questions about order.

mod at;
mod build;
mod order;
pub mod graph;
pub mod picture;
pub mod svg;

use std::sync::{Arc, OnceLock};

use compact_str::CompactString;
use foldhash::fast::RandomState;
use indexmap::IndexMap;

use self::build::{Built, node_id};

pub use self::at::{Around, At, Spots};
pub(crate) use self::at::{common, parsed};
pub use self::order::{InLoops, Meant};
use crate::definition::expression::Typed;
use crate::definition::personal::{Veil, Veils};
use crate::definition::types::Record;
use crate::definition::{Await, Compensation, Invocation, Length, Saga, Sleep, Step};
use crate::source::Span;

/// Number of a node in its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// The saga's body.
pub const ROOT: NodeId = NodeId(0);

/// Nodes by their places. They are looked up for each event, and never gone through.
type Places = IndexMap<CompactString, NodeId, RandomState>;

/// Its place.
pub const ROOT_PLACE: &str = "saga";

/// A saga, compiled for the engine.
#[derive(Debug)]
pub struct Plan {
    /// The definition that it came from.
    pub saga: Arc<Saga>,
    nodes: Vec<Node>,
    places: Places,
    has_limits: bool,
    /// The pivot steps of the saga itself.
    pivots: Vec<NodeId>,
    /// The points of no return that are a sub-saga's own, each behind that sub-saga.
    inner_pivots: Vec<(NodeId, NodeId)>,
    /// Inner scopes, in reading order: an inner one behind the one around it.
    tries: Vec<NodeId>,
    /// Steps that run another saga, in reading order.
    runs: Vec<NodeId>,
    /// Once somebody has shown a value: who only runs sagas never asks.
    veils: OnceLock<Veils>,
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
    /// The saga's body that it belongs to: the root, or that of a saga which takes a step back.
    pub flow: NodeId,
    /// The sibling behind it in a sequence, or in the body of a scope.
    pub next: Option<NodeId>,
    /// The loops around it, the outermost first.
    pub loops: Arc<[Around]>,
    /// What it is.
    pub kind: Kind,
    /// Where it is written.
    pub span: Span,
}

/// What a node is.
#[derive(Debug)]
pub enum Kind {
    /// A saga's body, its children one after the other: that of the instance, the outermost unit of unwinding; or that of
    /// a saga which takes a step back, below the step. Such a one begins with its input, and cannot fail.
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
    /// For each element of a list: its child is a sequence with the element's name, which has the element's value.
    Each(Box<Each>),
    /// Rounds: its first child is the sequence of one round, its second that for when the condition never held.
    Repeat(Box<Repeat>),
    /// A unit of work.
    Step(Work),
    /// A step that runs another saga.
    Run(Box<SubSaga>),
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

/// A loop over a list, for the engine.
#[derive(Debug)]
pub struct Each {
    /// The list.
    pub list: Typed,
    /// How many elements it has, where the text says it.
    pub length: Option<Length>,
    /// Keeps only such elements.
    pub filter: Option<Typed>,
    /// How many are under way at once.
    pub window: u16,
    /// The sequence of one element.
    pub element: NodeId,
    /// The last node inside.
    pub last: NodeId,
    /// Whether there is anything in it to take back.
    pub owes: bool,
}

/// Rounds, for the engine.
#[derive(Debug)]
pub struct Repeat {
    /// So many at most.
    pub times: u16,
    /// The sequence of one round.
    pub round: NodeId,
    /// Ends them.
    pub until: Typed,
    /// The sequence for when it never held.
    pub otherwise: NodeId,
    /// The last node of a round.
    pub last: NodeId,
    /// Whether there is anything in a round to take back.
    pub owes: bool,
}

/// A step, for the engine.
#[derive(Debug)]
pub struct Work {
    /// The definition.
    pub step: Arc<Step>,
    /// What the saga's place of no return makes of it.
    pub class: Class,
    /// How its compensation reaches the participant, if one does.
    pub undo: Option<Undo>,
    /// The body of the saga that takes it back, if one does.
    pub back: Option<NodeId>,
}

/// A step that runs another saga, for the engine.
#[derive(Debug)]
pub struct SubSaga {
    /// The step: it has no action, and its compensation takes back what the saga cannot unwind itself.
    pub work: Work,
    /// The saga's name.
    pub saga: CompactString,
    /// Its output, the step's value.
    pub output: Typed,
    /// Its input, then its statements, one after the other.
    pub children: Vec<NodeId>,
    /// The last node inside.
    pub last: NodeId,
    /// The point of no return inside is its own: behind it the saga around goes on as before, and the step is taken back
    /// as a whole.
    pub own_pivot: bool,
}

/// Step kinds (Richardson, *Microservices Patterns* 2e, 9.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Before the point of no return: may fail, is taken back.
    Compensatable,
    /// The point of no return itself.
    Pivot,
    /// The point of no return of a sub-saga that has its own: its outcome is found out, however long that takes.
    InnerPivot,
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
            Compensation::Unsaid | Compensation::Nothing | Compensation::Run(_) => None,
        }
    }

    /// Whether anything takes it back, be it a command, a message or a saga.
    #[must_use]
    pub fn has_compensation(&self) -> bool {
        matches!(self.step.compensation, Compensation::Call(_) | Compensation::Run(_))
    }
}

impl Plan {
    /// Compiles a definition that `check` found no error in.
    #[must_use]
    pub fn new(saga: Arc<Saga>) -> Self {
        let Built { nodes, places, tries, runs } = build::build(&saga);
        let has_limits = invocations(&nodes).any(|invocation| !invocation.participant.limits.is_empty());
        let is_pivot = |node: &Node| matches!(&node.kind, Kind::Step(work) if work.class == Class::Pivot);
        let numbered = nodes.iter().enumerate().filter(|(_, node)| is_pivot(node));
        let pivots = numbered.map(|(index, _)| node_id(index)).collect();
        let (inner_pivots, veils) = (Vec::new(), OnceLock::new());
        let mut plan = Self { saga, nodes, places, has_limits, pivots, inner_pivots, tries, runs, veils };
        let all = plan.nodes().filter_map(|(node, _)| Some((plan.sub_saga_of_pivot(node)?, node)));
        plan.inner_pivots = all.collect();
        plan.inner_pivots.sort_unstable();
        plan
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

    /// The pivot steps of the saga itself, of which one is passed on each way.
    #[must_use]
    pub fn pivots(&self) -> &[NodeId] {
        &self.pivots
    }

    /// Inner scopes, in reading order.
    #[must_use]
    pub fn tries(&self) -> &[NodeId] {
        &self.tries
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
        work_of(&self.node(id).kind)
    }

    /// The sub-saga whose own point of no return a node is, if it is one: a `pivot`, or a pivot step.
    #[must_use]
    pub fn sub_saga_of_pivot(&self, pivot: NodeId) -> Option<NodeId> {
        match &self.node(pivot).kind {
            Kind::Pivot => {}
            Kind::Step(work) if work.class == Class::InnerPivot => {}
            _ => return None,
        }
        self.around(pivot).find(|node| self.has_own_pivot(*node))
    }

    /// The points of no return that are a sub-saga's own: one is passed on each way.
    pub fn pivots_of(&self, run: NodeId) -> impl Iterator<Item = NodeId> {
        let from = self.inner_pivots.partition_point(|(of, _)| *of < run);
        let behind = self.inner_pivots.iter().skip(from);
        behind.take_while(move |(of, _)| *of == run).map(|(_, pivot)| *pivot)
    }

    /// Whether a node is a sub-saga that has a point of no return of its own.
    #[must_use]
    pub fn has_own_pivot(&self, node: NodeId) -> bool {
        matches!(&self.node(node).kind, Kind::Run(run) if run.own_pivot)
    }

    /// The sub-sagas around a node in its flow, the innermost first.
    pub fn around(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        let flow = self.node(node).flow;
        let parents = std::iter::successors(self.node(node).parent, |node| self.node(*node).parent);
        parents.take_while(move |node| *node != flow).filter(|node| matches!(self.node(*node).kind, Kind::Run(_)))
    }

    /// Whether a node is the body of a saga that takes a step back.
    #[must_use]
    pub fn is_way_back(&self, node: NodeId) -> bool {
        node != ROOT && matches!(self.node(node).kind, Kind::Scope(_))
    }

    /// All that is asked of participants where a step is taken back, in reading order.
    pub fn asked_back<'p>(&'p self, work: &'p Work) -> impl Iterator<Item = &'p Invocation> {
        let of_saga = self.nodes.iter().filter(|node| Some(node.flow) == work.back).filter_map(|node| {
            let inside = work_of(&node.kind)?;
            inside.action()
        });
        work.compensation().into_iter().chain(of_saga)
    }

    /// The saga whose input a node holds: one that runs inside, or that takes a step back.
    #[must_use]
    pub fn saga_of_input(&self, node: NodeId) -> Option<&CompactString> {
        if let Some((_, run)) = self.sub_saga_of_input(node) {
            return Some(&run.saga);
        }
        let flow = self.node(node).parent.filter(|parent| self.is_way_back(*parent))?;
        let Kind::Scope(children) = &self.node(flow).kind else { return None };
        let step = self.node(flow).parent.and_then(|step| self.work(step))?;
        match &step.step.compensation {
            Compensation::Run(run) if children.first() == Some(&node) => Some(&run.saga),
            _ => None,
        }
    }

    /// The sub-saga that a node holds the input of.
    #[must_use]
    pub fn sub_saga_of_input(&self, node: NodeId) -> Option<(&Node, &SubSaga)> {
        let parent = self.node(node).parent?;
        match &self.node(parent).kind {
            Kind::Run(run) if run.children.first() == Some(&node) => Some((self.node(parent), run)),
            _ => None,
        }
    }

    /// The steps that run another saga, in reading order.
    #[must_use]
    pub fn runs(&self) -> &[NodeId] {
        &self.runs
    }

    /// The input's shape.
    #[must_use]
    pub fn input(&self) -> &Arc<Record> {
        &self.saga.input
    }

    /// What of the saga's values is hidden where they are shown.
    #[must_use]
    pub fn veils(&self) -> &Veils {
        self.veils.get_or_init(|| Veils::of(&self.saga))
    }

    /// What is hidden of the value that a node gives; of a loop over a list, of an element's.
    #[must_use]
    pub fn veil(&self, id: NodeId) -> &Veil {
        let giver = if let Kind::Each(each) = &self.node(id).kind { each.element } else { id };
        self.veils().value(&self.node(giver).place)
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
            Kind::Each(each) => vec![each.element],
            Kind::Repeat(repeat) => vec![repeat.round, repeat.otherwise],
            Kind::Run(run) => run.children.iter().copied().chain(run.work.back).collect(),
            Kind::Step(work) => work.back.into_iter().collect(),
            Kind::Pivot | Kind::Sleep(_) | Kind::Let(_) | Kind::Fail { .. } => Vec::new(),
        }
    }
}

fn work_of(kind: &Kind) -> Option<&Work> {
    match kind {
        Kind::Step(work) => Some(work),
        Kind::Run(run) => Some(&run.work),
        _ => None,
    }
}

fn invocations(nodes: &[Node]) -> impl Iterator<Item = &Invocation> {
    fn of(node: &Node) -> [Option<&Invocation>; 2] {
        work_of(&node.kind).map_or([None, None], |work| [work.action(), work.compensation()])
    }
    nodes.iter().flat_map(of).flatten()
}

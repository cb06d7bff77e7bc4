//! The step graph, derived from the plan: what comes before what.
//!
//! Its vertices are the plan's leaves and the points where the flow parts and joins, its edges lead forward. The way
//! back is its mirror image: if `a` is before `b`, then the compensation of `b` ends before that of `a` begins. It is
//! never larger than a few times the plan, since what starts at once hangs on one point and not on each other. Only loops
//! lead back, to where they begin.

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::{Kind, NodeId, Plan, ROOT};

/// A point of the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vertex {
    /// Where an instance begins.
    Start,
    /// Where it ends completed.
    End,
    /// A leaf of the plan: a step, a `pivot`, a `sleep`, a `let`, a `fail`; or an `await`, from where two ways lead on.
    Leaf(NodeId),
    /// A `when`: the flow takes one way.
    Choice(NodeId),
    /// A `for each`: the flow takes its block for each element, then goes on.
    Each(NodeId),
    /// A `repeat` begins a round.
    Repeat(NodeId),
    /// A round has ended: the flow begins another, or goes on.
    Until(NodeId),
    /// A `try` begins: the flow takes its body, or where that fails one of its handlers.
    Try(NodeId),
    /// A `parallel` begins: the flow takes all ways.
    Fork(NodeId),
    /// A `parallel` ends.
    Join(NodeId),
}

/// A way from one point to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Always.
    Then,
    /// If the `when` takes this arm, from 0.
    Arm(NodeId, u32),
    /// If this handler of the `try` takes what its body fails with, from 0.
    Catch(NodeId, u32),
    /// Back to the loop, for the next element or round.
    Again(NodeId),
    /// Once all elements have ended.
    Done(NodeId),
    /// If the condition of the `repeat` holds.
    Met(NodeId),
    /// If no arm of the `when` holds, the signal of the `await` does not come, or the condition of the `repeat` never held.
    Otherwise(NodeId),
}

/// The flow of one plan.
#[derive(Debug)]
pub struct StepGraph {
    graph: DiGraph<Vertex, Edge>,
}

/// Loose ends: where the flow stands, and on which way it leaves from there.
type Ends = Vec<(NodeIndex, Edge)>;

impl StepGraph {
    /// Derives the flow of `plan`.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let mut this = Self { graph: DiGraph::new() };
        let start = this.graph.add_node(Vertex::Start);
        let ends = this.node(plan, ROOT, vec![(start, Edge::Then)]);
        this.point(Vertex::End, ends);
        this
    }

    /// All points, in reading order.
    pub fn vertices(&self) -> impl Iterator<Item = (usize, Vertex)> {
        self.graph.node_indices().zip(self.graph.node_weights()).map(|(index, vertex)| (index.index(), *vertex))
    }

    /// All ways, in the order of the points that they lead to.
    pub fn edges(&self) -> impl Iterator<Item = (usize, usize, Edge)> {
        self.graph.node_indices().flat_map(move |to| {
            let mut into: Vec<_> = self.graph.edges_directed(to, Direction::Incoming).collect();
            into.sort_unstable_by_key(petgraph::graph::EdgeReference::id);
            into.into_iter().map(move |edge| (edge.source().index(), to.index(), *edge.weight()))
        })
    }

    /// Adds a point behind `ends`.
    fn point(&mut self, vertex: Vertex, ends: Ends) -> NodeIndex {
        let index = self.graph.add_node(vertex);
        for (from, edge) in ends {
            self.graph.add_edge(from, index, edge);
        }
        index
    }

    /// Adds what a node of the plan does behind `ends`. A tree is at most 64 deep, so this may recurse.
    fn node(&mut self, plan: &Plan, id: NodeId, ends: Ends) -> Ends {
        match &plan.node(id).kind {
            Kind::Scope(children) | Kind::Sequence(children) => {
                children.iter().fold(ends, |ends, child| self.node(plan, *child, ends))
            }
            Kind::Run(run) => run.children.iter().fold(ends, |ends, child| self.node(plan, *child, ends)),
            Kind::Parallel(children) => {
                let fork = self.point(Vertex::Fork(id), ends);
                let branches: Vec<Ends> =
                    children.iter().map(|child| self.node(plan, *child, vec![(fork, Edge::Then)])).collect();
                let join = self.point(Vertex::Join(id), branches.concat());
                vec![(join, Edge::Then)]
            }
            Kind::Choice { arms, otherwise } => {
                let choice = self.point(Vertex::Choice(id), ends);
                let mut ways: Ends = Vec::new();
                for (number, (_, arm)) in (0u32..).zip(arms) {
                    ways.extend(self.node(plan, *arm, vec![(choice, Edge::Arm(id, number))]));
                }
                ways.extend(self.node(plan, *otherwise, vec![(choice, Edge::Otherwise(id))]));
                ways
            }
            Kind::Try(trial) => {
                let begin = self.point(Vertex::Try(id), ends);
                let body = vec![(begin, Edge::Then)];
                let mut ways = trial.body.iter().fold(body, |ends, child| self.node(plan, *child, ends));
                for (number, (_, handler)) in (0u32..).zip(&trial.catches) {
                    ways.extend(self.node(plan, *handler, vec![(begin, Edge::Catch(id, number))]));
                }
                ways
            }
            Kind::Await(_, otherwise) => {
                let leaf = self.point(Vertex::Leaf(id), ends);
                let missed = self.node(plan, *otherwise, vec![(leaf, Edge::Otherwise(id))]);
                [vec![(leaf, Edge::Then)], missed].concat()
            }
            Kind::Each(each) => {
                let head = self.point(Vertex::Each(id), ends);
                for (from, edge) in self.node(plan, each.element, vec![(head, Edge::Then)]) {
                    // What else the way is taken for says more.
                    self.graph.add_edge(from, head, if edge == Edge::Then { Edge::Again(id) } else { edge });
                }
                vec![(head, Edge::Done(id))]
            }
            Kind::Repeat(repeat) => {
                let head = self.point(Vertex::Repeat(id), ends);
                let round = self.node(plan, repeat.round, vec![(head, Edge::Then)]);
                if round.is_empty() {
                    return Vec::new();
                }
                let until = self.point(Vertex::Until(id), round);
                self.graph.add_edge(until, head, Edge::Again(id));
                let given_up = self.node(plan, repeat.otherwise, vec![(until, Edge::Otherwise(id))]);
                [vec![(until, Edge::Met(id))], given_up].concat()
            }
            Kind::Fail { .. } => {
                self.point(Vertex::Leaf(id), ends);
                Vec::new()
            }
            Kind::Step(_) | Kind::Pivot | Kind::Sleep(_) | Kind::Let(_) => {
                let leaf = self.point(Vertex::Leaf(id), ends);
                vec![(leaf, Edge::Then)]
            }
        }
    }
}

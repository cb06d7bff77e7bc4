//! What may change places without anybody noticing: the elements of a loop that are under way at once, and branches of a
//! `parallel` that are written alike.
//!
//! States in which twins have changed places are one. What is found for one of them is true of the others: a way on which
//! one gets stuck is a way for each, with the two in each other's place.

use super::reads::Looked;
use super::state::World;
use crate::definition::Invocation;
use crate::engine::State;
use crate::plan::{At, Kind, NodeId, Plan, ROOT, Work};

/// One of several twins that something stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Twin {
    /// What they stand in: the loop or the `parallel`, and of its branches the first that is like this.
    pub(super) around: (At, NodeId),
    /// It itself.
    pub(super) own: At,
    /// Which of them, if they begin in an order.
    pub(super) index: u32,
    /// Where in it something stands, as if it were the first of them.
    pub(super) inside: At,
}

/// Where a node stands among twins.
#[derive(Clone, Copy, Debug)]
enum Among {
    /// In an element of this loop, which stands in so many.
    Elements { around: NodeId, depth: usize },
    /// In this branch of a `parallel`, which is like the first one, which stands in so many loops.
    Branches { around: NodeId, branch: NodeId, first: NodeId, depth: usize },
}

/// All twins of a saga; of an exploration without the reductions none.
#[derive(Debug, Default)]
pub(super) struct Twins {
    /// By node.
    among: Vec<Option<Among>>,
}

impl Twins {
    pub(super) fn of(plan: &Plan, looked: &Looked) -> Self {
        let mut among: Vec<Option<Among>> = plan.nodes().map(|(id, _)| of_loop(plan, looked, id)).collect();
        for (around, node) in plan.nodes() {
            let Kind::Parallel(branches) = &node.kind else { continue };
            // Behind such a branch none begins, so those before it are told from those behind.
            if branches.iter().any(|branch| may_fail_at_once(plan, *branch)) {
                continue;
            }
            let mut kinds: Vec<(Vec<String>, NodeId)> = Vec::new();
            for branch in branches.iter().copied() {
                let nodes = || within(plan, branch);
                if nodes().any(|id| among.get(id.0 as usize).is_none_or(Option::is_some)) {
                    continue;
                }
                let Some(written) = written(plan, looked, branch) else { continue };
                let first = kinds.iter().find(|(known, _)| *known == written).map(|(_, first)| *first);
                let first = first.unwrap_or_else(|| {
                    kinds.push((written, branch));
                    branch
                });
                let depth = node.depth();
                for id in nodes() {
                    if let Some(among) = among.get_mut(id.0 as usize) {
                        *among = Some(Among::Branches { around, branch, first, depth });
                    }
                }
            }
        }
        Self { among }
    }

    /// The twin that something stands in.
    pub(super) fn at(&self, at: At) -> Option<Twin> {
        let among = (*self.among.get(at.node().0 as usize)?)?;
        Some(match among {
            Among::Elements { around, depth } => Twin {
                around: (at.beside(around, depth), around),
                own: at.within(around, depth, at.index(depth)),
                index: at.index(depth).into(),
                inside: at.without(depth),
            },
            Among::Branches { around, branch, first, depth } => Twin {
                around: (at.beside(around, depth), first),
                own: at.beside(branch, depth),
                index: 0,
                inside: at.moved(NodeId(at.node().0 - branch.0)),
            },
        })
    }

    /// Whether a twin begins behind others, in their order: an element for which there was no room yet.
    pub(super) fn waits_for_others(plan: &Plan, world: &World, twin: &Twin) -> bool {
        let around = twin.around.0;
        let Kind::Each(each) = &plan.node(around.node()).kind else { return false };
        let state = world.instance.state(around);
        matches!(state, Some(State::Each(elements)) if twin.index > elements.begun(each).into())
    }

    /// The branches that are like the one in which a node stands, with the node itself in each.
    pub(super) fn others(&self, node: NodeId) -> Vec<Swap> {
        let Some(Some(Among::Branches { branch, first, .. })) = self.among.get(node.0 as usize) else {
            return Vec::new();
        };
        let branches = self.among.iter().filter_map(|among| match among {
            Some(Among::Branches { branch: other, first: of, .. }) if of == first && other != branch => Some(*other),
            _ => None,
        });
        let mut branches: Vec<NodeId> = branches.collect();
        branches.dedup();
        branches.into_iter().map(|other| Swap { one: *branch, other, size: self.size(*branch) }).collect()
    }

    fn size(&self, branch: NodeId) -> u32 {
        let is_of =
            |among: &&Option<Among>| matches!(among, Some(Among::Branches { branch: own, .. }) if *own == branch);
        u32::try_from(self.among.iter().filter(is_of).count()).unwrap_or_default()
    }
}

/// Two branches that change places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Swap {
    one: NodeId,
    other: NodeId,
    size: u32,
}

impl Swap {
    /// Where something stands when they have.
    pub(super) fn node(self, node: NodeId) -> NodeId {
        let place = |from: NodeId, to: NodeId| {
            let offset = node.0.checked_sub(from.0).filter(|offset| *offset < self.size)?;
            Some(NodeId(to.0 + offset))
        };
        place(self.one, self.other).or_else(|| place(self.other, self.one)).unwrap_or(node)
    }
}

/// Whether a node may fail as it is entered, before anybody has answered anything.
fn may_fail_at_once(plan: &Plan, id: NodeId) -> bool {
    let any = |children: &[NodeId]| children.iter().any(|child| may_fail_at_once(plan, *child));
    let waits = |child: &NodeId| match &plan.node(*child).kind {
        Kind::Step(work) => work.action().is_some(),
        Kind::Sleep(_) | Kind::Await(..) => true,
        _ => false,
    };
    let in_order = |children: &[NodeId]| any(children.split(waits).next().unwrap_or_default());
    match &plan.node(id).kind {
        Kind::Fail { .. } => true,
        Kind::Scope(children) | Kind::Sequence(children) => in_order(children),
        Kind::Parallel(children) => any(children),
        Kind::Choice { arms, otherwise } => {
            may_fail_at_once(plan, *otherwise) || arms.iter().any(|(_, arm)| may_fail_at_once(plan, *arm))
        }
        Kind::Run(run) => in_order(&run.children),
        Kind::Each(each) => may_fail_at_once(plan, each.element),
        Kind::Repeat(repeat) => may_fail_at_once(plan, repeat.round),
        Kind::Try(trial) => in_order(&trial.body),
        Kind::Step(_) | Kind::Pivot | Kind::Sleep(_) | Kind::Await(..) | Kind::Let(_) => false,
    }
}

/// A node and all below it.
fn within(plan: &Plan, node: NodeId) -> impl Iterator<Item = NodeId> {
    let is_below =
        move |id: &NodeId| std::iter::successors(Some(*id), |id| plan.node(*id).parent).any(|around| around == node);
    plan.nodes().map(|(id, _)| id).skip_while(move |id| *id < node).take_while(is_below)
}

/// The outermost loop around a node of which nothing tells one element from another: as many as may be are under way at
/// once, none waits for a signal, for which the first would come first, and nobody outside looks at their order.
fn of_loop(plan: &Plan, looked: &Looked, id: NodeId) -> Option<Among> {
    let is_inside = |node: NodeId, around: NodeId| plan.node(node).loops.iter().any(|it| it.node == around);
    let may = |around: NodeId| {
        let Kind::Each(each) = &plan.node(around).kind else { return false };
        let waits = plan.nodes().any(|(node, it)| is_inside(node, around) && matches!(it.kind, Kind::Await(..)));
        let outside = looked.readers.iter().filter(|reader| !is_inside(reader.node, around));
        let mut ordered = outside
            .flat_map(|reader| &reader.reads.names)
            .filter(|(_, look)| look.is_by_place || look.itself.is_some());
        let has_order = ordered.any(|(name, _)| plan.named(name).is_some_and(|node| is_inside(node, around)));
        each.window > 1 && !waits && !has_order
    };
    let mut loops = plan.node(id).loops.iter().enumerate();
    loops.find(|(_, around)| may(around.node)).map(|(depth, around)| Among::Elements { around: around.node, depth })
}

/// How a branch is written but for its names and what it passes on; none where it is not plain: nobody may look at its
/// values, and it may neither loop nor wait for a signal.
fn written(plan: &Plan, looked: &Looked, branch: NodeId) -> Option<Vec<String>> {
    let offset = |node: NodeId| i64::from(node.0) - i64::from(branch.0);
    within(plan, branch)
        .map(|id| {
            let node = plan.node(id);
            let is_looked_at = looked.name(&node.place).is_some() || looked.readers.iter().any(|it| it.node == id);
            let kind = match &node.kind {
                _ if is_looked_at || node.flow != ROOT => return None,
                Kind::Each(_) | Kind::Repeat(_) | Kind::Await(..) | Kind::Choice { .. } | Kind::Try(_) => return None,
                Kind::Step(work) if work.back.is_none() => format!("step {}", of_work(work)?),
                Kind::Run(run) if run.work.back.is_none() => format!("run {} {}", run.own_pivot, of_work(&run.work)?),
                Kind::Step(_) | Kind::Run(_) => return None,
                Kind::Fail { code, .. } => format!("fail {code}"),
                Kind::Scope(_) | Kind::Sequence(_) => "sequence".to_owned(),
                Kind::Parallel(_) => "parallel".to_owned(),
                Kind::Pivot => "pivot".to_owned(),
                Kind::Sleep(_) => "sleep".to_owned(),
                Kind::Let(_) => "let".to_owned(),
            };
            let parent = if id == branch { None } else { node.parent.map(offset) };
            let scope = if node.scope >= branch { offset(node.scope) } else { i64::MIN };
            Some(format!("{kind} {parent:?} {scope} {:?}", node.next.filter(|_| id != branch).map(offset)))
        })
        .collect()
}

fn of_work(work: &Work) -> Option<String> {
    let called = |invocation: Option<&Invocation>| match invocation {
        Some(invocation) if invocation.timing.within.is_some() => None,
        Some(invocation) => {
            let Invocation { verb, participant, command, timing, .. } = invocation;
            Some(format!("{verb:?} {} {} {:?} {:?}", participant.name, command.name, timing.timeout, timing.retry))
        }
        None => Some(String::new()),
    };
    let (class, undo, has) = (work.class, work.undo, work.has_compensation());
    Some(format!("{class:?} {undo:?} {has} [{}] [{}]", called(work.action())?, called(work.compensation())?))
}

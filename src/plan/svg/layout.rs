//! Where everything stands: the tree of the plan, laid out from its leaves.
//!
//! A [`Block`] is a piece of the flow with one way in, at the top of its axis, and one way out, at the bottom. What
//! comes next stands below it, what goes on at once beside it, both by their measured sizes: so nothing can overlap,
//! no line crosses another, and a change of one step moves only what is below it or beside it. (A layout of general
//! graphs by layers has none of the three; a plan is a tree.)

use super::measure::{Size, width, wrapped};
use crate::definition::{Invocation, Sleep};
use crate::plan::picture::{Participants, loop_lines, run_back, written};
use crate::plan::{Class, Kind, NodeId, Plan, Work};
use crate::source::Sources;

/// Between one thing and the next below it, room for an arrow.
const DOWN: i32 = 26;

/// Between branches.
const BESIDE: i32 = 36;

/// From a step to its compensation.
const BACK: i32 = 34;

/// Around text.
const PADDING: i32 = 10;

/// The least width of a step: most names are shorter, and so most boxes have one width.
const STEP_MIN: i32 = 150;

/// Columns of a line in a box, and of a condition on its branch.
const BOX_COLUMNS: usize = 44;
const CONDITION_COLUMNS: usize = 26;

/// Lines of a long expression; the rest is in the source.
const LINES_MAX: usize = 3;

/// A thing that is drawn, by its place from the block's axis and top.
#[derive(Clone, Debug)]
pub(super) enum Mark {
    /// A box with centred lines of text.
    Shape {
        /// What it stands for.
        form: Form,
        /// The upper left corner.
        at: (i32, i32),
        /// Width and height.
        size: (i32, i32),
        /// Number of its participant, for the colour.
        participant: Option<usize>,
        /// The text.
        lines: Vec<(String, Size)>,
    },
    /// A line through these points.
    Line {
        /// At least two.
        points: Vec<(i32, i32)>,
        /// With an arrow at its end.
        arrow: bool,
        /// To a compensation.
        back: bool,
    },
    /// Text that begins at its place.
    Note {
        /// The left end of its base line.
        at: (i32, i32),
        /// The text.
        text: String,
    },
}

/// What a box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Start and end.
    End,
    /// A step.
    Step,
    /// The step at the point of no return.
    Pivot,
    /// What takes a step back.
    Compensation,
    /// A `when`.
    Choice,
    /// A condition on its branch.
    Condition,
    /// Where a `parallel` parts or joins.
    Bar,
    /// The point of no return.
    NoReturn,
    /// Where a loop begins.
    Loop,
    /// `let`, `sleep`, `await`, `try`, a step that only undoes.
    Aside,
    /// `fail`.
    Fail,
}

/// A piece of the flow.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    /// How far it reaches to the left of its axis.
    pub(super) left: i32,
    /// How far to the right.
    pub(super) right: i32,
    /// From its top to its bottom.
    pub(super) height: i32,
    /// What is drawn.
    pub(super) marks: Vec<Mark>,
    /// The flow does not leave it: all ways in it fail.
    pub(super) closed: bool,
}

impl Block {
    /// One box on the axis.
    pub(super) fn of(form: Form, participant: Option<usize>, lines: Vec<(String, Size)>) -> Self {
        let text = lines.iter().map(|(line, size)| width(line, *size)).max().unwrap_or_default();
        let least = if matches!(form, Form::Step | Form::Pivot) { STEP_MIN } else { 0 };
        let room = if form == Form::Condition { PADDING / 2 } else { PADDING };
        // Even, so that its middle is on the axis.
        let wide = (text + 2 * room).max(least) / 2 * 2 + 2;
        let height = lines.iter().map(|(_, size)| size.line()).sum::<i32>() + room + 2;
        let shape = Mark::Shape { form, at: (-wide / 2, 0), size: (wide, height), participant, lines };
        Self { left: wide / 2, right: wide / 2, height, marks: vec![shape], closed: false }
    }

    /// Makes its one box at least so high.
    fn grow(&mut self, height: i32) {
        self.height = self.height.max(height);
        for mark in &mut self.marks {
            if let Mark::Shape { size, .. } = mark {
                size.1 = size.1.max(height);
            }
        }
    }

    fn add(&mut self, other: Self, by: (i32, i32)) {
        self.left = self.left.max(other.left - by.0);
        self.right = self.right.max(other.right + by.0);
        self.height = self.height.max(other.height + by.1);
        self.marks.extend(other.marks.into_iter().map(|mark| mark.moved(by)));
    }

    /// What comes next, below.
    pub(super) fn then(&mut self, next: Self) {
        if self.height > 0 && next.height > 0 {
            self.line(vec![(0, self.height), (0, self.height + DOWN)], true);
            self.height += DOWN;
        }
        self.closed = next.closed;
        self.add(next, (0, self.height));
    }

    fn line(&mut self, points: Vec<(i32, i32)>, arrow: bool) {
        self.marks.push(Mark::Line { points, arrow, back: false });
    }
}

impl Mark {
    fn moved(self, (right, down): (i32, i32)) -> Self {
        let to = |(x, y): (i32, i32)| (x + right, y + down);
        match self {
            Self::Shape { form, at, size, participant, lines } => {
                Self::Shape { form, at: to(at), size, participant, lines }
            }
            Self::Line { points, arrow, back } => {
                Self::Line { points: points.into_iter().map(to).collect(), arrow, back }
            }
            Self::Note { at, text } => Self::Note { at: to(at), text },
        }
    }
}

/// Lays out one plan.
pub(super) struct Layout<'p> {
    pub(super) plan: &'p Plan,
    pub(super) sources: &'p Sources,
    pub(super) participants: Participants,
}

impl Layout<'_> {
    /// A node with all below it. A tree is at most 64 deep, so this may recurse.
    pub(super) fn block(&mut self, id: NodeId) -> Block {
        let plan = self.plan;
        let node = plan.node(id);
        let text = |words: String| wrapped(&words, BOX_COLUMNS, LINES_MAX).into_iter().map(|line| (line, Size::Small));
        let aside = |words: String| Block::of(Form::Aside, None, text(words).collect());
        match &node.kind {
            Kind::Scope(children) | Kind::Sequence(children) => self.sequence(children),
            Kind::Parallel(children) => self.parallel(children),
            Kind::Choice { arms, otherwise } => {
                let arms = arms.iter().map(|(condition, arm)| (written(self.sources, condition.span), arm));
                let branches: Vec<Way<'_>> = arms
                    .chain([("otherwise".to_owned(), otherwise)])
                    .map(|(condition, arm)| (Some(condition), std::slice::from_ref(arm)))
                    .collect();
                self.ways(Block::of(Form::Choice, None, vec![("when".to_owned(), Size::Small)]), &branches)
            }
            Kind::Try(trial) => {
                let within =
                    trial.within.as_ref().map(|within| format!("within {}", written(self.sources, within.span)));
                let lines = std::iter::once("try".to_owned()).chain(within).flat_map(text).collect();
                let handlers = trial.catches.iter().map(|(codes, handler)| {
                    let codes: Vec<String> = codes.iter().map(|code| format!(" \"{code}\"")).collect();
                    (Some(format!("catch{}", codes.join(","))), std::slice::from_ref(handler))
                });
                let branches: Vec<Way<'_>> = std::iter::once((None, trial.body.as_slice())).chain(handlers).collect();
                self.ways(Block::of(Form::Aside, None, lines), &branches)
            }
            Kind::Await(wait, otherwise) => {
                let signal = &wait.signal.name;
                let lines = [format!("await {signal}"), format!("within {}", written(self.sources, wait.within.span))];
                let head = Block::of(Form::Aside, None, lines.into_iter().flat_map(text).collect());
                let missed = (Some("otherwise".to_owned()), std::slice::from_ref(otherwise));
                self.ways(head, &[(Some(format!("{signal} comes")), &[]), missed])
            }
            Kind::Each(each) => {
                let lines = loop_lines(plan, self.sources, id).into_iter().flat_map(text).collect();
                let head = Block::of(Form::Loop, None, lines);
                let block = self.block(each.element);
                looped(head, block, None)
            }
            Kind::Repeat(repeat) => {
                let lines = loop_lines(plan, self.sources, id).into_iter().flat_map(text).collect();
                let head = Block::of(Form::Loop, None, lines);
                let round = self.block(repeat.round);
                if round.closed {
                    return looped(head, round, None);
                }
                let until = Block::of(Form::Choice, None, vec![("until".to_owned(), Size::Small)]);
                let edge = (until.left, until.height);
                let ways: [Way<'_>; 2] = [
                    (Some(written(self.sources, repeat.until.span)), &[]),
                    (Some("otherwise".to_owned()), std::slice::from_ref(&repeat.otherwise)),
                ];
                let ways = self.ways(until, &ways);
                looped(head, round, Some((ways, edge)))
            }
            Kind::Step(work) => {
                let step = self.step(&node.place, work, Vec::new());
                let is_pivot = matches!(work.class, Class::Pivot | Class::InnerPivot);
                if is_pivot { no_return(step, self.whose(id)) } else { step }
            }
            Kind::Run(run) => {
                let mut all = self.step(&node.place, &run.work, vec![(format!("run {}", run.saga), Size::Small)]);
                all.then(self.sequence(run.children.get(1..).unwrap_or_default()));
                all
            }
            Kind::Pivot => no_return(Block::default(), self.whose(id)),
            Kind::Sleep(Sleep::For(time)) => aside(format!("sleep {}", written(self.sources, time.span))),
            Kind::Sleep(Sleep::Until(time)) => aside(format!("sleep until {}", written(self.sources, time.span))),
            Kind::Let(value) => aside(format!("let {} = {}", node.place, written(self.sources, value.span))),
            Kind::Fail { code, .. } => {
                let fail = Block::of(Form::Fail, None, text(format!("fail \"{code}\"")).collect());
                Block { closed: true, ..fail }
            }
        }
    }

    fn sequence(&mut self, children: &[NodeId]) -> Block {
        let mut all = Block::default();
        for child in children {
            // What stands behind a `fail` is never reached; `check` says so.
            if !all.closed {
                all.then(self.block(*child));
            }
        }
        all
    }

    fn step(&mut self, place: &str, work: &Work, more: Vec<(String, Size)>) -> Block {
        let form = match (work.class, work.action()) {
            (Class::Pivot | Class::InnerPivot, _) => Form::Pivot,
            (Class::Compensatable | Class::Retriable, Some(_)) => Form::Step,
            (Class::Compensatable | Class::Retriable, None) => Form::Aside,
        };
        let name = wrapped(place, BOX_COLUMNS, LINES_MAX).into_iter().map(|line| (line, Size::Name));
        let lines = name.chain(work.action().into_iter().flat_map(called)).chain(more).collect();
        let participant = work.action().map(|action| self.participants.number(action));
        let mut step = Block::of(form, participant, lines);
        if work.has_compensation() {
            let plan = self.plan;
            let participant = plan.asked_back(work).map(|asked| self.participants.number(asked)).next();
            let head = run_back(work).map_or_else(|| "undo".to_owned(), |run| format!("undo: {run}"));
            let lines = std::iter::once((head, Size::Small)).chain(plan.asked_back(work).flat_map(called)).collect();
            let undo = Block::of(Form::Compensation, participant, lines);
            let edge = step.right;
            step.grow(undo.height);
            let middle = step.height / 2;
            let (left, down) = (undo.left, middle - undo.height / 2);
            step.add(undo, (edge + BACK + left, down));
            let points = vec![(edge, middle), (edge + BACK, middle)];
            step.marks.push(Mark::Line { points, arrow: true, back: true });
        }
        step
    }

    /// The sub-saga whose own point of no return it is; none for that of the whole.
    fn whose(&self, pivot: NodeId) -> Option<&str> {
        self.plan.sub_saga_of_pivot(pivot).map(|run| self.plan.node(run).place.as_str())
    }

    fn parallel(&mut self, children: &[NodeId]) -> Block {
        let branches: Vec<Block> = children.iter().map(|child| self.block(*child)).collect();
        let bar = |all: &mut Block, axes: &[i32], y: i32| {
            let (first, last) = ends(axes);
            let at = (first - 14, y);
            let size = (last - first + 28, 5);
            all.marks.push(Mark::Shape { form: Form::Bar, at, size, participant: None, lines: Vec::new() });
            all.left = all.left.max(14 - first);
            all.right = all.right.max(last + 14);
        };
        let (mut all, axes, bottom) = beside(branches, (5, 5 + DOWN), true, |all, axes| bar(all, axes, 0));
        if !all.closed {
            bar(&mut all, &axes, bottom);
            all.height = bottom + 5;
        }
        all
    }

    /// One of several ways, below what decides about them.
    fn ways(&mut self, head: Block, ways: &[Way<'_>]) -> Block {
        let branches = ways.iter().map(|(condition, children)| {
            let lines = condition.iter().flat_map(|condition| wrapped(condition, CONDITION_COLUMNS, LINES_MAX));
            let lines: Vec<(String, Size)> = lines.map(|line| (line, Size::Small)).collect();
            let mut branch = if lines.is_empty() { Block::default() } else { Block::of(Form::Condition, None, lines) };
            branch.then(self.sequence(children));
            branch
        });
        let branches: Vec<Block> = branches.collect();
        let rail = head.height + DOWN / 2;
        let (mut all, axes, bottom) = beside(branches, (rail, rail + DOWN / 2), false, |all, axes| {
            let (first, last) = ends(axes);
            all.line(vec![(0, head.height), (0, rail)], false);
            all.line(vec![(first, rail), (last, rail)], false);
        });
        all.add(head, (0, 0));
        if !all.closed {
            let (first, last) = ends(&axes);
            // Where the flow goes on, however many ways of it fail.
            all.line(vec![(first.min(0), bottom), (last.max(0), bottom)], false);
            all.height = bottom;
        }
        all
    }
}

/// A way that the flow may take: what it takes it for, and what stands on it.
type Way<'p> = (Option<String>, &'p [NodeId]);

/// Blocks beside each other, around an axis in their middle, each on a line from where they part to its top; with the
/// axes of those whose flow goes on, which are drawn down to where they join, and where that is.
fn beside(
    blocks: Vec<Block>,
    (part, top): (i32, i32),
    arrow: bool,
    begin: impl Fn(&mut Block, &[i32]),
) -> (Block, Vec<i32>, i32) {
    let mut axes = Vec::with_capacity(blocks.len());
    let mut edge = 0;
    for block in &blocks {
        axes.push(edge + block.left);
        edge += block.left + block.right + BESIDE;
    }
    let (first, last) = ends(&axes);
    let middle = i32::midpoint(first, last);
    for axis in &mut axes {
        *axis -= middle;
    }
    let mut all = Block::default();
    begin(&mut all, &axes);
    let bottom = top + blocks.iter().map(|block| block.height).max().unwrap_or_default() + DOWN / 2;
    let mut open = Vec::new();
    for (block, axis) in blocks.into_iter().zip(&axes) {
        all.line(vec![(*axis, part), (*axis, top)], arrow);
        if !block.closed {
            all.line(vec![(*axis, top + block.height), (*axis, bottom)], false);
            open.push(*axis);
        }
        all.add(block, (*axis, top));
    }
    all.closed = open.is_empty();
    (all, open, bottom)
}

fn ends(axes: &[i32]) -> (i32, i32) {
    (axes.first().copied().unwrap_or_default(), axes.last().copied().unwrap_or_default())
}

/// A loop: from the end of its block, or from what decides about another round, a line leads back to its head.
fn looped(head: Block, block: Block, until: Option<(Block, (i32, i32))>) -> Block {
    /// Beside the block.
    const ASIDE: i32 = 20;
    /// How far the form of a loop reaches out of its box.
    const TIP: i32 = 8;
    let back = (head.left, head.height / 2);
    let mut all = head;
    all.then(block);
    if all.closed {
        return all;
    }
    let ((x, y), inside) = if let Some((ways, (left, height))) = until {
        let (inside, top) = (all.left, all.height + DOWN);
        all.then(ways);
        // The ways stand below: the line passes by the block alone.
        ((-left, top + height / 2), inside.max(left))
    } else {
        all.line(vec![(0, all.height), (0, all.height + DOWN / 2)], false);
        all.height += DOWN / 2;
        ((0, all.height), all.left)
    };
    let rail = -(inside + ASIDE);
    all.line(vec![(x, y), (rail, y), (rail, back.1), (-back.0 - TIP, back.1)], true);
    all.left = all.left.max(-rail);
    all
}

/// The block with the line behind it that nobody comes back over.
fn no_return(mut block: Block, whose: Option<&str>) -> Block {
    const HALF: i32 = 90;
    let words = match whose {
        Some(run) => format!("{run}: back only as a whole"),
        None => "no way back".to_owned(),
    };
    let words = wrapped(&words, BOX_COLUMNS, 1).into_iter().next().unwrap_or_default();
    let y = if block.height > 0 { block.height + 10 } else { 0 };
    if block.height > 0 {
        block.line(vec![(0, block.height), (0, y)], false);
    }
    let (at, size) = ((-HALF, y), (2 * HALF, 5));
    block.marks.push(Mark::Shape { form: Form::NoReturn, at, size, participant: None, lines: Vec::new() });
    block.marks.push(Mark::Note { at: (HALF + 8, y + 6), text: words.clone() });
    block.left = block.left.max(HALF);
    block.right = block.right.max(HALF + 8 + width(&words, Size::Small));
    block.height = y + 5;
    block
}

/// `participant.Command`, in two lines where it is long.
fn called(invocation: &Invocation) -> Vec<(String, Size)> {
    let (participant, command) = (&invocation.participant.name, &invocation.command.name);
    let whole = format!("{participant}.{command}");
    let lines = if whole.len() <= BOX_COLUMNS {
        vec![whole]
    } else {
        let parts = [format!("{participant}."), command.to_string()];
        parts.iter().flat_map(|part| wrapped(part, BOX_COLUMNS, LINES_MAX)).collect()
    };
    lines.into_iter().map(|line| (line, Size::Small)).collect()
}

//! What a saga does depends on data only by some of its expressions: which those are, and what they look at.
//!
//! A condition looks at what it compares; arithmetic looks at its operands wherever it stands, since it may overflow; a
//! payload that only passes values on looks at nothing. What a `let`, an element of a loop or the output of a sub-saga is
//! made of is looked at as far as they are.

use std::collections::{BTreeMap, BTreeSet};

use compact_str::{CompactString, format_compact};

use super::against::{Against, is_instant, is_text, mirrored};
use super::constants::Constants;
use crate::definition::Sleep;
use crate::definition::expression::{BinaryOp, Expr, Function, PathSegment, Read, Root, Typed};
use crate::definition::value::Value;
use crate::plan::{Kind, NodeId, Plan, ROOT, Work};

/// What is looked at of a value; of any that is looked at, also whether it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// The value itself.
    pub(super) itself: Option<Against>,
    /// Of a record.
    pub(super) fields: BTreeMap<CompactString, Look>,
    /// Of a list: how many there are, and of each this.
    pub(super) elements: Option<Box<Look>>,
    /// How many of a list make a difference, where that is asked.
    pub(super) sizes: BTreeSet<usize>,
    /// So many fill a loop, and one waits.
    pub(super) fill: BTreeSet<usize>,
    /// One of a list is looked at by its place, or the order of them.
    pub(super) is_by_place: bool,
}

impl Look {
    pub(super) fn itself(against: Against) -> Self {
        Self { itself: Some(against), ..Self::default() }
    }

    pub(super) fn and(&mut self, other: &Self) {
        if let Some(against) = &other.itself {
            self.itself.get_or_insert_default().and(against);
        }
        for (key, look) in &other.fields {
            self.fields.entry(key.clone()).or_default().and(look);
        }
        if let Some(elements) = &other.elements {
            self.elements.get_or_insert_default().and(elements);
        }
        self.sizes.extend(&other.sizes);
        self.fill.extend(&other.fill);
        self.is_by_place |= other.is_by_place;
    }

    /// This, of what stands at the end of a way.
    fn at(self, path: &[PathSegment]) -> Self {
        path.iter().rfold(self, |look, segment| match segment {
            PathSegment::Key(key) => Self { fields: [(key.clone(), look)].into(), ..Self::default() },
            PathSegment::Element(_) => Self { elements: Some(Box::new(look)), is_by_place: true, ..Self::default() },
        })
    }

    /// What is looked at of each element, if all of the list is.
    fn of_each(&self) -> Self {
        let mut each = self.elements.as_deref().cloned().unwrap_or_default();
        if let Some(against) = &self.itself {
            each.and(&Self::itself(against.clone()));
        }
        each
    }

    fn of_field(&self, key: &CompactString) -> Option<Self> {
        let whole = self.itself.clone().map(Self::itself);
        let own = self.fields.get(key).cloned();
        match (whole, own) {
            (Some(mut whole), Some(own)) => {
                whole.and(&own);
                Some(whole)
            }
            (whole, own) => whole.or(own),
        }
    }
}

/// What one or more expressions look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reads {
    pub(super) input: Option<Look>,
    /// By the name of a step, `let`, element or signal.
    pub(super) names: BTreeMap<CompactString, Look>,
    /// Those of them of which the round before is looked at.
    pub(super) previous: BTreeSet<CompactString>,
    pub(super) failure_code: bool,
    pub(super) failure_step: bool,
    pub(super) failure_message: bool,
}

impl Reads {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn and(&mut self, other: &Self) {
        if let Some(look) = &other.input {
            self.input.get_or_insert_default().and(look);
        }
        for (name, look) in &other.names {
            self.names.entry(name.clone()).or_default().and(look);
        }
        self.previous.extend(other.previous.iter().cloned());
        self.failure_code |= other.failure_code;
        self.failure_step |= other.failure_step;
        self.failure_message |= other.failure_message;
    }

    /// What is known of data that stands there.
    fn known(&self, read: &Read) -> Option<&Against> {
        let mut look = match &read.root {
            Root::Input => self.input.as_ref()?,
            Root::Name(name) | Root::Previous(name) => self.names.get(name)?,
            _ => return None,
        };
        for segment in &read.path {
            let inner = match segment {
                PathSegment::Key(key) => look.fields.get(key),
                PathSegment::Element(_) => look.elements.as_deref(),
            };
            let Some(inner) = inner else { break };
            look = inner;
        }
        look.itself.as_ref()
    }
}

/// Finds out what is looked at.
struct Gaze<'a> {
    found: Reads,
    /// What was found before, of all.
    known: &'a Reads,
    /// What the text says of what stands where this is looked for.
    constants: Constants<'a>,
}

impl Gaze<'_> {
    /// What is looked at in an expression of whose value this is; without it, the value is only passed on.
    fn look(&mut self, expr: &Expr, wanted: Option<&Look>) {
        let whole = || wanted.map(|look| Look::itself(look.itself.clone().unwrap_or(Against::COMPARED)));
        match expr {
            Expr::Literal(_) => {}
            Expr::Read(read) => {
                let Some(wanted) = wanted else { return };
                let look = wanted.clone().at(&read.path);
                match &read.root {
                    Root::Input => self.found.input.get_or_insert_default().and(&look),
                    Root::Name(name) => self.found.names.entry(name.clone()).or_default().and(&look),
                    Root::Previous(name) => {
                        self.found.names.entry(name.clone()).or_default().and(&look);
                        self.found.previous.insert(name.clone());
                    }
                    Root::FailureCode => self.found.failure_code = true,
                    Root::FailureStep => self.found.failure_step = true,
                    Root::FailureMessage => self.found.failure_message = true,
                    Root::SagaId | Root::SagaStarted | Root::Round | Root::Event => {}
                }
            }
            Expr::Every(list, path, _) => {
                let of_list = |look: &Look| Look {
                    elements: Some(Box::new(look.of_each().at(path))),
                    sizes: look.sizes.clone(),
                    fill: look.fill.clone(),
                    is_by_place: look.is_by_place || look.itself.is_some(),
                    ..Look::default()
                };
                self.look(list, wanted.map(of_list).as_ref());
            }
            Expr::Into(inner, segment, _) => {
                let of_inner = wanted.map(|look| look.clone().at(std::slice::from_ref(segment)));
                self.look(inner, of_inner.as_ref());
            }
            Expr::Index(operands, _) => {
                let of_list = whole().map(|look| Look { is_by_place: true, ..look });
                self.look(&operands.0, of_list.as_ref());
                self.look(&operands.1, whole().as_ref());
            }
            Expr::Not(inner) => self.look(inner, whole().as_ref()),
            Expr::ToDecimal(inner) => self.look(inner, wanted),
            Expr::Negate(inner) => {
                let of_result = against(wanted);
                self.look(inner, Some(&Look::itself(Against::negated(of_result))));
            }
            Expr::Binary(op, operands) => self.look_at_both(*op, operands, wanted),
            Expr::If(parts) => {
                self.look(&parts.0, Some(&Look::itself(Against::COMPARED)));
                self.look(&parts.1, wanted);
                self.look(&parts.2, wanted);
            }
            Expr::Call(function, arguments) => {
                let compared = || wanted.map(|look| look.itself.clone().unwrap_or(Against::COMPARED));
                let of_argument = match function {
                    Function::Count => wanted.map(|look| Look {
                        elements: Some(Box::default()),
                        sizes: look.itself.as_ref().map(Against::sizes).unwrap_or_default(),
                        ..Look::default()
                    }),
                    Function::Sum => {
                        let of_sum = against(wanted);
                        let each = Look::itself(Against::summed(of_sum));
                        Some(Look { elements: Some(Box::new(each)), ..Look::default() })
                    }
                    Function::Min | Function::Max | Function::Any | Function::All => {
                        compared().map(|each| Look { elements: Some(Box::new(Look::itself(each))), ..Look::default() })
                    }
                    Function::Present => wanted.map(|look| Look {
                        elements: Some(Box::new(look.of_each())),
                        sizes: look.sizes.clone(),
                        fill: look.fill.clone(),
                        is_by_place: look.is_by_place,
                        ..Look::default()
                    }),
                    Function::Contains => return self.look_at_parts(arguments, wanted),
                    Function::Length => compared().map(|of_length| Look::itself(of_length.of_length())),
                    Function::Text => compared().map(|of_text| Look::itself(of_text.written_out())),
                    Function::Id | Function::Rounded => whole(),
                };
                for argument in arguments {
                    self.look(argument, of_argument.as_ref());
                }
            }
            Expr::Object(fields) => {
                for (key, value) in fields {
                    self.look(value, wanted.and_then(|look| look.of_field(key)).as_ref());
                }
            }
            Expr::List(elements) => {
                let each = wanted.map(Look::of_each);
                for element in elements {
                    self.look(element, each.as_ref());
                }
            }
        }
    }

    fn look_at_both(&mut self, op: BinaryOp, operands: &(Expr, Expr), wanted: Option<&Look>) {
        let (left, right) = operands;
        let of_both = match op {
            BinaryOp::And | BinaryOp::Or => wanted.map(|_| Look::itself(Against::COMPARED)),
            BinaryOp::Coalesce => wanted.cloned(),
            BinaryOp::Equal | BinaryOp::NotEqual
                if matches!(left, Expr::Literal(Value::Null)) || matches!(right, Expr::Literal(Value::Null)) =>
            {
                wanted.map(|_| Look::default())
            }
            BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::LessEqual
            | BinaryOp::GreaterEqual
            | BinaryOp::Less
            | BinaryOp::Greater => {
                let mut each = |own: &Expr, op, other| {
                    let mut against = self.with_constants(other, |other| Against::compared(op, other));
                    self.link(&mut against, other);
                    // One of several values is also compared with what stands beside it.
                    if matches!(own, Expr::Binary(BinaryOp::Coalesce, _) | Expr::If(_)) {
                        against.and(&Against::constants(own));
                    }
                    let look = wanted.map(|_| Look { is_by_place: true, ..Look::itself(against) });
                    self.look(own, look.as_ref());
                };
                each(left, op, right);
                return each(right, mirrored(op), left);
            }
            BinaryOp::Add if is_text(left) || is_text(right) => wanted.cloned(),
            // What lies between two instants is never too long.
            BinaryOp::Subtract if is_instant(left) && is_instant(right) => {
                wanted.map(|look| Look::itself(look.itself.as_ref().map_or(Against::COMPARED, Against::apart)))
            }
            BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide => {
                let of_result = against(wanted);
                let mut each = |own: &Expr, other: &Expr, is_left: bool| {
                    let against = self.with_constants(other, |other| Against::computed(op, of_result, other, is_left));
                    self.look(own, Some(&Look::itself(against)));
                };
                each(left, right, true);
                return each(right, left, false);
            }
        };
        self.look(left, of_both.as_ref());
        self.look(right, of_both.as_ref());
    }

    /// `contains(list, x)` and `contains(text, part)`: each is compared with the constants in the other.
    fn look_at_parts(&mut self, arguments: &[Expr], wanted: Option<&Look>) {
        let (Some([whole, part]), Some(_)) = (arguments.first_chunk(), wanted) else { return };
        let mut of = |own: &Expr, other: &Expr, has_parts: bool| {
            let mut against = self.with_constants(other, Against::constants);
            self.link(&mut against, other);
            self.look(own, Some(&Look::itself(if has_parts { against.with_parts() } else { against })));
        };
        of(whole, part, true);
        of(part, whole, false);
    }

    /// What is made of an expression, and of each constant that it stands for.
    fn with_constants(&self, other: &Expr, made: impl Fn(&Expr) -> Against) -> Against {
        let mut against = made(other);
        for constant in self.constants.of(other).unwrap_or_default() {
            against.and(&made(&Expr::Literal(constant)));
        }
        against
    }

    /// Compared with all data in an expression, too. Of words that nobody knows before they are there nothing is tried.
    fn link(&self, against: &mut Against, other: &Expr) {
        let is_named = self.constants.of(other).is_some();
        other.walk(&mut |expr: &Expr| match expr {
            Expr::Call(Function::Id, _) => against.cut(),
            Expr::Read(Read { root: Root::FailureStep, .. }) if !is_named => against.cut(),
            Expr::Read(read) => {
                let name = format_compact!("{}{:?}", read.root, read.path);
                against.link(name, self.known.known(read));
            }
            _ => {}
        });
    }
}

/// What a value that is looked at is compared with.
fn against(wanted: Option<&Look>) -> Option<&Against> {
    wanted.and_then(|look| look.itself.as_ref())
}

/// When an expression is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Once, when the flow comes to the node.
    Entered,
    /// Whenever a signal comes for which the node waits, until it has one.
    Awaiting,
    /// Behind each round.
    Round,
    /// When all in the node has ended.
    Left,
    /// Before each attempt.
    Attempts,
    /// Before each attempt of the compensation.
    Back,
}

/// Expressions of a node that look at something.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    pub(super) node: NodeId,
    pub(super) when: When,
    pub(super) reads: Reads,
}

/// What a saga's expressions look at.
#[derive(Clone, Debug, Default)]
pub(super) struct Looked {
    pub(super) all: Reads,
    pub(super) readers: Vec<Reader>,
    /// Whether the expressions look deeper into each other than is followed.
    pub(super) was_cut: bool,
}

/// How often what is looked at is carried on from a name to what that is made of. Each name that stands for another needs
/// one more; only a round that looks ever deeper into the one before it needs more than there are names in a saga.
const CARRIED_MAX: usize = 64;

/// A loop of which so many elements may be under way at once is filled: with each more there are as many times more states as an
/// element has.
const FULL_MAX: usize = 3;

impl Looked {
    pub(super) fn at(plan: &Plan) -> Self {
        let mut looked = Self::default();
        for _ in 0..CARRIED_MAX {
            let mut all = Reads::default();
            looked.readers.clear();
            for (id, _) in plan.nodes() {
                for (when, reads) in reads_of(plan, id, &looked.all) {
                    all.and(&reads);
                    if !reads.is_empty() {
                        looked.readers.push(Reader { node: id, when, reads });
                    }
                }
            }
            if all == looked.all {
                return looked;
            }
            looked.all = all;
        }
        looked.was_cut = true;
        looked
    }

    pub(super) fn name(&self, name: &str) -> Option<&Look> {
        self.all.names.get(name)
    }

    /// What is looked at of what one run of a node gives.
    pub(super) fn of_one(&self, plan: &Plan, id: NodeId) -> Option<Look> {
        of_one(plan, id, &self.all)
    }
}

fn reads_of(plan: &Plan, id: NodeId, all: &Reads) -> Vec<(When, Reads)> {
    let node = plan.node(id);
    let itself = || Some(Look::itself(Against::COMPARED));
    let of = |wanted: Option<Look>, expressions: &[&Typed]| {
        let mut gaze = Gaze { found: Reads::default(), known: all, constants: Constants { plan, node: id } };
        for typed in expressions {
            gaze.look(&typed.expr, wanted.as_ref());
        }
        gaze.found
    };
    match &node.kind {
        Kind::Choice { arms, .. } => {
            let conditions: Vec<&Typed> = arms.iter().map(|(condition, _)| condition).collect();
            vec![(When::Entered, of(itself(), &conditions))]
        }
        Kind::Await(wait, _) => {
            let filter: Vec<&Typed> = wait.filter.iter().collect();
            vec![(When::Awaiting, of(itself(), &filter)), (When::Entered, of(None, &[&wait.within]))]
        }
        Kind::Each(each) => {
            let name = &plan.node(each.element).place;
            let element = all.names.get(name).cloned().unwrap_or_default();
            // One after the other, it matters which comes first.
            let is_by_place = each.window == 1 && element != Look::default();
            let window = usize::from(each.window);
            let fill = (2..=FULL_MAX).contains(&window).then_some(window + 1).into_iter().collect();
            let list = Look { elements: Some(Box::new(element)), fill, is_by_place, ..Look::default() };
            let filter: Vec<&Typed> = each.filter.iter().collect();
            let mut reads = of(itself(), &filter);
            reads.and(&of(Some(list), &[&each.list]));
            vec![(When::Entered, reads)]
        }
        Kind::Repeat(repeat) => vec![(When::Round, of(itself(), &[&repeat.until]))],
        Kind::Step(work) => of_work(plan, (id, work), all),
        Kind::Run(run) => {
            let mut all_reads = of_work(plan, (id, &run.work), all);
            all_reads.push((When::Left, of(of_one(plan, id, all), &[&run.output])));
            all_reads
        }
        Kind::Let(value) => vec![(When::Entered, of(of_one(plan, id, all), &[value]))],
        Kind::Sleep(Sleep::For(time) | Sleep::Until(time)) => vec![(When::Entered, of(None, &[time]))],
        Kind::Try(trial) => vec![(When::Entered, of(None, &trial.within.iter().collect::<Vec<_>>()))],
        Kind::Scope(_) if id == ROOT => {
            vec![(When::Left, of(None, &plan.saga.output.iter().collect::<Vec<_>>()))]
        }
        Kind::Scope(_) | Kind::Sequence(_) | Kind::Parallel(_) | Kind::Pivot | Kind::Fail { .. } => Vec::new(),
    }
}

/// What is looked at of the value that a node gives, of whichever loops it stands in: below them it is a list.
fn of_one(plan: &Plan, id: NodeId, all: &Reads) -> Option<Look> {
    let node = plan.node(id);
    let look = all.names.get(&node.place)?;
    let (mut one, mut below) = (look.clone(), look.clone());
    let lists = node.loops.iter().filter(|around| matches!(plan.node(around.node).kind, Kind::Each(_))).count();
    for _ in 0..lists {
        below = below.of_each();
        one.and(&below);
    }
    Some(one)
}

fn of_work(plan: &Plan, (id, work): (NodeId, &Work), all: &Reads) -> Vec<(When, Reads)> {
    let called = |invocation: Option<&crate::definition::Invocation>| {
        let mut gaze = Gaze { found: Reads::default(), known: all, constants: Constants { plan, node: id } };
        if let Some(invocation) = invocation {
            gaze.look(&invocation.payload.expr, None);
            invocation.timing.within.iter().for_each(|within| gaze.look(&within.expr, None));
        }
        gaze.found
    };
    vec![(When::Attempts, called(work.action())), (When::Back, called(work.compensation()))]
}

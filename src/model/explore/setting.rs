//! What does not change during an exploration.

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;
use serde_json::value::RawValue;

use super::ahead::Readers;
use super::alike;
use super::data::Data;
use super::lengths;
use super::outlasted::Outlasted;
use super::reads::{Look, Looked, Reader};
use super::twins::Twins;
use super::{Bounds, Cut, Decides, Happening, Property, Without};
use crate::json::Json;
use crate::plan::{At, Class, Kind, NodeId, Plan, ROOT, Undo, Work};

pub(super) struct Setting<'p> {
    pub(super) plan: &'p Plan,
    pub(super) engine: &'p dyn Decides,
    pub(super) guard: bool,
    pub(super) reduces: bool,
    without: Option<Without>,
    pub(super) inputs: Vec<Json>,
    /// Of each input the fields at which somebody looks.
    pub(super) input_fields: Vec<Vec<InputField>>,
    /// The values of each step's reply, by node.
    values: BTreeMap<NodeId, Vec<Json>>,
    /// Each signal as it is declared, and what it can carry.
    pub(super) signals: Vec<(CompactString, Vec<Json>)>,
    /// How many signals of one name wait to be taken.
    pub(super) signals_max: usize,
    pub(super) looked: Looked,
    /// Who looks at the value of a node, by node.
    readers: Vec<Option<Readers>>,
    /// Who waits for a signal as it is declared, in any element.
    pub(super) waits: BTreeMap<CompactString, Vec<NodeId>>,
    pub(super) twins: Twins,
    /// Nodes of which a promise asks what the participant remembers of a settled step.
    asked_of_row: Vec<bool>,
    /// The lists that are made, with the numbers of elements that are tried.
    pub(super) lists: BTreeMap<CompactString, BTreeSet<usize>>,
    /// Loops and choices in which more may be done than is found.
    open: Vec<bool>,
    pub(super) outlasted: Outlasted,
    /// Steps of the saga's own flow that nothing takes back, and nothing around is asked whether they have begun.
    without_way_back: Vec<bool>,
}

/// A field of an input at which somebody looks.
pub(super) struct InputField {
    /// Of its name and value.
    pub(super) hash: u64,
    /// Who looks at it, by their numbers.
    pub(super) readers: Vec<usize>,
}

fn input_fields(input: &Json, looked: &Looked) -> Vec<InputField> {
    let fields: Option<BTreeMap<CompactString, Box<RawValue>>> = serde_json::from_str(input.get()).ok();
    let of_field = |(key, value): (CompactString, Box<RawValue>)| {
        let looks = |reader: &Reader| {
            let look = reader.reads.input.as_ref();
            look.is_some_and(|look| look.itself.is_some() || look.fields.contains_key(&key))
        };
        let readers = looked.readers.iter().enumerate().filter(|(_, reader)| looks(reader));
        let readers: Vec<usize> = readers.map(|(number, _)| number).collect();
        (!readers.is_empty()).then(|| InputField { hash: alike::hash((&key, value.get())), readers })
    };
    fields.unwrap_or_default().into_iter().filter_map(of_field).collect()
}

impl<'p> Setting<'p> {
    pub(super) fn new(plan: &'p Plan, engine: &'p dyn Decides, bounds: Bounds) -> (Self, BTreeSet<Cut>) {
        let looked = Looked::at(plan);
        let mut of_inputs = Data::up_to(bounds.inputs, Cut::Inputs);
        let mut data = Data::up_to(bounds.replies, Cut::Replies);
        let inputs = of_inputs.payloads(&plan.saga.input, looked.all.input.as_ref(), "input");
        let mut values = BTreeMap::new();
        let (mut by_signal, mut waits): (BTreeMap<_, Look>, BTreeMap<_, Vec<NodeId>>) = Default::default();
        for (id, node) in plan.nodes() {
            if let Some(action) = plan.work(id).and_then(|work| work.action()) {
                values.insert(id, data.payloads(&action.command.reply, looked.of_one(plan, id).as_ref(), &node.place));
            }
            if let Kind::Await(wait, _) = &node.kind {
                waits.entry(wait.signal.name.clone()).or_default().push(id);
                // What is awaited is known by the name of its node.
                if let Some(look) = looked.of_one(plan, id) {
                    by_signal.entry(wait.signal.name.clone()).or_default().and(&look);
                }
            }
        }
        let signals = plan.saga.signals.values().map(|signal| {
            let values = data.payloads(&signal.shape, by_signal.get(&signal.name), &signal.name);
            (signal.name.clone(), values)
        });
        let signals = signals.collect();
        let readers = plan.nodes().map(|(_, node)| {
            let is_looked_at = looked.name(&node.place).is_some();
            is_looked_at.then(|| Readers::of(&node.place, &looked.readers))
        });
        let readers = readers.collect();
        let input_fields = inputs.iter().map(|input| input_fields(input, &looked)).collect();
        let twins = if bounds.reduces { Twins::of(plan, &looked) } else { Twins::default() };
        let mut cut = of_inputs.cut;
        cut.append(&mut data.cut);
        cut.extend(looked.was_cut.then_some(Cut::Payloads(None)));
        cut.extend(looked.all.failure_message.then_some(Cut::Message));
        let Bounds { guard, reduces, without, signals: signals_max, .. } = bounds;
        let mut lists = of_inputs.lists;
        lists.append(&mut data.lists);
        let setting = Self {
            plan,
            engine,
            guard,
            reduces,
            without,
            inputs,
            input_fields,
            values,
            signals,
            signals_max,
            looked,
            readers,
            waits,
            twins,
            lists,
            open: lengths::open(plan),
            outlasted: Outlasted::of(plan),
            asked_of_row: plan.nodes().map(|(id, _)| is_asked_of_row(plan, id)).collect(),
            without_way_back: plan.nodes().map(|(id, _)| is_without_way_back(plan, id)).collect(),
        };
        (setting, cut)
    }

    pub(super) fn looks_at(&self, property: Property) -> bool {
        self.without != Some(Without::Promise(property))
    }

    pub(super) fn happens(&self, happening: Happening) -> bool {
        self.without != Some(Without::Happening(happening))
    }

    /// Whether a promise asks what the participant remembers of a settled step.
    pub(super) fn is_asked_of_row(&self, at: At) -> bool {
        self.asked_of_row.get(at.node().0 as usize).is_some_and(|is_asked| *is_asked)
    }

    /// Whether it is a loop or a choice in which more may be done than is found.
    pub(super) fn is_open(&self, node: NodeId) -> bool {
        self.open.get(node.0 as usize).is_some_and(|is_open| *is_open)
    }

    /// Whether nothing takes a step of the saga's own flow back, and nothing around it is asked whether it has begun.
    pub(super) fn is_without_way_back(&self, at: At) -> bool {
        self.without_way_back.get(at.node().0 as usize).is_some_and(|is_without| *is_without)
    }

    /// Who looks at the value of what stands there.
    pub(super) fn readers(&self, at: At) -> Option<&Readers> {
        self.readers.get(at.node().0 as usize)?.as_ref()
    }

    /// Each step that is called, and what it replies.
    pub(super) fn replies(&self) -> impl Iterator<Item = (&CompactString, &[Json])> {
        self.values.iter().map(|(id, values)| (&self.plan.node(*id).place, values.as_slice()))
    }

    /// How many values the step's reply has.
    pub(super) fn values(&self, at: At) -> u8 {
        self.values.get(&at.node()).map_or(0, |values| u8::try_from(values.len()).unwrap_or(u8::MAX))
    }

    pub(super) fn value(&self, at: At, number: u8) -> Option<Json> {
        self.values.get(&at.node())?.get(usize::from(number)).cloned()
    }

    /// Whether something does not fit the step's reply.
    pub(super) fn has_unfit(&self, at: At) -> bool {
        self.values.contains_key(&at.node())
    }
}

fn is_asked_of_row(plan: &Plan, node: NodeId) -> bool {
    let of = |work: &Work| {
        work.class == Class::Pivot || (work.class == Class::Compensatable && work.undo == Some(Undo::OfCommand))
    };
    plan.work(node).is_some_and(of)
}

fn is_without_way_back(plan: &Plan, node: NodeId) -> bool {
    let node = plan.node(node);
    let Kind::Step(work) = &node.kind else { return false };
    let mut around = std::iter::successors(node.parent, |node| plan.node(*node).parent);
    let is_plain = around.all(|node| !matches!(plan.node(node).kind, Kind::Try(_) | Kind::Repeat(_)));
    is_plain && node.flow == ROOT && work.class == Class::Compensatable && !work.has_compensation()
}

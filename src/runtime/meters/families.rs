//! The metrics that have labels, by their names and words, and those of one definition.

use std::collections::HashMap;

use compact_str::CompactString;
use foldhash::fast::RandomState;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::engine::Direction;
use crate::plan::Plan;

/// From what a fast participant takes to an hour.
const SECONDS: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3_600.0];

pub(super) fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct OfSaga {
    pub(super) saga: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct OfOutcome {
    pub(super) saga: String,
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct OfStep {
    pub(super) saga: String,
    pub(super) step: String,
    pub(super) work: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct InState {
    pub(super) state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct OfInputs {
    pub(super) topic: &'static str,
    pub(super) partition: u32,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct OfTopic {
    pub(super) topic: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
pub(super) struct OfCommands {
    pub(super) participant: String,
    pub(super) topic: String,
}

/// The kinds of metrics that have labels.
#[derive(Debug)]
pub(super) struct Families {
    pub(super) started: Family<OfSaga, Counter>,
    pub(super) ended: Family<OfOutcome, Counter>,
    pub(super) took: Family<OfOutcome, Histogram, fn() -> Histogram>,
    pub(super) calls: Family<OfStep, Counter>,
    pub(super) retries: Family<OfStep, Counter>,
    pub(super) stuck: Family<OfStep, Counter>,
    pub(super) unfit: Family<OfStep, Counter>,
    pub(super) step_took: Family<OfStep, Histogram, fn() -> Histogram>,
    pub(super) instances: Family<InState, Gauge>,
    pub(super) partitions: Family<InState, Gauge>,
    pub(super) lag: Family<OfInputs, Gauge>,
    pub(super) dead: Family<OfTopic, Counter>,
    pub(super) unread: Family<OfCommands, Gauge>,
}

/// Those of one definition, looked up once.
#[derive(Debug)]
pub(super) struct OfPlan {
    pub(super) saga: String,
    pub(super) started: Counter,
    pub(super) ended: [(Counter, Histogram); 2],
    /// By place: of its action, of its compensation.
    pub(super) steps: HashMap<CompactString, [Option<StepMeters>; 2], RandomState>,
}

#[derive(Debug)]
pub(super) struct StepMeters {
    pub(super) calls: Counter,
    pub(super) retries: Counter,
    pub(super) stuck: Counter,
    pub(super) unfit: Counter,
    pub(super) took: Histogram,
}

impl Families {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let families = Self {
            started: Family::default(),
            ended: Family::default(),
            took: Family::new_with_constructor(seconds),
            calls: Family::default(),
            retries: Family::default(),
            stuck: Family::default(),
            unfit: Family::default(),
            step_took: Family::new_with_constructor(seconds),
            instances: Family::default(),
            partitions: Family::default(),
            lag: Family::default(),
            dead: Family::default(),
            unread: Family::default(),
        };
        registry.register("started", "Instances that began", families.started.clone());
        registry.register("ended", "Instances that ended, by how", families.ended.clone());
        let took = "What instances took from their start to their end";
        registry.register_with_unit("duration", took, Unit::Seconds, families.took.clone());
        registry.register("calls", "Attempts of steps and compensations that went out", families.calls.clone());
        registry.register("retries", "Attempts behind the first", families.retries.clone());
        registry.register("stuck", "Times that a step began to wait for a person", families.stuck.clone());
        registry.register("unfit_replies", "Replies that did not fit their contract", families.unfit.clone());
        let step = "What steps took from their first attempt to their outcome";
        registry.register_with_unit("step", step, Unit::Seconds, families.step_took.clone());
        registry.register("instances", "Live instances of the partitions that run here", families.instances.clone());
        registry.register("partitions", "Partitions of this process, by how they are", families.partitions.clone());
        let lag = "Inputs of a partition that are in the log and not decided";
        registry.register("lag_records", lag, families.lag.clone());
        registry.register("dead", "Inputs that were set aside in saga.dead", families.dead.clone());
        let unread = "Whether nobody reads a participant's topic of commands";
        registry.register("commands_unread", unread, families.unread.clone());
        for topic in ["requests", "replies"] {
            let _from_the_beginning = families.dead.get_or_create(&OfTopic { topic });
        }
        families
    }

    pub(super) fn of_plan(&self, plan: &Plan) -> OfPlan {
        let saga = plan.saga.name.to_string();
        let ended = ["completed", "compensated"].map(|outcome| {
            let labels = OfOutcome { saga: saga.clone(), outcome };
            (self.ended.get_or_create_owned(&labels), self.took.get_or_create_owned(&labels))
        });
        let of_step = |place: &CompactString, work: Direction| {
            let labels = OfStep { saga: saga.clone(), step: place.to_string(), work: work.name() };
            StepMeters {
                calls: self.calls.get_or_create_owned(&labels),
                retries: self.retries.get_or_create_owned(&labels),
                stuck: self.stuck.get_or_create_owned(&labels),
                unfit: self.unfit.get_or_create_owned(&labels),
                took: self.step_took.get_or_create_owned(&labels),
            }
        };
        let steps = plan.nodes().filter_map(|(node, at)| {
            let work = plan.work(node)?;
            let action = work.action().map(|_| of_step(&at.place, Direction::Do));
            let compensation = work.compensation().map(|_| of_step(&at.place, Direction::Undo));
            Some((at.place.clone(), [action, compensation]))
        });
        OfPlan {
            started: self.started.get_or_create_owned(&OfSaga { saga: saga.clone() }),
            ended,
            steps: steps.collect(),
            saga: saga.clone(),
        }
    }
}

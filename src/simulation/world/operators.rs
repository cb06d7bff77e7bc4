//! Operators: they say what became of a step, order it to be tried again, cancel; what is stuck and what is not, twice, late,
//! and against each other.

use super::World;
use crate::engine::{Direction, InstanceId, Order, Outcome, Place, State};
use crate::json::Json;
use crate::log::simulated::Random;
use crate::log::{REQUESTS, partition_of};
use crate::plan::At;
use crate::simulation::requests::ordered;
use crate::simulation::troubles::{Trouble, Wanted};
use crate::simulation::values;
use crate::time::Timestamp;
use crate::wire::Message;

/// How many steps of an instance an operator has to choose from at most.
const LOOKED_AT: usize = 20;

/// People who order.
pub(super) struct Operators {
    /// What makes them, in every fifth world; with dice of their own, so that the other worlds are as they would be without.
    random: Option<Random>,
    /// Orders that are on their way for long, or are given again.
    late: Vec<Message>,
    orders: u32,
}

impl Operators {
    pub(super) fn new(seed: u64, wanted: &Wanted) -> Self {
        let random = (seed % 5 == 1 && wanted.has(Trouble::Operator)).then(|| Random::new(!seed));
        Self { random, late: Vec::new(), orders: 0 }
    }
}

/// Work of which something can be said.
struct Seen {
    step: Place,
    work: Direction,
    /// The codes that its contract declares, and a reply that fits.
    codes: Vec<compact_str::CompactString>,
    reply: Json,
}

impl World {
    /// An operator gives an order, or two give two at once.
    pub(super) fn operate(&mut self) {
        let Some(mut random) = self.operators.random.take() else { return };
        if random.below(12) == 0 && self.log.full().is_none() {
            let id = self.ids[random.below(self.ids.len())].clone();
            let some = self.can_be_resolved(&id, &mut random);
            let meant = some.get(random.below(some.len()));
            for _ in 0..=random.below(2) {
                self.operators.orders += 1;
                let order = order(meant, &mut random);
                let message = ordered(id.as_str(), order, &format!("operator-{}", self.operators.orders));
                match random.below(5) {
                    0 => self.operators.late.push(message),
                    1 => {
                        self.operators.late.push(message.clone());
                        self.give(message);
                    }
                    _ => self.give(message),
                }
            }
            if random.below(3) == 0 && !self.operators.late.is_empty() {
                let index = random.below(self.operators.late.len());
                let message = self.operators.late.swap_remove(index);
                self.give(message);
            }
        }
        self.operators.random = Some(random);
    }

    fn give(&mut self, message: Message) {
        let to = partition_of(&message.key, self.partitions);
        self.log.put(REQUESTS, Some(to), message.into());
    }

    /// What an operator sees of an instance: all that is being done or taken back, stuck or not.
    fn can_be_resolved(&self, id: &InstanceId, random: &mut Random) -> Vec<Seen> {
        let now = Timestamp(super::BEGIN + self.now);
        let Some(live) = self.judges.iter().find_map(|judge| judge.truth().live(id)) else { return Vec::new() };
        let seen = |(at, state): (At, &State)| {
            let (work, _) = state.attempt()?;
            let invocation = crate::engine::invocation(live.plan.work(at.node())?, work)?;
            let codes = invocation.command.fails.clone();
            Some(Seen {
                step: live.plan.place(at),
                work,
                codes,
                reply: values::any(&invocation.command.reply, now, random),
            })
        };
        live.instance.states().filter_map(seen).take(LOOKED_AT).collect()
    }
}

/// Mostly about what is seen; now and then about what is not there, or what cannot be.
fn order(meant: Option<&Seen>, random: &mut Random) -> Order {
    let step = meant.map_or_else(|| Place::const_new("nowhere"), |seen| seen.step.clone());
    let is_one = random.chance(50);
    match random.below(12) {
        0 => Order::Cancel,
        1..4 => Order::Retry { step: is_one.then_some(step) },
        roll => {
            let work = meant.map_or(Direction::Do, |seen| seen.work);
            let other = if work == Direction::Do { Direction::Undo } else { Direction::Do };
            let work = if roll == 4 { other } else { work };
            let codes = meant.map(|seen| seen.codes.as_slice()).unwrap_or_default();
            let outcome = match codes.get(random.below(codes.len())) {
                Some(code) if work == Direction::Do && is_one => Outcome::Failed { code: code.clone() },
                _ if roll == 5 => Outcome::Failed { code: "nobody-knows".into() },
                _ if roll == 6 => Outcome::Succeeded { reply: Json::parse("[]").ok() },
                _ => {
                    Outcome::Succeeded { reply: meant.filter(|_| work == Direction::Do).map(|seen| seen.reply.clone()) }
                }
            };
            Order::Resolve { step, work, outcome }
        }
    }
}

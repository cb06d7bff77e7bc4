//! The end of a world: what has become of the work.

use std::collections::BTreeMap;

use saga::engine::{CommandId, InstanceId};
use saga::journal::record::Cause;
use saga::log::simulated::Shelf;
use saga::time::Timestamp;
use saga::wire::{self, Ask};

use super::super::participants::Work;
use super::super::saga::NAME;
use super::{Holds, Judge, violated};

/// How an instance's life ended, by the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Completed,
    Compensated,
}

impl Judge {
    /// At the end of the world.
    pub(crate) fn end(&self, requests: &Shelf, replies: &Shelf, work: &BTreeMap<CommandId, Work>) -> Holds {
        for cause in &self.passed_over {
            let (topic, at) = match cause {
                Cause::Request(at) => (requests, at),
                Cause::Reply(at) => (replies, at),
                Cause::Timer(_) | Cause::Turn | Cause::Undeliverable(_) | Cause::Acknowledged(_) | Cause::Parked => {
                    continue;
                }
            };
            let stored = &topic.records[usize::try_from(*at).unwrap()];
            let id = InstanceId::try_from(&*stored.message.key).unwrap();
            // Another life, or forgotten: then `read` is beyond it.
            let lives = self.begun.iter().filter(|(begun, _)| *begun == id).count();
            let known = self.truth.live(&id).is_some() || self.truth.past(&id).is_some();
            // A repeated order is refused once its instance has ended: it is not followed for all that.
            let is_order = matches!(cause, Cause::Request(_))
                && wire::read_request(&stored.message).is_ok_and(|request| matches!(request.ask, Ask::Order { .. }));
            if is_order && self.truth.live(&id).is_none() {
                continue;
            }
            if lives == 1 && known && self.ignorable(stored, *cause, Timestamp(0)) == Some(false) {
                return violated("nothing is stable", format!("{cause:?}"));
            }
        }
        for ((instance, run), ending) in &self.endings {
            let plan = self.plans.current(NAME).unwrap();
            for step in plan.nodes().filter(|(id, _)| plan.work(*id).is_some()).map(|(_, node)| &node.place) {
                let of = |id: &&CommandId| id.instance == *instance && id.run == *run && id.place == *step;
                let total = work.iter().filter(|(id, _)| of(id)).fold(Work::default(), |sum, (_, work)| Work {
                    done: sum.done + work.done,
                    undone: sum.undone + work.undone,
                });
                if total.done > 1 {
                    return violated(
                        "a guarded step runs at most once a run",
                        format!("{instance} {run:?} {step} {total:?}"),
                    );
                }
                let in_effect = i64::from(total.done) - i64::from(total.undone);
                match ending {
                    Ending::Completed if in_effect != 1 => {
                        return violated(
                            "completed = every step in effect once",
                            format!("{instance} {run:?} {step} {total:?}"),
                        );
                    }
                    Ending::Compensated if in_effect != 0 => {
                        return violated(
                            "compensated = none, for ever",
                            format!("{instance} {run:?} {step} {total:?}"),
                        );
                    }
                    Ending::Completed | Ending::Compensated => {}
                }
            }
        }
        Ok(())
    }
}

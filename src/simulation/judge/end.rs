//! The end of a world: what has become of the work.

use std::collections::{BTreeMap, BTreeSet};

use super::counting::at;
use super::inputs::whose;
use super::{Holds, Judge, Violation, broken, violated};
use crate::engine::{CommandId, Direction, InstanceId, Phase, Place, Run, State, command_id};
use crate::journal::Live;
use crate::journal::record::{Cause, Past};
use crate::log::simulated::Shelf;
use crate::plan::{At, Plan, ROOT, Undo};
use crate::simulation::worker::Work;
use crate::time::Timestamp;
use crate::wire::{Ask, CloudEvent, read_request};

/// How an instance's life ended, by the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Completed,
    Compensated,
}

impl Kind {
    const fn promise(self) -> &'static str {
        match self {
            Self::Completed => "completed = what the journal says is in effect, and nothing else",
            Self::Compensated => "compensated = none, for ever",
        }
    }
}

/// What must be of a work where its instance has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owed {
    /// It is in effect.
    Stands,
    /// It is not.
    Gone,
    /// Nobody knows, and nothing takes it back.
    Either,
}

/// An instance's end.
#[derive(Debug)]
pub(super) struct Ending {
    kind: Kind,
    /// The code with which it was compensated.
    pub(super) code: Option<String>,
    /// What became of each work by its last state. Of a work that is not in here nothing may be.
    works: BTreeMap<CommandId, Owed>,
}

impl Ending {
    /// As its last record left it.
    pub(super) fn of(
        live: &Live,
        said: &BTreeSet<(InstanceId, Run, Place, Direction)>,
    ) -> Result<((InstanceId, Run), Self), Violation> {
        let Live { instance, plan, .. } = live;
        let (kind, code) = match &instance.phase {
            Phase::Completed(_) => (Kind::Completed, None),
            Phase::Compensated(failure) => (Kind::Compensated, Some(failure.code.to_string())),
            other => return Err(broken(format_args!("{} is over in {other:?}", instance.id))),
        };
        let is_said =
            |place: &Place, work: Direction| said.contains(&(instance.id.clone(), instance.run, place.clone(), work));
        // Steps that a person took back without the saga that takes them back.
        let by_hand: Vec<At> = instance
            .states()
            .filter(|(at, _)| plan.work(at.node()).is_some_and(|work| work.back.is_some()))
            .filter(|(at, _)| is_said(&plan.place(*at), Direction::Undo))
            .map(|(at, _)| at)
            .collect();
        let mut works = BTreeMap::new();
        for (at, state) in instance.states() {
            let Some(work) = plan.work(at.node()) else { continue };
            let place = plan.place(at);
            let (forward, own) = match state {
                State::Done(_) => (Owed::Stands, Owed::Gone),
                State::Undone => (Owed::Gone, Owed::Stands),
                State::Unknown => (Owed::Either, Owed::Gone),
                _ => (Owed::Gone, Owed::Gone),
            };
            // Of what is taken back as a whole, the step that runs it knows.
            // And what took a step back is done, and stays.
            let is_left = work.has_compensation() && matches!(state, State::Done(_) | State::Unknown);
            let is_left = is_left && plan.node(at.node()).flow == ROOT;
            if kind == Kind::Compensated && is_left && !plan.around(at.node()).any(|run| plan.has_own_pivot(run)) {
                violated(kind.promise(), format!("{} {place} is {state:?}", instance.id))?;
            }
            // What a person says counts, whatever the participant has done. Of what was said to be done and is taken back by the
            // participant nothing is left all the same.
            let undone_by_hand = is_said(&place, Direction::Undo);
            let is_open =
                by_hand.iter().any(|step| is_of_way_back(plan, at, *step)) && !matches!(state, State::Done(_));
            let by_person = undone_by_hand || is_open || is_said(&place, Direction::Do) && *state != State::Undone;
            if work.action().is_some() {
                // A compensation that is a work of its own, or a saga, leaves the first work where it is.
                let is_apart = work.undo == Some(Undo::OfItsOwn) || work.back.is_some();
                let stays = is_apart && *state == State::Undone;
                let owed = if stays || by_person { Owed::Either } else { forward };
                works.insert(command_id(instance, work, &place, Direction::Do), owed);
            }
            if work.undo == Some(Undo::OfItsOwn) {
                let owed = if undone_by_hand || is_open { Owed::Either } else { own };
                works.insert(command_id(instance, work, &place, Direction::Undo), owed);
            }
        }
        Ok(((instance.id.clone(), instance.run), Self { kind, code, works }))
    }
}

/// Whether it belongs to the saga that takes this very step back.
fn is_of_way_back(plan: &Plan, at: At, step: At) -> bool {
    let back = plan.work(step.node()).and_then(|work| work.back);
    back == Some(plan.node(at.node()).flow) && plan.beside(at, step.node()) == step
}

impl Judge {
    /// At the end of the world.
    pub(in crate::simulation) fn end(
        &self,
        requests: &Shelf,
        replies: &Shelf,
        work: &BTreeMap<CommandId, Work>,
    ) -> Holds {
        for cause in &self.passed_over {
            let (topic, offset) = match cause {
                Cause::Request(offset) => (requests, offset),
                Cause::Reply(offset) => (replies, offset),
                Cause::Timer(_) | Cause::Turn | Cause::Undeliverable(_) | Cause::Acknowledged(_) | Cause::Parked => {
                    continue;
                }
            };
            let stored = at(topic, *offset).ok_or_else(|| broken(format_args!("{cause:?}")))?;
            // Nobody's.
            let Ok(id) = InstanceId::try_from(whose(&stored.message).as_str()) else { continue };
            // Another life, or forgotten: then `read` is beyond it.
            let lives = self.begun.iter().filter(|(begun, _)| *begun == id).count();
            let known = self.truth.live(&id).is_some() || self.truth.past(&id).is_some();
            // A repeated order is refused once its instance has ended: it is not followed for all that.
            let is_order = matches!(cause, Cause::Request(_))
                && CloudEvent::read(&stored.message)
                    .and_then(|event| read_request(&event))
                    .is_ok_and(|request| matches!(request.ask, Ask::Order { .. }));
            if is_order && self.truth.live(&id).is_none() {
                continue;
            }
            // Where clocks differ a repeat may be taken for one that came long behind the end: `remember` is shorter by as much.
            let is_far = |past: &Past| stored.timestamp.after(self.apart) >= past.at.after(self.remember);
            if !self.apart.is_zero() && matches!(cause, Cause::Request(_)) && self.truth.past(&id).is_some_and(is_far) {
                continue;
            }
            if lives == 1 && known && self.ignorable(stored, *cause, Timestamp(0)) == Some(false) {
                return violated("nothing is stable", format!("{cause:?}"));
            }
        }
        for (id, work) in work {
            if work.done > 1 {
                return violated("a guarded step runs at most once a run", format!("{}: {work}", in_words(id)));
            }
            let Some(ending) = self.endings.get(&(id.instance.clone(), id.run)) else { continue };
            let stands = match ending.works.get(id) {
                Some(Owed::Either) => continue,
                Some(Owed::Stands) => true,
                Some(Owed::Gone) | None => false,
            };
            if stands != (work.done > work.undone) {
                return violated(
                    ending.kind.promise(),
                    format!(
                        "{} {}; it was {work}",
                        in_words(id),
                        if stands { "should be in effect" } else { "should not be in effect" }
                    ),
                );
            }
        }
        for ending in self.endings.values() {
            let missing = |(id, owed): &(&CommandId, &Owed)| **owed == Owed::Stands && !work.contains_key(*id);
            if let Some((id, _)) = ending.works.iter().find(missing) {
                return violated(ending.kind.promise(), format!("{id} was never done"));
            }
        }
        Ok(())
    }
}

/// "step `one` of `w-1`, in its life 1800000000000"
fn in_words(id: &CommandId) -> String {
    let CommandId { instance, run, place, round, own_undo } = id;
    let what = if *own_undo { "the compensation of step" } else { "step" };
    let round = if *round > 1 { format!(", done anew for the {round}. time") } else { String::new() };
    format!("{what} `{place}` of `{instance}`, in its life {}{round}", run.0)
}

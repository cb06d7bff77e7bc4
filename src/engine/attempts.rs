//! The attempts of one step, forward or back: what comes in for it, and what goes out.

use compact_str::CompactString;

use super::draft::{Draft, Words};
use super::environment::View;
use super::event::{Event, Place, Why};
use super::id::{CommandId, Direction};
use super::instance::{Attempt, Instance, Wait};
use super::step::{self, Move, Persistence, Queries, Stimulus};
use super::timing::{self, Repeat};
use crate::definition::evaluate::Invalid;
use crate::definition::{Invocation, Verb};
use crate::json::Json;
use crate::plan::{At, Class, Plan, Undo, Work};
use crate::time::Timestamp;

impl Draft<'_> {
    /// Something comes in for a step that is being done or taken back.
    pub(super) fn stimulate(&mut self, at: At, stimulus: Stimulus, words: Words) -> Move {
        let plan = self.plan;
        let Some(work) = plan.work(at.node()) else { return Move::Ignore };
        let Some((direction, attempt)) = self.attempt(at) else { return Move::Ignore };
        let Some(invocation) = invocation(work, direction) else { return Move::Ignore };
        let persistence = self.persistence(at, work, direction);
        let answers = direction == Direction::Do && invocation.participant.answers_queries;
        let queries = if answers { Queries::Answered } else { Queries::NotAnswered };
        let place = self.place(at);
        let next = step::next(&attempt, persistence, queries, stimulus);
        match next {
            Move::Ignore | Move::Stay | Move::Impossible => {}
            Move::Succeed => self.succeed(at, direction, words.reply),
            Move::Refuse => {
                self.emit(Event::Refused { at: place, code: words.code.clone(), message: words.message.clone() });
                self.fail(at, words);
            }
            Move::Lose => self.lose(at, words),
            Move::Withdraw => {
                self.emit(Event::Withdrawn { at: place });
                self.fail(at, words);
            }
            Move::Stick => {
                self.emit(Event::Stuck { at: place, work: direction, code: words.code, message: words.message });
            }
            Move::Pend => {
                let until = timing::pending_until(attempt.limit, self.now);
                self.emit(Event::Pended { at: place, work: direction, until });
            }
            Move::Ask => {
                let until = timing::answer_until(&invocation.timing, attempt.limit, persistence, self.now);
                if until > self.now {
                    self.emit(Event::Asked { at: place, work: direction, until });
                } else {
                    // `within` is used up: nobody would wait for the answer.
                    self.again(at, work, invocation, (direction, &attempt), Why::Silence);
                }
            }
            Move::Call => match self.prepare(at, direction, invocation) {
                Ok(limit) => self.call(at, work, (direction, invocation), Some(&attempt), limit),
                Err(invalid) => self.stick(at, direction, &invalid),
            },
            Move::Send => match self.prepare(at, direction, invocation) {
                Ok(_) => {
                    let until = timing::answer_until(&invocation.timing, attempt.limit, persistence, self.now);
                    self.emit(Event::Called {
                        at: place,
                        work: direction,
                        attempt: attempt.number + 1,
                        until,
                        limit: None,
                    });
                }
                Err(invalid) => self.stick(at, direction, &invalid),
            },
            Move::Again => {
                let why = match stimulus {
                    Stimulus::Retry => Why::Asked(words.code),
                    Stimulus::UnknownCommand => Why::Unknown,
                    _ if matches!(attempt.wait, Wait::Unfit(_)) => Why::Unfit,
                    _ => Why::Silence,
                };
                self.again(at, work, invocation, (direction, &attempt), why);
            }
        }
        next
    }

    fn persistence(&self, at: At, work: &Work, direction: Direction) -> Persistence {
        match (direction, work.class) {
            (Direction::Undo, _) => Persistence::UntilDone,
            (Direction::Do, Class::Pivot | Class::InnerPivot) => Persistence::Pivot,
            (Direction::Do, class) => match (self.instance.failing_around(self.plan, at), class) {
                (Some(_), _) => Persistence::Settling,
                (None, Class::Retriable) => Persistence::UntilDone,
                (None, _) => Persistence::Bounded,
            },
        }
    }

    fn again(
        &mut self,
        at: At,
        work: &Work,
        invocation: &Invocation,
        (direction, attempt): (Direction, &Attempt),
        why: Why,
    ) {
        let persistence = self.persistence(at, work, direction);
        let place = self.place(at);
        let command = command_id(&self.instance, work, &place, direction);
        match timing::repeat(&invocation.timing, attempt, persistence, &command, self.now) {
            Repeat::At(until) => self.emit(Event::Paused { at: place, work: direction, until, why }),
            Repeat::GiveUp => self.lose(at, Words { message: Some(why.to_string()), ..Words::code("timeout") }),
            Repeat::AskPerson => {
                let attempts = attempt.number;
                let message = format!("{attempts} attempts brought no outcome; the last: {why}");
                let code = CompactString::const_new("timeout");
                self.emit(Event::Stuck { at: place, work: direction, code, message: Some(message) });
            }
        }
    }

    pub(super) fn succeed(&mut self, at: At, direction: Direction, reply: Option<Json>) {
        self.emit(Event::Succeeded { at: self.place(at), work: direction, reply });
        if direction == Direction::Undo {
            self.touched.push(at);
        }
        if self.instance.failing_around(self.plan, at).is_some() {
            self.unwind();
        } else {
            self.leave(at);
        }
    }

    fn lose(&mut self, at: At, words: Words) {
        self.emit(Event::Lost { at: self.place(at) });
        self.fail(at, Words { code: CompactString::const_new("timeout"), ..words });
    }

    /// An attempt goes out, or waits for its turn: the first, or the one behind `before`. `limit` is when all attempts
    /// together would end if they began now.
    pub(super) fn call(
        &mut self,
        at: At,
        work: &Work,
        (direction, invocation): (Direction, &Invocation),
        before: Option<&Attempt>,
        limit: Option<Timestamp>,
    ) {
        let attempt = before.map_or(1, |before| before.number + 1);
        if invocation.verb == Verb::Send {
            return self.emit(Event::Sent { at: self.place(at), work: direction, attempt });
        }
        // `within` begins with the first attempt; ordered by a person, it begins anew, as the retries do.
        let limit = limit.filter(|_| before.is_none_or(|before| before.base == attempt));
        let known = limit.or(before.map(|before| before.limit)).unwrap_or(Timestamp::NEVER);
        let persistence = self.persistence(at, work, direction);
        let place = self.place(at);
        let participant = &invocation.participant;
        if !participant.limits.is_empty() && !(self.takes)(&place, participant) {
            let until = timing::turn_until(known, persistence);
            return self.emit(Event::Queued { at: place, work: direction, until, limit });
        }
        let until = timing::answer_until(&invocation.timing, known, persistence, self.now);
        self.emit(Event::Called { at: place, work: direction, attempt, until, limit });
    }

    /// Whether the payload can be computed, and when all attempts together end.
    pub(super) fn prepare(
        &self,
        at: At,
        direction: Direction,
        invocation: &Invocation,
    ) -> Result<Option<Timestamp>, Invalid> {
        let view = View::of(self.plan, &self.instance, (at, direction));
        invocation.payload.probe(&view)?;
        match invocation.timing.within.as_ref().filter(|_| invocation.verb == Verb::Call) {
            Some(within) => within.evaluate(&view).map(|within| Some(self.later(&within))),
            None => Ok(None),
        }
    }

    /// The step's attempts, and in which direction.
    pub(super) fn attempt(&self, at: At) -> Option<(Direction, Attempt)> {
        let (direction, attempt) = self.instance.state(at)?.attempt()?;
        Some((direction, attempt.clone()))
    }
}

/// What is asked of a participant in one direction.
#[must_use]
pub fn invocation(work: &Work, direction: Direction) -> Option<&Invocation> {
    match direction {
        Direction::Do => work.action(),
        Direction::Undo => work.compensation(),
    }
}

/// The same by the place of the step.
#[must_use]
pub fn invocation_at<'p>(plan: &'p Plan, place: &str, direction: Direction) -> Option<&'p Invocation> {
    invocation(plan.work(plan.find(place)?.node())?, direction)
}

/// The id of a step's work in one direction.
#[must_use]
pub fn command_id(instance: &Instance, work: &Work, place: &Place, direction: Direction) -> CommandId {
    let own_undo = direction == Direction::Undo && work.undo == Some(Undo::OfItsOwn);
    CommandId { instance: instance.id.clone(), run: instance.run, place: place.clone(), round: 1, own_undo }
}

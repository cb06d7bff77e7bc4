//! Participants that take `at most …`: what a step does while it waits for its turn, and whose turn it is.

use std::time::Duration;

use saga::definition::{Limit, Per};
use saga::engine::{
    Calls, Change, Direction, Event, Input, Instance, InstanceId, Order, Outcome, ReplyKind, Run, Share, Start, Status,
    Summary, Turns,
};
use saga::json::Json;
use saga::plan::Plan;
use saga::time::Timestamp;

use super::moves::{Script, failed, step};
use super::shapes::{self, PivotShape, SagaShape, Shape, UndoShape};

const SECOND: Duration = Duration::from_secs(1);

fn at_once(count: u32) -> Limit {
    Limit { count, per: Per::Once }
}

fn per_second(count: u32) -> Limit {
    Limit { count, per: Per::Time(SECOND) }
}

fn shape(before: Vec<Shape>, pivot: PivotShape, behind: Vec<Shape>, limits: Vec<Limit>) -> SagaShape {
    SagaShape { before, pivot, behind, deadline: true, limits }
}

/// A saga whose participants take nothing for now.
fn full(before: Vec<Shape>, pivot: PivotShape, behind: Vec<Shape>) -> Script {
    Script::of(&shape(before, pivot, behind, vec![at_once(1)]))
}

fn turn(script: &mut Script, place: &str) -> Vec<String> {
    script.tell(&Input::Turn(place.into()))
}

#[test]
fn a_step_waits_for_its_turn_and_its_timeout_begins_with_the_call() {
    let mut script = full(vec![step(), step()], PivotShape::None, Vec::new());
    assert_eq!(script.start(), ["started", "queued s1"]);
    assert_eq!(script.done("s1"), ["rejected NotSent"], "nobody was asked");
    script.now = script.now.after(30 * SECOND);
    assert_eq!(script.tell(&Input::Due), ["nothing"], "longer than any timeout");
    assert_eq!(turn(&mut script, "s1"), ["called s1 1"]);
    assert_eq!(turn(&mut script, "s1"), ["nothing"], "it is its turn once");
    assert_eq!(script.instance.next_due(script.plan()), Some(script.now.after(5 * SECOND)));
    script.takes = true;
    assert_eq!(script.done("s1"), ["succeeded s1", "called s2 1"], "no event more than without limits");
}

#[test]
fn a_repeat_waits_for_its_turn_too_and_the_first_answer_still_wins() {
    let mut script = full(vec![step(), step()], PivotShape::None, Vec::new());
    script.takes = true;
    script.start();
    script.takes = false;
    assert_eq!(script.wait(), ["paused s1"]);
    assert_eq!(script.wait(), ["queued s1"]);
    for ignored in [Status::Retry { code: None }, Status::Pending] {
        assert_eq!(script.reply("s1", ReplyKind::Do, 1, ignored), ["nothing"]);
    }
    assert_eq!(script.order(Order::Retry { step: Some("s1".into()) }), ["rejected NotStuck"], "it stays");
    assert_eq!(script.reply("s1", ReplyKind::Do, 1, Status::Succeeded), ["succeeded s1", "queued s2"]);
}

#[test]
fn what_has_only_waited_for_its_turn_has_not_begun() {
    let both = Shape::Parallel(vec![step(), step()]);
    let mut script = full(vec![both, step()], PivotShape::None, Vec::new());
    script.start();
    turn(&mut script, "s1");
    assert_eq!(script.order(Order::Cancel), ["ordered", "failed cancelled at saga", "withdrawn s2"]);
    assert_eq!(turn(&mut script, "s2"), ["nothing"]);
    assert_eq!(script.done("s1"), ["succeeded s1", "queued undo s1"], "s2 is not taken back");
    assert_eq!(script.undone("s1"), ["rejected NotSent"]);
    assert_eq!(turn(&mut script, "s1"), ["called undo s1 1"]);
    assert_eq!(script.undone("s1"), ["succeeded undo s1", "compensated"]);
}

#[test]
fn what_was_sent_before_it_waited_is_unknown() {
    let mut script = full(vec![step()], PivotShape::None, Vec::new());
    script.takes = true;
    script.start();
    script.wait();
    script.takes = false;
    assert_eq!(script.wait(), ["queued s1"]);
    assert_eq!(script.order(Order::Cancel), ["ordered", "failed cancelled at saga", "lost s1", "queued undo s1"]);
}

#[test]
fn a_pivot_that_only_waits_decides_nothing_yet() {
    let mut script = full(vec![step()], PivotShape::Step, Vec::new());
    script.takes = true;
    script.start();
    script.takes = false;
    assert_eq!(script.done("s1"), ["succeeded s1", "queued s2"]);
    assert!(!script.instance.pivot_is_open(script.plan()));
    assert_eq!(script.wait(), ["failed deadline at saga", "withdrawn s2", "queued undo s1"]);

    let mut script = full(vec![step()], PivotShape::Step, Vec::new());
    script.takes = true;
    script.start();
    script.done("s1");
    script.wait();
    script.wait();
    script.takes = false;
    assert_eq!(script.wait(), ["queued s2"]);
    assert!(script.instance.pivot_is_open(script.plan()), "it was sent once");
    assert_eq!(script.order(Order::Cancel), ["rejected PastPivot"]);
}

#[test]
fn nor_does_that_of_a_saga_inside() {
    let inner = Shape::Run { before: Vec::new(), own: Some((PivotShape::Step, UndoShape::Same)), behind: Vec::new() };
    let mut script = full(vec![inner], PivotShape::None, Vec::new());
    assert_eq!(script.start(), ["started", "bound", "queued s1.s2"]);
    assert_eq!(script.order(Order::Cancel), ["ordered", "failed cancelled at saga", "withdrawn s1.s2", "compensated"]);
}

#[test]
fn an_order_to_try_again_waits_and_no_late_copy_undoes_it() {
    let mut script = full(vec![step(), step()], PivotShape::None, Vec::new());
    script.takes = true;
    script.start();
    script.done("s1");
    script.refused("s2");
    assert_eq!(script.reply("s1", ReplyKind::Undo, 1, failed("will_not")), ["stuck undo s1 will_not"]);
    script.takes = false;
    assert_eq!(script.order(Order::Retry { step: None }), ["ordered", "queued undo s1"]);
    assert_eq!(script.summary(), Summary::Compensating);
    assert_eq!(script.reply("s1", ReplyKind::Undo, 1, failed("will_not")), ["nothing"]);
    let by_hand =
        Order::Resolve { step: "s1".into(), work: Direction::Undo, outcome: Outcome::Succeeded { reply: None } };
    assert_eq!(script.order(by_hand), ["ordered", "succeeded undo s1", "compensated"]);
}

#[test]
fn a_step_that_is_taken_back_by_another_waits_for_that_one() {
    let other = Shape::Step { undo: UndoShape::Other, queries: false };
    let mut script = full(vec![other, step()], PivotShape::None, Vec::new());
    script.takes = true;
    script.start();
    script.done("s1");
    script.takes = false;
    assert_eq!(script.refused("s2"), ["refused s2 no", "failed no at s2", "queued undo s1"]);
}

/// When all begins.
const NOW: Timestamp = Timestamp(1_000_000_000);

/// Instances that all begin with a step at one participant.
struct Crowd {
    plan: Plan,
    turns: Turns,
    instances: Vec<Instance>,
    now: Timestamp,
    partition: u32,
}

impl Crowd {
    fn new(share: Share, limits: Vec<Limit>) -> Self {
        let plan = shapes::plan(&shape(vec![step()], PivotShape::None, Vec::new(), limits));
        let mut turns = Turns::new(share, 1);
        turns.begin(0, &Calls::default(), NOW);
        Self { plan, turns, instances: Vec::new(), now: NOW, partition: 0 }
    }

    fn tell(&mut self, number: usize, input: &Input) {
        let (instance, turns, now, partition) =
            (&mut self.instances[number], &mut self.turns, self.now, self.partition);
        let id = instance.id.clone();
        let mut takes = |place: &_, asked: &_| turns.takes(partition, (&id, place), asked, now);
        let decision = saga::engine::decide(&self.plan, instance, now, input, &mut takes);
        let saga::engine::Decision::Change(change, next) = decision else { panic!("{decision:?}") };
        *instance = next;
        for node in change.events.iter().filter_map(|event| self.plan.find(event.step()?)) {
            self.turns.note(partition, &self.plan, instance, node);
        }
    }

    fn start(&mut self) {
        let id = InstanceId::try_from(format!("i{}", self.instances.len()).as_str()).unwrap();
        self.instances.push(Instance::new(id, Run(1), &self.plan));
        let input = Json::parse(shapes::input(0, false)).unwrap();
        self.tell(self.instances.len() - 1, &Input::Start(Start { input, reply_to: None, traceparent: None }));
    }

    /// Lets all go on whose turn it is.
    fn give(&mut self) {
        while let Some((id, place)) = self.turns.next(self.partition, self.now) {
            let number = self.instances.iter().position(|instance| instance.id == id).unwrap();
            self.tell(number, &Input::Turn(place));
        }
    }

    /// Who has been called.
    fn called(&self) -> Vec<usize> {
        let is_called = |instance: &Instance| {
            instance.states().any(|(_, state)| state.attempt().is_some_and(|(_, attempt)| attempt.number == 1))
        };
        (0..self.instances.len()).filter(|number| is_called(&self.instances[*number])).collect()
    }

    /// The instants of the first `count` calls, from now on, all of them wanted at once.
    fn calls(&mut self, count: usize) -> Vec<u64> {
        (0..count).for_each(|_| self.start());
        let (begin, mut calls) = (self.now, Vec::new());
        loop {
            self.give();
            calls.resize(self.called().len(), self.now.since(begin).as_millis().try_into().unwrap());
            if calls.len() == count {
                return calls;
            }
            let next = self.turns.next_at(self.partition, self.now).unwrap();
            assert!(next > self.now, "it is worth to wait");
            self.now = next;
        }
    }
}

#[test]
fn whoever_came_first_goes_first_and_newcomers_wait_behind() {
    let mut crowd = Crowd::new(Share::WHOLE, vec![at_once(1)]);
    for _ in 0..3 {
        crowd.start();
        crowd.now = crowd.now.after(SECOND);
    }
    assert_eq!(crowd.called(), [0]);
    let node = crowd.plan.find("s1").unwrap();
    let over = Instance::new(crowd.instances[0].id.clone(), Run(1), &crowd.plan);
    crowd.turns.note(0, &crowd.plan, &over, node);
    crowd.start();
    assert_eq!(crowd.called(), [0], "there is room, and two came before");
    crowd.give();
    assert_eq!(crowd.called(), [0, 1]);
}

#[test]
fn whoever_pauses_makes_room() {
    let mut crowd = Crowd::new(Share::WHOLE, vec![at_once(1)]);
    (0..2).for_each(|_| crowd.start());
    crowd.now = crowd.instances[0].next_due(&crowd.plan).unwrap();
    crowd.tell(0, &Input::Due);
    crowd.give();
    assert_eq!(crowd.called(), [0, 1]);
}

#[test]
fn shares_of_what_is_taken_at_once_add_up() {
    for (count, of) in [(1, 1), (5, 3), (12, 12), (13, 12), (7, 9)] {
        let shares: Vec<u32> = (0..of).map(|number| Share { number, of }.of(count)).collect();
        assert_eq!(shares.iter().sum::<u32>(), count, "{shares:?}");
    }
    let mut crowd = Crowd::new(Share { number: 2, of: 3 }, vec![at_once(5)]);
    (0..3).for_each(|_| crowd.start());
    assert_eq!(crowd.called(), [0]);
}

#[test]
fn a_rate_is_kept_by_even_pauses_the_strictest_counts_and_a_share_pauses_longer() {
    assert_eq!(Crowd::new(Share::WHOLE, vec![per_second(4)]).calls(4), [0, 250, 500, 750]);
    let minute = Limit { count: 60, per: Per::Time(60 * SECOND) };
    assert_eq!(Crowd::new(Share::WHOLE, vec![per_second(4), minute]).calls(3), [0, 1_000, 2_000]);
    assert_eq!(Crowd::new(Share { number: 0, of: 3 }, vec![per_second(4)]).calls(3), [0, 500, 1_000]);
    assert_eq!(Crowd::new(Share { number: 2, of: 3 }, vec![per_second(4)]).calls(3), [0, 1_000, 2_000]);
    let many = Crowd::new(Share::WHOLE, vec![per_second(3_000)]).calls(30);
    assert!((8..=10).contains(&many[29]), "below a millisecond, too: {many:?}");
}

#[test]
fn partitions_that_are_more_than_the_rate_have_moments_of_their_own() {
    let of = 5;
    let calls = |number| {
        let mut crowd = Crowd::new(Share { number, of }, vec![per_second(2)]);
        let begin = crowd.now.0;
        crowd.calls(20).into_iter().map(|at| begin + at).collect::<Vec<_>>()
    };
    let mut all: Vec<u64> = (0..of).flat_map(calls).collect();
    all.sort_unstable();
    for window in all.windows(3) {
        assert!(window[2] - window[0] >= 1_000, "three in a second: {window:?}");
    }
    let took = all[99] - all[0];
    assert!(took < 65_000, "not much slower than it may: {took} ms for a hundred");
}

#[test]
fn of_a_moment_of_its_own_only_the_first_quarter_counts() {
    // Five share a call a second: a moment is 4/3 s long, and the first of them has every fifth.
    let (length, of) = (1_334, 5);
    let mut crowd = Crowd::new(Share { number: 0, of }, vec![per_second(1)]);
    let own = crowd.now.0 + crowd.calls(1)[0];
    for (into, waits) in [(0, false), (length / 4 - 10, false), (length / 4 + 10, true)] {
        let mut crowd = Crowd::new(Share { number: 0, of }, vec![per_second(1)]);
        crowd.now = Timestamp(own + into);
        let took = crowd.calls(1)[0];
        assert_eq!(took > 0, waits, "{into} ms into it");
    }
}

#[test]
fn a_new_owner_knows_what_is_under_way_and_who_waits_and_when_the_last_call_was() {
    let mut crowd = Crowd::new(Share::WHOLE, vec![at_once(2), per_second(1)]);
    (0..4).for_each(|_| crowd.start());
    let called = crowd.now;
    crowd.now = crowd.now.after(SECOND / 2);
    let mut turns = Turns::new(Share::WHOLE, 1);
    turns.begin(0, &Calls::since(called), crowd.now);
    let node = crowd.plan.find("s1").unwrap();
    for instance in &crowd.instances {
        turns.note(0, &crowd.plan, instance, node);
    }
    assert_eq!(turns.next(0, crowd.now), None);
    assert_eq!(turns.next_at(0, crowd.now), Some(called.after(SECOND)));
    let first = turns.next(0, called.after(SECOND)).unwrap();
    assert_eq!(first.0.as_str(), "i1");
    assert_eq!(turns.next(0, called.after(9 * SECOND)), None, "two are under way");
}

#[test]
fn nobody_has_a_turn_before_all_that_share_it_have_begun() {
    for (partition, other) in [(0, 1), (1, 0)] {
        let mut crowd = Crowd::new(Share::WHOLE, vec![at_once(1)]);
        (crowd.turns, crowd.partition) = (Turns::new(Share::WHOLE, 2), partition);
        crowd.turns.begin(partition, &Calls::default(), NOW);
        crowd.start();
        assert_eq!(crowd.turns.next(partition, crowd.now), None);
        crowd.turns.may_go_on();
        crowd.turns.begin(other, &Calls::default(), NOW);
        assert_eq!(Vec::from_iter(crowd.turns.may_go_on()), [partition], "it is woken");
        assert!(crowd.turns.next(partition, crowd.now).is_some());
    }
}

#[test]
fn of_definitions_that_differ_the_strictest_counts_while_it_is_current_or_somebody_goes_by_it() {
    let strict = shapes::plan(&shape(vec![step()], PivotShape::None, Vec::new(), vec![at_once(1)]));
    let mut crowd = Crowd::new(Share::WHOLE, vec![at_once(3)]);
    crowd.turns.define([&strict, &crowd.plan].into_iter());
    (0..3).for_each(|_| crowd.start());
    assert_eq!(crowd.called(), [0]);
    crowd.turns.define([&crowd.plan].into_iter());
    crowd.give();
    assert_eq!(crowd.called(), [0, 1, 2]);

    let mut crowd = Crowd::new(Share::WHOLE, vec![at_once(3)]);
    let (id, place) = (InstanceId::try_from("strict").unwrap(), "s1".into());
    let participant = &strict.invocations().next().unwrap().participant;
    assert!(crowd.turns.takes(0, (&id, &place), participant, crowd.now));
    (0..3).for_each(|_| crowd.start());
    assert_eq!(crowd.called(), [] as [usize; 0]);
    crowd.turns.forget(&id, &place);
    crowd.give();
    assert_eq!(crowd.called(), [0, 1, 2]);
}

#[test]
fn a_call_that_stands_in_the_journal_keeps_the_rate_and_what_is_forgotten_or_ended_waits_no_more() {
    let mut crowd = Crowd::new(Share::WHOLE, vec![per_second(1)]);
    let called =
        |at: &str| Event::Called { at: at.into(), work: Direction::Do, attempt: 1, until: crowd.now, limit: None };
    let mut calls = Calls::default();
    for (seq, at) in [(1, crowd.now.after(SECOND)), (2, crowd.now)] {
        calls.see(&crowd.plan, &Change { seq, at, events: vec![called("s1")] });
    }
    crowd.turns.begin(0, &calls, crowd.now.after(SECOND));
    (0..3).for_each(|_| crowd.start());
    assert_eq!(crowd.called(), [] as [usize; 0]);
    assert_eq!(crowd.turns.next_at(0, crowd.now), Some(crowd.now.after(2 * SECOND)), "a second behind the latest");
    crowd.now = crowd.now.after(2 * SECOND);
    let first = crowd.instances[0].id.clone();
    crowd.turns.forget(&first, &"s1".into());
    assert_eq!(crowd.turns.next(0, crowd.now).unwrap().0.as_str(), "i1");
    crowd.turns.end(0);
    assert_eq!(crowd.turns.next_at(0, crowd.now), None, "nobody waits here");

    let mut crowd = Crowd::new(Share::WHOLE, vec![at_once(1)]);
    (0..2).for_each(|_| crowd.start());
    crowd.turns.end(0);
    crowd.turns.begin(1, &Calls::default(), NOW);
    crowd.start();
    assert_eq!(crowd.called(), [0], "what is under way still is");
}

fn tried(timed: bool) -> Shape {
    Shape::Try { timed, body: vec![step(), step()], picky: None, all: Some(Vec::new()) }
}

#[test]
fn a_step_that_was_never_called_is_withdrawn_when_its_try_fails() {
    let mut script = full(vec![tried(true), step()], PivotShape::None, Vec::new());
    assert_eq!(script.start(), ["started", "slept", "queued s1"]);
    assert_eq!(script.wait(), ["failed deadline at try#1", "withdrawn s1", "caught", "queued s3"]);
    assert_eq!(turn(&mut script, "s1"), ["nothing"], "it does not wait any more");
}

#[test]
fn what_takes_a_try_back_waits_for_its_turn_behind_the_point_of_no_return_too() {
    let mut script = full(Vec::new(), PivotShape::Bare, vec![tried(false)]);
    script.takes = true;
    assert_eq!(script.start(), ["started", "reached", "called s1 1"]);
    assert_eq!(script.done("s1"), ["succeeded s1", "called s2 1"]);
    script.takes = false;
    assert_eq!(script.refused("s2"), ["refused s2 no", "failed no at s2", "queued undo s1"]);
    assert_eq!(turn(&mut script, "s1"), ["called undo s1 1"]);
    assert_eq!(script.undone("s1"), ["succeeded undo s1", "caught", "completed {}"]);
}

#[test]
fn a_message_waits_for_no_turn() {
    let mut script = full(vec![Shape::Send { undo: UndoShape::Nothing }], PivotShape::None, Vec::new());
    assert_eq!(script.start(), ["started", "sent s1 1"]);
}

/// The clock fell back by an hour between two owners, and what is called lies ahead of it.
#[test]
fn calls_ahead_of_the_clock_went_out_by_now() {
    let hour = Duration::from_hours(1);
    let mut calls = Calls::since(NOW.after(hour));
    let mut crowd = Crowd::new(Share::WHOLE, vec![per_second(1)]);
    let called = Event::Called { at: "s1".into(), work: Direction::Do, attempt: 1, until: NOW, limit: None };
    calls.see(&crowd.plan, &Change { seq: 1, at: NOW.after(hour), events: vec![called] });
    crowd.turns.begin(0, &calls, NOW);
    crowd.start();
    assert_eq!(crowd.called(), [] as [usize; 0], "the rate is kept");
    assert_eq!(crowd.turns.next_at(0, NOW), Some(NOW.after(SECOND)), "and nobody waits until the clock has caught up");
    // So it is where this process made those calls itself, before it claimed again.
    let mut crowd = Crowd::new(Share::WHOLE, vec![per_second(1)]);
    crowd.now = NOW.after(hour);
    crowd.start();
    assert_eq!(crowd.called(), [0]);
    crowd.now = NOW;
    crowd.turns.begin(0, &Calls::default(), NOW);
    crowd.start();
    assert_eq!(crowd.turns.next_at(0, NOW), Some(NOW.after(SECOND)));
}

/// What lies ahead by no more than clocks differ is what the owner before has seen: it counts as it is.
#[test]
fn calls_a_little_ahead_of_the_clock_went_out_then() {
    const APART: Duration = Duration::from_secs(10);
    for (ahead, next) in [(APART, APART + SECOND), (APART + Duration::from_millis(1), SECOND)] {
        for has_called in [false, true] {
            let mut calls = Calls::since(if has_called { NOW } else { NOW.after(ahead) });
            let mut crowd = Crowd::new(Share::WHOLE, vec![per_second(1)]);
            if has_called {
                let called =
                    Event::Called { at: "s1".into(), work: Direction::Do, attempt: 1, until: NOW, limit: None };
                calls.see(&crowd.plan, &Change { seq: 1, at: NOW.after(ahead), events: vec![called] });
            }
            crowd.turns.begin(0, &calls, NOW);
            crowd.start();
            assert_eq!(crowd.turns.next_at(0, NOW), Some(NOW.after(next)), "{ahead:?} {has_called}");
        }
    }
}

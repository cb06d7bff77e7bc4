//! What can happen next in a state: answers, silence, time, people, signals; each as an input to the engine.

use std::rc::Rc;

use compact_str::CompactString;

use super::happening::{Move, Said};
use super::later::Later;
use super::outlasted::is_last_but_one;
use super::state::{Row, World};
use super::{FAR, START, Setting, Told, words};
use crate::definition::Participant;
use crate::definition::json::least;
use crate::definition::types::Type;
use crate::engine::{
    self, Acknowledged, Attempt, Change, CommandId, Decision, Direction, Event, Input, Instance, Misfit, Order,
    OrderRequest, Outcome, Phase, Place, Reply, ReplyKind, RequestId, Start, State, Status, Undeliverable, Wait,
};
use crate::json::Json;
use crate::plan::{At, Kind, Plan, Work};
use crate::time::Timestamp;

/// A step's attempt that may be answered.
struct Asked<'w> {
    node: At,
    work: &'w Work,
    direction: Direction,
    attempt: &'w Attempt,
}

/// Everything that can happen.
pub(super) fn moves(setting: &Setting<'_>, world: &World, out: &mut Vec<Move>) {
    out.clear();
    let (plan, instance) = (setting.plan, &world.instance);
    if instance.has_ended() {
        return;
    }
    for (slot, (node, state)) in (0..=u16::MAX).zip(instance.states()) {
        if let Some((direction, attempt)) = state.attempt()
            && let Some(work) = plan.work(node.node())
        {
            of_attempt(setting, world, slot, &Asked { node, work, direction, attempt }, out);
        } else if state.until().is_some() {
            if !setting.outlasted.never_ends(plan, instance, node) {
                out.push(Move::Time { slot, last: false, limit: false });
            }
        } else if matches!(state, State::Halted(_)) {
            let given = (0..).take_while(|value| instead(plan, instance, node, *value).is_some());
            out.extend(given.map(|value| Move::Instead { slot, value }));
        }
    }
    if instance.deadline != Timestamp::NEVER {
        out.push(Move::Deadline);
    }
    if instance.phase == Phase::Forward {
        out.push(Move::Cancel);
    }
    if !instance.stuck(plan).is_empty() {
        out.push(Move::Retry);
    }
}

fn of_attempt(setting: &Setting<'_>, world: &World, slot: u16, asked: &Asked<'_>, out: &mut Vec<Move>) {
    let Asked { node, work, direction, attempt } = asked;
    let row = world.row(*node);
    let codes = engine::invocation(work, *direction)
        .map_or(0, |invocation| u8::try_from(invocation.command.fails.len()).unwrap_or(u8::MAX - 1));
    let mut answer = |said: Said, last: bool| out.push(Move::Answer { slot, said, last });
    let has_last = !setting.outlasted.never_last(setting.plan, &world.instance, (*node, *direction));
    // Whether the end of the attempt depends on how many there were.
    let both: &[bool] = if has_last { &[false, true] } else { &[false] };
    if !matches!(attempt.wait, Wait::Log(_) | Wait::Turn(_)) && attempt.number > 0 {
        match direction {
            Direction::Do => {
                if row == Some(Row::Sent) {
                    let values = setting.values(*node);
                    (0..values).for_each(|value| answer(Said::Succeeded(value), false));
                    if setting.has_unfit(*node) && attempt.wait.is_under_way() {
                        answer(Said::Unfit, false);
                    }
                }
                if row == Some(Row::Sent) {
                    (0..=codes).for_each(|code| answer(Said::Failed(code), false));
                }
            }
            Direction::Undo => {
                answer(Said::Succeeded(0), false);
                answer(Said::Failed(codes), false);
            }
        }
        if attempt.wait.is_under_way() && !matches!(attempt.wait, Wait::Pending(_)) {
            if row == Some(Row::Sent) || *direction == Direction::Undo {
                for last in both {
                    answer(Said::Retry, *last);
                }
                answer(Said::Pending, false);
            }
            if matches!(attempt.wait, Wait::Query(_)) && matches!(row, Some(Row::Sent)) {
                for last in both {
                    answer(Said::Unknown, *last);
                }
            }
        }
    }
    match &attempt.wait {
        Wait::Log(_) => out.extend([Move::Acknowledge { slot }, Move::Refuse { slot }]),
        Wait::Turn(turn) => {
            out.push(Move::Turn { slot });
            if turn.until.is_some() {
                out.push(Move::Time { slot, last: false, limit: true });
            }
        }
        Wait::Answer(_) => {
            out.push(Move::Refuse { slot });
            by_time(slot, attempt, both, out);
        }
        Wait::Pause(_) if !has_last && is_last_but_one(work, *direction, attempt) => {
            if attempt.limit != Timestamp::NEVER {
                out.push(Move::Time { slot, last: false, limit: true });
            }
        }
        // Behind the last attempt there is no pause.
        Wait::Pause(_) => by_time(slot, attempt, &[false], out),
        Wait::Query(_) | Wait::Pending(_) | Wait::Unfit(_) => by_time(slot, attempt, both, out),
        Wait::Person(_) => {
            let may_have_failed = *direction == Direction::Do && row == Some(Row::Sent) && codes > 0;
            out.push(Move::Resolve { slot, failed: None });
            out.extend(may_have_failed.then_some(Move::Resolve { slot, failed: Some(0) }));
        }
    }
}

fn by_time(slot: u16, attempt: &Attempt, both: &[bool], out: &mut Vec<Move>) {
    let has_limit = attempt.limit != Timestamp::NEVER;
    for last in both {
        out.push(Move::Time { slot, last: *last, limit: false });
        if has_limit {
            out.push(Move::Time { slot, last: *last, limit: true });
        }
    }
}

/// A move, and whether participants that say `at most …` let each command wait that it calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) by: Move,
    pub(super) is_crowded: bool,
}

/// What came of a move.
pub(super) enum Moved {
    /// The engine makes nothing of it.
    Nothing,
    /// A state, and what led to it.
    To(World, Change),
    /// What the engine decided does not fit what it knows: a defect.
    Misfit(Misfit),
}

/// Carries a step out. Says also whether a participant that says `at most …` was asked for room.
pub(super) fn carry_out(setting: &Setting<'_>, world: &World, later: &mut Later<'_>, step: Step) -> (Moved, bool) {
    let plan = setting.plan;
    later.change_back();
    let Some(Brought { input, row }) = brought(setting, world, later, step.by) else { return (Moved::Nothing, false) };
    let mut was_asked = false;
    let mut takes = |_: &Place, _: &Participant| {
        was_asked = true;
        !step.is_crowded
    };
    let decision = setting.engine.decide(plan, later.instance(), &input, &mut takes);
    let Decision::Change(change, decided) = decision else { return (Moved::Nothing, was_asked) };
    let instance = match setting.engine.behind(plan, later.instance(), &change, decided) {
        Ok(instance) => instance,
        Err(misfit) => return (Moved::Misfit(misfit), was_asked),
    };
    let mut next = World { instance, rows: Rc::clone(&world.rows) };
    if let Some((at, row)) = row {
        next.set_row(at, row);
    }
    for event in &change.events {
        if let Event::Called { at, work: Direction::Do, .. } = event
            && let Some(at) = plan.find(at)
            && next.row(at).is_none()
        {
            next.set_row(at, Row::Sent);
        }
    }
    next.settle(setting);
    (Moved::To(next, change), was_asked)
}

/// Whether whoever reads the journal comes to the same state as the decision.
pub(super) fn is_replayed(setting: &Setting<'_>, later: &Later<'_>, change: &Change, next: &World) -> bool {
    let mut replayed = World { instance: later.instance().clone(), rows: Rc::clone(&next.rows) };
    let applied = setting.engine.apply(setting.plan, &mut replayed.instance, change);
    replayed.settle(setting);
    applied.is_ok() && replayed == *next
}

/// What the engine makes of an input where participants that say `at most …` have room.
pub(super) fn decide(setting: &Setting<'_>, instance: &Instance, input: &Input) -> Decision {
    setting.engine.decide(setting.plan, instance, input, &mut |_: &Place, _: &Participant| true)
}

impl World {
    /// Leaves out what makes no difference.
    pub(super) fn settle(&mut self, setting: &Setting<'_>) {
        self.instance.blur(setting.plan, (START, FAR), setting.looked.all.failure_message);
        // What is not settled may have been done or not; and what is taken back is taken back whatever became of it.
        let is_open = |state: &State| matches!(state, State::Doing(_) | State::Undoing(_) | State::Unknown);
        let mut rows = self.rows.iter().enumerate().peekable();
        let mut open = Vec::new();
        self.instance.states().filter(|(_, state)| is_open(state)).for_each(|(at, _)| {
            while rows.next_if(|(_, (other, _))| *other < at).is_some() {}
            let own = rows.next_if(|(_, (other, _))| *other == at);
            open.extend(own.filter(|(_, (_, row))| *row != Row::Sent).map(|(index, _)| index));
        });
        for index in open {
            self.change_row(index, Row::Sent);
        }
    }
}

/// What a move brings.
struct Brought {
    input: Input,
    /// What a participant remembers from then on.
    row: Option<(At, Row)>,
}

impl From<Input> for Brought {
    fn from(input: Input) -> Self {
        Self { input, row: None }
    }
}

/// The input that a move is, and what it does outside the engine; and what has passed by then.
fn brought(setting: &Setting<'_>, world: &World, later: &mut Later<'_>, step: Move) -> Option<Brought> {
    let plan = setting.plan;
    let request = |words: String| RequestId::try_from(words.as_str()).ok();
    let order =
        |request: RequestId, order: Order| Input::Order(OrderRequest { request, order, by: None, reason: None });
    match step {
        Move::Start(number) => {
            let input = setting.inputs.get(usize::from(number))?.clone();
            Some(Input::Start(Start { input, reply_to: None, traceparent: None }).into())
        }
        Move::Answer { slot, said, last } => {
            if last && !later.exhaust(plan, slot) {
                return None;
            }
            let (reply, row) = reply(setting, later.instance(), slot, said)?;
            Some(Brought { input: Input::Reply(reply), row })
        }
        Move::Time { slot, last, limit } => {
            if last && !later.exhaust(plan, slot) {
                return None;
            }
            later.let_end(slot, limit);
            Some(Input::Due.into())
        }
        Move::Deadline => later.let_deadline_come(plan).then(|| Input::Due.into()),
        Move::Cancel => Some(order(request("cancel".to_owned())?, Order::Cancel).into()),
        Move::Signal { signal, value } => {
            let name = signal.name(setting);
            let is_free = |words: &String| world.instance.signals().iter().all(|it| it.request.as_str() != words);
            let request = request((1..=setting.signals_max).map(|count| format!("{name} {count}")).find(is_free)?)?;
            let with = Some(signal.values(setting).get(usize::from(value))?.clone());
            Some(order(request, Order::Signal { signal: name, with }).into())
        }
        Move::Retry => Some(order(request("order".to_owned())?, Order::Retry { step: None }).into()),
        Move::Resolve { slot, failed } => {
            let (node, state) = world.instance.nth_state(usize::from(slot))?;
            let (work, (direction, _)) = (plan.work(node.node())?, state.attempt()?);
            let place = plan.place(node);
            let id = engine::command_id(&world.instance, work, &place, direction);
            let outcome = match failed {
                Some(code) => Outcome::Failed { code: work.action()?.command.fails.get(usize::from(code))?.clone() },
                None if direction == Direction::Do => Outcome::Succeeded { reply: setting.value(node, 0) },
                None => Outcome::Succeeded { reply: None },
            };
            // A person who says that it failed has seen to it that it never happens.
            let row = match (failed, direction, id.own_undo) {
                (Some(_), ..) | (None, Direction::Undo, false) => Some(Row::Undone),
                (None, Direction::Do, _) => Some(Row::Done),
                (None, Direction::Undo, true) => None,
            };
            let input = order(request("order".to_owned())?, Order::Resolve { step: place, work: direction, outcome });
            Some(Brought { row: row.map(|row| (node, row)), ..input.into() })
        }
        Move::Instead { slot, value } => {
            let (node, _) = world.instance.nth_state(usize::from(slot))?;
            let value = instead(plan, &world.instance, node, value)?;
            let outcome = Outcome::Succeeded { reply: Some(Json::parse(value).ok()?) };
            let step = plan.place(node);
            Some(order(request("order".to_owned())?, Order::Resolve { step, work: Direction::Do, outcome }).into())
        }
        Move::Acknowledge { slot } => {
            let (command, attempt) = command(setting, &world.instance, slot)?;
            Some(Input::Acknowledged(Acknowledged { command, attempt }).into())
        }
        Move::Refuse { slot } => {
            let (command, attempt) = command(setting, &world.instance, slot)?;
            let why = "the log refuses it".to_owned();
            Some(Input::Undeliverable(Undeliverable { command, attempt, why }).into())
        }
        Move::Turn { slot } => {
            let (node, _) = world.instance.nth_state(usize::from(slot))?;
            Some(Input::Turn(plan.place(node)).into())
        }
    }
}

/// What a person gives where nothing can be computed: both outcomes of a condition, each branch, and of all else the least.
fn instead(plan: &Plan, instance: &Instance, at: At, value: u16) -> Option<String> {
    let ty = instance.wanted(plan, at)?;
    match (&plan.node(at.node()).kind, ty) {
        (Kind::Choice { arms, .. }, _) => (usize::from(value) <= arms.len()).then(|| (value + 1).to_string()),
        (_, Type::Bool) => (value < 2).then(|| (value == 1).to_string()),
        (_, ty) => (value == 0).then(|| least(&ty, "")),
    }
}

/// The command of a state under way, and its attempt.
fn command(setting: &Setting<'_>, instance: &Instance, slot: u16) -> Option<(CommandId, u32)> {
    let (node, state) = instance.nth_state(usize::from(slot))?;
    let (direction, attempt) = state.attempt()?;
    let work = setting.plan.work(node.node())?;
    let id = engine::command_id(instance, work, &setting.plan.place(node), direction);
    Some((id, attempt.number))
}

/// The reply, and what the participant remembers behind it.
fn reply(setting: &Setting<'_>, instance: &Instance, slot: u16, said: Said) -> Option<(Reply, Option<(At, Row)>)> {
    let (id, attempt) = command(setting, instance, slot)?;
    let (node, state) = instance.nth_state(usize::from(slot))?;
    let (direction, Attempt { wait, .. }) = state.attempt()?;
    let work = setting.plan.work(node.node())?;
    let kind = match (wait, direction) {
        (Wait::Query(_), Direction::Do) => ReplyKind::Query,
        (_, Direction::Undo) if !id.own_undo => ReplyKind::Undo,
        _ => ReplyKind::Do,
    };
    let invocation = engine::invocation(work, direction)?;
    let (status, payload, row) = match said {
        Said::Succeeded(value) => {
            let payload = if direction == Direction::Do { setting.value(node, value) } else { None };
            let row = if kind == ReplyKind::Undo { Row::Undone } else { Row::Done };
            (Status::Succeeded, payload, Some(row))
        }
        Said::Unfit => (Status::Succeeded, Json::parse("[]").ok(), None),
        Said::Failed(code) => {
            let declared = invocation.command.fails.get(usize::from(code)).cloned();
            let code_said = declared.unwrap_or(CompactString::const_new(UNDECLARED));
            (Status::Failed { code: code_said, message: None }, None, (kind != ReplyKind::Undo).then_some(Row::Refused))
        }
        Said::Retry => (Status::Retry { code: None }, None, None),
        Said::Pending => (Status::Pending, None, None),
        Said::Unknown => (Status::UnknownCommand, None, None),
    };
    let row = row.filter(|_| !id.own_undo).map(|row| (node, row));
    Some((Reply { command: id, kind, attempt, status, payload }, row))
}

/// A code that no contract declares.
pub(super) const UNDECLARED: &str = "not_in_the_contract";

/// What a cancel changes, if it changes anything.
pub(super) fn takes_cancel(setting: &Setting<'_>, world: &World) -> Option<Told> {
    let request = RequestId::try_from("another cancel").ok()?;
    let order = Input::Order(OrderRequest { request, order: Order::Cancel, by: None, reason: None });
    match decide(setting, &world.instance, &order) {
        Decision::Change(change, _) => Some(words::cancelled(change.events)),
        Decision::Nothing | Decision::Rejected(_) => None,
    }
}

/// Answers to what is settled, and to attempts before the current one: none of them may change anything.
pub(super) fn late(setting: &Setting<'_>, world: &World) -> Option<(At, Told)> {
    let plan = setting.plan;
    let statuses = [
        Status::Succeeded,
        Status::Failed { code: CompactString::const_new(UNDECLARED), message: None },
        Status::Pending,
        Status::Retry { code: None },
    ];
    // The last of them says something about one attempt, and only that is late while another is under way.
    let of_attempt = statuses.get(3..).unwrap_or_default();
    let mut later = Later::than(&world.instance);
    for (slot, (node, state)) in (0..=u16::MAX).zip(world.instance.states()) {
        let Kind::Step(work) = &plan.node(node.node()).kind else { continue };
        if work.action().is_none() {
            continue;
        }
        later.change_back();
        let (attempt, statuses) = match state.attempt() {
            None => (1, statuses.as_slice()),
            // A first attempt stands for later ones, too.
            Some((Direction::Do, attempt)) if attempt.number > 0 => {
                let is_earlier = later.exhaust(plan, slot);
                let last = later.instance().nth_state(usize::from(slot)).and_then(|(_, state)| state.attempt());
                let number = if is_earlier { last.map_or(0, |(_, attempt)| attempt.number) } else { attempt.number };
                if number < 2 {
                    continue;
                }
                (number - 1, of_attempt)
            }
            Some(_) => continue,
        };
        let place = plan.place(node);
        let instance = later.instance();
        let command = engine::command_id(instance, work, &place, Direction::Do);
        let mut reply = Reply { command, kind: ReplyKind::Do, attempt, status: Status::Succeeded, payload: None };
        for status in statuses {
            reply.status = status.clone();
            let input = Input::Reply(reply);
            if let Decision::Change(change, _) = decide(setting, instance, &input) {
                return Some((node, words::late(&place, status, change.events)));
            }
            let Input::Reply(same) = input else { return None };
            reply = same;
        }
    }
    None
}

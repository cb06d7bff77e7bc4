//! What can happen next in a state: answers, silence, time, people, signals; each as an input to the engine.

use compact_str::CompactString;

use super::state::{Row, World, key};
use super::{FAR, START, Setting};
use crate::definition::Participant;
use crate::engine::{
    self, Acknowledged, Attempt, Change, Command, CommandId, CommandKind, Decision, Direction, Effect, Input, Instant,
    Misfit, Order, OrderRequest, Outcome, Phase, Place, Reply, ReplyKind, RequestId, Start, State, Status,
    Undeliverable, Wait,
};
use crate::json::Json;
use crate::plan::{At, Kind, Work};

/// How many orders a person gives to what is stuck.
pub const ORDERS_MAX: u8 = 1;

/// How often each signal arrives.
pub const SIGNALS_MAX: u8 = 2;

/// What happens. A slot is the number of a state in the instance's reading order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// The saga begins, with the input of this number.
    Start(u8),
    /// An answer arrives.
    Answer {
        slot: u16,
        said: Said,
        /// To the last attempt that the retries allow.
        last: bool,
    },
    /// A wait ends by time.
    Time {
        slot: u16,
        /// The attempt is the last that the retries allow.
        last: bool,
        /// The time of all attempts is over, too.
        limit: bool,
    },
    /// The deadline comes.
    Deadline,
    /// Somebody cancels.
    Cancel,
    /// A signal arrives: which, and with which value.
    Signal { signal: u8, value: u8 },
    /// A person orders what is stuck to be tried again.
    Retry,
    /// A person says what became of a step: done, or failed with the code of this number.
    Resolve { slot: u16, failed: Option<u8> },
    /// The log has acknowledged a message.
    Acknowledge { slot: u16 },
    /// The log refuses a command or message for good.
    Refuse { slot: u16 },
    /// The participant takes another command.
    Turn { slot: u16 },
}

/// What a participant says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Done, with the value of this number.
    Succeeded(u8),
    /// Done, with a value that does not fit the contract.
    Unfit,
    /// Refused, with the code of this number; past the declared ones: another.
    Failed(u8),
    /// Not now.
    Retry,
    /// It will answer later.
    Pending,
    /// To a query: never heard of it.
    Unknown,
}

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
    for (slot, (node, state)) in (0..).zip(instance.states()) {
        if let Some((direction, attempt)) = state.attempt()
            && let Some(work) = plan.work(node.node())
        {
            of_attempt(setting, world, slot, &Asked { node, work, direction, attempt }, out);
        } else if state.until().is_some() {
            out.push(Move::Time { slot, last: false, limit: false });
        }
    }
    out.push(Move::Deadline);
    if !world.outside.cancelled {
        out.push(Move::Cancel);
    }
    for (signal, count) in (0..).zip(&world.outside.signals) {
        let values = setting.signals.get(usize::from(signal)).map_or(0, |(_, values)| values.len());
        if *count < SIGNALS_MAX {
            out.extend((0..u8::try_from(values).unwrap_or(u8::MAX)).map(|value| Move::Signal { signal, value }));
        }
    }
    if world.outside.orders < ORDERS_MAX && !instance.stuck(plan).is_empty() {
        out.push(Move::Retry);
    }
}

fn of_attempt(setting: &Setting<'_>, world: &World, slot: u16, asked: &Asked<'_>, out: &mut Vec<Move>) {
    let Asked { node, work, direction, attempt } = asked;
    let id = engine::command_id(&world.instance, work, &setting.plan.place(*node), *direction);
    let row = world.rows.get(&key(&id)).copied();
    let codes = engine::invocation(work, *direction)
        .map_or(0, |invocation| u8::try_from(invocation.command.fails.len()).unwrap_or(u8::MAX - 1));
    let mut answer = |said: Said, last: bool| out.push(Move::Answer { slot, said, last });
    // Whether the end of the attempt depends on how many there were.
    let both = [false, true];
    if !matches!(attempt.wait, Wait::Log(_) | Wait::Turn(_)) && attempt.number > 0 {
        match direction {
            Direction::Do => {
                if matches!(row, Some(Row::Sent | Row::Doing | Row::Done)) {
                    let values = setting.values(*node);
                    (0..values).for_each(|value| answer(Said::Succeeded(value), false));
                    if setting.has_unfit(*node) && attempt.wait.is_under_way() {
                        answer(Said::Unfit, false);
                    }
                }
                match row {
                    Some(Row::Sent | Row::Doing) => (0..=codes).for_each(|code| answer(Said::Failed(code), false)),
                    Some(Row::Refused(code)) => answer(Said::Failed(code), false),
                    _ => {}
                }
            }
            Direction::Undo => {
                answer(Said::Succeeded(0), false);
                answer(Said::Failed(codes), false);
            }
        }
        if attempt.wait.is_under_way() && !matches!(attempt.wait, Wait::Pending(_)) {
            let is_open =
                !matches!(row, Some(Row::Done | Row::Refused(_) | Row::Undone)) || *direction == Direction::Undo;
            if is_open {
                answer(Said::Retry, false);
                answer(Said::Retry, true);
                answer(Said::Pending, false);
            }
            if matches!(attempt.wait, Wait::Query(_)) && matches!(row, Some(Row::Sent)) {
                answer(Said::Unknown, false);
                answer(Said::Unknown, true);
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
            by_time(slot, attempt, &both, out);
        }
        Wait::Query(_) | Wait::Pause(_) | Wait::Pending(_) | Wait::Unfit(_) => by_time(slot, attempt, &both, out),
        Wait::Person(_) => {
            if world.outside.orders < ORDERS_MAX {
                let may_have_failed = *direction == Direction::Do && row == Some(Row::Sent) && codes > 0;
                out.push(Move::Resolve { slot, failed: None });
                out.extend(may_have_failed.then_some(Move::Resolve { slot, failed: Some(0) }));
            }
        }
    }
}

fn by_time(slot: u16, attempt: &Attempt, both: &[bool], out: &mut Vec<Move>) {
    let has_limit = attempt.limit != crate::time::Timestamp::NEVER;
    for last in both {
        out.push(Move::Time { slot, last: *last, limit: false });
        if has_limit {
            out.push(Move::Time { slot, last: *last, limit: true });
        }
    }
}

/// What came of a move.
pub(super) enum Moved {
    /// The engine makes nothing of it.
    Nothing,
    /// A state, and what led to it.
    To(Box<World>, Change),
    /// What the engine decided does not fit what it knows: a defect.
    Misfit(Misfit),
}

/// Carries a move out.
pub(super) fn carry_out(setting: &Setting<'_>, world: &World, step: Move) -> Moved {
    let plan = setting.plan;
    let mut next = Box::new(world.clone());
    let Some(input) = input(setting, &mut next, step) else { return Moved::Nothing };
    let Decision::Change(change) = next.decide(setting, &input) else { return Moved::Nothing };
    if let Err(misfit) = setting.engine.apply(plan, &mut next.instance, &change) {
        return Moved::Misfit(misfit);
    }
    for effect in engine::caused(plan, &next.instance, &change) {
        if let Effect::Command(Command { id, kind: CommandKind::Do | CommandKind::Undo, .. }) = effect {
            next.rows.entry(key(&id)).or_insert(Row::Sent);
        }
    }
    next.settle(setting);
    Moved::To(next, change)
}

impl World {
    fn decide(&self, setting: &Setting<'_>, input: &Input) -> Decision {
        let mut takes = |_: &Place, _: &Participant| !self.outside.is_crowded;
        setting.engine.decide(setting.plan, &self.instance, input, &mut takes)
    }

    /// Leaves out what makes no difference.
    pub(super) fn settle(&mut self, setting: &Setting<'_>) {
        let Self { instance, rows, outside } = self;
        instance.retime(|which, _| if which == Instant::Past { START } else { FAR });
        instance.uncount(setting.plan);
        instance.silence(setting.reads_messages);
        // Refused from here on.
        outside.cancelled |= instance.phase != Phase::Forward;
        for ((place, own), row) in rows {
            // What is taken back is taken back whatever became of it.
            let state = setting.plan.find(place).and_then(|node| instance.state(node));
            if !*own && matches!(state, Some(State::Undoing(_) | State::Unknown)) {
                *row = Row::Sent;
            }
        }
    }

    fn at(&self, slot: u16) -> Option<(At, &State)> {
        self.instance.states().nth(usize::from(slot))
    }
}

/// The input that a move is, and what it does outside the engine.
fn input(setting: &Setting<'_>, next: &mut World, step: Move) -> Option<Input> {
    let plan = setting.plan;
    let request = |words: String| RequestId::try_from(words.as_str()).ok();
    let order =
        |request: RequestId, order: Order| Input::Order(OrderRequest { request, order, by: None, reason: None });
    match step {
        Move::Start(number) => {
            let input = setting.inputs.get(usize::from(number))?.clone();
            Some(Input::Start(Start { input, reply_to: None, traceparent: None }))
        }
        Move::Answer { slot, said, last } => {
            if last && !next.instance.exhaust(plan, usize::from(slot)) {
                return None;
            }
            reply(setting, next, slot, said).map(Input::Reply)
        }
        Move::Time { slot, last, limit } => {
            let slot = usize::from(slot);
            if last && !next.instance.exhaust(plan, slot) {
                return None;
            }
            next.instance.retime(|which, at| match which {
                Instant::Wait(of) if of == slot => START,
                Instant::Limit(of) if of == slot && limit => START,
                _ => at,
            });
            Some(Input::Due)
        }
        Move::Deadline => {
            next.instance.retime(|which, at| if which == Instant::Deadline { START } else { at });
            next.instance.next_due(plan).filter(|due| *due <= START)?;
            Some(Input::Due)
        }
        Move::Cancel => {
            next.outside.cancelled = true;
            Some(order(request("cancel".to_owned())?, Order::Cancel))
        }
        Move::Signal { signal, value } => {
            let (name, values) = setting.signals.get(usize::from(signal))?;
            let count = next.outside.signals.get_mut(usize::from(signal))?;
            *count += 1;
            let request = request(format!("{name} {count}"))?;
            let with = Some(values.get(usize::from(value))?.clone());
            Some(order(request, Order::Signal { signal: name.clone(), with }))
        }
        Move::Retry => {
            next.outside.orders += 1;
            Some(order(request(format!("order {}", next.outside.orders))?, Order::Retry { step: None }))
        }
        Move::Resolve { slot, failed } => {
            next.outside.orders += 1;
            let (node, state) = next.at(slot)?;
            let (work, (direction, _)) = (plan.work(node.node())?, state.attempt()?);
            let place = plan.place(node);
            let id = engine::command_id(&next.instance, work, &place, direction);
            let outcome = match failed {
                Some(code) => Outcome::Failed { code: work.action()?.command.fails.get(usize::from(code))?.clone() },
                None if direction == Direction::Do => Outcome::Succeeded { reply: setting.value(node, 0) },
                None => Outcome::Succeeded { reply: None },
            };
            // A person who says that it failed has seen to it that it never happens.
            let row = match (failed, direction, id.own_undo) {
                (Some(_), ..) | (None, Direction::Undo, false) => Row::Undone,
                (None, ..) => Row::Done,
            };
            next.rows.insert(key(&id), row);
            let request = request(format!("order {}", next.outside.orders))?;
            Some(order(request, Order::Resolve { step: place, work: direction, outcome }))
        }
        Move::Acknowledge { slot } => {
            let (command, attempt) = command(setting, next, slot)?;
            Some(Input::Acknowledged(Acknowledged { command, attempt }))
        }
        Move::Refuse { slot } => {
            let (command, attempt) = command(setting, next, slot)?;
            // It was never sent, if this was the first attempt of it.
            if attempt == 1
                && let Some(row @ Row::Sent) = next.rows.get_mut(&key(&command))
            {
                *row = Row::Undone;
            }
            Some(Input::Undeliverable(Undeliverable { command, attempt, why: "the log refuses it".to_owned() }))
        }
        Move::Turn { slot } => {
            let (node, _) = next.at(slot)?;
            Some(Input::Turn(plan.place(node)))
        }
    }
}

/// The command of a state under way, and its attempt.
fn command(setting: &Setting<'_>, world: &World, slot: u16) -> Option<(CommandId, u32)> {
    let (node, state) = world.at(slot)?;
    let (direction, attempt) = state.attempt()?;
    let work = setting.plan.work(node.node())?;
    let id = engine::command_id(&world.instance, work, &setting.plan.place(node), direction);
    Some((id, attempt.number))
}

/// The reply, and what the participant remembers behind it.
fn reply(setting: &Setting<'_>, next: &mut World, slot: u16, said: Said) -> Option<Reply> {
    let (id, attempt) = command(setting, next, slot)?;
    let (node, state) = next.at(slot)?;
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
        Said::Unfit => (Status::Succeeded, Json::parse("[]").ok(), Some(Row::Done)),
        Said::Failed(code) => {
            let declared = invocation.command.fails.get(usize::from(code)).cloned();
            let code_said = declared.unwrap_or(CompactString::const_new(UNDECLARED));
            let row = (kind != ReplyKind::Undo && !id.own_undo).then_some(Row::Refused(code));
            (Status::Failed { code: code_said, message: None }, None, row)
        }
        Said::Retry => (Status::Retry { code: None }, None, None),
        Said::Pending => (Status::Pending, None, Some(Row::Doing).filter(|_| kind != ReplyKind::Undo)),
        Said::Unknown => (Status::UnknownCommand, None, None),
    };
    if let Some(row) = row {
        next.rows.insert(key(&id), row);
    }
    Some(Reply { command: id, kind, attempt, status, payload })
}

/// A code that no contract declares.
pub(super) const UNDECLARED: &str = "not_in_the_contract";

/// Whether a cancel changes anything.
pub(super) fn takes_cancel(setting: &Setting<'_>, world: &World) -> bool {
    let Ok(request) = RequestId::try_from("another cancel") else { return false };
    let order = Input::Order(OrderRequest { request, order: Order::Cancel, by: None, reason: None });
    matches!(world.decide(setting, &order), Decision::Change(_))
}

/// Answers to what is settled, and to attempts before the current one: none of them may change anything.
pub(super) fn late(setting: &Setting<'_>, world: &World) -> Option<(Place, Reply)> {
    let plan = setting.plan;
    let statuses = || {
        [
            Status::Succeeded,
            Status::Failed { code: CompactString::const_new(UNDECLARED), message: None },
            Status::Retry { code: None },
            Status::Pending,
        ]
    };
    for (node, state) in world.instance.states() {
        let Kind::Step(work) = &plan.node(node.node()).kind else { continue };
        let place = plan.place(node);
        let (attempt, statuses) = match state.attempt() {
            None => (1, statuses().to_vec()),
            // Of an attempt before, a final answer is as good as one of this.
            Some((Direction::Do, attempt)) if attempt.number > 1 => {
                (attempt.number - 1, vec![Status::Retry { code: None }])
            }
            Some(_) => continue,
        };
        if work.action().is_none() {
            continue;
        }
        for status in statuses {
            let command = engine::command_id(&world.instance, work, &place, Direction::Do);
            let reply = Reply { command, kind: ReplyKind::Do, attempt, status, payload: None };
            let decided = world.decide(setting, &Input::Reply(reply.clone()));
            if matches!(decided, Decision::Change(_)) {
                return Some((place, reply));
            }
        }
    }
    None
}

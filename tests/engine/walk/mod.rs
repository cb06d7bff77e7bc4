//! A walk through a definition: any order of answers, silence, repeats, lateness, signals, orders and time, with the
//! instance rebuilt from its journal after every record. The participants keep the guard of `docs/protocol.md`.
//!
//! What happens is chosen by numbers from outside: `walks` draws them for random definitions, a fuzzer makes them up.

pub(crate) mod data;
mod limits;
mod promises;

use std::collections::BTreeMap;
use std::time::Duration;

use compact_str::CompactString;
use saga::definition::json::least;
use saga::definition::types::Record;
use saga::definition::{Command as Contract, Participant};
use saga::engine::{
    self, Acknowledged, Change, Command, CommandId, CommandKind, Decision, Direction, Effect, Event, Input, Instance,
    InstanceId, Order, OrderRequest, Outcome, Phase, Place, Reply, ReplyKind, RequestId, Rest, Run, Start, State,
    Status, Summary, Turns, Undeliverable,
};
use saga::json::Json;
use saga::plan::{Kind, NodeId, Plan};
use saga::time::Timestamp;

use self::limits::turns;

const START: Timestamp = Timestamp(1_000_000);

/// The most inputs of a walk once chance has run out: everything then succeeds, so a walk that is longer never ends.
const FAIR_INPUTS_MAX: u32 = 5_000;

/// What a guarded participant remembers of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Row {
    Doing,
    Done,
    Failed(CompactString),
    Undone,
}

pub(crate) struct Walk {
    plan: Plan,
    instance: Instance,
    now: Timestamp,
    journal: Vec<String>,
    events: Vec<Event>,
    /// Commands on their way; any may be delivered at any time, again and again.
    commands: Vec<Command>,
    /// Replies on their way.
    replies: Vec<Reply>,
    /// Inputs of which the engine said that nobody will ever listen to them.
    ignored: Vec<Input>,
    rows: BTreeMap<CommandId, Row>,
    executed: BTreeMap<CommandId, u32>,
    choices: std::vec::IntoIter<u16>,
    orders: u32,
    fair_inputs: u32,
    turns: Turns,
}

impl Walk {
    pub(crate) fn new(plan: Plan, choices: Vec<u16>) -> Self {
        let id = InstanceId::try_from("walk/1").unwrap();
        let instance = Instance::new(id, Run(START.0), &plan);
        Self {
            plan,
            instance,
            now: START,
            journal: Vec::new(),
            events: Vec::new(),
            commands: Vec::new(),
            replies: Vec::new(),
            ignored: Vec::new(),
            rows: BTreeMap::new(),
            executed: BTreeMap::new(),
            choices: choices.into_iter(),
            orders: 0,
            fair_inputs: 0,
            turns: turns(),
        }
    }

    /// It is completed or compensated.
    pub(crate) fn has_ended(&self) -> bool {
        self.instance.has_ended()
    }

    /// Begins with an input by chance.
    pub(crate) fn start_somehow(&mut self) {
        let shape = std::sync::Arc::clone(&self.plan.saga.input);
        let input = self.value(&shape);
        self.start(input);
    }

    pub(crate) fn start(&mut self, input: Json) {
        self.tell(&Input::Start(Start { input, reply_to: None, traceparent: None }));
        assert_ne!(self.instance.phase, Phase::New);
    }

    fn choose(&mut self, below: u16) -> Option<u16> {
        self.choices.next().map(|choice| choice % below)
    }

    /// A value of this type, by chance; when that has run out, a tame one.
    fn value(&mut self, record: &Record) -> Json {
        let choices = &mut self.choices;
        data::fitting(record, "word", &mut |below| choices.next().map_or(below - 1, |choice| choice % below))
    }

    /// What the participant has promised of a command.
    fn contract(&self, place: &Place, work: Direction) -> std::sync::Arc<Contract> {
        let work = engine::invocation(self.plan.work(self.plan.find(place).unwrap().node()).unwrap(), work);
        std::sync::Arc::clone(&work.unwrap().command)
    }

    pub(crate) fn step(&mut self) {
        match self.choose(24) {
            Some(22..) => drop(self.give_turn()),
            Some(0..=6) => self.deliver_command(),
            Some(7..=12) => self.deliver_reply(),
            Some(13..=15) => self.pass_time(),
            Some(16) => self.repeat_ignored(),
            Some(17) => self.order(),
            Some(18) => self.forge(),
            Some(19..=20) => self.signal(),
            Some(_) => self.crash(),
            None => self.go_on_fairly(),
        }
    }

    /// The engine is told something; everything that must hold after it is checked.
    fn tell(&mut self, input: &Input) -> Decision {
        let again = self.would_decide(input);
        let (turns, id, now) = (&mut self.turns, &self.instance.id, self.now);
        let mut takes = |place: &Place, asked: &Participant| turns.takes(0, (id, place), asked, now);
        let decision = engine::decide(&self.plan, &self.instance, now, input, &mut takes);
        assert_eq!(decision, again, "decide is a function");
        match &decision {
            Decision::Nothing => {
                if !matches!(input, Input::Due | Input::Turn(_)) {
                    self.ignored.push(input.clone());
                }
            }
            Decision::Rejected(_) => {}
            Decision::Change(change, next) => self.record(change, next),
        }
        decision
    }

    fn would_decide(&self, input: &Input) -> Decision {
        let mut turns = self.turns.clone();
        let mut takes =
            |place: &Place, asked: &Participant| turns.takes(0, (&self.instance.id, place), asked, self.now);
        engine::decide(&self.plan, &self.instance, self.now, input, &mut takes)
    }

    fn record(&mut self, change: &Change, decided: &Instance) {
        assert!(!self.instance.has_ended(), "nothing happens behind the end: {change:?}");
        let text = serde_json::to_string(change).unwrap();
        let read: Change = serde_json::from_str(&text).unwrap();
        assert_eq!(read, *change, "a record reads as it was written");
        self.journal.push(text);
        // To a copy, as the runtime decides on one.
        let mut next = self.instance.clone();
        next.apply(&self.plan, &read).expect("what is decided can be applied");
        assert_eq!(next, *decided, "who decides and who reads the journal come to the same");
        self.instance = next;
        if self.journal.len().is_multiple_of(2) {
            self.instance.fold_in();
        }
        self.events.extend(read.events.iter().cloned());
        for place in read.events.iter().filter_map(Event::step) {
            self.turns.note(0, &self.plan, &self.instance, self.plan.find(place).unwrap());
        }
        self.check_limits();
        self.rests();
        let caused = commands(engine::caused(&self.plan, &self.instance, change));
        let pending = commands(engine::pending(&self.plan, &self.instance));
        for command in &caused {
            assert!(pending.iter().any(|pending| same(pending, command)), "an effect is owed: {command:?}");
        }
        self.commands.extend(caused);
        self.crash();
        self.check_order();
    }

    /// An instance at rest is all there.
    fn rests(&self) {
        let (mut rest, mut bytes) = (Rest::default(), Vec::new());
        rest.put(&self.instance, &self.plan, &mut bytes);
        let woken = rest.wake(self.instance.id.clone(), &self.plan, &bytes);
        assert_eq!(woken.as_ref(), Some(&self.instance));
    }

    /// All that is not in the journal is lost.
    fn crash(&mut self) {
        let mut rebuilt = Instance::new(self.instance.id.clone(), self.instance.run, &self.plan);
        for record in &self.journal {
            rebuilt.apply(&self.plan, &serde_json::from_str(record).unwrap()).expect("the journal replays");
        }
        let snapshot = rebuilt.to_snapshot(&self.plan).unwrap();
        assert_eq!(snapshot.get(), self.instance.to_snapshot(&self.plan).unwrap().get(), "byte for byte");
        assert_eq!(Instance::from_snapshot(&self.plan, &snapshot).unwrap(), rebuilt);
        assert_eq!(rebuilt, self.instance);
        self.instance = rebuilt;
        self.rebuild_turns();
        let owed = commands(engine::pending(&self.plan, &self.instance));
        self.commands.extend(owed.into_iter().take(1));
        self.commands.truncate(200);
    }

    fn deliver_command(&mut self) {
        let Some(choice) = self.choose(1 << 15).filter(|_| !self.commands.is_empty()) else { return };
        let index = usize::from(choice) % self.commands.len();
        // Mostly taken from the topic; sometimes delivered again later.
        let command = if choice % 4 == 0 { self.commands[index].clone() } else { self.commands.swap_remove(index) };
        let mood = self.choose(12).unwrap_or_default();
        if command.kind == CommandKind::Message {
            return self.log(&command, mood);
        }
        if let Some(reply) = self.participant(&command, mood) {
            self.replies.push(reply);
        }
    }

    /// The log takes a message, refuses it for good, or says nothing for now. What was delivered again is in it already.
    fn log(&mut self, command: &Command, mood: u16) {
        let (command, attempt) = (command.id.clone(), command.attempt);
        match mood {
            0 => drop(self.tell(&Input::Undeliverable(Undeliverable { command, attempt, why: "too large".into() }))),
            1..=3 => {}
            _ => drop(self.tell(&Input::Acknowledged(Acknowledged { command, attempt }))),
        }
    }

    /// A participant with the guard, in one of its moods.
    fn participant(&mut self, command: &Command, mood: u16) -> Option<Reply> {
        let late = self.now > command.deadline;
        let refuses = command.work == Direction::Do;
        let row = self.rows.get(&command.id).cloned();
        let contract = self.contract(&command.place, command.work);
        let failed = |code: &str| Status::Failed { code: code.into(), message: None };
        let retry = |code: &str| Status::Retry { code: Some(code.into()) };
        let status = match (command.kind, row) {
            (CommandKind::Do, None) if late => retry("expired"),
            (CommandKind::Do, None) => match mood {
                0 if refuses && !contract.fails.is_empty() => {
                    let index = usize::from(self.choose(16).unwrap_or_default()) % contract.fails.len();
                    let code = &contract.fails[index];
                    self.set(command, Row::Failed(code.clone()), failed(code))
                }
                0 | 1 if refuses => self.set(command, Row::Failed("unheard_of".into()), failed("unheard_of")),
                2 => retry("busy"),
                3 => self.set(command, Row::Doing, Status::Pending),
                4 => return None,
                _ => self.execute(command),
            },
            (CommandKind::Do | CommandKind::Query, Some(Row::Doing)) => match mood {
                0..=6 => self.execute(command),
                _ => Status::Pending,
            },
            (CommandKind::Do | CommandKind::Query, Some(Row::Done)) => Status::Succeeded,
            (CommandKind::Do | CommandKind::Query, Some(Row::Failed(code))) => failed(&code),
            (CommandKind::Do | CommandKind::Query, Some(Row::Undone)) => failed("already-undone"),
            (CommandKind::Undo, None | Some(Row::Done | Row::Failed(_) | Row::Undone)) => match mood {
                2 => retry("busy"),
                1 => failed("will_not"),
                4 => return None,
                _ => self.set(command, Row::Undone, Status::Succeeded),
            },
            (CommandKind::Undo, Some(Row::Doing)) => {
                // The work is finished first, then the undo comes again.
                self.execute(command);
                retry("doing")
            }
            (CommandKind::Query, None) => Status::UnknownCommand,
            (CommandKind::Message, _) => panic!("the log's, not the participant's"),
        };
        if mood == 5 {
            return None;
        }
        let kind = match command.kind {
            CommandKind::Do => ReplyKind::Do,
            CommandKind::Undo => ReplyKind::Undo,
            CommandKind::Query => ReplyKind::Query,
            CommandKind::Message => panic!("nobody answers it"),
        };
        let payload = Some(match mood {
            6 => Json::parse(r#"{"ok":"yes"}"#).unwrap(),
            7..=8 => self.value(&contract.reply),
            _ => data::more(&contract.reply, "word", &mut |below| below - 1),
        });
        Some(Reply { command: command.id.clone(), kind, attempt: command.attempt, status, payload })
    }

    fn set(&mut self, command: &Command, row: Row, status: Status) -> Status {
        self.rows.insert(command.id.clone(), row);
        status
    }

    fn execute(&mut self, command: &Command) -> Status {
        *self.executed.entry(command.id.clone()).or_default() += 1;
        assert_eq!(self.executed[&command.id], 1, "a guarded step runs at most once: {}", command.id);
        self.set(command, Row::Done, Status::Succeeded)
    }

    fn deliver_reply(&mut self) {
        let Some(choice) = self.choose(1 << 15).filter(|_| !self.replies.is_empty()) else { return };
        let index = usize::from(choice) % self.replies.len();
        let reply = if choice % 4 == 0 { self.replies[index].clone() } else { self.replies.swap_remove(index) };
        self.tell(&Input::Reply(reply));
    }

    fn pass_time(&mut self) {
        let due = self.instance.next_due(&self.plan);
        match (self.choose(3), due) {
            (Some(0), _) => self.now = self.now.after(Duration::from_secs(2)),
            (_, Some(due)) => self.now = self.now.max(due),
            (_, None) => {}
        }
        self.tell(&Input::Due);
    }

    /// What nobody listened to once, nobody listens to ever.
    fn repeat_ignored(&mut self) {
        let Some(choice) = self.choose(1 << 15).filter(|_| !self.ignored.is_empty()) else { return };
        let input = self.ignored[usize::from(choice) % self.ignored.len()].clone();
        let decision = self.would_decide(&input);
        assert!(!matches!(decision, Decision::Change(..)), "told *nothing* before: {input:?} gives {decision:?}");
    }

    fn order(&mut self) {
        let stuck = self.instance.stuck(&self.plan);
        let order = match (self.choose(8), stuck.first()) {
            (Some(0..=1), _) => Order::Cancel,
            (Some(2), Some(step)) => {
                let work = self.direction(step);
                // By hand, and the participant is told so.
                Order::Resolve {
                    step: step.clone(),
                    work,
                    outcome: Outcome::Succeeded { reply: self.reply(step, work) },
                }
            }
            (Some(3), Some(step)) => Order::Resolve {
                step: step.clone(),
                work: Direction::Do,
                outcome: Outcome::Failed { code: "no".into() },
            },
            (_, step) => Order::Retry { step: step.cloned() },
        };
        self.give(order);
    }

    /// What a person says that the step has returned, where it is one that returns something: a compensation never does.
    fn reply(&mut self, step: &Place, work: Direction) -> Option<Json> {
        if work == Direction::Undo {
            return None;
        }
        let at = self.plan.find(step)?;
        let node = at.node();
        if let Some(ty) = self.instance.wanted(&self.plan, at) {
            // Of a condition the first branch.
            let is_choice = matches!(self.plan.node(node).kind, Kind::Choice { .. });
            return Json::parse(if is_choice { "1".to_owned() } else { least(&ty, "a") }).ok();
        }
        let asked = engine::invocation(self.plan.work(node)?, work)?;
        let record = std::sync::Arc::clone(&asked.command.reply);
        Some(self.value(&record))
    }

    /// A signal comes, wanted or not.
    fn signal(&mut self) {
        let signals = self.plan.saga.signals.values().cloned().collect::<Vec<_>>();
        let Some(choice) = self.choose(1 << 15).filter(|_| !signals.is_empty()) else { return };
        let signal = &signals[usize::from(choice) % signals.len()];
        let with =
            if choice % 4 == 3 { Json::parse(r#"{"go":"perhaps"}"#).unwrap() } else { self.value(&signal.shape) };
        self.give(Order::Signal { signal: self.plan.signal_in_general(&signal.name), with: Some(with) });
    }

    fn direction(&self, place: &Place) -> Direction {
        let node = self.plan.find(place).unwrap();
        match self.instance.state(node) {
            Some(State::Undoing(..)) => Direction::Undo,
            _ => Direction::Do,
        }
    }

    /// Gives an order; says whether it changes something.
    fn give(&mut self, order: Order) -> bool {
        self.orders += 1;
        let request = RequestId::try_from(format!("order {}", self.orders).as_str()).unwrap();
        let input = Input::Order(OrderRequest { request, order, by: Some("eva".into()), reason: None });
        let changes = matches!(self.tell(&input), Decision::Change(..));
        if changes {
            assert_eq!(self.decision(&input), Decision::Nothing, "an order counts once");
        }
        changes
    }

    fn decision(&self, input: &Input) -> Decision {
        if self.instance.has_ended() {
            return Decision::Nothing;
        }
        self.would_decide(input)
    }

    /// A reply that nobody sent.
    fn forge(&mut self) {
        let Some(choice) = self.choose(1 << 15) else { return };
        let nodes: Vec<NodeId> = self.plan.nodes().map(|(id, _)| id).collect();
        let node = nodes[usize::from(choice) % nodes.len()];
        let run = if choice % 3 == 0 { Run(1) } else { self.instance.run };
        let own_undo = choice % 5 == 0;
        let place = self.plan.place(self.plan.first(node));
        let command = CommandId { instance: self.instance.id.clone(), run, place, round: 1, own_undo };
        let kinds = [ReplyKind::Do, ReplyKind::Undo, ReplyKind::Query];
        let kind = kinds[usize::from(choice / 7) % 3];
        let status = if choice % 2 == 0 { Status::Pending } else { Status::UnknownCommand };
        let attempt = u32::from(choice / 11) % 4;
        self.tell(&Input::Reply(Reply { command, kind, attempt, status, payload: None }));
    }

    /// Chance has run out: everybody is reachable, willing and quick, and a person looks after what is stuck.
    fn go_on_fairly(&mut self) {
        self.fair_inputs += 1;
        assert!(self.fair_inputs < FAIR_INPUTS_MAX, "the work can always be finished: {:?}", self.events);
        let owed = commands(engine::pending(&self.plan, &self.instance));
        if let Some(command) = owed.first()
            && command.kind == CommandKind::Message
        {
            let (command, attempt) = (command.id.clone(), command.attempt);
            let decision = self.tell(&Input::Acknowledged(Acknowledged { command, attempt }));
            assert!(matches!(decision, Decision::Change(..)), "what is owed is waited for: {decision:?}");
            return;
        }
        if let Some(command) = owed.first() {
            self.now = Timestamp(self.now.0.min(command.deadline.0));
            if let Some(reply) = self.participant(command, 11)
                && matches!(self.tell(&Input::Reply(reply)), Decision::Change(..))
            {
                return;
            }
        }
        if self.instance.summary() == Summary::Stuck {
            let stuck = self.instance.stuck(&self.plan);
            // Behind the point of no return a participant that refuses will go on to refuse: done by hand.
            let step = stuck[0].clone();
            let work = self.direction(&step);
            let reply = self.reply(&step, work);
            let is_taken = self.give(Order::Resolve { step, work, outcome: Outcome::Succeeded { reply } });
            assert!(is_taken, "there is always an order that leads on");
            return;
        }
        if self.give_turn() {
            return;
        }
        let turn = self.turns.next_at(0, self.now);
        if let Some(due) = self.instance.next_due(&self.plan).into_iter().chain(turn).min() {
            self.now = self.now.max(due);
        }
        self.tell(&Input::Due);
    }
}

fn commands(effects: Vec<Effect>) -> Vec<Command> {
    effects
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Command(command) => Some(command),
            Effect::Answer(_) => None,
        })
        .collect()
}

fn same(one: &Command, other: &Command) -> bool {
    one.id == other.id && one.kind == other.kind && one.attempt == other.attempt && one.payload == other.payload
}

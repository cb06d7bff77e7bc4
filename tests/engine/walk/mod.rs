//! Random walks: any definition, any order of answers, silence, repeats, lateness, orders and time, with the instance
//! rebuilt from its journal after every record. The participants keep the guard of `docs/protocol.md`.

mod limits;

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use saga::definition::Participant;
use saga::engine::{
    self, Acknowledged, Change, Command, CommandId, CommandKind, Decision, Direction, Effect, Event, Input, Instance,
    InstanceId, Order, OrderRequest, Outcome, Phase, Place, Reply, ReplyKind, RequestId, Rest, Run, Start, State,
    Status, Summary, Turns, Undeliverable,
};
use saga::json::Json;
use saga::plan::{NodeId, Plan};
use saga::time::Timestamp;

use self::limits::turns;
use super::shapes::{self, CODE, SIGNAL, SagaShape};

const START: Timestamp = Timestamp(1_000_000);

/// The most inputs of a walk once chance has run out: everything then succeeds, so a walk that is longer never ends.
const FAIR_INPUTS_MAX: u32 = 5_000;

/// `PROPTEST_CASES` for a longer search.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_500)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn every_walk_ends_and_holds_what_is_promised(
        shape in shapes::saga(),
        flags in 0u8..16,
        large in prop::bool::weighted(0.2),
        choices in prop::collection::vec(any::<u16>(), 0..160),
    ) {
        let mut walk = Walk::new(&shape, choices);
        walk.start(&shapes::input(flags, large));
        while !walk.instance.has_ended() {
            walk.step();
        }
        walk.check_end();
    }
}

/// What a guarded participant remembers of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Row {
    Doing,
    Done,
    Failed(&'static str),
    Undone,
}

pub(super) struct Walk {
    pub(super) plan: Plan,
    pub(super) instance: Instance,
    pub(super) now: Timestamp,
    journal: Vec<String>,
    pub(super) events: Vec<Event>,
    /// Commands on their way; any may be delivered at any time, again and again.
    commands: Vec<Command>,
    /// Replies on their way.
    pub(super) replies: Vec<Reply>,
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
    fn new(shape: &SagaShape, choices: Vec<u16>) -> Self {
        let plan = shapes::plan(shape);
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

    fn start(&mut self, input: &str) {
        let input = Json::parse(input).unwrap();
        self.tell(&Input::Start(Start { input, reply_to: None, traceparent: None }));
        assert_ne!(self.instance.phase, Phase::New);
    }

    fn choose(&mut self, below: u16) -> Option<u16> {
        self.choices.next().map(|choice| choice % below)
    }

    fn step(&mut self) {
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
            Decision::Change(change) => self.record(change),
        }
        decision
    }

    pub(super) fn would_decide(&self, input: &Input) -> Decision {
        let mut turns = self.turns.clone();
        let mut takes =
            |place: &Place, asked: &Participant| turns.takes(0, (&self.instance.id, place), asked, self.now);
        engine::decide(&self.plan, &self.instance, self.now, input, &mut takes)
    }

    fn record(&mut self, change: &Change) {
        assert!(!self.instance.has_ended(), "nothing happens behind the end: {change:?}");
        let text = serde_json::to_string(change).unwrap();
        let read: Change = serde_json::from_str(&text).unwrap();
        assert_eq!(read, *change, "a record reads as it was written");
        self.journal.push(text);
        // To a copy, as the runtime does it.
        let mut next = self.instance.clone();
        next.apply(&self.plan, &read).expect("what is decided can be applied");
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
        let refuses = !command.wire.starts_with("Undo");
        let row = self.rows.get(&command.id).cloned();
        let failed = |code: &str| Status::Failed { code: code.into(), message: None };
        let retry = |code: &str| Status::Retry { code: Some(code.into()) };
        let status = match (command.kind, row) {
            (CommandKind::Do, None) if late => retry("expired"),
            (CommandKind::Do, None) => match mood {
                0 if refuses => self.set(command, Row::Failed(CODE), failed(CODE)),
                1 if refuses => self.set(command, Row::Failed("unheard_of"), failed("unheard_of")),
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
            (CommandKind::Do | CommandKind::Query, Some(Row::Failed(code))) => failed(code),
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
        let fits = mood != 6;
        let payload = Some(Json::parse(if fits { r#"{"ok":true,"more":[1]}"# } else { r#"{"ok":"yes"}"# }).unwrap());
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
        assert!(!matches!(decision, Decision::Change(_)), "told *nothing* before: {input:?} gives {decision:?}");
    }

    fn order(&mut self) {
        let stuck = self.instance.stuck(&self.plan);
        let order = match (self.choose(8), stuck.first()) {
            (Some(0..=1), _) => Order::Cancel,
            (Some(2), Some(step)) => {
                let work = self.direction(step);
                let reply = Some(Json::parse(r#"{"ok":false}"#).unwrap());
                // By hand, and the participant is told so.
                Order::Resolve { step: step.clone(), work, outcome: Outcome::Succeeded { reply } }
            }
            (Some(3), Some(step)) => Order::Resolve {
                step: step.clone(),
                work: Direction::Do,
                outcome: Outcome::Failed { code: CODE.into() },
            },
            (_, step) => Order::Retry { step: step.cloned() },
        };
        self.give(order);
    }

    /// A signal comes, wanted or not.
    fn signal(&mut self) {
        let with = match self.choose(4) {
            Some(0) => r#"{"go":"perhaps"}"#,
            Some(1) => r#"{"go":false}"#,
            _ => r#"{"go":true}"#,
        };
        self.give(Order::Signal { signal: SIGNAL.into(), with: Some(Json::parse(with).unwrap()) });
    }

    fn direction(&self, place: &Place) -> Direction {
        let node = self.plan.find(place).unwrap();
        match self.instance.state(node) {
            Some(State::Undoing(..)) => Direction::Undo,
            _ => Direction::Do,
        }
    }

    fn give(&mut self, order: Order) {
        self.orders += 1;
        let request = RequestId::try_from(format!("order {}", self.orders).as_str()).unwrap();
        let input = Input::Order(OrderRequest { request, order, by: Some("eva".into()), reason: None });
        if matches!(self.tell(&input), Decision::Change(_)) {
            assert_eq!(self.decision(&input), Decision::Nothing, "an order counts once");
        }
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
            assert!(matches!(decision, Decision::Change(_)), "what is owed is waited for: {decision:?}");
            return;
        }
        if let Some(command) = owed.first() {
            self.now = Timestamp(self.now.0.min(command.deadline.0));
            let reply = self.participant(command, 11).map(|mut reply| {
                reply.payload = Some(Json::parse(r#"{"ok":true}"#).unwrap());
                reply
            });
            if let Some(reply) = reply
                && matches!(self.tell(&Input::Reply(reply)), Decision::Change(_))
            {
                return;
            }
        }
        if self.instance.summary(&self.plan) == Summary::Stuck {
            let stuck = self.instance.stuck(&self.plan);
            // Behind the point of no return a participant that refuses will go on to refuse: done by hand.
            let step = stuck[0].clone();
            let (work, reply) = (self.direction(&step), Some(Json::parse(r#"{"ok":true}"#).unwrap()));
            self.give(Order::Resolve { step, work, outcome: Outcome::Succeeded { reply } });
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

//! The language, paragraph by paragraph, from the text to the engine: each file reads like its paragraph.
//!
//! A [`Story`] is one instance of a saga that is written as people write it. Every method says what came of it, a line
//! a fact; behind every record the instance is rebuilt from its journal and from its snapshot, as after a crash.

mod await_;
mod for_each;
mod instead;
mod orders;
mod repeat;
mod run;
mod run_back;
mod send;
mod step;
mod try_;

use saga::check::check_text;
use saga::engine::{
    self, Acknowledged, Change, Command, CommandKind, Decision, Direction, Effect, Event, Input, Instance, InstanceId,
    Order, OrderRequest, Outcome, Reply, ReplyKind, RequestId, Run, Start, Status, Summary, Undeliverable,
};
use saga::json::Json;
use saga::plan::Plan;
use saga::time::Timestamp;

const START: Timestamp = Timestamp(1_767_225_600_000); // 2026-01-01T00:00:00Z

/// Statements in which each `@x` is a step of that name: it does what `step` says, where `NAME` is its name.
fn with_steps(statements: &str, step: &str) -> String {
    let mut parts = statements.split('@');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_at(1);
        text.extend(["step ", name, " ", &step.replace("NAME", name), rest]);
    }
    text
}

/// The same, where each step asks a shop, and is taken back there with the reason.
fn with_shop_steps(statements: &str) -> String {
    with_steps(statements, "{ call shop.Do { n: 1 }  compensate shop.Undo { n: NAME.n, why: failure.code } }")
}

/// One instance and its clock.
struct Story {
    plan: Plan,
    instance: Instance,
    now: Timestamp,
    journal: Vec<Change>,
    orders: u32,
}

impl Story {
    /// Of the last saga of a text that has no findings but warnings, begun with an input.
    fn begin(text: &str, input: &str) -> (Self, Vec<String>) {
        let mut story = Self::of(text);
        let start = Start { input: Json::parse(input).unwrap(), reply_to: None, traceparent: None };
        let lines = story.tell(&Input::Start(start));
        (story, lines)
    }

    fn of(text: &str) -> Self {
        let checked = check_text("story.saga", text);
        assert!(!checked.has_errors(), "{:?}", checked.findings);
        let saga = checked.program.sagas.values().last().unwrap().clone();
        let plan = Plan::new(saga);
        let instance = Instance::new(InstanceId::try_from("i").unwrap(), Run(START.0), &plan);
        Self { plan, instance, now: START, journal: Vec::new(), orders: 0 }
    }

    fn tell(&mut self, input: &Input) -> Vec<String> {
        match engine::decide(&self.plan, &self.instance, self.now, input, &mut |_, _| true) {
            Decision::Nothing => vec!["nothing".to_owned()],
            Decision::Rejected(rejection) => vec![format!("rejected {:?}", rejection.code)],
            Decision::Change(change, next) => {
                self.instance = next;
                let lines = change.events.iter().map(line).collect();
                self.journal.push(change);
                self.crash();
                lines
            }
        }
    }

    /// All that is not in the journal is lost; a snapshot of it is the same again.
    fn crash(&mut self) {
        let mut rebuilt = Instance::new(self.instance.id.clone(), self.instance.run, &self.plan);
        for change in &self.journal {
            let text = serde_json::to_string(change).unwrap();
            rebuilt.apply(&self.plan, &serde_json::from_str(&text).unwrap()).expect("the journal replays");
        }
        let snapshot = rebuilt.to_snapshot(&self.plan).unwrap();
        assert_eq!(snapshot.get(), self.instance.to_snapshot(&self.plan).unwrap().get(), "byte for byte");
        self.instance = Instance::from_snapshot(&self.plan, &snapshot).unwrap();
        assert_eq!(self.instance, rebuilt);
    }

    /// What the world is owed, a line each: `do reserve 1 {…}`.
    fn owed(&self) -> Vec<String> {
        let commands = self.pending().into_iter();
        commands
            .map(|sent| format!("{} {} {} {}", sent.kind.as_str(), sent.id.place, sent.attempt, sent.payload))
            .collect()
    }

    fn pending(&self) -> Vec<Command> {
        let effects = engine::pending(&self.plan, &self.instance).into_iter();
        effects.filter_map(|effect| if let Effect::Command(command) = effect { Some(command) } else { None }).collect()
    }

    /// The command or message that is owed at a place.
    fn command(&self, place: &str) -> Command {
        let mut found = self.pending().into_iter().filter(|command| command.id.place == place);
        found.next().unwrap_or_else(|| panic!("nothing is owed at {place}: {:?}", self.owed()))
    }

    fn answer(&mut self, place: &str, status: Status, payload: &str) -> Vec<String> {
        let Command { id, kind, attempt, .. } = self.command(place);
        let kind = match kind {
            CommandKind::Do | CommandKind::Message => ReplyKind::Do,
            CommandKind::Undo => ReplyKind::Undo,
            CommandKind::Query => ReplyKind::Query,
        };
        let payload = Some(Json::parse(payload).unwrap());
        self.tell(&Input::Reply(Reply { command: id, kind, attempt, status, payload }))
    }

    fn done(&mut self, place: &str, reply: &str) -> Vec<String> {
        self.answer(place, Status::Succeeded, reply)
    }

    fn undone(&mut self, place: &str) -> Vec<String> {
        self.answer(place, Status::Succeeded, "{}")
    }

    fn refused(&mut self, place: &str, code: &str) -> Vec<String> {
        self.answer(place, Status::Failed { code: code.into(), message: None }, "{}")
    }

    /// The log has a message.
    fn acknowledged(&mut self, place: &str) -> Vec<String> {
        let Command { id: command, attempt, kind, .. } = self.command(place);
        assert_eq!(kind, CommandKind::Message);
        self.tell(&Input::Acknowledged(Acknowledged { command, attempt }))
    }

    /// The log refuses a command or message for good.
    fn refused_by_log(&mut self, place: &str) -> Vec<String> {
        let Command { id: command, attempt, .. } = self.command(place);
        self.tell(&Input::Undeliverable(Undeliverable { command, attempt, why: "too large".into() }))
    }

    /// To the next instant at which time alone changes something.
    fn wait(&mut self) -> Vec<String> {
        self.now = self.instance.next_due(&self.plan).expect("something is due");
        self.tell(&Input::Due)
    }

    fn order(&mut self, order: Order) -> Vec<String> {
        self.orders += 1;
        let request = RequestId::try_from(format!("o{}", self.orders).as_str()).unwrap();
        self.tell(&Input::Order(OrderRequest { request, order, by: None, reason: None }))
    }

    fn retry(&mut self, place: &str) -> Vec<String> {
        self.order(Order::Retry { step: Some(place.into()) })
    }

    fn resolve(&mut self, place: &str, work: Direction) -> Vec<String> {
        let outcome = Outcome::Succeeded { reply: None };
        self.order(Order::Resolve { step: place.into(), work, outcome })
    }

    /// The same instance once more, to go another way.
    fn copy(&self) -> Self {
        let plan = Plan::new(self.plan.saga.clone());
        let (instance, journal) = (self.instance.clone(), self.journal.clone());
        Self { plan, instance, journal, now: self.now, orders: self.orders }
    }

    fn summary(&self) -> Summary {
        self.instance.summary()
    }
}

/// An event in few words.
fn line(event: &Event) -> String {
    let side = |work: &Direction| match work {
        Direction::Do => "",
        Direction::Undo => "undo ",
    };
    match event {
        Event::Queued { at, work, .. } => format!("queued {}{at}", side(work)),
        Event::Called { at, work, attempt, .. } => format!("called {}{at} {attempt}", side(work)),
        Event::Sent { at, work, attempt } => format!("sent {}{at} {attempt}", side(work)),
        Event::Asked { at, .. } => format!("asked {at}"),
        Event::Paused { at, work, .. } => format!("paused {}{at}", side(work)),
        Event::Pended { at, work, .. } => format!("pended {}{at}", side(work)),
        Event::Succeeded { at, work, .. } => format!("succeeded {}{at}", side(work)),
        Event::Refused { at, code, .. } => format!("refused {at} {code}"),
        Event::Lost { at } => format!("lost {at}"),
        Event::Withdrawn { at } => format!("withdrawn {at}"),
        Event::Stuck { at, work, code, .. } => format!("stuck {}{at} {code}", side(work)),
        Event::Unfit { at, why, .. } => format!("unfit {at}: {why}"),
        Event::Chose { at, arm } => format!("chose {at} {arm}"),
        Event::Bound { at, value } => format!("bound {at} {value}"),
        Event::Listed { at, elements } => format!("listed {at} {elements:?}"),
        Event::Passed { at } => format!("passed {at}"),
        Event::Judged { at, met } => format!("judged {at} {met}"),
        Event::Turned { at } => format!("turned {at}"),
        Event::Unwound { at } => format!("unwound {at}"),
        Event::Slept { at, .. } => format!("slept {at}"),
        Event::Woke { at } => format!("woke {at}"),
        Event::Caught { at, handler } => format!("caught {at} {handler}"),
        Event::Took { at, request } => format!("took {at} by {request}"),
        Event::Reached { at } => format!("reached {at}"),
        Event::Failed { scope, failure } => format!("failed {scope}: {} at {}", failure.code, failure.step),
        Event::Completed { output } => format!("completed {output}"),
        Event::Started { .. } | Event::Ordered { .. } | Event::Late | Event::Compensated => event.name().to_owned(),
    }
}

/// All scenarios of a text hold.
fn scenarios_hold(text: &str) {
    let checked = check_text("story.saga", text);
    assert!(!checked.has_errors(), "{:?}", checked.findings);
    let program = &checked.program;
    for scenario in &program.scenarios {
        let plan = Plan::new(program.sagas[&scenario.saga].clone());
        let report = saga::model::scenario::run(&plan, scenario);
        assert_eq!(report.departures, [], "{}", scenario.title);
    }
}

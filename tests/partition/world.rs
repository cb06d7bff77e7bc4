//! A world with a seed: two orchestrators, a log, a participant, clients, and everything that can go wrong between
//! any two actions.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use saga::engine::Order;
use saga::journal::{Plans, decode};
use saga::log::simulated::{Client, Faults, Random, Shelf, Simulated};
use saga::log::{JOURNAL, REPLIES, REQUESTS, Report, Request};
use saga::runtime::partition::{Config, Defect, Do, Fact, Partition, Told};
use saga::time::Timestamp;
use saga::wire::Message;

use super::judge::{Judge, Violation};
use super::participants::{Slip, Worker};
use super::saga::{COMMANDS, order, start};

/// The log's clock when a world begins.
const BEGIN: u64 = 1_800_000_000_000;
/// What a world does while things go wrong.
const STEPS: usize = 400;
/// What it may need to come to an end afterwards.
const STEPS_TO_END: usize = 20_000;

/// What is wrong with a world on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) defect: Option<Defect>,
    pub(crate) slip: Option<Slip>,
}

/// A process that orchestrates.
struct Node {
    name: &'static str,
    client: Client,
    task: Option<Partition>,
    /// When this life began: its monotonic clock counts from there.
    born: u64,
}

pub(crate) struct World {
    random: Random,
    wrong: Wrong,
    log: Simulated,
    nodes: Vec<Node>,
    worker: Worker,
    plans: Arc<Plans>,
    judge: Judge,
    /// Milliseconds since the beginning.
    now: u64,
    /// How far the participant's clock is behind: then deadlines do not hold late commands back.
    slow_clock: u64,
    lives: u32,
    script: VecDeque<Message>,
    /// Commands that the participant has to deal with.
    commands: Vec<usize>,
    commands_seen: usize,
    answers_seen: usize,
    dead_seen: usize,
    crashes: u32,
    crashed: u32,
    handovers: u32,
    handed: u32,
    checkpoint_bytes: u64,
    retain: Duration,
    remember: Duration,
    requests: u32,
}

/// Lives a whole world.
pub(crate) fn live(seed: u64, wrong: Wrong) -> Result<(), Violation> {
    World::new(seed, wrong).live()
}

impl World {
    fn new(seed: u64, wrong: Wrong) -> Self {
        let mut random = Random::new(seed);
        // Few faults a world, of all kinds over the worlds: what one fault breaks is not hidden by the next.
        let mut some = |most: usize| u32::try_from(random.below(most + 1).saturating_sub(random.below(2))).unwrap();
        let faults =
            Faults { lost: some(2), unacknowledged: some(2), late: some(2), doubled: some(1), reordered: some(2) };
        let (crashes, handovers) = (some(3), some(3));
        let log = Simulated::new(random.next(), 1, faults, Timestamp(BEGIN));
        let plans = super::saga::plans();
        let remember = Duration::from_secs([2, 6, 20][random.below(3)]);
        let script = script(&mut random);
        let node = |name, number| Node { name, client: Client(number), task: None, born: 0 };
        Self {
            judge: Judge::new(Arc::clone(&plans), remember),
            remember,
            worker: Worker::new(wrong.slip),
            checkpoint_bytes: [1_500, 4_000, 8 << 20][random.below(3)],
            retain: [Duration::ZERO, Duration::from_secs(10), Duration::from_secs(1_000)][random.below(3)],
            slow_clock: [0, 0, 12_000][random.below(3)],
            random,
            wrong,
            log,
            nodes: vec![node("left", 0), node("right", 1)],
            plans,
            now: 0,
            lives: 2,
            script,
            commands: Vec::new(),
            commands_seen: 0,
            answers_seen: 0,
            dead_seen: 0,
            crashes,
            crashed: 0,
            handovers,
            handed: 0,
            requests: 0,
        }
    }

    fn live(mut self) -> Result<(), Violation> {
        self.start(0);
        self.start(1);
        self.log.assign(0, self.nodes[0].client);
        for _ in 0..STEPS {
            self.step()?;
        }
        self.end()
    }

    fn start(&mut self, node: usize) {
        self.lives += 1;
        let mut config = Config::new(0, 1, self.nodes[node].name);
        config.owner = format!("{}-{}", self.nodes[node].name, self.lives).into();
        config.remember = self.remember;
        config.retain = self.retain;
        config.checkpoint_bytes = self.checkpoint_bytes;
        config.release = Duration::from_secs(3);
        config.defect = self.wrong.defect;
        let node = &mut self.nodes[node];
        node.client = Client(self.lives);
        node.task = Some(Partition::new(config, Arc::clone(&self.plans)));
        node.born = self.now;
    }

    fn step(&mut self) -> Result<(), Violation> {
        match self.random.below(100) {
            0..60 => self.log_step(),
            60..68 => {
                if let Some(message) = self.script.pop_front() {
                    self.log.put(REQUESTS, Some(0), message.into());
                }
                Ok(())
            }
            68..84 => {
                self.work();
                Ok(())
            }
            84..94 => {
                let pause = [1, 20, 300, 2_100, 5_000][self.random.below(5)];
                self.pass(pause)
            }
            94..96 => self.hand_over(),
            96..98 => {
                let node = self.random.below(2);
                self.crash(node);
                Ok(())
            }
            _ => {
                let node = self.random.below(2);
                if self.nodes[node].task.is_none() {
                    self.revive(node);
                    return Ok(());
                }
                self.tell(node, Told::Tick)
            }
        }
    }

    fn log_step(&mut self) -> Result<(), Violation> {
        let delivery = self.log.step();
        self.look()?;
        let Some(delivery) = delivery else { return Ok(()) };
        let Some(node) = self.nodes.iter().position(|node| node.client == delivery.client && node.task.is_some())
        else {
            return Ok(());
        };
        self.tell(node, Told::Log(delivery.report))
    }

    /// Whatever has landed is looked at.
    fn look(&mut self) -> Result<(), Violation> {
        let none = Shelf::default();
        let kept = |name| self.log.shelf(name, 0).unwrap_or(&none);
        for (topic, seen) in [
            (COMMANDS, &mut self.commands_seen),
            (super::saga::ANSWERS, &mut self.answers_seen),
            (saga::log::DEAD, &mut self.dead_seen),
        ] {
            for stored in kept(topic).records.iter().skip(*seen) {
                if topic == COMMANDS {
                    self.commands.push(*seen);
                }
                self.judge.lands(&stored.message);
                *seen += 1;
            }
        }
        self.judge.journal(kept(JOURNAL), kept(REQUESTS), kept(REPLIES))
    }

    fn tell(&mut self, node: usize, told: Told) -> Result<(), Violation> {
        let mut out = Vec::new();
        let now = Duration::from_millis(self.now - self.nodes[node].born);
        let Some(task) = &mut self.nodes[node].task else { return Ok(()) };
        task.handle(told, now, &mut out);
        let client = self.nodes[node].client;
        self.compare(node, &out)?;
        for doing in out {
            if self.crashed < self.crashes && self.random.below(400) == 0 {
                self.crash(node);
                return Ok(());
            }
            match doing {
                Do::Ask(request) => {
                    if let Request::Append(append) = &request
                        && *append.topic != *JOURNAL
                    {
                        self.judge.sends(append)?;
                    }
                    self.log.submit(client, 0, request);
                }
                Do::Tell(fact) => self.hear(&fact)?,
            }
        }
        Ok(())
    }

    /// An owner that has just recovered is compared with the truth. It may have begun to work in the same breath.
    fn compare(&self, node: usize, out: &[Do]) -> Result<(), Violation> {
        let Some(ledger) = self.nodes[node].task.as_ref().and_then(Partition::ledger) else { return Ok(()) };
        let mut running = None;
        let mut own = Vec::new();
        for doing in out {
            match doing {
                Do::Tell(Fact::Running { epoch, .. }) => running = Some(*epoch),
                Do::Ask(Request::Append(append)) if *append.topic == *JOURNAL && running.is_some() => {
                    own.push(decode(&append.message.payload).unwrap());
                }
                _ => {}
            }
        }
        running.map_or(Ok(()), |epoch| self.judge.running(epoch, ledger, &own))
    }

    fn hear(&mut self, fact: &Fact) -> Result<(), Violation> {
        if let Fact::Stopped(stop) = fact {
            return Err(Violation(format!("a partition never stops by itself: {stop}")));
        }
        self.judge.hears(fact)
    }

    fn crash(&mut self, node: usize) {
        if self.crashed < self.crashes && self.nodes[node].task.take().is_some() {
            self.crashed += 1;
            self.log.crash(self.nodes[node].client);
        }
    }

    fn revive(&mut self, node: usize) {
        let was = self.nodes[node].client;
        self.start(node);
        if self.log.owner(0) == Some(was) {
            self.log.assign(0, self.nodes[node].client);
        }
    }

    /// The partition goes to the other one. The one before learns of it now, or when it notices.
    fn hand_over(&mut self) -> Result<(), Violation> {
        if self.handed >= self.handovers {
            return Ok(());
        }
        let owner = self.log.owner(0);
        let from = usize::from(self.nodes[1].client == owner.unwrap_or(Client(0)));
        if self.nodes[1 - from].task.is_none() {
            return Ok(());
        }
        self.handed += 1;
        self.log.assign(0, self.nodes[1 - from].client);
        if self.random.chance(50) { self.tell(from, Told::Log(Report::Revoked)) } else { Ok(()) }
    }

    fn pass(&mut self, millis: u64) -> Result<(), Violation> {
        self.now += millis;
        self.log.now = Timestamp(BEGIN + self.now);
        for node in 0..2 {
            let now = Duration::from_millis(self.now - self.nodes[node].born);
            if self.nodes[node].task.as_ref().and_then(Partition::wakes_at).is_some_and(|due| due <= now) {
                self.tell(node, Told::Tick)?;
            }
        }
        Ok(())
    }

    /// The participant deals with a command: mostly the oldest, mostly once, and mostly replies once.
    fn work(&mut self) {
        if self.commands.is_empty() {
            return;
        }
        let index = if self.random.chance(70) { 0 } else { self.random.below(self.commands.len()) };
        let command = self.commands[index];
        if !(self.worker.moody && self.random.chance(15)) {
            self.commands.remove(index);
        }
        let message = Arc::clone(&self.log.shelf(COMMANDS, 0).unwrap().records[command].message);
        let reply =
            Arc::new(self.worker.handle(&message, Timestamp(BEGIN + self.now - self.slow_clock), &mut self.random));
        let copies = if self.worker.moody { [0, 1, 1, 1, 1, 1, 1, 2][self.random.below(8)] } else { 1 };
        if copies == 0 {
            self.commands.push(command); // it crashed before it replied, and reads the command again
        }
        for _ in 0..copies {
            self.log.put(REPLIES, Some(0), Arc::clone(&reply));
        }
    }

    /// Nothing goes wrong any more: now everything must come to its end.
    fn end(mut self) -> Result<(), Violation> {
        self.log.heal();
        self.worker.moody = false;
        (self.crashes, self.handovers) = (0, 0);
        for node in 0..2 {
            if self.nodes[node].task.is_none() {
                self.revive(node);
            }
        }
        for step in 0..STEPS_TO_END {
            if let Some(message) = self.script.pop_front() {
                self.log.put(REQUESTS, Some(0), message.into());
            }
            if !self.log.is_idle() {
                self.log_step()?;
            } else if !self.commands.is_empty() {
                self.work();
            } else if self.is_over() {
                return self.verdict();
            } else {
                self.help();
                self.pass(if step % 50 == 49 { 30_000 } else { 500 })?;
            }
        }
        let truth = self.judge.truth().to_text().unwrap();
        Err(Violation(format!("work can always be finished: it is not, and stands at\n{truth}")))
    }

    fn is_over(&self) -> bool {
        let owner = self.nodes.iter().find(|node| Some(node.client) == self.log.owner(0));
        let Some(ledger) = owner.and_then(|node| node.task.as_ref()).and_then(Partition::ledger) else { return false };
        let end = |topic| self.log.shelf(topic, 0).map_or(0, |shelf| shelf.records.len() as u64);
        let read = self.judge.truth().read;
        ledger.all_live().len() == 0
            && read.requests == end(REQUESTS)
            && read.replies == end(REPLIES)
            && self.judge.truth().to_text().unwrap() == ledger.to_text().unwrap()
    }

    /// A person tries what is stuck again.
    fn help(&mut self) {
        let stuck: Vec<String> = self
            .judge
            .truth()
            .all_live()
            .filter(|live| !live.instance.stuck(&live.plan).is_empty())
            .map(|live| live.instance.id.to_string())
            .collect();
        for id in stuck {
            self.requests += 1;
            let message = order(&id, Order::Retry { step: None }, &format!("help-{}", self.requests));
            self.log.put(REQUESTS, Some(0), message.into());
        }
    }

    fn verdict(mut self) -> Result<(), Violation> {
        self.look()?;
        let none = Shelf::default();
        let kept = |name| self.log.shelf(name, 0).unwrap_or(&none);
        self.judge.end(kept(REQUESTS), kept(REPLIES), &self.worker.work)?;
        // What a crash leaves under way lands piece by piece, and each piece is a fault of its own.
        let faults = self.log.happened.total() + self.log.landed_late + self.crashed;
        let most = 1 + 3 * self.handed + 2 * faults;
        if self.judge.claims > most {
            return Err(Violation(format!(
                "a handover costs at most 3 claims, another fault 2: {} handovers and {faults} faults cost {} claims",
                self.handed, self.judge.claims
            )));
        }
        Ok(())
    }
}

/// What the clients ask for, in their order.
fn script(random: &mut Random) -> VecDeque<Message> {
    let mut all = Vec::new();
    for (number, id) in ["x", "y", "z"].into_iter().enumerate() {
        all.push(start(id, "{}", &format!("start-{id}")));
        for repeat in 0..random.below(4) {
            all.push(start(id, "{}", &format!("again-{id}-{repeat}")));
        }
        if random.chance(30) {
            all.push(order(id, Order::Cancel, &format!("cancel-{id}")));
        }
        if random.chance(20) {
            all.push(start(id, "{ \"surplus\": 1 }", &format!("conflict-{id}")));
        }
        if random.chance(20) {
            all.push(order(id, Order::Retry { step: Some("a".into()) }, &format!("retry-{id}-{number}")));
        }
    }
    if random.chance(20) {
        all.push(Message { key: Arc::from("junk"), ..Message::default() });
    }
    // Mostly in their order.
    for _ in 0..random.below(8) {
        let (left, right) = (random.below(all.len()), random.below(all.len()));
        all.swap(left, right);
    }
    all.into()
}

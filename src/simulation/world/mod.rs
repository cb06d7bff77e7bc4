//! A world with a seed: orchestrators that win and lose partitions, a log, a participant, clients, and everything that
//! can go wrong between any two actions.

#![expect(
    clippy::indexing_slicing,
    reason = "numbers of nodes and partitions are drawn below their count; a panic is told as a promise that is broken"
)]

mod chaos;
mod clients;
mod clocks;
mod end;
mod node;
mod operators;
mod seen;

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use self::chaos::{Chaos, faults};
use self::clocks::{Clocks, pauses};
use self::node::{Node, Running};
use self::operators::Operators;
use super::cast::Cast;
use super::judge::{Judge, Shelves, Violation, broken, hands_over, justification, violated};
use super::requests::ANSWERS;
use super::troubles::{Trouble, Wanted};
use super::worker::{Slip, Worker};
use crate::definition::Per;
use crate::engine::InstanceId;
use crate::journal::decode;
use crate::log::simulated::{Manner, Random, Shelf, Simulated};
use crate::log::{DEAD, JOURNAL, Outcome, REPLIES, REQUESTS, Report, Request, Ticket, partition_of};
use crate::runtime::partition::{CLAIM_WITHIN, Defect, Do, Fact, Partition, Stop, Told};
use crate::time::Timestamp;
use crate::wire::Message;

pub(super) use self::clients::SAGAS_MAX;
pub use self::seen::Seen;

/// The log's clock when a world begins.
pub(super) const BEGIN: u64 = 1_800_000_000_000;
/// What a world does while things go wrong, and so much more for each partition.
const STEPS: (usize, usize) = (280, 120);

/// How many partitions a world has: small ones more often.
const PARTITIONS: [u32; 5] = [1, 1, 2, 3, PARTITIONS_MAX];
const PARTITIONS_MAX: u32 = 4;

/// How logs report: as a rule; late and out of order; appends slower than all else.
const MANNERS: [Manner; 6] = [
    Manner::USUAL,
    Manner::USUAL,
    Manner::USUAL,
    Manner { prompt: 15, overtaking: 60, slow: 0 },
    Manner { prompt: 50, overtaking: 15, slow: 90 },
    Manner { prompt: 98, overtaking: 5, slow: 99 },
];
/// How many steps a saga has that [`STEPS`] are for; longer ones get more in proportion.
const STEPS_FOR: usize = 4;

/// What is wrong with a world on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wrong {
    /// A fault of the orchestrators.
    pub defect: Option<Defect>,
    /// A fault of the participants.
    pub slip: Option<Slip>,
}

/// How the orchestrators of a world are run.
#[derive(Clone, Copy, Debug)]
struct Ways {
    checkpoint_bytes: u64,
    retain: Duration,
    remember: Duration,
    in_flight_max: usize,
    owed_max: usize,
    live_max: usize,
}

pub(super) struct World {
    random: Random,
    wrong: Wrong,
    partitions: u32,
    ways: Ways,
    log: Simulated,
    nodes: Vec<Node>,
    lives: u32,
    cast: Arc<Cast>,
    worker: Worker,
    judges: Vec<Judge>,
    /// What participants take at once, by their topics.
    at_once: Vec<(Arc<str>, u32)>,
    /// All topics that are looked at for what lands.
    topics: Vec<Arc<str>>,
    pauses: [u64; 5],
    /// Milliseconds since the beginning.
    now: u64,
    /// How far the participant's clock is behind: then deadlines do not hold late commands back.
    slow_clock: u64,
    /// What clients still ask for, and whom.
    script: VecDeque<Message>,
    /// Somebody who writes into journals what is no record, in every eighth world; with dice of its own, so that the other
    /// worlds are as they would be without.
    stranger: Option<Random>,
    clocks: Clocks,
    operators: Operators,
    /// What fills the disk of the log, in every fourth world; with dice of its own too.
    filler: Option<Random>,
    ids: Vec<InstanceId>,
    /// Commands that participants have to deal with: topic, partition, offset.
    commands: Vec<(Arc<str>, u32, usize)>,
    seen: BTreeMap<(Arc<str>, u32), usize>,
    /// How many records had landed when the world was last looked at.
    landed: u64,
    /// Effects that are under way: so that their refusals are noticed.
    under_way: BTreeMap<(u32, u32, Ticket), Arc<Message>>,
    /// When claims were handed over that are under way, and how many took so long that they are made again.
    claims: BTreeMap<(u32, u32, Ticket), Duration>,
    slow_claims: u32,
    /// How far an owner's clock may be ahead of the log's: as long as its claim took, which is not long but where several in
    /// a row were.
    ahead: BTreeMap<(u32, u32), Duration>,
    chaos: Chaos,
    requests: u32,
    /// The most that it does while things go wrong.
    steps: usize,
    /// Whether clients ask in the wrong place.
    clients_err: bool,
}

/// Lives a whole world.
///
/// # Errors
/// A property does not hold, or something panicked.
pub fn live(cast: &Arc<Cast>, seed: u64, wanted: &Wanted, wrong: Wrong) -> Result<Seen, Violation> {
    World::new(cast, seed, wanted, wrong).whole()
}

/// Lives a world and tells what stands in its topics when it ends, well or not.
#[must_use]
pub fn tell(cast: &Arc<Cast>, seed: u64, wanted: &Wanted, wrong: Wrong) -> String {
    let mut world = World::new(cast, seed, wanted, wrong);
    let end = world.whole();
    format!("{}\n{end:?}", world.story())
}

/// The most actions of a world of this saga while things go wrong.
pub(super) fn longest_life(cast: &Cast) -> usize {
    life(cast, PARTITIONS_MAX as usize)
}

fn life(cast: &Cast, partitions: usize) -> usize {
    (STEPS.0 + STEPS.1 * partitions) * length(cast) / STEPS_FOR
}

/// How many steps its saga has; at least as many as the usual life is for.
fn length(cast: &Cast) -> usize {
    cast.plan.invocations().count().max(STEPS_FOR)
}

impl World {
    fn new(cast: &Arc<Cast>, seed: u64, wanted: &Wanted, wrong: Wrong) -> Self {
        let mut random = Random::new(seed);
        let only = |trouble, value: u64| if wanted.has(trouble) { value } else { 0 };
        let at_once: Vec<_> = cast.limits().filter(|(_, limit)| limit.per == Per::Once).collect();
        // A partition without a share could not go on: that is refused when a definition is deployed.
        let most = at_once.iter().map(|(_, limit)| limit.count).min().unwrap_or(u32::MAX);
        let partitions = random.one_of(PARTITIONS).min(most);
        let remember = Duration::from_millis(random.one_of([500, 2_000, 6_000, 20_000]));
        let ways = Ways {
            checkpoint_bytes: random.one_of([1_500, 4_000, 8 << 20]),
            retain: random.one_of([Duration::ZERO, Duration::from_secs(10), Duration::from_secs(1_000)]),
            remember,
            in_flight_max: random.one_of([1_000, 1_000, 8, 3, 1]),
            owed_max: random.one_of([10_000, 10_000, 2]),
            live_max: random.one_of([1_000, 1_000, 1_000, 1]),
        };
        let faults = wanted.of(faults(&mut random));
        let mut log = Simulated::new(random.next(), partitions, faults, Timestamp(BEGIN));
        log.manner = random.one_of(MANNERS);
        let (ids, script) = clients::script(cast, wanted, &mut random);
        let names = random.one_of([&["left", "right"][..], &["left", "right", "third"]]);
        let judge = |partition| Judge::new(partition, partitions, cast, remember);
        let mut topics: Vec<Arc<str>> = [ANSWERS, DEAD, REQUESTS, REPLIES].map(Arc::from).into();
        topics.extend(cast.participants.keys().cloned());
        let mut worker = Worker::new(cast, wrong.slip);
        worker.moody = wanted.has(Trouble::Participant);
        let quick = random.below(3) == 0;
        Self {
            judges: (0..partitions).map(judge).collect(),
            partitions,
            ways,
            worker,
            at_once: at_once.into_iter().map(|(topic, limit)| (Arc::clone(topic), limit.count)).collect(),
            topics,
            pauses: pauses(cast, quick),
            slow_clock: only(Trouble::SlowClock, random.one_of([0, 0, 12_000])),
            chaos: Chaos::new(&mut random, partitions, wanted),
            random,
            wrong,
            log,
            nodes: names.iter().map(|name| Node::new(name)).collect(),
            lives: 0,
            cast: Arc::clone(cast),
            now: 0,
            script,
            stranger: (seed % 8 == 7 && wanted.has(Trouble::Stranger)).then(|| Random::new(!seed)),
            clocks: Clocks::new(seed, wanted),
            operators: Operators::new(seed, wanted),
            filler: (seed % 4 == 2).then(|| Random::new(!seed)),
            ids,
            commands: Vec::new(),
            seen: BTreeMap::new(),
            landed: 0,
            under_way: BTreeMap::new(),
            claims: BTreeMap::new(),
            slow_claims: 0,
            ahead: BTreeMap::new(),
            requests: 0,
            steps: wanted.steps.unwrap_or(usize::MAX),
            clients_err: wanted.has(Trouble::Client),
        }
    }

    /// The whole life; a panic breaks a promise too.
    fn whole(&mut self) -> Result<Seen, Violation> {
        let lived = catch_unwind(AssertUnwindSafe(|| self.live()));
        lived.unwrap_or_else(|panic| {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
            Err(Violation { property: "nothing panics", details: words.to_owned() })
        })
    }

    fn live(&mut self) -> Result<Seen, Violation> {
        for node in 0..self.nodes.len() {
            self.start(node);
        }
        for partition in 0..self.partitions {
            let node = self.random.below(self.nodes.len());
            self.log.assign(partition, self.nodes[node].client);
        }
        for _ in 0..life(&self.cast, self.judges.len()).min(self.steps) {
            self.step()?;
        }
        self.end()
    }

    fn step(&mut self) -> Result<(), Violation> {
        self.litter();
        self.fill();
        self.jump();
        self.operate();
        match self.random.below(100) {
            0..62 => self.log_step(),
            62..69 => {
                self.ask();
                Ok(())
            }
            69..82 => {
                self.work();
                Ok(())
            }
            82..91 => {
                let pause = self.random.one_of(self.pauses);
                let is_long = self.cast.waits && self.random.chance(10);
                self.pass(if is_long { self.until_due() } else { pause })
            }
            91 => {
                let id = self.ids[self.random.below(self.ids.len())].clone();
                let partition = partition_of(id.as_str(), self.partitions);
                let look = Told::Look { token: 1, instance: id };
                let node = self.random.below(self.nodes.len());
                self.tell(node, partition, vec![look])
            }
            _ => self.disturb(),
        }
    }

    fn log_step(&mut self) -> Result<(), Violation> {
        let delivery = self.log.step();
        self.look()?;
        let Some(delivery) = delivery else { return Ok(()) };
        let Some(node) = self.nodes.iter().position(|node| node.client == delivery.client && node.is_up()) else {
            return Ok(());
        };
        self.report(node, delivery.partition, delivery.report)
    }

    fn report(&mut self, node: usize, partition: u32, report: Report) -> Result<(), Violation> {
        if let Node { running: Some(Running { paused: Some(inbox), .. }), .. } = &mut self.nodes[node] {
            inbox.push_back((partition, report));
            return Ok(());
        }
        self.tell(node, partition, vec![Told::Log(report)])
    }

    /// Whatever has landed is looked at.
    fn look(&mut self) -> Result<(), Violation> {
        if std::mem::replace(&mut self.landed, self.log.landed) == self.log.landed {
            return Ok(());
        }
        let none = Shelf::default();
        for partition in 0..self.partitions {
            let kept = |name| self.log.shelf(name, partition).unwrap_or(&none);
            for topic in &self.topics {
                let seen = self.seen.entry((Arc::clone(topic), partition)).or_default();
                for stored in kept(topic).records.iter().skip(*seen) {
                    if self.cast.participants.contains_key(topic) {
                        self.commands.push((Arc::clone(topic), partition, *seen));
                    }
                    if let Some((record, key)) = justification(&stored.message)
                        && let Some(judge) =
                            usize::try_from(record.partition).ok().and_then(|at| self.judges.get_mut(at))
                    {
                        judge.lands(record.offset, key);
                    }
                    *seen += 1;
                }
            }
        }
        for (partition, judge) in (0..).zip(&mut self.judges) {
            let kept = |name| self.log.shelf(name, partition).unwrap_or(&none);
            judge.journal(Shelves { journal: kept(JOURNAL), requests: kept(REQUESTS), replies: kept(REPLIES) })?;
        }
        for (topic, at_once) in &self.at_once {
            let under_way: usize = self.judges.iter().map(|judge| judge.under_way(topic)).sum();
            if under_way > *at_once as usize {
                violated("never more at once than the participant takes", format!("{under_way} of {topic}"))?;
            }
        }
        Ok(())
    }

    fn judge(&mut self, partition: u32) -> &mut Judge {
        &mut self.judges[partition as usize]
    }

    /// What is told together comes to one task in one go, as to one that has stood still.
    fn tell(&mut self, node: usize, partition: u32, told: Vec<Told>) -> Result<(), Violation> {
        let client = self.nodes[node].client;
        let Some(clock) = self.nodes[node].running.as_ref().map(|running| running.time(self.now)) else {
            return Ok(());
        };
        for told in &told {
            let Told::Log(Report::Appended { ticket, outcome }) = told else { continue };
            let claimed = self.claims.remove(&(client.0, partition, *ticket));
            if let Some(took) = claimed.map(|at| clock.saturating_sub(at)) {
                self.slow_claims += u32::from(took > CLAIM_WITHIN);
                self.ahead.insert((client.0, partition), took.max(CLAIM_WITHIN));
            }
            let effect = self.under_way.remove(&(client.0, partition, *ticket));
            if let (Some(message), Outcome::Refused(_)) = (effect, outcome) {
                self.judge(partition).refuses(&message);
            }
        }
        let mut out = Vec::new();
        let Some(Running { tasks, .. }) = &mut self.nodes[node].running else { return Ok(()) };
        tasks[partition as usize].handle(told, clock, &mut out);
        self.compare(node, partition, &out)?;
        for doing in out {
            // Nothing rests on these: a crash before them is one before what follows.
            if matches!(doing, Do::Tell(Fact::Recovering | Fact::Elsewhere)) {
                continue;
            }
            if self.chaos.crashes > 0 && self.random.below(400) == 0 {
                self.crash(node);
                return Ok(());
            }
            match doing {
                Do::Ask(request) => {
                    match &request {
                        Request::Append(append) if *append.topic == *JOURNAL => {
                            if decode(&append.message.payload).map_err(broken)?.body.name() == "claim" {
                                self.claims.insert((client.0, partition, append.ticket), clock);
                            }
                            if let Some(replies) = self.log.shelf(REPLIES, partition) {
                                let ahead = self.ahead.get(&(client.0, partition)).copied().unwrap_or_default();
                                hands_over(append, replies, ahead + self.clocks.apart())?;
                            }
                        }
                        Request::Append(append) => {
                            self.judge(partition).sends(append)?;
                            let message = Arc::clone(&append.message);
                            self.under_way.insert((client.0, partition, append.ticket), message);
                        }
                        Request::Truncate { before, .. } => self.judge(partition).cuts(*before)?,
                        _ => {}
                    }
                    self.log.submit(client, partition, request);
                }
                Do::Tell(fact) => self.hear(node, partition, &fact)?,
                Do::Wake(_) => violated("each partition has a share of its own", partition)?,
            }
        }
        Ok(())
    }

    /// An owner that has just recovered is compared with the truth. It may have begun to work in the same breath.
    fn compare(&self, node: usize, partition: u32, out: &[Do]) -> Result<(), Violation> {
        let task = self.nodes[node].running.as_ref().map(|running| &running.tasks[partition as usize]);
        let Some(ledger) = task.and_then(Partition::ledger) else { return Ok(()) };
        let mut running = None;
        let mut own = Vec::new();
        for doing in out {
            match doing {
                Do::Tell(Fact::Running { epoch, .. }) => running = Some(*epoch),
                Do::Ask(Request::Append(append)) if *append.topic == *JOURNAL && running.is_some() => {
                    own.push(decode(&append.message.payload).map_err(broken)?);
                }
                _ => {}
            }
        }
        running.map_or(Ok(()), |epoch| self.judges[partition as usize].running(epoch, ledger, &own))
    }

    fn hear(&mut self, node: usize, partition: u32, fact: &Fact) -> Result<(), Violation> {
        match fact {
            Fact::Stopped(stop) => {
                if let Stop::InputsLost { topic, read, start, .. } = &**stop
                    && self.log.shelf(topic, partition).is_some_and(|shelf| shelf.start >= *start && start > read)
                {
                    self.stops(node, partition);
                    return Ok(());
                }
                violated("a partition never stops by itself", stop)
            }
            Fact::Released => {
                self.released(node, partition);
                Ok(())
            }
            fact => self.judge(partition).hears(fact),
        }
    }

    /// A participant deals with a command: mostly the oldest, mostly once, and mostly replies once, to where it should.
    fn work(&mut self) {
        if self.commands.is_empty() {
            return;
        }
        let has_room = self.log.full().is_none();
        let index = if self.random.chance(70) { 0 } else { self.random.below(self.commands.len()) };
        let command = self.commands[index].clone();
        if !(self.worker.moody && self.random.chance(15)) {
            self.commands.remove(index);
        }
        let (topic, partition, at) = &command;
        let Some(stored) = self.log.shelf(topic, *partition).and_then(|shelf| shelf.records.get(*at)) else { return };
        let message = Arc::clone(&stored.message);
        let now = Timestamp(BEGIN + self.now - self.slow_clock.min(self.now));
        let Some((reply, to)) = self.worker.handle(topic, &message, now, &mut self.random) else { return };
        let reply = Arc::new(reply);
        let copies = if self.worker.moody { self.random.one_of([0, 1, 1, 1, 1, 1, 1, 2]) } else { 1 };
        let copies = if has_room { copies } else { 0 };
        if copies == 0 {
            // It crashed before it replied, or could not, and reads the command again.
            self.commands.push(command);
        }
        for _ in 0..copies {
            let to = if self.worker.moody && self.random.chance(8) { self.any_partition() } else { to };
            self.log.put(REPLIES, Some(to), Arc::clone(&reply));
        }
    }

    fn any_partition(&mut self) -> u32 {
        u32::try_from(self.random.below(self.judges.len())).unwrap_or_default()
    }
}

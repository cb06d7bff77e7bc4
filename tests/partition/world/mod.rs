//! A world with a seed: orchestrators that win and lose partitions, a log, a participant, clients, and everything that
//! can go wrong between any two actions.

mod chaos;
mod clients;
mod end;
mod node;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use saga::definition::{Limit, Per};
use saga::engine::InstanceId;
use saga::journal::{Plans, decode};
use saga::log::simulated::{Faults, Manner, Random, Shelf, Simulated};
use saga::log::{DEAD, JOURNAL, Outcome, REPLIES, REQUESTS, Report, Request, Ticket, partition_of};
use saga::runtime::partition::{CLAIM_WITHIN, Defect, Do, Fact, Partition, Stop, Told};
use saga::time::Timestamp;
use saga::wire::Message;

use self::chaos::Chaos;
use self::node::{Node, Running};
use super::judge::{Judge, Shelves, Violation, hands_over, justification};
use super::participants::{Slip, Worker};
use super::saga::{ANSWERS, COMMANDS};

/// The log's clock when a world begins.
const BEGIN: u64 = 1_800_000_000_000;
/// What a world does while things go wrong, and so much more for each partition.
const STEPS: (usize, usize) = (280, 120);

/// How logs report: as a rule; late and out of order; appends slower than all else.
const MANNERS: [Manner; 6] = [
    Manner::USUAL,
    Manner::USUAL,
    Manner::USUAL,
    Manner { prompt: 15, overtaking: 60, slow: 0 },
    Manner { prompt: 50, overtaking: 15, slow: 90 },
    Manner { prompt: 98, overtaking: 5, slow: 99 },
];
/// How much time passes at once, in milliseconds: in most worlds, and in those where most goes quickly.
const PAUSES: [[u64; 5]; 3] = [[1, 20, 300, 2_100, 5_000], [1, 20, 300, 2_100, 5_000], [1, 1, 2, 20, 5_000]];

/// What is wrong with a world on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) defect: Option<Defect>,
    pub(crate) slip: Option<Slip>,
}

/// How often what happened in worlds, to see that worlds are as wild as they should be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    worlds: usize,
    forwarded: usize,
    parked: usize,
    resumed: usize,
    gaps: usize,
    checkpoints: usize,
    claims: usize,
    bars: usize,
    queued: usize,
    strangers: usize,
}

impl Seen {
    pub(crate) fn add(&mut self, other: &Self) {
        self.forwarded += other.forwarded;
        self.parked += other.parked;
        self.resumed += other.resumed;
        self.gaps += other.gaps;
        self.checkpoints += other.checkpoints;
        self.claims += other.claims;
        self.bars += other.bars;
        self.queued += other.queued;
        self.strangers += other.strangers;
        self.worlds += 1;
    }

    /// A world that is tame proves nothing: all of this happens in some of them.
    pub(crate) fn is_wild(&self) {
        let enough = |what: &str, happened: usize, a_thousand: usize| {
            assert!(1_000 * happened >= a_thousand * self.worlds, "too little {what} in {self:?}");
        };
        enough("forwarding", self.forwarded, 1_000);
        enough("parking", self.parked, 300);
        enough("resuming", self.resumed, 100);
        enough("loss", self.gaps, 50);
        enough("checkpoints", self.checkpoints, 500);
        enough("claims", self.claims, 3_000);
        enough("bars", self.bars, 100);
        enough("waiting for turns", self.queued, 300);
        enough("strangers", self.strangers, 500);
    }
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

pub(crate) struct World {
    random: Random,
    wrong: Wrong,
    partitions: u32,
    ways: Ways,
    log: Simulated,
    nodes: Vec<Node>,
    lives: u32,
    worker: Worker,
    plans: Arc<Plans>,
    judges: Vec<Judge>,
    /// What the participant takes at once.
    at_once: Option<u32>,
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
    ids: Vec<&'static str>,
    /// Commands that the participant has to deal with.
    commands: Vec<(u32, usize)>,
    seen: BTreeMap<(&'static str, u32), usize>,
    /// How many records had landed when the world was last looked at.
    landed: u64,
    /// Effects that are under way: so that their refusals are noticed.
    under_way: BTreeMap<(u32, u32, Ticket), Arc<Message>>,
    /// When claims were handed over that are under way, and how many took so long that they are made again.
    claims: BTreeMap<(u32, u32, Ticket), u64>,
    slow_claims: u32,
    chaos: Chaos,
    requests: u32,
}

/// Lives a whole world.
pub(crate) fn live(seed: u64, wrong: Wrong) -> Result<Seen, Violation> {
    World::new(seed, wrong).live()
}

/// Lives a world and tells what stands in its topics when it ends, well or not.
pub(crate) fn tell(seed: u64, wrong: Wrong) -> String {
    let mut world = World::new(seed, wrong);
    let end = world.live();
    format!("{}\n{end:?}", world.story())
}

impl World {
    fn new(seed: u64, wrong: Wrong) -> Self {
        let mut random = Random::new(seed);
        let partitions = [1, 1, 2, 3, 4][random.below(5)];
        let remember = Duration::from_millis([500, 2_000, 6_000, 20_000][random.below(4)]);
        let ways = Ways {
            checkpoint_bytes: [1_500, 4_000, 8 << 20][random.below(3)],
            retain: [Duration::ZERO, Duration::from_secs(10), Duration::from_secs(1_000)][random.below(3)],
            remember,
            in_flight_max: [1_000, 1_000, 8, 3, 1][random.below(5)],
            owed_max: [10_000, 10_000, 2][random.below(3)],
            live_max: [1_000, 1_000, 1_000, 1][random.below(4)],
        };
        let faults = faults(&mut random);
        let mut log = Simulated::new(random.next(), partitions, faults, Timestamp(BEGIN));
        log.manner = MANNERS[random.below(MANNERS.len())];
        let limits = limits(seed, partitions);
        let plans = super::saga::plans_of(seed, &limits);
        let (ids, script) = clients::script(&mut random);
        let names = [&["left", "right"][..], &["left", "right", "third"]][random.below(2)];
        let judge = |partition| Judge::new(partition, partitions, Arc::clone(&plans), remember, &limits);
        Self {
            judges: (0..partitions).map(judge).collect(),
            partitions,
            ways,
            worker: Worker::new(wrong.slip),
            at_once: limits.iter().find(|limit| limit.per == Per::Once).map(|limit| limit.count),
            pauses: PAUSES[random.below(PAUSES.len())],
            slow_clock: [0, 0, 12_000][random.below(3)],
            chaos: Chaos::new(&mut random, partitions),
            random,
            wrong,
            log,
            nodes: names.iter().map(|name| Node::new(name)).collect(),
            lives: 0,
            plans,
            now: 0,
            script,
            stranger: (seed % 8 == 7).then(|| Random::new(!seed)),
            ids,
            commands: Vec::new(),
            seen: BTreeMap::new(),
            landed: 0,
            under_way: BTreeMap::new(),
            claims: BTreeMap::new(),
            slow_claims: 0,
            requests: 0,
        }
    }

    fn live(&mut self) -> Result<Seen, Violation> {
        for node in 0..self.nodes.len() {
            self.start(node);
        }
        for partition in 0..self.partitions {
            let node = self.random.below(self.nodes.len());
            self.log.assign(partition, self.nodes[node].client);
        }
        for _ in 0..STEPS.0 + STEPS.1 * self.judges.len() {
            self.step()?;
        }
        self.end()
    }

    fn step(&mut self) -> Result<(), Violation> {
        self.litter();
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
                let pause = self.pauses[self.random.below(5)];
                self.pass(pause)
            }
            91 => {
                let id = self.ids[self.random.below(self.ids.len())];
                let partition = partition_of(id, self.partitions);
                let look = Told::Look { token: 1, instance: InstanceId::try_from(id).unwrap() };
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
            for topic in [COMMANDS, ANSWERS, DEAD, REQUESTS, REPLIES] {
                let seen = self.seen.entry((topic, partition)).or_default();
                for stored in kept(topic).records.iter().skip(*seen) {
                    if topic == COMMANDS {
                        self.commands.push((partition, *seen));
                    }
                    if let Some((record, key)) = justification(&stored.message)
                        && let Some(judge) = self.judges.get_mut(usize::try_from(record.partition).unwrap())
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
        let under_way: usize = self.judges.iter().map(Judge::under_way).sum();
        if self.at_once.is_some_and(|at_once| under_way > at_once as usize) {
            return Err(Violation(format!("never more at once than the participant takes: {under_way}")));
        }
        Ok(())
    }

    fn judge(&mut self, partition: u32) -> &mut Judge {
        &mut self.judges[partition as usize]
    }

    /// What is told together comes to one task in one go, as to one that has stood still.
    fn tell(&mut self, node: usize, partition: u32, told: Vec<Told>) -> Result<(), Violation> {
        let client = self.nodes[node].client;
        for told in &told {
            let Told::Log(Report::Appended { ticket, outcome }) = told else { continue };
            let claimed = self.claims.remove(&(client.0, partition, *ticket));
            let within = u64::try_from(CLAIM_WITHIN.as_millis()).unwrap();
            self.slow_claims += u32::from(claimed.is_some_and(|at| self.now - at > within));
            let effect = self.under_way.remove(&(client.0, partition, *ticket));
            if let (Some(message), Outcome::Refused(_)) = (effect, outcome) {
                self.judge(partition).refuses(&message);
            }
        }
        let mut out = Vec::new();
        let now = self.now;
        let Some(Running { born, tasks, .. }) = &mut self.nodes[node].running else { return Ok(()) };
        tasks[partition as usize].handle(told, Duration::from_millis(now - *born), &mut out);
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
                            if decode(&append.message.payload).unwrap().body.name() == "claim" {
                                self.claims.insert((client.0, partition, append.ticket), self.now);
                            }
                            if let Some(replies) = self.log.shelf(REPLIES, partition) {
                                hands_over(append, replies)?;
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
                Do::Wake(_) => return Err(Violation("each partition has a share of its own".to_owned())),
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
                    own.push(decode(&append.message.payload).unwrap());
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
                Err(Violation(format!("a partition never stops by itself: {stop}")))
            }
            Fact::Released => {
                self.released(node, partition);
                Ok(())
            }
            fact => self.judge(partition).hears(fact),
        }
    }

    fn pass(&mut self, millis: u64) -> Result<(), Violation> {
        self.now += millis;
        self.log.now = Timestamp(BEGIN + self.now);
        for node in 0..self.nodes.len() {
            for partition in 0..self.partitions {
                if self.nodes[node].is_due(partition, self.now) {
                    self.tell(node, partition, vec![Told::Tick])?;
                }
            }
        }
        Ok(())
    }

    /// The participant deals with a command: mostly the oldest, mostly once, and mostly replies once, to where it should.
    fn work(&mut self) {
        if self.commands.is_empty() {
            return;
        }
        let index = if self.random.chance(70) { 0 } else { self.random.below(self.commands.len()) };
        let command @ (partition, at) = self.commands[index];
        if !(self.worker.moody && self.random.chance(15)) {
            self.commands.remove(index);
        }
        let message = Arc::clone(&self.log.shelf(COMMANDS, partition).unwrap().records[at].message);
        let now = Timestamp(BEGIN + self.now - self.slow_clock.min(self.now));
        let Some((reply, to)) = self.worker.handle(&message, now, &mut self.random) else { return };
        let reply = Arc::new(reply);
        let copies = if self.worker.moody { [0, 1, 1, 1, 1, 1, 1, 2][self.random.below(8)] } else { 1 };
        if copies == 0 {
            self.commands.push(command); // it crashed before it replied, and reads the command again
        }
        for _ in 0..copies {
            let to = if self.worker.moody && self.random.chance(8) { self.any_partition() } else { to };
            self.log.put(REPLIES, Some(to), Arc::clone(&reply));
        }
    }

    fn any_partition(&mut self) -> u32 {
        u32::try_from(self.random.below(self.judges.len())).unwrap()
    }
}

/// What the participant takes, in one world of five: not drawn from what all else is drawn from, so that the other worlds
/// are what they always were.
fn limits(seed: u64, partitions: u32) -> Vec<Limit> {
    if seed % 5 != 3 {
        return Vec::new();
    }
    let mut random = Random::new(seed);
    let mut some = |most: usize| u32::try_from(random.below(most + 1)).unwrap();
    // A partition without a share could not go on: that is refused when a definition is deployed.
    let mut limits = vec![Limit { count: partitions + some(1), per: Per::Once }];
    if some(2) == 0 {
        limits.push(Limit { count: 1 + some(6), per: Per::Time(Duration::from_secs(2)) });
    }
    limits
}

/// Few faults a world, of all kinds over the worlds, so that what one fault breaks is not hidden by the next; and now
/// and then a storm.
fn faults(random: &mut Random) -> Faults {
    let times = if random.chance(10) { 4 } else { 1 };
    let mut some = |most: usize| times * u32::try_from(random.below(most + 1).saturating_sub(random.below(2))).unwrap();
    Faults {
        lost: some(2),
        unacknowledged: some(2),
        late: some(2),
        doubled: some(1),
        reordered: some(2),
        replaced: some(1),
        mistaken: some(1),
        refused: some(1),
        failed: some(2),
    }
}

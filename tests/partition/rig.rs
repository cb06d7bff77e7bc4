//! The partition task alone, over a log without faults.

use std::sync::Arc;
use std::time::Duration;

use saga::journal::decode;
use saga::journal::record::Record;
use saga::log::simulated::{Client, Faults, Simulated};
use saga::log::{JOURNAL, REPLIES, Range, Report, Request, Ticket};
use saga::runtime::partition::{Config, Do, Fact, Partition, Stop, Told};
use saga::simulation::Worker;
use saga::time::Timestamp;
use saga::wire::Message;

use super::saga::{COMMANDS, cast_of, plans};

pub(super) const CLIENT: Client = Client(7);

pub(super) struct Rig {
    pub(super) log: Simulated,
    pub(super) task: Partition,
    pub(super) worker: Worker,
    commands_done: usize,
    pub(super) now: u64,
    pub(super) facts: Vec<Fact>,
    /// Behind the replies stands what no read ever gives, as the end of a transaction.
    pub(super) has_marker: bool,
    /// How often the end of the replies was asked for.
    pub(super) measured: usize,
    /// A topic of which nobody hears whether it takes anything, and what is asked of it.
    pub(super) silent: Option<&'static str>,
    pub(super) unheard: Vec<Ticket>,
}

impl Rig {
    pub(super) fn new(partitions: u32, change: impl FnOnce(&mut Config)) -> Self {
        let log = Simulated::new(1, partitions, Faults::default(), Timestamp(1_000_000));
        let mut worker = Worker::new(&cast_of(0, &[]), None);
        worker.moody = false;
        let task = Self::task(partitions, change);
        let (facts, unheard) = (Vec::new(), Vec::new());
        let (has_marker, measured, silent) = (false, 0, None);
        Self { log, task, worker, commands_done: 0, now: 0, facts, has_marker, measured, silent, unheard }
    }

    pub(super) fn task(partitions: u32, change: impl FnOnce(&mut Config)) -> Partition {
        let mut config = Config::new(0, partitions, "script");
        change(&mut config);
        Partition::new(config, plans())
    }

    /// Another life of the process.
    pub(super) fn restart(&mut self, change: impl FnOnce(&mut Config)) {
        self.log.crash(CLIENT);
        self.task = Self::task(1, change);
        self.log.assign(0, CLIENT);
    }

    pub(super) fn tell(&mut self, told: Told) {
        let mut out = Vec::new();
        self.task.handle([told], Duration::from_millis(self.now), &mut out);
        for doing in out {
            match doing {
                Do::Ask(Request::End { ticket, topic }) if self.has_marker => {
                    self.measured += 1;
                    let end = self.read(&topic, 0).len() as u64 + 1;
                    self.tell(Told::Log(Report::End { ticket, range: Range { start: 0, end } }));
                }
                Do::Ask(Request::Append(append)) if self.silent.is_some_and(|topic| *append.topic == *topic) => {
                    self.unheard.push(append.ticket);
                }
                Do::Ask(request) => self.log.submit(CLIENT, 0, request),
                Do::Tell(fact) => self.facts.push(fact),
                Do::Wake(_) => panic!("it is alone"),
            }
        }
    }

    /// Until nothing happens any more without time.
    pub(super) fn settle(&mut self) {
        while !self.log.is_idle() {
            if let Some(delivery) = self.log.step() {
                self.tell(Told::Log(delivery.report));
            }
        }
    }

    pub(super) fn pass(&mut self, millis: u64) {
        self.now += millis;
        self.log.now = Timestamp(1_000_000 + self.now);
        self.tell(Told::Tick);
        self.settle();
    }

    /// The participant does all that it is asked.
    pub(super) fn work(&mut self) {
        let mut random = saga::log::simulated::Random::new(1);
        while let Some(stored) = self.log.shelf(COMMANDS, 0).and_then(|shelf| shelf.records.get(self.commands_done)) {
            let message = Arc::clone(&stored.message);
            self.commands_done += 1;
            let (reply, _) = self.worker.handle(&Arc::from(COMMANDS), &message, self.log.now, &mut random).unwrap();
            self.log.put(REPLIES, Some(0), reply.into());
            self.settle();
        }
    }

    pub(super) fn journal(&self) -> Vec<Record> {
        let records = self.log.shelf(JOURNAL, 0).map(|shelf| &shelf.records[..]).unwrap_or_default();
        // A stranger's is none.
        records.iter().filter_map(|stored| decode(&stored.message.payload).ok()).collect()
    }

    pub(super) fn kinds(&self) -> Vec<&'static str> {
        self.journal().iter().map(|record| record.body.name()).collect()
    }

    pub(super) fn read(&self, topic: &str, partition: u32) -> Vec<Arc<Message>> {
        let records = self.log.shelf(topic, partition).map(|shelf| &shelf.records[..]).unwrap_or_default();
        records.iter().map(|stored| Arc::clone(&stored.message)).collect()
    }

    pub(super) fn stopped(&self) -> &Stop {
        match self.facts.last() {
            Some(Fact::Stopped(stop)) => stop,
            other => panic!("it does not stand still: {other:?}"),
        }
    }
}

pub(super) fn running(change: impl FnOnce(&mut Config)) -> Rig {
    let mut rig = Rig::new(1, change);
    rig.log.assign(0, CLIENT);
    rig.settle();
    rig
}

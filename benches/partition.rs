//! The partition task alone: sagas of three steps from request to answer through `Partition::handle`, on one thread, over a
//! log that takes and gives everything at once. This is where most of the time of `saga serve` goes under load.
//!
//! The baseline of the same run is the JSON of the same messages: what comes in gone through once, what goes out written
//! once more. `cargo bench --bench partition`; `SAGAS=…` changes how many are measured.

#[path = "kafka/shape.rs"]
#[expect(dead_code, reason = "the benchmark on Kafka has more use for it")]
mod shape;
#[path = "kafka/messages.rs"]
mod messages;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use saga::check;
use saga::journal::{Plans, decode, encode};
use saga::log::{Append, JOURNAL, Outcome, REPLIES, REQUESTS, Range, Report, Request, Stored, Ticket};
use saga::plan::Plan;
use saga::runtime::partition::{Config, Do, Partition, Told};
use saga::time::Timestamp;
use saga::wire::Message;
use serde::de::IgnoredAny;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use self::shape::{SAGA, Shape};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

/// As many as a partition of six has where 4,096 are in flight.
const AT_ONCE: usize = 683;
const SAGAS: usize = 60_000;
const BEGIN: Timestamp = Timestamp(1_700_000_000_000);
const ANSWERS: &str = "bench.answers";

fn main() {
    let sagas = std::env::var("SAGAS").ok().and_then(|text| text.parse().ok()).unwrap_or(SAGAS);
    println!("| {AT_ONCE} at once | µs a saga | allocations | bytes | messages | JSON of them, µs | ratio |");
    println!("|---|---|---|---|---|---|---|");
    for shape in [Shape::Chain(3), Shape::Failing(3)] {
        let mut house = House::new(shape);
        house.run(1, 1);
        house.keeps = false;
        house.run(sagas / 10, AT_ONCE);
        house.spent = Spent::default();
        let ended = house.ended;
        house.run(sagas, AT_ONCE);
        let count = house.ended - ended;
        let Spent { time, allocations, bytes } = house.spent;
        let json = house.json();
        let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(u32::try_from(count).expect("they are few"));
        println!(
            "| {shape} | {:.2} | {} | {} | {} | {:.2} | {:.2} |",
            each(time),
            allocations / count,
            bytes / count,
            shape.messages(),
            json.as_secs_f64() * 1e6,
            each(time) / (json.as_secs_f64() * 1e6),
        );
    }
}

/// By the partition task alone.
#[derive(Default)]
struct Spent {
    time: Duration,
    allocations: usize,
    bytes: usize,
}

/// Where a message goes.
#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
    Journal,
}

/// What is for the log, and what is for those who watch, who let go of it.
fn asked(what: Do) -> Option<Request> {
    if let Do::Ask(request) = what { Some(request) } else { None }
}

/// The world of one partition.
struct House {
    shape: Shape,
    task: Partition,
    inputs: BTreeMap<Arc<str>, Input>,
    journal: Vec<Stored>,
    journaled: u64,
    /// The messages of the first saga, for the baseline.
    first: Vec<(Way, Arc<Message>)>,
    keeps: bool,
    told: Vec<Told>,
    started: usize,
    ended: usize,
    now: Duration,
    spent: Spent,
}

/// A topic that the task reads.
#[derive(Default)]
struct Input {
    next: u64,
    unread: Vec<Stored>,
    asked: Option<Ticket>,
}

impl House {
    fn new(shape: Shape) -> Self {
        let checked = check::check_text("bench.saga", &shape.text("bench"));
        let saga = checked.program.sagas.get(SAGA).expect("it has no findings");
        let mut plans = Plans::default();
        plans.deploy(&Arc::new(Plan::new(saga.clone())));
        let task = Partition::new(Config::new(0, 1, "bench"), Arc::new(plans));
        let inputs = [REQUESTS, REPLIES].map(|topic| (Arc::from(topic), Input::default()));
        let told = vec![Told::Log(Report::Assigned)];
        Self {
            shape,
            task,
            inputs: inputs.into(),
            journal: Vec::new(),
            journaled: 0,
            first: Vec::new(),
            keeps: true,
            told,
            started: 0,
            ended: 0,
            now: Duration::ZERO,
            spent: Spent::default(),
        }
    }

    /// Until so many more have ended.
    fn run(&mut self, sagas: usize, at_once: usize) {
        let until = self.ended + sagas;
        while self.ended < until {
            while self.started - self.ended < at_once {
                self.start();
            }
            self.read();
            self.now += Duration::from_millis(1);
            let told = std::mem::take(&mut self.told);
            let mut out = Vec::new();
            let region = Region::new(ALLOCATOR);
            let began = Instant::now();
            self.task.handle(told, self.now, &mut out);
            let asked: Vec<Request> = out.into_iter().filter_map(asked).collect();
            self.spent.time += began.elapsed();
            let stats = region.change();
            self.spent.allocations += stats.allocations;
            self.spent.bytes += stats.bytes_allocated;
            for request in asked {
                self.take(request);
            }
        }
    }

    fn start(&mut self) {
        let key = format!("order-{}", self.started);
        self.started += 1;
        self.put(REQUESTS, messages::request(&key, ANSWERS, 0));
    }

    fn put(&mut self, topic: &str, message: Message) {
        let input = self.inputs.get_mut(topic).expect("it is one of the two");
        let timestamp = BEGIN.after(self.now);
        let message = Arc::new(message);
        if self.keeps {
            self.first.push((Way::In, Arc::clone(&message)));
        }
        input.unread.push(Stored { offset: input.next, timestamp, message });
        input.next += 1;
    }

    /// Gives what has been asked for.
    fn read(&mut self) {
        for input in self.inputs.values_mut() {
            if let Some(ticket) = input.asked.take_if(|_| !input.unread.is_empty()) {
                let records = std::mem::take(&mut input.unread);
                let range = Range { start: 0, end: input.next };
                self.told.push(Told::Log(Report::Records { ticket, records, range }));
            }
        }
    }

    fn take(&mut self, request: Request) {
        let journal = Range { start: 0, end: self.journaled };
        let report = match request {
            Request::Confirm { ticket } => Report::Confirmed { ticket },
            Request::Last { ticket, .. } => Report::Last { ticket, last: None, range: journal },
            Request::End { ticket, topic } => {
                let end = self.inputs.get(&topic).map_or(0, |input| input.next);
                Report::End { ticket, range: Range { start: 0, end } }
            }
            Request::Append(append) => self.append(append),
            Request::Read { ticket, topic, .. } if &*topic == JOURNAL => {
                Report::Records { ticket, records: std::mem::take(&mut self.journal), range: journal }
            }
            Request::Read { ticket, topic, .. } => {
                self.inputs.get_mut(&topic).expect("it is one of the two").asked = Some(ticket);
                return;
            }
            Request::Truncate { .. } => return,
        };
        self.told.push(Told::Log(report));
    }

    fn append(&mut self, append: Append) -> Report {
        let Append { ticket, topic, message, .. } = append;
        let mut offset = 0;
        match &*topic {
            JOURNAL => {
                offset = self.journaled;
                self.journaled += 1;
                if self.task.epoch().is_none() {
                    self.journal.push(Stored { offset, timestamp: BEGIN, message: Arc::clone(&message) });
                }
            }
            ANSWERS => self.ended += 1,
            _ => self.reply(&message),
        }
        if self.keeps {
            self.first.push((if &*topic == JOURNAL { Way::Journal } else { Way::Out }, message));
        }
        Report::Appended { ticket, outcome: Outcome::At(offset) }
    }

    fn reply(&mut self, command: &Message) {
        let payload = messages::reply(&command.payload, self.shape.refused().as_deref());
        self.put(REPLIES, Message { key: Arc::clone(&command.key), payload, ..Message::default() });
    }

    /// What the JSON of one saga's messages takes: to go through what comes in, and to write what goes out.
    fn json(&self) -> Duration {
        const ROUNDS: u32 = 2_000;
        let records = self.first.iter().filter_map(|(way, message)| match way {
            Way::Journal => decode(&message.payload).ok(),
            Way::In | Way::Out => None,
        });
        let records: Vec<_> = records.collect();
        let values = self.first.iter().filter_map(|(way, message)| match way {
            Way::Out => serde_json::from_slice::<serde_json::Value>(&message.payload).ok(),
            Way::In | Way::Journal => None,
        });
        let values: Vec<_> = values.collect();
        let began = Instant::now();
        for _ in 0..ROUNDS {
            for (way, message) in &self.first {
                if let Way::In = way {
                    black_box(serde_json::from_slice::<IgnoredAny>(black_box(&message.payload)).ok());
                }
            }
            for value in &values {
                black_box(serde_json::to_vec(black_box(value)).ok());
            }
            for record in &records {
                black_box(encode(black_box(record)));
            }
        }
        began.elapsed() / ROUNDS
    }
}

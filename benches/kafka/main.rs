//! `saga` on a real Kafka beside the raw floor: the bare pattern of its messages, on the same broker in the same run. There
//! are two floors, with bare messages, and with messages as large as those that `saga` writes.
//!
//! `cargo bench --bench kafka -- [throughput|shapes|waiting|recovery]…`; without a word: all of them. `SECONDS_EACH=…`,
//! `SAGAS=…`, `PARTITIONS=…`, `IN_FLIGHT=1,128` and `KAFKA_CONFIG="KEY=VALUE …"` (for `saga`) change the usual numbers.
//! Driver and participants are this process, the engine is a child: `saga serve`, or the floor's.

mod client;
mod floor;
mod load;
mod messages;
mod process;
mod shape;
mod stage;
#[path = "../../tests/kafka/broker.rs"]
#[expect(dead_code, reason = "the tests kill and pause it")]
mod broker;
#[path = "../../tests/kafka/jvm.rs"]
mod jvm;

use std::time::{Duration, Instant};

use rdkafka::message::Message as _;

use self::client::Receiver;
use self::floor::Weight;
use self::load::{Answers, Driver, Engine, ONE_WAITS_OF, Participants};
use self::process::{processor_time, resident};
use self::shape::Shape;
use self::stage::{Names, Setup, Stage};

/// That of `saga`, for the floor, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long each load runs before it is measured: caches, connections, and the just-in-time compiler of the broker.
const WARM_UP: Duration = Duration::from_secs(3);

/// From so many in flight on, the floor's producers and all participants wait two milliseconds for company.
const LINGERS_FROM: usize = 1_024;

/// How long behind a flood memory is looked at once more: what was under way is over then, and allocators have given back
/// what they do.
const QUIET: Duration = Duration::from_secs(5);

/// What one load came to.
struct Measured {
    rate: f64,
    p50: Duration,
    p99: Duration,
    /// Processor seconds for 1,000 sagas: the engine, driver and participants, the broker.
    processor: [f64; 3],
    /// Of its messages.
    weight: Weight,
}

fn measure(setup: &Setup, engine: Engine, shape: Shape, at_once: usize) -> Measured {
    let stage = Stage::new(setup, shape);
    let linger_ms = if at_once >= LINGERS_FROM { 2 } else { 0 };
    let (server, floor) = match engine {
        Engine::Floor(weight) => (None, Some(stage.floor(weight, linger_ms))),
        Engine::Saga => (Some(stage.serve()), None),
    };
    let process = server.as_ref().map(|server| &server.process).or(floor.as_ref()).expect("it is one of them");
    let pids = [process.id(), std::process::id(), setup.broker.pid()];
    let participants = Participants::start(&stage, engine, Answers::All, linger_ms);
    let mut driver = Driver::new(&stage, engine, linger_ms);
    let warm = Instant::now() + WARM_UP;
    driver.run(at_once, Answers::All, |_| Instant::now() < warm);
    let (began, before) = (Instant::now(), pids.map(processor_time));
    let end = began + Duration::from_secs(number("SECONDS_EACH").unwrap_or(6));
    let mut times = Vec::new();
    driver.run(at_once, Answers::All, |took| {
        times.extend(took);
        Instant::now() < end
    });
    let (took, after) = (began.elapsed(), pids.map(processor_time));
    driver.drain();
    drop(participants);
    times.sort();
    let sagas = times.len() as u64;
    let mut spent = after
        .into_iter()
        .zip(before)
        .map(|(after, before)| after.saturating_sub(before).as_secs_f64() * 1_000.0 / count(sagas.max(1)));
    Measured {
        rate: count(sagas) / took.as_secs_f64(),
        p50: percentile(&times, 50),
        p99: percentile(&times, 99),
        processor: std::array::from_fn(|_| spent.next().unwrap_or_default()),
        weight: match engine {
            Engine::Floor(weight) => weight,
            Engine::Saga => stage.weigh(),
        },
    }
}

/// The floor, then `saga`, then the floor with messages as large as those of `saga`; and `saga` as a part of each floor.
fn compare(setup: &Setup, shape: Shape, at_once: usize) {
    let floor = measure(setup, Engine::Floor(Weight::BARE), shape, at_once);
    let saga = measure(setup, Engine::Saga, shape, at_once);
    let heavy = measure(setup, Engine::Floor(saga.weight), shape, at_once);
    for (name, measured) in [("floor", &floor), ("heavy", &heavy), ("saga", &saga)] {
        let Measured { rate, p50, p99, processor: [engine, clients, broker], weight } = measured;
        let all = engine + clients + broker;
        let ratio = if name == "saga" { weight.to_string() } else { format!("{:.2}", saga.rate / rate) };
        println!(
            "{shape:>10} {messages:>4} {at_once:>6} {name:>6} {rate:>8.0} {p50:>9.1} {p99:>9.1} {engine:>9.3} {clients:>9.3} {broker:>9.3} {all:>9.3} {ratio:>6}",
            shape = shape.to_string(),
            messages = shape.messages(),
            p50 = milliseconds(*p50),
            p99 = milliseconds(*p99),
        );
    }
}

fn head() {
    println!("processor time in seconds for 1,000 sagas; clients: driver and participants");
    println!(
        "ratio: `saga` beside that floor; of `saga` itself the mean bytes of request, record, command, reply, answer"
    );
    println!(
        "{:>10} {:>4} {:>6} {:>6} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>6}",
        "shape", "msgs", "flight", "", "sagas/s", "p50 ms", "p99 ms", "engine", "clients", "broker", "all", "ratio"
    );
}

fn throughput(setup: &Setup) {
    head();
    for shape in [Shape::Chain(3), Shape::Failing(3)] {
        for at_once in in_flight(&[1, 128, 1_024, 4_096]) {
            compare(setup, shape, at_once);
        }
    }
}

fn shapes(setup: &Setup) {
    head();
    for shape in [Shape::Chain(20), Shape::FanOut(10)] {
        for at_once in in_flight(&[1, 1_024]) {
            compare(setup, shape, at_once);
        }
    }
}

/// Memory of sagas whose participants never answer, as they gathered and behind a recovery.
fn waiting(setup: &Setup) {
    for sagas in number("SAGAS").map_or_else(|| vec![100_000, 1_000_000], |sagas| vec![sagas]) {
        let stage = Stage::new(setup, Shape::Chain(3));
        let server = stage.serve();
        let before = resident(server.process.id());
        let began = Instant::now();
        let mut driver = Driver::new(&stage, Engine::Saga, 2);
        driver.flood(sagas);
        server.until(r#"saga_instances{state="running"}"#, count(sagas));
        let took = began.elapsed();
        let of_each = |bytes: u64| bytes.saturating_sub(before) / sagas.max(1);
        let gathered = resident(server.process.id());
        std::thread::sleep(QUIET);
        let quiet = resident(server.process.id());
        server.process.stop();
        let again = Instant::now();
        let server = stage.serve();
        let (ready, recovered) = (again.elapsed(), resident(server.process.id()));
        println!(
            "waiting: {sagas} in {took:.1?}; an empty engine has {} MB, then {} MB, and {} MB when {QUIET:?} have passed: \
             {} bytes a saga; started anew, running after {ready:.1?}: {} MB, {} bytes a saga",
            before >> 20,
            gathered >> 20,
            quiet >> 20,
            of_each(quiet),
            recovered >> 20,
            of_each(recovered)
        );
        server.process.stop();
    }
}

/// How long `saga` takes to own what others left, beside a raw consumer of the same records.
fn recovery(setup: &Setup) {
    let sagas = number("SAGAS").unwrap_or(1_000_000);
    let stage = Stage::new(setup, Shape::Chain(3));
    let server = stage.serve();
    let participants = Participants::start(&stage, Engine::Saga, Answers::Most, 2);
    let mut driver = Driver::new(&stage, Engine::Saga, 2);
    let mut ended = 0;
    driver.run(4_096, Answers::Most, |took| {
        ended += u64::from(took.is_some());
        ended < sagas - sagas / ONE_WAITS_OF
    });
    driver.drain();
    let started = driver.started();
    drop((driver, participants));
    server.process.stop();
    let again = Instant::now();
    let server = stage.serve();
    let ready = again.elapsed();
    let mean = server.metric("saga_recovery_seconds_sum").unwrap_or_default() / f64::from(setup.partitions);
    let live = server.metric(r#"saga_instances{state="running"}"#).unwrap_or_default();
    server.process.stop();
    println!(
        "recovery: {started} sagas, {live} live: from the start of the process to all partitions running {ready:.2?}; \
         a partition took {mean:.2} s"
    );
    for (what, whole) in [("what recovery reads, from the last checkpoint on", false), ("the whole journal", true)] {
        let (records, bytes, took) = consume(&stage, whole);
        println!("  a raw consumer of {what}: {records} records, {} MB in {took:.2?}", bytes >> 20);
    }
    let stage = Stage::new(setup, Shape::Chain(3));
    let again = Instant::now();
    let server = stage.serve();
    println!("  an engine with nothing to recover: {:.2?}", again.elapsed());
    server.process.stop();
}

/// Reads all partitions of the journal at once: how many records, how large, and how long it took.
fn consume(stage: &Stage<'_>, whole: bool) -> (u64, u64, Duration) {
    let Stage { names, .. } = stage;
    let asking = Receiver::open(&stage.brokers(), [], 0);
    let ranges: Vec<(u32, u64, u64)> = (0..names.partitions)
        .map(|partition| {
            let (start, end) = asking.range(&names.journal, partition);
            (partition, if whole { start } else { start.max(pointer(stage, partition, end)) }, end)
        })
        .collect();
    let records = ranges.iter().map(|(_, from, end)| end - from).sum();
    let began = Instant::now();
    let reading = Receiver::from(&stage.brokers(), ranges.iter().map(|(at, from, _)| (&*names.journal, *at, *from)));
    let (mut read, mut bytes) = (0, 0);
    while read < records {
        if let Some(record) = reading.next(Duration::from_secs(1)) {
            read += 1;
            bytes += record.payload_len() as u64;
        }
    }
    (records, bytes, began.elapsed())
}

/// Where the last record of a journal says that the last checkpoint begins.
fn pointer(stage: &Stage<'_>, partition: u32, end: u64) -> u64 {
    let reading = Receiver::from(&stage.brokers(), [(&*stage.names.journal, partition, end - 1)]);
    let last = std::iter::repeat_with(|| reading.next(Duration::from_secs(1))).flatten().next().expect("it is there");
    saga::journal::decode(last.payload().unwrap_or_default()).expect("`saga` wrote it").checkpoint
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark stay far below 2^52")]
const fn count(number: u64) -> f64 {
    number as f64
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Of sorted times.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    times.get(times.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn in_flight(usual: &[usize]) -> Vec<usize> {
    let wanted = std::env::var("IN_FLIGHT").unwrap_or_default();
    let wanted: Vec<usize> = wanted.split(',').filter_map(|word| word.parse().ok()).collect();
    if wanted.is_empty() { usual.to_vec() } else { wanted }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if let [word, brokers, prefix, partitions, shape, weight, linger_ms] = words.as_slice()
        && word == "floor-engine"
    {
        let names = Names::new(prefix, partitions.parse().expect("a number"));
        let (shape, weight) = (shape.parse().expect("a shape"), weight.parse().expect("a weight"));
        floor::run(brokers, &names, shape, weight, linger_ms.parse().expect("a number"));
    }
    let Some(broker) = broker::own() else { return };
    let config = std::env::var("KAFKA_CONFIG").unwrap_or_default();
    let setup = Setup {
        broker,
        partitions: number("PARTITIONS").and_then(|number| u32::try_from(number).ok()).unwrap_or(6),
        runtime: tokio::runtime::Runtime::new().expect("threads can be started"),
        config: config.split_whitespace().map(str::to_owned).collect(),
    };
    let wanted = |word: &str| words.is_empty() || words.iter().any(|known| known == word);
    if wanted("throughput") {
        throughput(&setup);
    }
    if wanted("shapes") {
        shapes(&setup);
    }
    if wanted("waiting") {
        waiting(&setup);
    }
    if wanted("recovery") {
        recovery(&setup);
    }
}

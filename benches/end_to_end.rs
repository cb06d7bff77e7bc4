//! Booking sagas from request to end on the embedded log, durable, with participants in the process; beside a raw
//! SQLite loop that appends as many records of the same size.
//!
//! `cargo bench --bench end_to_end -- [throughput|alone|waiting]…`; without a word: all three. `SAGAS=…` and
//! `PARTITIONS=…` change the usual numbers.

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use saga::check::check_text;
use saga::definition::Program;
use saga::definition::json::least;
use saga::definition::types::Type;
use saga::engine::{InstanceId, Status};
use saga::json::Json;
use saga::log::{JOURNAL, REPLIES, REQUESTS};
use saga::runtime::{self, Accepted, Filter, Follow, Options, Orchestrator, Reply, Serve};
use saga::wire::{self, About, CloudEvent, Message};
use tokio::task::JoinSet;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The booking without its limit: what is measured is how fast the engine is, not how little a participant takes.
static BOOKING: LazyLock<String> =
    LazyLock::new(|| include_str!("../workflows/booking.saga").replace("  at most 100 at once\n", ""));
const INPUT: &str = r#"{"traveller":"ana","flight":"KE905","hotel":"Lux","nights":2,"amount":"840.00"}"#;

/// The raw loop commits so many records at once: what the embedded log reaches at this load.
const RAW_GROUP: usize = 200;

/// Participants that answer at once from their contracts, or not at all.
struct Cast {
    program: Program,
    answers: Answers,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    AtOnce,
    Never,
}

impl Serve for Cast {
    fn serve(&self, message: &Message) -> Option<Reply> {
        if self.answers == Answers::Never {
            return None;
        }
        let command = CloudEvent::read(message)
            .and_then(|event| wire::read_command(&event))
            .expect("the engine writes commands that can be read");
        let mut commands = self.program.participants.values().flat_map(|participant| participant.commands.values());
        let contract = commands.find(|known| known.wire == command.call).expect("it is in the definition");
        let payload = least(&Type::Record(Arc::clone(&contract.reply)), &command.step);
        let payload = Json::parse(payload).expect("the least value is JSON");
        let about = About { participant: "bench", traceparent: None };
        let message = wire::reply(&command.reply(Status::Succeeded, Some(payload)), &about);
        let partition = command.reply_partition.and_then(|partition| u32::try_from(partition).ok());
        Some(Reply { topic: Arc::from(REPLIES), partition, message })
    }
}

struct House {
    orchestrator: Arc<Orchestrator>,
    topics: Vec<Arc<str>>,
    directory: tempfile::TempDir,
}

async fn open(answers: Answers) -> House {
    // Beside the build's own files: a temporary directory is often in memory, and has no fsync.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the build directory can be written");
    let options = Options { partitions: number("PARTITIONS"), ..Options::default() };
    let orchestrator = Arc::new(Orchestrator::open(directory.path(), &options).await.expect("it is new"));
    orchestrator.deploy("booking.saga", &BOOKING).await.expect("it is checked by the tests");
    let program = check_text("booking.saga", &BOOKING).program;
    let topics: Vec<Arc<str>> =
        program.participants.values().map(|participant| Arc::from(participant.commands_topic.as_str())).collect();
    let cast: Arc<dyn Serve> = Arc::new(Cast { program, answers });
    for topic in &topics {
        runtime::serve(orchestrator.directory().expect("it is in one"), topic, Arc::clone(&cast));
    }
    House { orchestrator, topics, directory }
}

async fn start(orchestrator: &Orchestrator, id: String) -> (Follow, Accepted) {
    let id = InstanceId::try_from(id.as_str()).expect("it is short");
    let follow = orchestrator.follow(&id);
    let input = Json::parse(INPUT).expect("it is JSON");
    let (_, accepted) = orchestrator.start("booking", Some(id), input, None).await.expect("the log takes it");
    (follow, accepted)
}

/// Starts `sagas` instances, `at_once` at a time, each to its end; how long each took.
async fn run(house: &House, sagas: usize, at_once: usize) -> (Duration, Vec<Duration>) {
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for task in 0..at_once {
        let orchestrator = Arc::clone(&house.orchestrator);
        tasks.spawn(async move {
            let mut times = Vec::new();
            for index in 0..sagas / at_once {
                let start_of_one = Instant::now();
                let (mut follow, _) = start(&orchestrator, format!("order-{task}-{index}")).await;
                while follow.next().await.is_some() {}
                times.push(start_of_one.elapsed());
            }
            times
        });
    }
    let mut times = tasks.join_all().await.concat();
    times.sort();
    (began.elapsed(), times)
}

async fn throughput() {
    let sagas = number("SAGAS").unwrap_or(40_000) as usize;
    let house = open(Answers::AtOnce).await;
    let processor = processor_time();
    let (took, times) = run(&house, sagas, 256).await;
    let processor = processor_time().saturating_sub(processor);
    let sagas = times.len() as u64;
    let (rate, p50, p99) = (per_second(sagas, took), percentile(&times, 50), percentile(&times, 99));
    println!("throughput: {sagas} sagas, 256 at once: {rate:.0} sagas/s; p50 {p50:.1?}, p99 {p99:.1?}");
    let of_a_core = per_second(sagas, processor);
    println!("  {of_a_core:.0} sagas for each second of one processor, all threads together");
    let log = house.orchestrator.directory().expect("it is in one");
    let topics = house.topics.iter().map(AsRef::as_ref).chain([JOURNAL, REQUESTS, REPLIES]);
    let ends =
        topics.flat_map(|topic| (0..log.layout().partitions).map(move |partition| log.range(topic, partition).end));
    let records = ends.sum::<u64>();
    house.orchestrator.close().await;
    let bytes = record_bytes(house.directory.path());
    let raw = raw_loop(house.directory.path(), records, bytes);
    let ours = per_second(records, took);
    println!(
        "  {records} records of {bytes} bytes: {ours:.0}/s; a raw SQLite loop, {RAW_GROUP} a commit: {raw:.0}/s; ratio {:.2}",
        ours / raw
    );
}

async fn alone() {
    let house = open(Answers::AtOnce).await;
    let (_, times) = run(&house, 500, 1).await;
    let (p50, p99) = (percentile(&times, 50), percentile(&times, 99));
    println!("alone: one saga after the other: p50 {p50:.2?}, p99 {p99:.2?}");
    house.orchestrator.close().await;
}

async fn waiting() {
    let sagas = number("SAGAS").unwrap_or(100_000);
    let house = open(Answers::Never).await;
    let before = resident();
    for first in (0..sagas).step_by(256) {
        let mut tasks = JoinSet::new();
        for index in first..sagas.min(first + 256) {
            let orchestrator = Arc::clone(&house.orchestrator);
            tasks.spawn(async move { start(&orchestrator, format!("order-{index}")).await.1.decision().await });
        }
        tasks.join_all().await;
    }
    let counts = house.orchestrator.list(Filter::everything()).await.expect("the view can be read").counts;
    let used = resident().saturating_sub(before);
    println!(
        "waiting: {counts:?}: {} bytes a saga by resident memory, tails of the log included",
        used / u64::from(sagas)
    );
    let directory = house.directory.path().to_owned();
    house.orchestrator.close().await;
    drop(house.orchestrator);
    // In a process of its own, where nothing but what was recovered is in memory.
    let recovering = std::process::Command::new(std::env::current_exe().expect("it runs"))
        .args(["recover", &directory.to_string_lossy(), &sagas.to_string()])
        .status();
    assert!(recovering.is_ok_and(|status| status.success()), "it was closed well");
}

async fn recover(directory: &str, sagas: u64) {
    let before = resident();
    let began = Instant::now();
    let orchestrator = Orchestrator::open(Path::new(directory), &Options::default()).await.expect("it was closed well");
    let took = began.elapsed();
    println!("  recovered in {took:.1?}: {} bytes a saga", resident().saturating_sub(before) / sagas.max(1));
    orchestrator.close().await;
}

/// The mean size of what is stored of a record.
fn record_bytes(directory: &Path) -> u64 {
    let file = rusqlite::Connection::open(directory.join("saga.db")).expect("it is there");
    let mean = "SELECT CAST(avg(a.mean) AS INTEGER) FROM (SELECT sum(length(records)) / sum(count) AS mean FROM batch GROUP BY lane) a";
    file.query_row(mean, [], |row| row.get::<_, i64>(0)).map_or(0, i64::cast_unsigned)
}

/// Records a second of a loop that does nothing but append to a table, as durable as the log.
fn raw_loop(directory: &Path, records: u64, bytes: u64) -> f64 {
    let mut file = rusqlite::Connection::open(directory.join("raw.db")).expect("it is new");
    file.execute_batch("PRAGMA journal_mode = wal; PRAGMA synchronous = full; CREATE TABLE record (offset INTEGER PRIMARY KEY, value BLOB)")
        .expect("it is new");
    let value = vec![b'x'; usize::try_from(bytes).unwrap_or(1)];
    let began = Instant::now();
    for _ in 0..records.div_ceil(RAW_GROUP as u64) {
        let transaction = file.transaction().expect("nobody else has it");
        let mut insert = transaction.prepare_cached("INSERT INTO record (value) VALUES (?1)").expect("it is SQL");
        for _ in 0..RAW_GROUP {
            insert.execute([&value]).expect("there is space");
        }
        drop(insert);
        transaction.commit().expect("there is space");
    }
    per_second(records, began.elapsed())
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark stay far below 2^52")]
fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// Of sorted times.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    times.get(times.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
}

fn number(name: &str) -> Option<u32> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Of this process so far, user and system.
fn processor_time() -> Duration {
    // Fields 14 and 15 in hundredths of a second; the name in field 2 may hold blanks, so count behind it.
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind = text.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = behind.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Resident memory in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|field| field.parse::<u64>().ok()).unwrap_or_default() * 1_024
}

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if let [word, directory, sagas] = words.as_slice()
        && word == "recover"
    {
        return recover(directory, sagas.parse().unwrap_or(1)).await;
    }
    let wanted = |word: &str| words.is_empty() || words.iter().any(|known| known == word);
    if wanted("throughput") {
        throughput().await;
    }
    if wanted("alone") {
        alone().await;
    }
    if wanted("waiting") {
        waiting().await;
    }
}

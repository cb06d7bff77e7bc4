//! The guard, exhaustively: every sequence of deliveries up to a length, against rules that are written down a second
//! time here, in other words.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use saga::json::Json;
use saga::participant::store::{Claim, Row, Store, Transaction};
use saga::participant::{Call, Participant, Refusal, SqliteStore};
use saga::time::Timestamp;
use saga::wire::CloudEvent;

use super::messages::{NOW, answered, command, with};

/// A store that can lose its commit, as in a crash right before it.
struct Crashing {
    store: SqliteStore,
    crash: Arc<AtomicBool>,
}

struct CrashingTransaction<'s> {
    transaction: rusqlite::Transaction<'s>,
    crash: &'s AtomicBool,
}

impl Store for Crashing {
    type Transaction<'s> = CrashingTransaction<'s>;
    type Error = rusqlite::Error;
    fn begin(&mut self) -> Result<CrashingTransaction<'_>, rusqlite::Error> {
        Ok(CrashingTransaction { transaction: self.store.begin()?, crash: &self.crash })
    }
    fn doing(&mut self) -> Result<Vec<(String, Row)>, rusqlite::Error> {
        self.store.doing()
    }
    fn purge(&mut self, now: Timestamp, keep_answers: Duration) -> Result<usize, rusqlite::Error> {
        self.store.purge(now, keep_answers)
    }
}

impl Transaction for CrashingTransaction<'_> {
    type Error = rusqlite::Error;
    fn claim(&self, command: &str, keep_until: Timestamp) -> Result<Claim, rusqlite::Error> {
        self.transaction.claim(command, keep_until)
    }
    fn find(&self, command: &str) -> Result<Option<Row>, rusqlite::Error> {
        self.transaction.find(command)
    }
    fn settle(&self, command: &str, row: &Row) -> Result<(), rusqlite::Error> {
        self.transaction.settle(command, row)
    }
    fn mark(&self) -> Result<(), rusqlite::Error> {
        self.transaction.mark()
    }
    fn back(&self) -> Result<(), rusqlite::Error> {
        self.transaction.back()
    }
    fn commit(self) -> Result<(), rusqlite::Error> {
        if self.crash.load(Ordering::SeqCst) {
            return Err(rusqlite::Error::InvalidQuery);
        }
        Transaction::commit(self.transaction)
    }
}

/// What can happen to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivery {
    Do,
    LateDo,
    Undo,
    Query,
    /// The participant dies before its commit: no reply.
    DoCrashing,
    UndoCrashing,
}

const DELIVERIES: [Delivery; 6] =
    [Delivery::Do, Delivery::LateDo, Delivery::Undo, Delivery::Query, Delivery::DoCrashing, Delivery::UndoCrashing];

/// How the work goes when it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Business {
    Succeeds,
    Refuses,
    FaultsFirst,
}

/// The rules, told as a story: what a person would expect of one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    NothingHappened,
    Worked,
    WasRefused,
    TakenBack,
}

impl Story {
    fn reply(self, business: Business, call: u32) -> (Self, &'static str) {
        match (self, business) {
            (Self::NothingHappened, Business::Succeeds) => (Self::Worked, WORKED),
            (Self::NothingHappened, Business::Refuses) => (Self::WasRefused, "failed full"),
            (Self::NothingHappened, Business::FaultsFirst) if call == 0 => (self, "retry busy"),
            (Self::NothingHappened, Business::FaultsFirst) => (Self::Worked, WORKED),
            (Self::Worked, _) => (self, WORKED),
            (Self::WasRefused, _) => (self, "failed full"),
            (Self::TakenBack, _) => (self, "failed already-undone"),
        }
    }
}

const WORKED: &str = r#"succeeded {"seat":"1A"}"#;

/// A participant that sells one kind of seat, and what a test sees of it.
struct World {
    calls: Arc<AtomicU32>,
    crash: Arc<AtomicBool>,
    reader: rusqlite::Connection,
    _folder: tempfile::TempDir,
}

fn participant(business: Business) -> (Participant<Crashing>, World) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tickets.db");
    let connection = rusqlite::Connection::open(&file).unwrap();
    // Only the process is meant to crash here, so nothing waits for the disk.
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF").unwrap();
    connection.execute_batch("CREATE TABLE seats (taken_by TEXT NOT NULL)").unwrap();
    connection.execute_batch("CREATE INDEX by_taker ON seats (taken_by)").unwrap();
    let store = SqliteStore::new(connection).unwrap();
    let (calls, crash) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let reader = rusqlite::Connection::open(&file).unwrap();
    let world = World { calls: Arc::clone(&calls), crash: Arc::clone(&crash), reader, _folder: folder };
    let participant = Participant::new("tickets", Crashing { store, crash })
        .command("Reserve", move |tx, call: &Call<'_>| {
            // Written first, so that a refusal has something to leave behind.
            tx.transaction.execute("INSERT INTO seats VALUES (?1)", (call.key().as_str(),))?;
            match (business, calls.fetch_add(1, Ordering::SeqCst)) {
                (Business::Refuses, _) => Err(Refusal::failed("full")),
                (Business::FaultsFirst, 0) => Err(Refusal::retry("busy")),
                (Business::Succeeds | Business::FaultsFirst, _) => Ok(serde_json::json!({ "seat": "1A" })),
            }
        })
        .undo("Cancel", |tx, call, done| {
            assert_eq!(Some(r#"{"seat":"1A"}"#), done.map(Json::get), "an undo is given what it takes back");
            assert_eq!(1, tx.transaction.execute("DELETE FROM seats WHERE taken_by = ?1", (call.key().as_str(),))?);
            Ok(())
        });
    (participant, world)
}

fn seats_taken(store: &rusqlite::Connection, message: &CloudEvent<'_>) -> u32 {
    let id = message.get("command").unwrap();
    let mut count = store.prepare_cached("SELECT count(*) FROM seats WHERE taken_by = ?1").unwrap();
    count.query_row((id,), |row| row.get(0)).unwrap()
}

/// Plays one sequence, and after each delivery compares the reply and the work that is in effect with the story.
fn play(participant: &Participant<Crashing>, business: Business, sequence: &[Delivery], name: &str, world: &World) {
    let reserve = command(name, "do", "Reserve", "{}");
    let cancel = command(name, "undo", "Cancel", "{}");
    let query = command(name, "query", "Reserve", "{}");
    let late = Timestamp(NOW.0 + 10_001);
    world.calls.store(0, Ordering::SeqCst);
    let mut story = Story::NothingHappened;
    for (index, delivery) in sequence.iter().enumerate() {
        let before = world.calls.load(Ordering::SeqCst);
        let crashes = matches!(delivery, Delivery::DoCrashing | Delivery::UndoCrashing);
        world.crash.store(crashes, Ordering::SeqCst);
        let (message, now) = match delivery {
            Delivery::Do | Delivery::DoCrashing => (&reserve, NOW),
            Delivery::LateDo => (&reserve, late),
            Delivery::Undo | Delivery::UndoCrashing => (&cancel, late),
            Delivery::Query => (&query, NOW),
        };
        let reply = answered(&participant.handle(message, now).unwrap());
        let (next, wanted) = match (delivery, story) {
            (Delivery::LateDo, Story::NothingHappened) => (story, "retry expired"),
            (Delivery::Query, Story::NothingHappened) => (story, "unknown-command"),
            (Delivery::Undo, _) => (Story::TakenBack, "succeeded {}"),
            (Delivery::Do | Delivery::LateDo | Delivery::Query, _) => story.reply(business, before),
            // Nobody hears a reply; and what happened did not.
            (Delivery::DoCrashing | Delivery::UndoCrashing, _) => (story, reply.as_str()),
        };
        let at = || format!("{business:?} {sequence:?} at {index}");
        assert_eq!(wanted, reply, "{}", at());
        story = next;
        let seats = seats_taken(&world.reader, &reserve);
        assert_eq!(u32::from(story == Story::Worked), seats, "seats taken: {}", at());
    }
}

/// All sequences of that length, the shorter ones within them.
fn every_sequence(business: Business, length: u32) {
    let (participant, world) = participant(business);
    let count = DELIVERIES.len().pow(length);
    for number in 0..count {
        let sequence: Vec<Delivery> =
            (0..length).map(|place| DELIVERIES[number / DELIVERIES.len().pow(place) % DELIVERIES.len()]).collect();
        play(&participant, business, &sequence, &format!("s{number}"), &world);
    }
}

/// As long as makes a test of seconds: a cycle of the states is shorter.
const LENGTH: u32 = 5;

#[test]
fn every_sequence_of_deliveries_does_the_work_at_most_once() {
    every_sequence(Business::Succeeds, LENGTH);
}

#[test]
fn every_sequence_of_deliveries_keeps_a_refusal() {
    every_sequence(Business::Refuses, LENGTH);
}

#[test]
fn every_sequence_of_deliveries_survives_a_passing_fault() {
    every_sequence(Business::FaultsFirst, LENGTH);
}

#[test]
fn a_row_is_kept_until_the_latest_deadline_of_all_attempts() {
    let (participant, world) = participant(Business::Succeeds);
    let keep_until =
        || -> i64 { world.reader.query_row("SELECT keep_until FROM saga_guard", (), |row| row.get(0)).unwrap() };
    let reserve = command("a", "do", "Reserve", "{}");
    for (told, wanted) in [(500, 500), (900, 900), (700, 900)] {
        let attempt = with(reserve.clone(), "keepuntil", &told.to_string());
        participant.handle(&attempt, NOW).unwrap();
        assert_eq!(wanted, keep_until());
    }
    participant.handle(&with(command("a", "undo", "Cancel", "{}"), "keepuntil", "100"), NOW).unwrap();
    assert_eq!(900, keep_until(), "an undo shortens nothing");
}

#[test]
fn what_can_still_be_taken_back_is_not_purged() {
    let (participant, world) = participant(Business::Succeeds);
    participant.handle(&command("done", "do", "Reserve", "{}"), NOW).unwrap();
    participant.handle(&command("undone", "undo", "Cancel", "{}"), NOW).unwrap();
    let days = |days: u64| Timestamp(NOW.0 + days * 86_400_000);
    assert_eq!(0, participant.purge(NOW).unwrap(), "nothing is past its time");
    assert_eq!(1, participant.purge(days(1)).unwrap(), "the undone one is");
    assert_eq!(
        "succeeded {}",
        answered(&participant.handle(&command("done", "undo", "Cancel", "{}"), days(30)).unwrap())
    );
    assert_eq!(0, seats_taken(&world.reader, &command("done", "do", "Reserve", "{}")));
    participant.handle(&command("other", "do", "Reserve", "{}"), NOW).unwrap();
    assert_eq!(2, participant.purge(days(500)).unwrap(), "at some time even what is done goes");
}

/// An orchestrator that was down for hours repeats what it has no answer for before it reads the answer.
#[test]
fn what_was_refused_is_not_done_a_day_later() {
    let (participant, world) = participant(Business::Refuses);
    let reserve = command("a", "do", "Reserve", "{}");
    let refused = answered(&participant.handle(&reserve, NOW).unwrap());
    let later = Timestamp(NOW.0 + 86_400_000);
    assert_eq!(0, participant.purge(later).unwrap());
    let again = with(with(reserve.clone(), "attempt", "2"), "deadline", &(later.0 + 1).to_string());
    assert_eq!(refused, answered(&participant.handle(&again, later).unwrap()));
    assert_eq!(0, seats_taken(&world.reader, &reserve));
}

#[test]
fn a_compensation_of_its_own_is_work_like_any() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("mail.db")).unwrap();
    let participant = Participant::new("mail", store).undo("Apologize", |_, _, done| {
        assert_eq!(None, done, "nothing was done here before");
        Ok(())
    });
    let own = with(command("a", "do", "Apologize", "{}"), "command", "a/1/reserve~/1");
    assert_eq!("succeeded {}", answered(&participant.handle(&own, NOW).unwrap()));
    assert_eq!("succeeded {}", answered(&participant.handle(&own, NOW).unwrap()));
}

#[test]
fn what_a_participant_does_not_know_or_cannot_read_is_said() {
    let (participant, _world) = participant(Business::Succeeds);
    let unknown = command("a", "do", "Refund", "{}");
    assert_eq!("retry unknown-call", answered(&participant.handle(&unknown, NOW).unwrap()));
    let nameless = with(command("a", "do", "Reserve", "{}"), "command", "7");
    assert_eq!(
        "read the attribute `command`: `7` is not a command's id, instance/run/step/round, exactly as the command has it",
        participant.handle(&nameless, NOW).unwrap_err().to_string()
    );
}

#[test]
fn a_request_that_does_not_fit_is_refused_and_nothing_happened() {
    #[derive(serde::Deserialize)]
    struct Wanted {
        nights: u8,
    }
    let store = SqliteStore::new(rusqlite::Connection::open_in_memory().unwrap()).unwrap();
    let participant = Participant::new("hotels", store)
        .command("ReserveRoom", |_, call| call.request::<Wanted>().map(|wanted| wanted.nights));
    let reply = |payload| answered(&participant.handle(&command(payload, "do", "ReserveRoom", payload), NOW).unwrap());
    assert_eq!("succeeded 2", reply(r#"{"nights":2}"#));
    assert_eq!("failed unfit-request", reply(r#"{"nights":"two"}"#));
    // It is a refusal like any other: a row keeps it.
    let mended = command(r#"{"nights":"two"}"#, "do", "ReserveRoom", r#"{"nights":2}"#);
    assert_eq!("failed unfit-request", answered(&participant.handle(&mended, NOW).unwrap()));
}

#[test]
fn a_handler_that_panics_leaves_nothing() {
    let store = SqliteStore::new(rusqlite::Connection::open_in_memory().unwrap()).unwrap();
    store.connection().execute_batch("CREATE TABLE seats (taken_by TEXT NOT NULL)").unwrap();
    let has_panicked = AtomicBool::new(false);
    let participant = Participant::new("tickets", store).command("Reserve", move |tx, _| {
        tx.execute("INSERT INTO seats VALUES ('ana')", ())?;
        assert!(has_panicked.swap(true, Ordering::SeqCst), "the first time");
        Ok(tx.query_row("SELECT count(*) FROM seats", (), |row| row.get::<_, u32>(0))?)
    });
    let reserve = command("a", "do", "Reserve", "{}");
    let first = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| participant.handle(&reserve, NOW)));
    assert!(first.is_err());
    assert_eq!("succeeded 1", answered(&participant.handle(&reserve, NOW).unwrap()));
}

#[test]
fn processes_that_open_a_new_file_at_once_wait_for_each_other() {
    const AT_ONCE: usize = 8;
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rooms.db");
        let line = Barrier::new(AT_ONCE);
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    line.wait();
                    SqliteStore::open(&file).unwrap();
                });
            }
        });
    }
}

//! Replies of the library in Rust that nobody can hear, and messages that nobody can read: both are said with their place, and
//! neither stops what is behind.

use std::time::Duration;

use saga::log::kafka::{Raw, RawMessage, Settings};
use saga::participant::kafka::serve;
use saga::wire::CloudEvent;

use super::conformance::rooms;
use super::stage::{ROOMS, Stage};
use crate::participant::log::Log;
use crate::participant::{command, with};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(2);

const FLOOD: usize = 50;

/// A request for a room that is never too late.
fn reserve(instance: &str, to: &str, partition: &str) -> CloudEvent<'static> {
    let never = "9999999999999";
    let asked = command(instance, "do", "ReserveRoom", r#"{"hotel":"Lux","nights":1}"#);
    let asked = with(with(asked, "deadline", never), "keepuntil", never);
    with(with(asked, "replyto", to), "replypartition", partition)
}

#[test]
fn a_reply_that_cannot_be_written_stops_nothing_and_is_said() {
    let Some(stage) = Stage::of(&ROOMS) else { return };
    let store = stage.folder.path().join("rooms.db");
    let (rooms, log) = (rooms(&store), Log::default());
    let settings = Settings::new(&stage.address, []).unwrap();
    let raw = Raw::open(&settings).unwrap();
    let (topic, group, replies) = (stage.topic.clone(), stage.group(), format!("{}.replies", stage.prefix));
    raw.follow(&[(replies.clone(), 3)]).unwrap();
    let nowhere = format!("{}.nowhere", stage.prefix);
    let mut nobody = reserve("c", &replies, "1");
    nobody.remove("replyto");
    let asked = [reserve("a", &nowhere, "1"), reserve("b", &replies, "99"), nobody];
    let garbage = (0..FLOOD).map(|_| RawMessage { payload: Some(b"{".to_vec()), ..RawMessage::default() });
    let all = asked.iter().map(|event| RawMessage::from(&event.write())).chain(garbage);
    let last = RawMessage::from(&reserve("d", &replies, "1").write());
    let all: Vec<_> = all.chain([last]).map(|message| (0, message)).collect();
    raw.send(&topic, &all).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            tracing::subscriber::with_default(log.listener(), || serve(&rooms, &settings, &topic, &group, &stop))
                .unwrap();
        });
        let heard = raw.next(PATIENCE).map(|arrival| arrival.message.key.to_string());
        while log.lines("the log refuses a reply").len() < 2 {}
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(heard.as_deref(), Some("d"), "it is behind the others");
    });
    let at = |offset| format!("topic=\"{topic}\" partition=0 offset={offset}");
    for (words, place, command) in [
        ("the log refuses a reply", at(0), r#"command="a/1/reserve/1""#),
        ("the log refuses a reply", at(1), r#"command="b/1/reserve/1""#),
        ("names no topic for its reply", at(2), r#"command="c/1/reserve/1""#),
    ] {
        let lines = log.lines(words);
        let is_said = |line: &String| line.contains(&place) && line.contains(command);
        assert!(lines.iter().any(is_said), "{place} {command}: {lines:#?}");
    }
    let lines = log.lines("a message is passed over: ");
    assert!(lines.len() == 10 && lines[0].contains(&at(3)), "{lines:#?}");
    let sums = log.lines("and more messages are passed over");
    assert!(sums.len() == 1 && sums[0].contains("more=40"), "{sums:#?}");
    // Work that was done stays done: a repeat is answered by its row.
    let books = rusqlite::Connection::open(&store).unwrap();
    let held: u32 = books.query_row("SELECT count(*) FROM rooms", [], |row| row.get(0)).unwrap();
    assert_eq!(held, 4);
}

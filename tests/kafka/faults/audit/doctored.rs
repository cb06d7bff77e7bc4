//! The auditor can fail: topics in which one thing is wrong, and what it says of each.

use serde_json::{Value, json};

use super::books::Had;
use super::seen::{Seen, Topics};
use super::{Books, Expected, Names, audit};

const JOURNAL: &str = "saga.journal";
const REQUESTS: &str = "saga.requests";
const REPLIES: &str = "saga.replies";
const COMMANDS: &str = "work.commands";
const ANSWERS: &str = "answers";
const DEAD: &str = "saga.dead";

/// What is audited, and what is done to it.
struct World {
    topics: Topics,
    expected: Expected,
    books: Books,
}

fn names() -> Names {
    Names {
        requests: REQUESTS.to_owned(),
        replies: REPLIES.to_owned(),
        journal: JOURNAL.to_owned(),
        dead: DEAD.to_owned(),
        definitions: "saga.definitions".to_owned(),
        commands: vec![COMMANDS.to_owned()],
        answers: ANSWERS.to_owned(),
    }
}

fn seen(key: &str, headers: &[(&str, &str)], payload: &Value) -> Seen {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    Seen { offset: 0, key: key.as_bytes().to_vec(), headers, payload: payload.to_string().into_bytes() }
}

fn called(at: &str, work: &str) -> Value {
    json!({"called": {"at": at, "work": work, "attempt": 1, "until": 9}})
}

fn done(at: &str, work: &str) -> Value {
    json!({"succeeded": {"at": at, "work": work}})
}

fn change(instance: &str, seq: u64, cause: &Value, events: &[Value]) -> Value {
    let change = json!({"seq": seq, "at": 1, "events": events});
    json!({"change": {"instance": instance, "run": 5, "definition": "d", "cause": cause, "change": change}})
}

impl World {
    /// Puts a message behind the others of a partition.
    fn put(&mut self, topic: &str, partition: u32, mut message: Seen) -> u64 {
        message.offset = self.topics.partition(topic, partition).last().map_or(0, |last| last.offset + 1);
        let offset = message.offset;
        self.topics.put(topic, partition, message);
        offset
    }

    /// A record at its place, in the run of the claim at offset 0.
    fn record(&mut self, partition: u32, body: &Value) -> u64 {
        let n = self.topics.partition(JOURNAL, partition).last().map_or(0, |last| last.offset + 1);
        let position = 100 * n;
        let record = json!({
            "v": 1, "epoch": 0, "n": n, "read": {"requests": position, "replies": position}, "sent": 0, "checkpoint": 0,
            "at": 1, "body": body,
        });
        self.put(JOURNAL, partition, seen("", &[], &record))
    }

    fn command(&mut self, instance: &str, step: &str, kind: &str, record: u64) {
        let (id, place) = (format!("{instance}/5/{step}/1"), format!("0/{record}"));
        let event = format!("{id}/{kind}/1");
        let event = json!({
            "type": "saga.command.v1", "id": event, "instance": instance, "step": step, "kind": kind, "attempt": "1",
            "command": id, "record": place, "replypartition": "0",
        });
        self.put(COMMANDS, 0, seen(instance, &[], &event));
    }

    /// One change, with the messages of what it calls.
    fn change(&mut self, instance: &str, seq: u64, events: &[Value]) -> u64 {
        let cause = if seq == 1 {
            json!({"request": self.put(REQUESTS, 0, seen(instance, &[], &Value::Null))})
        } else {
            json!({"reply": self.put(REPLIES, 0, seen(instance, &[], &Value::Null))})
        };
        let record = self.record(0, &change(instance, seq, &cause, events));
        for called in events.iter().filter_map(|event| event.get("called")) {
            self.command(instance, called["at"].as_str().unwrap(), called["work"].as_str().unwrap(), record);
        }
        record
    }

    fn answer(&mut self, instance: &str, status: &str, record: u64) {
        let place = format!("0/{record}");
        let event = json!({ "type": "saga.answer.v1", "instance": instance, "status": status, "record": place });
        self.put(ANSWERS, 0, seen(instance, &[], &event));
    }

    /// `a` completes and `b` is taken back, one step behind the other; one input is unreadable, and one is forwarded; a
    /// checkpoint is complete.
    fn right() -> Self {
        let mut world = Self { topics: Topics::default(), expected: Expected::default(), books: Books::default() };
        let claim =
            |world: &mut Self, partition| world.record(partition, &json!({"claim": {"owner": "o", "attempt": 1}}));
        claim(&mut world, 0);
        let started = json!({"started": {"saga": "trip", "input": {}}});
        world.change("b", 1, &[started.clone(), called("seat", "do")]);
        world.change("b", 2, &[done("seat", "do"), called("room", "do")]);
        world.change("b", 3, &[done("room", "do"), called("pay", "do")]);
        let refused = json!({"refused": {"at": "pay", "code": "declined"}});
        world.change("b", 4, &[refused, called("room", "undo")]);
        world.change("b", 5, &[done("room", "undo"), called("seat", "undo")]);
        let end = world.change("b", 6, &[done("seat", "undo"), json!("compensated")]);
        world.answer("b", "compensated", end);
        world.change("a", 1, &[started, called("seat", "do")]);
        world.change("a", 2, &[done("seat", "do"), called("pay", "do")]);
        let end = world.change("a", 3, &[done("pay", "do"), json!({"completed": {"output": {}}})]);
        world.answer("a", "completed", end);
        let at = world.put(REPLIES, 0, seen("x", &[], &json!("garbage")));
        let raw = json!({"key": "x", "headers": [], "payload": {"text": "garbage"}});
        let rejected = world.record(0, &json!({"reject": {"cause": {"reply": at}, "rejection": {}, "raw": raw}}));
        world.put(DEAD, 0, seen("x", &[("saga-record", &format!("0/{rejected}"))], &json!("garbage")));
        let at = world.put(REQUESTS, 0, seen("y", &[], &Value::Null));
        let message = json!({"key": "y", "headers": [], "payload": {"text": "null"}});
        let forward =
            world.record(0, &json!({"forward": {"cause": {"request": at}, "partition": 1, "message": message}}));
        world.put(REQUESTS, 1, seen("y", &[("saga-forwarded", &format!("0/{forward}"))], &Value::Null));
        let began = world.record(0, &json!({"started": {"forgets": 0}}));
        world.record(0, &json!({"completed": {"started": began}}));
        let last = world.record(0, &json!("mark"));
        world.edit(JOURNAL, last, |record| record["checkpoint"] = json!(began));
        claim(&mut world, 1);
        world.record(1, &json!("mark"));
        for id in ["a", "b"] {
            world.expected.accepted.insert(id.to_owned());
            world.expected.asked.insert(id.to_owned());
        }
        world.books.had.insert("a".to_owned(), Had { held: 0, seats: 1, rooms: 1, charges: 1 });
        world
    }

    fn edit(&mut self, topic: &str, offset: u64, change: impl FnOnce(&mut Value)) {
        let message = &mut self.topics.partition_mut(topic, 0)[usize::try_from(offset).unwrap()];
        let mut value = serde_json::from_slice(&message.payload).unwrap();
        change(&mut value);
        message.payload = value.to_string().into_bytes();
    }

    /// The change of an instance with that number.
    fn at(&self, instance: &str, seq: u64) -> u64 {
        let found = self.topics.partition(JOURNAL, 0).iter().find(|seen| {
            let record: Value = serde_json::from_slice(&seen.payload).unwrap();
            let change = &record["body"]["change"];
            change["instance"] == instance && change["change"]["seq"] == seq
        });
        found.unwrap().offset
    }

    fn edit_events(&mut self, instance: &str, seq: u64, events: &[Value]) {
        let at = self.at(instance, seq);
        self.edit(JOURNAL, at, |record| record["body"]["change"]["change"]["events"] = json!(events));
    }

    fn attribute(&mut self, topic: &str, offset: u64, name: &str, value: &str) {
        self.edit(topic, offset, |event| event[name] = json!(value));
    }
}

#[test]
fn nothing_is_wrong_where_nothing_is() {
    let World { topics, expected, books } = World::right();
    let (sums, faults) = audit(&topics, &names(), &expected, &books);
    assert!(faults.is_empty(), "{faults}");
    assert_eq!((sums.completed, sums.compensated, sums.claims, sums.checkpoints), (1, 1, 2, 1));
    assert_eq!((sums.rejected, sums.forwarded, sums.misfits, sums.strangers), (1, 1, 0, 0));
}

/// What is wrong, and the fault that the auditor must find.
type Doctored = (&'static str, fn(&mut World));

#[test]
fn each_wrong_is_found() {
    let all: &[Doctored] = &[
        ("a hole in seq", |world| {
            let at = world.at("b", 3);
            world.edit(JOURNAL, at, |record| record["body"]["change"]["change"]["seq"] = json!(4));
        }),
        ("no end", |world| {
            world.topics.partition_mut(JOURNAL, 0).truncate(6);
        }),
        ("ended twice", |world| {
            world.change("b", 7, &[json!("compensated")]);
        }),
        ("a change behind the end", |world| {
            world.change("a", 4, &[json!("late")]);
        }),
        ("a run begins with its start, and only there", |world| world.edit_events("a", 1, &[called("seat", "do")])),
        ("begun twice", |world| {
            let record = world.change("a", 1, &[json!({"started": {}}), json!("compensated")]);
            world.edit(JOURNAL, record, |record| record["body"]["change"]["run"] = json!(6));
        }),
        ("in two partitions", |world| {
            world.put(REQUESTS, 1, seen("b", &[], &Value::Null));
            world.record(1, &change("b", 7, &json!({"request": 1}), &[json!("late")]));
        }),
        ("an accepted start is lost", |world| {
            world.expected.accepted.insert("c".to_owned());
        }),
        ("stuck without a reason", |world| {
            let stuck = json!({"stuck": {"at": "seat", "work": "undo", "code": ""}});
            world.edit_events("b", 6, &[stuck]);
        }),
        ("not taken back", |world| world.edit_events("b", 5, &[called("seat", "undo")])),
        ("taken back twice", |world| {
            world.edit_events("b", 6, &[done("seat", "undo"), done("room", "undo"), json!("compensated")]);
        }),
        ("taken back though it was not done", |world| {
            world.edit_events("b", 6, &[called("pay", "undo"), done("seat", "undo"), json!("compensated")]);
        }),
        ("taken back in another order", |world| {
            world.edit_events("b", 4, &[called("seat", "undo")]);
            world.edit_events("b", 5, &[done("seat", "undo"), called("room", "undo")]);
            world.edit_events("b", 6, &[done("room", "undo"), json!("compensated")]);
        }),
        ("completed and taken back", |world| {
            world.edit_events("a", 3, &[done("pay", "do"), called("seat", "undo"), json!({"completed": {}})]);
        }),
        ("completed without its step", |world| world.edit_events("a", 3, &[json!({"completed": {}})])),
        ("an orphan command", |world| world.command("a", "seat", "do", 99)),
        // A zombie's record in between: what is behind it does not count, and its commands have no reason.
        ("an orphan command", |world| {
            let at = world.at("b", 5);
            world.edit(JOURNAL, at, |record| record["epoch"] = json!(1));
        }),
        // What is no record, the same.
        ("an orphan command", |world| {
            let at = world.at("b", 5);
            world.edit(JOURNAL, at, |record| *record = json!({"v": 1}));
        }),
        ("a command that its record does not call for", |world| {
            let at = world.at("a", 1);
            world.command("a", "pay", "do", at);
        }),
        ("a command that its record does not call for", |world| world.attribute(COMMANDS, 0, "attempt", "2")),
        ("a command with a wrong id", |world| world.attribute(COMMANDS, 0, "command", "b/6/seat/1")),
        ("a command with a wrong id", |world| world.attribute(COMMANDS, 0, "id", "b/5/seat/1/do/2")),
        ("an input counts twice", |world| {
            let at = world.at("b", 3);
            world.edit(JOURNAL, at, |record| record["body"]["change"]["cause"] = json!({"reply": 0}));
        }),
        ("a record without its input", |world| {
            let at = world.at("b", 3);
            world.edit(JOURNAL, at, |record| record["body"]["change"]["cause"] = json!({"reply": 99}));
        }),
        ("another's input", |world| world.topics.partition_mut(REPLIES, 0)[0].key = b"a".to_vec()),
        ("read steps back", |world| {
            let at = world.at("b", 3);
            world.edit(JOURNAL, at, |record| record["read"]["replies"] = json!(0));
        }),
        ("a pointer to no checkpoint", |world| {
            let at = world.at("b", 3);
            world.edit(JOURNAL, at, |record| record["checkpoint"] = json!(1));
        }),
        ("a checkpoint that never started", |world| {
            world.record(0, &json!({"completed": {"started": 2}}));
        }),
        ("an orphan answer", |world| world.answer("a", "completed", 99)),
        ("another answer than its record's", |world| world.attribute(ANSWERS, 0, "status", "completed")),
        ("an end that was not told", |world| world.topics.partition_mut(ANSWERS, 0).clear()),
        ("an orphan in saga.dead", |world| {
            world.topics.partition_mut(DEAD, 0)[0].headers = vec![("saga-record".to_owned(), b"0/1".to_vec())];
        }),
        ("a copy that is missing", |world| world.topics.partition_mut(DEAD, 0).clear()),
        ("a copy that is missing", |world| world.topics.partition_mut(REQUESTS, 1).clear()),
        ("an orphan that was forwarded", |world| world.topics.partition_mut(REQUESTS, 1)[0].key = b"z".to_vec()),
        ("books that say otherwise", |world| world.books.had.clear()),
        ("books that say otherwise", |world| world.books.had.get_mut("a").unwrap().charges = 2),
        ("books that say otherwise", |world| {
            world.books.had.insert("b".to_owned(), Had { held: 1, ..Had::default() });
        }),
        ("a booking of nobody", |world| {
            world.books.had.insert("z".to_owned(), Had::default());
        }),
        ("books that do not add up", |world| world.books.missing.push("1 cents".to_owned())),
    ];
    for (index, (fault, doctor)) in all.iter().enumerate() {
        let mut world = World::right();
        doctor(&mut world);
        let World { topics, expected, books } = world;
        let (_, faults) = audit(&topics, &names(), &expected, &books);
        assert!(faults.kinds().contains(fault), "{fault} ({index}) is not found:\n{faults}");
    }
}

#[test]
fn what_does_not_count_changes_nothing() {
    let mut world = World::right();
    // A zombie's end of `a`, a repeat, and bytes that are nothing, each behind what counts.
    let again = world.topics.partition(JOURNAL, 0)[3].clone();
    world.put(JOURNAL, 0, again);
    world.record(0, &change("a", 9, &json!({"timer": 1}), &[json!("compensated")]));
    world.put(JOURNAL, 0, Seen { payload: vec![0xff, 0x00], ..Seen::default() });
    world.record(0, &json!("mark"));
    let World { topics, expected, books } = world;
    let (sums, faults) = audit(&topics, &names(), &expected, &books);
    assert!(faults.is_empty(), "{faults}");
    assert_eq!((sums.misfits, sums.strangers), (3, 1));
}

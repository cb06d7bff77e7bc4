//! `docs/participants.md` holds: its tables are the code's, its SQL runs, its examples are sent and answered.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use saga::check;
use saga::definition::json::check_json;
use saga::definition::types::Type;
use saga::engine::ReplyKind;
use saga::files::Folder;
use saga::json::Json;
use saga::participant::guard::{Ask, State, Verdict, code, verdict};
use saga::participant::{Address, Participant, SqliteStore, http};
use saga::source::SourceFile;
use saga::wire::{self, CloudEvent, attribute};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::messages::{command, with};
use super::simulated::{carried, replied, settings};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    fs::read_to_string(root().join("docs/participants.md")).unwrap()
}

/// The fenced blocks that begin with `start`.
pub(super) fn blocks(start: &str) -> Vec<String> {
    let page = page();
    let fenced = page.split("\n```").skip(1).step_by(2);
    let bodies = fenced.filter_map(|block| block.split_once('\n').map(|(_, body)| body.to_owned()));
    bodies.filter(|body| body.starts_with(start)).collect()
}

/// The rows of the table with that head, as cells.
fn table(head: &str) -> Vec<Vec<String>> {
    let page = page();
    let rows = page.lines().skip_while(|line| !line.starts_with(head)).skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn every_attribute_is_explained() {
    let told: Vec<_> = table("| attribute |").into_iter().map(|row| row[0].trim_matches('`').to_owned()).collect();
    assert_eq!(attribute::ALL.to_vec(), told);
}

/// What the guard and the library say by themselves.
#[test]
fn every_code_is_explained() {
    let told: Vec<_> = table("| code | with |").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    for (known, status) in [
        (code::EXPIRED, "`retry`"),
        (code::ALREADY_UNDONE, "`failed`"),
        (code::STILL_DOING, "`retry`"),
        (code::STORE, "`retry`"),
        (code::PANICKED, "`retry`"),
        (code::UNKNOWN_CALL, "`retry`"),
        (code::UNFIT_REQUEST, "`failed`"),
    ] {
        let is_told = |(codes, with): &(String, String)| codes.contains(&format!("`{known}`")) && with == status;
        assert!(told.iter().any(is_told), "{known}: {told:?}");
    }
}

#[cfg(feature = "kafka")]
#[test]
fn every_rule_of_the_probe_stands_on_the_page() {
    use saga::participant::probe::RULES;
    let told = table("| rule |");
    let known: Vec<_> = RULES.iter().map(|rule| vec![format!("`{}`", rule.name), rule.says.to_owned()]).collect();
    assert_eq!(known, told);
    let anchor = |heading: &str| heading.trim_start_matches(['#', ' ']).to_lowercase().replace(' ', "-");
    let anchors: Vec<_> = page().lines().filter(|line| line.starts_with("##")).map(anchor).collect();
    for rule in RULES {
        assert!(anchors.iter().any(|anchor| anchor == rule.anchor), "{}: #{}", rule.name, rule.anchor);
    }
}

#[test]
fn the_table_of_the_guard_is_that_of_the_code() {
    let shown = |ask, known| match verdict(ask, known) {
        Verdict::Work => "work: then `done` or `failed`",
        Verdict::Expired => "`retry`, `expired`; no row",
        Verdict::Pending => "`pending`",
        Verdict::SameReply => "same reply",
        Verdict::AlreadyUndone => "`failed`, `already-undone`",
        Verdict::Forbid if known.is_none() => "`undone`, `succeeded`: nothing to do",
        Verdict::Forbid => "`undone`, `succeeded`",
        Verdict::UndoLater => "`retry`, `still-doing`",
        Verdict::Compensate => "take it back: `undone`, `succeeded`",
        Verdict::UndoneBefore => "`succeeded`",
        Verdict::UnknownCommand => "`unknown-command`; no row",
    };
    let asks =
        [("`do`", Ask::Do), ("`do` past its deadline", Ask::LateDo), ("`undo`", Ask::Undo), ("`query`", Ask::Query)];
    let wanted: Vec<Vec<_>> = asks
        .into_iter()
        .map(|(name, ask)| {
            let states = std::iter::once(None).chain(State::ALL.map(Some));
            std::iter::once(name).chain(states.map(|known| shown(ask, known))).map(str::to_owned).collect()
        })
        .collect();
    assert_eq!(wanted, table("| | no row |"));
}

#[test]
fn the_messages_can_be_read() {
    let blocks = blocks("{\"specversion\"");
    let [asked, replied, own] = blocks.as_slice() else { panic!("two commands and a reply, not {}", blocks.len()) };
    let asked = wire::read_command(&CloudEvent::parse(asked.as_bytes()).unwrap()).unwrap();
    let replied = wire::read_reply(&CloudEvent::parse(replied.as_bytes()).unwrap()).unwrap();
    assert_eq!((&asked.id, asked.kind, asked.attempt), (&replied.command, replied.kind, replied.attempt));
    let own = wire::read_command(&CloudEvent::parse(own.as_bytes()).unwrap()).unwrap();
    assert!(own.id.own_undo && own.kind == ReplyKind::Do, "{own:?}");
}

#[test]
fn the_requests_through_the_log_can_be_read() {
    let page = fs::read_to_string(root().join("docs/kafka.md")).unwrap();
    let json = |start: &str| {
        let block = page.split("\n```json\n").skip(1).find(|block| block.starts_with(start)).unwrap();
        block.split("\n```").next().unwrap().to_owned()
    };
    let asked = json(r#"{"specversion":"1.0","type":"saga.request.v1""#);
    let asked = wire::read_request(&CloudEvent::parse(asked.as_bytes()).unwrap()).unwrap();
    let wire::Ask::Start { saga, start } = &asked.ask else { panic!("{asked:?}") };
    let path = root().join("workflows/booking.saga");
    let file = SourceFile::new("booking.saga", fs::read_to_string(&path).unwrap());
    let program = check::check_file(file, &Folder::around(&path).unwrap()).program;
    let input = Type::Record(program.sagas[saga].input.clone());
    assert_eq!(check_json(&input, start.input.get()), Ok(()));
    let answered = json(r#"{"specversion":"1.0","type":"saga.answer.v1""#);
    let answered = wire::read_answer(&CloudEvent::parse(answered.as_bytes()).unwrap()).unwrap();
    assert_eq!((&answered.request, &answered.instance), (&asked.id, &asked.instance));
    // The other kinds, as their table has them.
    let rows = page.lines().skip_while(|line| !line.starts_with("| `kind` | `data` |")).skip(3);
    let mut read = 0;
    for row in rows.take_while(|line| line.starts_with('|')) {
        let words: Vec<&str> = row.split('`').collect();
        for data in words[3..].iter().filter(|word| word.starts_with('{')) {
            let data = if data.starts_with(r#"{"failed""#) {
                format!(r#"{{"step":"charge","work":"do","outcome":{data}}}"#)
            } else {
                (*data).to_owned()
            };
            let mut event = CloudEvent::default();
            let attributes =
                [("type", attribute::REQUEST_TYPE), ("id", "r"), ("instance", "trip-7"), ("kind", words[1])];
            for (name, value) in attributes {
                event.set(name, value);
            }
            event.data = Some(Json::parse(data).unwrap());
            assert!(wire::read_request(&event).is_ok(), "{row}: {:?}", wire::read_request(&event));
            read += 1;
        }
    }
    assert_eq!(read, 5);
}

#[test]
fn the_sql_does_what_the_guard_needs() {
    let blocks = blocks("-- once");
    let statements: Vec<_> = blocks[0].split_inclusive(';').map(str::trim).filter(|sql| !sql.is_empty()).collect();
    let [create, begin, insert, select, update, commit, delete] = statements[..] else { panic!("{statements:#?}") };
    let db = rusqlite::Connection::open_in_memory().unwrap();
    let row = || db.query_row(select, &[(":command", "a")], |row| Ok((row.get(0)?, row.get(1)?)));
    let claim = || db.execute(insert, &[(":command", &"a" as &dyn rusqlite::ToSql), (":keep_until", &500)]).unwrap();
    db.execute_batch(create).unwrap();
    for (claimed, state, keep) in [(1, "done", 400), (0, "undone", 900)] {
        db.execute_batch(begin).unwrap();
        assert_eq!(claimed, claim());
        db.execute(
            update,
            rusqlite::named_params! { ":command": "a", ":state": state, ":reply": "{}", ":keep_until": keep },
        )
        .unwrap();
        assert_eq!(Ok((state.to_owned(), "{}".to_owned())), row());
        db.execute_batch(commit).unwrap();
    }
    assert_eq!(0, db.execute(delete, &[(":now", &800)]).unwrap());
    assert_eq!(1, db.execute(delete, &[(":now", &901)]).unwrap());
}

#[tokio::test]
async fn the_request_over_http_gets_the_response() {
    let store = SqliteStore::new(rusqlite::Connection::open_in_memory().unwrap()).unwrap();
    let hotels = Participant::new("hotels", store)
        .command("ReserveRoom", |_, call| Ok(serde_json::json!({ "hold": call.key().as_str() })));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    tokio::spawn(http::serve(Arc::new(hotels), listener, std::future::pending()));

    let request = blocks("POST /commands").remove(0).replace("content-length", "connection: close\ncontent-length");
    stream.write_all(request.trim_end().replace('\n', "\r\n").as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let said = response.lines().filter(|line| !line.starts_with("date:") && !line.starts_with("connection:"));
    let said = said.fold(String::new(), |mut text, line| {
        writeln!(text, "{line}").unwrap();
        text
    });
    assert_eq!(blocks("HTTP/1.1 200").remove(0).trim_end(), said.trim_end());
}

fn due(kind: &str, call: &str, payload: &str) -> CloudEvent<'static> {
    with(command("a", kind, call, payload), attribute::DEADLINE, &u64::MAX.to_string())
}

#[tokio::test]
async fn the_least_participant_answers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("least.sh");
    fs::write(&file, blocks("while read").remove(0)).unwrap();
    let address = Address::Process { program: "sh".to_owned(), arguments: vec![file.to_str().unwrap().to_owned()] };
    let told = carried(&address, settings(), vec![due("do", "ReserveRoom", "{}")]).await;
    assert_eq!((vec![r#"a: succeeded {"hold":"h-1"}"#.to_owned()], 8), told);
}

/// Python is no part of the project: where there is none, this says so and nothing else.
#[tokio::test]
async fn the_participant_in_python_keeps_the_guard() {
    if !Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("there is no python3 here: examples/participants/rooms.py was not tried");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = root().join("examples/participants/rooms.py");
    let store = folder.path().join("rooms.db");
    let arguments = [script, store].map(|path| path.to_str().unwrap().to_owned()).to_vec();
    let address = Address::Process { program: "python3".to_owned(), arguments };
    let request = r#"{"hotel":"Lux","nights":2}"#;
    let late = || with(command("a", "do", "ReserveRoom", request), attribute::DEADLINE, "1");
    // Each by a process of its own, so that only what was committed is known. An answer to a late one is waited for a second,
    // which a process that has to start may not have: so it is asked something else first, and again if that was not enough.
    let first = || with(due("query", "ReserveRoom", "{}"), attribute::COMMAND, "a/1/reserve/0");
    let answer = async |message: &CloudEvent<'static>| loop {
        if let Some(reply) = replied(&address, settings(), vec![first(), message.clone()]).await {
            return reply;
        }
    };
    for (message, wanted) in [
        (due("query", "ReserveRoom", "{}"), "unknown-command"),
        (late(), "retry expired"),
        (due("do", "NoSuchThing", request), "retry fault"),
        (due("do", "ReserveRoom", request), r#"succeeded {"hold": "a/1/reserve/1"}"#),
        (late(), r#"succeeded {"hold": "a/1/reserve/1"}"#),
        (due("query", "ReserveRoom", "{}"), r#"succeeded {"hold": "a/1/reserve/1"}"#),
        (due("undo", "CancelRoom", "{}"), "succeeded {}"),
        (due("undo", "CancelRoom", "{}"), "succeeded {}"),
        (due("do", "ReserveRoom", request), "failed already-undone"),
    ] {
        assert_eq!(wanted, answer(&message).await);
    }
    let many = (0..11).map(|number| {
        let id = format!("a/1/reserve/{}", number + 2);
        with(due("do", "ReserveRoom", request), attribute::COMMAND, &id)
    });
    let (replies, _) = carried(&address, settings(), many.collect()).await;
    assert_eq!(1, replies.iter().filter(|reply| *reply == "a: failed sold_out").count(), "ten rooms, eleven guests");
}

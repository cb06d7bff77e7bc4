//! Contracts for other tools: valid by the official schemas, and true of what goes over the log.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use saga::check::{check_file, check_text};
use saga::definition::Program;
use saga::definition::json::{check_json, least};
use saga::definition::types::Type;
use saga::engine::{
    Answer, Command, CommandId, CommandKind, Direction, End, Failure, InstanceId, Order, OrderRequest, Refusal,
    Rejection, Reply, ReplyKind, ReplyTo, RequestId, Start, Status,
};
use saga::files::Folder;
use saga::json::Json;
use saga::schema::{asyncapi, json_schema};
use saga::source::SourceFile;
use saga::time::Timestamp;
use saga::wire::{self, About, Ask, Envelope, Message, RecordId, Request};
use serde_json::{Value, json};

fn program(text: &str) -> Program {
    let checked = check_text("case.saga", text);
    assert!(!checked.has_errors(), "{:?}", checked.findings);
    checked.program
}

/// Every type, docs, personal fields, names on the wire, queries, refusals, messages, signals.
const EVERYTHING: &str = r#"
type Size = "small" | "large"
type Item { sku: string, size: Size, price: decimal, tags: list<string>? }
type Order {
  /// Who pays.
  personal customer: string
  items: list<Item>
  first: Item?
  by_name: map<Item>
  count: int
  total: decimal
  gift: bool
  due: timestamp
  patience: duration
  extra: json
}
/// The stock.
participant stock {
  commands "stock.v2"
  answers queries
  /// Sets aside.
  command Reserve as "reserve-items" { order: Order } returns { hold: string, left: int } fails "sold_out", "closed"
  command Release { hold: string? }
  /// For its books.
  message Sold as "items-sold" { hold: string }
}
/// Sells.
saga shop {
  version 3
  input Order
  /// The goods are there.
  signal delivered { at: timestamp }
  pivot step reserve { call stock.Reserve { order: input } }
  await delivered within 1d otherwise {}
  step release { call stock.Release { hold: reserve.hold } }
  step sold { send stock.Sold { hold: reserve.hold } }
  output { hold: reserve.hold }
}
/// The web shop.
trigger ordered {
  on "web.orders"
  event { kind: string, number: int, order: Order }
  where event.kind == "ordered"
  start shop { id: "shop-" + text(event.number), input: event.order }
}
trigger arrived {
  on "yard.events"
  event { parcel: { order: string, "at/last": timestamp } }
  signal shop.delivered { id: event.parcel.order, with: { at: event.parcel."at/last" } }
}
trigger sorted {
  on "yard.events"
  event { yard: string, order: string, at: timestamp }
  signal shop.delivered { id: event.yard + "-" + event.order, with: { at: event.at } }
}
"#;

/// The programs of the shipped workflows.
fn shipped() -> Vec<Program> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("workflows");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "saga"));
    files.sort();
    let of = |file: &Path| {
        let source = SourceFile::new(file.to_str().unwrap(), fs::read_to_string(file).unwrap());
        check_file(source, &Folder::around(file).unwrap()).program
    };
    files.iter().map(|file| of(file)).collect()
}

#[track_caller]
fn assert_valid(schema: &jsonschema::Validator, value: &Value) {
    let errors: Vec<String> =
        schema.iter_errors(value).map(|error| format!("{error} at {}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{value:#}");
}

/// Calls `see` with each `$ref`.
fn references(value: &Value, see: &mut dyn FnMut(&str)) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(at) if key == "$ref" => see(at),
                    other => references(other, see),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, see)),
        _ => {}
    }
}

#[track_caller]
fn assert_references_lead_somewhere(document: &Value) {
    references(document, &mut |at| {
        let pointer = at.strip_prefix('#').expect("within the document");
        assert!(document.pointer(pointer).is_some(), "{at} leads nowhere");
    });
}

#[test]
fn the_asyncapi_document_is_valid_and_whole() {
    let meta: Value = serde_json::from_str(include_str!("../schemas/asyncapi-3.0.0.json")).unwrap();
    let meta = jsonschema::validator_for(&meta).unwrap();
    let alone = shipped().into_iter().map(|program| vec![program]);
    for programs in alone.chain([vec![program(EVERYTHING)], vec![Program::default()]]) {
        let document = asyncapi(&programs).unwrap();
        assert_valid(&meta, &document);
        assert_references_lead_somewhere(&document);
    }
}

#[test]
fn events_of_triggers_are_received_and_tell_which_instance_they_mean() {
    let document = asyncapi(&[program(EVERYTHING)]).unwrap();
    let messages = &document["components"]["messages"];
    assert_eq!(messages["ordered.event"]["correlationId"]["location"], "$message.payload#/number");
    assert_eq!(messages["arrived.event"]["correlationId"]["location"], "$message.payload#/parcel/order");
    assert!(messages["sorted.event"].get("correlationId").is_none(), "its id is made of two fields");
    assert_eq!(document["operations"]["ordered.event"]["action"], "receive");
    assert_eq!(document["channels"]["yard.events"]["messages"].as_object().unwrap().len(), 2);
    let event = json!({ "kind": "ordered", "number": 7, "order": serde_json::from_str::<Value>(
        &least(&Type::Record(program(EVERYTHING).sagas["shop"].input.clone()), "word")).unwrap() });
    let schemas = json_schema(&[program(EVERYTHING)]).unwrap();
    assert!(schema_of(&schemas, "ordered.event").is_valid(&event));
    assert!(!schema_of(&schemas, "ordered.event").is_valid(&json!({ "kind": "ordered", "number": 7 })));
}

#[test]
fn the_meta_schema_refuses_what_is_wrong() {
    let meta: Value = serde_json::from_str(include_str!("../schemas/asyncapi-3.0.0.json")).unwrap();
    let meta = jsonschema::validator_for(&meta).unwrap();
    let mut document = asyncapi(&[program(EVERYTHING)]).unwrap();
    document["operations"]["stock.Reserve"]["action"] = json!("shout");
    assert!(!meta.is_valid(&document));
}

#[test]
fn the_json_schemas_are_valid_by_draft_2020_12() {
    for programs in [vec![program(EVERYTHING)], shipped().into_iter().take(1).collect()] {
        let document = json_schema(&programs).unwrap();
        assert!(jsonschema::draft202012::meta::is_valid(&document), "{document:#}");
        assert_references_lead_somewhere(&document);
    }
}

#[test]
fn everything_as_it_is_written() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&json_schema(&[program(EVERYTHING)]).unwrap()).unwrap());
    insta::assert_snapshot!(serde_json::to_string_pretty(&asyncapi(&[program(EVERYTHING)]).unwrap()).unwrap());
}

#[test]
fn files_that_agree_make_one_document_and_others_are_refused_by_the_name_that_differs() {
    let one = program(EVERYTHING);
    assert_eq!(asyncapi([&one, &one]).unwrap()["channels"], asyncapi([&one]).unwrap()["channels"]);
    let other = program(&EVERYTHING.replace("left: int", "left: decimal"));
    let conflict = json_schema([&one, &other]).unwrap_err();
    assert_eq!(conflict.name, "stock.Reserve.reply");
    assert_eq!(asyncapi([&one, &other]).unwrap_err().name, "stock.Reserve.reply");
}

/// The schema of one definition in its document.
fn schema_of(document: &Value, name: &str) -> jsonschema::Validator {
    let mut schema = document.clone();
    schema["$ref"] = json!(format!("#/$defs/{name}"));
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

/// JSON in and around what the types take.
fn scalars() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!("small")),
        Just(json!("840.00")),
        Just(json!("12")),
        Just(json!("-")),
        Just(json!(12.5)),
        Just(json!("2026-01-31T10:00:00Z")),
        Just(json!("2026-13-31T10:00:00Z")),
        Just(json!("PT15M")),
        Just(json!("15m")),
        Just(json!([])),
        Just(json!({})),
        Just(json!({ "sku": "x", "size": "large", "price": "1.00" })),
        Just(json!({ "sku": "x", "size": "large", "price": 1, "tags": null, "more": [] })),
        Just(json!([{ "sku": "x", "size": "huge", "price": 1 }])),
    ]
}

proptest! {
    /// The engine and the schema agree, field by field, on what fits.
    #[test]
    fn a_schema_takes_what_the_engine_takes(field in 0..10_usize, value in scalars()) {
        let program = program(EVERYTHING);
        let document = json_schema([&program]).unwrap();
        let input = &program.sagas["shop"].input;
        let ty = Type::Record(input.clone());
        let mut whole: Value = serde_json::from_str(&least(&ty, "word")).unwrap();
        whole[input.fields[field].key.as_str()] = value;
        let fits = check_json(&ty, &whole.to_string()).is_ok();
        prop_assert_eq!(schema_of(&document, "shop.input").is_valid(&whole), fits, "{:#}", whole);
    }
}

/// Holds a message to the one of that name in the document.
#[track_caller]
fn assert_described(document: &Value, name: &str, message: &Message) {
    let described = &document["components"]["messages"][name];
    assert!(described.is_object(), "no message {name}");
    let mut schema = described["payload"].clone();
    schema["components"] = document["components"].clone();
    let event: Value = serde_json::from_slice(&message.payload).unwrap();
    assert_valid(&jsonschema::options().with_draft(jsonschema::Draft::Draft7).build(&schema).unwrap(), &event);
}

#[test]
fn what_goes_over_the_log_is_as_described() {
    let program = program(EVERYTHING);
    let document = asyncapi([&program]).unwrap();
    let order = least(&Type::Record(program.sagas["shop"].input.clone()), "word");
    let id: CommandId = CommandId::parse("order-7/1700000000000/reserve/1").unwrap();
    let record = RecordId { partition: 3, offset: 1042 };
    let command = |kind: CommandKind, payload: &str| Command {
        id: id.clone(),
        kind,
        attempt: 2,
        place: "reserve".into(),
        wire: "reserve-items".into(),
        work: Direction::Do,
        participant: program.participants["stock"].clone(),
        payload: Json::parse(payload).unwrap(),
        deadline: Timestamp(1_700_000_010_000),
        changed: Timestamp(1_700_000_000_000),
        traceparent: None,
    };
    let envelope = Envelope { saga: "shop", reply_topic: "saga.replies", reply_partition: 3, record };
    let request = format!("{{\"order\":{order}}}");
    for kind in [CommandKind::Do, CommandKind::Undo] {
        assert_described(&document, "stock.Reserve", &wire::command(&command(kind, &request), &envelope));
    }
    assert_described(&document, "stock.query", &wire::command(&command(CommandKind::Query, "{}"), &envelope));
    let sold = Command { wire: "items-sold".into(), ..command(CommandKind::Message, r#"{"hold":"h"}"#) };
    assert_described(&document, "stock.Sold", &wire::command(&sold, &envelope));

    let about = About { participant: "stock", traceparent: None };
    let reply = |kind, status, payload: Option<&str>| {
        let payload = payload.map(|payload| Json::parse(payload).unwrap());
        wire::reply(&Reply { command: id.clone(), kind, attempt: 2, status, payload }, &about)
    };
    let done = Some("{\"hold\":\"h\",\"left\":1}");
    let failed = Status::Failed { code: "sold_out".into(), message: Some("none".to_owned()) };
    for (name, message) in [
        ("stock.Reserve.succeeded", reply(ReplyKind::Do, Status::Succeeded, done)),
        ("stock.Reserve.succeeded", reply(ReplyKind::Query, Status::Succeeded, done)),
        ("stock.Reserve.failed", reply(ReplyKind::Do, failed, None)),
        ("undone", reply(ReplyKind::Undo, Status::Succeeded, Some("{}"))),
        ("retry-later", reply(ReplyKind::Do, Status::Retry { code: Some("full".into()) }, None)),
        ("pending", reply(ReplyKind::Query, Status::Pending, None)),
        ("unknown-command", reply(ReplyKind::Query, Status::UnknownCommand, None)),
    ] {
        assert_described(&document, name, &message);
    }

    let to = ReplyTo { topic: "answers".into(), partition: Some(0), request: RequestId::try_from("r-1").unwrap() };
    let instance = InstanceId::try_from("order-7").unwrap();
    let start = Start { input: Json::parse(&order).unwrap(), reply_to: Some(to.clone()), traceparent: None };
    let order = |order| Ask::Order {
        order: OrderRequest { request: to.request.clone(), order, by: Some("ana".into()), reason: None },
        reply_to: Some(to.clone()),
    };
    let at = Json::parse(r#"{"at":"2026-01-02T03:04:05Z"}"#).unwrap();
    for (name, ask) in [
        ("shop.start", Ask::Start { saga: "shop".into(), start }),
        ("cancel", order(Order::Cancel)),
        ("retry", order(Order::Retry { step: Some("reserve".into()) })),
        ("shop.delivered.signal", order(Order::Signal { signal: "delivered".into(), with: Some(at) })),
    ] {
        let request = Request { id: to.request.clone(), instance: instance.clone(), ask };
        assert_described(&document, name, &wire::request(&request, "/saga/cli"));
    }
    let failure = Failure { code: "sold_out".into(), step: "reserve".into(), message: None };
    for (name, end) in [("completed", End::Completed(Json::empty_object())), ("compensated", End::Compensated(failure))]
    {
        assert_described(&document, name, &wire::answer(&Answer { to: to.clone(), end }, &instance, record));
    }
    let rejection = Rejection { code: Refusal::Busy, message: "too much".to_owned() };
    assert_described(&document, "rejected", &wire::rejection(&to, &instance, &rejection, record));
}

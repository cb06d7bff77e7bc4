//! Participants that are nowhere, and addresses of those that are.

use std::sync::Arc;

use saga::definition::types::{Field, Record, Type};
use saga::definition::{Answer, Called, Command, Happening, HappeningKind, Participant, Scenario};
use saga::log::Topics;
use saga::participant::Address;
use saga::participant::bridge::{Bridge, Contracts, Outgoing, Settings};
use saga::runtime::Ends;
use saga::source::Span;
use saga::wire::{CloudEvent, attribute};
use tokio::sync::mpsc;

use super::messages::{command, shown, with};

/// The contract of `tickets`, with one command.
pub(crate) fn contract() -> Arc<Participant> {
    let field = |key: &str, ty| Field { key: key.into(), ty, personal: false, docs: None, span: Span::default() };
    let reply = Record {
        name: None,
        fields: vec![field("seat", Type::String), field("price", Type::Decimal), field("row", Type::Int.optional())],
    };
    let reserve = Command {
        name: "ReserveTicket".into(),
        wire: "Reserve".into(),
        request: Arc::default(),
        reply: Arc::new(reply),
        fails: vec!["full".into()],
        docs: None,
        span: Span::default(),
    };
    Arc::new(Participant {
        name: "tickets".into(),
        commands_topic: "ticket.commands".into(),
        events_topic: "tickets.events".into(),
        answers_queries: true,
        limits: Vec::new(),
        commands: [(reserve.name.clone(), Arc::new(reserve))].into_iter().collect(),
        messages: indexmap::IndexMap::default(),
        docs: None,
        span: Span::default(),
    })
}

pub(crate) fn settings() -> Settings {
    let callback = Some("http://127.0.0.1:9/replies".to_owned());
    Settings { participant: contract(), contracts: Contracts::new(), scenario: None, callback }
}

/// What a bridge makes of some messages, offsets from 7 on: replies in short, and how far all is handled.
pub(crate) async fn carried(
    address: &Address,
    settings: Settings,
    commands: Vec<CloudEvent<'_>>,
) -> (Vec<String>, u64) {
    let (out, mut outgoing) = mpsc::channel(100);
    let bridge = Bridge::open(address, settings, &Topics::default(), out).unwrap();
    let (give, given) = mpsc::channel(100);
    for (offset, command) in (7_u64..).zip(commands) {
        give.send((offset, command.write())).await.unwrap();
    }
    drop(give);
    let (_on, ends) = Ends::told();
    bridge.serve(5, given, ends).await;
    bridge.close(true).await;
    let (mut replies, mut handled) = (Vec::new(), 0);
    while let Some(outgoing) = outgoing.recv().await {
        match outgoing {
            Outgoing::Reply { topic, partition, message } => {
                assert_eq!(("saga.replies", Some(3)), (topic.as_deref().unwrap(), partition));
                let event = CloudEvent::read(&message).unwrap();
                assert!(event.get(attribute::COMMAND).unwrap().starts_with(&*message.key));
                replies.push(format!("{}: {}", message.key, shown(&message)));
            }
            Outgoing::Handled { partition, next } => {
                assert_eq!(5, partition);
                assert!(handled < next, "it only rises");
                handled = next;
            }
            Outgoing::Settled(_) => panic!("nobody waits for the end of all"),
        }
    }
    (replies, handled)
}

/// The same, each given once the one before it is handled: the reply to the last, if one came in time.
pub(crate) async fn replied(address: &Address, settings: Settings, commands: Vec<CloudEvent<'_>>) -> Option<String> {
    let (out, mut outgoing) = mpsc::channel(100);
    let bridge = Bridge::open(address, settings, &Topics::default(), out).unwrap();
    let (give, given) = mpsc::channel(1);
    let giving = async {
        let mut replied = None;
        for (offset, command) in (7_u64..).zip(commands) {
            replied = None;
            give.send((offset, command.write())).await.unwrap();
            while let Some(Outgoing::Reply { message, .. }) = outgoing.recv().await {
                replied = Some(shown(&message));
            }
        }
        drop(give);
        replied
    };
    let (_on, ends) = Ends::told();
    let (replied, ()) = tokio::join!(giving, bridge.serve(5, given, ends));
    bridge.close(true).await;
    replied
}

fn scenario(happenings: &[(bool, Answer, Option<u32>)]) -> Arc<Scenario> {
    let happenings = happenings.iter().map(|(undo, answer, times)| Happening {
        kind: HappeningKind::Answer {
            called: Called { undo: *undo, step: "reserve".into() },
            answer: answer.clone(),
            times: *times,
        },
        span: Span::default(),
    });
    Arc::new(Scenario {
        title: "told".to_owned(),
        saga: "booking".into(),
        given: None,
        happenings: happenings.collect(),
        expects: Vec::new(),
        span: Span::default(),
    })
}

#[tokio::test]
async fn commands_of_another_deployment_are_passed_over() {
    let own = || command("a", "do", "Reserve", "{}");
    let others = with(command("b", "do", "Reserve", "{}"), attribute::REPLY_TO, "other.replies");
    let (replies, handled) = carried(&Address::Simulated, settings(), vec![others, own()]).await;
    let keys: Vec<&str> = replies.iter().filter_map(|reply| reply.split(':').next()).collect();
    assert_eq!((keys, handled), (vec!["a"], 9));
}

#[tokio::test]
async fn without_a_scenario_the_least_reply_of_the_contract_comes() {
    let told = carried(
        &Address::Simulated,
        settings(),
        vec![
            command("a", "do", "Reserve", "{}"),
            command("b", "query", "Reserve", "{}"),
            command("c", "undo", "Cancel", "{}"),
            CloudEvent::default(),
        ],
    )
    .await;
    let least = r#"succeeded {"seat":"reserve","price":"0.00"}"#;
    assert_eq!((vec![format!("a: {least}"), format!("b: {least}"), "c: succeeded {}".to_owned()], 11), told);
}

#[tokio::test]
async fn a_scenario_decides_attempt_by_attempt() {
    let scenario = scenario(&[
        (false, Answer::TimesOut, Some(1)),
        (false, Answer::Replies(r#"{"seat":"9F","price":"1"}"#.into()), Some(1)),
        (false, Answer::StaysPending, Some(1)),
        (false, Answer::Fails(Some("full".into())), None),
        (true, Answer::Fails(None), None),
    ]);
    let attempt = |kind, number| with(command("a", kind, "Reserve", "{}"), attribute::ATTEMPT, number);
    let (replies, handled) = carried(
        &Address::Simulated,
        Settings { scenario: Some(scenario), ..settings() },
        vec![
            attempt("do", "1"),
            attempt("query", "1"),
            attempt("do", "2"),
            attempt("do", "3"),
            attempt("do", "4"),
            attempt("undo", "1"),
        ],
    )
    .await;
    assert_eq!(
        vec![r#"a: succeeded {"seat":"9F","price":"1"}"#, "a: pending", "a: failed full", "a: failed refused"],
        replies,
        "a silence answers no query either"
    );
    assert_eq!(13, handled);
}

//! Participants over HTTP: a real one of the library behind its front, and ones that are down, slow or talk nonsense.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use saga::json::PAYLOAD_MAX;
use saga::log::Topics;
use saga::participant::bridge::{AT_ONCE_MAX, Bridge, Outgoing};
use saga::participant::http::{read_callback, router, serve};
use saga::participant::{Address, Participant, Refusal, SqliteStore};
use saga::runtime::Ends;
use saga::time::Timestamp;
use saga::wire::{CloudEvent, attribute};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, oneshot, watch};

use super::messages::{command, shown, with};
use super::simulated::{carried, settings};

/// A command that is due in ten seconds of the real clock.
fn due(instance: &str, kind: &str, call: &str) -> CloudEvent<'static> {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let deadline = Timestamp(0).after(now).0 + 10_000;
    with(command(instance, kind, call, r#"{"nights":2}"#), attribute::DEADLINE, &deadline.to_string())
}

/// An address where `router` answers for as long as the test runs.
async fn serving(router: Router) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/commands", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address.parse().unwrap()
}

fn hotels() -> Participant<SqliteStore> {
    let store = SqliteStore::new(rusqlite::Connection::open_in_memory().unwrap()).unwrap();
    Participant::new("hotels", store)
        .command("ReserveRoom", |_, call| match call.command.id.instance.as_str() {
            "full" => Err(Refusal::failed("sold_out")),
            "busy" => Err(Refusal::retry("locked")),
            "panics" => panic!("as told"),
            _ => Ok(serde_json::json!({ "hold": call.key().as_str() })),
        })
        .undo("CancelRoom", |_, _, _| Ok(()))
}

#[tokio::test]
async fn a_participant_of_the_library_answers_over_http() {
    let address = serving(router(Arc::new(hotels()))).await;
    let told = carried(&address, settings(), vec![due("Zoë / 100%", "do", "ReserveRoom")]).await;
    assert_eq!((vec![r#"Zoë / 100%: succeeded {"hold":"Zoë / 100%/1/reserve/1"}"#.to_owned()], 8), told);
    for (instance, kind, call, wanted) in [
        ("full", "do", "ReserveRoom", "failed sold_out"),
        ("busy", "do", "ReserveRoom", "retry locked"),
        ("panics", "do", "ReserveRoom", "retry http-500 URL"),
        ("asked", "query", "ReserveRoom", "unknown-command"),
        ("never", "undo", "CancelRoom", "succeeded {}"),
        ("never", "do", "ReserveRoom", "failed already-undone"),
    ] {
        let (replies, handled) = carried(&address, settings(), vec![due(instance, kind, call)]).await;
        let replies: Vec<_> = replies.iter().map(|reply| reply.replace(&address.to_string(), "URL")).collect();
        assert_eq!((vec![format!("{instance}: {wanted}")], 8), (replies, handled));
    }
    let late = with(due("late", "do", "ReserveRoom"), attribute::DEADLINE, "1");
    assert_eq!(vec!["late: retry expired"], carried(&address, settings(), vec![late]).await.0);
}

/// A participant by hand, as bad as its instance's name says.
async fn bad(headers: HeaderMap, body: Bytes) -> Response {
    let told = |status: u16, body: &str| {
        Response::builder().status(status).body(Body::from(body.to_owned())).expect("a response")
    };
    assert_eq!(r#"{"nights":2}"#, String::from_utf8_lossy(&body));
    assert_eq!("http://127.0.0.1:9/replies", headers["ce-callback"]);
    match headers["ce-instance"].to_str().unwrap() {
        "slow" => std::future::pending().await,
        "garbage" => told(200, "<html>it works</html>"),
        "huge" => told(200, &"7".repeat(PAYLOAD_MAX + 1)),
        "empty" => told(204, ""),
        "accepted" => told(202, "later"),
        "moved" => Response::builder().status(302).header("location", "/commands").body(Body::empty()).unwrap(),
        "broken" => told(500, "{}"),
        "overloaded" => told(503, "{}"),
        "lost" => told(404, "{}"),
        "refused" => told(409, r#"{"code":"sold_out","message":"no room"}"#),
        "framework" => told(422, "missing field `hotel`"),
        "other" => {
            let mut response = told(200, "{}");
            response.headers_mut().insert("ce-command", "somebody/1/else/1".parse().unwrap());
            response
        }
        unknown => panic!("{unknown}"),
    }
}

#[tokio::test]
async fn whatever_a_participant_answers_is_a_reply_that_says_so() {
    let address = serving(Router::new().route("/commands", post(bad))).await;
    let names = [
        "garbage",
        "huge",
        "empty",
        "accepted",
        "moved",
        "broken",
        "overloaded",
        "lost",
        "refused",
        "framework",
        "other",
    ];
    let mut shown = Vec::new();
    for name in names {
        let (replies, handled) = carried(&address, settings(), vec![due(name, "do", "ReserveRoom")]).await;
        assert_eq!(8, handled);
        shown.extend(replies.iter().map(|reply| reply.replace(&address.to_string(), "URL")));
    }
    insta::assert_snapshot!(shown.join("\n"), @"
    garbage: retry answer-not-json URL
    huge: retry answer-too-large URL
    empty: succeeded {}
    accepted: pending
    moved: retry http-302 URL
    broken: retry http-500 URL
    overloaded: retry http-503 URL
    lost: retry http-404 URL
    refused: failed sold_out
    framework: retry http-422-without-code URL
    other: retry answer-to-another-command URL
    ");
}

#[tokio::test]
async fn a_participant_that_is_slow_or_down_is_asked_again() {
    let address = serving(Router::new().route("/commands", post(bad))).await;
    // Its deadline is over, so the least time is waited.
    let slow = with(due("slow", "do", "ReserveRoom"), attribute::DEADLINE, "1");
    assert_eq!(
        vec![format!("slow: retry http-no-answer {address}")],
        carried(&address, settings(), vec![slow]).await.0
    );

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/commands", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let (replies, handled) = carried(&nobody, settings(), vec![due("a", "do", "ReserveRoom")]).await;
    assert_eq!((vec![format!("a: retry http-no-connection {nobody}")], 8), (replies, handled));
}

#[tokio::test]
async fn many_commands_are_under_way_at_once_and_all_are_handled() {
    // Nobody is answered before ten have come.
    let waiting = Arc::new(tokio::sync::Barrier::new(10));
    let router = Router::new().route(
        "/commands",
        post(move || {
            let waiting = Arc::clone(&waiting);
            async move {
                waiting.wait().await;
                "{}"
            }
        }),
    );
    let commands = (0..40).map(|number| due(&format!("i{number}"), "do", "ReserveRoom")).collect();
    let (mut replies, handled) = carried(&serving(router).await, settings(), commands).await;
    replies.sort();
    replies.dedup();
    assert_eq!((40, 47), (replies.len(), handled));
}

/// A message that nobody answers.
fn told(instance: &str) -> CloudEvent<'static> {
    let mut message = due(instance, "message", "Told");
    let absent = [attribute::REPLY_TO, attribute::REPLY_PARTITION, attribute::DEADLINE];
    for name in absent {
        message.remove(name);
    }
    message
}

#[tokio::test]
async fn a_message_is_offered_until_it_is_taken_or_refused_and_its_answer_goes_nowhere() {
    let offered: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&offered);
    let router = Router::new().route(
        "/commands",
        post(move |headers: HeaderMap| async move {
            let mut seen = seen.lock().await;
            let instance = headers["ce-instance"].to_str().unwrap().to_owned();
            assert_eq!(headers["ce-kind"], "message");
            let status = match &*instance {
                "busy" if seen.contains(&instance) => 204,
                "busy" => 503,
                "refused" => 409,
                _ => 202,
            };
            seen.push(instance);
            let body = if status == 409 { Body::from(r#"{"code":"no"}"#) } else { Body::empty() };
            Response::builder().status(status).body(body).unwrap()
        }),
    );
    let (out, mut outgoing) = mpsc::channel(100);
    let bridge = Bridge::open(&serving(router).await, settings(), &Topics::default(), out).unwrap();
    let (give, commands) = mpsc::channel(100);
    for (offset, instance) in [(7, "busy"), (8, "refused"), (9, "later")] {
        give.send((offset, told(instance).write())).await.unwrap();
    }
    let serves = tokio::spawn(async move {
        let (_on, ends) = Ends::told();
        bridge.serve(5, commands, ends).await;
        bridge.close(true).await;
    });
    let mut handled = 0;
    while handled < 10 {
        match outgoing.recv().await.unwrap() {
            Outgoing::Handled { next, .. } => handled = next,
            Outgoing::Reply { message, .. } => panic!("nobody waits for {}", shown(&message)),
            Outgoing::Settled(_) => panic!("nobody waits for the end of all"),
        }
    }
    drop(give);
    serves.await.unwrap();
    let mut offered = offered.lock().await.clone();
    offered.sort();
    assert_eq!(offered, ["busy", "busy", "later", "refused"]);
}

#[tokio::test]
async fn a_message_that_nobody_takes_comes_again_to_the_next_owner() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/commands", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let (replies, handled) = carried(&nobody, settings(), vec![told("a"), due("b", "do", "ReserveRoom")]).await;
    assert_eq!((replies.len(), handled), (1, 0), "what is behind it is answered, and the place is kept");
}

#[tokio::test]
async fn work_that_was_interrupted_is_told_to_the_callback() {
    let folder = tempfile::tempdir().unwrap();
    let payments = |is_dying: bool| {
        let store = SqliteStore::open(&folder.path().join("payments.db")).unwrap();
        Participant::new("payments", store).outside("Charge", move |_| {
            assert!(!is_dying, "the process dies");
            Ok(serde_json::json!({ "receipt": "r-1" }))
        })
    };
    let (heard, mut callbacks) = mpsc::channel(1);
    let callback = Router::new().route(
        "/{place}",
        post(move |Path(place): Path<String>, headers: HeaderMap, body: Bytes| async move {
            heard.send((place, read_callback(&headers, &body))).await.unwrap();
            StatusCode::ACCEPTED
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/replies", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, callback).await.unwrap() });

    let charge = with(due("a", "do", "Charge"), attribute::CALLBACK, &url);
    let dying = payments(true);
    let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| dying.handle(&charge, Timestamp(0))));
    assert!(died.is_err());
    drop(dying);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = Arc::new(Mutex::new(stopped));
    let service = tokio::spawn(serve(Arc::new(payments(false)), listener, async move {
        let _stop = (&mut *stopped.lock().await).await;
    }));
    let (place, reply) = callbacks.recv().await.unwrap();
    let reply = reply.unwrap();
    assert_eq!(
        ("replies", "a", r#"succeeded {"receipt":"r-1"}"#),
        (place.as_str(), &*reply.key, shown(&reply).as_str())
    );
    drop(stop);
    service.await.unwrap().unwrap();
}

#[test]
fn a_callback_by_hand_needs_four_headers() {
    let mut headers = HeaderMap::new();
    for (name, value) in
        [("ce-command", "Zo%C3%AB/1/charge/1"), ("ce-kind", "do"), ("ce-attempt", "1"), ("ce-status", "succeeded")]
    {
        assert!(read_callback(&headers, b"{}").is_err());
        headers.insert(name, value.parse().unwrap());
    }
    let reply = read_callback(&headers, br#"{"receipt":"r"}"#).unwrap();
    assert_eq!(("Zoë", r#"succeeded {"receipt":"r"}"#), (&*reply.key, shown(&reply).as_str()));
}

/// What is under way when a partition is let go of is answered, and counts as handled; what waits for a place is left to the next
/// owner, and was never begun.
#[tokio::test]
async fn what_waits_when_a_partition_is_let_go_of_is_not_begun() {
    let (begun, mut many) = watch::channel(0_usize);
    let (release, held) = watch::channel(false);
    let router = Router::new().route(
        "/commands",
        post(move || {
            let mut held = held.clone();
            begun.send_modify(|begun| *begun += 1);
            async move {
                held.wait_for(|released| *released).await.unwrap();
                Response::builder().status(200).body(Body::from(r#"{"hold":"h-1"}"#)).unwrap()
            }
        }),
    );
    let (out, mut outgoing) = mpsc::channel(1_000);
    let bridge = Bridge::open(&serving(router).await, settings(), &Topics::default(), out).unwrap();
    let (give, commands) = mpsc::channel(1_000);
    for offset in 0..AT_ONCE_MAX as u64 + 50 {
        let command = due(&format!("a{offset}"), "do", "ReserveRoom");
        give.send((offset, command.write())).await.unwrap();
    }
    let (on, ends) = Ends::told();
    let serves = tokio::spawn(async move {
        bridge.serve(5, commands, ends).await;
        bridge.close(true).await;
    });
    many.wait_for(|begun| *begun == AT_ONCE_MAX).await.unwrap();
    drop(on);
    // It stops taking before it hears of any answer.
    give.closed().await;
    release.send_replace(true);
    serves.await.unwrap();
    assert_eq!(*many.borrow(), AT_ONCE_MAX);
    let (mut replies, mut handled) = (0, 0);
    while let Some(outgoing) = outgoing.recv().await {
        match outgoing {
            Outgoing::Reply { .. } => replies += 1,
            Outgoing::Handled { next, .. } => handled = next,
            Outgoing::Settled(_) => {}
        }
    }
    assert_eq!((replies, handled), (AT_ONCE_MAX, AT_ONCE_MAX as u64));
}

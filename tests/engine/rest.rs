//! Instances at rest: what is woken is what was put to rest, and nothing else wakes.

use saga::engine::{Input, Instance, ReplyTo, RequestId, Rest, Start};
use saga::json::Json;

use super::moves::{Script, plain, step};
use super::shapes::{self, SagaShape};

/// One that has begun and waits, whose end is told to this topic.
fn told(topic: &str, partition: Option<i32>, request: &str) -> Script {
    let shape = SagaShape { deadline: true, ..plain(vec![step()]) };
    let mut script = Script::of(&shape);
    let request = RequestId::try_from(request).unwrap();
    let reply_to = Some(ReplyTo { topic: topic.into(), partition, request });
    let input = Json::parse(shapes::input(0, false)).unwrap();
    script.tell(&Input::Start(Start { input, reply_to, traceparent: Some("00-ab-cd-01".into()) }));
    script
}

fn put(rest: &mut Rest, script: &Script) -> Vec<u8> {
    let mut bytes = Vec::new();
    rest.put(&script.instance, script.plan(), &mut bytes);
    bytes
}

fn wake(rest: &Rest, script: &Script, bytes: &[u8]) -> Option<Instance> {
    rest.wake(script.instance.id.clone(), script.plan(), bytes)
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn whom_it_tells_is_woken_with_it() {
    let mut rest = Rest::default();
    for (topic, partition, request) in
        [("a", None, "i"), ("b", Some(7), "i"), ("a", Some(-1), "another"), ("b", None, "i")]
    {
        let script = told(topic, partition, request);
        let bytes = put(&mut rest, &script);
        assert_eq!(wake(&rest, &script, &bytes).as_ref(), Some(&script.instance));
    }
}

#[test]
fn a_topic_is_a_number_until_there_are_too_many() {
    let mut rest = Rest::default();
    // `TOPICS_MAX` of them have a number.
    for number in 0..1_001 {
        let topic = format!("answers-of-{number}");
        let script = told(&topic, None, "i");
        let bytes = put(&mut rest, &script);
        assert_eq!(holds(&bytes, &topic), number >= 1_000, "{topic}");
        assert_eq!(wake(&rest, &script, &bytes).as_ref(), Some(&script.instance));
    }
    let script = told("answers-of-999", None, "i");
    assert!(!holds(&put(&mut rest, &script), "answers-of-999"), "it has one already");
}

#[test]
fn what_is_cut_or_goes_on_wakes_nobody() {
    let mut rest = Rest::default();
    let script = told("a", Some(7), "another");
    let mut bytes = put(&mut rest, &script);
    for length in 0..bytes.len() {
        assert_eq!(wake(&rest, &script, &bytes[..length]), None, "{length} of {} bytes", bytes.len());
    }
    assert_eq!(wake(&Rest::default(), &script, &bytes), None, "its topic is another's number");
    bytes.push(0);
    assert_eq!(wake(&rest, &script, &bytes), None);
}

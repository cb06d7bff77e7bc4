//! Topics of a deployment that somebody deleted.

use super::broker::shared;
use super::house::{House, INPUT, text};

/// Whoever asks learns why, and what to do, while they wait: neither that their request is wrong nor that nobody answers.
#[test]
fn a_start_ends_where_the_topic_of_requests_is_gone() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let server = house.serve(&["--participants", "simulated"]);
    server.start("early");
    server.until_completed(1);
    // They have the log open by then, and nobody has written to the topic from there.
    let visitor = house.serve(&["--participant", "tickets=simulated"]);
    let topic = house.delete("requests");
    for asked in [&visitor, &server] {
        let refused = asked.ask(&["start", "booking", "--id", "late", "--input", INPUT]);
        let said = text(&refused);
        assert_eq!(refused.status.code(), Some(7), "{said}");
        let is_told =
            said.contains(&format!("there is no topic `{topic}`")) && said.contains("hint: restore the topic");
        assert!(is_told || said.contains(&format!("{topic} is gone from Kafka")), "{said}");
    }
    let refused = house.run(&["start", "booking", "--id", "late", "--input", INPUT]);
    assert_eq!(refused.status.code(), Some(7), "{}", text(&refused));
    assert!(text(&refused).contains(&format!("there is no topic `{topic}`")), "{}", text(&refused));
}

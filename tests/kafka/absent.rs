//! Topics of a deployment that somebody deleted.

use super::broker::shared;
use super::house::{FILE, House, INPUT, text};

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

/// The offsets of the new ones begin at 0, and the journal knows better.
#[test]
fn topics_of_inputs_that_were_made_anew_are_gone_on_with_once_the_loss_is_accepted() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    // Nobody plays the hotels, so all bookings stay under way.
    let owner = house.serve(&["--participant", "tickets=simulated"]);
    let ids: Vec<String> = (0..12).map(|number| format!("b-{number}")).collect();
    for id in &ids {
        owner.start(id);
    }
    // All three have read of the requests. What is answered comes by the other topic.
    let gone = house.delete("requests");
    let said = owner.until_said(&format!("{gone} is gone from Kafka"));
    assert!(said[0].contains("make it anew with `saga init`") && said[0].contains("`saga accept-gap`"), "{said:?}");
    let made = text(&house.run(&["init", FILE]));
    assert!(made.contains(&format!("made anew: {gone}. What nobody had read of it is lost.")), "{made}");
    owner.until("/healthz", |_, body| body.matches("so it was made anew").count() == 3);
    let listed = text(&owner.ask(&["list"]));
    assert!(
        listed.contains("stands still: failed to read partition 0 of") && listed.contains("`saga accept-gap"),
        "{listed}"
    );
    for partition in ["0", "1", "2"] {
        let accepted = owner.ask(&["accept-gap", partition]);
        assert!(accepted.status.success(), "{}", text(&accepted));
    }
    owner.until("/readyz", |status, _| status == 200);
    // What is asked now is told for itself, and not as what had that offset in the topic before. That offsets begin again is
    // not believed at once: nobody can say then whether it was taken.
    let mut asked = (0..100).map(|_| owner.ask(&["start", "booking", "--id", "b-12", "--input", "{}"]));
    let asked = asked.find(|asked| asked.status.code() != Some(7)).unwrap();
    assert_eq!(asked.status.code(), Some(2), "{}", text(&asked));
    owner.start("b-13");
    let house_says = text(&house.run(&["list"]));
    assert!(!house_says.contains("stands still") && house_says.contains("b-13"), "{house_says}");
    owner.stop();
    let heir = house.serve(&["--participants", "simulated"]);
    heir.until_completed(ids.len() + 1);
}

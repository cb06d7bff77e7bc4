//! `at most …` on the embedded log: its partitions have what a participant takes together.

use std::sync::{Arc, Mutex};

use saga::engine::{Direction, Event, Status};
use saga::http::{history, view};
use saga::log::{Outcome, REPLIES, partition_of};
use saga::runtime::{self, Client, Decision, Reply, Serve, Shown};
use saga::wire::{self, About, CloudEvent, Message, ReceivedCommand};

use super::house::{BOOKING, Cast, INPUT, instance, json, open, start};

/// Hotels that keep what they are asked for a room, until the test answers for them.
struct Slow {
    others: Arc<Cast>,
    kept: Mutex<Vec<ReceivedCommand>>,
}

impl Slow {
    fn let_one_out(&self) -> Option<ReceivedCommand> {
        let mut kept = self.kept.lock().unwrap();
        assert!(kept.len() <= 1, "at once: {kept:?}");
        kept.pop()
    }
}

impl Serve for Slow {
    fn serve(&self, message: &Message) -> Option<Reply> {
        let command = wire::read_command(&CloudEvent::read(message).unwrap()).unwrap();
        if command.call != "ReserveRoom" {
            return self.others.serve(message);
        }
        self.kept.lock().unwrap().push(command);
        None
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_participant_takes_at_once_is_kept_over_all_partitions() {
    let directory = tempfile::tempdir().unwrap();
    let orchestrator = open(directory.path()).await;
    // Fewer than there are partitions: one of them would have no share of its own.
    let limited = BOOKING.replace("participant hotels {", "participant hotels {  at most 1 at once");
    orchestrator.deploy("booking.saga", &limited).await.unwrap();
    let slow = Arc::new(Slow { others: Cast::new([]), kept: Mutex::default() });
    for topic in ["hotels.commands", "payments.commands"] {
        runtime::serve(orchestrator.directory().unwrap(), &Arc::from(topic), Arc::clone(&slow) as Arc<dyn Serve>);
    }
    let ids: Vec<String> = (0..8).map(|number| format!("order-{number}")).collect();
    let partitions = orchestrator.log().partitions();
    let in_first = ids.iter().filter(|id| partition_of(id, partitions) == 0).count();
    assert!((1..8).contains(&in_first), "{in_first} of 8 are in the first partition");
    let mut follows = Vec::new();
    for id in &ids {
        follows.push(orchestrator.follow(&instance(id)));
        assert_eq!(start(&orchestrator, id, INPUT).await, Decision::Changed);
    }
    let mut waiting = Vec::new();
    for id in &ids {
        let Shown { instance, plan } = orchestrator.get(&instance(id)).await.unwrap();
        let shown = view::shown(&plan, &instance);
        if shown.flow[0].state == Some(view::Standing::Queued) {
            waiting.push(shown);
        }
    }
    assert_eq!(waiting.len(), 7, "all but one wait for their turn");
    assert_eq!(waiting[0].row.at, ["reserve_room"]);
    let why = waiting[0].row.why.as_deref().unwrap();
    assert_eq!(why, "hotels.ReserveRoom waits for its turn at hotels (at most 1 at once)");
    let queued = Event::Queued { at: "reserve_room".into(), work: Direction::Do, until: None, limit: None };
    let plan = orchestrator.get(&instance(&ids[0])).await.unwrap().plan;
    assert_eq!(history::happened(&plan, &queued).text, "waits for its turn at hotels (at most 1 at once)");

    let client = Client::new(orchestrator.log());
    for _ in &ids {
        let command = loop {
            if let Some(command) = slow.let_one_out() {
                break command;
            }
            tokio::task::yield_now().await;
        };
        let about = About { participant: "hotels", traceparent: None };
        let reply = command.reply(Status::Succeeded, Some(json(r#"{"hold":"h1"}"#)));
        let partition = u32::try_from(command.reply_partition.unwrap()).unwrap();
        let appended = client.append(&Arc::from(REPLIES), partition, wire::reply(&reply, &about)).await;
        assert!(matches!(appended, Outcome::At(_)), "{appended:?}");
    }
    for mut follow in follows {
        while follow.next().await.is_some() {}
    }
    orchestrator.close().await;
}

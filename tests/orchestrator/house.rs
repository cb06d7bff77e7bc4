//! An orchestrator in a directory of its own, with participants that do as a test says.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use saga::engine::{InstanceId, RequestId, Status};
use saga::json::Json;
use saga::runtime::{self, Decision, Followed, Options, Orchestrator, Reply, Serve};
use saga::wire::{self, About, CloudEvent, Message};

/// A booking in short: two reservations, the payment as the point of no return, a confirmation.
pub(crate) const BOOKING: &str = r#"
participant hotels {
  command ReserveRoom { nights: int } returns { hold: string } fails "sold_out"
  command CancelRoom  { hold: string? }
  command ConfirmRoom { hold: string }
}
participant payments {
  command Charge { amount: decimal } returns { receipt: string } fails "declined"
}

saga booking {
  version 1
  input { nights: int, amount: decimal }
  defaults { timeout 1h  retry 3 times every 1h..1h }

  step reserve_room {
    call hotels.ReserveRoom { nights: input.nights }
    compensate hotels.CancelRoom { hold: reserve_room.hold }
  }
  pivot step charge { call payments.Charge { amount: input.amount } }
  step confirm_room { call hotels.ConfirmRoom { hold: reserve_room.hold } }

  output { receipt: charge.receipt }
}
"#;

pub(crate) const INPUT: &str = r#"{"nights":2,"amount":"840.00"}"#;

/// What a participant says to a command.
#[derive(Clone, Debug)]
pub(crate) enum Says {
    Succeeds(&'static str),
    Fails(&'static str),
    /// Nothing: the command waits.
    Nothing,
}

/// Participants by the names of their commands, and what they were asked.
pub(crate) struct Cast {
    says: BTreeMap<&'static str, Says>,
    pub(crate) asked: Mutex<Vec<String>>,
}

impl Cast {
    pub(crate) fn new(says: impl IntoIterator<Item = (&'static str, Says)>) -> Arc<Self> {
        let usual = [
            ("ReserveRoom", Says::Succeeds(r#"{"hold":"h1"}"#)),
            ("CancelRoom", Says::Succeeds("{}")),
            ("ConfirmRoom", Says::Succeeds("{}")),
            ("Charge", Says::Succeeds(r#"{"receipt":"r1"}"#)),
        ];
        Arc::new(Self { says: usual.into_iter().chain(says).collect(), asked: Mutex::default() })
    }
}

impl Serve for Cast {
    fn serve(&self, command: &Message) -> Option<Reply> {
        let command = wire::read_command(&CloudEvent::read(command).unwrap()).unwrap();
        self.asked.lock().unwrap().push(command.call.to_string());
        let (status, payload) = match &self.says[command.call.as_str()] {
            Says::Succeeds(payload) => (Status::Succeeded, Some(Json::parse(*payload).unwrap())),
            Says::Fails(code) => (Status::Failed { code: (*code).into(), message: None }, None),
            Says::Nothing => return None,
        };
        let about = About { participant: "test", traceparent: None };
        let message = wire::reply(&command.reply(status, payload), &about);
        let partition = command.reply_partition.map(|partition| u32::try_from(partition).unwrap());
        Some(Reply { topic: command.reply_topic.unwrap().as_str().into(), partition, message })
    }
}

pub(crate) async fn open(directory: &Path) -> Orchestrator {
    Orchestrator::open(directory, &Options::default()).await.unwrap()
}

/// Opens, deploys the booking, and lets the cast play.
pub(crate) async fn open_with(directory: &Path, cast: &Arc<Cast>) -> Orchestrator {
    let orchestrator = open(directory).await;
    orchestrator.deploy("booking.saga", BOOKING).await.unwrap();
    for topic in ["hotels.commands", "payments.commands"] {
        runtime::serve(orchestrator.directory().unwrap(), &Arc::from(topic), Arc::clone(cast) as Arc<dyn Serve>);
    }
    orchestrator
}

pub(crate) fn instance(id: &str) -> InstanceId {
    InstanceId::try_from(id).unwrap()
}

pub(crate) fn request(id: &str) -> RequestId {
    RequestId::try_from(id).unwrap()
}

pub(crate) fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

/// Starts, and waits for what is made of it.
pub(crate) async fn start(orchestrator: &Orchestrator, id: &str, input: &str) -> Decision {
    let (_, accepted) = orchestrator.start("booking", Some(instance(id)), json(input), None).await.unwrap();
    accepted.decision().await.unwrap()
}

/// Starts, and waits for the end.
pub(crate) async fn run(orchestrator: &Orchestrator, id: &str) -> Vec<Followed> {
    let mut follow = orchestrator.follow(&instance(id));
    assert_eq!(start(orchestrator, id, INPUT).await, Decision::Changed);
    let mut records = Vec::new();
    while let Some(followed) = follow.next().await {
        records.push(followed);
    }
    assert!(records.last().is_some_and(Followed::is_end), "it has ended");
    records
}

/// Waits until the cast has been asked something so often.
pub(crate) async fn asked(cast: &Cast, call: &str, times: usize) {
    let count = || cast.asked.lock().unwrap().iter().filter(|asked| *asked == call).count();
    while count() < times {
        tokio::task::yield_now().await;
    }
}

//! A participant whose client for Kafka takes no more replies, since no broker takes them off.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use saga::log::kafka::Settings;
use saga::participant::kafka::{Addressed, Answer, Place, consume};
use saga::wire::{Headers, Message};

/// Far more than it takes: whoever waits so long hangs.
const HANGS: Duration = Duration::from_secs(20);

/// Has two replies to send by itself, and ends where it is asked for more.
struct Talker {
    replies: Vec<Addressed>,
    stop: Arc<AtomicBool>,
}

impl Answer for Talker {
    fn answer(&mut self, _: &Message, _: Place<'_>) -> Vec<Addressed> {
        Vec::new()
    }

    fn upkeep(&mut self) -> Vec<Addressed> {
        self.stop.store(self.replies.is_empty(), Ordering::Relaxed);
        std::mem::take(&mut self.replies)
    }
}

#[test]
fn replies_that_cannot_be_sent_hold_up_nothing_else() {
    // Nobody listens there once it is dropped.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let one_at_most = [("queue.buffering.max.messages".to_owned(), "1".to_owned())];
    let settings = Settings::new(nobody.to_string(), one_at_most).unwrap();
    let message = Message { key: "o-1".into(), headers: Headers::default(), payload: Box::from(*b"{}") };
    let reply = Addressed { topic: "saga.replies".to_owned(), partition: Some(0), message };
    let stop = Arc::new(AtomicBool::new(false));
    let mut talker = Talker { replies: vec![reply.clone(), reply], stop: Arc::clone(&stop) };
    let (ended, end) = channel();
    std::thread::spawn(move || ended.send(consume(&mut talker, &settings, "shop.commands", "shop", &stop)));
    end.recv_timeout(HANGS).expect("it comes back from sending").unwrap();
}

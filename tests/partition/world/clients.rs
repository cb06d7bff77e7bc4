//! Those who ask: they start, repeat, contradict, cancel, and now and then ask in the wrong place.

use std::collections::VecDeque;
use std::sync::Arc;

use saga::engine::Order;
use saga::log::simulated::Random;
use saga::log::{REQUESTS, partition_of};
use saga::wire::Message;

use super::super::judge::FORWARDED;
use super::super::saga::{order, start};
use super::World;

/// Ids of instances, in several partitions.
const IDS: [&str; 8] = ["x", "y", "z", "order-1", "order-2", "u", "v", "w"];

/// What the clients ask for, in their order.
pub(super) fn script(random: &mut Random) -> (Vec<&'static str>, VecDeque<Message>) {
    let first = random.below(IDS.len());
    let ids: Vec<&'static str> = (0..2 + random.below(3)).map(|number| IDS[(first + number) % IDS.len()]).collect();
    let mut all = Vec::new();
    for (number, id) in ids.iter().enumerate() {
        all.push(start(id, "{}", &format!("start-{id}")));
        for repeat in 0..random.below(4) {
            all.push(start(id, "{}", &format!("again-{id}-{repeat}")));
        }
        if random.chance(30) {
            let cancel = order(id, Order::Cancel, &format!("cancel-{id}"));
            all.extend(std::iter::repeat_n(cancel, 1 + random.below(2)));
        }
        if random.chance(20) {
            all.push(start(id, "{ \"surplus\": 1 }", &format!("conflict-{id}")));
        }
        if random.chance(20) {
            all.push(order(id, Order::Retry { step: Some("a".into()) }, &format!("retry-{id}-{number}")));
        }
    }
    if random.chance(20) {
        all.push(Message { key: Arc::from("junk"), ..Message::default() });
    }
    if random.chance(10) {
        let mut forwarded = start("lost", "{}", "start-lost");
        forwarded.headers.push(FORWARDED, "0/0");
        all.push(forwarded);
    }
    // Mostly in their order.
    for _ in 0..random.below(8) {
        let (left, right) = (random.below(all.len()), random.below(all.len()));
        all.swap(left, right);
    }
    (ids, all.into())
}

impl World {
    /// The next client asks: mostly in the right partition.
    pub(super) fn ask(&mut self) {
        let Some(message) = self.script.pop_front() else { return };
        let wrong = self.random.chance(15) || message.header(FORWARDED).is_some();
        let to = if wrong { self.any_partition() } else { partition_of(&message.key, self.partitions) };
        self.log.put(REQUESTS, Some(to), message.into());
    }
}

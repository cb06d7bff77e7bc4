//! Those who ask: they start, repeat, contradict, cancel, and now and then ask in the wrong place.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{BEGIN, World};
use crate::engine::{InstanceId, Order};
use crate::json::Json;
use crate::log::simulated::Random;
use crate::log::{REQUESTS, partition_of};
use crate::simulation::cast::Cast;
use crate::simulation::judge::FORWARDED;
use crate::simulation::requests::{instance, ordered, started};
use crate::simulation::troubles::{Trouble, Wanted};
use crate::simulation::values;
use crate::time::Timestamp;
use crate::wire::Message;

/// Ids of instances, in several partitions.
const IDS: [&str; 8] = ["x", "y", "z", "order-1", "order-2", "u", "v", "w"];

/// How many instances a world has at least, where no fewer are wanted, and at most: they fill its partitions, and it stays quick.
const SAGAS_MIN: usize = 2;
pub(in crate::simulation) const SAGAS_MAX: usize = 4;

/// What the clients ask for, in their order, and of which instances.
pub(super) fn script(cast: &Cast, wanted: &Wanted, random: &mut Random) -> (Vec<InstanceId>, VecDeque<Message>) {
    let first = random.below(IDS.len());
    let count = (SAGAS_MIN + random.below(SAGAS_MAX - SAGAS_MIN + 1)).min(wanted.sagas.unwrap_or(usize::MAX)).max(1);
    let ids: Vec<&str> = IDS.iter().cycle().skip(first).take(count).copied().collect();
    let mut all = Vec::new();
    // Of a client that is no trouble only this is wanted.
    let mut asked = Vec::new();
    let now = Timestamp(BEGIN);
    for (number, id) in ids.iter().enumerate() {
        let input = cast.input(now, random);
        let start = |input: &Json, request: String| started(cast, id, input, &request);
        asked.push(start(&input, format!("start-{id}")));
        all.push(start(&input, format!("start-{id}")));
        for repeat in 0..random.below(4) {
            all.push(start(&input, format!("again-{id}-{repeat}")));
        }
        if random.chance(30) {
            let cancel = ordered(id, Order::Cancel, &format!("cancel-{id}"));
            all.extend(std::iter::repeat_n(cancel, 1 + random.below(2)));
        }
        if random.chance(20) {
            all.push(start(&other_than(&input), format!("conflict-{id}")));
        }
        if random.chance(20) {
            let step = cast.plan.nodes().find(|(node, _)| cast.plan.work(*node).is_some());
            let step = step.map(|(_, node)| node.place.clone());
            all.push(ordered(id, Order::Retry { step }, &format!("retry-{id}-{number}")));
        }
        for (signal, record) in cast.signals() {
            for time in 0..random.below(3) {
                let order = Order::Signal { signal: signal.clone(), with: Some(values::any(record, now, random)) };
                let message = ordered(id, order, &format!("{signal}-{id}-{time}"));
                asked.push(message.clone());
                all.push(message);
            }
        }
    }
    if random.chance(20) {
        all.push(Message { key: Arc::from("junk"), ..Message::default() });
    }
    if random.chance(10) {
        let mut forwarded = started(cast, "lost", &Json::empty_object(), "start-lost");
        forwarded.headers.push(FORWARDED, "0/0");
        all.push(forwarded);
    }
    // Mostly in their order.
    for _ in 0..random.below(8) {
        let (left, right) = (random.below(all.len()), random.below(all.len()));
        all.swap(left, right);
    }
    let script = if wanted.has(Trouble::Client) { all } else { asked };
    (ids.into_iter().map(instance).collect(), script.into())
}

/// An input that is another one.
fn other_than(input: &Json) -> Json {
    let text = input.get().trim();
    let rest = text.strip_prefix('{').unwrap_or_default().trim();
    let comma = if rest.starts_with('}') { "" } else { "," };
    Json::parse(format!("{{\"surplus\":1{comma}{rest}")).unwrap_or_else(|_| Json::empty_object())
}

impl World {
    /// The next client asks: mostly in the right partition, and by the right key.
    pub(super) fn ask(&mut self) {
        // Whoever cannot put it into the log keeps it.
        if self.log.full().is_some() {
            return;
        }
        let Some(mut message) = self.script.pop_front() else { return };
        let wrong = self.clients_err && self.random.chance(15) || message.header(FORWARDED).is_some();
        let to = if wrong { self.any_partition() } else { partition_of(&message.key, self.partitions) };
        if wrong && to == 0 {
            // As a client without keys has it.
            message.key = Arc::default();
        }
        self.log.put(REQUESTS, Some(to), message.into());
    }
}

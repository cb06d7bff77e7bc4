//! Whether a topic of somebody's can be read: said once for all of its partitions when it cannot, and once when it can
//! again. Its partitions fail one by one and many times a second, which would bury everything else that is said.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How reading a topic fares.
#[derive(Debug)]
pub(super) struct Readable {
    topic: Arc<str>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Those whose last read failed.
    failing: BTreeSet<u32>,
    /// Whether people have been told that it cannot be read, and not yet that it can again.
    is_said: bool,
}

impl Readable {
    pub(super) fn new(topic: &Arc<str>) -> Self {
        Self { topic: Arc::clone(topic), state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is, as far as people have been told.
    pub(super) fn is_so(&self) -> bool {
        !self.lock().is_said
    }

    /// A partition cannot be read. Said when it is news of the topic.
    pub(super) fn failed(&self, partition: u32, why: &str) {
        let mut state = self.lock();
        state.failing.insert(partition);
        if std::mem::replace(&mut state.is_said, true) {
            return;
        }
        drop(state);
        tracing::warn!(topic = %self.topic, %why, "the topic cannot be read for now; it is tried again and again");
    }

    /// A partition can be read. That the topic can is said when none is left that cannot.
    pub(super) fn read(&self, partition: u32) {
        let mut state = self.lock();
        state.failing.remove(&partition);
        if !state.is_said || !state.failing.is_empty() {
            return;
        }
        state.is_said = false;
        drop(state);
        tracing::warn!(topic = %self.topic, "the topic can be read again");
    }

    /// A partition is another's to read: how that one fares is not known here.
    pub(super) fn left(&self, partition: u32) {
        self.lock().failing.remove(&partition);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::listening::Heard;

    const AWAY: &str = "the topic cannot be read for now; it is tried again and again";
    const BACK: &str = "the topic can be read again";

    #[test]
    fn a_topic_of_many_partitions_is_said_once_to_be_away_and_once_to_be_back() {
        let heard = Heard::default();
        tracing::subscriber::with_default(heard.clone(), || {
            let readable = Readable::new(&Arc::from("desk.commands"));
            let told = || heard.take();
            readable.read(0);
            assert_eq!(told(), [""; 0], "it was never away");
            for _ in 0..2 {
                for _ in 0..100 {
                    (0..3).for_each(|partition| readable.failed(partition, "no such topic"));
                }
                assert_eq!((told(), readable.is_so()), (vec![AWAY.to_owned()], false));
                readable.read(0);
                readable.left(1);
                assert_eq!(told(), [""; 0], "one still fails");
                readable.read(2);
                readable.read(0);
                assert_eq!((told(), readable.is_so()), (vec![BACK.to_owned()], true));
            }
            readable.failed(0, "no such topic");
            readable.left(0);
            assert_eq!(told(), [AWAY], "whoever let go of it has not read it");
            readable.read(1);
            assert_eq!(told(), [BACK]);
        });
    }
}

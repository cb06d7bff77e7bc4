//! Participants with limits on a random walk.

use std::collections::BTreeMap;

use saga::definition::Per;
use saga::engine::{Calls, Decision, Direction, Input, Share, Turns};

use super::{START, Walk};

impl Walk {
    /// Lets whoever is first go on; says whether somebody is.
    pub(super) fn give_turn(&mut self) -> bool {
        let Some((_, place)) = self.turns.next(0, self.now) else { return false };
        assert!(matches!(self.tell(&Input::Turn(place)), Decision::Change(..)), "a turn is for who waits for it");
        true
    }

    /// What is known of turns follows from the states alone, and from when the calls were made.
    pub(super) fn rebuild_turns(&mut self) {
        let mut calls = Calls::default();
        self.journal.iter().for_each(|record| calls.see(&self.plan, &serde_json::from_str(record).unwrap()));
        self.turns = turns();
        self.turns.begin(0, &calls, self.now);
        self.instance.states().for_each(|(node, _)| self.turns.note(0, &self.plan, &self.instance, node));
    }

    /// Never more are under way than the participant takes.
    pub(super) fn check_limits(&self) {
        let mut under_way = BTreeMap::new();
        for (node, state) in self.instance.states() {
            let (Some(work), Some((direction, attempt))) = (self.plan.work(node.node()), state.attempt()) else {
                continue;
            };
            let asked = if direction == Direction::Do { work.action() } else { work.compensation() };
            let participant = &asked.unwrap().participant;
            if attempt.wait.is_under_way() {
                *under_way.entry(&participant.name).or_insert(0) += 1;
                for limit in participant.limits.iter().filter(|limit| limit.per == Per::Once) {
                    assert!(under_way[&participant.name] <= limit.count, "{limit}: {under_way:?}");
                }
            }
        }
    }
}

pub(super) fn turns() -> Turns {
    let mut turns = Turns::new(Share::WHOLE, 1);
    turns.begin(0, &Calls::default(), START);
    turns
}

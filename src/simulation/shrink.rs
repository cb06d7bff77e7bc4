//! Makes of a world that breaks a promise a smaller one that breaks the same.

use std::sync::Arc;

use super::cast::Cast;
use super::judge::Violation;
use super::troubles::{Trouble, Wanted};
use super::world::{Wrong, live};

/// The most worlds that are tried for it: a few seconds.
pub const SHRINKS_MAX: usize = 200;

/// The smallest world that was found.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// What it is made of.
    pub wanted: Wanted,
    /// What it breaks.
    pub violation: Violation,
}

/// Leaves out of a world whatever it breaks its promise without: kinds of trouble, instances, actions.
#[must_use]
pub fn shrink(cast: &Arc<Cast>, seed: u64, wanted: &Wanted, wrong: Wrong, violation: Violation) -> Shrunk {
    let mut shrinking =
        Shrinking { cast, seed, wrong, left: SHRINKS_MAX, best: Shrunk { wanted: wanted.clone(), violation } };
    for trouble in Trouble::ALL {
        shrinking.tries(|wanted| wanted.troubles.remove(&trouble));
    }
    for sagas in 1..shrinking.best.wanted.sagas.unwrap_or(4) {
        let less = |wanted: &mut Wanted| {
            wanted.sagas = Some(sagas);
            true
        };
        if shrinking.tries(less) {
            break;
        }
    }
    // What goes wrong early needs no long life.
    let mut steps = 1;
    loop {
        let shorter = |wanted: &mut Wanted| {
            let is_less = wanted.steps.is_none_or(|most| steps < most);
            wanted.steps = Some(steps);
            is_less
        };
        if shrinking.tries(shorter) || steps > 10_000 {
            break;
        }
        steps += 1 + steps / 4;
    }
    shrinking.best
}

struct Shrinking<'a> {
    cast: &'a Arc<Cast>,
    seed: u64,
    wrong: Wrong,
    left: usize,
    best: Shrunk,
}

impl Shrinking<'_> {
    /// Whether a change makes a world less, and it breaks the same promise.
    fn tries(&mut self, change: impl FnOnce(&mut Wanted) -> bool) -> bool {
        let mut wanted = self.best.wanted.clone();
        if self.left == 0 || !change(&mut wanted) {
            return false;
        }
        self.left -= 1;
        match live(self.cast, self.seed, &wanted, self.wrong) {
            Err(violation) if violation.property == self.best.violation.property => {
                self.best = Shrunk { wanted, violation };
                true
            }
            _ => false,
        }
    }
}

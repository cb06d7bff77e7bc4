//! Makes of a world that breaks a promise a smaller one that breaks the same.

use std::sync::Arc;

use super::cast::Cast;
use super::judge::Violation;
use super::troubles::{Trouble, Wanted};
use super::world::{SAGAS_MAX, Wrong, live, longest_life};

/// The most worlds that are tried for it: a few seconds. One round takes some 50, and the third or fourth finds no more.
pub const SHRINKS_MAX: usize = 500;

/// The smallest world that was found.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// What it is made of, sagas and steps included: who asks for that gets this world.
    pub wanted: Wanted,
    /// What it breaks.
    pub violation: Violation,
}

/// Leaves out of a world whatever it breaks its promise without: kinds of trouble, instances, actions; round by round, until
/// nothing more can be left out. Where both its sagas and its steps are asked for it is meant as it is.
#[must_use]
pub fn shrink(cast: &Arc<Cast>, seed: u64, wanted: &Wanted, wrong: Wrong, violation: Violation) -> Shrunk {
    if wanted.sagas.is_some() && wanted.steps.is_some() {
        return Shrunk { wanted: wanted.clone(), violation };
    }
    // The same world with its numbers.
    let whole = Wanted {
        troubles: wanted.troubles.clone(),
        sagas: Some(wanted.sagas.map_or(SAGAS_MAX, |sagas| sagas.min(SAGAS_MAX))),
        steps: Some(wanted.steps.map_or(longest_life(cast), |steps| steps.min(longest_life(cast)))),
    };
    let mut shrinking = Shrinking { cast, seed, wrong, left: SHRINKS_MAX, best: Shrunk { wanted: whole, violation } };
    loop {
        let before = shrinking.best.wanted.clone();
        shrinking.troubles();
        shrinking.sagas();
        shrinking.steps();
        if shrinking.best.wanted == before {
            return shrinking.best;
        }
    }
}

struct Shrinking<'a> {
    cast: &'a Arc<Cast>,
    seed: u64,
    wrong: Wrong,
    left: usize,
    best: Shrunk,
}

impl Shrinking<'_> {
    fn troubles(&mut self) {
        for trouble in Trouble::ALL {
            let mut wanted = self.best.wanted.clone();
            if wanted.troubles.remove(&trouble) {
                self.tries(wanted);
            }
        }
    }

    fn sagas(&mut self) {
        let most = self.best.wanted.sagas.unwrap_or(SAGAS_MAX);
        let _ = (1..most).any(|sagas| self.tries(Wanted { sagas: Some(sagas), ..self.best.wanted.clone() }));
    }

    /// What goes wrong early needs no long life. A longer one may break it and a still longer one not, so short ones are tried
    /// first; then what lies between the last that was too short and the first that was not.
    fn steps(&mut self) {
        let (mut too_few, mut steps) = (0, 1);
        while steps < self.most_steps() && !self.tries_steps(steps) {
            too_few = steps;
            steps += 1 + steps / 4;
        }
        while self.most_steps() > too_few + 1 {
            let between = too_few + (self.most_steps() - too_few) / 2;
            if !self.tries_steps(between) {
                too_few = between;
            }
        }
    }

    fn most_steps(&self) -> usize {
        self.best.wanted.steps.unwrap_or_default()
    }

    fn tries_steps(&mut self, steps: usize) -> bool {
        self.tries(Wanted { steps: Some(steps), ..self.best.wanted.clone() })
    }

    /// Whether this smaller world breaks the same promise.
    fn tries(&mut self, wanted: Wanted) -> bool {
        if self.left == 0 {
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

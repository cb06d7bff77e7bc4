//! The instance as a move finds it: a wait is over, the deadline has come, or the retries of a step are used up.
//!
//! One copy serves all moves from a state: each changes what it needs, and the next one changes that back first.

use crate::engine::Instance;
use crate::plan::Plan;

use super::START;

/// An instance, and what a move makes of it before the engine hears of anything.
pub(super) struct Later<'w> {
    instance: &'w Instance,
    copy: Option<Box<Instance>>,
    changed: Changed,
}

/// In what the copy differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changed {
    Nothing,
    Slot(u16),
    Deadline,
}

impl<'w> Later<'w> {
    pub(super) const fn than(instance: &'w Instance) -> Self {
        Self { instance, copy: None, changed: Changed::Nothing }
    }

    /// The instance with what was changed.
    pub(super) fn instance(&self) -> &Instance {
        match &self.copy {
            Some(copy) if self.changed != Changed::Nothing => copy,
            _ => self.instance,
        }
    }

    /// As it was.
    pub(super) fn change_back(&mut self) {
        if let Some(copy) = &mut self.copy {
            match self.changed {
                Changed::Nothing => {}
                Changed::Slot(slot) => copy.change_back(usize::from(slot), self.instance),
                Changed::Deadline => copy.deadline = self.instance.deadline,
            }
        }
        self.changed = Changed::Nothing;
    }

    /// The attempt of a state becomes the last that its retries allow. False where it is that already.
    pub(super) fn exhaust(&mut self, plan: &Plan, slot: u16) -> bool {
        let is_earlier = self.copy(Changed::Slot(slot)).exhaust(plan, usize::from(slot));
        if !is_earlier {
            self.changed = Changed::Nothing;
        }
        is_earlier
    }

    /// The wait of a state is over; and the time of all its attempts, if that `is_limit`.
    pub(super) fn let_end(&mut self, slot: u16, is_limit: bool) {
        self.copy(Changed::Slot(slot)).let_end(usize::from(slot), START, is_limit);
    }

    /// The deadline has come. False where it does not act.
    pub(super) fn let_deadline_come(&mut self, plan: &Plan) -> bool {
        let copy = self.copy(Changed::Deadline);
        copy.deadline = START;
        copy.next_due(plan).is_some_and(|due| due <= START)
    }

    fn copy(&mut self, changed: Changed) -> &mut Instance {
        self.changed = changed;
        self.copy.get_or_insert_with(|| Box::new(self.instance.clone()))
    }
}

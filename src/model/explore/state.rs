//! One state of the exploration: the instance, what participants remember, and who is crowded.

use std::rc::Rc;

use crate::engine::{Instance, State};
use crate::plan::At;

/// What a participant's guard remembers of a step's command (docs/protocol.md).
///
/// Whether a command that is on its way has been carried out is not decided before it matters: an answer that ends the step
/// decides it. So one state stands for all moments at which the participant may have done it, and a participant that has
/// said "later", or something that does not fit, may still say anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Row {
    /// It was sent: carried out, or not yet, or never.
    Sent,
    /// Done.
    Done,
    /// Refused.
    Refused,
    /// Taken back, or barred before it came.
    Undone,
}

/// A state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct World {
    pub(super) instance: Instance,
    /// What participants remember of what was sent, in the order of addresses; most steps leave it as it is.
    pub(super) rows: Rc<Vec<(At, Row)>>,
}

impl World {
    /// What it takes, by the sizes of its types. Payloads and rows have many states in common.
    pub(super) fn bytes(&self) -> usize {
        size_of::<(u32, Box<Self>)>()
            + size_of::<Self>()
            + self.instance.states().count() * size_of::<(At, State)>()
            + size_of_val(self.instance.signals())
    }

    pub(super) fn row(&self, at: At) -> Option<Row> {
        let index = self.rows.binary_search_by_key(&at, |(at, _)| *at).ok()?;
        self.rows.get(index).map(|(_, row)| *row)
    }

    pub(super) fn set_row(&mut self, at: At, row: Row) {
        match self.rows.binary_search_by_key(&at, |(at, _)| *at) {
            Ok(index) => self.change_row(index, row),
            Err(index) => Rc::make_mut(&mut self.rows).insert(index, (at, row)),
        }
    }

    pub(super) fn change_row(&mut self, index: usize, row: Row) {
        if self.rows.get(index).is_some_and(|(_, known)| *known != row)
            && let Some((_, known)) = Rc::make_mut(&mut self.rows).get_mut(index)
        {
            *known = row;
        }
    }
}

//! Signals: which may come, with what, and for whom.

use compact_str::CompactString;

use super::happening::Move;
use super::moves::decide;
use super::state::World;
use super::{Setting, Told, words};
use crate::engine::{Decision, Event, Input, Order, OrderRequest, RequestId, State};
use crate::json::Json;
use crate::plan::{At, Kind};

/// A signal by its number, and for whom: of a sub-saga in a loop, each element and round has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signalled {
    number: u16,
    /// What waits for it; none where nothing does.
    by: Option<At>,
}

impl Signalled {
    /// One that something waits for.
    pub(super) fn awaited(setting: &Setting<'_>, at: At) -> Option<Self> {
        let Kind::Await(wait, _) = &setting.plan.node(at.node()).kind else { return None };
        let number = setting.signals.iter().position(|(known, _)| *known == wait.signal.name)?;
        Some(Self { number: u16::try_from(number).ok()?, by: Some(at) })
    }

    /// All of them; of a sub-saga in a loop that of the first element.
    pub(super) fn all(setting: &Setting<'_>) -> impl Iterator<Item = Self> {
        (0..=u16::MAX).zip(&setting.signals).map(|(number, _)| Self { number, by: None })
    }

    pub(super) fn name(self, setting: &Setting<'_>) -> CompactString {
        let name = setting.signals.get(usize::from(self.number)).map(|(name, _)| name.clone()).unwrap_or_default();
        match self.by {
            Some(at) => setting.plan.signal_name(at, &name),
            None => setting.plan.signal_in_general(&name),
        }
    }

    /// What it can carry.
    pub(super) fn values<'s>(self, setting: &'s Setting<'_>) -> &'s [Json] {
        setting.signals.get(usize::from(self.number)).map(|(_, values)| values.as_slice()).unwrap_or_default()
    }
}

/// A signal arrives, with each value.
pub(super) fn signals(setting: &Setting<'_>, world: &World, signal: Signalled, out: &mut Vec<Move>) {
    let name = signal.name(setting);
    if world.instance.signals().iter().filter(|waiting| waiting.signal == name).count() < setting.signals_max {
        let count = u8::try_from(signal.values(setting).len()).unwrap_or(u8::MAX);
        out.extend((0..count).map(|value| Move::Signal { signal, value }));
    }
}

/// The signals that something waits for.
pub(super) fn awaited(setting: &Setting<'_>, world: &World) -> Vec<Signalled> {
    let waits = world.instance.states().filter(|(_, state)| matches!(state, State::Sleeping(_)));
    waits.filter_map(|(at, _)| Signalled::awaited(setting, at)).collect()
}

/// A signal that nobody waits for, and that changes more than that it is remembered.
pub(super) fn unawaited(setting: &Setting<'_>, world: &World) -> Option<(CompactString, Told)> {
    let waits: Vec<CompactString> = awaited(setting, world).into_iter().map(|signal| signal.name(setting)).collect();
    let all = Signalled::all(setting).map(|signal| (signal.name(setting), signal.values(setting)));
    let mut changes = all.filter(|(name, _)| !waits.contains(name)).filter_map(|(name, values)| {
        let (request, with) = (RequestId::try_from("a signal").ok()?, values.first().cloned());
        let order = Order::Signal { signal: name.clone(), with: with.clone() };
        let input = Input::Order(OrderRequest { request, order, by: None, reason: None });
        match decide(setting, &world.instance, &input) {
            Decision::Change(change, _) if !matches!(change.events.as_slice(), [Event::Ordered { .. }]) => {
                let told = words::signalled(&name, with.unwrap_or_else(Json::empty_object), change.events);
                Some((name, told))
            }
            Decision::Change(..) | Decision::Nothing | Decision::Rejected(_) => None,
        }
    });
    changes.next()
}

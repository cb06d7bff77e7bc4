//! The data that is tried, for whoever makes scenarios of it.

use compact_str::CompactString;

use super::bounds::INPUTS_USUAL;
use super::data::Data;
use super::reads::Looked;
use super::setting::Setting;
use super::signalled::Signalled;
use super::{Bounds, Cut, Engine};
use crate::json::Json;
use crate::plan::Plan;

/// Inputs by which conditions tell one way from another.
pub(in crate::model) fn inputs(plan: &Plan) -> Vec<Json> {
    let looked = Looked::at(plan);
    Data::up_to(INPUTS_USUAL, Cut::Inputs).payloads(&plan.saga.input, looked.all.input.as_ref(), "input")
}

/// What may come from outside by which conditions tell one way from another: what each step replies, and each signal carries.
pub(in crate::model) fn from_outside(plan: &Plan) -> Vec<Outside> {
    let (setting, _) = Setting::new(plan, &Engine, Bounds::default());
    let replies = setting.replies().flat_map(|(step, values)| {
        values.iter().map(|value| Outside::Reply { step: step.clone(), value: value.clone() })
    });
    let signals = Signalled::all(&setting).flat_map(|signal| {
        let of_it = |with: &Json| Outside::Signal { signal: signal.name(&setting), with: with.clone() };
        signal.values(&setting).iter().map(of_it).collect::<Vec<_>>()
    });
    replies.chain(signals).collect()
}

/// What comes from outside.
pub(in crate::model) enum Outside {
    /// A reply of a step.
    Reply {
        /// Its place.
        step: CompactString,
        /// What it replies.
        value: Json,
    },
    /// A signal.
    Signal {
        /// Its name, in a loop that for all elements.
        signal: CompactString,
        /// What it carries.
        with: Json,
    },
}

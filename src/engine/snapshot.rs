//! An instance as JSON that names places, not numbers, for the journal's snapshots and for people.

use std::sync::Arc;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::event::Place;
use super::heard::{Followed, Heard, Heralded, OrderHash};
use super::id::{InstanceId, RequestId, Run};
use super::instance::{Instance, Phase, Starter, State};
use super::states::States;
use crate::json::Json;
use crate::plan::Plan;
use crate::time::Timestamp;

/// Why a snapshot is not an instance.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Not the JSON of a snapshot.
    #[error("read a snapshot: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Another definition.
    #[error("read a snapshot of definition {found}: the plan is of {expected}")]
    OtherDefinition {
        /// The plan's.
        expected: Arc<str>,
        /// The snapshot's.
        found: CompactString,
    },
    /// The definition has no such place.
    #[error("read a snapshot: the definition has no place `{place}`")]
    UnknownPlace {
        /// What the snapshot names.
        place: Place,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Snapshot {
    id: InstanceId,
    run: Run,
    definition: CompactString,
    seq: u64,
    started: Timestamp,
    changed: Timestamp,
    input: Option<Json>,
    deadline: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    starter: Option<Starter>,
    phase: Phase,
    states: Vec<(Place, State)>,
    requests: Vec<RequestId>,
    /// What each of the requests said, from version 8 of the journal on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    orders: Vec<Option<OrderHash>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    signals: Vec<Heralded>,
}

/// The definition's hash of a snapshot, so that its plan can be found.
///
/// # Errors
/// Not a snapshot.
pub fn definition_of(snapshot: &Json) -> Result<CompactString, SnapshotError> {
    #[derive(Deserialize)]
    struct Head {
        definition: CompactString,
    }
    Ok(serde_json::from_str::<Head>(snapshot.get())?.definition)
}

impl Instance {
    /// The whole state as JSON.
    ///
    /// # Errors
    /// None that is known: the state is text, numbers and JSON.
    pub fn to_snapshot(&self, plan: &Plan) -> Result<Json, SnapshotError> {
        let states = self.states().map(|(at, state)| (plan.place(at), state.clone())).collect();
        let snapshot = Snapshot {
            id: self.id.clone(),
            run: self.run,
            definition: CompactString::from(self.definition.as_ref()),
            seq: self.seq,
            started: self.started,
            changed: self.changed,
            input: self.input.clone(),
            deadline: self.deadline,
            starter: self.starter.as_deref().cloned(),
            phase: self.phase.clone(),
            states,
            requests: self.requests().map(|(request, _)| request.clone()).collect(),
            orders: self.followed().iter().map(|followed| followed.order).collect(),
            signals: self.signals().to_vec(),
        };
        Ok(Json::of(&snapshot)?)
    }

    /// An instance as a snapshot has it.
    ///
    /// # Errors
    /// Not a snapshot, or one of another definition.
    pub fn from_snapshot(plan: &Plan, snapshot: &Json) -> Result<Self, SnapshotError> {
        let snapshot: Snapshot = serde_json::from_str(snapshot.get())?;
        if *snapshot.definition != **plan.saga.hash() {
            let expected = Arc::clone(plan.saga.hash());
            return Err(SnapshotError::OtherDefinition { expected, found: snapshot.definition });
        }
        let mut states = States::new();
        for (place, state) in snapshot.states {
            match plan.find(&place) {
                Some(at) => states.put(at, state),
                None => return Err(SnapshotError::UnknownPlace { place }),
            }
        }
        let mut orders = snapshot.orders.into_iter();
        let followed = snapshot.requests.into_iter();
        let followed = followed.map(|request| Followed { request, order: orders.next().flatten() }).collect();
        Ok(Self {
            id: snapshot.id,
            run: snapshot.run,
            definition: Arc::clone(plan.saga.hash()),
            seq: snapshot.seq,
            started: snapshot.started,
            changed: snapshot.changed,
            input: snapshot.input,
            deadline: snapshot.deadline,
            starter: snapshot.starter.map(Box::new),
            phase: snapshot.phase,
            states,
            heard: Some(Heard { followed, signals: snapshot.signals })
                .filter(|heard| !heard.followed.is_empty())
                .map(Box::new),
        })
    }
}

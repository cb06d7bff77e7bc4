//! What was set aside, as the API and `saga dead` show it.
//!
//! An input that nobody can read may hold anything. So where anything that is deployed has personal fields, a list says
//! nothing of what stands in it; who asks for one of them is shown it whole.

use serde::{Deserialize, Serialize};

use super::api::{ApiError, Fault};
use super::looking::{self, Beside};
use super::service::Service;
use super::view::Instant;
use crate::definition::personal::Veil;
use crate::definition::types::Record;
use crate::journal::Plans;
use crate::runtime::{Error, LIST_MAX, Letter, Letters, Onlooker, Orchestrator};

/// So many are listed where nobody says how many.
const USUAL: usize = 20;

/// How many are wanted: the query of `GET /dead`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadQuery {
    /// At most so many: 20 if nobody says, 10,000 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What was set aside.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dead {
    /// The newest first, as many as were asked for.
    pub dead: Vec<Shown>,
    /// How many there are.
    pub count: u64,
}

/// One of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shown {
    /// The partition of the topic of the dead.
    pub partition: u32,
    /// Its offset there.
    pub offset: u64,
    /// When it was set aside.
    pub at: Instant,
    /// The topic where it came. Absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Where in that: `partition/offset`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The trigger that could not use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// The record of the journal that refuses it: `partition/offset`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Its key.
    pub key: String,
    /// Why, for people.
    pub why: String,
    /// How many bytes its payload has.
    pub bytes: usize,
    /// The payload, in a list its beginning; bytes that are no UTF-8 are replaced. Absent in a list where it may be personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

impl Shown {
    fn of(letter: Letter, is_hidden: bool) -> Self {
        let Letter { partition, offset, at, key, why, topic, place, trigger, record, bytes, payload } = letter;
        let payload = (!is_hidden).then(|| String::from_utf8_lossy(&payload).into_owned());
        let (at, key) = (Instant(at), key.to_string());
        Self { partition, offset, at, topic, place, trigger, record, key, why, bytes, payload }
    }
}

/// Whether anything that is deployed has personal data.
fn has_personal(plans: &Plans) -> bool {
    let hides = |record: &Record| !Veil::of_record(record).is_nothing();
    plans.triggers().any(|trigger| hides(&trigger.event))
        || plans.all().any(|plan| {
            hides(plan.input())
                || plan.saga.signals.values().any(|signal| hides(&signal.shape))
                || plan.invocations().any(|asked| hides(&asked.command.request) || hides(&asked.command.reply))
        })
}

/// How many are wanted.
fn wanted(query: DeadQuery) -> Result<usize, ApiError> {
    match query.limit.map_or(USUAL, |limit| usize::try_from(limit).unwrap_or(usize::MAX)) {
        limit @ 1..=LIST_MAX => Ok(limit),
        _ => Err(ApiError::bad_request(format!("`limit` is a number from 1 to {LIST_MAX}"))),
    }
}

fn list(letters: Result<Letters, Error>, plans: &Plans) -> Result<Dead, ApiError> {
    let (Letters { letters, all }, is_hidden) = (letters?, has_personal(plans));
    Ok(Dead { dead: letters.into_iter().map(|letter| Shown::of(letter, is_hidden)).collect(), count: all })
}

fn one(letter: Result<Option<Letter>, Error>, (partition, offset): (u32, u64)) -> Result<Shown, ApiError> {
    let none = || {
        ApiError::new(
            Fault::Unknown,
            "not_dead",
            format!("nothing was set aside at {partition}/{offset}, or it is gone"),
        )
        .hint("`saga dead` lists what there is")
    };
    letter?.map(|letter| Shown::of(letter, false)).ok_or_else(none)
}

impl Service {
    /// What was set aside, the newest first.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn dead(&self, query: DeadQuery) -> Result<Dead, ApiError> {
        let (of, limit): (&Orchestrator, usize) = (&self.orchestrator, wanted(query)?);
        looking::in_time(of, async { list(of.dead(limit).await, &of.plans()) }).await
    }

    /// One of them, whole.
    ///
    /// # Errors
    /// There is none, or the log cannot be read.
    pub async fn dead_at(&self, partition: u32, offset: u64) -> Result<Shown, ApiError> {
        let of: &Orchestrator = &self.orchestrator;
        looking::in_time(of, async { one(of.dead_at(partition, offset).await, (partition, offset)) }).await
    }
}

impl Beside {
    /// What was set aside, the newest first.
    ///
    /// # Errors
    /// The data cannot be read.
    pub async fn dead(&self, query: DeadQuery) -> Result<Dead, ApiError> {
        let of: &Onlooker = &self.0;
        list(of.dead(wanted(query)?).await, &of.plans())
    }

    /// One of them, whole.
    ///
    /// # Errors
    /// There is none, or the data cannot be read.
    pub async fn dead_at(&self, partition: u32, offset: u64) -> Result<Shown, ApiError> {
        one(self.0.dead_at(partition, offset).await, (partition, offset))
    }
}

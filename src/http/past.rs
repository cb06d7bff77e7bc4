//! The past of an instance: how it stood at an instant, and the earlier lives of its id, which may be used again once its
//! instance has ended long ago.
//!
//! A life is named by its run, the instant of its start: as RFC 3339, or as the milliseconds that stand in the ids of its
//! commands.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::api::ApiError;
use super::history::{self, History};
use super::late;
use super::looking::{Knows, instance_id, undecided};
use super::view::{self, Instant, Shown};
use crate::definition::json::{duration_literal, timestamp};
use crate::engine::{Run, Summary};
use crate::runtime::{self, Row};
use crate::time::{Timestamp, millis};

/// So many lives of an id are shown, the newest: it is used again at most once an hour, and more nobody reads.
const LIVES_MAX: usize = 20;

/// The word for all lives.
pub const ALL: &str = "all";

/// How an instance is shown: the query of `GET /instances/{id}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowQuery {
    /// As it stood then, in the life that the id had then: an instant, or a duration ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// In this life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// Of which life the history is: the query of `GET /instances/{id}/history`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    /// Of this one, or `all`; of the newest if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// One life of an id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// Which: the instant of its start, by which it is asked for.
    pub run: Instant,
    /// Its saga's name.
    pub saga: String,
    /// How it stands.
    pub status: Summary,
    /// When it last changed.
    pub changed: Instant,
}

/// The lives of an id where it had several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lives {
    /// Which of them this is. Absent where only one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Instant>,
    /// All that are known, the newest first, 20 at most. Absent where only one is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Life>,
}

impl Lives {
    fn of(run: Run, rows: &[Row]) -> Self {
        if rows.len() < 2 {
            return Self::default();
        }
        let life = |row: &Row| Life {
            run: instant(row.run),
            saga: row.saga.to_string(),
            status: row.state,
            changed: Instant(row.changed),
        };
        Self { run: Some(instant(run)), runs: rows.iter().take(LIVES_MAX).map(life).collect() }
    }

    /// Those beside this one.
    pub fn others(&self) -> impl Iterator<Item = &Life> {
        self.runs.iter().filter(|life| Some(life.run) != self.run)
    }
}

const fn instant(Run(run): Run) -> Instant {
    Instant(Timestamp(run))
}

/// Which life a text names.
///
/// # Errors
/// None; for people.
pub fn run_of(text: &str) -> Result<Run, String> {
    let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let run = number.or_else(|| timestamp(text).map(|at| at.0)).map(Run);
    run.ok_or_else(|| {
        format!("`{text}` names no run: it is the instant of its start, as 2026-11-23T22:54:57.336Z, or as in the ids of commands")
    })
}

/// The instant that a text means: that of RFC 3339, or so long ago.
///
/// # Errors
/// It is neither, or lies ahead; for people.
pub fn instant_of(text: &str) -> Result<Timestamp, String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, millis);
    let ago = || u64::try_from(duration_literal(text)?).ok().map(|ago| Timestamp(now.saturating_sub(ago)));
    let at = timestamp(text)
        .or_else(ago)
        .ok_or_else(|| format!("`{text}` is neither an instant, as 2026-11-23T22:54:57Z, nor how long ago, as 10m"))?;
    if at.0 > now { Err(format!("{at} lies ahead: the past is shown, and what is now")) } else { Ok(at) }
}

fn wrong(why: String) -> ApiError {
    ApiError::bad_request(why)
}

/// An instance in a life and at an instant of its past; nothing where it is asked for as it stands now.
pub(super) async fn show(of: &impl Knows, id: &str, query: &ShowQuery) -> Result<Option<Shown>, ApiError> {
    let at = query.at.as_deref().map(instant_of).transpose().map_err(wrong)?;
    let run = query.run.as_deref().map(run_of).transpose().map_err(wrong)?;
    let life = match (at, run) {
        (None, None) => return Ok(None),
        (Some(at), None) => runtime::Life::At(at),
        (None, Some(run)) => runtime::Life::Of(run),
        (Some(_), Some(_)) => {
            return Err(wrong("`at` and `run` exclude each other: an instant belongs to one run".to_owned()));
        }
    };
    let id = instance_id(id)?;
    let lives = of.lives(&id).await?;
    let row = life.choose(&id, lives.clone())?;
    let looked = life.replay(&row, of.records(&row), &of.plans()).await?;
    let shown = view::shown(&looked.plan, &looked.instance);
    // What is safe to order now is told by what is so now.
    let orders = Vec::new();
    let mut shown = Shown { as_of: at.map(Instant), orders, lives: Lives::of(row.run, &lives), ..shown };
    late::noted(of, (&row, &looked), &mut shown).await?;
    Ok(Some(shown))
}

/// The lives that are known beside one that is shown as it stands.
pub(super) async fn beside(of: &impl Knows, looked: &runtime::Shown) -> Result<Lives, ApiError> {
    let instance = &looked.instance;
    Ok(Lives::of(instance.run, &of.known_lives(&instance.id).await?))
}

/// All that happened to an instance in a life, or in all of them.
pub(super) async fn history(of: &impl Knows, id: &str, query: &HistoryQuery) -> Result<History, ApiError> {
    let id = instance_id(id)?;
    let (rows, lives, is_all) = match query.run.as_deref() {
        None => {
            let newest = match of.row(&id).await {
                Ok(newest) => newest,
                Err(error) => return Err(undecided(of, &id, error).await),
            };
            let lives = Lives::of(newest.run, &of.known_lives(&id).await?);
            (vec![newest], lives, false)
        }
        Some(ALL) => {
            let rows = of.lives(&id).await?;
            let lives = rows.first().map(|newest| Lives::of(newest.run, &rows)).unwrap_or_default();
            (rows, lives, true)
        }
        Some(run) => {
            let (run, rows) = (run_of(run).map_err(wrong)?, of.lives(&id).await?);
            let lives = Lives::of(run, &rows);
            (vec![runtime::Life::Of(run).choose(&id, rows)?], lives, false)
        }
    };
    let (plans, mut entries, mut forgotten) = (of.plans(), Vec::new(), Vec::new());
    for row in rows.iter().rev() {
        let mut records = of.records(row);
        loop {
            let entry = match records.next().await {
                Ok(Some(entry)) => entry,
                Ok(None) => break,
                // The others are whole.
                Err(runtime::Error::Forgotten { .. }) if is_all => {
                    forgotten.push(instant(row.run));
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            let run = is_all.then(|| instant(row.run));
            entries.extend(history::of_record(&entry.record, &plans).map(|entry| history::Entry { run, ..entry }));
        }
    }
    let saga = rows.first().map(|row| row.saga.to_string()).unwrap_or_default();
    Ok(History { id: id.to_string(), saga, lives, forgotten, entries })
}

#[cfg(test)]
mod tests {
    use super::{Run, Timestamp, instant_of, run_of};

    #[test]
    fn an_instant_is_told_or_how_long_ago_it_was() {
        let told = "2026-01-02T03:04:05.678Z";
        assert_eq!(run_of(told), Ok(Run(1_767_323_045_678)));
        assert_eq!(run_of("1767323045678"), Ok(Run(1_767_323_045_678)));
        assert_eq!(instant_of("2020-01-02T03:04:05Z").map(|at| at.to_string()), Ok("2020-01-02T03:04:05.000Z".into()));
        let (day, now) = (instant_of("1d").unwrap(), instant_of("0s").unwrap());
        assert!(day < now && now < Timestamp::NEVER);
        for wrong in ["", "yesterday", "-10m", "10", "2026-01-02"] {
            assert!(instant_of(wrong).unwrap_err().contains("neither"), "{wrong}");
        }
        for wrong in ["", "+7", "newest", "1.5"] {
            assert!(run_of(wrong).unwrap_err().contains("names no run"), "{wrong}");
        }
        assert!(instant_of("9999-01-01T00:00:00Z").unwrap_err().contains("lies ahead"));
    }
}

//! The past of an id: its earlier lives, and how an instance stood at an instant, as far back as the journal goes.

use std::sync::Arc;

use super::client::Client;
use super::error::Error;
use super::history::{History, Span};
use super::mirror::Depth;
use super::onlooker::Onlooker;
use super::orchestrator::{Orchestrator, Shown};
use super::view::Row;
use crate::engine::{InstanceId, Run};
use crate::journal::Plans;
use crate::log::Topics;
use crate::time::Timestamp;

/// Which life of an id is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// The one that had begun last at an instant.
    At(Timestamp),
    /// This one.
    Of(Run),
}

impl Life {
    /// It, among all that are known, the newest first.
    ///
    /// # Errors
    /// Nothing is known of it.
    pub fn choose(self, id: &InstanceId, lives: Vec<Row>) -> Result<Row, Error> {
        let began = lives.last().map(|oldest| oldest.started);
        let Some(began) = began else { return Err(Error::Unknown { id: id.clone() }) };
        let chosen = lives.into_iter().find(|row| match self {
            Self::At(at) => row.started <= at,
            Self::Of(run) => row.run == run,
        });
        chosen.ok_or_else(|| match self {
            Self::At(at) => Error::NotBegun { id: id.clone(), at, began },
            Self::Of(run) => Error::NoRun { id: id.clone(), run },
        })
    }

    /// How the instance of a chosen row stood then, made again from its records.
    ///
    /// # Errors
    /// They cannot be read, or are of before the journal's start.
    pub async fn replay(self, row: &Row, records: History, plans: &Plans) -> Result<Shown, Error> {
        let is_past = |_, change: Timestamp| match self {
            Self::At(at) => change <= at,
            Self::Of(_) => true,
        };
        let Some(instance) = records.replay(plans, is_past).await? else {
            return Err(Error::NoRecords { id: row.id.clone() });
        };
        match plans.by_hash(&instance.definition) {
            Some(plan) => Ok(Shown { plan: Arc::clone(plan), instance: Arc::new(instance) }),
            None => Err(Error::NoDefinition { id: row.id.clone(), hash: Arc::clone(&instance.definition) }),
        }
    }
}

fn span(row: &Row) -> Span {
    Span { partition: row.partition, first: row.first, last: row.last }
}

impl Orchestrator {
    /// The lives of an id that the journal knows, the newest first. On a log that is shared that is read from its start.
    ///
    /// # Errors
    /// There is none, or the view cannot be read.
    pub async fn lives(&self, id: &InstanceId) -> Result<Vec<Row>, Error> {
        self.known(self.partition(id), Depth::All).await?;
        let lives = self.known_lives(id).await?;
        // Where there is none, it says why.
        if lives.is_empty() { self.row(id).await.map(|row| vec![row]) } else { Ok(lives) }
    }

    /// Those of them that are known without reading further.
    ///
    /// # Errors
    /// The view cannot be read.
    pub async fn known_lives(&self, id: &InstanceId) -> Result<Vec<Row>, Error> {
        Ok(self.core.view.lives(id).await?)
    }

    /// The records of one life until now.
    #[must_use]
    pub fn records(&self, row: &Row) -> History {
        History::new(Client::new(&self.core.log), &self.core.topics.journal, row.id.clone(), row.run, span(row))
    }

    /// An instance as it was at an instant, in the life that it had then.
    ///
    /// # Errors
    /// It is unknown or had not begun, or cannot be read.
    pub async fn at_time(&self, id: &InstanceId, at: Timestamp) -> Result<Shown, Error> {
        let life = Life::At(at);
        let row = life.choose(id, self.lives(id).await?)?;
        life.replay(&row, self.records(&row), &self.plans()).await
    }
}

impl Onlooker {
    /// The lives of an id that the journal knows, the newest first.
    ///
    /// # Errors
    /// There is none, or the directory cannot be read.
    pub async fn lives(&self, id: &InstanceId) -> Result<Vec<Row>, Error> {
        let newest = self.row(id).await?;
        let lives = self.view().lives(id)?;
        Ok(if lives.is_empty() { vec![newest] } else { lives })
    }

    /// The records of one life.
    #[must_use]
    pub fn records(&self, row: &Row) -> History {
        History::new(Client::new(&self.log), &Topics::default().journal, row.id.clone(), row.run, span(row))
    }
}

//! The definitions that are in the log, as the API and `saga definitions` show them.

use serde::{Deserialize, Serialize};

use super::api::ApiError;
use super::looking::{self, Beside, Knows};
use super::service::Service;
use super::view::{Instant, Stopped};
use crate::runtime::Listed;

/// All of them, by their sagas' names and their versions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Definitions {
    /// The definitions.
    pub definitions: Vec<Version>,
    /// Partitions that stand still, as in a list. Absent where all go on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopped: Vec<Stopped>,
}

/// One content of a saga.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    /// The saga's name.
    pub saga: String,
    /// The number that people read.
    pub version: u64,
    /// The hash of its content.
    pub definition: String,
    /// Since when new instances run by it. Absent where they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Instant>,
    /// How many live instances run by it.
    pub live: u64,
}

impl From<Listed> for Version {
    fn from(Listed { plan, current, live }: Listed) -> Self {
        let saga = &plan.saga;
        let (name, version, definition) = (saga.name.to_string(), saga.version, saga.hash().to_string());
        Self { saga: name, version, definition, current: current.map(Instant), live }
    }
}

async fn definitions(of: &impl Knows) -> Result<Definitions, ApiError> {
    let definitions = of.definitions().await?.into_iter().map(Version::from).collect();
    let (stopped, _) = of.backlog().await?;
    Ok(Definitions { definitions, stopped })
}

impl Service {
    /// The definitions that are in the log.
    ///
    /// # Errors
    /// They or the view cannot be read.
    pub async fn definitions(&self) -> Result<Definitions, ApiError> {
        looking::in_time(&self.orchestrator, definitions(&*self.orchestrator)).await
    }
}

impl Beside {
    /// The definitions that are in the log.
    ///
    /// # Errors
    /// The data cannot be read.
    pub async fn definitions(&self) -> Result<Definitions, ApiError> {
        definitions(&self.0).await
    }
}

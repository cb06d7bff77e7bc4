//! Participants that read no log: who carries commands to them, and how that ends.

use std::sync::Arc;
use std::time::Duration;

use super::api::ApiError;
use super::faults::unavailable;
use super::service::Service;
use crate::participant::bridge::Settings;
use crate::participant::carrier::Carriers;
use crate::participant::{Address, remembered};

/// How long closing waits for answers that are under way where nobody says. Short, since a person may have pressed Ctrl-C;
/// what takes longer is asked again by the next process.
pub const DRAIN: Duration = Duration::from_secs(2);

impl Service {
    /// Remembers where participants are reached, then reaches out to them, and to nobody else any more.
    ///
    /// # Errors
    /// The addresses cannot be written down, or HTTP cannot be set up.
    pub async fn carry(&self, participants: Vec<(Address, Settings)>) -> Result<(), ApiError> {
        let reached = participants.iter();
        let reached = reached.map(|(address, settings)| (Arc::clone(&settings.participant), address.clone()));
        if let Some(directory) = self.orchestrator.directory() {
            remembered::keep(directory, reached.collect()).await?;
        }
        let mut carriers = self.carriers.lock().await;
        if let Some(before) = carriers.take() {
            before.close(DRAIN, std::future::pending()).await;
        }
        *carriers = Some(Carriers::open(self.orchestrator.log(), participants).map_err(|error| unavailable(&error))?);
        Ok(())
    }

    /// Reads no more events and commands, and lets participants answer what is under way: for so long, or until there is
    /// no more time. Sagas go on meanwhile.
    pub async fn drain(&self, within: Duration, hurry: impl Future<Output = ()>) {
        if let Some(triggers) = self.triggers.lock().await.take() {
            triggers.close().await;
        }
        if let Some(carriers) = self.carriers.lock().await.take() {
            carriers.close(within, hurry).await;
        }
    }

    /// Drains for a moment, then closes the log. What is not finished goes on when it is opened again.
    pub async fn close(&self) {
        self.drain(DRAIN, std::future::pending()).await;
        self.orchestrator.close().await;
    }
}

//! How long somebody waits for a log that cannot be written: a service for ever, who gives one order for a moment.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::log::{Health, Site};

/// So often the log is asked how it is: seldom enough to cost nothing, often enough for a person who waits.
const LOOK_EACH: Duration = Duration::from_millis(50);

/// Waits for what needs the log to be written.
///
/// # Errors
/// Why the log could not be written for as long as `patience`, or what this user may not do. Without patience it is waited
/// for.
pub async fn while_written<T>(
    log: &dyn Site,
    patience: Option<Duration>,
    work: impl Future<Output = T>,
) -> Result<T, String> {
    let Some(patience) = patience else { return Ok(work.await) };
    let refused = async {
        let mut since = None;
        loop {
            sleep(LOOK_EACH).await;
            if let Some(why) = forbidden(log) {
                return why;
            }
            match log.health() {
                Health::Failed { why } => return why,
                Health::Waiting { why, .. } if since.get_or_insert_with(Instant::now).elapsed() >= patience => {
                    return why;
                }
                Health::Waiting { .. } => {}
                Health::Writing | Health::Unfit { .. } | Health::Closed => since = None,
            }
        }
    };
    tokio::select! {
        biased;
        done = work => Ok(done),
        why = refused => Err(why),
    }
}

/// Waits for what may take its time, unless this user may not do what it needs: waiting does not mend that.
///
/// # Errors
/// What it may not do.
pub(super) async fn unless_forbidden<T>(log: &dyn Site, work: impl Future<Output = T>) -> Result<T, String> {
    let refused = async {
        loop {
            sleep(LOOK_EACH).await;
            if let Some(why) = forbidden(log) {
                return why;
            }
        }
    };
    tokio::select! {
        biased;
        done = work => Ok(done),
        why = refused => Err(why),
    }
}

fn forbidden(log: &dyn Site) -> Option<String> {
    log.denials().into_iter().find(|denial| denial.is_vital).map(|denial| denial.why)
}

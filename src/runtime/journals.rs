//! Looks where the journals begin of the partitions that run here: on a log that others have too, retention or a person
//! can delete what a recovery needs, and the owner alone can write it again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::client::{self, ReadError};
use super::partition::Told;
use super::shared::Core;

/// How often: an owner that dies so soon behind a deletion leaves a damaged journal. It is one question a partition, so
/// it costs next to nothing.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Tells the partitions' tasks, until the log is closed.
pub(super) fn watch(core: &Arc<Core>) {
    let core = Arc::downgrade(core);
    tokio::spawn(async move {
        loop {
            sleep(LOOK_EVERY).await;
            let Some(core) = core.upgrade() else { return };
            for partition in (0..core.log.partitions()).filter(|partition| core.is_running(*partition)) {
                // One that does not answer would hold up other questions for as long as it takes.
                if !core.log.health().is_writing() {
                    break;
                }
                match client::range(&core.log, &core.topics.journal, partition).await {
                    Ok(range) if range.start > 0 => core.tell(partition, [Told::JournalBegins { at: range.start }]),
                    Ok(_) | Err(ReadError::Failed { .. }) => {}
                    Err(_) => return,
                }
            }
        }
    });
}

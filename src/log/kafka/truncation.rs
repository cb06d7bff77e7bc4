//! Lets records go (DeleteRecords): what was asked for last of each partition, in one request at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::{Builder, Runtime};

use super::context::{Context, Reach};
use super::error::OpenError;
use super::settings::{Role, Settings};

/// How long the broker may take. What it does not do is done by the next truncation of the partition.
const WITHIN: Duration = Duration::from_secs(30);

/// The thread that asks the broker.
pub(super) struct Truncations {
    asked: Arc<Asked>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Asked {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    before: BTreeMap<(Arc<str>, u32), u64>,
    is_closed: bool,
}

impl Asked {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Truncations {
    pub(super) fn start(settings: &Settings, reach: &Arc<Reach>) -> Result<Self, OpenError> {
        let config = settings.client(Role::Admin, "");
        let admin = AdminClient::from_config_and_context(&config, Context(Arc::clone(reach)))
            .map_err(|error| OpenError::client(&error))?;
        let runtime = Builder::new_current_thread().build()?;
        let asked = Arc::new(Asked::default());
        let for_thread = Arc::clone(&asked);
        let thread = std::thread::Builder::new().name("kafka-truncate".to_owned());
        let thread = thread.spawn(move || run(&for_thread, &admin, &runtime))?;
        Ok(Self { asked, thread: Mutex::new(Some(thread)) })
    }

    /// Records before an offset may go.
    pub(super) fn ask(&self, topic: Arc<str>, partition: u32, before: u64) {
        let mut state = self.asked.lock();
        let known = state.before.entry((topic, partition)).or_default();
        *known = before.max(*known);
        drop(state);
        self.asked.changed.notify_one();
    }

    pub(super) fn close(&self) {
        self.asked.lock().is_closed = true;
        self.asked.changed.notify_one();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            drop(thread.join());
        }
    }
}

fn run(asked: &Asked, admin: &AdminClient<Context>, runtime: &Runtime) {
    let options = AdminOptions::new().request_timeout(Some(WITHIN)).operation_timeout(Some(WITHIN));
    loop {
        let idle = |state: &mut State| state.before.is_empty() && !state.is_closed;
        let mut state = asked.changed.wait_while(asked.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        if state.is_closed {
            return;
        }
        let all = std::mem::take(&mut state.before);
        drop(state);
        let mut list = TopicPartitionList::new();
        for ((topic, partition), before) in all {
            let number = i32::try_from(partition).unwrap_or(i32::MAX);
            let offset = Offset::Offset(i64::try_from(before).unwrap_or(i64::MAX));
            list.add_partition_offset(&topic, number, offset).expect("an offset of a record is one");
        }
        match runtime.block_on(admin.delete_records(&list, &options)) {
            Ok(done) => {
                for failed in done.elements().iter().filter(|element| element.error().is_err()) {
                    tracing::warn!(topic = failed.topic(), partition = failed.partition(), error = ?failed.error(),
                        "records cannot be deleted for now");
                }
            }
            Err(error) => tracing::warn!(%error, "records cannot be deleted for now"),
        }
    }
}

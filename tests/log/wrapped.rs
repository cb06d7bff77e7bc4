//! The embedded log as a test wants it to be.

use std::path::Path;
use std::sync::{Arc, Mutex};

use saga::log::embedded::{Embedded, Options};
use saga::log::{Health, Log, Member, Range, Reports, Site, Take, Told, Topics};

/// Makes something else of the way of somebody who takes commands.
type WrapTake = Box<dyn Fn(Arc<dyn Take>, Arc<dyn Reports>) -> Arc<dyn Take> + Send + Sync>;

/// Makes something else of the way of somebody who owns nothing.
type WrapLog = Box<dyn Fn(Arc<dyn Log>) -> Arc<dyn Log> + Send + Sync>;

pub(crate) struct Wrapped {
    log: Embedded,
    /// Whether it says that others have it, too.
    pub(crate) is_shared: bool,
    pub(crate) take: WrapTake,
    pub(crate) attach: WrapLog,
    /// Who owns partitions, to be told more.
    pub(crate) owner: Mutex<Option<Arc<dyn Reports>>>,
}

impl Wrapped {
    pub(crate) fn new(directory: &Path, partitions: u32) -> Self {
        let options = Options { partitions: Some(partitions), ..Options::default() };
        let log = Embedded::open(directory, &options).unwrap();
        Self {
            log,
            is_shared: false,
            take: Box::new(|take, _| take),
            attach: Box::new(|log| log),
            owner: Mutex::default(),
        }
    }
}

impl Site for Wrapped {
    fn partitions(&self) -> u32 {
        Site::partitions(&self.log)
    }

    fn topics(&self) -> Topics {
        Site::topics(&self.log)
    }

    fn is_shared(&self) -> bool {
        self.is_shared
    }

    fn attach(&self, reports: Arc<dyn Reports>) -> Arc<dyn Log> {
        (self.attach)(Site::attach(&self.log, reports))
    }

    fn own(&self, reports: Arc<dyn Reports>) -> Result<Arc<dyn Log>, String> {
        *self.owner.lock().unwrap() = Some(Arc::clone(&reports));
        Site::own(&self.log, reports)
    }

    fn take(&self, topic: &Arc<str>, member: Member<'_>, reports: Arc<dyn Reports>) -> Result<Arc<dyn Take>, String> {
        Ok((self.take)(Site::take(&self.log, topic, member, Arc::clone(&reports))?, reports))
    }

    fn range(&self, topic: &str, partition: u32, told: Told<Range>) {
        Site::range(&self.log, topic, partition, told);
    }

    fn health(&self) -> Health {
        Site::health(&self.log)
    }

    fn close(&self) {
        Site::close(&self.log);
    }
}

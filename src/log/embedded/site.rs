//! The embedded log as a [`Site`]: one process has it, and owns everything in it.

use std::sync::Arc;

use super::{Attached, Embedded, Outbox};
use crate::log::{Health, Log, Member, Range, Report, Reports, Request, Site, Take, Told, Topics};

impl Site for Embedded {
    fn partitions(&self) -> u32 {
        self.layout().partitions
    }

    fn topics(&self) -> Topics {
        Topics::default()
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn attach(&self, reports: Arc<dyn Reports>) -> Arc<dyn Log> {
        Arc::new(Self::attach(self, reports))
    }

    fn own(&self, reports: Arc<dyn Reports>) -> Result<Arc<dyn Log>, String> {
        Ok(Arc::new(Self::own(self, reports)))
    }

    /// Nobody else takes them, and what is handled is deleted.
    fn take(&self, topic: &Arc<str>, _member: Member<'_>, reports: Arc<dyn Reports>) -> Result<Arc<dyn Take>, String> {
        let attached = Self::attach(self, reports);
        let mut outbox = Outbox::default();
        for partition in 0..self.layout().partitions {
            outbox.push(&attached.endpoint, partition, Report::Assigned);
        }
        outbox.deliver();
        let starts = (0..self.layout().partitions).map(|partition| Self::range(self, topic, partition).start);
        Ok(Arc::new(Taker { attached, starts: starts.collect() }))
    }

    fn range(&self, topic: &str, partition: u32, told: Told<Range>) {
        told(Ok(Self::range(self, topic, partition)));
    }

    fn health(&self) -> Health {
        Self::health(self)
    }

    fn close(&self) {
        Self::close(self);
    }
}

struct Taker {
    attached: Attached,
    /// Where the topic began when it was opened: before that all is handled.
    starts: Vec<u64>,
}

impl Log for Taker {
    fn submit(&self, partition: u32, requests: Vec<Request>) {
        self.attached.submit(partition, requests);
    }
}

impl Take for Taker {
    fn goes_on(&self, partition: u32, told: Told<u64>) {
        told(Ok(self.starts.get(partition as usize).copied().unwrap_or_default()));
    }
}

//! The log on Kafka as a [`Site`]: many processes have it, and each owns some of it.

use std::sync::Arc;
use std::time::Duration;

use super::topics::missing;
use super::{Group, Kafka, Owner, Shared, readership};
use crate::log::{Denial, Health, Log, Member, Range, Reports, Request, Site, Take, Told, Topics, Unread};

impl Site for Kafka {
    fn partitions(&self) -> u32 {
        Self::partitions(self)
    }

    fn topics(&self) -> Topics {
        Self::topics(self).clone()
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn attach(&self, reports: Arc<dyn Reports>) -> Arc<dyn Log> {
        Arc::new(Self::attach(self, reports))
    }

    fn own(&self, reports: Arc<dyn Reports>) -> Result<Arc<dyn Log>, String> {
        match Self::own(self, reports) {
            Ok(owner) => Ok(Arc::new(owner) as Arc<dyn Log>),
            Err(error) => Err(error.to_string()),
        }
    }

    /// A group of its own for each topic: its commits say what is handled.
    fn take(&self, topic: &Arc<str>, member: Member<'_>, reports: Arc<dyn Reports>) -> Result<Arc<dyn Take>, String> {
        let user = Self::attach(self, reports);
        let Shared { settings, reach, .. } = &*self.shared;
        let group = Group::join(settings, member, (topic, u32::MAX), reach, &user.endpoint);
        let group = group.map_err(|error| error.to_string())?;
        self.shared.taking().push(member.group.to_owned());
        Ok(Arc::new(Taker { owner: Owner { user, group }, group: member.group.to_owned() }))
    }

    fn range(&self, topic: &str, partition: u32, told: Told<Range>) {
        Self::range(self, topic, partition, told);
    }

    fn has(&self, topic: &str, told: Told<bool>) {
        let (shared, topic) = (Arc::clone(&self.shared), topic.to_owned());
        self.shared.jobs.run(move || {
            let missing = missing(shared.asking.client(), &[topic], Duration::ZERO);
            told(missing.map(|missing| missing.is_empty()));
        });
    }

    fn unread(&self, topics: Vec<String>, told: Told<Unread>) {
        let shared = Arc::clone(&self.shared);
        self.shared.jobs.run(move || {
            let members = readership::told(shared.asking.client(), &topics);
            told(members.map(|members| shared.unread(&members, &topics)));
        });
    }

    fn health(&self) -> Health {
        Self::health(self)
    }

    fn denials(&self) -> Vec<Denial> {
        self.shared.reach.denials.all()
    }

    fn close(&self) {
        Self::close(self);
    }
}

struct Taker {
    owner: Owner,
    group: String,
}

impl Drop for Taker {
    fn drop(&mut self) {
        let mut taking = self.owner.user.shared.taking();
        if let Some(one) = taking.iter().position(|group| *group == self.group) {
            taking.swap_remove(one);
        }
    }
}

impl Log for Taker {
    fn submit(&self, partition: u32, requests: Vec<Request>) {
        let mut others = Vec::with_capacity(requests.len());
        for request in requests {
            match request {
                Request::Truncate { before, .. } => self.owner.group.handled(partition, before),
                request => others.push(request),
            }
        }
        self.owner.user.submit(partition, others);
    }

    fn released(&self, partition: u32) {
        self.owner.released(partition);
    }
}

impl Take for Taker {
    fn goes_on(&self, partition: u32, told: Told<u64>) {
        let (group, shared) = (Arc::clone(&self.owner.group), Arc::clone(&self.owner.user.shared));
        self.owner.user.shared.jobs.run(move || {
            let topic = group.topic();
            let committed = match group.committed(partition) {
                Ok(Some(committed)) => Ok(committed),
                Ok(None) => shared.asking.range(topic, partition).map(|range| range.start),
                Err(why) => Err(why),
            };
            told(committed);
        });
    }
}

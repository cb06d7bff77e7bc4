//! A log as one process has it open, whichever adapter it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Denial, Health, Log, Range, Reports, Right, Topics};

/// Takes the answer to a question about offsets, on a thread of the log.
pub type Told<T> = Box<dyn FnOnce(Result<T, String>) + Send>;

/// Topics of commands that nobody reads who is known to take ours, and what that means.
pub type Unread = BTreeMap<String, Silence>;

/// What it means that no reader of a topic is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nobody reads it.
    Certain,
    /// Somebody may: why that cannot be told, for people.
    Untold(String),
}

/// One of those who take a topic in turn.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The name that all of them share.
    pub group: &'a str,
    /// What it calls itself, for whoever asks who reads the topic.
    pub name: &'a str,
    /// It stands in for others, who stay those that have read it.
    pub stands_in: bool,
}

/// A log as one process has it open: ways to it, and what is known of it as a whole.
pub trait Site: Send + Sync {
    /// How many partitions the deployment has.
    fn partitions(&self) -> u32;

    /// The names of its topics.
    fn topics(&self) -> Topics;

    /// Whether other processes own partitions of it, too, and inputs stay for them and for whoever watches.
    fn is_shared(&self) -> bool;

    /// A way to it for somebody who owns no partition. What its requests and reports call the partition is that of the
    /// topic that it reads.
    fn attach(&self, reports: Arc<dyn Reports>) -> Arc<dyn Log>;

    /// The way of an owner of partitions, of which it is told. It gives them up when it is dropped.
    ///
    /// # Errors
    /// It cannot be set up; for people.
    fn own(&self, reports: Arc<dyn Reports>) -> Result<Arc<dyn Log>, String>;

    /// The way of somebody who takes a topic's commands, in turn with others of the same group. It is told which
    /// partitions are its own; what it truncates is handled, and does not come again.
    ///
    /// # Errors
    /// It cannot be set up; for people.
    fn take(&self, topic: &Arc<str>, member: Member<'_>, reports: Arc<dyn Reports>) -> Result<Arc<dyn Take>, String>;

    /// Asks which offsets a partition of a topic has.
    fn range(&self, topic: &str, partition: u32, told: Told<Range>);

    /// Asks whether there is a topic: others may delete one of a log that is shared.
    fn has(&self, _topic: &str, told: Told<bool>) {
        told(Ok(true));
    }

    /// Asks which of these topics of commands nobody reads who takes ours, as far as the log tells.
    fn unread(&self, _topics: Vec<String>, told: Told<Unread>) {
        told(Ok(Unread::new()));
    }

    /// How it is.
    fn health(&self) -> Health;

    /// What this user was refused at the last try: waiting does not mend it.
    fn denials(&self) -> Vec<Denial> {
        Vec::new()
    }

    /// Whether it was refused to append to a topic: such a refusal is of no single record.
    fn may_not_write(&self, topic: &str) -> bool {
        self.denials().iter().any(|denial| denial.right == Right::Write && *denial.topic == *topic)
    }

    /// Ends it: what is under way is finished or reported as unknown.
    fn close(&self);
}

/// The way of somebody who takes commands.
pub trait Take: Log {
    /// Asks where to go on in a partition: behind what is handled.
    fn goes_on(&self, partition: u32, told: Told<u64>);
}

impl<S: Site + ?Sized> Site for Arc<S> {
    fn partitions(&self) -> u32 {
        (**self).partitions()
    }

    fn topics(&self) -> Topics {
        (**self).topics()
    }

    fn is_shared(&self) -> bool {
        (**self).is_shared()
    }

    fn attach(&self, reports: Arc<dyn Reports>) -> Arc<dyn Log> {
        (**self).attach(reports)
    }

    fn own(&self, reports: Arc<dyn Reports>) -> Result<Arc<dyn Log>, String> {
        (**self).own(reports)
    }

    fn take(&self, topic: &Arc<str>, member: Member<'_>, reports: Arc<dyn Reports>) -> Result<Arc<dyn Take>, String> {
        (**self).take(topic, member, reports)
    }

    fn range(&self, topic: &str, partition: u32, told: Told<Range>) {
        (**self).range(topic, partition, told);
    }

    fn has(&self, topic: &str, told: Told<bool>) {
        (**self).has(topic, told);
    }

    fn unread(&self, topics: Vec<String>, told: Told<Unread>) {
        (**self).unread(topics, told);
    }

    fn health(&self) -> Health {
        (**self).health()
    }

    fn denials(&self) -> Vec<Denial> {
        (**self).denials()
    }

    fn close(&self) {
        (**self).close();
    }
}

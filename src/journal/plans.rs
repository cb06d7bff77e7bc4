//! The definitions that a process knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;

use crate::definition::Trigger;
use crate::plan::Plan;

/// Plans by hash, and which is current for each saga.
#[derive(Clone, Debug, Default)]
pub struct Plans {
    by_hash: BTreeMap<Arc<str>, Arc<Plan>>,
    current: BTreeMap<CompactString, Arc<Plan>>,
    /// By saga, with the text in which they stand.
    triggers: BTreeMap<CompactString, (Arc<str>, Vec<Arc<Trigger>>)>,
}

impl Plans {
    /// Adds a plan that instances run by.
    pub fn keep(&mut self, plan: &Arc<Plan>) {
        self.by_hash.insert(Arc::clone(plan.saga.hash()), Arc::clone(plan));
    }

    /// Adds a plan, and lets new instances of its saga run by it.
    pub fn deploy(&mut self, plan: &Arc<Plan>) {
        self.keep(plan);
        self.current.insert(plan.saga.name.clone(), Arc::clone(plan));
    }

    /// What starts or signals a saga, in the place of what did.
    pub fn set_triggers(&mut self, saga: CompactString, text: Arc<str>, triggers: Vec<Arc<Trigger>>) {
        self.triggers.insert(saga, (text, triggers));
    }

    /// The text in which a saga's triggers stand; empty where it has none.
    #[must_use]
    pub fn text_of_triggers(&self, saga: &str) -> &str {
        self.triggers.get(saga).map_or("", |(text, _)| text)
    }

    /// All triggers.
    pub fn triggers(&self) -> impl Iterator<Item = &Arc<Trigger>> {
        self.triggers.values().flat_map(|(_, triggers)| triggers)
    }

    /// The plan of that hash.
    #[must_use]
    pub fn by_hash(&self, hash: &str) -> Option<&Arc<Plan>> {
        self.by_hash.get(hash)
    }

    /// The plan by which new instances of a saga run.
    #[must_use]
    pub fn current(&self, saga: &str) -> Option<&Arc<Plan>> {
        self.current.get(saga)
    }

    /// All plans, of whichever instances run by them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Plan>> {
        self.by_hash.values()
    }

    /// The names of the sagas that can be started.
    pub fn sagas(&self) -> impl Iterator<Item = &CompactString> {
        self.current.keys()
    }
}

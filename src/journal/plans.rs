//! The definitions that a process knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;

use crate::plan::Plan;

/// Plans by hash, and which is current for each saga.
#[derive(Clone, Debug, Default)]
pub struct Plans {
    by_hash: BTreeMap<Arc<str>, Arc<Plan>>,
    current: BTreeMap<CompactString, Arc<Plan>>,
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

//! The adapters: the embedded file, the simulated log without faults, and with them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use saga::log::embedded::{Embedded, Options};
use saga::log::simulated::{Client, Faults, Simulated};
use saga::log::{Log, Reports, Request};
use saga::time::Timestamp;

use super::{Adapter, Can, PARTITIONS, holds_for};

holds_for! { embedded: File }
holds_for! { simulated: Simulation<false> }
holds_for! { simulated_with_faults: Simulation<true> }

/// A data directory.
pub(super) struct File {
    log: Option<Embedded>,
    directory: tempfile::TempDir,
}

impl File {
    fn log(&self) -> &Embedded {
        self.log.as_ref().expect("it is open between two calls")
    }
}

impl Adapter for File {
    const CAN: Can = Can { keep_order: true, share: false, reopen: true };

    fn open(_: u64) -> Option<Self> {
        let mut file = Self { log: None, directory: tempfile::tempdir().unwrap() };
        file.reopen();
        Some(file)
    }

    fn attach(&self, reports: Arc<dyn Reports>) -> Arc<dyn Log> {
        Arc::new(self.log().attach(reports))
    }

    fn own(&self, reports: Arc<dyn Reports>) -> Arc<dyn Log> {
        Arc::new(self.log().own(reports))
    }

    fn reopen(&mut self) {
        self.log = None; // lets the lock go first
        let options = Options { partitions: Some(PARTITIONS), ..Options::default() };
        self.log = Some(Embedded::open(self.directory.path(), &options).unwrap());
    }
}

/// The simulated log, which goes on as far as it can whenever somebody asks something.
pub(super) struct Simulation<const FAULTS: bool>(Arc<Mutex<World>>);

struct World {
    log: Simulated,
    users: BTreeMap<Client, Arc<dyn Reports>>,
    owners: Vec<Client>,
    born: u32,
}

impl World {
    fn add(&mut self, reports: Arc<dyn Reports>) -> Client {
        self.born += 1;
        self.users.insert(Client(self.born), reports);
        Client(self.born)
    }

    /// Who owns what, when the owners are these: each its share.
    fn share(&mut self) {
        for (owner, partition) in self.owners.clone().iter().cycle().zip(0..PARTITIONS) {
            if self.log.owner(partition) != Some(*owner) {
                self.log.assign(partition, *owner);
            }
        }
        self.run();
    }

    fn run(&mut self) {
        while !self.log.is_idle() {
            self.log.now = self.log.now.after(std::time::Duration::from_millis(1));
            if let Some(delivery) = self.log.step()
                && let Some(user) = self.users.get(&delivery.client)
            {
                user.report(delivery.partition, vec![delivery.report]);
            }
        }
    }
}

impl<const FAULTS: bool> Adapter for Simulation<FAULTS> {
    const CAN: Can = Can { keep_order: !FAULTS, share: true, reopen: false };
    const SEEDS: Range<u64> = if FAULTS { 0..40 } else { 0..4 };

    fn open(seed: u64) -> Option<Self> {
        let every = if FAULTS { 1_000 } else { 0 };
        let faults = Faults {
            lost: every,
            unacknowledged: every,
            late: every,
            doubled: every,
            reordered: every,
            replaced: every,
            failed: every,
            ..Faults::NONE // a report of another place breaks the port's promise, and is for the protocol alone
        };
        let log = Simulated::new(seed, PARTITIONS, faults, Timestamp(1));
        Some(Self(Arc::new(Mutex::new(World { log, users: BTreeMap::new(), owners: Vec::new(), born: 0 }))))
    }

    fn attach(&self, reports: Arc<dyn Reports>) -> Arc<dyn Log> {
        let client = self.0.lock().unwrap().add(reports);
        Arc::new(User { world: Arc::clone(&self.0), client })
    }

    fn settle(&self) {
        let mut world = self.0.lock().unwrap();
        let faults = world.log.faults;
        world.log.heal();
        world.log.faults = faults;
    }

    fn own(&self, reports: Arc<dyn Reports>) -> Arc<dyn Log> {
        let mut world = self.0.lock().unwrap();
        let client = world.add(reports);
        world.owners.push(client);
        world.share();
        drop(world);
        Arc::new(User { world: Arc::clone(&self.0), client })
    }
}

struct User {
    world: Arc<Mutex<World>>,
    client: Client,
}

impl Log for User {
    fn submit(&self, partition: u32, requests: Vec<Request>) {
        let mut world = self.world.lock().unwrap();
        for request in requests {
            world.log.submit(self.client, partition, request);
        }
        world.run();
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.users.remove(&self.client);
        world.log.crash(self.client);
        world.owners.retain(|owner| *owner != self.client);
        world.share();
    }
}

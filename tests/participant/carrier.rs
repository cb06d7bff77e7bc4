//! Carrying through a log that does not always know what became of an append.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use saga::log::{Log, Outcome, Report, Reports, Request, Site, Take, Told};
use saga::participant::Address;
use saga::participant::carrier::Carriers;
use saga::runtime::Client;

use super::messages::{command, shown};
use super::settings;
use crate::log::wrapped::Wrapped;

/// Longer than the answers take that are under way.
const PATIENCE: Duration = Duration::from_mins(1);

/// Somebody who takes commands and is told nothing of so many appends: as on Kafka behind the time that it tries for.
struct ForgetfulTake {
    inner: Arc<dyn Take>,
    reports: Arc<dyn Reports>,
    left: AtomicU32,
}

impl Log for ForgetfulTake {
    fn submit(&self, partition: u32, requests: Vec<Request>) {
        for request in requests {
            let forgets = |left: u32| left.checked_sub(1);
            match request {
                Request::Append(append)
                    if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, forgets).is_ok() =>
                {
                    let report = Report::Appended { ticket: append.ticket, outcome: Outcome::Unknown };
                    self.reports.report(partition, vec![report]);
                }
                request => self.inner.submit(partition, vec![request]),
            }
        }
    }
}

impl Take for ForgetfulTake {
    fn goes_on(&self, partition: u32, told: Told<u64>) {
        self.inner.goes_on(partition, told);
    }
}

fn open(directory: &Path, times: u32) -> Arc<dyn Site> {
    let forgetful = move |inner: Arc<dyn Take>, reports: Arc<dyn Reports>| {
        Arc::new(ForgetfulTake { inner, reports, left: AtomicU32::new(times) }) as Arc<dyn Take>
    };
    // The commands name the fourth partition.
    let mut log = Wrapped::new(directory, 4);
    log.take = Box::new(forgetful);
    Arc::new(log)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_may_not_be_in_the_log_is_sent_again_and_those_behind_it_follow() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path(), 2);
    let client = Client::new(&*log);
    let topic: Arc<str> = Arc::from("ticket.commands");
    for instance in ["order-1", "order-2", "order-3"] {
        let asked = client.append(&topic, 0, command(instance, "do", "Reserve", "{}").write()).await;
        assert!(matches!(asked, Outcome::At(_)), "{asked:?}");
    }
    let carriers = Carriers::open(&log, vec![(Address::Simulated, settings())]).unwrap();
    let replies: Arc<str> = Arc::from("saga.replies");
    let mut answered = Vec::new();
    while answered.len() < 3 {
        let from = u64::try_from(answered.len()).unwrap();
        let (records, _) = client.read(&replies, 3, from).await.unwrap();
        answered.extend(records.iter().map(|stored| (stored.message.key.to_string(), shown(&stored.message))));
    }
    answered.sort();
    let instances: Vec<&str> = answered.iter().map(|(instance, _)| instance.as_str()).collect();
    assert_eq!(instances, ["order-1", "order-2", "order-3"]);
    assert!(answered.iter().all(|(_, reply)| reply.starts_with("succeeded")), "{answered:?}");
    carriers.close(PATIENCE, std::future::pending()).await;
    // All are handled, so nothing is carried again: only what is behind them is read.
    let next = client.append(&topic, 0, command("order-4", "do", "Reserve", "{}").write()).await;
    assert_eq!(next, Outcome::At(3));
    let (first, range) = client.read(&topic, 0, 3).await.unwrap();
    assert_eq!((first[0].offset, range.start), (3, 3));
    log.close();
}

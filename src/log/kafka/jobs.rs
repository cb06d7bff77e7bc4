//! Threads for what would make a submitter wait: questions to the broker, and calls of librdkafka that go through its
//! main thread.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Questions that are asked at once. They wait for the network and not for the processor; a broker that is away holds
/// each up until its timeout.
const THREADS: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

/// The threads. One job of a partition of a topic and its reader is under way at most, so the queue is bounded by them.
#[derive(Debug)]
pub(super) struct Jobs {
    queue: Mutex<Option<Sender<Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Jobs {
    pub(super) fn start() -> std::io::Result<Arc<Self>> {
        let (queue, jobs) = mpsc::channel::<Job>();
        let jobs = Arc::new(Mutex::new(jobs));
        let mut threads = Vec::new();
        for number in 0..THREADS {
            let jobs = Arc::clone(&jobs);
            let thread = std::thread::Builder::new().name(format!("kafka-ask-{number}"));
            threads.push(thread.spawn(move || {
                while let Some(job) = next(&jobs) {
                    job();
                }
            })?);
        }
        Ok(Arc::new(Self { queue: Mutex::new(Some(queue)), threads: Mutex::new(threads) }))
    }

    /// Does it soon; not at all once it is closed.
    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) {
        if let Some(queue) = &*self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            // The threads end behind the queue only.
            let _sent = queue.send(Box::new(job));
        }
    }

    /// Does what is queued, and ends.
    pub(super) fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        for thread in std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner)) {
            drop(thread.join());
        }
    }
}

fn next(jobs: &Mutex<Receiver<Job>>) -> Option<Job> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

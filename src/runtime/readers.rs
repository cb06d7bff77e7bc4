//! Whether somebody reads what participants are asked, as far as the log tells: for those who look at instances.
//!
//! However many look, one question is under way, and each topic is asked about once a second.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;

use super::orchestrator::Orchestrator;
use crate::log::Site;

/// How long the answer is waited for: it is beside what somebody looks for.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// How long an answer is good: a person sees no difference, and who looks again and again asks no more often.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// What the log says.
type Told = Result<Vec<String>, String>;

pub(super) struct Readers {
    told_within: Duration,
    good_for: Duration,
    known: Mutex<Known>,
}

impl Default for Readers {
    fn default() -> Self {
        Self { told_within: TOLD_WITHIN, good_for: GOOD_FOR, known: Mutex::default() }
    }
}

#[derive(Default)]
struct Known {
    /// Topics with when they were asked about, and whether nobody reads them.
    topics: BTreeMap<String, (Instant, bool)>,
    /// A question that was not answered in time: until it is, there is no other, since each holds up a thread of the log.
    late: Option<oneshot::Receiver<Told>>,
}

impl Readers {
    async fn unread(&self, log: &dyn Site, topics: Vec<String>) -> Vec<String> {
        let mut known = self.known.lock().await;
        known.topics.retain(|_, (asked, _)| asked.elapsed() < self.good_for);
        let new: Vec<String> = topics.iter().filter(|topic| !known.topics.contains_key(*topic)).cloned().collect();
        if !new.is_empty() {
            let unread = known.ask(log, new.clone(), self.told_within).await;
            let now = Instant::now();
            known.topics.extend(new.into_iter().map(|topic| {
                let is_unread = unread.contains(&topic);
                (topic, (now, is_unread))
            }));
        }
        topics.into_iter().filter(|topic| known.topics.get(topic).is_some_and(|(_, is_unread)| *is_unread)).collect()
    }
}

impl Known {
    async fn ask(&mut self, log: &dyn Site, topics: Vec<String>, within: Duration) -> Vec<String> {
        if let Some(late) = &mut self.late
            && matches!(late.try_recv(), Err(TryRecvError::Empty))
        {
            return Vec::new();
        }
        let (tell, mut told) = oneshot::channel();
        // Whoever asked may have gone.
        log.unread(topics, Box::new(move |unread| drop(tell.send(unread))));
        self.late = None;
        match timeout(within, &mut told).await {
            Ok(Ok(Ok(unread))) => return unread,
            Ok(Ok(Err(why))) => tracing::debug!(%why, "nobody knows who reads participants' commands"),
            Ok(Err(_)) => {}
            Err(_) => self.late = Some(told),
        }
        Vec::new()
    }
}

impl Orchestrator {
    /// Which of these topics of commands nobody reads at the moment. Where the log does not tell, or not soon, all are taken to
    /// be read.
    pub async fn unread(&self, topics: Vec<String>) -> Vec<String> {
        self.readers.unread(&*self.core.log, topics).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex as Lock};

    use super::*;
    use crate::log::{Health, Log, Member, Range, Reports, Take, Topics};

    type Asked = (Vec<String>, crate::log::Told<Vec<String>>);

    /// Is asked, and answers when it is told to.
    #[derive(Default)]
    struct Slow(Lock<Vec<Asked>>);

    impl Slow {
        fn asked(&self) -> Vec<Vec<String>> {
            self.0.lock().unwrap().iter().map(|(topics, _)| topics.clone()).collect()
        }

        fn answer(&self, unread: &[&str]) {
            let unread: Vec<String> = unread.iter().map(ToString::to_string).collect();
            self.0.lock().unwrap().drain(..).for_each(|(_, told)| told(Ok(unread.clone())));
        }
    }

    impl Site for Slow {
        fn partitions(&self) -> u32 {
            1
        }
        fn topics(&self) -> Topics {
            Topics::default()
        }
        fn is_shared(&self) -> bool {
            true
        }
        fn attach(&self, _reports: Arc<dyn Reports>) -> Arc<dyn Log> {
            unreachable!("nothing is read")
        }
        fn own(&self, _reports: Arc<dyn Reports>) -> Result<Arc<dyn Log>, String> {
            unreachable!("nothing is owned")
        }
        fn take(&self, _topic: &Arc<str>, _: Member<'_>, _: Arc<dyn Reports>) -> Result<Arc<dyn Take>, String> {
            unreachable!("nothing is taken")
        }
        fn range(&self, _topic: &str, _partition: u32, _told: crate::log::Told<Range>) {}
        fn unread(&self, topics: Vec<String>, told: crate::log::Told<Vec<String>>) {
            self.0.lock().unwrap().push((topics, told));
        }
        fn health(&self) -> Health {
            Health::Writing
        }
        fn close(&self) {}
    }

    #[tokio::test]
    async fn a_question_that_is_not_answered_is_the_only_one() {
        async fn unread(readers: &Readers, log: &Slow, topics: &[&str]) -> Vec<String> {
            readers.unread(log, topics.iter().map(ToString::to_string).collect()).await
        }
        let hour = Duration::from_hours(1);
        let (mut readers, log) = (Readers { good_for: hour, ..Readers::default() }, Slow::default());
        readers.told_within = Duration::ZERO;
        assert_eq!(unread(&readers, &log, &["a"]).await, [""; 0], "the log does not answer in time");
        readers.told_within = hour;
        assert_eq!(unread(&readers, &log, &["b"]).await, [""; 0]);
        assert_eq!(log.asked(), [["a"]], "and is not asked again before it has");
        log.answer(&["a"]);
        let (found, ()) = tokio::join!(unread(&readers, &log, &["c", "d"]), async {
            while log.asked().is_empty() {
                tokio::task::yield_now().await;
            }
            log.answer(&["d"]);
        });
        assert_eq!(found, ["d"]);
        assert_eq!(unread(&readers, &log, &["d"]).await, ["d"], "what was told just now is not asked again");
        assert!(log.asked().is_empty());
    }
}

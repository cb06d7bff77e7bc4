//! Whether somebody reads what participants are asked, as far as the log tells: for those who look at instances. What the
//! log does not say, or not soon, is said to be unknown.
//!
//! However many look, one question is under way, and each topic is asked about once a second.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;

use super::orchestrator::Orchestrator;
use crate::log::{Silence, Site, Unread};

/// How long the answer is waited for: it is beside what somebody looks for.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// How long an answer is good: a person sees no difference, and who looks again and again asks no more often.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// What the log says.
type Told = Result<Unread, String>;

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
    /// Topics with when they were asked about, and what it means that no reader is known, if none is.
    topics: BTreeMap<String, (Instant, Option<Silence>)>,
    /// A question that was not answered in time: until it is, there is no other, since each holds up a thread of the log.
    late: Option<oneshot::Receiver<Told>>,
}

impl Readers {
    async fn unread(&self, log: &dyn Site, topics: Vec<String>) -> Unread {
        let mut known = self.known.lock().await;
        known.topics.retain(|_, (asked, _)| asked.elapsed() < self.good_for);
        let new: Vec<String> = topics.iter().filter(|topic| !known.topics.contains_key(*topic)).cloned().collect();
        if !new.is_empty() {
            let told = known.ask(log, new.clone(), self.told_within).await;
            let now = Instant::now();
            known.topics.extend(new.into_iter().map(|topic| {
                let silence = match &told {
                    Ok(unread) => unread.get(&topic).cloned(),
                    Err(why) => Some(Silence::Untold(why.clone())),
                };
                (topic, (now, silence))
            }));
        }
        let silent = |topic: String| {
            let (_, silence) = known.topics.get(&topic)?;
            Some((topic, silence.clone()?))
        };
        topics.into_iter().filter_map(silent).collect()
    }
}

impl Known {
    async fn ask(&mut self, log: &dyn Site, topics: Vec<String>, within: Duration) -> Told {
        let late = || Err("the log does not answer".to_owned());
        if let Some(before) = &mut self.late
            && matches!(before.try_recv(), Err(TryRecvError::Empty))
        {
            return late();
        }
        let (tell, mut told) = oneshot::channel();
        // Whoever asked may have gone.
        log.unread(topics, Box::new(move |unread| drop(tell.send(unread))));
        self.late = None;
        match timeout(within, &mut told).await {
            Ok(Ok(told)) => told,
            Ok(Err(_)) => late(),
            Err(_) => {
                self.late = Some(told);
                late()
            }
        }
    }
}

impl Orchestrator {
    /// Which of these topics of commands have no known reader at the moment, and what that means.
    pub async fn unread(&self, topics: Vec<String>) -> Unread {
        self.readers.unread(&*self.core.log, topics).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex as Lock};

    use super::*;
    use crate::log::{Health, Log, Member, Range, Reports, Take, Topics};

    type Asked = (Vec<String>, crate::log::Told<Unread>);

    /// Is asked, and answers when it is told to.
    #[derive(Default)]
    struct Slow(Lock<Vec<Asked>>);

    impl Slow {
        fn asked(&self) -> Vec<Vec<String>> {
            self.0.lock().unwrap().iter().map(|(topics, _)| topics.clone()).collect()
        }

        fn answer(&self, unread: &[&str]) {
            let unread: Unread = unread.iter().map(|topic| ((*topic).to_owned(), Silence::Certain)).collect();
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
        fn unread(&self, topics: Vec<String>, told: crate::log::Told<Unread>) {
            self.0.lock().unwrap().push((topics, told));
        }
        fn health(&self) -> Health {
            Health::Writing
        }
        fn close(&self) {}
    }

    #[tokio::test]
    async fn a_question_that_is_not_answered_is_the_only_one() {
        async fn unread(readers: &Readers, log: &Slow, topics: &[&str]) -> Vec<(String, Silence)> {
            readers.unread(log, topics.iter().map(ToString::to_string).collect()).await.into_iter().collect()
        }
        let late = |topic: &str| (topic.to_owned(), Silence::Untold("the log does not answer".to_owned()));
        let certain = |topic: &str| (topic.to_owned(), Silence::Certain);
        let hour = Duration::from_hours(1);
        let (mut readers, log) = (Readers { good_for: hour, ..Readers::default() }, Slow::default());
        readers.told_within = Duration::ZERO;
        assert_eq!(unread(&readers, &log, &["a"]).await, [late("a")], "nor is it said that somebody reads it");
        readers.told_within = hour;
        assert_eq!(unread(&readers, &log, &["b"]).await, [late("b")]);
        assert_eq!(log.asked(), [["a"]], "and is not asked again before it has");
        log.answer(&["a"]);
        let (found, ()) = tokio::join!(unread(&readers, &log, &["c", "d"]), async {
            while log.asked().is_empty() {
                tokio::task::yield_now().await;
            }
            log.answer(&["d"]);
        });
        assert_eq!(found, [certain("d")]);
        assert_eq!(unread(&readers, &log, &["d"]).await, [certain("d")], "what was told just now is not asked again");
        assert!(log.asked().is_empty());
    }
}

//! Topics that are not there: for a moment, since somebody makes them anew, or for good.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A topic may be away for so long: whoever deleted it by mistake makes it again within a minute. Until then its messages
/// are tried again; behind that they are refused, since they would hold up all others.
const AWAY_MAX: Duration = Duration::from_mins(1);

/// Topics that were not there when something was appended.
#[derive(Debug, Default)]
pub(super) struct Absences(BTreeMap<Box<str>, Absence>);

#[derive(Clone, Copy, Debug)]
struct Absence {
    since: Instant,
    /// When it was noticed last: what nobody has asked for since may have been there.
    last: Instant,
}

/// What is made of a topic that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// That is new.
    Suddenly,
    /// It may come back.
    ForNow,
    /// It has been away for too long.
    ForGood,
}

impl Absences {
    /// An append found no such topic.
    pub(super) fn note(&mut self, topic: &str, now: Instant) -> Absent {
        match self.0.get_mut(topic) {
            Some(absence) if now.saturating_duration_since(absence.last) <= AWAY_MAX => {
                absence.last = now;
                let is_over = now.saturating_duration_since(absence.since) > AWAY_MAX;
                if is_over { Absent::ForGood } else { Absent::ForNow }
            }
            _ => {
                self.0.retain(|_, absence| now.saturating_duration_since(absence.last) <= AWAY_MAX);
                self.0.insert(Box::from(topic), Absence { since: now, last: now });
                Absent::Suddenly
            }
        }
    }

    /// An append came to its topic. Says whether that had been away.
    pub(super) fn is_back(&mut self, topic: &str) -> bool {
        !self.0.is_empty() && self.0.remove(topic).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_is_gone_is_waited_for_a_minute() {
        let (mut absences, start) = (Absences::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(absences.note("hotels", at(0)), Absent::Suddenly);
        assert_eq!(absences.note("hotels", at(60)), Absent::ForNow);
        assert_eq!(absences.note("flights", at(60)), Absent::Suddenly, "each for itself");
        assert_eq!(absences.note("hotels", at(61)), Absent::ForGood);
        assert!(absences.is_back("hotels") && !absences.is_back("hotels"));
        assert_eq!(absences.note("hotels", at(62)), Absent::Suddenly);
        assert_eq!(absences.note("hotels", at(300)), Absent::Suddenly, "nobody knows what was in between");
    }
}

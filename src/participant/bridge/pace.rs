//! `at most …` of a participant's contract, for the commands that go over its bridge.
//!
//! A rate is kept by even pauses, which is stricter than counting within a window: a burst never comes at once. Of
//! several orchestrators each keeps the limit for itself; with one, as on an embedded log, that is the whole.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::definition::{Limit, Per};

/// The most commands under way at once; without a limit, any number.
pub(super) fn at_once(limits: &[Limit]) -> usize {
    let counts = limits.iter().filter(|limit| limit.per == Per::Once).map(|limit| limit.count);
    counts.min().and_then(|count| usize::try_from(count).ok()).map_or(usize::MAX, |count| count.max(1))
}

/// Pauses between commands.
pub(super) struct Pace {
    pause: Option<Duration>,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// By the strictest of the rates.
    pub(super) fn new(limits: &[Limit]) -> Self {
        let pause = |limit: &Limit| match limit.per {
            Per::Once => None,
            Per::Time(time) => Some(time / limit.count.max(1)),
        };
        Self { pause: limits.iter().filter_map(pause).max(), next: Mutex::new(None) }
    }

    /// Until the next command may go.
    pub(super) async fn wait(&self) {
        let Some(pause) = self.pause else { return };
        let turn = {
            let mut next = self.next.lock().await;
            let now = Instant::now();
            let turn = next.map_or(now, |next| next.max(now));
            *next = Some(turn + pause);
            turn
        };
        sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn the_strictest_limit_counts() {
        let limit = |count, per| Limit { count, per };
        assert_eq!(usize::MAX, at_once(&[]));
        assert_eq!(3, at_once(&[limit(5, Per::Once), limit(3, Per::Once), limit(1, Per::Time(HOUR))]));
        assert_eq!(None, Pace::new(&[limit(5, Per::Once)]).pause);
        let pace = Pace::new(&[limit(60, Per::Time(HOUR)), limit(1, Per::Time(Duration::from_secs(1)))]);
        assert_eq!(Some(Duration::from_mins(1)), pace.pause);
    }

    #[tokio::test]
    async fn commands_go_one_pause_after_the_other() {
        let pace = Pace::new(&[Limit { count: 100, per: Per::Time(Duration::from_secs(1)) }]);
        let began = Instant::now();
        for _ in 0..4 {
            pace.wait().await;
        }
        assert!(began.elapsed() >= Duration::from_millis(30));
    }
}

//! Lines of one kind in the log, as many as somebody reads: what is beyond is counted, and summed up in a line of its own.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time::sleep;

/// So many lines of one kind are said within [`WINDOW`], a line a second: a participant that refuses everything makes
/// thousands of instances stuck, and nobody reads as many lines. How many more there are is said behind it.
const LINES_MAX: u32 = 10;

/// From the first line of a kind to what sums up those that were left out.
const WINDOW: Duration = Duration::from_secs(10);

/// Lines of one kind, by a clock that is handed in.
#[derive(Debug, Default)]
pub(crate) struct Flood {
    since: Option<Instant>,
    said: u32,
    left_out: u64,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Said,
    /// Left out as the first one: after so long all of them are summed up.
    First(Duration),
    LeftOut,
}

impl Flood {
    pub(crate) fn take(&mut self, now: Instant) -> Line {
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since);
        if self.left_out == 0 && passed >= WINDOW {
            (self.since, self.said) = (Some(now), 0);
        }
        if self.said < LINES_MAX {
            self.said += 1;
            return Line::Said;
        }
        self.left_out += 1;
        if self.left_out == 1 { Line::First(WINDOW.saturating_sub(passed)) } else { Line::LeftOut }
    }

    /// How many were left out; a new window begins with the next line.
    pub(crate) fn sum(&mut self) -> u64 {
        std::mem::take(self).left_out
    }

    /// The same, for whoever looks now and then: 0 while the window lasts.
    #[cfg(feature = "kafka")]
    pub(crate) fn sum_if_over(&mut self, now: Instant) -> u64 {
        let is_over = self.since.is_some_and(|since| now.saturating_duration_since(since) >= WINDOW);
        if is_over { self.sum() } else { 0 }
    }
}

/// The same, summed up on a runtime.
pub(crate) struct Lines {
    runtime: Handle,
    flood: Arc<Mutex<Flood>>,
    /// Says how many more there are.
    say: Arc<dyn Fn(u64) + Send + Sync>,
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("flood", &self.flood).finish_non_exhaustive()
    }
}

impl Lines {
    /// Sums up on this runtime what is left out, by saying it.
    pub(crate) fn new(runtime: Handle, say: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self { runtime, flood: Arc::default(), say: Arc::new(say) }
    }

    /// Whether the next line is said.
    pub(crate) fn takes(&self) -> bool {
        let line = self.flood.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        if let Line::First(after) = line {
            let (flood, say) = (Arc::clone(&self.flood), Arc::clone(&self.say));
            self.runtime.spawn(async move {
                sleep(after).await;
                sum_up(&flood, &*say);
            });
        }
        line == Line::Said
    }

    /// Nothing more comes: what was left out is summed up now.
    pub(crate) fn end(&self) {
        sum_up(&self.flood, &*self.say);
    }
}

fn sum_up(flood: &Mutex<Flood>, say: &dyn Fn(u64)) {
    let more = flood.lock().unwrap_or_else(PoisonError::into_inner).sum();
    if more > 0 {
        say(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_a_line_a_second_is_summed_up() {
        let (mut lines, began) = (Flood::default(), Instant::now());
        let later = |seconds| began + Duration::from_secs(seconds);
        for second in 0..u64::from(LINES_MAX) / 2 {
            assert_eq!([lines.take(later(second)), lines.take(later(second))], [Line::Said; 2]);
        }
        assert_eq!(lines.take(later(7)), Line::First(Duration::from_secs(3)), "the window ends at its tenth second");
        assert_eq!(lines.take(later(8)), Line::LeftOut);
        // Whoever sums up may be late: until then all is left out.
        assert_eq!(lines.take(later(11)), Line::LeftOut);
        assert_eq!((lines.sum(), lines.take(later(12))), (3, Line::Said));
        assert_eq!(lines.sum(), 0);
    }

    #[test]
    fn a_window_without_a_flood_ends_by_itself() {
        let (mut lines, began) = (Flood::default(), Instant::now());
        for line in 0..3 * u64::from(LINES_MAX) {
            assert_eq!(lines.take(began + Duration::from_secs(line)), Line::Said, "line {line}");
        }
    }
}

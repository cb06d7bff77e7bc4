//! What a part of the flow costs: forward to its end, and down from each place where it can fail.

use std::collections::BTreeMap;
use std::time::Duration;

use compact_str::CompactString;

/// A time and messages, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) time: Duration,
    pub(super) most: u64,
}

impl Part {
    pub(super) const NOTHING: Self = Self { time: Duration::ZERO, most: 0 };

    /// What has no end. All sums saturate, so what holds it is endless too.
    pub(super) const ENDLESS: Self = Self { time: Duration::MAX, most: u64::MAX };

    /// A deadline may still bound its time.
    pub(super) fn is_endless(self) -> bool {
        self.time == Self::ENDLESS.time || self.most == Self::ENDLESS.most
    }

    pub(super) const fn then(self, next: Self) -> Self {
        Self { time: self.time.saturating_add(next.time), most: self.most.saturating_add(next.most) }
    }

    pub(super) fn beside(self, other: Self) -> Self {
        Self { time: self.time.max(other.time), most: self.most.saturating_add(other.most) }
    }

    /// So many, of which so many one after the other.
    pub(super) fn times(self, count: u16, one_after_the_other: u16) -> Self {
        Self {
            time: self.time.saturating_mul(u32::from(one_after_the_other)),
            most: self.most.saturating_mul(u64::from(count)),
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self { time: self.time.max(other.time), most: self.most.max(other.most) }
    }
}

/// A part of the flow that has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Done {
    /// Before the point of no return.
    pub(super) before: Part,
    /// At it and behind it.
    pub(super) behind: Part,
    /// To take it back.
    pub(super) back: Duration,
    /// The messages of all that: where there is a choice, what costs most on the way back need not be what does forward.
    pub(super) both_ways: u64,
}

impl Done {
    pub(super) const NOTHING: Self =
        Self { before: Part::NOTHING, behind: Part::NOTHING, back: Duration::ZERO, both_ways: 0 };

    /// Never taken back.
    pub(super) const fn forward_only(before: Part, behind: Part) -> Self {
        Self { before, behind, back: Duration::ZERO, both_ways: before.then(behind).most }
    }

    /// Never taken back any more.
    pub(super) const fn for_good(self) -> Self {
        Self::forward_only(self.before, self.behind)
    }

    pub(super) const fn forward(self) -> Part {
        self.before.then(self.behind)
    }

    /// The same where a deadline ends what is before the point of no return.
    pub(super) fn within(self, deadline: Duration) -> Part {
        Part { time: self.before.time.min(deadline), ..self.before }.then(self.behind)
    }

    const fn then(self, next: Self) -> Self {
        Self {
            before: self.before.then(next.before),
            behind: self.behind.then(next.behind),
            back: self.back.saturating_add(next.back),
            both_ways: self.both_ways.saturating_add(next.both_ways),
        }
    }

    fn beside(self, other: Self) -> Self {
        Self {
            before: self.before.beside(other.before),
            behind: self.behind.beside(other.behind),
            back: self.back.max(other.back),
            both_ways: self.both_ways.saturating_add(other.both_ways),
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self {
            before: self.before.or(other.before),
            behind: self.behind.or(other.behind),
            back: self.back.max(other.back),
            both_ways: self.both_ways.max(other.both_ways),
        }
    }

    /// So many, of which so many one after the other, and so many taken back one after the other.
    pub(super) fn times(self, count: u16, rows: u16, back: u16) -> Self {
        Self {
            before: self.before.times(count, rows),
            behind: Part::NOTHING,
            back: self.back.saturating_mul(u32::from(back)),
            both_ways: self.both_ways.saturating_mul(u64::from(count)),
        }
    }
}

/// A failure: all that comes of it in its scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fall {
    /// When it comes about, at the latest.
    pub(super) time: Duration,
    /// How long what is under way beside it has its answers or timeouts yet, at most.
    pub(super) settle: Duration,
    /// When that would be over by itself, at the latest.
    pub(super) busy: Duration,
    /// When all is settled, at the latest.
    pub(super) settled: Duration,
    /// How long a point of no return itself takes, which no deadline ends.
    pub(super) pivot: Duration,
    /// To take scopes inside back that are under way: that comes before the next.
    pub(super) inner: Duration,
    /// To take all else back.
    pub(super) outer: Duration,
    /// The messages of all that.
    pub(super) most: u64,
}

impl Fall {
    /// At once, of nothing.
    pub(super) const NOTHING: Self = Self {
        time: Duration::ZERO,
        settle: Duration::ZERO,
        busy: Duration::ZERO,
        settled: Duration::ZERO,
        pivot: Duration::ZERO,
        inner: Duration::ZERO,
        outer: Duration::ZERO,
        most: 0,
    };

    /// Behind all of this.
    pub(super) fn of(part: Part) -> Self {
        Self { time: part.time, settled: part.time, most: part.most, ..Self::NOTHING }
    }

    /// All of it.
    pub(super) fn whole(self) -> Part {
        let parts = [self.pivot, self.inner, self.outer];
        Part { time: parts.into_iter().fold(self.settled, Duration::saturating_add), most: self.most }
    }

    /// The same behind what has come to its end and is taken back too.
    pub(super) const fn behind(self, done: Done) -> Self {
        let forward = done.forward().time;
        Self {
            time: forward.saturating_add(self.time),
            busy: forward.saturating_add(self.busy),
            settled: forward.saturating_add(self.settled),
            outer: self.outer.saturating_add(done.back),
            most: done.both_ways.saturating_add(self.most),
            ..self
        }
    }

    /// Before this is over.
    pub(super) fn within(self, limit: Duration) -> Self {
        let time = self.time.min(limit);
        let settled = time.saturating_add(self.settle).min(self.busy).max(time);
        Self { time, settled: self.settled.min(settled), ..self }
    }

    /// The same while others are under way.
    pub(super) fn beside(self, others: &Others) -> Self {
        Self {
            settle: self.settle.max(others.settle),
            busy: self.busy.max(others.busy),
            settled: self.settled.max(self.time.saturating_add(others.settle).min(others.busy)),
            inner: self.inner.max(others.inner),
            outer: self.outer.max(others.outer),
            most: self.most.saturating_add(others.most),
            ..self
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            time: self.time.max(other.time),
            settle: self.settle.max(other.settle),
            busy: self.busy.max(other.busy),
            settled: self.settled.max(other.settled),
            pivot: self.pivot.max(other.pivot),
            inner: self.inner.max(other.inner),
            outer: self.outer.max(other.outer),
            most: self.most.max(other.most),
        }
    }
}

/// What stands beside a failure, at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Others {
    /// How long it has its answers or timeouts yet.
    pub(super) settle: Duration,
    /// How long it is under way at all.
    pub(super) busy: Duration,
    pub(super) inner: Duration,
    pub(super) outer: Duration,
    pub(super) most: u64,
}

impl Others {
    const NOTHING: Self =
        Self { settle: Duration::ZERO, busy: Duration::ZERO, inner: Duration::ZERO, outer: Duration::ZERO, most: 0 };
}

/// Failures of which none is worse than another in everything.
#[derive(Clone, Debug, Default)]
pub(super) struct Falls(Vec<Fall>);

impl Falls {
    /// More are taken for one that is as bad as the worst of them in each thing: it costs a bound that is not as close,
    /// and keeps the work with 10,000 statements small.
    const MAX: usize = 8;

    pub(super) fn one(fall: Fall) -> Self {
        Self(vec![fall])
    }

    pub(super) fn and(mut self, fall: Fall) -> Self {
        self.add(fall);
        self
    }

    pub(super) fn add(&mut self, fall: Fall) {
        if self.0.iter().any(|known| known.or(fall) == *known) {
            return;
        }
        self.0.retain(|known| known.or(fall) != fall);
        self.0.push(fall);
        if self.0.len() > Self::MAX {
            self.0 = self.0.drain(..).reduce(Fall::or).into_iter().collect();
        }
    }

    pub(super) fn join(&mut self, others: Self) {
        others.0.into_iter().for_each(|fall| self.add(fall));
    }

    pub(super) fn map(&self, change: impl Fn(Fall) -> Fall) -> Self {
        self.0.iter().map(|fall| change(*fall)).fold(Self::default(), Self::and)
    }

    /// The same at this very instant.
    pub(super) fn at(&self, limit: Duration) -> Self {
        self.map(|fall| Fall { time: limit, settled: limit.saturating_add(fall.settle), ..fall })
    }

    /// The worst of them.
    pub(super) fn whole(&self) -> Option<Part> {
        self.0.iter().map(|fall| fall.whole()).reduce(Part::or)
    }
}

/// A part of the flow.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    /// Come to its end; none where it never does.
    pub(super) done: Option<Done>,
    /// Whether the point of no return is passed then.
    pub(super) passed: bool,
    /// Failed, by code.
    pub(super) falls: BTreeMap<CompactString, Falls>,
    /// The messages until then, by code, if each command is answered at once.
    pub(super) least_until: BTreeMap<CompactString, u64>,
    /// Struck by a failure of the scope around at any moment.
    pub(super) struck: Falls,
    /// The same at and behind a point of no return, which that of a sub-saga alone can be.
    pub(super) late: Falls,
    /// The messages if each command is answered at once; none where the flow never comes to its end.
    pub(super) least: Option<u64>,
    /// Whether what is sought stands here: then all that counts are ways that come to it.
    pub(super) holds: bool,
    /// What is sought is stuck.
    pub(super) stuck: Option<Done>,
}

impl Flow {
    pub(super) const NOTHING: Self = Self {
        done: Some(Done::NOTHING),
        passed: false,
        falls: BTreeMap::new(),
        least_until: BTreeMap::new(),
        struck: Falls(Vec::new()),
        late: Falls(Vec::new()),
        least: Some(0),
        holds: false,
        stuck: None,
    };

    /// Fails so, behind so many messages at least.
    pub(super) fn fails(&mut self, code: &str, falls: Falls, least: u64) {
        self.falls.entry(code.into()).or_default().join(falls);
        let known = self.least_until.entry(code.into()).or_insert(least);
        *known = least.min(*known);
    }

    /// The messages until it fails so, at least.
    pub(super) fn until(&self, code: &str) -> u64 {
        self.least_until.get(code).copied().unwrap_or_default()
    }

    /// Its failures, each changed.
    pub(super) fn falls_as(&self, change: impl Fn(Fall) -> Fall) -> BTreeMap<CompactString, Falls> {
        self.falls.iter().map(|(code, falls)| (code.clone(), falls.map(&change))).collect()
    }

    /// What comes behind it; behind the point of no return all of it counts there.
    pub(super) fn then(mut self, next: &Self) -> Self {
        if next.holds {
            // Who fails before it does not come to it, and what stands before it is taken back behind it.
            self.falls.clear();
            (self.struck, self.late) = (Falls::default(), Falls::default());
            self.done = self.done.map(Done::for_good);
        }
        self.holds |= next.holds;
        let before = self.least.unwrap_or_default();
        let least = self.least.zip(next.least).map(|(one, other)| one.saturating_add(other));
        let (Some(done), has_passed) = (self.done, self.passed) else { return self };
        let moved =
            |part: Done| done.then(if has_passed { Done::forward_only(Part::NOTHING, part.forward()) } else { part });
        let behind = |falls: &Falls| falls.map(|fall| fall.behind(done));
        let stuck = next.stuck.map(moved);
        self.stuck = either(self.stuck, stuck, Done::or);
        self.late.join(behind(&next.late));
        if has_passed {
            self.late.join(next.struck.map(|fall| fall.behind(done.for_good())));
        } else {
            self.struck.join(behind(&next.struck));
            for (code, falls) in &next.falls {
                self.fails(code, behind(falls), before.saturating_add(next.until(code)));
            }
        }
        let passed = has_passed || next.passed;
        Self { done: next.done.map(moved), passed, least, ..self }
    }

    /// One of them.
    pub(super) fn or(mut self, other: Self) -> Self {
        if self.holds {
            return self;
        }
        if other.holds {
            return other;
        }
        for (code, falls) in &other.falls {
            self.fails(code, falls.clone(), other.until(code));
        }
        self.struck.join(other.struck);
        self.late.join(other.late);
        Self {
            done: either(self.done, other.done, Done::or),
            passed: self.passed || other.passed,
            least: either(self.least, other.least, u64::min),
            stuck: either(self.stuck, other.stuck, Done::or),
            ..self
        }
    }

    /// Both at once. What is sought may be in one of them: the others are taken back beside it.
    pub(super) fn beside(self, other: &Self) -> Self {
        let mut failed = Self::NOTHING;
        let mut struck = Falls::default();
        for (own, beside) in [(&self, other), (other, &self)] {
            let states = beside.states(own.holds);
            let both = |own_falls: &Falls| {
                let all = own_falls
                    .0
                    .iter()
                    .map(|fall| Fall { outer: if beside.holds { Duration::ZERO } else { fall.outer }, ..*fall });
                let all = all.flat_map(|fall| states.iter().map(move |state| fall.beside(state)));
                all.fold(Falls::default(), Falls::and)
            };
            for (code, falls) in &own.falls {
                failed.fails(code, both(falls), own.until(code));
            }
            struck.join(both(&own.struck));
        }
        let and = |done: Done, beside: &Self| {
            let before = Part { most: done.before.most.saturating_add(beside.others().most), ..done.before };
            Done { before, ..done }
        };
        let waits = self.stuck.map(|done| and(done, other)).or_else(|| other.stuck.map(|done| and(done, &self)));
        let mut done = self.done.zip(other.done).map(|(one, next)| one.beside(next));
        for (holds, own) in [(self.holds, self.done), (other.holds, other.done)] {
            if let (true, Some(done), Some(own)) = (holds, &mut done, own) {
                done.back = own.back;
            }
        }
        Self {
            done,
            passed: false,
            falls: failed.falls,
            least_until: failed.least_until,
            struck,
            late: Falls::default(),
            least: self.least.zip(other.least).map(|(one, other)| one.saturating_add(other)),
            holds: self.holds || other.holds,
            stuck: waits,
        }
    }

    /// What it can be to a failure beside it. What is beside the sought is taken back at the same time, and so does not count.
    fn states(&self, is_beside_sought: bool) -> Vec<Others> {
        let done = self.done.unwrap_or(Done::NOTHING);
        let over = Others { outer: done.back, most: done.both_ways, ..Others::NOTHING };
        let under_way = self.struck.0.iter().map(|fall| Others {
            settle: fall.settle,
            busy: fall.settled,
            inner: fall.inner,
            outer: fall.outer,
            most: fall.most,
        });
        let all = under_way.chain([over]);
        all.map(|state| if is_beside_sought { Others { outer: Duration::ZERO, ..state } } else { state }).collect()
    }

    /// The worst of that in everything.
    pub(super) fn others(&self) -> Others {
        let all = self.states(false).into_iter();
        all.fold(Others::NOTHING, |all, state| Others {
            settle: all.settle.max(state.settle),
            busy: all.busy.max(state.busy),
            inner: all.inner.max(state.inner),
            outer: all.outer.max(state.outer),
            most: all.most.max(state.most),
        })
    }
}

pub(super) fn either<T>(one: Option<T>, other: Option<T>, both: impl FnOnce(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(both(one, other)),
        (one, other) => one.or(other),
    }
}

//! What may go wrong in a log, and how often it did.

/// How often each fault may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// An append never lands and is reported unknown.
    pub lost: u32,
    /// An append lands and is reported unknown.
    pub unacknowledged: u32,
    /// An append is reported unknown and lands later, or never.
    pub late: u32,
    /// An append lands twice.
    pub doubled: u32,
    /// An append lands before one that was handed over earlier.
    pub reordered: u32,
    /// An append never lands, a repeat of an older record of its partition stands in its place, and it is reported
    /// unknown. (Kafka: an error in one partition can make librdkafka repeat records.)
    pub replaced: u32,
    /// An append lands and is said to be at offset 0. No adapter may, and no owner trusts it. (Kafka: librdkafka makes up
    /// such offsets. One that happened to be the place that an owner expects would deceive it: so an adapter that is in
    /// doubt says unknown.)
    pub mistaken: u32,
    /// An append to a topic that is not the journal is refused for good.
    pub refused: u32,
    /// A confirmation, a look at the end or a read fails for now.
    pub failed: u32,
    /// There is no room for a while, for no append of anybody: [`Simulated::fill`](super::Simulated::fill).
    pub full: u32,
}

/// What becomes of appends while there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// They wait until there is. (The embedded log, on a disk that is full.)
    Waits,
    /// They are reported unknown and never land. (Kafka: the broker takes none, and the producer's time is up. The embedded
    /// log, where so much waits already that it takes no more.)
    Unknown,
}

impl Faults {
    /// So many more.
    pub const fn add(&mut self, other: &Self) {
        self.lost += other.lost;
        self.unacknowledged += other.unacknowledged;
        self.late += other.late;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
        self.replaced += other.replaced;
        self.mistaken += other.mistaken;
        self.refused += other.refused;
        self.failed += other.failed;
        self.full += other.full;
    }

    /// Each by its name.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u32); 10] {
        [
            ("lost", self.lost),
            ("unacknowledged", self.unacknowledged),
            ("late", self.late),
            ("doubled", self.doubled),
            ("reordered", self.reordered),
            ("replaced", self.replaced),
            ("mistaken", self.mistaken),
            ("refused", self.refused),
            ("failed", self.failed),
            ("full", self.full),
        ]
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.named().iter().map(|(_, count)| count).sum()
    }

    /// None.
    pub const NONE: Self = Self {
        lost: 0,
        unacknowledged: 0,
        late: 0,
        doubled: 0,
        reordered: 0,
        replaced: 0,
        mistaken: 0,
        refused: 0,
        failed: 0,
        full: 0,
    };
}

/// Takes one of the faults that are left, if there is one.
pub(super) const fn strikes(left: &mut u32, happened: &mut u32) -> bool {
    let is_left = *left > 0;
    if is_left {
        (*left, *happened) = (*left - 1, *happened + 1);
    }
    is_left
}

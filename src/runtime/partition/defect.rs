//! Faults in the protocol, put in on purpose: the simulator of `tests/partition/` must catch each of them.

/// A fault in the protocol. No code but those tests asks for one.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// A reader does not look at the epoch.
    ReaderWithoutEpoch,
    /// A reader does not look at `n`.
    ReaderWithoutN,
    /// A reader goes on behind a misfit.
    ReaderWithoutRun,
    /// A claim is appended without a confirmation.
    Unconfirmed,
    /// The report of any claim counts, of an abandoned one too.
    AbandonedClaim,
    /// A recovery repeats no effects.
    NoRepeats,
    /// Any acknowledged offset is taken for the right one.
    NoFence,
    /// An acknowledged offset must be the last one + 1.
    FenceByLastOffset,
    /// A record is good once it is acknowledged at its place, whatever became of those before it.
    GoodAlone,
    /// Effects do not wait for their record.
    EffectsBeforeAck,
    /// What people see does not wait for what it rests on.
    SeenBeforeAck,
    /// `read` is ahead: it passes over what has been fetched and not been taken.
    ReadAhead,
    /// `read` does not pass over the record's own cause.
    ReadBehind,
    /// Rejections are told and not journaled.
    UnrecordedRejections,
    /// What nobody can read is passed over.
    JunkDropped,
    /// Another input for a known id is taken for a repeat of the start.
    ConflictKnown,
    /// A cancel of an unknown instance leaves no trace.
    NoBar,
    /// The requests of an ended instance are forgotten.
    RequestsForgotten,
    /// An instance's second life has the first one's command ids.
    OneRun,
    /// A life is named by the clock alone, which may step back from owner to owner.
    RunByClock,
    /// A reply to an earlier life's command is taken for one to this life's.
    AnyRun,
    /// Ended instances are forgotten by the owner's clock.
    ForgetByClock,
    /// Ended instances are forgotten by what replies show of the log's time: requests of before may be unread.
    ForgetUnread,
    /// An input in the wrong partition is taken as if it were right.
    NotForwarded,
    /// An input belongs where its key leads, whatever it says.
    ByKey,
    /// An input in the wrong partition is passed over.
    ForwardDropped,
    /// An input that was forwarded is forwarded again.
    ForwardedAgain,
    /// What came behind a parked input is not parked.
    ParkedAlone,
    /// Parked inputs are tried again by every new owner.
    ResumedUnasked,
    /// A gap needs nobody's consent.
    GapUnasked,
    /// Consent to one gap is consent to all.
    GapForEver,
    /// `sent` moves when an effect is handed over.
    SentAtHandOver,
    /// A command that the log refused for good is forgotten.
    RefusedForgotten,
    /// A message that may or may not be in the log is taken for told.
    UnknownMeansTold,
    /// A checkpoint does not wait for the effects before it.
    CompletedTooEarly,
    /// A checkpoint waits for the effects before `started`, and not for those that only its snapshots explain.
    CompletedByStart,
    /// A checkpoint is trusted once `completed` is acknowledged, whatever became of the records before it.
    CompletedByAck,
    /// A checkpoint is trusted once `completed` is handed over.
    CompletedAtHandOver,
    /// A checkpoint leaves parked inputs out.
    WaitingLeftOut,
    /// A checkpoint has the ended instances before the live ones.
    EndedFirst,
    /// The journal is cut behind the checkpoint, not at its start.
    CutTooFar,
    /// An owner's clock counts from the report of the claim.
    ClockByAck,
    /// Timers fire before replies are read that came before them.
    HastyTimers,
    /// `unknown-command` is taken for "was not done".
    UnknownMeansNo,
    /// A new owner does not count what is under way at a participant with limits.
    UnderWayForgotten,
    /// A new owner does not know when the last call went out.
    CallsForgotten,
    /// Each partition takes a whole limit for its share.
    WholeShare,
}

//! The partition task: under a simulated world with a seed, and alone with a script.
//!
//! `SAGA_SEEDS=100000 cargo test --release partition::seeds` tries more seeds; a seed that fails is printed with the
//! command that repeats it, and that command prints all topics of the world.
//!
//! The rules of `docs/protocol.md`, and the fault ([`Defect`], [`Slip`]) or test that breaks each:
//!
//! | rule | broken by |
//! |---|---|
//! | **reading**: the epoch, `n`, the unbroken run | `ReaderWithoutEpoch`, `ReaderWithoutN`, `ReaderWithoutRun` |
//! | a log's start is record 0 or a checkpoint; nothing unknown at its place is skipped | scripts: a head deleted; `strangers` |
//! | what is no record is a misfit, and stops nobody | `strangers`; worlds with a stranger |
//! | **owning**: confirm before each claim | `Unconfirmed` |
//! | only the report of the latest claim counts | `AbandonedClaim` |
//! | the claim is our own, and the last record | none: see below |
//! | effects from `sent` on are repeated | `NoRepeats` |
//! | commands are repeated only if they are awaited | none: see below |
//! | good = 1 … n acknowledged, each at its place | `NoFence`, `FenceByLastOffset`, `GoodAlone` |
//! | effects, and all that people see, wait for good records | `EffectsBeforeAck`, `SeenBeforeAck` |
//! | three tenures lost to holes: the log is not dense | script: a log with every second offset |
//! | three tenures lost to a record that the log refuses: it never takes it; a checkpoint is done without | `refused` |
//! | a release finishes what is under way, and marks | script, and none: see below |
//! | **inputs**: `read` passes over what was taken, and its own cause | `ReadAhead`, `ReadBehind` |
//! | all but what no later state would listen to is journaled | `UnrecordedRejections`, `ConflictKnown`, `NoBar`, `JunkDropped` |
//! | an end is forgotten behind requests that were read | `ForgetByClock`, `ForgetUnread` |
//! | the run is in all ids, rises, and replies to another are nothing | `OneRun`, `AnyRun`; `RunByClock` by a script |
//! | one partition an instance: forwarded, once | `NotForwarded`, `ByKey`, `ForwardDropped`, `ForwardedAgain` |
//! | parked inputs, and all behind them, wait for a person | `ParkedAlone`, `ResumedUnasked` |
//! | lost inputs stop the partition until a person accepts that loss | `GapUnasked`, `GapForEver` |
//! | a topic that ends before what was read stops it, and behind that consent what came since is read | `renewed` |
//! | orders are recognised by request id | property "a request counts once"; `engine::walks`; behind an end `RequestsForgotten` |
//! | **effects**: `sent` = acknowledged | `SentAtHandOver` |
//! | what the log refuses for good is an input | `RefusedForgotten` |
//! | each carries its record's offset | property "a sent effect belongs to a counting record" |
//! | **checkpoints**: `completed` waits for the effects before `started` | `CompletedTooEarly` |
//! | the pointer moves when `completed` is good | `CompletedByAck`, `CompletedAtHandOver` |
//! | the ended come last; parked inputs are in it | `EndedFirst`, `WaitingLeftOut` |
//! | cut at the start of a complete one | `CutTooFar` |
//! | a journal that others cut past its checkpoint gets another at once | `overtaken` |
//! | **time**: the clock counts from the hand-over of the claim | `ClockByAck` |
//! | an owner whose clock is behind the log's claims again, now and then | `clocks` |
//! | a guard's row outlasts every attempt, and a rate every call, where the clock fell back | `clocks`, `engine::turns` |
//! | **limits**: what is under way is counted by each owner, of a share | `UnderWayForgotten`, `WholeShare` |
//! | the last call of a rate is in the journal | `CallsForgotten` |
//! | **participants**: the guard, its bar, its `failed` | `NoGuard`, `NoBarAfterUndo`, `FailedForgotten` |
//! | rows stay: all till `keep_until`, `done` and `failed` beyond | `RowsForgotten`, `DoneForgotten` |
//! | a late `do` without a row is refused | `NoDeadline` |
//! | `unknown-command` proves nothing | `UnknownMeansNo` |
//!
//! Rules that no fault breaks, since another rule stands behind them. *The claim is the last record, and our own*: an owner
//! that goes on for all that is fenced at its first record; the rule saves it that tenure. *Only awaited commands are
//! repeated*: the guard knows the others; the rule saves their way. *A release marks*: the next owner reads and repeats a
//! little more. Not simulated: two definitions of one saga, choreography, a change of the number of partitions (the
//! protocol has none).
//!
//! [`Defect`]: ::saga::runtime::partition::Defect
//! [`Slip`]: ::saga::simulation::Slip

mod rig;
mod clocks;
mod overtaken;
mod refused;
mod renewed;
mod saga;
mod scripts;
mod seeds;
mod strangers;

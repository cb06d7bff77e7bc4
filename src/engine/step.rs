//! The legal moves of a step: what it does, forward or back, when something comes in.
//!
//! [`next`] is the whole table. It looks at nothing but what the step waits for and how persistent it is; times and
//! counts are [`super::timing`]'s.

use super::instance::{Attempt, Wait};

/// How long a step goes on trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Persistence {
    /// Until its retries are used up; then its outcome is unknown, the step fails and is taken back.
    Bounded,
    /// Like `Bounded`, but its scope fails already: no retries any more.
    Settling,
    /// For ever: the pivot, whose outcome decides about everything.
    Pivot,
    /// Until it succeeds; after its retries a person is asked. Steps behind the pivot, and compensations.
    UntilDone,
}

/// What comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stimulus {
    /// The participant did it.
    Succeeded,
    /// The participant refuses.
    Failed,
    /// The participant wants the current attempt repeated.
    Retry,
    /// The participant works on the current attempt.
    Pending,
    /// The participant does not know the command, says its answer to a query.
    UnknownCommand,
    /// The time of the wait has come.
    Due,
    /// The scope fails.
    Settle,
    /// The log refuses the command for good.
    Undeliverable,
    /// An operator wants it tried again now.
    RetryOrdered,
    /// The participant takes another command.
    Turn,
}

/// What the step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Nothing, and a later state of the step would not listen either.
    Ignore,
    /// Nothing yet: the wait goes on.
    Stay,
    /// It cannot be: the participant cannot have been asked that yet.
    Impossible,
    /// It is done.
    Succeed,
    /// It is refused.
    Refuse,
    /// Nobody knows; give up.
    Lose,
    /// Nothing was ever sent; give up.
    Withdraw,
    /// A person must help.
    Stick,
    /// Wait for the final answer.
    Pend,
    /// Ask what became of it.
    Ask,
    /// The next attempt, now; or, where the participant takes no more for now, when it is its turn.
    Call,
    /// The next attempt, now: it is its turn.
    Send,
    /// The next attempt after a pause, if there is one left; else as the persistence says.
    Again,
}

/// Whether the participant can be asked what became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queries {
    /// It answers queries.
    Answered,
    /// It does not; a compensation is never asked for either, it is repeated.
    NotAnswered,
}

/// The table.
pub(super) fn next(attempt: &Attempt, persistence: Persistence, queries: Queries, stimulus: Stimulus) -> Move {
    use Move::{Again, Ask, Call, Ignore, Impossible, Lose, Pend, Refuse, Send, Stay, Stick, Succeed, Withdraw};
    use Persistence::{Bounded, Pivot, Settling, UntilDone};
    use Wait::{Answer, Log, Pause, Pending, Person, Query, Turn, Unfit};

    // Of a step whose first attempt waits for its turn everything is known: it has not begun.
    let give_up = if attempt.number == 0 { Withdraw } else { Lose };

    match (stimulus, &attempt.wait, persistence) {
        // The first final answer of any attempt wins, whatever is being waited for.
        (Stimulus::Succeeded, _, _) => Succeed,
        // Nobody can answer a message but the log.
        (Stimulus::Failed | Stimulus::Retry | Stimulus::Pending | Stimulus::UnknownCommand, Log(_), _) => Impossible,
        (Stimulus::Failed, _, Bounded | Settling | Pivot) => Refuse,
        (Stimulus::Failed, Person(_) | Turn(_), UntilDone) => Ignore,
        (Stimulus::Failed, Answer(_) | Query(_) | Pause(_) | Pending(_) | Unfit(_), UntilDone) => Stick,

        // Counts for the current attempt; the next attempt has another number, so a second copy is ignored for ever.
        (Stimulus::Retry, Answer(_) | Query(_) | Pending(_) | Unfit(_), _) => Again,
        (Stimulus::Retry, Pause(_) | Person(_) | Turn(_), _) => Ignore,

        // While the scope fails, nobody waits for what may take a day.
        (Stimulus::Pending, Answer(_) | Query(_) | Unfit(_), Settling) => Lose,
        (Stimulus::Pending, Answer(_) | Query(_) | Unfit(_), Bounded | Pivot | UntilDone) => Pend,
        // The attempt is over; the next one will hear it too. A copy from before a day's wait must not begin another.
        (Stimulus::Pending, Pause(_) | Pending(_) | Person(_) | Turn(_), _) => Ignore,

        // Allows a repeat and proves nothing: the command may still be on its way.
        (Stimulus::UnknownCommand, Query(_), _) => Again,
        (Stimulus::UnknownCommand, Answer(_), _) => Impossible,
        (Stimulus::UnknownCommand, Pause(_) | Pending(_) | Unfit(_) | Person(_) | Turn(_), _) => Ignore,

        (Stimulus::Due, Answer(_), Bounded | Pivot | UntilDone) => match queries {
            Queries::Answered => Ask,
            Queries::NotAnswered => Again,
        },
        (Stimulus::Due, Answer(_), Settling) => Lose,
        (Stimulus::Due, Query(_), _) => Again,
        // What became of it would be answered in the same way.
        (Stimulus::Due, Unfit(_), Bounded | Pivot | UntilDone) => Again,
        (Stimulus::Due, Unfit(_), Settling) => Lose,
        (Stimulus::Due, Pause(_), _) => Call,
        (Stimulus::Due, Pending(_), Bounded | Settling) => Lose,
        (Stimulus::Due, Pending(_), Pivot | UntilDone) => Again,
        (Stimulus::Due, Log(_) | Person(_), _) => Stay,
        // `within` is over. A pivot step goes on past it, so it waits as long as it takes.
        (Stimulus::Due, Turn(_), Bounded | Settling) => give_up,
        (Stimulus::Due, Turn(_), UntilDone) => Stick,
        (Stimulus::Due, Turn(_), Pivot) => Stay,

        // An attempt under way gets its answer or its timeout; nothing new is begun, and no person is waited for.
        (Stimulus::Settle, Answer(_) | Query(_) | Log(_), _) => Stay,
        (Stimulus::Settle, Pause(_) | Pending(_) | Unfit(_) | Person(_), _) => Lose,
        (Stimulus::Settle, Turn(_), _) => give_up,

        // A message that the log will never take is a person's business, unless its scope fails anyway.
        (Stimulus::Undeliverable, Log(_), Settling) => Lose,
        (Stimulus::Undeliverable, Log(_), Bounded | Pivot | UntilDone) => Stick,

        // It was never sent; an earlier attempt may have been.
        (Stimulus::Undeliverable, Answer(_), Bounded | Settling) => Lose,
        (Stimulus::Undeliverable, Answer(_), Pivot) => Again,
        (Stimulus::Undeliverable, Answer(_), UntilDone) => Stick,
        (Stimulus::Undeliverable, Query(_), _) => Again,
        (Stimulus::Undeliverable, Pause(_) | Pending(_) | Unfit(_) | Person(_) | Turn(_), _) => Ignore,

        (Stimulus::RetryOrdered, Pause(_) | Person(_), _) => Call,
        (Stimulus::RetryOrdered, Answer(_) | Query(_) | Pending(_) | Unfit(_) | Log(_) | Turn(_), _) => Stay,

        (Stimulus::Turn, Turn(_), _) => Send,
        (Stimulus::Turn, Answer(_) | Query(_) | Pause(_) | Pending(_) | Unfit(_) | Log(_) | Person(_), _) => Stay,
    }
}

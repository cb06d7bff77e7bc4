//! The one table of the rules that are tried: name, where `docs/participants.md` says it, what is expected, and why.

use super::said::Books;
use super::subject::Call;
use super::talk::{Talk, Wrong};
use super::{guarded, rough};

/// A rule of `docs/participants.md`.
#[derive(Debug)]
pub struct Rule {
    /// Its name, which stays.
    pub name: &'static str,
    /// The heading of the page below which it stands.
    pub anchor: &'static str,
    /// What is expected.
    pub says: &'static str,
    /// What goes wrong without it.
    pub why: &'static str,
    /// How often it is tried.
    pub scope: Scope,
    pub(super) check: Check,
}

/// How often a rule is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Once, or on all that comes.
    Once,
    /// With each command.
    EachCall,
}

/// How a rule is tried.
#[derive(Clone, Copy, Debug)]
pub(super) enum Check {
    /// By asking.
    Tried(fn(&mut Talk<'_>, &Call) -> Result<(), Wrong>),
    /// On all replies that come.
    OfAllReplies,
}

/// Whether anything comes back.
pub(super) const ANSWERED: &str = "answered";
/// Where replies go.
pub(super) const ANSWERED_WHERE_ASKED: &str = "answered-where-asked";
/// What is copied from the command.
pub(super) const NAMES_ITS_COMMAND: &str = "names-its-command";
/// Whether a reply can be read.
pub(super) const READABLE_REPLY: &str = "readable-reply";
/// Whether a reply fits the contract.
pub(super) const KEEPS_CONTRACT: &str = "keeps-the-contract";
/// Whether what cannot be read is left alone.
pub(super) const WRONG_ATTRIBUTES: &str = "wrong-attributes";
/// Whether what it refused stays refused.
const REMEMBERS_A_NO: &str = "remembers-a-no";
/// Whether it remembers that for long.
const FAILED_ROW_STAYS: &str = "failed-row-stays";
/// Whether what it refused is taken back.
const UNDO_OF_A_NO: &str = "undo-of-a-no";
/// Whether work is done once.
const ONCE_IN_THE_BOOKS: &str = "once-in-the-books";
/// Whether what is no JSON is left alone.
pub(super) const GARBAGE: &str = "garbage";
/// Whether what was never committed is left alone.
pub(super) const COMMITTED_ONLY: &str = "committed-only";

const MESSAGES: &str = "messages";
const GUARD: &str = "the-guard";
const UNREADABLE: &str = "what-you-cannot-read";
const ON_KAFKA: &str = "on-kafka";

const fn each(name: &'static str, check: fn(&mut Talk<'_>, &Call) -> Result<(), Wrong>) -> Rule {
    Rule { name, anchor: GUARD, says: "", why: "", scope: Scope::EachCall, check: Check::Tried(check) }
}

const fn once(name: &'static str, anchor: &'static str, check: Check) -> Rule {
    Rule { name, anchor, says: "", why: "", scope: Scope::Once, check }
}

impl Rule {
    /// The option without which it is not tried, where that was given for a command.
    pub(super) fn wanted_by(&self, books: Option<&Books>, call: &Call) -> Option<&'static str> {
        match self.name {
            ONCE_IN_THE_BOOKS => books.map(|_| "--books"),
            REMEMBERS_A_NO | FAILED_ROW_STAYS | UNDO_OF_A_NO => call.refused.as_ref().map(|_| "--refused"),
            _ => None,
        }
    }

    const fn says(self, says: &'static str) -> Self {
        Self { says, ..self }
    }

    const fn since(self, why: &'static str) -> Self {
        Self { why, ..self }
    }
}

/// All rules, in the order in which they are tried. What may stop a participant comes last.
pub const RULES: &[Rule] = &[
    once(ANSWERED, MESSAGES, Check::Tried(guarded::answered))
        .says("a command that it can do is answered `succeeded` in time")
        .since("a step that hears nothing is repeated, and then taken back"),
    once(ANSWERED_WHERE_ASKED, MESSAGES, Check::OfAllReplies)
        .says("replies come on `replyto`, in the partition `replypartition`")
        .since("another partition has another owner, which never asked"),
    once(NAMES_ITS_COMMAND, MESSAGES, Check::OfAllReplies)
        .says("`command`, `kind` and `attempt` are those of the command, byte for byte")
        .since("by them the engine knows what is answered; a reply that it cannot place is a dead letter"),
    once(READABLE_REPLY, MESSAGES, Check::OfAllReplies)
        .says("a reply has `type: saga.reply.v1`, a `status`, a `code` if it failed, and JSON")
        .since("a reply that nobody can read is a dead letter, and its step hears nothing"),
    once(KEEPS_CONTRACT, MESSAGES, Check::OfAllReplies)
        .says("a reply fits the contract, and so does the code of a refusal")
        .since("a reply that does not fit counts as none, and an operator has to look"),
    once("strange-ids", MESSAGES, Check::Tried(rough::strange_ids))
        .says("ids are opaque text of up to 500 bytes; any of them is answered as it came")
        .since("an instance's id is somebody else's business key: it has quotes, spaces, umlauts and slashes"),
    once("extra-attributes", MESSAGES, Check::Tried(rough::extra_attributes))
        .says("attributes in any order, some that you do not know, numbers for text, and none of the optional ones, change nothing; nor do headers")
        .since("a newer engine, a proxy and a tracing agent all add to a message"),
    once("largest-request", MESSAGES, Check::Tried(rough::largest_request))
        .says("a request of 1 MiB is done like any other")
        .since("that is the limit which the engine promises to authors of sagas"),
    each("same-reply", guarded::same_reply)
        .says("a repeat gets the reply of the first time: redelivered, or as another attempt")
        .since("work that is done anew is done twice; and of two replies, the saga may hear either"),
    each("at-once", guarded::at_once)
        .says("deliveries at once in several partitions get one reply, or `retry` or `pending` on the way to it")
        .since("after a rebalance two of your processes have the same command in hand"),
    each("undo-takes-back", guarded::undo_takes_back)
        .says("`undo` of what was done: `succeeded`")
        .since("the saga is stuck otherwise"),
    each("undo-again", guarded::undo_again)
        .says("`undo` of what was taken back: `succeeded`, again")
        .since("an undo is repeated like any command; taking back twice gives away what is somebody else's"),
    each("no-do-after-undo", guarded::no_do_after_undo)
        .says("`do` of what was taken back: `failed`, `already-undone`; past its deadline, too")
        .since("a repeat that was under way would do the work after the saga has ended, and nobody takes it back"),
    each("undo-before-do", guarded::undo_before_do)
        .says("`undo` of what was never done: `succeeded`")
        .since("a step whose reply is lost is taken back whether it was done or not"),
    each("no-do-after-early-undo", guarded::no_do_after_early_undo)
        .says("`do` behind an `undo` that found nothing: `failed`, `already-undone`")
        .since("the undo has overtaken it; done now, it stays for ever"),
    each("late-do", guarded::late_do)
        .says("`do` past its deadline, unknown so far: `retry`; and no row, so that a later attempt works")
        .since("its saga may have ended, and nobody would ever take it back"),
    each("late-repeat", guarded::late_repeat)
        .says("`do` past its deadline, done before: the same reply")
        .since("the saga that asks so late wants to know what became of it"),
    each("late-undo", guarded::late_undo)
        .says("`undo` past its deadline: `succeeded`, and a `do` behind it is not done, whether it was done before or not")
        .since("an undo is never too late: what it leaves, stays"),
    each("done-row-stays", guarded::done_row_stays)
        .says("a `done` row past its `keepuntil` still answers, and can be taken back")
        .since("a saga may wait for a person for weeks, and then take it back"),
    each("query-unknown", guarded::query_unknown)
        .says("`query` of what it never heard of: `unknown-command`, and a `do` works afterwards")
        .since("it allows a repeat and proves nothing; any other answer ends the step"),
    each("query-done", guarded::query_done)
        .says("`query` of what was done: the same reply, as often as one asks")
        .since("it is how a saga learns what became of a command after a timeout"),
    each("query-undone", guarded::query_undone)
        .says("`query` of what was taken back: `failed`, `already-undone`")
        .since("the saga would take for done what is not"),
    each(REMEMBERS_A_NO, guarded::remembers_no)
        .says("a repeat, past its deadline too, and a `query`, of what it refused: the same code")
        .since("a repeat must not find the free seat that the first attempt did not: one of the two is never heard"),
    each(FAILED_ROW_STAYS, guarded::failed_row_stays)
        .says("a `failed` row past its `keepuntil` still answers: the same code")
        .since("an orchestrator that was down for hours repeats the command before it reads the refusal"),
    each(UNDO_OF_A_NO, guarded::undo_of_no)
        .says("`undo` of what it refused: `succeeded`, and a `do` behind it: `failed`, `already-undone`")
        .since("the reply may be lost, so the step is taken back"),
    each("one-id-one-command", guarded::one_id_one_command)
        .says("another run, step or round of the same instance is another command, to the last of 500 bytes")
        .since("an order's number comes back, and a loop asks the same thing several times"),
    each("shuffled", guarded::shuffled)
        .says("queries, repeats and an undo in any order: answers that fit one order, and `already-undone` at the end")
        .since("nothing keeps messages of several partitions and attempts in order"),
    each(ONCE_IN_THE_BOOKS, guarded::once_in_the_books)
        .says("what the books show changes once with a `do`, not with repeats, and not at all once it is taken back")
        .since("the replies can be right and the work be done twice, if the row and the work are not one transaction"),
    once("unknown-call", UNREADABLE, Check::Tried(rough::unknown_call))
        .says("a command that its contract does not have: not `succeeded`, and no row")
        .since("a newer definition asks an older participant; answered `succeeded`, the step counts as done"),
    once("unknown-message", UNREADABLE, Check::Tried(rough::unknown_message))
        .says("a `message` that its contract does not have is passed over, and the next command is answered")
        .since("a newer definition tells an older participant; nobody waits for that, but for what is behind it"),
    once(COMMITTED_ONLY, ON_KAFKA, Check::Tried(rough::committed_only))
        .says("a command of a transaction that is aborted is not done, and the next one is answered")
        .since("whoever asked has taken it back before it counted: nobody knows of it, and nobody takes it back again"),
    once("unfit-request", UNREADABLE, Check::Tried(rough::unfit_request))
        .says("a request that does not fit the contract: not `succeeded`")
        .since("somebody's definition is wrong, and the saga must not go on as if it had worked"),
    once(WRONG_ATTRIBUTES, UNREADABLE, Check::Tried(rough::wrong_attributes))
        .says("a command with an attribute missing or wrong is not done, and the next one is answered")
        .since("nobody knows what was meant; and one message must not stop a partition"),
    once(GARBAGE, UNREADABLE, Check::Tried(rough::garbage))
        .says("bytes that are no command are passed over, and the next command is answered")
        .since("anybody may write to a topic; a process that dies of a message dies of it again and again"),
    once("oversized", UNREADABLE, Check::Tried(rough::oversized))
        .says("a payload over 1 MiB stops nothing: the next command is answered")
        .since("one message must not stop a partition"),
];

#[cfg(test)]
mod tests {
    use super::RULES;

    #[test]
    fn a_rule_has_one_name_and_says_all() {
        for rule in RULES {
            assert_eq!(1, RULES.iter().filter(|other| other.name == rule.name).count(), "{}", rule.name);
            assert!(!rule.says.is_empty() && !rule.why.is_empty(), "{}", rule.name);
        }
    }
}

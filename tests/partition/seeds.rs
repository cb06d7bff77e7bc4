//! Thousands of worlds, each from its seed: what must hold holds, and every fault that is put in is caught.

use saga::runtime::partition::Defect;

use super::judge::Violation;
use super::participants::Slip;
use super::world::{Seen, Wrong, live, tell};

/// Worlds a test run; `SAGA_SEEDS` asks for more.
const SEEDS: u64 = 2_000;
/// Worlds in which a fault must show; `SAGA_SEEDS` asks for more here, too.
const SEEDS_TO_CATCH: u64 = 10_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn every_world_keeps_the_promises() {
    let only = number("SAGA_SEED");
    let seeds = only.map_or(0..number("SAGA_SEEDS").unwrap_or(SEEDS), |seed| seed..seed + 1);
    let mut seen = Seen::default();
    for seed in seeds {
        if only.is_some() {
            println!("{}", tell(seed, Wrong::default()));
        }
        match live(seed, Wrong::default()) {
            Ok(world) => seen.add(&world),
            Err(violation) => {
                panic!("{}\nrepeat with: SAGA_SEED={seed} cargo test partition::seeds::every_world", violation.0)
            }
        }
    }
    if only.is_none() {
        seen.is_wild();
    }
}

/// Looks for a world that shows a fault: first where it was seen the last time.
fn caught(wrong: Wrong, hint: u64, property: &str) {
    let all = 0..number("SAGA_SEEDS").unwrap_or(SEEDS_TO_CATCH);
    for seed in std::iter::once(hint).chain(all) {
        if let Err(Violation(how)) = live(seed, wrong) {
            println!("{wrong:?} shows in seed {seed} by {how}");
            assert!(how.contains(property), "{wrong:?} shows in seed {seed}, not by `{property}` but by\n{how}");
            return;
        }
    }
    panic!("{wrong:?} was not caught");
}

macro_rules! catches {
    ($($name:ident: $field:ident = $what:expr, $hint:literal, $property:literal;)*) => {$(
        #[test]
        fn $name() {
            caught(Wrong { $field: Some($what), ..Wrong::default() }, $hint, $property);
        }
    )*};
}

// The fault; the seed in which it was last seen, where it is rare; the property that it breaks, if that is one.
catches! {
    catches_a_reader_that_ignores_the_epoch: defect = Defect::ReaderWithoutEpoch, 0, "";
    catches_a_reader_that_ignores_n: defect = Defect::ReaderWithoutN, 0, "";
    catches_a_reader_that_ignores_the_run: defect = Defect::ReaderWithoutRun, 0, "";

    catches_a_claim_without_confirmation: defect = Defect::Unconfirmed, 0, "a handover costs at most 3 claims";
    catches_a_claim_by_an_abandoned_report: defect = Defect::AbandonedClaim, 0, "a handover costs at most 3 claims";
    catches_a_recovery_without_repeats: defect = Defect::NoRepeats, 0, "what recovery would not repeat has been sent";
    catches_an_owner_without_a_fence: defect = Defect::NoFence, 0, "good records count";
    catches_a_fence_by_the_last_offset: defect = Defect::FenceByLastOffset, 0, "";
    catches_a_record_that_is_good_alone: defect = Defect::GoodAlone, 67, "";
    catches_effects_before_the_acknowledgement: defect = Defect::EffectsBeforeAck, 0, "a sent effect belongs to a counting";
    catches_what_is_seen_too_early: defect = Defect::SeenBeforeAck, 0, "";

    catches_reading_ahead: defect = Defect::ReadAhead, 0, "nothing before `read` would still change a saga";
    catches_reading_behind: defect = Defect::ReadBehind, 0, "";
    catches_unrecorded_rejections: defect = Defect::UnrecordedRejections, 0, "nothing before `read` would still change";
    catches_junk_that_is_dropped: defect = Defect::JunkDropped, 0, "nothing before `read` would still change a saga";
    catches_a_conflict_that_is_taken_for_a_repeat: defect = Defect::ConflictKnown, 93, "nothing before `read` would";
    catches_a_cancel_that_is_dropped: defect = Defect::NoBar, 0, "nothing before `read` would still change a saga";
    catches_command_ids_without_the_run: defect = Defect::OneRun, 0, "a life of an instance begins once";
    catches_a_reply_to_another_life: defect = Defect::AnyRun, 1835, "";
    catches_a_run_named_by_the_clock: defect = Defect::RunByClock, 6502, "a life of an instance begins once";
    catches_forgetting_by_a_clock: defect = Defect::ForgetByClock, 0, "nobody is forgotten who may still be asked for";
    catches_forgetting_without_a_read: defect = Defect::ForgetUnread, 1270, "nobody is forgotten who may still be asked";
    catches_an_input_taken_in_the_wrong_partition: defect = Defect::NotForwarded, 0, "an instance lives in its own partition";
    catches_an_input_dropped_in_the_wrong_partition: defect = Defect::ForwardDropped, 0, "nothing before `read` would";
    catches_an_input_that_is_forwarded_again: defect = Defect::ForwardedAgain, 42, "an input is forwarded once";
    catches_inputs_that_overtake_parked_ones: defect = Defect::ParkedAlone, 0, "";
    catches_parked_inputs_that_are_tried_unasked: defect = Defect::ResumedUnasked, 0, "a parked instance stands still";
    catches_a_loss_that_nobody_accepts: defect = Defect::GapUnasked, 14, "a loss is accepted by a person";
    catches_a_second_loss_that_nobody_accepts: defect = Defect::GapForEver, 49, "a loss is accepted by a person";

    catches_sent_that_moves_at_hand_over: defect = Defect::SentAtHandOver, 0, "what recovery would not repeat has been sent";
    catches_a_refused_command_that_is_forgotten: defect = Defect::RefusedForgotten, 75, "what the log refused for good is told";

    catches_a_message_that_is_taken_for_told: defect = Defect::UnknownMeansTold, 0, "a message is done when the log has";

    catches_a_checkpoint_that_completes_too_early: defect = Defect::CompletedTooEarly, 0, "";
    catches_a_checkpoint_that_waits_for_too_little: defect = Defect::CompletedByStart, 7262, "what recovery would not";
    catches_a_checkpoint_trusted_by_its_acknowledgement: defect = Defect::CompletedByAck, 5303, "";
    catches_a_checkpoint_trusted_at_hand_over: defect = Defect::CompletedAtHandOver, 0, "";
    catches_a_checkpoint_without_parked_inputs: defect = Defect::WaitingLeftOut, 0, "recovery from any checkpoint equals";
    catches_a_checkpoint_with_the_ended_first: defect = Defect::EndedFirst, 59, "recovery from any checkpoint equals";
    catches_a_journal_that_is_cut_too_far: defect = Defect::CutTooFar, 0, "the journal is cut at the start of a complete";

    catches_a_clock_that_counts_from_the_acknowledgement: defect = Defect::ClockByAck, 0, "work can always be finished";
    catches_timers_that_overtake_replies: defect = Defect::HastyTimers, 0, "a timer fires behind the replies that came";
    catches_unknown_taken_for_not_done: defect = Defect::UnknownMeansNo, 0, "compensated = none, for ever";

    catches_a_new_owner_that_forgets_what_is_under_way: defect = Defect::UnderWayForgotten, 3, "never more at once";
    catches_a_share_that_is_the_whole: defect = Defect::WholeShare, 3, "never more at once";
    catches_a_rate_that_a_new_owner_forgets: defect = Defect::CallsForgotten, 3, "calls keep the rate";

    catches_a_participant_without_a_guard: slip = Slip::NoGuard, 0, "";
    catches_an_undo_that_leaves_no_bar: slip = Slip::NoBarAfterUndo, 461, "";
    catches_a_refusal_that_is_forgotten: slip = Slip::FailedForgotten, 0, "compensated = none, for ever";
    catches_work_that_is_forgotten: slip = Slip::DoneForgotten, 29, "";
    catches_rows_that_are_forgotten: slip = Slip::RowsForgotten, 0, "";
    catches_late_commands_that_are_done: slip = Slip::NoDeadline, 405, "";
}

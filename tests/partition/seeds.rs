//! Thousands of worlds, each from its seed: what must hold holds, and every fault that is put in is caught.

use std::time::Duration;

use saga::definition::{Limit, Per};
use saga::log::simulated::Random;
use saga::runtime::partition::Defect;
use saga::simulation::{self, Seen, Slip, Trouble, Violation, Wanted, Wrong};

use super::saga::cast_of;

/// Worlds a test run; `SAGA_SEEDS` asks for more.
const SEEDS: u64 = 2_000;
/// Worlds in which a fault must show; `SAGA_SEEDS` asks for more here, too.
const SEEDS_TO_CATCH: u64 = 10_000;

/// Lives a world of the toy saga; in one of five its participant takes only so much.
fn live(seed: u64, wrong: Wrong) -> Result<Seen, Violation> {
    simulation::live(&cast_of(seed, &limits(seed)), seed, &Wanted::default(), wrong)
}

fn limits(seed: u64) -> Vec<Limit> {
    if seed % 5 != 3 {
        return Vec::new();
    }
    let mut random = Random::new(!seed);
    let mut some = |most: usize| u32::try_from(random.below(most + 1)).unwrap();
    // A world has no more partitions than that.
    let mut limits = vec![Limit { count: 1 + some(4), per: Per::Once }];
    if some(2) == 0 {
        let per = Per::Time(Duration::from_secs(1));
        limits.push(Limit { count: 1 + some(3), per });
    }
    limits
}

/// A world that is tame proves nothing: all of this happens in some of them.
fn is_wild(seen: &Seen) {
    let enough = |what: &str, happened: usize, a_thousand: usize| {
        assert!(1_000 * happened >= a_thousand * seen.worlds, "too little {what} in {seen:?}");
    };
    enough("forwarding", seen.forwarded, 1_000);
    enough("parking", seen.parked, 300);
    enough("resuming", seen.resumed, 100);
    enough("loss", seen.gaps, 50);
    enough("checkpoints", seen.checkpoints, 500);
    enough("claims", seen.claims, 3_000);
    enough("bars", seen.bars, 100);
    enough("waiting for turns", seen.queued, 300);
    enough("strangers", seen.strangers, 500);
    enough("jumps of clocks", seen.jumps, 300);
    enough("words of people", seen.resolved, 40);
    enough("crashes", seen.crashes, 500);
    enough("full disks", seen.faults.full as usize, 300);
}

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
            let (cast, wanted) = (cast_of(seed, &limits(seed)), Wanted::default());
            println!("{}", simulation::tell(&cast, seed, &wanted, Wrong::default()));
        }
        match live(seed, Wrong::default()) {
            Ok(world) => seen.add(&world),
            Err(violation) => {
                panic!("{violation}\nrepeat with: SAGA_SEED={seed} cargo test partition::seeds::every_world")
            }
        }
    }
    if only.is_none() {
        is_wild(&seen);
    }
}

/// Of all troubles this one alone, so that no other hides what it breaks.
#[test]
fn a_full_disk_breaks_nothing_but_what_does_not_wait() {
    let wanted = Wanted { troubles: [Trouble::FullDisk].into(), ..Wanted::default() };
    let live =
        |seed, defect| simulation::live(&cast_of(seed, &[]), seed, &wanted, Wrong { defect, ..Wrong::default() });
    let mut seen = Seen::default();
    for seed in 0..200 {
        seen.add(&live(seed, None).unwrap_or_else(|violation| panic!("seed {seed}: {violation}")));
    }
    assert!(seen.faults.full > 50 && seen.faults.total() == seen.faults.full, "{seen:?}");
    let hasty = (0..200).filter(|seed| live(*seed, Some(Defect::EffectsBeforeAck)).is_err()).count();
    assert!(hasty > 0, "what is sent before its record is in the log shows where that is not taken");
}

/// Looks for a world that shows a fault: first where it was seen the last time.
fn caught(wrong: Wrong, hint: u64, property: &str) {
    let all = 0..number("SAGA_SEEDS").unwrap_or(SEEDS_TO_CATCH);
    for seed in std::iter::once(hint).chain(all) {
        if let Err(violation) = live(seed, wrong) {
            let how = violation.to_string();
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
    catches_a_reader_that_ignores_the_epoch: defect = Defect::ReaderWithoutEpoch, 5, "";
    catches_a_reader_that_ignores_n: defect = Defect::ReaderWithoutN, 0, "";
    catches_a_reader_that_ignores_the_run: defect = Defect::ReaderWithoutRun, 5, "";

    catches_a_claim_without_confirmation: defect = Defect::Unconfirmed, 9, "a handover costs at most 3 claims";
    catches_a_claim_by_an_abandoned_report: defect = Defect::AbandonedClaim, 637, "a handover costs at most 3 claims";
    catches_a_recovery_without_repeats: defect = Defect::NoRepeats, 0, "what recovery would not repeat has been sent";
    catches_an_owner_without_a_fence: defect = Defect::NoFence, 0, "good records count";
    catches_a_fence_by_the_last_offset: defect = Defect::FenceByLastOffset, 5, "";
    catches_a_record_that_is_good_alone: defect = Defect::GoodAlone, 17, "";
    catches_effects_before_the_acknowledgement: defect = Defect::EffectsBeforeAck, 0, "a sent effect belongs to a counting";
    catches_what_is_seen_too_early: defect = Defect::SeenBeforeAck, 3, "";

    catches_reading_ahead: defect = Defect::ReadAhead, 0, "nothing before `read` would still change a saga";
    catches_reading_behind: defect = Defect::ReadBehind, 0, "";
    catches_unrecorded_rejections: defect = Defect::UnrecordedRejections, 1, "nothing before `read` would still change";
    catches_junk_that_is_dropped: defect = Defect::JunkDropped, 0, "nothing before `read` would still change a saga";
    catches_a_conflict_that_is_taken_for_a_repeat: defect = Defect::ConflictKnown, 21, "nothing before `read` would";
    catches_a_cancel_that_is_dropped: defect = Defect::NoBar, 1, "nothing before `read` would still change a saga";
    catches_requests_that_are_forgotten_with_their_instance: defect = Defect::RequestsForgotten, 1, "what was followed is not refused";
    catches_command_ids_without_the_run: defect = Defect::OneRun, 17, "a life of an instance begins once";
    catches_a_reply_to_another_life: defect = Defect::AnyRun, 1179, "";
    catches_forgetting_by_a_clock: defect = Defect::ForgetByClock, 1, "nobody is forgotten who may still be asked for";
    catches_forgetting_without_a_read: defect = Defect::ForgetUnread, 1, "nobody is forgotten who may still be asked";
    catches_an_input_taken_in_the_wrong_partition: defect = Defect::NotForwarded, 3, "an instance lives in its own partition";
    catches_an_input_that_is_placed_by_its_key: defect = Defect::ByKey, 0, "";
    catches_an_input_dropped_in_the_wrong_partition: defect = Defect::ForwardDropped, 3, "nothing before `read` would";
    catches_an_input_that_is_forwarded_again: defect = Defect::ForwardedAgain, 42, "an input is forwarded once";
    catches_inputs_that_overtake_parked_ones: defect = Defect::ParkedAlone, 0, "";
    catches_parked_inputs_that_are_tried_unasked: defect = Defect::ResumedUnasked, 0, "a parked instance stands still";
    catches_a_loss_that_nobody_accepts: defect = Defect::GapUnasked, 7, "a loss is accepted by a person";
    catches_a_second_loss_that_nobody_accepts: defect = Defect::GapForEver, 303, "a loss is accepted by a person";

    catches_sent_that_moves_at_hand_over: defect = Defect::SentAtHandOver, 1, "what recovery would not repeat has been sent";
    catches_a_refused_command_that_is_forgotten: defect = Defect::RefusedForgotten, 67, "what the log refused for good is told";

    catches_a_message_that_is_taken_for_told: defect = Defect::UnknownMeansTold, 199, "a message is done when the log has";

    catches_a_checkpoint_that_completes_too_early: defect = Defect::CompletedTooEarly, 1, "";
    catches_a_checkpoint_that_waits_for_too_little: defect = Defect::CompletedByStart, 20_615, "work can always be finished";
    catches_a_checkpoint_trusted_by_its_acknowledgement: defect = Defect::CompletedByAck, 6845, "";
    catches_a_checkpoint_trusted_at_hand_over: defect = Defect::CompletedAtHandOver, 2, "";
    catches_a_checkpoint_without_parked_inputs: defect = Defect::WaitingLeftOut, 0, "recovery from any checkpoint equals";
    catches_a_checkpoint_with_the_ended_first: defect = Defect::EndedFirst, 409, "recovery from any checkpoint equals";
    catches_a_journal_that_is_cut_too_far: defect = Defect::CutTooFar, 2, "the journal is cut at the start of a complete";

    catches_a_clock_that_counts_from_the_acknowledgement: defect = Defect::ClockByAck, 80, "work can always be finished";
    catches_timers_that_overtake_replies: defect = Defect::HastyTimers, 1, "a timer fires behind the replies that came";
    catches_unknown_taken_for_not_done: defect = Defect::UnknownMeansNo, 0, "compensated = none, for ever";

    catches_a_new_owner_that_forgets_what_is_under_way: defect = Defect::UnderWayForgotten, 18, "never more at once";
    catches_a_share_that_is_the_whole: defect = Defect::WholeShare, 8, "calls keep the rate";
    catches_a_rate_that_a_new_owner_forgets: defect = Defect::CallsForgotten, 353, "calls keep the rate";

    catches_a_participant_without_a_guard: slip = Slip::NoGuard, 0, "";
    catches_an_undo_that_leaves_no_bar: slip = Slip::NoBarAfterUndo, 3303, "";
    catches_a_refusal_that_is_forgotten: slip = Slip::FailedForgotten, 15, "compensated = none, for ever";
    catches_work_that_is_forgotten: slip = Slip::DoneForgotten, 2, "";
    catches_rows_that_are_forgotten: slip = Slip::RowsForgotten, 0, "";
    catches_late_commands_that_are_done: slip = Slip::NoDeadline, 68, "";
}

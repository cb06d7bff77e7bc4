//! Thousands of worlds, each from its seed: what must hold holds, and faults that are put in are caught.

use saga::runtime::partition::Defect;

use super::judge::Violation;
use super::participants::Slip;
use super::world::{Wrong, live};

/// Worlds a test run; `SAGA_SEEDS` asks for more.
const SEEDS: u64 = 1_000;
/// Worlds in which a fault must show.
const SEEDS_TO_CATCH: u64 = 2_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn every_world_keeps_the_promises() {
    let seeds = match number("SAGA_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SAGA_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        if let Err(violation) = live(seed, Wrong::default()) {
            panic!("{}\nrepeat with: SAGA_SEED={seed} cargo test partition::seeds::every_world", violation.0);
        }
    }
}

fn caught(wrong: Wrong, property: &str) {
    for seed in 0..SEEDS_TO_CATCH {
        if let Err(Violation(how)) = live(seed, wrong) {
            assert!(how.contains(property), "{wrong:?} shows in seed {seed}, not by `{property}` but by\n{how}");
            return;
        }
    }
    panic!("{wrong:?} was not caught in {SEEDS_TO_CATCH} worlds");
}

macro_rules! catches {
    ($($name:ident: $field:ident = $what:expr, $property:literal;)*) => {$(
        #[test]
        fn $name() {
            caught(Wrong { $field: Some($what), ..Wrong::default() }, $property);
        }
    )*};
}

catches! {
    catches_an_owner_without_a_fence: defect = Defect::NoFence, "good records count";
    catches_a_fence_by_the_last_offset: defect = Defect::FenceByLastOffset, "good records count";
    catches_a_reader_that_ignores_the_epoch: defect = Defect::ReaderWithoutEpoch, "a partition never stops by itself";
    catches_a_reader_that_ignores_n: defect = Defect::ReaderWithoutN, "a partition never stops by itself";
    catches_a_reader_that_ignores_the_run: defect = Defect::ReaderWithoutRun, "a partition never stops by itself";
    catches_effects_before_the_acknowledgement: defect = Defect::EffectsBeforeAck, "a sent effect belongs to a counting";
    catches_unrecorded_rejections: defect = Defect::UnrecordedRejections, "nothing before `read` would still change";
    catches_a_checkpoint_that_completes_too_early: defect = Defect::CompletedTooEarly, "what recovery would not repeat";
    catches_sent_that_moves_at_hand_over: defect = Defect::SentAtHandOver, "what recovery would not repeat";
    catches_a_recovery_without_repeats: defect = Defect::NoRepeats, "what recovery would not repeat";
    catches_a_claim_without_confirmation: defect = Defect::Unconfirmed, "a handover costs at most 3 claims";
    catches_forgetting_by_a_clock: defect = Defect::ForgetByClock, "";
    catches_a_cancel_that_is_dropped: defect = Defect::NoBar, "nothing before `read` would still change";
    catches_command_ids_without_the_run: defect = Defect::OneRun, "";
    catches_a_participant_without_a_guard: slip = Slip::NoGuard, "a guarded step runs at most once a run";
    catches_an_undo_that_leaves_no_bar: slip = Slip::NoBarAfterUndo, "compensated = none, for ever";
    catches_a_refusal_that_is_forgotten: slip = Slip::FailedForgotten, "compensated = none, for ever";
}

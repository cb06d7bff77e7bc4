//! Faults on a real Kafka: bookings run through orchestrators, services and a broker that are killed, frozen and moved
//! about, among strangers that write garbage into every topic; then the auditor reads the topics.
//!
//! `cargo test --test all kafka::faults` is a short round. `SAGA_FAULTS_ROUNDS=20` makes it twenty, and a round that fails
//! prints the seed that repeats it. What falls where within a round is up to processes and clocks; what is done, and in
//! which order, follows from the seed.

mod audit;
mod pen;
mod storm;
mod stranger;
mod town;
mod witness;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::SystemTime;

use super::broker::own;
use crate::booking::setting;

/// Bookings of a round: some are under way at each of its faults.
const BOOKINGS: u64 = 80;

/// So much of what is wrong stands beside the seed: the kinds of faults, and some places of each.
const LINES_SHOWN: usize = 20;

#[test]
fn nothing_is_lost_doubled_or_left_held_whatever_happens_on_kafka() {
    let rounds = setting("SAGA_FAULTS_ROUNDS").unwrap_or(1);
    let bookings = setting("SAGA_FAULTS_BOOKINGS").unwrap_or(BOOKINGS);
    let seed = setting("SAGA_FAULTS_SEED").unwrap_or_else(|| {
        SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs() ^ u64::from(since.subsec_nanos()))
    });
    for seed in seed..seed + rounds {
        let Some(broker) = own() else { return };
        eprintln!("SAGA_FAULTS_SEED={seed} SAGA_FAULTS_BOOKINGS={bookings}");
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| storm::round(broker, seed, bookings))) {
            // Once more what it is, since logs of a long run are shown from their end.
            let what = panic.downcast_ref::<String>().map_or("", String::as_str);
            let what: Vec<&str> = what.lines().take(LINES_SHOWN).collect();
            eprintln!(
                "{}\nthis round fails again by\n  SAGA_FAULTS_SEED={seed} SAGA_FAULTS_BOOKINGS={bookings} cargo test --test \
                 all kafka::faults",
                what.join("\n")
            );
            resume_unwind(panic);
        }
    }
}

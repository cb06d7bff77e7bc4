//! Whole worlds of any saga, and loads: what must hold holds, what is asked for is done, and what is broken is found.

mod loads;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use proptest::prelude::*;
use saga::check;
use saga::files::Folder;
use saga::log::simulated::Faults;
use saga::simulation::{Cast, Seen, Slip, Trouble, Wanted, Wrong, live, page, shrink, tell};
use saga::source::SourceFile;

use crate::engine::{drawn, shapes};

/// Worlds of each shipped saga in a test; `SAGA_SEEDS` asks for more, here and of random ones.
const SEEDS: u64 = 8;
/// Random sagas in a test.
const RANDOM: u32 = 24;

fn asked<T: std::str::FromStr>() -> Option<T> {
    std::env::var("SAGA_SEEDS").ok()?.parse().ok()
}

/// Every saga of `workflows/`.
fn shipped() -> Vec<(String, Arc<Cast>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/workflows")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "saga") {
            continue;
        }
        let folder = Folder::around(&path).unwrap();
        let file = SourceFile::new(path.to_str().unwrap(), fs::read_to_string(&path).unwrap());
        let program = check::check_file(file, &folder).program;
        for name in program.sagas.keys() {
            let name = format!("{} {name}", path.file_name().unwrap().display());
            all.push((name.clone(), Arc::new(Cast::of(&program, name.split(' ').next_back().unwrap()).unwrap())));
        }
    }
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

fn booking() -> Arc<Cast> {
    let booking = shipped().into_iter().find(|(name, _)| name == "booking.saga booking");
    booking.unwrap().1
}

#[test]
fn every_shipped_saga_keeps_the_promises() {
    let seeds = asked().unwrap_or(SEEDS);
    let mut seen = Seen::default();
    for (name, cast) in shipped() {
        let mut of = Seen::default();
        for seed in 0..seeds {
            match live(&cast, seed, &Wanted::default(), Wrong::default()) {
                Ok(world) => of.add(&world),
                Err(violation) => panic!("{name}, seed {seed}: {violation}"),
            }
        }
        assert!(of.sagas() as u64 >= seeds, "sagas of {name} end: {of:?}");
        seen.add(&of);
    }
    assert!(seen.crashes > 0 && seen.faults.total() > 0 && seen.ended.len() > 5, "{seen:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: asked().unwrap_or(RANDOM), max_shrink_iters: 50, ..ProptestConfig::default() })]

    #[test]
    fn random_sagas_keep_the_promises(shape in drawn::saga(), seed in 0..1_000_u64) {
        let cast = Arc::new(Cast::new(&Arc::new(shapes::plan(&shape))));
        if let Err(violation) = live(&cast, seed, &Wanted::default(), Wrong::default()) {
            panic!("{violation}\n{}", tell(&cast, seed, &Wanted::default(), Wrong::default()));
        }
    }
}

#[test]
fn the_same_seed_lives_the_same_life() {
    let cast = booking();
    let told = |seed| tell(&cast, seed, &Wanted::default(), Wrong::default());
    assert_eq!(told(3), told(3));
    assert_ne!(told(3), told(4));
}

/// Worlds that broke a promise once, and what was wrong.
const MENDED: [(&str, u64, &str); 4] = [
    // The judge: a partition was back with its first owner before it noticed that another had claimed it, and neither had
    // anything to do.
    ("booking.saga booking", 17_340, "an owner that has not noticed a claim has nothing left to do"),
    // A message was acknowledged while its instance was parked, and sent again behind that: the next owner knew nothing of it.
    ("claim.saga claim", 1_350, "a message that was sent again is owed by the next owner too"),
    ("number_porting.saga port_in", 1_502, "a message that was sent again is owed by the next owner too"),
    // The judge: a second loss was accepted before the record of the first had landed.
    ("booking.saga booking", 77_076, "two losses have two consents"),
];

#[test]
fn what_was_wrong_once_is_not_again() {
    // Of what goes wrong now some did not then: with it they are other worlds.
    let mut wanted = Wanted::default();
    wanted.troubles.retain(|trouble| ![Trouble::ClockJump, Trouble::Operator].contains(trouble));
    for (name, seed, what) in MENDED {
        let (_, cast) = shipped().into_iter().find(|(other, _)| other == name).unwrap();
        let lived = live(&cast, seed, &wanted, Wrong::default());
        assert!(lived.is_ok(), "{name}, seed {seed}: {what}: {lived:?}");
    }
}

#[test]
fn without_troubles_everything_is_done_once() {
    let wanted = Wanted { troubles: BTreeSet::new(), sagas: Some(2), steps: None };
    let mut seen = Seen::default();
    for seed in 0..10 {
        seen.add(&live(&booking(), seed, &wanted, Wrong::default()).unwrap());
    }
    assert_eq!((seen.faults, seen.crashes, seen.forwarded, seen.parked), (Faults::NONE, 0, 0, 0));
    // Participants do not refuse; one that answers too late for its step's patience is the only failure that is left.
    // An orchestrator that takes one instance at a time says to the second that it is busy.
    assert!((15..=20).contains(&seen.sagas()), "{seen:?}");
    let codes: Vec<_> = seen.ended.keys().flatten().collect();
    assert!(codes.iter().all(|code| *code == "timeout" || *code == "deadline"), "{codes:?}");
}

#[test]
fn only_what_is_wanted_goes_wrong() {
    for trouble in [Trouble::Lost, Trouble::Doubled, Trouble::Crash] {
        let wanted = Wanted { troubles: BTreeSet::from([trouble]), sagas: None, steps: None };
        let mut seen = Seen::default();
        for seed in 0..12 {
            seen.add(&live(&booking(), seed, &wanted, Wrong::default()).unwrap());
        }
        let happened = [seen.faults.lost, seen.faults.doubled, u32::try_from(seen.crashes).unwrap()];
        let only = [Trouble::Lost, Trouble::Doubled, Trouble::Crash].map(|other| other == trouble);
        assert_eq!(happened.map(|count| count > 0), only, "{trouble:?}: {seen:?}");
        assert_eq!(seen.faults.total(), seen.faults.lost + seen.faults.doubled, "{trouble:?}: {seen:?}");
    }
}

#[test]
fn a_participant_without_a_guard_is_found_and_the_world_shrinks() {
    let cast = booking();
    let wrong = Wrong { slip: Some(Slip::NoGuard), ..Wrong::default() };
    let wanted = Wanted::default();
    let (seed, violation) =
        (0..50).find_map(|seed| Some((seed, live(&cast, seed, &wanted, wrong).err()?))).expect("it shows soon");
    let small = shrink(&cast, seed, &wanted, wrong, violation.clone());
    assert_eq!(small.violation.property, violation.property);
    assert!(small.wanted.troubles.len() < Trouble::ALL.len() / 2, "{:?}", small.wanted);
    assert!(small.wanted.steps.is_some_and(|steps| steps < 280), "{:?}", small.wanted);
    // What is printed repeats it.
    assert_eq!(live(&cast, seed, &small.wanted, wrong).unwrap_err(), small.violation);
    // With its guard it keeps its promises there.
    live(&cast, seed, &small.wanted, Wrong::default()).unwrap();
    // Made smaller once more it stays.
    assert_eq!(shrink(&cast, seed, &small.wanted, wrong, small.violation.clone()).wanted, small.wanted);
}

#[test]
fn nothing_more_can_be_left_out_of_the_smallest_world() {
    let wrong = Wrong { slip: Some(Slip::NoGuard), ..Wrong::default() };
    let some =
        shipped().into_iter().filter(|(name, _)| ["booking.saga booking", "claim.saga claim"].contains(&&**name));
    for (name, cast) in some {
        let broken = |seed| Some((seed, live(&cast, seed, &Wanted::default(), wrong).err()?));
        for (seed, violation) in (0..20).filter_map(broken).take(4) {
            let Wanted { troubles, sagas: Some(sagas), steps: Some(steps) } =
                shrink(&cast, seed, &Wanted::default(), wrong, violation.clone()).wanted
            else {
                panic!("the world is told with its numbers")
            };
            let world = |troubles: &BTreeSet<Trouble>, sagas, steps| {
                let wanted = Wanted { troubles: troubles.clone(), sagas: Some(sagas), steps: Some(steps) };
                live(&cast, seed, &wanted, wrong).is_err_and(|other| other.property == violation.property)
            };
            assert!(world(&troubles, sagas, steps), "{name}, seed {seed}");
            assert!(
                (1..sagas).all(|fewer| !world(&troubles, fewer, steps)),
                "{name}, seed {seed}: fewer than {sagas} sagas"
            );
            assert!(steps == 1 || !world(&troubles, sagas, steps - 1), "{name}, seed {seed}: fewer than {steps} steps");
            for trouble in &troubles {
                let others = troubles.iter().copied().filter(|other| other != trouble).collect();
                assert!(!world(&others, sagas, steps), "{name}, seed {seed}: without {trouble:?}");
            }
        }
    }
}

#[test]
fn troubles_have_names_of_their_own() {
    let names: BTreeSet<_> = Trouble::ALL.iter().map(|trouble| trouble.name()).collect();
    assert_eq!(names.len(), Trouble::ALL.len());
}

/// Of all worlds those in which somebody turns clocks.
#[test]
fn clocks_that_jump_lose_nothing() {
    let mut seen = Seen::default();
    for (name, cast) in shipped() {
        for seed in (5..).step_by(7).take(2) {
            match live(&cast, seed, &Wanted::default(), Wrong::default()) {
                Ok(world) => seen.add(&world),
                Err(violation) => panic!("{name}, seed {seed}: {violation}"),
            }
        }
    }
    assert!(seen.jumps > 2 * seen.worlds, "{seen:?}");
}

/// Of all worlds those in which operators order.
#[test]
fn operators_contradict_each_other_and_the_rest_keeps_its_promises() {
    let mut seen = Seen::default();
    for (name, cast) in shipped() {
        for seed in (1..).step_by(5).take(2) {
            match live(&cast, seed, &Wanted::default(), Wrong::default()) {
                Ok(world) => seen.add(&world),
                Err(violation) => panic!("{name}, seed {seed}: {violation}"),
            }
        }
    }
    assert!(seen.resolved > 3, "{seen:?}");
}

/// Whoever reads that a promise is broken can look it up.
#[test]
fn every_promise_of_worlds_has_a_page() {
    let mut told = BTreeSet::new();
    for file in ["mod", "counting", "effects", "end", "inputs"] {
        let path = format!("{}/src/simulation/judge/{file}.rs", env!("CARGO_MANIFEST_DIR"));
        let source = fs::read_to_string(path).unwrap();
        for call in ["violated(\"", "same(\"", "property: \"", "=> \"", "{\n                        \""] {
            told.extend(source.split(call).skip(1).map(|behind| behind.split('"').next().unwrap().to_owned()));
        }
    }
    told.retain(|promise| promise.contains(' '));
    assert!(told.len() > 25, "{told:?}");
    for promise in &told {
        assert!(page(promise).is_some_and(|page| page.lines().count() > 2), "no page: {promise}");
    }
}

//! Loads: what is asked for is what happens.

use std::sync::Arc;
use std::time::Duration;

use saga::check::check_text;
use saga::simulation::{Cast, Figures, Load, Rule, bear, percentile};

const CHAIN: &str = r#"
participant shop {
  command Take {} returns { receipt: string } fails "sold_out"
  command Give {}
}
participant bank {
  at most 1 at once
  command Pay {} fails "declined"
}
saga chain {
  version 1
  defaults { timeout 10s retry 2 times every 1s compensate timeout 10s retry 20 times every 1s }
  step take { call shop.Take compensate shop.Give }
  pivot step pay { call bank.Pay }
}
"#;

fn cast(text: &str, saga: &str) -> Arc<Cast> {
    let checked = check_text("load.saga", text);
    assert!(!checked.has_errors(), "{:?}", checked.findings);
    Arc::new(Cast::of(&checked.program, saga).unwrap())
}

/// A hundred sagas, one a minute, answers in exactly so long.
fn load(answers: u64) -> Load {
    let millis = Duration::from_millis(answers);
    Load {
        sagas: 100,
        rate: 1.0 / 60.0,
        latency: vec![Rule { of: None, is: millis..millis }],
        fails: Vec::new(),
        silent: Vec::new(),
        signals: Vec::new(),
        log: Duration::ZERO,
        seed: 7,
    }
}

fn codes(figures: &Figures) -> Vec<(Option<&str>, usize)> {
    figures.ended.iter().map(|(how, took)| (how.as_deref(), took.len())).collect()
}

#[test]
fn a_chain_takes_as_long_as_its_answers() {
    let figures = bear(&cast(CHAIN, "chain"), &load(100));
    assert_eq!(codes(&figures), [(None, 100)]);
    let took = &figures.ended[&None];
    assert_eq!(percentile(took, 50), 200);
    assert_eq!(figures.participants["shop"].commands, 100);
    assert_eq!(figures.participants["bank"].repeats, 0);
    assert_eq!(figures.partitions, 1, "no partition is without a share of `at most 1 at once`");
}

/// A load begins some time behind the start of its world.
#[test]
fn what_passes_is_from_the_first_start_to_the_last_end() {
    let mut one = load(100);
    one.sagas = 1;
    let figures = bear(&cast(CHAIN, "chain"), &one);
    assert_eq!(figures.passed, Duration::from_millis(200));
    let hundred = bear(&cast(CHAIN, "chain"), &load(100));
    assert!(hundred.passed > Duration::from_mins(50), "{:?}", hundred.passed);
    one.silent = vec![Rule { of: Some("take".into()), is: 100.0 }];
    let stuck = bear(&cast(CHAIN, "chain"), &one);
    assert_eq!((stuck.stuck, stuck.passed.as_secs()), (1, 263));
}

#[test]
fn the_log_takes_its_time() {
    let mut slow = load(100);
    slow.log = Duration::from_millis(10);
    let (quick, slow) = (bear(&cast(CHAIN, "chain"), &load(100)), bear(&cast(CHAIN, "chain"), &slow));
    assert!(percentile(&slow.ended[&None], 50) > percentile(&quick.ended[&None], 50) + 30);
}

#[test]
fn a_limit_makes_sagas_wait_for_their_turn() {
    let mut busy = load(1_000);
    busy.rate = 100.0;
    let figures = bear(&cast(CHAIN, "chain"), &busy);
    let bank = &figures.participants["bank"];
    assert_eq!(bank.at_once, 1);
    assert!(bank.waits.len() > 90, "{}", bank.waits.len());
    assert!(percentile(&figures.ended[&None], 100) > 90_000, "the last one waits for all others");
    assert_eq!(figures.participants["shop"].at_once, 100);
}

#[test]
fn what_is_refused_is_taken_back() {
    let mut refusing = load(100);
    refusing.fails = vec![Rule { of: Some("pay".into()), is: 100.0 }];
    let figures = bear(&cast(CHAIN, "chain"), &refusing);
    assert_eq!(codes(&figures), [(Some("declined"), 100)]);
    assert_eq!(figures.participants["shop"].commands, 200);
    assert_eq!(percentile(&figures.ended[&Some("declined".into())], 50), 300);
}

#[test]
fn a_rule_of_a_step_is_before_that_of_its_participant_and_that_before_all() {
    let mut some = load(100);
    some.fails = vec![
        Rule { of: Some("bank".into()), is: 100.0 },
        Rule { of: Some("pay".into()), is: 0.0 },
        Rule { of: None, is: 100.0 },
        Rule { of: Some("shop".into()), is: 0.0 },
    ];
    assert_eq!(codes(&bear(&cast(CHAIN, "chain"), &some)), [(None, 100)]);
}

#[test]
fn who_is_silent_is_asked_again_and_given_up() {
    let mut silent = load(100);
    silent.silent = vec![Rule { of: Some("take".into()), is: 100.0 }];
    silent.sagas = 10;
    let figures = bear(&cast(CHAIN, "chain"), &silent);
    // The compensation is of the same step, so nobody hears of it either.
    assert_eq!((codes(&figures), figures.stuck), (vec![], 10));
    assert!(figures.participants["shop"].repeats >= 10 * 22, "{figures:?}");
}

#[test]
fn signals_come_when_they_are_asked_for() {
    let text = r#"
    participant shop { command Take {} command Give {} }
    saga waits {
      version 1
      signal go { yes: bool }
      step take { call shop.Take compensate shop.Give }
      await go within 1d otherwise { fail "nobody" }
    }
    scenario "yes" for waits { when signal go arrives { yes: true } expect completed }
    "#;
    let without = bear(&cast(text, "waits"), &load(10));
    assert_eq!(codes(&without), [(Some("nobody"), 100)]);
    let mut with = load(10);
    with.signals = vec![("go".into(), Duration::from_hours(2)..Duration::from_hours(2))];
    let with = bear(&cast(text, "waits"), &with);
    assert_eq!(codes(&with), [(None, 100)]);
    assert_eq!(percentile(&with.ended[&None], 50), 2 * 60 * 60 * 1_000);
}

#[test]
fn the_same_seed_is_the_same_load() {
    let (cast, load) = (cast(CHAIN, "chain"), load(50));
    assert_eq!(format!("{:?}", bear(&cast, &load)), format!("{:?}", bear(&cast, &load)));
}

#[test]
fn percentiles_are_by_rank() {
    let values: Vec<u64> = (1..=100).collect();
    assert_eq!([0, 1, 50, 99, 100].map(|percent| percentile(&values, percent)), [1, 1, 50, 99, 100]);
    assert_eq!(percentile(&[], 50), 0);
    assert_eq!(percentile(&[7], 99), 7);
}

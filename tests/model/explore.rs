//! Every way in which sagas can end: the shipped ones keep every promise, and random ones too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use compact_str::{CompactString, format_compact};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use saga::check::{self, Cause};
use saga::definition::{Compensation, Program, Saga, Statement, StatementKind, blocks};
use saga::diagnostic::Severity;
use saga::engine::Direction;
use saga::files::Folder;
use saga::model::explore::{Bounds, Cut, Deed, Ending, Engine, Property, Report, StuckBy, Violation, explore};
use saga::plan::Plan;
use saga::source::SourceFile;

use crate::engine::drawn;
use crate::engine::shapes::{self, PivotShape, SagaShape, Shape, UndoShape};

/// States that are looked at in a test: it runs without optimizations.
const FEW: Bounds = Bounds { states: 30_000, ..Bounds::DEEP };

pub(super) fn plan(text: &str) -> Plan {
    let checked = check::check_text("test.saga", text);
    assert!(!checked.has_errors(), "{:?}", checked.findings);
    Plan::new(Arc::clone(checked.program.sagas.values().next().unwrap()))
}

pub(super) fn broken(report: &Report) -> String {
    let one = |violation: &Violation| {
        let told = violation.trace.iter().map(|told| format!("  {} -> {:?}\n", told.happens, told.events));
        format!("{} at {}\n{}", violation.property.name(), violation.at, told.collect::<String>())
    };
    report.violations.iter().map(one).collect()
}

/// The files of the shipped sagas.
pub(super) fn shipped() -> Vec<PathBuf> {
    let entries = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/workflows")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "saga"));
    paths.sort();
    paths
}

#[test]
fn every_shipped_saga_keeps_every_promise() {
    let mut exhaustive = 0;
    for path in shipped() {
        let folder = Folder::around(&path).unwrap();
        let file = SourceFile::new(path.to_str().unwrap(), fs::read_to_string(&path).unwrap());
        let checked = check::check_file(file, &folder);
        for saga in checked.program.sagas.values() {
            let report = explore(&Plan::new(Arc::clone(saga)), &Engine, FEW);
            assert!(report.violations.is_empty(), "{} {}: {}", path.display(), saga.name, broken(&report));
            if report.is_exhaustive() {
                exhaustive += 1;
                // What is computed from the text alone and what the engine does are the same.
                let outcomes = check::outcomes(saga);
                let computed: BTreeSet<CompactString> = outcomes.codes().cloned().collect();
                // Lists are explored with two elements at most: neither are those too many nor need their sum be too large.
                let is_untried = |code: &CompactString| {
                    let mut causes = outcomes.iter().filter(|(of, _)| *of == code).flat_map(|(_, reasons)| reasons);
                    causes.any(|reason| matches!(reason.cause, Cause::TooMany))
                };
                let found = codes(&report);
                let both = |codes: &BTreeSet<CompactString>| -> BTreeSet<CompactString> {
                    codes.iter().filter(|code| found.contains(*code) || !is_untried(code)).cloned().collect()
                };
                assert_eq!(found, both(&computed), "{} {}", path.display(), saga.name);
            }
        }
    }
    // `disk` has more: benches/README.md has it to its end.
    assert_eq!(exhaustive, 13, "are explored to the end");
}

/// The codes with which it ends.
fn codes(report: &Report) -> BTreeSet<CompactString> {
    let code = |ending: &Ending| match ending {
        Ending::Compensated(code) => Some(code.clone()),
        Ending::Completed | Ending::Stuck(..) => None,
    };
    report.ways.iter().filter_map(|way| code(&way.ending)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn every_random_saga_keeps_every_promise(shape in drawn::saga()) {
        let bounds = Bounds { states: 1_000, ..FEW };
        let report = explore(&shapes::plan(&shape), &Engine, bounds);
        prop_assert!(report.violations.is_empty(), "{}", broken(&report));
    }

    /// Of a saga that can be explored to the end without the reductions, they find the same ends, and as little that is broken.
    #[test]
    fn the_reductions_find_the_same(shape in drawn::saga()) {
        let plan = shapes::plan(&shape);
        let all = explore(&plan, &Engine, Bounds { states: 4_000, reduces: false, ..FEW });
        if all.cut.is_empty() {
            let fewer = explore(&plan, &Engine, FEW);
            prop_assert_eq!(ends(&fewer), ends(&all));
            prop_assert_eq!(calls(&fewer), calls(&all));
            prop_assert_eq!(lengths(&fewer), lengths(&all));
            prop_assert!(fewer.violations.is_empty() && all.violations.is_empty(), "{}", broken(&all));
            prop_assert!(fewer.states <= all.states && fewer.cut.is_empty());
        }
    }
}

/// Of a saga of these statements, without a point of no return.
fn explored(before: Vec<Shape>, bounds: Bounds) -> Report {
    let shape = SagaShape { before, pivot: PivotShape::None, behind: Vec::new(), deadline: false, limits: Vec::new() };
    explore(&shapes::plan(&shape), &Engine, bounds)
}

/// How long the way to each end is.
fn lengths(report: &Report) -> Vec<(String, usize)> {
    report.ways.iter().map(|way| (way.ending.to_string(), way.trace.len())).collect()
}

/// Of three that are written alike the explorer looks at one for all, and the way to each is a shortest one nevertheless.
#[test]
fn the_ways_to_the_ends_of_twins_are_shortest_ones() {
    let plan = plan(
        r#"
participant p { command A fails "c"  command U }
saga m {
  version 1
  parallel {
    step a { call p.A retry 1 times every 1s  compensate p.U retry 1 times every 1s }
    step b { call p.A retry 1 times every 1s  compensate p.U retry 1 times every 1s }
    step c { call p.A retry 1 times every 1s  compensate p.U retry 1 times every 1s }
  }
}
"#,
    );
    let all = explore(&plan, &Engine, Bounds { reduces: false, ..FEW });
    let fewer = explore(&plan, &Engine, FEW);
    assert_eq!(lengths(&fewer), lengths(&all));
    for way in &fewer.ways {
        let Ending::Stuck(place, _) = &way.ending else { continue };
        let last = way.trace.last().unwrap();
        assert!(last.events.iter().any(|event| event.step() == Some(place)), "{place}: {last:?}");
    }
}

/// Branches that are written alike are no twins where one between them fails before anybody is asked: those behind it never begin.
#[test]
fn a_branch_behind_one_that_fails_at_once_is_never_stuck() {
    let step = || Shape::Step { undo: UndoShape::Same, queries: false };
    let before = vec![Shape::Parallel(vec![step(), Shape::Fail, step()])];
    let report = explored(before, FEW);
    assert_eq!(ends(&report), ["compensated given_up", "stuck undo s1"]);
}

/// Each round has its own saga that takes it back.
#[test]
fn rounds_that_sagas_take_back_keep_every_promise() {
    let body = vec![Shape::Step { undo: UndoShape::Saga(drawn::way_back(5)), queries: false }];
    let before = vec![Shape::Repeat { times: 2, flag: None, body, otherwise: Vec::new() }];
    let report = explored(before, Bounds { states: 1_000, ..FEW });
    assert!(report.violations.is_empty(), "{}", broken(&report));
}

/// What random sagas are drawn from are mostly sagas that the checks let pass. The others are explored, too: the engine must
/// hold for all that can be compiled.
#[test]
fn most_random_sagas_pass_the_checks() {
    let mut runner = TestRunner::deterministic();
    let mut passed = 0;
    let mut refused: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..500 {
        let shape = drawn::saga().new_tree(&mut runner).unwrap().current();
        let problems = check::check(&program(&shape)).sorted();
        let errors = problems.iter().filter(|finding| finding.severity == Severity::Error);
        let codes: BTreeSet<String> = errors.map(|finding| format!("{:?}", finding.code)).collect();
        passed += u32::from(codes.is_empty());
        for code in codes {
            *refused.entry(code).or_default() += 1;
        }
    }
    assert!(passed > 250, "{passed}: {refused:?}");
}

/// The saga of a shape, and those inside it each as one of its own, as in a text.
fn program(shape: &SagaShape) -> Program {
    fn collect(whole: &Saga, body: &[Statement], sagas: &mut Vec<Saga>) {
        for statement in body {
            let (run, step) = match &statement.kind {
                StatementKind::Run(run) => (Some(run), Some(&run.step)),
                StatementKind::Step(step) => (None, Some(step)),
                _ => (None, None),
            };
            let back = step.and_then(|step| match &step.compensation {
                Compensation::Run(back) => Some(back),
                _ => None,
            });
            for run in run.into_iter().chain(back) {
                let name = format_compact!("inner{}", sagas.len());
                sagas.push(Saga { name, deadline: None, body: run.body.clone(), ..whole.clone() });
                collect(whole, &run.body, sagas);
            }
            if run.is_none() {
                for block in blocks(statement) {
                    collect(whole, block, sagas);
                }
            }
        }
    }
    let whole = shapes::plan(shape).saga;
    let mut sagas = vec![whole.as_ref().clone()];
    collect(&whole, &whole.body, &mut sagas);
    let sagas = sagas.into_iter().map(|saga| (saga.name.clone(), Arc::new(saga))).collect();
    Program { sagas, ..Program::default() }
}

fn ends(report: &Report) -> Vec<String> {
    report.ways.iter().map(|way| way.ending.to_string()).collect()
}

/// How many steps are called and taken back on the way to an end that is no other's beginning.
fn calls(report: &Report) -> Vec<[(u32, u32); 2]> {
    let ended = report.ways.iter().filter(|way| !matches!(way.ending, Ending::Stuck(..)));
    ended.map(|way| [way.tally.called, way.tally.undone]).collect()
}

/// `EXPLORED_CASES` for a longer search.
fn cases() -> u32 {
    std::env::var("EXPLORED_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(60)
}

/// Two steps that are taken back, a pivot, and one behind it.
pub(super) const TRIP: &str = r#"
participant rooms {
  commands "rooms"
  command Hold fails "full"
  command Free
  command Confirm
}
participant cards {
  commands "cards"
  command Charge fails "declined"
}
saga trip {
  version 1
  deadline 1h
  step room { call rooms.Hold  retry 1 times every 1s  compensate rooms.Free  retry 1 times every 1s }
  step car { call rooms.Hold  retry 1 times every 1s  compensate rooms.Free  retry 1 times every 1s }
  pivot step charge { call cards.Charge }
  step confirm { call rooms.Confirm  retry 1 times every 1s }
}
"#;

#[test]
fn the_ends_of_a_trip_and_what_each_needs() {
    let report = explore(&plan(TRIP), &Engine, Bounds::default());
    assert_eq!((report.cut.as_slice(), broken(&report).as_str()), (&[][..], ""));
    let needs = |way: &saga::model::explore::Way| {
        let special = way.trace.iter().filter(|told| !told.is_usual).map(|told| told.happens.clone());
        format!("{:?}: {}", way.ending, special.collect::<Vec<_>>().join("; "))
    };
    insta::assert_snapshot!(report.ways.iter().map(needs).collect::<Vec<_>>().join("\n"));
}

/// A saga takes a step back; in it, a `try` is taken back.
pub(super) const WAY_BACK: &str = r#"
participant bank {
  commands "bank"
  command Charge fails "declined"
  command Note
  command Void fails "too_late"
  command Refund
  command Send fails "closed"
}
saga order {
  version 1
  step charge { call bank.Charge  retry 1 times every 1s  compensate run refund }
  step sent { call bank.Send  retry 1 times every 1s  compensate nothing }
}
saga refund {
  version 1
  pivot
  try {
    step note { call bank.Note  retry 1 times every 1s  compensate bank.Note  retry 1 times every 1s }
    step void { call bank.Void  retry 1 times every 1s  compensate nothing }
  } catch {
    step money { call bank.Refund  retry 1 times every 1s }
  }
}
"#;

#[test]
fn a_saga_that_takes_a_step_back_keeps_every_promise() {
    let report = explore(&plan(WAY_BACK), &Engine, Bounds::default());
    assert_eq!((report.cut.as_slice(), broken(&report).as_str()), (&[][..], ""));
    assert_eq!(codes(&report), check_codes(WAY_BACK));
    let stuck = |place: &str, work| report.ways.iter().any(|way| way.ending == Ending::Stuck(place.into(), work));
    assert!(stuck("charge.undo.money", Direction::Do) && stuck("charge.undo.note", Direction::Undo));
}

#[test]
fn a_signal_reaches_each_element_of_a_loop() {
    let text = r#"
participant bank { command Charge }
saga order {
  version 1
  let all = [1, 2]
  for each one in all {
    step paid { run pay }
  }
}
saga pay {
  version 1
  signal agreed
  await agreed within 1h otherwise { fail "not_agreed" }
  step charge { call bank.Charge  compensate nothing }
}
"#;
    let report = explore(&plan(text), &Engine, Bounds::default());
    assert_eq!((report.cut.as_slice(), broken(&report).as_str()), (&[][..], ""));
    let completed = report.ways.iter().find(|way| way.ending == Ending::Completed).expect("both may agree");
    let signals = completed.trace.iter().filter_map(|told| match &told.deed {
        Deed::Signal(name, _) => Some(name.as_str()),
        _ => None,
    });
    assert_eq!(signals.collect::<Vec<_>>(), ["paid[1].agreed", "paid[2].agreed"]);
}

/// A timer may end before any other, but no wait before a limit that began before it and is no longer.
#[test]
fn a_wait_ends_before_no_limit_that_it_outlasts() {
    let of = |body: &str| {
        let text = format!(
            "participant shop {{ command Note }}
             saga order {{ version 1 deadline 1h signal agreed  {body} }}"
        );
        let report = explore(&plan(&text), &Engine, Bounds::default());
        assert_eq!((report.cut.as_slice(), broken(&report).as_str()), (&[][..], ""), "{body}");
        report
    };
    let is_late = |body: &str| codes(&of(body)).contains("late");
    let wait = |within: &str| format!("await agreed within {within} otherwise {{ fail \"late\" }}");
    assert!(is_late(&wait("59m")) && !is_late(&wait("1h")) && !is_late(&wait("2h")));
    let of_try =
        |within: &str| format!("try within 10m {{ {} }} catch \"late\" {{ fail \"late\" }} catch {{}}", wait(within));
    assert!(is_late(&of_try("9m")) && !is_late(&of_try("10m")));
    // A handler is behind the time of its `try`, and nothing is before a point of no return behind it.
    assert!(is_late(&format!("try within 10m {{ sleep 5m  fail \"x\" }} catch {{ {} }}", wait("20m"))));
    let behind = of("pivot  await agreed within 2h otherwise { step noted { call shop.Note } }");
    assert!(calls(&behind).iter().any(|[(_, most), _]| *most == 1));
}

/// Of what the last of eleven attempts comes to nothing is seen where the pauses before it take no less than a limit.
#[test]
fn the_last_attempt_never_comes_behind_a_limit() {
    let of = |saga: &str| {
        let text = format!("participant shop {{ command Note  command Drop }}\nsaga order {{ version 1 {saga} }}");
        let report = explore(&plan(&text), &Engine, Bounds::default());
        assert_eq!((report.cut.as_slice(), broken(&report).as_str()), (&[][..], ""), "{saga}");
        report
    };
    let comes = |saga: &str| {
        let report = of(saga);
        let mut told = report.ways.iter().flat_map(|way| &way.trace);
        let by = report.ways.iter().flat_map(|way| &way.stuck_by.1);
        let by: BTreeSet<StuckBy> = by.copied().collect();
        told.any(|told| told.happens.contains("last attempt")) || by.contains(&StuckBy::Retry)
    };
    let behind = |times: &str| format!("pivot  sleep 1s  step noted {{ call shop.Note  {times} }}");
    assert!(!comes(&behind("retry 10 times every 1s..1s within 1500ms timeout 1s")));
    assert!(!comes(&behind("retry 10 times every 1s..1s within 10s timeout 1s")));
    assert!(comes(&behind("retry 10 times every 1s..1s within 10001ms timeout 1s")));
    assert!(!comes(&behind("retry 1 times every 1s..1s within 1s timeout 1s")));
    assert!(comes(&behind("retry 1 times every 1s..1s within 2s timeout 1s")));
    let times = "timeout 1s retry 10 times every 20s..20s";
    let before = |deadline| format!("deadline {deadline}  step noted {{ call shop.Note {times} compensate nothing }}");
    assert!(!comes(&before("200s")) && comes(&before("201s")));
    let of_try = |within| {
        let body = format!("step noted {{ call shop.Note {times} compensate nothing }}  fail \"x\"");
        format!("try within {within} {{ {body} }} catch \"timeout\" {{ fail \"gone\" }} catch {{}}")
    };
    assert!(!comes(&of_try("200s")) && comes(&of_try("201s")));
    // What takes it back knows no deadline.
    let back = format!("deadline 10s  step noted {{ call shop.Note  compensate shop.Drop {times} }}  fail \"x\"");
    assert!(comes(&back));
    // Nor does a point of no return that has been called.
    let pivot = format!("deadline 10s  pivot step noted {{ call shop.Note {times} }}");
    assert!(comes(&pivot));
}

/// With everything that it can get stuck by, and not with what became of the step that is taken back.
#[test]
fn with_what_a_place_gets_stuck() {
    let by = |saga: &str| {
        let text = format!(
            "participant shop {{ command Take returns {{ n: int }} fails \"no\"  command Put {{ n: int }} }}
             saga order {{ version 1 {saga} }}"
        );
        let report = explore(&plan(&text), &Engine, Bounds::default());
        let way = report.ways.iter().find(|way| matches!(way.ending, Ending::Stuck(..))).expect("it can be stuck");
        way.stuck_by.clone()
    };
    let all: BTreeSet<StuckBy> = [StuckBy::Refused, StuckBy::Retry, StuckBy::Silent, StuckBy::Undeliverable].into();
    let took = by("step took { call shop.Take  compensate shop.Put { n: 1 } }");
    assert_eq!(took, (Some(StuckBy::Refused), all.clone()));
    let over =
        by("input { n: int }  step took { call shop.Take  compensate shop.Put { n: input.n * 2 } }  fail \"late\"");
    assert_eq!(over, (Some(StuckBy::Invalid), all.into_iter().chain([StuckBy::Invalid]).collect()));
    let pivot = by("pivot step took { call shop.Take }");
    assert_eq!(pivot.0, Some(StuckBy::Retry));
    assert_eq!(pivot.1, [StuckBy::Retry, StuckBy::Silent].into());
}

fn check_codes(text: &str) -> BTreeSet<CompactString> {
    let checked = check::check_text("test.saga", text);
    let saga = checked.program.sagas.values().next().unwrap();
    check::outcomes(saga).codes().cloned().collect()
}

#[test]
fn what_is_not_looked_at_is_said() {
    let within = |states| explore(&plan(TRIP), &Engine, Bounds { states, ..Bounds::default() });
    let all = within(1_000).states;
    assert!(within(all).cut.is_empty(), "there are no more");
    let report = within(all - 1);
    assert_eq!(report.cut, [Cut::States]);
    assert_eq!(report.states, all - 1);
    // Nor is it where all that there was room for has ended.
    let ends_at_once = "saga s { version 1  input { n: int }  when input.n < 1 { fail \"none\" } }";
    let report = explore(&plan(ends_at_once), &Engine, Bounds { states: 1, ..Bounds::default() });
    assert_eq!(report.cut, [Cut::States]);
    let report = explore(&plan(TRIP), &Engine, Bounds { steps: 10, ..Bounds::default() });
    assert_eq!(report.cut, [Cut::Steps]);
    let report = explore(&plan(TRIP), &Engine, Bounds { memory: 20_000, ..Bounds::default() });
    assert_eq!(report.cut, [Cut::Memory]);
    assert!(report.states > 10 && report.states < all, "{} of {all}", report.states);
}

/// The saga goes on as it does with a guard: all of it is looked at.
#[test]
fn without_a_guard_a_late_copy_is_done_again() {
    let within = |guard| explore(&plan(TRIP), &Engine, Bounds { guard, ..Bounds::default() });
    let (report, guarded) = (within(false), within(true));
    let found: Vec<_> = report.violations.iter().map(|it| (it.property, it.at.as_str())).collect();
    assert_eq!(found, [(Property::AllOrNothing, "car"), (Property::AllOrNothing, "room")], "{}", broken(&report));
    let last = |violation: &Violation| violation.trace.last().map(|told| told.deed.clone());
    let copied =
        |violation: &Violation| matches!(last(violation), Some(Deed::Copied(called)) if called.step == violation.at);
    assert!(report.violations.iter().all(copied), "{}", broken(&report));
    assert_eq!((report.states, report.steps, calls(&report)), (guarded.states, guarded.steps, calls(&guarded)));
    assert_eq!(ends(&report), ends(&guarded));
    assert!(report.is_exhaustive());
}

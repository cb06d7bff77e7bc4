//! The shipped workflows are clean, laid out, and show what the language can do.

use saga::definition::{Answer, ExpectKind, HappeningKind};
use saga::source::{FileId, SourceFile};

use super::{check, findings};

/// Every file of `workflows/`.
const WORKFLOWS: [(&str, &str); 3] = [
    ("booking.saga", include_str!("../../workflows/booking.saga")),
    ("booking_in_order.saga", include_str!("../../workflows/booking_in_order.saga")),
    ("travel.saga", include_str!("../../workflows/travel.saga")),
];

#[test]
fn every_workflow_is_clean() {
    for (name, source) in WORKFLOWS {
        assert_eq!(findings(source), "", "{name}");
    }
}

#[test]
fn every_workflow_is_laid_out() {
    for (name, source) in WORKFLOWS {
        let file = SourceFile::new(name, source);
        let (tree, _) = saga::syntax::parse(FileId(0), &file);
        assert_eq!(saga::syntax::format(&file, &tree), source, "{name}");
    }
}

#[test]
fn every_file_of_the_folder_is_listed_here() {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/workflows")).unwrap();
    let paths = folder.map(|entry| entry.unwrap().path());
    let sagas = paths.filter(|path| path.extension().is_some_and(|extension| extension == "saga"));
    let mut names: Vec<String> = sagas.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    assert_eq!(names, WORKFLOWS.map(|(name, _)| name));
}

#[test]
fn scenarios_of_the_booking_cover_every_way_that_it_can_end() {
    let (_, checked) = check(WORKFLOWS[0].1);
    let program = checked.program(FileId(0)).unwrap();
    let failing = |step: &str| {
        program.scenarios.iter().any(|scenario| {
            scenario.happenings.iter().any(|happening| {
                matches!(&happening.kind, HappeningKind::Answer { called, answer: Answer::Fails(Some(_)), .. }
                    if !called.undo && called.step == step)
            })
        })
    };
    assert!(["reserve_ticket", "reserve_room", "charge"].into_iter().all(failing));
    let expected = |wanted: &str| {
        program.scenarios.iter().any(|scenario| {
            scenario.expects.iter().any(|expect| match &expect.kind {
                ExpectKind::Compensated(Some(code)) => code == wanted,
                ExpectKind::Stuck(called) => called.undo && wanted == "stuck",
                ExpectKind::Completed(_) => wanted == "completed",
                _ => false,
            })
        })
    };
    assert!(["completed", "timeout", "cancelled", "deadline", "stuck"].into_iter().all(expected));
}

#[test]
fn what_is_given_in_a_scenario_is_json_of_the_inputs_type() {
    let (_, checked) = check(WORKFLOWS[0].1);
    let given = checked.program(FileId(0)).unwrap().scenarios[0].given.as_deref();
    let expected = r#"{"traveller":"ana","flight":"KE905","hotel":"Lux","nights":2,"amount":"840.00"}"#;
    assert_eq!(given, Some(expected));
}

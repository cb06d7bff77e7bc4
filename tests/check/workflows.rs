//! The shipped workflows are clean, laid out, and show what the language can do.

use saga::source::{FileId, SourceFile};

use super::Shelf;

/// Every file of `workflows/`.
pub(super) const WORKFLOWS: [(&str, &str); 12] = [
    ("billing.saga", include_str!("../../workflows/billing.saga")),
    ("booking.saga", include_str!("../../workflows/booking.saga")),
    ("booking_in_order.saga", include_str!("../../workflows/booking_in_order.saga")),
    ("claim.saga", include_str!("../../workflows/claim.saga")),
    ("disk.saga", include_str!("../../workflows/disk.saga")),
    ("food_order.saga", include_str!("../../workflows/food_order.saga")),
    ("group_travel.saga", include_str!("../../workflows/group_travel.saga")),
    ("number_porting.saga", include_str!("../../workflows/number_porting.saga")),
    ("subscription.saga", include_str!("../../workflows/subscription.saga")),
    ("order.saga", include_str!("../../workflows/order.saga")),
    ("transfer.saga", include_str!("../../workflows/transfer.saga")),
    ("travel.saga", include_str!("../../workflows/travel.saga")),
];

/// The same in YAML.
const TWINS: [(&str, &str); 12] = [
    ("billing.yaml", include_str!("../../workflows/billing.yaml")),
    ("booking.yaml", include_str!("../../workflows/booking.yaml")),
    ("booking_in_order.yaml", include_str!("../../workflows/booking_in_order.yaml")),
    ("claim.yaml", include_str!("../../workflows/claim.yaml")),
    ("disk.yaml", include_str!("../../workflows/disk.yaml")),
    ("food_order.yaml", include_str!("../../workflows/food_order.yaml")),
    ("group_travel.yaml", include_str!("../../workflows/group_travel.yaml")),
    ("number_porting.yaml", include_str!("../../workflows/number_porting.yaml")),
    ("subscription.yaml", include_str!("../../workflows/subscription.yaml")),
    ("order.yaml", include_str!("../../workflows/order.yaml")),
    ("transfer.yaml", include_str!("../../workflows/transfer.yaml")),
    ("travel.yaml", include_str!("../../workflows/travel.yaml")),
];

/// All of them, that one first.
pub(super) fn shelf(name: &str) -> Shelf {
    let mut shelf = Shelf::of(&[WORKFLOWS, TWINS].concat());
    shelf.0.sort_by_key(|(other, _)| other != name);
    shelf
}

fn findings_of(name: &str) -> String {
    shelf(name).findings()
}

#[test]
fn every_twin_says_the_same() {
    for ((name, source), (twin_name, twin)) in WORKFLOWS.iter().zip(TWINS) {
        assert_eq!(findings_of(twin_name), "", "{twin_name}");
        let (one, other) = (shelf(name).check(), shelf(twin_name).check());
        let (one, other) = (&one.program, &other.program);
        let hashes = |program: &saga::definition::Program| -> Vec<String> {
            program.sagas.values().map(|saga| saga.hash().to_string()).collect()
        };
        assert!(!one.sagas.is_empty() || *name == "billing.saga", "it is there to be used");
        assert_eq!(hashes(one), hashes(other), "{name}");
        let told = |program: &saga::definition::Program| -> Vec<_> {
            program.scenarios.iter().map(|scenario| (scenario.title.clone(), scenario.given.clone())).collect()
        };
        assert_eq!(told(one), told(other), "{name}");
        let file = SourceFile::new(*name, *source);
        let (tree, _) = saga::syntax::parse(FileId(0), &file);
        assert_eq!(
            saga::syntax::convert(&tree, saga::syntax::Form::Yaml),
            twin,
            "`saga fmt --to yaml {name}` prints it"
        );
    }
}

#[test]
fn every_workflow_is_clean() {
    for (name, _) in WORKFLOWS {
        assert_eq!(findings_of(name), "", "{name}");
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
    let mut names: Vec<String> = paths.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    let mut listed: Vec<&str> = WORKFLOWS.iter().chain(&TWINS).map(|(name, _)| *name).collect();
    listed.sort_unstable();
    assert_eq!(names, listed);
}

#[test]
fn what_is_given_in_a_scenario_is_json_of_the_inputs_type() {
    let checked = shelf("booking.saga").check();
    let given = checked.program.scenarios[0].given.as_deref();
    let expected = r#"{"traveller":"ana","flight":"KE905","hotel":"Lux","nights":2,"amount":"840.00"}"#;
    assert_eq!(given, Some(expected));
}

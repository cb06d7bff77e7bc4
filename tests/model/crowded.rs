//! Data that lies between what conditions ask for: lists that are computed, numbers between two constants, texts of a length
//! with a word in them; and conditions of which three look at the same data, where not all is tried that they come to together.

use saga::model::explore::{Bounds, Ending, Engine, Report, Tally, Untaken, explore};

use super::explore::plan;

fn of(shape: &str, body: &str) -> Report {
    let text = format!(
        r#"
participant shop {{
  command Ask returns {{ v: int }}  command Undo
  command Rare fails "rare"
}}
saga case {{
  version 1
  input {{ {shape} }}
  {body}
}}
"#
    );
    explore(&plan(&text), &Engine, Bounds::default())
}

/// Steps, each where its condition holds.
fn steps(shape: &str, conditions: &[&str]) -> Report {
    let step = |(number, condition): (usize, &&str)| {
        format!("when {condition} {{ step s{number} {{ call shop.Ask  compensate shop.Undo }} }}\n")
    };
    of(shape, &conditions.iter().enumerate().map(step).collect::<String>())
}

fn tally(report: &Report, ending: &Ending) -> Option<Tally> {
    report.ways.iter().find(|way| way.ending == *ending).map(|way| way.tally)
}

const LOOP: &str = "for each i in m { step r { call shop.Rare  compensate shop.Undo } }";

#[test]
fn a_loop_over_what_is_computed_has_elements_and_none() {
    for (shape, lists) in [
        ("a: decimal", "let l = if input.a > 100.0 then [1] else []  let m = if input.a < 101.0 then l else []"),
        (
            "s: string",
            "let l = if length(input.s) <= 3 then [1] else []  let m = if contains(input.s, \"x\") then [] else l",
        ),
        (
            "a: decimal",
            "let l = if input.a > 100.0 then 1 else 0  let o = if input.a < 101.0 then l else 0  let m = if o > 0 then [1] else []",
        ),
    ] {
        let report = of(shape, &format!("{lists} {LOOP}"));
        assert!(report.is_exhaustive(), "{lists}: {:?}", report.untried);
        assert_eq!(tally(&report, &Ending::Completed).unwrap().called, (0, 1), "{lists}");
        assert!(tally(&report, &Ending::Compensated("rare".into())).is_some(), "{lists}");
    }
}

#[test]
fn a_loop_that_never_has_an_element_or_always_is_no_proof() {
    // 79 and 28 make all three hold.
    let all = "input.a + input.b > 100 && input.a - input.b > 50 && input.a * 2 < 160";
    for (list, way) in [
        (format!("if {all} then [1] else []"), Untaken::Elements(true)),
        (format!("if {all} then [] else [1]"), Untaken::Elements(false)),
    ] {
        let report = of("a: int, b: int", &format!("let m = {list} {LOOP}"));
        assert!(report.untried.iter().any(|untried| untried.way == way), "{list}: {:?}", report.untried);
    }
    // Nobody asks for none where the flow comes there with some alone, or where the text says how many there are.
    let guarded = of("xs: list<int>", &format!("when count(input.xs) > 0 {{ let m = input.xs {LOOP} }}"));
    assert!(guarded.is_exhaustive(), "{:?}", guarded.untried);
    let constant = of("a: int", &format!("let m = [1, 2] {LOOP}"));
    assert!(constant.is_exhaustive(), "{:?}", constant.untried);
}

#[test]
fn what_lies_between_two_constants_is_tried() {
    for (shape, conditions, called) in [
        ("d: decimal", &["input.d > 100.0", "input.d < 101.0"][..], (1, 2)),
        ("d: decimal", &["input.d > 1.5", "input.d < 1.6"], (1, 2)),
        ("s: string", &["length(input.s) > 3", "contains(input.s, \"x\")", "input.s != \"xxxx\""], (1, 3)),
        ("s: string", &["length(input.s) > 9", "contains(input.s, \"x\")"], (0, 2)),
    ] {
        let report = steps(shape, conditions);
        assert!(report.is_exhaustive(), "{conditions:?}: {:?}", report.untried);
        let completed = tally(&report, &Ending::Completed).unwrap();
        assert_eq!((completed.called, completed.called_grows), (called, false), "{conditions:?}");
    }
}

/// With three conditions that look at the same two numbers, or one list, there may be more than was found.
#[test]
fn where_three_conditions_look_at_the_same_there_may_be_more() {
    let sums = ["input.a + input.b > 100", "input.a - input.b > 50", "input.a * 2 < input.b"];
    let list = ["count(input.xs) > 2", "sum(input.xs) < 0", "(max(input.xs) ?? 0) > 10"];
    for (shape, conditions) in [("a: int, b: int", sums), ("xs: list<int>", list)] {
        let grows = |conditions: &[&str]| tally(&steps(shape, conditions), &Ending::Completed).unwrap().called_grows;
        assert!(grows(&conditions), "{conditions:?}");
        assert!(!grows(&conditions[..2]), "of two all is tried, or it is said: {conditions:?}");
    }
}

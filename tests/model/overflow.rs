//! What cannot be computed leads somewhere, too: the data that makes it so is found, or it is said that it was not.

use saga::engine::Direction;
use saga::model::explore::{Bounds, Ending, Engine, Report, Untaken, explore};

use super::explore::plan;

const SHOP: &str = r#"participant shop {
  command Do { } returns { n: int } fails "no"
  command Undo
  command Sure
}"#;

fn explored(input: &str, body: &str) -> Report {
    let report = explore(
        &plan(&format!("{SHOP} saga main {{ version 1 input {{ {input} }} {body} }}")),
        &Engine,
        Bounds::default(),
    );
    assert_eq!(report.cut, [], "{body}");
    report
}

/// A name is made of a value, and what is too large is computed of the name.
#[test]
fn a_value_is_found_that_is_too_large_only_further_on() {
    let caught = "catch \"invalid\" { step c { call shop.Do compensate shop.Undo } }";
    for (ty, first, second) in [
        ("int", "input.a + 1", "z + 5"),
        ("int", "input.a - 3", "z * -2"),
        ("int", "input.a * 2", "z + input.a"),
        ("decimal", "input.a * 2", "z * 2"),
        ("decimal", "input.a + 0.5", "z + 7"),
        ("timestamp", "input.a + 1d", "z + 1d"),
        ("duration", "input.a + 30d", "z + 1d"),
    ] {
        let report = explored(&format!("a: {ty}"), &format!("let z = {first} try {{ let y = {second} }} {caught}"));
        let is_stuck = |way: &saga::model::explore::Way| way.ending == Ending::Stuck("c".into(), Direction::Undo);
        assert!(report.ways.iter().any(is_stuck), "{first}, {second}");
        assert!(report.is_exhaustive(), "{first}, {second}: {:?}", report.untried);
        let behind = format!("let z = {first} pivot let y = {second} step s {{ call shop.Sure }}");
        let report = explored(&format!("a: {ty}"), &behind);
        assert!(report.ways.iter().any(|way| way.ending == Ending::Stuck("y".into(), Direction::Do)), "{behind}");
    }
}

#[test]
fn what_was_never_too_large_is_said() {
    let untried = |body: &str| {
        let report = explored("a: int, b: list<int>", body);
        report.untried.iter().map(|untried| untried.way).collect::<Vec<_>>()
    };
    let square = "let z = input.a * input.a";
    let caught = "catch \"invalid\" { step c { call shop.Do compensate nothing } }";
    assert_eq!(untried(&format!("{square} try {{ let y = z * z }} {caught}")), [Untaken::Overflow]);
    // Whether it could be at all is not asked: what stands before it fails first.
    assert_eq!(untried(&format!("{square} let y = input.a * input.a")), [Untaken::Overflow]);
    let output = format!("{square} step x {{ call shop.Do compensate nothing }} output {{ y: z * z }}");
    assert_eq!(untried(&output), [Untaken::Overflow]);
    let back = "step x { call shop.Do compensate shop.Undo }";
    assert_eq!(untried(&format!("{back} let n = x.n + 1")), []);
    // What is counted is never too large.
    assert_eq!(untried("let n = count(input.b) * 2 + 1 let m = n * n step x { call shop.Do compensate nothing }"), []);
    let rounds = "let n = round * 100 step x { call shop.Do compensate nothing }";
    assert_eq!(
        untried(&format!("repeat at most 3 times {{ {rounds} }} until x.n > 0 otherwise {{ fail \"no\" }}")),
        []
    );
}

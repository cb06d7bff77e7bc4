//! What stands in the text is compared with as if it stood in the condition: constants by name, elements of lists that are
//! written out, rounds. And what a loop gathers is looked at in each of its elements.

use saga::model::explore::{Bounds, Ending, Engine, Report, Tally, Untaken, explore};

use super::explore::plan;

const SHOP: &str = r#"participant shop {
  command Do { n: int? } returns { n: int, ok: bool } fails "no"
  command Undo
  command Sure { n: int? }
}"#;

/// The last saga of a text, explored to its end.
fn explored(sagas: &str) -> Report {
    let report = explore(&plan(&format!("{SHOP}\n{sagas}")), &Engine, Bounds::default());
    assert!(report.is_exhaustive(), "{sagas}: {:?} {:?}", report.cut, report.untried);
    report
}

fn saga(body: &str) -> String {
    let step = |name: &str| format!("step {name} {{ call shop.Do {{ }} compensate shop.Undo }}");
    let body = body.replace("@x", &step("x")).replace("@y", &step("y")).replace("@z", &step("z"));
    format!("saga main {{ version 1 {body} }}")
}

fn tally(report: &Report, ending: &Ending) -> Option<Tally> {
    report.ways.iter().find(|way| way.ending == *ending).map(|way| way.tally)
}

fn failed(code: &str) -> Ending {
    Ending::Compensated(code.into())
}

#[test]
fn a_constant_is_one_by_whatever_name() {
    let inner =
        saga("input { most: int } @x when x.n > input.most { fail \"much\" }").replace("saga main", "saga inner");
    for body in [
        "let most = 500 @x when x.n > most { fail \"much\" }",
        "let most = 500 let more = most * 2 @x when x.n >= more + 1 { fail \"much\" }",
        "let all = { limits: { most: 500 } } @x when x.n > all.limits.most { fail \"much\" }",
        "input { vip: bool } let most = if input.vip then 1000 else 500 @x when x.n > most { fail \"much\" }",
        "let most = 500 @x when x.n * 3 > most { fail \"much\" }",
        "step paid { run inner { most: 500 } }",
    ] {
        let report = explored(&format!("{inner}\n{}", saga(body)));
        assert!(tally(&report, &failed("much")).is_some() && tally(&report, &Ending::Completed).is_some(), "{body}");
    }
}

/// In each element and round another number is the right one.
#[test]
fn each_element_and_each_round_has_its_own() {
    let report = explored(&saga("for each i in [1, 2] { @x when x.n != i * 10 { fail \"wrong\" } } @y"));
    assert_eq!(tally(&report, &Ending::Completed).unwrap().called, (3, 3));
    assert_eq!(tally(&report, &failed("wrong")).unwrap().called, (1, 2));
    let named = saga("let all = [1, 2] for each i in all { @x when x.n != i * 10 { fail \"wrong\" } } @y");
    assert_eq!(tally(&explored(&named), &Ending::Completed).unwrap().called, (3, 3));
    let rounds = "repeat at most 3 times { @x } until x.n == round * 10 otherwise { fail \"none\" }";
    let report = explored(&saga(rounds));
    assert_eq!(tally(&report, &Ending::Completed).unwrap().called, (1, 3));
    let signals =
        "signal s { n: int } for each i in [7, 9] { await s where s.n == i within 1h otherwise { fail \"late\" } } @x";
    assert!(tally(&explored(&saga(signals)), &Ending::Completed).is_some());
}

#[test]
fn what_a_loop_gathers_is_looked_at_in_each_element() {
    for (condition, code) in [("any(x[*].ok)", "hit"), ("sum(x[*].n) > 100", "hit"), ("max(x[*].n) ?? 0 > 100", "hit")]
    {
        let condition = condition.replace("max(x[*].n) ?? 0", "(max(x[*].n) ?? 0)");
        let report = explored(&saga(&format!("for each i in [1, 2] {{ @x }} when {condition} {{ fail \"{code}\" }}")));
        assert!(tally(&report, &failed(code)).is_some() && tally(&report, &Ending::Completed).is_some(), "{condition}");
    }
    let report = explored(&saga("for each i in [1, 2] { @x } pivot let all = sum(x[*].n)"));
    assert!(tally(&report, &Ending::Stuck("all".into(), saga::engine::Direction::Do)).is_some(), "it may overflow");
}

/// As many are taken back whichever of them it is that hangs.
#[test]
fn of_branches_that_are_written_alike_each_has_the_same_bounds() {
    let report = explored(&saga("parallel { @x @y @z }"));
    let of = |place: &str| tally(&report, &Ending::Stuck(place.into(), saga::engine::Direction::Undo)).unwrap();
    assert_eq!((of("x").undone, of("x").called), ((1, 3), (3, 3)));
    assert_eq!(["y", "z"].map(|place| (of(place).undone, of(place).called)), [(of("x").undone, of("x").called); 2]);
}

/// One waits whatever a loop keeps.
#[test]
fn a_window_is_full_of_what_its_condition_keeps() {
    let body = "input { all: list<{ n: int, k: \"a\" | \"b\" | \"c\" }> }
        for each i in input.all where i.n > 0 && i.k == \"b\", at most 2 at once { @x }";
    let report = explored(&saga(body));
    assert_eq!(tally(&report, &Ending::Completed).unwrap().called, (0, 3));
}

/// What the saga itself says, data is compared with as it can be: the codes and places of failures, and who it is. No end
/// is missing behind a condition of which a part never held.
#[test]
fn what_the_saga_says_is_tried_as_data_and_what_nobody_knows_is_said_to_be_left_out() {
    let caught = |condition: &str| {
        let body = format!("try {{ @x }} catch {{ when {condition} || input.b {{ @y }} }} when !input.b {{ @z }}");
        saga(&format!("input {{ c: string, b: bool }} {body}"))
    };
    for condition in ["failure.code == input.c", "input.c == failure.step", "input.c == saga.id", "saga.id == input.c"]
    {
        let report = explored(&caught(condition));
        assert_eq!(tally(&report, &Ending::Completed).unwrap().called, (1, 3), "{condition}");
    }
    let computed =
        "let v = if failure.code == input.c then input.n * input.n else 0 step s { call shop.Sure { n: v } }";
    let stuck = saga(&format!("input {{ c: string, n: int }} pivot try {{ @x }} catch {{ {computed} }}"));
    assert!(tally(&explored(&stuck), &Ending::Stuck("v".into(), saga::engine::Direction::Do)).is_some());
    let unknown = ["(failure.message ?? \"\") == input.c", "id(\"order\") == input.c", "failure.message != null"];
    // Whoever starts it chooses the id, and when it begins.
    let chosen = [
        "input.c == saga.id || input.c == \"order\"",
        "saga.id == \"order\"",
        "saga.started > \"2040-01-01T00:00:00Z\"",
    ];
    for unknown in unknown.into_iter().chain(chosen) {
        let text = caught(unknown);
        let report = explore(&plan(&format!("{SHOP}\n{text}")), &Engine, Bounds::default());
        assert!(!report.is_exhaustive(), "{unknown}");
    }
}

/// What stands beside a part of a condition may hide that it never held; so may an `if` in a value.
#[test]
fn a_part_of_a_condition_that_goes_one_way_only_is_said() {
    let untried = |body: &str| {
        let text = saga(&format!("input {{ a: int, b: int, c: bool }} {body}"));
        let report = explore(&plan(&format!("{SHOP}\n{text}")), &Engine, Bounds::default());
        assert!(report.cut.is_empty(), "{body}: {:?}", report.cut);
        let of = |way| match way {
            Untaken::Whole(holds) => (false, holds),
            Untaken::Part(holds) => (true, holds),
            Untaken::Overflow | Untaken::Beside(..) | Untaken::Elements(_) => {
                panic!("{body}: what overflows is tried, so are both, and there is no list")
            }
        };
        report.untried.iter().map(|untried| of(untried.way)).collect::<Vec<_>>()
    };
    for part in ["input.a * input.a == 5929", "!(input.a * input.a != 5929)"] {
        let holds = !part.starts_with('!');
        assert_eq!(untried(&format!("@x when {part} || input.c {{ @y }}")), [(true, holds)], "{part}");
        // The whole, its first part, which the other branch takes, and this one.
        let behind = untried(&format!("@x when input.c {{ @z }} otherwise when input.c || {part} {{ @y }}"));
        assert!([(false, true), (true, true), (true, holds)].iter().all(|way| behind.contains(way)), "{behind:?}");
        let value = format!("let v = if {part} then 1 else 2 step x {{ call shop.Do {{ n: v }} compensate nothing }}");
        assert_eq!(untried(&value), [(true, holds)], "{part}");
        let payload = format!("step x {{ call shop.Do {{ n: if {part} then 1 else 2 }} compensate nothing }}");
        assert_eq!(untried(&payload), [(true, holds)], "{part}");
    }
    assert_eq!(untried("@x when input.a > 3 && input.c || !input.c && input.b == 2 { @y }"), []);
}

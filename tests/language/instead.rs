//! **What cannot be computed** behind the point of no return waits for a person, who gives the value. The saga goes on with
//! it as if it had been computed.

use saga::engine::{Direction, Order, Outcome, Summary};
use saga::json::Json;

use super::Story;

/// More than an `int` holds where it is taken ten times.
const LARGE: &str = r#"{"n":9000000000000000000}"#;

/// A saga whose steps cannot fail, behind its point of no return.
fn begin(statements: &str) -> (Story, Vec<String>) {
    let text = format!(
        r"participant shop {{ command Do {{ n: int }} returns {{ n: int }} }}
saga order {{
  version 1
  input {{ n: int }}
  signal news {{ }}
  pivot
  {statements}
}}"
    );
    Story::begin(&text, LARGE)
}

fn outcome(place: &str, outcome: Outcome) -> Order {
    Order::Resolve { step: place.into(), work: Direction::Do, outcome }
}

impl Story {
    /// A person gives the value of a place.
    fn give(&mut self, place: &str, value: &str) -> Vec<String> {
        let value = Some(Json::parse(value).unwrap());
        self.order(outcome(place, Outcome::Succeeded { reply: value }))
    }
}

#[test]
fn a_let_has_the_value_that_a_person_gives() {
    let (mut story, lines) = begin("let x = input.n * 10  step k { call shop.Do { n: x } }");
    assert_eq!(lines, ["started", "reached pivot#1", "stuck x invalid"]);
    assert_eq!(story.retry("x"), ["ordered", "stuck x invalid"]);
    assert_eq!(story.give("x", "70"), ["ordered", "bound x 70", "called k 1"]);
    assert_eq!(story.owed(), [r#"do k 1 {"n":70}"#]);
    assert_eq!(story.give("x", "71"), ["rejected NotStuck"], "once");
    assert_eq!(story.done("k", r#"{"n":1}"#), ["succeeded k", "completed {}"]);
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let (mut story, _) = begin("let x = input.n * 10");
    let begun = story.journal.len();
    assert_eq!(story.give("x", r#""seventy""#), ["rejected Misfit"]);
    assert_eq!(story.give("x", "9000000000000000000000"), ["rejected Misfit"]);
    assert_eq!(story.order(outcome("x", Outcome::Succeeded { reply: None })), ["rejected Misfit"]);
    assert_eq!(story.order(outcome("x", Outcome::Failed { code: "no".into() })), ["rejected PastPivot"]);
    assert_eq!(story.resolve("x", Direction::Undo), ["rejected UnknownStep"]);
    assert_eq!((story.journal.len(), story.summary()), (begun, Summary::Stuck));
}

#[test]
fn of_a_condition_it_is_the_branch_that_is_taken() {
    let text = "when input.n < 0 { let a = 1 }
        otherwise when input.n * 10 > 5 { let b = 2 }
        otherwise when input.n * 100 > 5 { let c = 3 }
        otherwise { let d = 4 }";
    let (mut story, lines) = begin(text);
    assert_eq!(lines.last().unwrap(), "stuck when#1 invalid");
    for wrong in ["true", "0", "-1", "5", "1.0"] {
        assert_eq!(story.give("when#1", wrong), ["rejected Misfit"], "{wrong}");
    }
    for (branch, bound) in [("1", "a 1"), ("2", "b 2"), ("3", "c 3"), ("4", "d 4")] {
        let lines = story.copy().give("when#1", branch);
        let chosen: u32 = branch.parse().unwrap();
        let chose = format!("chose when#1 {}", chosen - 1);
        assert_eq!(lines, ["ordered", &chose, &format!("bound {bound}"), "completed {}"]);
    }
}

#[test]
fn of_a_loop_it_is_the_elements_that_are_gone_through() {
    let (mut story, lines) = begin("for each n in [input.n, 1] where n * 10 > 0 { step k { call shop.Do { n: n } } }");
    assert_eq!(lines.last().unwrap(), "stuck each#1 invalid");
    assert_eq!(story.give("each#1", "7"), ["rejected Misfit"]);
    let lines = story.give("each#1", "[9000000000000000000, 2]");
    assert_eq!(lines, ["ordered", "listed each#1 [9000000000000000000, 2]", "called k[1] 1"], "as they are given");
    let (mut story, _) = begin("for each n in [input.n * 10] { step k { call shop.Do { n: n } } }");
    assert_eq!(story.give("each#1", "[]"), ["ordered", "listed each#1 []", "completed {}"]);
    let many = format!("[{}]", vec!["1"; 1_001].join(","));
    let (mut story, _) = begin("for each n in [input.n * 10] { step k { call shop.Do { n: n } } }");
    assert_eq!(story.give("each#1", &many), ["ordered", "stuck each#1 invalid"], "within the limit all the same");
}

#[test]
fn of_a_round_it_is_whether_that_was_the_last() {
    let text = "repeat at most 2 times { step k { call shop.Do { n: 1 } } } until k.n * input.n > 5 otherwise { }";
    let (mut story, _) = begin(text);
    assert_eq!(story.done("k[1]", r#"{"n":9}"#), ["succeeded k[1]", "stuck round#1[1] invalid"]);
    let mut other = story.copy();
    let met = ["ordered", "judged round#1[1] true", "completed {}"];
    assert_eq!(story.give("round#1[1]", "true"), met);
    let lines = other.give("round#1[1]", "false");
    assert_eq!(lines, ["ordered", "judged round#1[1] false", "called k[2] 1"]);
}

#[test]
fn of_a_time_it_is_how_long() {
    let (mut story, lines) = begin("sleep 1h * input.n");
    assert_eq!(lines.last().unwrap(), "stuck sleep#1 invalid");
    assert_eq!(story.give("sleep#1", r#""PT5S""#), ["ordered", "slept sleep#1"]);
    assert_eq!(story.wait(), ["woke sleep#1", "completed {}"]);
    let (mut story, lines) = begin("await news within 1h * input.n otherwise { }");
    assert_eq!(lines.last().unwrap(), "stuck news invalid");
    assert_eq!(story.give("news", r#""PT5S""#), ["ordered", "slept news"]);
    let (mut story, lines) = begin("try within 1h * input.n { let a = 1 } catch { }");
    assert_eq!(lines.last().unwrap(), "stuck try#1 invalid");
    let lines = story.give("try#1", r#""PT5S""#);
    assert_eq!(lines, ["ordered", "slept try#1", "bound a 1", "woke try#1", "completed {}"]);
}

#[test]
fn of_a_saga_it_is_its_output() {
    let (mut story, lines) = begin("output { n: input.n * 10 }");
    assert_eq!(lines.last().unwrap(), "stuck saga invalid");
    assert_eq!(story.give("saga", "{}"), ["rejected Misfit"]);
    assert_eq!(story.give("saga", r#"{"n":70}"#), ["ordered", r#"completed {"n":70}"#]);
}

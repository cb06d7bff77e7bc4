//! How a saga can end: what each code needs.

use saga::check::{Cause, outcomes, worst};
use saga::definition::Saga;

use super::{check, findings};

/// The saga of this body, with participants that answer queries or do not.
pub(super) fn saga(body: &str) -> std::sync::Arc<Saga> {
    let source = format!(
        r#"participant shop {{
  command Take {{ n: int }} returns {{ hold: string }} fails "gone"
  command Give {{ hold: string? }}
  message Note {{ n: int }}
}}
participant bank {{ answers queries command Charge {{ n: int }} fails "declined"  command Note }}
saga case {{ input {{ b: bool, d: duration, at: timestamp, list: list<int> }} {body} }}"#
    );
    let checked = check(&source);
    assert!(!checked.has_errors(), "{}", findings(&source));
    checked.program.sagas["case"].clone()
}

/// A step with times of its own, there and back.
pub(super) const TAKE: &str = "call shop.Take { n: 1 } timeout 10s retry 2 times every 5s..5s
  compensate shop.Give {} timeout 1s retry 1 times every 5s..5s";

#[test]
fn each_code_names_what_it_needs() {
    let saga = saga(
        "deadline 1h step take { call shop.Take { n: 1 } compensate shop.Give {} }
         when input.b { fail \"no\" } pivot step charge { call bank.Charge { n: 1 } }",
    );
    let outcomes = outcomes(&saga);
    let shown: Vec<String> = outcomes
        .iter()
        .map(|(code, reasons)| {
            let causes = reasons.iter().map(|reason| match &reason.cause {
                Cause::Cancelled => "cancelled".to_owned(),
                Cause::Late(deadline) => format!("late {}", deadline.as_secs()),
                Cause::Overdue => "overdue".to_owned(),
                Cause::Refused(step) => format!("refused {}", step.name),
                Cause::Undeclared(step) => format!("undeclared {}", step.name),
                Cause::Silent(step) => format!("silent {}", step.name),
                Cause::Fail => "fail".to_owned(),
                Cause::Overflow => "overflow".to_owned(),
                Cause::TooMany => "too many".to_owned(),
            });
            format!("{code}: {}", causes.collect::<Vec<_>>().join(", "))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "cancelled: cancelled",
            "deadline: late 3600",
            "declined: refused charge",
            "gone: refused take",
            "no: fail",
            "timeout: silent take",
            "undeclared: undeclared take, undeclared charge",
        ]
    );
}

#[test]
fn what_a_try_catches_is_no_end_of_the_saga() {
    let codes = |handlers: &str| {
        let saga = saga(&format!("try within 1m {{ step take {{ {TAKE} }} }} {handlers}"));
        outcomes(&saga).codes().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(codes("catch { }"), ["cancelled"]);
    assert_eq!(codes("catch \"gone\" { }"), ["cancelled", "deadline", "timeout", "undeclared"]);
    assert_eq!(codes("catch { fail \"no\" }"), ["cancelled", "no"]);
}

#[test]
fn a_list_of_the_text_is_not_too_long() {
    let codes = |list: &str| {
        let saga = saga(&format!("let two = [1, 2] for each one in {list} {{ step take {{ {TAKE} }} }}"));
        outcomes(&saga).codes().any(|code| code == "invalid")
    };
    assert!(!codes("[1, 2]") && !codes("two") && !codes("if input.b then two else []"));
    assert!(codes("input.list") && codes("if input.b then two else input.list"));
}

/// A loop gathers as much as it goes through: in one over another list, a list of the text is one of each element.
#[test]
fn what_a_loop_gathers_is_as_long_as_its_list() {
    let is_known = |lists: &str, list: &str| {
        let saga = saga(&format!("{lists} for each last in {list} {{ step again {{ {TAKE} }} }}"));
        (!outcomes(&saga).codes().any(|code| code == "invalid"), worst(&saga, 1).lists.is_empty())
    };
    let around = |list: &str, block: &str| format!("for each one in {list} {{ {block} }}");
    let first = format!("step first {{ {TAKE} }}");
    assert_eq!(is_known(&around("[1, 2]", &first), "first"), (true, true));
    assert_eq!(is_known(&around("input.list", "let two = [one, 1]"), "two"), (false, false));
    let nested = around("[1, 2]", "for each two in input.list { let both = one + two }");
    assert_eq!(is_known(&nested, "both"), (false, false), "the inner list may be too long, the outer not");
    let saga = saga(&format!("{nested} for each last in both {{ step again {{ {TAKE} }} }}"));
    assert_eq!(worst(&saga, 1).lists.len(), 1);
}

#[test]
fn what_has_no_name_is_told_apart_by_the_step_that_runs_it() {
    let source = "saga pay { input { n: int } when input.n > 5 { fail \"x\" } }
        saga case { input { n: int, m: int } step p { run pay { n: input.n } } step q { run pay { n: input.m } } }";
    let checked = check(source);
    let outcomes = outcomes(&checked.program.sagas["case"]);
    let (_, reasons) = outcomes.iter().find(|(code, _)| *code == "x").unwrap();
    let runs: Vec<_> = reasons.iter().map(|reason| reason.run.as_deref()).collect();
    assert_eq!(runs, [Some("p"), Some("q")]);
}

#[test]
fn nothing_comes_before_a_point_of_no_return_at_the_very_beginning() {
    let codes = |body: &str| outcomes(&saga(body)).codes().map(ToString::to_string).collect::<Vec<_>>();
    let nothing: [&str; 0] = [];
    let (bare, note) = ("pivot\n", "step note { call bank.Note }");
    assert_eq!(codes(&format!("deadline 1h {bare} {note}")), nothing);
    let each = format!("when input.b {{ {bare} }} otherwise {{ let c = input.b {bare} }}");
    assert_eq!(codes(&format!("deadline 1h let b = input.b {each} {note}")), nothing);
    let late = each.replace("let c = input.b", "sleep 1s");
    assert_eq!(codes(&format!("deadline 1h {late} {note}")), ["cancelled", "deadline"]);
    assert_eq!(codes(&format!("deadline 1h sleep 1s {bare} {note}")), ["cancelled", "deadline"]);
    assert_eq!(codes(&format!("deadline 1h pivot {note}")), ["undeclared"], "from its call on its outcome decides");
}

#[test]
fn a_point_of_no_return_that_waits_for_its_turn_may_be_cancelled() {
    let source = "participant bank {\n  at most 1 at once\n  command Note\n}\nsaga case {\n  pivot step note { call bank.Note }\n}\n";
    let saga = check(source).program.sagas["case"].clone();
    assert_eq!(outcomes(&saga).codes().collect::<Vec<_>>(), ["cancelled", "undeclared"]);
}

//! How a saga can end: what each code needs, how long it takes, how many messages.

use std::time::Duration;

use saga::check::{Cause, Messages, Worst, outcomes, worst};
use saga::definition::Saga;

use super::{check, findings};

/// The saga of this body, with participants that answer queries or do not.
fn saga(body: &str) -> std::sync::Arc<Saga> {
    let source = format!(
        r#"participant shop {{
  command Take {{ n: int }} returns {{ hold: string }} fails "gone"
  command Give {{ hold: string? }}
  message Note {{ n: int }}
}}
participant bank {{ answers queries command Charge {{ n: int }} fails "declined" }}
saga case {{ input {{ b: bool, d: duration, at: timestamp }} {body} }}"#
    );
    let checked = check(&source);
    assert!(!checked.has_errors(), "{}", findings(&source));
    checked.program.sagas["case"].clone()
}

const TAKE: &str = "call shop.Take { n: 1 } timeout 10s retry 2 times every 5s..5s
  compensate shop.Give {} timeout 1s retry 1 times every 5s..5s";

fn of(body: &str) -> Worst {
    worst(&saga(body))
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

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
fn a_try_costs_its_body_what_takes_it_back_and_a_handler() {
    let one = of(&format!("try {{ step take {{ {TAKE} }} }} catch {{ sleep 1h }}"));
    assert_eq!((one.completed, one.compensated), (seconds(42 + 8 + 3600), seconds(42 + 8 + 3600 + 8)));
    assert_eq!(one.to_completed, Some(Messages { least: 0, most: 6 + 4 }));
    // What is in flight when the time is over has its timeout yet.
    let timed = of(&format!("try within 5s {{ step take {{ {TAKE} }} }} catch {{ }}"));
    assert_eq!(timed.completed, seconds(5 + 10 + 8));
    let behind = of(&format!("pivot\ntry {{ step take {{ {TAKE} }} }} catch {{ }}"));
    assert_eq!((behind.completed, behind.to_compensated), (seconds(42 + 8), 0));
}

#[test]
fn a_message_is_one_and_an_answer_is_not_awaited() {
    let one = of("step note { send shop.Note { n: 1 } compensate nothing }");
    assert_eq!((one.completed, one.to_completed), (seconds(0), Some(Messages { least: 1, most: 1 })));
}

#[test]
fn a_signal_comes_at_the_last_moment_or_not_at_all() {
    let one = of(&format!("signal go {{ }} await go within 1h otherwise {{ step take {{ {TAKE} }} }}"));
    assert_eq!((one.completed, one.to_completed), (seconds(3600 + 42), Some(Messages { least: 0, most: 6 })));
}

#[test]
fn the_worst_of_a_step_is_all_its_attempts_and_their_lengthened_pauses() {
    let one = of(&format!("step take {{ {TAKE} }}"));
    // 3 attempts of 10 s, 2 pauses of up to 6 s; 2 attempts of 1 s, 1 pause of up to 6 s.
    assert_eq!((one.completed, one.compensated), (seconds(42), seconds(42 + 8)));
    assert_eq!(one.to_completed, Some(Messages { least: 2, most: 6 }));
    assert_eq!(one.to_compensated, 6 + 4);
    assert_eq!(of("step take { call shop.Take { n: 1 } within 15s compensate nothing }").completed, seconds(15));
}

#[test]
fn a_participant_that_answers_queries_is_asked_between_the_attempts() {
    let timing = "timeout 10s retry 2 times every 5s..5s";
    let before = of(&format!("step charge {{ call bank.Charge {{ n: 1 }} {timing} compensate nothing }}"));
    assert_eq!((before.completed, before.to_completed), (seconds(72), Some(Messages { least: 2, most: 12 })));
    // A pivot step goes on past its `within`; this is when it is shown as stuck.
    let pivot = of(&format!("pivot step charge {{ call bank.Charge {{ n: 1 }} {timing} within 20s }}"));
    assert_eq!((pivot.completed, pivot.compensated), (seconds(72), seconds(72)));
}

#[test]
fn what_goes_on_at_once_takes_the_longest_and_what_is_chosen_the_worst() {
    let all = |word: &str| of(&format!("{word} {{ step one {{ {TAKE} }} step two {{ {TAKE} }} }}"));
    assert_eq!((all("parallel").completed, all("sequence").completed), (seconds(42), seconds(84)));
    assert_eq!((all("parallel").compensated, all("sequence").compensated), (seconds(50), seconds(100)));
    assert_eq!(all("parallel").to_completed, Some(Messages { least: 4, most: 12 }));
    let chosen = of(&format!("when input.b {{ step one {{ {TAKE} }} }} otherwise {{ sleep 1h }}"));
    assert_eq!((chosen.completed, chosen.to_completed), (seconds(3600), Some(Messages { least: 0, most: 6 })));
}

#[test]
fn a_branch_that_fails_completes_nothing() {
    assert_eq!(of("fail \"no\"").to_completed, None);
    let one = of(&format!("when input.b {{ fail \"no\" }} step take {{ {TAKE} }}"));
    assert_eq!(one.to_completed, Some(Messages { least: 2, most: 6 }));
}

#[test]
fn the_deadline_bounds_what_comes_before_the_point_of_no_return_and_nothing_else() {
    let body = format!("deadline 30s step take {{ {TAKE} }} pivot sleep 1h");
    // The attempt that is under way at 30 s has its 10 s yet, and the compensation its 8 s.
    assert_eq!((of(&body).completed, of(&body).compensated), (seconds(30 + 3600), seconds(40 + 8)));
}

#[test]
fn waits_that_depend_on_data_are_named() {
    let all = of("sleep 1h sleep input.d sleep until input.at");
    assert_eq!((all.completed, all.waits.len()), (seconds(3600), 2));
}

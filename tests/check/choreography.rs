//! Choreography: what has no place in it, who has read what by then, who can learn of a failure, whose events nobody reads.

use std::sync::Arc;

use saga::check::Checked;
use saga::model::explore::{Bounds, Engine, explore};
use saga::plan::Plan;

use super::{check, findings};

const PARTS: &str = r#"participant cards {
  command Charge { n: int } returns { receipt: string } fails "declined"
  command Refund { receipt: string? }
}
participant stock {
  command Take { n: int } returns { shelf: string, count: int } fails "gone"
  command Give { shelf: string? }
}
participant mail {
  command Tell { text: string }
  message Told { text: string }
}
saga pack {
  version 1
  coordination choreography
  input { n: int }
  step take { call stock.Take { n: input.n }  compensate stock.Give { shelf: take.shelf } }
  output { shelf: take.shelf }
}
saga slow {
  version 1
  input { n: int }
  sleep 1h
  step take { call stock.Take { n: input.n }  compensate stock.Give { shelf: take.shelf } }
}
saga sure {
  version 1
  coordination choreography
  pivot
  step tell { call mail.Tell { text: "sorry" } }
}
"#;

const CHARGE: &str =
    "step charge { call cards.Charge { n: input.n }  compensate cards.Refund { receipt: charge.receipt } }";
const TAKE: &str = "step take { call stock.Take { n: input.n }  compensate stock.Give { shelf: take.shelf } }";
const TELL: &str = "step tell { call mail.Tell { text: charge.receipt }  compensate nothing }";

/// What needs no data.
const T: &str = "step t { call mail.Tell { text: \"\" }  compensate nothing }";
const G: &str = "step g { call stock.Take { n: 1 }  compensate nothing }";

fn source(body: &str) -> String {
    let body = body.replace("CHARGE", CHARGE).replace("TAKE", TAKE).replace("TELL", TELL);
    let body = body.replace("$T", T).replace("$G", G);
    format!(
        "{PARTS}saga case {{\n  version 1\n  coordination choreography\n  input {{ n: int, big: bool }}\n{body}\n}}"
    )
}

/// Of what is never used nothing is said here.
fn codes(checked: &Checked) -> String {
    let codes = checked.findings.iter().map(|finding| finding.code.0).filter(|code| *code != "SG0211");
    codes.collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn all(cases: &[(&str, &str)]) {
    for (body, expected) in cases {
        assert_eq!(codes(&check(&source(body))), *expected, "{body}\n{}", findings(&source(body)));
    }
}

#[test]
fn what_has_no_place_in_it() {
    all(&[
        ("CHARGE TAKE", ""),
        ("deadline 5m CHARGE", "SG0605"),
        ("CHARGE sleep 1h TAKE", "SG0605"),
        ("CHARGE for each x in [1] { TAKE }", "SG0605"),
        ("CHARGE repeat at most 2 times { TAKE } until true otherwise { }", "SG0605"),
        ("CHARGE try { TAKE } catch { }", "SG0605"),
        ("signal came await came within 1h otherwise { } CHARGE", "SG0605"),
        ("CHARGE when input.big { fail \"big\" }", "SG0605"),
        ("defaults { within 5m } CHARGE TAKE", "SG0605"),
        ("step x { call cards.Charge { n: 1 }  compensate cards.Refund { receipt: null }  within 2h }", "SG0605"),
        ("step x { call cards.Charge { n: 1 }  compensate run sure }", "SG0605"),
        ("CHARGE step p { run slow { n: 1 } }", "SG0605"),
        ("CHARGE step p { run pack { n: 1 } }", ""),
        ("", "SG0605"),
    ]);
}

#[test]
fn who_does_what_has_no_participant_of_its_own() {
    all(&[
        ("CHARGE step s { send mail.Told { text: charge.receipt }  compensate nothing }", ""),
        ("step s { send mail.Told { text: \"\" }  compensate nothing } CHARGE", "SG0605"),
        ("parallel { CHARGE TAKE } step s { send mail.Told { text: \"\" }  compensate nothing }", "SG0605"),
        (
            "when input.big { CHARGE } otherwise { TAKE } step s { send mail.Told { text: \"\" }  compensate nothing }",
            "",
        ),
        ("CHARGE step s { compensate send mail.Told { text: charge.receipt } }", ""),
        ("CHARGE step s { compensate mail.Tell { text: failure.code } }", ""),
        ("CHARGE step s { compensate mail.Tell { text: charge.receipt } }", ""),
        ("CHARGE TAKE step s { compensate mail.Tell { text: charge.receipt } }", "SG0606"),
        ("let m = input.n * 2 step x { call cards.Charge { n: m }  compensate nothing } $G", ""),
        ("CHARGE let text = charge.receipt + \"!\" step t { call mail.Tell { text: text }  compensate nothing }", ""),
        (
            "parallel { CHARGE TAKE } let m = charge.receipt step t { call mail.Tell { text: m }  compensate nothing }",
            "SG0605",
        ),
    ]);
}

#[test]
fn what_a_participant_has_read_by_then() {
    let tell = |name: &str| format!("step {name} {{ call mail.Tell {{ text: charge.receipt }}  compensate nothing }}");
    all(&[
        ("CHARGE TELL", ""),
        ("CHARGE TAKE TELL", "SG0606"),
        ("TAKE CHARGE TELL", ""),
        ("parallel { CHARGE TAKE } TELL", ""),
        ("parallel { CHARGE TAKE }\npivot\nstep tell { call mail.Tell { text: charge.receipt } }", "SG0606"),
        // Its own steps it knows for ever, and what it has read once.
        ("CHARGE TAKE step x { call cards.Charge { n: 1 }  compensate cards.Refund { receipt: charge.receipt } }", ""),
        (&format!("CHARGE TELL TAKE {}", tell("more")), ""),
        // What it has read on one way it has not read on the other.
        (&format!("CHARGE when input.big {{ {} }} otherwise {{ TAKE {} }}", tell("a"), tell("b")), "SG0606"),
        ("CHARGE TAKE output { receipt: charge.receipt }", ""),
        ("TAKE CHARGE output { shelf: take.shelf, receipt: charge.receipt }", ""),
        ("TAKE CHARGE $T output { receipt: charge.receipt }", "SG0606"),
        ("CHARGE step p { run pack { n: 1 } } step t { call mail.Tell { text: p.shelf }  compensate nothing }", ""),
        ("CHARGE step p { run pack { n: 1 } } TELL", "SG0606"),
        ("TAKE CHARGE step p { run pack { n: take.count } }", ""),
        ("TAKE CHARGE $T step x { call cards.Charge { n: take.count }  compensate nothing }", ""),
        ("TAKE $T CHARGE step x { call cards.Charge { n: take.count }  compensate nothing }", "SG0606"),
    ]);
}

#[test]
fn who_decides_which_way_it_goes() {
    all(&[
        ("when input.big { CHARGE } otherwise { TAKE }", ""),
        ("TAKE when take.count > 1 { CHARGE }", ""),
        ("TAKE CHARGE when take.count > 1 { $T }", "SG0606"),
        // Where a way is empty, whoever comes behind it must know; at the end that is who began.
        ("TAKE when take.count > 1 { CHARGE } $T", ""),
        ("TAKE CHARGE when take.count > 1 { $G } $T", "SG0606"),
        ("TAKE CHARGE when take.count > 1 { $G }", ""),
        ("TAKE when take.count > 1 { parallel { CHARGE $T } } otherwise { }", ""),
        ("TAKE CHARGE when take.count > 1 { parallel { $G $T } } otherwise { }", "SG0606"),
    ]);
}

#[test]
fn who_can_learn_of_a_failure() {
    let other = "step charge { call cards.Charge { n: 1 }  compensate stock.Give { shelf: charge.receipt } }";
    let ways = |one: &str, two: &str| format!("when input.big {{ {one} }} otherwise {{ {two} }}");
    let (a, b) = ("pivot step a { call cards.Charge { n: 1 } }", "pivot step b { call stock.Take { n: 1 } }");
    all(&[
        (other, "SG0607"),
        (&format!("{other} TAKE"), ""),
        (&format!("{other} $T TAKE"), "SG0607"),
        (&ways(a, b), "SG0607"),
        (&ways(a, "pivot step b { call cards.Charge { n: 2 } }"), ""),
        (&format!("CHARGE {}", ways(a, "TAKE pivot")), ""),
        (&format!("TAKE {}", ways(a, "pivot")), "SG0607"),
    ]);
}

#[test]
fn whose_events_nobody_reads() {
    let named = |text: &str| {
        let text = source(text).replace("participant mail {", "participant mail {\n  events \"mail.done\"");
        codes(&check(&text))
    };
    assert_eq!(named("CHARGE $T"), "", "whoever began it reads the last events");
    assert_eq!(named(&format!("{} $T", T.replace("step t", "step u"))), "SG0608");
    assert_eq!(named("CHARGE step s { send mail.Told { text: \"\" }  compensate nothing }"), "SG0608");
}

#[test]
fn an_entangled_one_has_an_end() {
    let way = |number: usize| format!("when input.big {{ {} }}\n", G.replace("step g", &format!("step s{number}")));
    let ways = |count: usize| (0..count).map(way).collect::<String>();
    all(&[(&ways(300), ""), (&ways(1_000), "SG0312")]);
}

mistake!(
    a_choreography_with_everything_wrong,
    r#"participant cards {
  command Charge { n: int } returns { receipt: string } fails "declined"
}
participant stock {
  events "stock.done"
  command Take { n: int }
  command Give { receipt: string? }
}
participant mail {
  command Tell { text: string }
}
saga order {
  version 1
  coordination choreography
  deadline 5m
  input { n: int }
  step charge {
    call cards.Charge { n: input.n }  within 5m
    compensate stock.Give { receipt: charge.receipt }
  }
  pivot
  step tell { call mail.Tell { text: charge.receipt } }
  sleep 1h
}
saga other { version 1  coordination chorus }"#
);

#[test]
fn it_means_another_saga_and_ends_in_the_same_ways() {
    let text = source("TAKE CHARGE TELL");
    let orchestrated = text.replace("  coordination choreography\n  input { n: int, big", "  input { n: int, big");
    let [one, other] = [&text, &orchestrated].map(|text| Arc::clone(&check(text).program.sagas["case"]));
    assert_ne!(one.hash(), other.hash());
    let ways = [one, other].map(|saga| {
        let report = explore(&Plan::new(saga), &Engine, Bounds { states: 20_000, ..Bounds::default() });
        report.ways.iter().map(|way| format!("{:?} {}", way.ending, way.tally.states)).collect::<Vec<_>>()
    });
    assert_eq!(ways[0], ways[1]);
}

//! Sagas that run others: circles, what is given and taken, how they are taken back, and how large they may get.

use std::fmt::Write as _;
use std::time::Duration;

use saga::check::{outcomes, worst};
use saga::definition::limits::MAX_INLINED;

use super::{check, findings};

const PARTS: &str = r#"participant shop {
  command Take { n: int } returns { hold: string } fails "gone"
  command Give { hold: string? }
  command Pack { n: int }
}
saga take {
  input { n: int }
  step hold { call shop.Take { n: input.n }  timeout 10s  retry 2 times every 5s..5s  compensate shop.Give { hold: hold.hold } }
  output { hold: hold.hold }
}
saga pack {
  input { n: int }
  step first { call shop.Take { n: 1 }  compensate shop.Give { hold: first.hold } }
  pivot step wrap { call shop.Pack { n: input.n } }
  sleep 1h
}
saga sure {
  pivot
  step wrap { call shop.Pack { n: 1 } }
}
saga log {
  input { hold: string?, n: int }
  pivot
  step note { call shop.Pack { n: input.n } }
}
"#;

fn source(body: &str) -> String {
    format!("{PARTS}saga case {{\n  input {{ n: int, b: bool }}\n{body}\n}}")
}

#[track_caller]
fn all(cases: &[(&str, &str)]) {
    for (body, expected) in cases {
        let checked = check(&source(body));
        let codes: Vec<&str> = checked.findings.iter().map(|finding| finding.code.0).collect();
        assert_eq!(codes.join(" "), *expected, "{body}\n{}", findings(&source(body)));
    }
}

#[test]
fn what_is_given_fits_its_input_and_its_output_is_the_value() {
    all(&[
        ("step x { run take { n: input.n } } output { hold: x.hold + \"!\" }", ""),
        ("step x { run take { n: \"1\" } }", "SG0301"),
        ("step x { run take }", "SG0303"),
        ("step x { run take { n: 1, m: 2 } }", "SG0303"),
        ("step x { run take { n: 1 } } output { hold: x.hole }", "SG0206"),
        ("step x { run take { n: 1 } } output { hold: hold.hold }", "SG0201"),
        ("when input.b { step x { run take { n: 1 } } } output { hold: x.hold + \"!\" }", "SG0302"),
        ("step x { run tale { n: 1 } }", "SG0205"),
        ("step x { run take { n: 1 } } step x { run take { n: 2 } }", "SG0208"),
        ("let m = 1 step x { run take { n: m } }", ""),
    ]);
}

#[test]
fn how_it_is_taken_back() {
    let undo = "compensate shop.Give { hold: null }";
    all(&[
        ("step x { run pack { n: 1 } }", "SG0401"),
        (&format!("step x {{ run pack {{ n: 1 }}  {undo} }}"), ""),
        ("step x { run pack { n: 1 }  compensate nothing }", ""),
        (&format!("parallel {{ step x {{ run pack {{ n: 1 }}  {undo} }} sleep 1s }}"), ""),
        (&format!("step x {{ run take {{ n: 1 }}  {undo} }}"), "SG0416"),
        ("step x { run take { n: 1 }  compensate nothing }", "SG0416"),
        ("pivot step x { run pack { n: 1 } }", ""),
        ("pivot step x { run take { n: 1 } }", ""),
        (&format!("pivot step x {{ run pack {{ n: 1 }}  {undo} }}"), "SG0406"),
        ("step x { run pack { n: 1 }  compensate shop.Take { n: 1 } }", "SG0408"),
        ("step x { run take { n: 1 }  within 5m }", "SG0505"),
    ]);
}

#[test]
fn a_saga_that_takes_a_step_back() {
    let step = |undo: &str| format!("step x {{ call shop.Take {{ n: 1 }}  {undo} }}");
    all(&[
        (&step("compensate run sure"), ""),
        (&step("compensate run pack { n: 1 }"), "SG0408"),
        (&step("compensate run take { n: 1 }"), "SG0408"),
        (&step("compensate run tale { n: 1 }"), "SG0205"),
        (&step("compensate run sure { n: 1 }"), "SG0303"),
        (&step("compensate run sure  retry 3 times"), "SG0505"),
        (&step("compensate run case { n: 1, b: true }"), "SG0220"),
        ("step x { run pack { n: 1 } compensate run sure }", ""),
        ("step x { run take { n: 1 } compensate run sure }", "SG0416"),
        ("pivot step x { call shop.Pack { n: 1 } compensate run sure }", "SG0406"),
        ("pivot\nstep x { call shop.Pack { n: 1 } compensate run sure }", "SG0409"),
        ("step x { compensate run sure }", ""),
        ("step x { compensate run log { hold: x.hold, n: input.n } }", "SG0206"),
        (&step("compensate run log { hold: x.hold, n: input.n }"), ""),
        (&step("compensate run log { hold: x.hold + failure.code, n: input.n }"), "SG0302"),
        (&step("compensate run log { hold: failure.code, n: input.n * 2 }"), "SG0412"),
    ]);
}

mistake!(
    sagas_that_can_fail_as_compensations,
    r#"participant shop {
  command Pack { n: int } fails "full"
  command Unpack { n: int }
}
saga unpack { version 1  step wrap { call shop.Unpack { n: 1 }  compensate nothing } }
saga circle {
  version 1
  step pack { compensate run circle }
}
saga case {
  version 1
  step a { call shop.Pack { n: 1 }  compensate run unpack  within 1h }
  step b { call shop.Pack { n: 1 }  compensate run unpick }
}
scenario "full" for case {
  when b fails "full"
  when undo a fails
  expect calls a, b, a.undo.wrap, undo a
}"#
);

#[test]
fn where_its_point_of_no_return_stands() {
    all(&[
        ("pivot step x { run pack { n: 1 } } pivot step y { run sure }", "SG0404"),
        ("pivot step x { run pack { n: 1 } } step y { run sure }", ""),
        ("parallel { pivot step x { run pack { n: 1 } } }", "SG0405"),
        ("when input.b { pivot step x { run sure } }", "SG0403"),
        ("pivot\nstep x { run take { n: 1 } }", "SG0402"),
        ("pivot\nstep x { run pack { n: 1 } }", "SG0402"),
        ("pivot\nstep x { run sure  compensate nothing }", "SG0409"),
        ("pivot\ntry { step x { run take { n: 1 } } } catch { }", ""),
        ("pivot\ntry { step x { run take { n: 1 } } } catch \"gone\" { }", "SG0402"),
        ("try { step x { run take { n: 1 } } } catch \"lost\" { }", "SG0414"),
        ("try { step x { run take { n: 1 } } } catch \"gone\" { }", ""),
    ]);
}

mistake!(
    sagas_that_run_each_other,
    r"saga a { version 1  step x { run b } }
saga b { version 1  step y { run c } }
saga c { version 1  step z { run a } }
saga d { version 1  step x { run d }  step y { run a } }"
);

mistake!(
    sub_sagas_that_cannot_be_taken_back,
    r#"participant shop {
  command Pack { n: int } fails "full"
  command Unpack { n: int }
}
saga pack { version 1  pivot step wrap { call shop.Pack { n: 1 } } }
saga hold { version 1  step wrap { call shop.Pack { n: 1 }  compensate shop.Unpack { n: 1 } } }
saga case {
  version 1
  step a { run pack }
  step b { run hold  compensate shop.Unpack { n: 1 } }
  pivot
  step c { run hold  within 1h }
}"#
);

mistake!(
    a_scenario_that_names_the_step_and_not_what_is_inside,
    r#"participant shop {
  command Pack { n: int } fails "full"
  command Unpack { n: int }
}
saga hold { version 1  step wrap { call shop.Pack { n: 1 }  compensate shop.Unpack { n: 1 } } }
saga case { version 1  step a { run hold } }
scenario "full" for case {
  when a fails "full"
  when a.warp fails "full"
  when a.wrap fails "fool"
  expect calls a, undo a
}"#
);

#[test]
fn its_codes_are_those_of_the_saga_around() {
    let checked = check(&source("step x { run take { n: 1 } } step y { run pack { n: 1 }  compensate shop.Give { } }"));
    let saga = &checked.program.sagas["case"];
    let outcomes = outcomes(saga);
    let codes: Vec<&str> = outcomes.codes().map(AsRef::as_ref).collect();
    assert_eq!(codes, ["cancelled", "gone", "timeout", "undeclared"]);
    // Behind the point of no return of its own nothing fails, and all of it is behind the others' way back.
    let worst = worst(saga, 1_000);
    let completed = worst.completed.unwrap();
    let step = |retries: u64| Duration::from_secs(10 * (retries + 1));
    let first = step(2) + Duration::from_secs(12);
    assert!(completed.bound.time > first + Duration::from_hours(1));
    assert!(worst.compensated["timeout"].time > completed.bound.time);
    assert_eq!(completed.least, 6);
}

#[test]
fn what_it_runs_is_a_part_of_what_it_is() {
    let hash = |parts: &str| {
        let checked = check(parts);
        assert!(!checked.has_errors(), "{}", findings(parts));
        checked.program.sagas["case"].hash().to_string()
    };
    let text = source("step x { run take { n: 1 } }");
    let same = text.replace("saga pack {", "/// Packs.\nsaga pack {\n  version 7");
    assert_eq!(hash(&text), hash(&same), "another saga");
    assert_ne!(hash(&text), hash(&text.replace("n: input.n }  timeout 10s", "n: input.n }  timeout 11s")));
    assert_ne!(hash(&text), hash(&text.replace("output { hold: hold.hold }", "output { hold: hold.hold + \"\" }")));
    assert_ne!(hash(&text), hash(&text.replace("step x", "step y")));
}

#[test]
fn sagas_that_multiply_are_refused_before_they_cost_anything() {
    let mut text = String::from("saga s0 { version 1  sleep 1s }\n");
    for level in 1..40 {
        let before = level - 1;
        let steps = format!("step a {{ run s{before} }}  step b {{ run s{before} }}");
        writeln!(text, "saga s{level} {{ version 1  {steps} }}").expect("a string takes everything");
    }
    let checked = check(&text);
    let codes: Vec<&str> = checked.findings.iter().map(|finding| finding.code.0).collect();
    assert_eq!(codes, ["SG0312"], "once: {}", findings(&text));
    assert!(findings(&text).contains(&MAX_INLINED.to_string()));
}

#[test]
fn sagas_inside_each_other_are_no_deeper_than_blocks() {
    let chain = |length: usize| {
        let mut text = String::from("saga s0 { version 1  sleep 1s }\n");
        for level in 1..length {
            writeln!(text, "saga s{level} {{ version 1  step a {{ run s{} }} }}", level - 1).expect("a string");
        }
        text
    };
    assert_eq!(findings(&chain(64)), "");
    let checked = check(&chain(66));
    let titles: Vec<&str> = checked.findings.iter().map(|finding| finding.title.as_str()).collect();
    assert_eq!(titles, ["with `s63` in it, this is nested deeper than 64"]);
}

#[test]
fn long_chains_and_long_circles_are_found_without_depth() {
    let mut text = String::new();
    for level in 0..3_000 {
        writeln!(text, "saga s{level} {{ version 1  step a {{ run s{} }} }}", (level + 1) % 3_000).expect("a string");
    }
    let checked = check(&text);
    assert!(checked.findings.iter().any(|finding| finding.code.0 == "SG0220"));
}

//! What is derived from a plan: the step graph and its pictures.

mod graph;
mod picture;
mod svg;

use std::sync::Arc;

use saga::check::check_text;
use saga::plan::Plan;
use saga::source::Sources;

/// Participants for the sagas of these tests.
const PARTICIPANTS: &str = r#"
participant stock {
  command Reserve { sku: string } returns { hold: string } fails "sold_out"
  command Release { hold: string? }
}
participant mail { command Tell { text: string }  message Told { text: string } }
"#;

/// The plan of a saga with this body, and its sources.
fn plan(body: &str) -> (Plan, Sources) {
    let text = format!(
        "{PARTICIPANTS}\nsaga order {{\n  version 1\n  input {{ sku: string, count: int, vip: bool }}\n{body}\n}}\n"
    );
    let checked = check_text("order.saga", &text);
    let errors: Vec<String> = checked.findings.iter().map(|finding| finding.title.clone()).collect();
    assert!(!checked.has_errors(), "{errors:?}");
    let saga = checked.program.sagas.get("order").expect("it is in the text");
    (Plan::new(Arc::clone(saga)), checked.sources)
}

/// Everything that a picture can hold.
const EVERYTHING: &str = r#"
  step apologize { compensate mail.Tell { text: "sorry" } }
  parallel {
    step one { call stock.Reserve { sku: input.sku } compensate stock.Release { hold: one.hold } }
    sequence {
      step two { call stock.Reserve { sku: input.sku } compensate stock.Release { hold: two.hold } }
      step three { call stock.Reserve { sku: input.sku } compensate stock.Release { hold: three.hold } }
    }
  }
  when input.vip && input.sku != "a \"rare\" <lamp> & more than sixty characters of it" {
    sleep 1h
  } otherwise when input.count > 3 {
    fail "too_many"
  } otherwise {
    let greeting = "hello " + input.sku
    step greet { call mail.Tell { text: greeting } compensate nothing }
  }
  pivot
  step tell { call mail.Tell { text: "done" } }
"#;

/// A saga with a point of no return of its own, one without, which runs another, and one that takes a step back.
const SUB_SAGAS: &str = r#"
  step paid { run pay { sku: input.sku }  compensate mail.Tell { text: paid.hold ?? "" } }
  step gift { call stock.Reserve { sku: "cup" }  compensate run sorry { hold: gift.hold } }
  pivot
  step twice { run both }
}
saga sorry {
  version 1
  input { hold: string? }
  pivot
  step back { call stock.Release { hold: input.hold } }
  step letter { send mail.Told { text: "sorry" } }
}
saga both {
  version 1
  step a { run tell { text: "a" } }
  parallel {
    step b { run tell { text: "b" } }
    step c { send mail.Told { text: "c" }  compensate nothing }
  }
}
saga tell {
  version 1
  input { text: string }
  step tell { call mail.Tell { text: input.text }  compensate nothing }
}
saga pay {
  version 1
  input { sku: string }
  step hold { call stock.Reserve { sku: input.sku }  compensate stock.Release { hold: hold.hold } }
  pivot step tell { call mail.Tell { text: hold.hold } }
  step done { send mail.Told { text: "done" } }
  output { hold: hold.hold }
"#;

/// Loops, one inside another.
const LOOPS: &str = r#"
  let list = ["a", "b"]
  for each item in list where item != input.sku, at most 5 at once {
    step hold { call stock.Reserve { sku: item }  compensate stock.Release { hold: hold.hold } }
    when input.vip { try { step extra { call stock.Reserve { sku: item }  compensate stock.Release { hold: extra.hold } } } catch { } }
  }
  pivot
  repeat at most 3 times {
    step tell { call mail.Tell { text: text(round) } }
    for each other in list { sleep 1s }
  }
  until round > 1 && input.count > 0
  otherwise { step told { send mail.Told { text: "never" } } }
"#;

/// Ways that are taken back, and waits for what comes from outside.
const SCOPES: &str = r#"
  signal approval { by: string }
  try within 2h {
    step one { call stock.Reserve { sku: input.sku } compensate stock.Release { hold: one.hold } }
    try { step two { call stock.Reserve { sku: input.sku } compensate stock.Release { hold: two.hold } } } catch "sold_out" { }
  } catch "sold_out", "deadline" {
    step sorry { send mail.Told { text: failure.code } compensate send mail.Told { text: "never mind" } }
  } catch {
    fail "no"
  }
  await approval where approval.by != "" within 8h otherwise {
    step remind { send mail.Told { text: "please" } compensate nothing }
    await approval as late within 1h otherwise { fail "not_approved" }
  }
  pivot
  step tell { send mail.Told { text: "done" } }
"#;

//! Checks of a definition that are off: what each refuses is explored despite its finding, and goes wrong. Of the checks of
//! names and types the explorer sees nothing: what does not fit has no meaning that could be run.

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;

use saga::check::check_text;
use saga::model::explore::{Bounds, Engine, explore};
use saga::plan::Plan;

use super::steps;

/// A check, and a definition that it alone is against.
struct Off {
    code: &'static str,
    refuses: &'static str,
    body: &'static str,
    /// The end that is wrong.
    ends: &'static str,
    why: &'static str,
}

const SHOP: &str = r#"
participant shop {
  command Take { n: int } returns { hold: string } fails "gone"
  command Give { hold: string? }
  command Pack { n: int }
  command Burn { n: int } fails "locked"
}
"#;

/// A step that is taken back, before what each is about.
const TAKE: &str = "step take { call shop.Take { n: 1 } compensate shop.Give { hold: take.hold } }";

const OFF: &[Off] = &[
    Off {
        code: "SG0401",
        refuses: "a step before the point of no return that does not say how it is taken back",
        body: "step pack { call shop.Pack { n: 1 } }\nstep late { call shop.Burn { n: 1 } compensate nothing }",
        ends: "compensated locked",
        why: "it is packed, nothing takes it back, and nobody has said that this is meant",
    },
    Off {
        code: "SG0402",
        refuses: "a refusal behind the point of no return",
        body: "pivot\nstep late { call shop.Take { n: 1 } }",
        ends: "stuck late",
        why: "it can go neither forward nor back",
    },
    Off {
        code: "SG0403",
        refuses: "a point of no return on one branch alone",
        body: "when input.b { pivot }\nstep pack { call shop.Pack { n: 1 } }",
        ends: "stuck pack",
        why: "no point of no return was passed, and what was taken is not taken back",
    },
    Off {
        code: "SG0404",
        refuses: "a second point of no return",
        body: "pivot step one { call shop.Take { n: 1 } }\npivot step two { call shop.Take { n: 1 } }",
        ends: "stuck two",
        why: "the second is refused behind the first",
    },
    Off {
        code: "SG0407",
        refuses: "a `fail` behind the point of no return",
        body: "pivot\nwhen input.b { fail \"x\" }",
        ends: "stuck fail#1",
        why: "it cannot fail any more",
    },
    Off {
        code: "SG0412",
        refuses: "arithmetic that may overflow behind the point of no return",
        body: "pivot\nlet double = input.m * 2",
        ends: "stuck double",
        why: "there is no such number, and no way back: a person must give one",
    },
    Off {
        code: "SG0217",
        refuses: "a command that is sent as if nobody answered",
        body: "step sent { send shop.Take { n: 1 } compensate nothing }",
        ends: "completed",
        why: "it completes when the log has it: that the shop refuses is heard by nobody",
    },
    Off {
        code: "SG0205",
        refuses: "a saga that is not there",
        body: "step inner { run nowhere { } compensate nothing }",
        ends: "completed",
        why: "it completes and nothing was done",
    },
    Off {
        code: "SG0209",
        refuses: "a value of a step in that step itself",
        body: "step own { call shop.Take { n: length(own.hold) } compensate nothing }",
        ends: "completed",
        why: "it is called, with a number that nobody knows",
    },
    Off {
        code: "SG0302",
        refuses: "a value that may be absent where one is needed",
        body: "let sum = input.n + 1",
        ends: "completed",
        why: "it goes on with what is no number",
    },
];

fn source(body: &str) -> String {
    format!("{SHOP}saga case {{\n  version 1\n  input {{ n: int?, m: int, b: bool }}\n  {TAKE}\n{body}\n}}")
}

#[test]
fn what_a_check_refuses_goes_wrong_where_it_is_off() {
    let mut shown = String::new();
    let mut table = String::from("| the check | refuses | without it | |\n|---|---|---|---|\n");
    let mut wrong = Vec::new();
    for Off { code, refuses, body, ends, why } in OFF {
        let checked = check_text("case.saga", &source(body));
        let found: Vec<&str> =
            checked.findings.iter().map(|found| found.code.0).filter(|code| *code != "SG0211").collect();
        if found != [*code] {
            wrong.push(format!("{code}: {found:?}"));
            continue;
        }
        let plan = Plan::new(Arc::clone(&checked.program.sagas["case"]));
        let report = explore(&plan, &Engine, Bounds { states: 20_000, ..Bounds::default() });
        let way = report.ways.iter().find(|way| way.ending.to_string() == *ends);
        let Some(way) = way else {
            wrong.push(format!(
                "{code}: {:?}",
                report.ways.iter().map(|way| way.ending.to_string()).collect::<Vec<_>>()
            ));
            continue;
        };
        let _ = writeln!(shown, "{code} refuses {refuses}\n  {ends}: {why}\n{}", steps(&way.trace, "    "));
        let _ = writeln!(table, "| `{code}` | {refuses} | `{ends}` | {why} |");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    insta::assert_snapshot!(shown);
    let document = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/how-it-is-proved.md")).unwrap();
    assert!(document.contains(&table), "the table of checks is:\n{table}");
}

/// The same without what is refused has no finding, and no such end.
#[test]
fn the_shop_alone_is_right() {
    let checked = check_text("case.saga", &source("pivot"));
    let found: Vec<&str> = checked.findings.iter().map(|found| found.code.0).filter(|code| *code != "SG0211").collect();
    assert_eq!(found, [] as [&str; 0]);
}

//! Narrowing over statements, the point of no return, and what holds below a branch.

use super::{check, findings};

/// Two commands that cannot refuse, and one that can.
const SHOP: &str = r#"participant shop {
  command Take { n: int } returns { hold: string } fails "gone"
  command Give { hold: string? }
  command Pack { n: int }
}
"#;

/// The codes of a saga with this body; that something of the shop is unused is no matter.
fn codes(body: &str) -> String {
    let checked = check(&source(body));
    let codes = checked.findings.iter().map(|finding| finding.code.0).filter(|code| *code != "SG0211");
    codes.collect::<Vec<_>>().join(" ")
}

fn source(body: &str) -> String {
    format!("{SHOP}saga case {{\n  input {{ n: int?, c: \"a\" | \"b\", b: bool }}\n{body}\n}}")
}

#[track_caller]
fn all(cases: &[(&str, &str)]) {
    for (body, expected) in cases {
        assert_eq!(codes(body), *expected, "{body}\n{}", findings(&source(body)));
    }
}

#[test]
fn what_a_condition_says_holds_in_its_branch_and_below_a_branch_that_fails() {
    all(&[
        ("when input.n != null { let m = input.n + 1 }", ""),
        ("when input.n == null { let m = input.n + 1 }", "SG0302"),
        ("when input.n != null { sleep 1s } let m = input.n + 1", "SG0302"),
        ("when input.n == null { fail \"x\" } let m = input.n + 1", ""),
        ("when input.n == null { sleep 1s } otherwise { let m = input.n + 1 }", ""),
        ("when input.n == null { fail \"x\" } otherwise when input.b { sleep 1s } let m = input.n + 1", ""),
        ("when input.b { sleep 1s } otherwise when input.n == null { fail \"x\" } let m = input.n + 1", "SG0302"),
        ("when input.b { fail \"x\" } otherwise when input.n == null { fail \"y\" } let m = input.n + 1", ""),
        ("when input.b && input.n != null { let m = input.n + 1 }", ""),
        ("parallel { sequence { when input.n == null { fail \"x\" } } sleep 1s } let m = input.n + 1", ""),
        ("parallel { sequence { when input.n == null { fail \"x\" } } sequence { let m = input.n + 1 } }", "SG0302"),
    ]);
}

#[test]
fn names_of_a_branch_are_optional_below_it() {
    let take = "step take { call shop.Take { n: 1 } compensate shop.Give { hold: take.hold } }";
    all(&[
        (&format!("when input.b {{ {take} }} output {{ hold: take.hold + \"!\" }}"), "SG0302"),
        (&format!("when input.b {{ {take} }} output {{ hold: take.hold ?? \"none\" }}"), ""),
        (&format!("when input.b {{ {take} }} when take != null {{ let h = take.hold + \"!\" }}"), ""),
        (&format!("when input.b {{ {take} }} when take.hold != null {{ let h = take.hold + \"!\" }}"), ""),
        (&format!("when input.b {{ {take} }} otherwise {{ fail \"x\" }} output {{ hold: take.hold + \"!\" }}"), ""),
        (&format!("parallel {{ {take} sleep 1s }} output {{ hold: take.hold + \"!\" }}"), ""),
        ("step take { call shop.Take { n: 1 } compensate shop.Pack { n: length(take.hold) } }", "SG0302"),
        ("step take { call shop.Take { n: length(take.hold) } compensate nothing }", "SG0209"),
    ]);
}

#[test]
fn the_point_of_no_return_is_one_on_each_way_and_parts_what_may_fail() {
    let pack = "step pack { call shop.Pack { n: 1 } }";
    let take = "step take { call shop.Take { n: 1 } }";
    all(&[
        ("pivot", ""),
        (pack, "SG0401"),
        (take, "SG0401"),
        (&format!("pivot\n{pack}"), ""),
        (&format!("pivot\n{take}"), "SG0402"),
        (&format!("pivot\n{take} pivot"), "SG0402 SG0404"),
        ("pivot step take { call shop.Take { n: 1 } }", ""),
        ("pivot step take { call shop.Take { n: 1 } compensate nothing }", "SG0406"),
        (&format!("pivot step take {{ call shop.Take {{ n: 1 }} }} {pack}"), ""),
        ("when input.b { pivot }", "SG0403"),
        (&format!("when input.b {{ pivot }} {take}"), "SG0403 SG0402"),
        ("when input.b { pivot } otherwise { fail \"x\" }", ""),
        ("when input.b { pivot } otherwise { pivot }", ""),
        ("when input.b { pivot } otherwise when input.n == null { sleep 1s } otherwise { pivot }", "SG0403"),
        ("pivot when input.b { pivot } otherwise { sleep 1s }", "SG0404"),
        ("parallel { pivot sleep 1s }", "SG0405"),
        ("sequence { pivot }", "SG0405"),
        ("sequence { when input.b { pivot } }", "SG0405"),
        ("pivot when input.b { fail \"x\" }", "SG0407"),
        ("when input.b { fail \"x\" sleep 1s }", "SG0411"),
    ]);
}

#[test]
fn arithmetic_that_may_overflow_is_told_where_nothing_may_fail() {
    let more = "call shop.Pack { n: length(\"x\") * 2 }";
    all(&[
        (&format!("step pack {{ {more} compensate nothing }}"), ""),
        (&format!("pivot step pack {{ {more} }}"), ""),
        (&format!("pivot\nstep pack {{ {more} }}"), "SG0412"),
        ("step pack { call shop.Pack { n: 1 } compensate shop.Pack { n: length(\"x\") * 2 } }", "SG0412"),
        ("step pack { call shop.Pack { n: 1 } compensate shop.Pack { n: 1 } within 1s * length(\"x\") }", "SG0412"),
        ("pivot\nstep pack { call shop.Pack { n: 2 * 24 - 1 } within 2 * 1h }", ""),
        ("pivot\nstep pack { call shop.Pack { n: 9223372036854775807 + 1 } }", "SG0306"),
        ("let m = 9223372036854775807 + 1", "SG0306"),
        ("pivot\nlet m = length(\"x\") + 1", "SG0412"),
        ("pivot\nsleep until saga.started + 1h", "SG0412"),
        ("sleep until saga.started + 1h pivot", ""),
        ("pivot\nwhen length(\"x\") + 1 == 2 { sleep 1s }", "SG0412"),
        ("pivot\noutput { m: length(\"x\") + 1 }", "SG0412"),
        ("output { m: length(\"x\") + 1 }", ""),
    ]);
}

#[test]
fn a_list_that_may_be_too_long_behind_the_point_of_no_return_is_found() {
    let of = |head: &str, behind: &str| {
        let source =
            format!("{SHOP}saga case {{ input {{ all: list<int>, some: list<int>? }} {head}\npivot\n{behind} }}");
        let codes = check(&source).findings.into_iter().map(|finding| finding.code.0).filter(|code| *code != "SG0211");
        codes.collect::<Vec<_>>().join(" ")
    };
    let each = |list: &str| format!("for each one in {list} {{ step pack {{ call shop.Pack {{ n: 1 }} }} }}");
    let take = "step take { call shop.Take { n: item } compensate shop.Give { hold: take.hold } }";
    assert_eq!(of("", &each("input.all")), "SG0417");
    assert_eq!(of("let all = input.all", &each("all")), "SG0417");
    assert_eq!(of("", &format!("when true {{ {} }}", each("input.some ?? []"))), "SG0417");
    assert_eq!(of("", &each("[1, 2]")), "");
    assert_eq!(of("when count(input.all) > 50 { fail \"many\" }", &each("input.all")), "");
    assert_eq!(of("when 1000 < count(input.all) || count(input.all) == 0 { fail \"many\" }", &each("input.all")), "");
    assert_eq!(of("when count(input.all) > 1001 { fail \"many\" }", &each("input.all")), "SG0417");
    assert_eq!(of("when count(input.all) >= 1001 { fail \"many\" }", &each("input.all")), "");
    assert_eq!(of("when count(input.all) > 50 { sleep 1s }", &each("input.all")), "SG0417");
    // What is learnt on one way does not hold on the others.
    let counted = "when count(input.all) > 50 { fail \"many\" }";
    assert_eq!(of(&format!("when count(input.all) == 3 {{ {counted} }}"), &each("input.all")), "SG0417");
    assert_eq!(of(&format!("try {{ {counted} }} catch {{ }}"), &each("input.all")), "SG0417");
    let second = "when count(input.all) == 3 { sleep 1s } otherwise when count(input.all) > 50 { fail \"many\" }";
    assert_eq!(of(second, &each("input.all")), "SG0417");
    let taken = format!("for each item in input.all {{ {take} }}");
    assert_eq!(of(&taken, &each("input.all")), "");
    assert_eq!(of(&taken, &each("take[*].hold")), "");
    assert_eq!(of(&taken, &format!("let holds = take[*].hold {}", each("holds"))), "");
    // What fails in a `try` is taken back.
    assert_eq!(of("", &format!("try {{ {taken} }} catch {{ }}")), "");
}

#[test]
fn times_are_compared_as_far_as_they_are_literal() {
    let pack = |timing: &str| format!("step pack {{ call shop.Pack {{ n: 1 }} {timing} compensate nothing }}");
    all(&[
        (&pack("timeout 10s within 5s"), "SG0502"),
        (&pack("timeout 1s retry 3 times every 10s..10s within 30s"), "SG0502"),
        (&pack("timeout 1s retry 3 times every 10s..10s within 31s"), ""),
        (&pack("timeout 0s"), "SG0501"),
        (&pack("retry 0 times"), "SG0501"),
        (&pack("retry 3 times every 5s..1s"), "SG0501"),
        (&pack("retry 1001 times"), "SG0306"),
        ("sleep 0s", "SG0501"),
    ]);
}

#[test]
fn waits_that_outlast_what_ends_them_are_found() {
    let slow = "step pack { call shop.Pack { n: 1 }  retry 3 times every 10s..10s  compensate nothing }";
    let wait = "await came within 1h otherwise { }";
    all(&[
        (&format!("signal came deadline 1h {wait}"), "SG0503"),
        (&format!("signal came deadline 61m {wait}"), ""),
        (&format!("signal came deadline 1h pivot\n{wait}"), ""),
        (&format!("signal came deadline 1h when input.b {{ {wait} }}"), "SG0503"),
        (&format!("signal came try within 1h {{ {wait} fail \"x\" }} catch {{ }}"), "SG0503"),
        (&format!("signal came deadline 1h try within 2h {{ {wait} fail \"x\" }} catch {{ }}"), ""),
        // Repetitions may: that says "until then".
        (&format!("deadline 30s {slow}"), ""),
    ]);
}

fn ends(source: &str) -> Vec<String> {
    let checked = check(source);
    let program = &checked.program;
    saga::check::outcomes(&program.sagas["case"]).codes().map(ToString::to_string).collect()
}

#[test]
fn the_codes_that_can_end_a_saga_are_known() {
    let source = source(
        "step take { call shop.Take { n: input.n ?? 0 } compensate nothing }\n  when input.b { fail \"no\" }\n  pivot\n  \
         step pack { call shop.Pack { n: 1 } }",
    );
    assert_eq!(ends(&source), ["cancelled", "gone", "no", "timeout", "undeclared"]);
    let source = self::source("when input.b { fail \"no\", text(length(\"x\") + 1) }");
    assert_eq!(ends(&source), ["cancelled", "no"], "a message that cannot be computed is left out");
    let source = self::source("output { m: length(\"x\") + 1 }");
    assert_eq!(ends(&source), ["cancelled", "invalid"]);
    let source = self::source("pivot output { m: length(\"x\") + 1 }");
    assert!(ends(&source).is_empty(), "behind the pivot it is stuck, and nothing comes before it");
    let checked = check(&source);
    let program = &checked.program;
    assert_eq!(saga::check::points_of_no_return(&program.sagas["case"]).len(), 1);
}

#[test]
fn the_default_times_are_shown_as_the_language_writes_them() {
    assert_eq!(
        saga::check::defaults().to_string(),
        "defaults { timeout 10s  retry 3 times every 200ms..5s  compensate timeout 10s  retry 20 times every 1s..5m }"
    );
}

/// A word of a message has 200 bytes: a command with a longer one would be read by nobody, and its step would run into its timeout.
#[test]
fn names_that_no_message_holds_are_refused() {
    let long = |bytes: usize| "x".repeat(bytes);
    let contract = "participant shop { command Take }";
    let is_too_large = |text: &str| findings(text).contains("SG0312");
    let step = |name: &str| format!("step {name} {{ call shop.Take compensate nothing }}");
    for (bytes, is_refused) in [(200, false), (201, true)] {
        assert_eq!(is_too_large(&format!("{contract} saga s {{ {} }}", step(&long(bytes)))), is_refused);
        assert_eq!(is_too_large(&format!("{contract} saga {} {{ {} }}", long(bytes), step("a"))), is_refused);
        // In a loop its number stands behind it, and in a sub-saga the name of the step that runs it before it.
        let around = |inner: &str| format!("{contract} saga s {{ for each one in [1] {{ {inner} }} }}");
        assert_eq!(is_too_large(&around(&step(&long(bytes - 6)))), is_refused);
        let runs = format!("{contract} saga s {{ step a {{ run t }} }} saga t {{ {} }}", step(&long(bytes - 2)));
        assert_eq!(is_too_large(&runs), is_refused);
        let name = long(bytes);
        let called = format!(
            "participant shop {{ command {name} }} saga s {{ step a {{ call shop.{name} compensate nothing }} }}"
        );
        assert_eq!(is_too_large(&called), is_refused);
    }
}

//! The data that is explored: both ways of each condition, whatever it computes; and where none was found, that is said.

use saga::model::explore::{Bounds, Cut, Ending, Engine, REPLIES_USUAL, Report, Untaken, Untried, explore};

use super::explore::plan;

/// Each condition of the input, and of a reply.
fn of_both<const N: usize>(
    conditions: [(&'static str, &'static str); N],
) -> impl Iterator<Item = (&'static str, String)> {
    conditions
        .into_iter()
        .flat_map(|(shape, condition)| ["input", "asked"].map(|of| (shape, condition.replace('$', of))))
}

/// A saga that fails at once where the condition on its input holds; on a reply, on that of its step.
fn refused_where(shape: &str, condition: &str) -> Report {
    refused_within(Bounds::default(), shape, condition)
}

fn refused_within(bounds: Bounds, shape: &str, condition: &str) -> Report {
    let text = format!(
        r#"
participant shop {{ command Ask returns {{ {shape} }}  command Take  command Free }}
saga bought {{
  version 1
  input {{ {shape} }}
  step asked {{ call shop.Ask  compensate nothing }}
  when {condition} {{ fail "refused" }}
  step take {{ call shop.Take  compensate shop.Free }}
}}
"#
    );
    explore(&plan(&text), &Engine, bounds)
}

fn goes_both_ways(report: &Report) -> bool {
    let ends = |ending: &Ending| report.ways.iter().any(|way| way.ending == *ending);
    report.is_exhaustive() && ends(&Ending::Completed) && ends(&Ending::Compensated("refused".into()))
}

#[test]
fn a_condition_goes_both_ways() {
    let conditions = [
        ("n: int", "$.n < 18"),
        ("n: int", "$.n != -7"),
        ("n: int, m: int", "$.n - $.m > 40"),
        ("n: int", "10 <= $.n"),
        ("n: int", "$.n * 100 < 5000"),
        ("n: int", "100 - $.n >= 30"),
        ("n: int", "2 * ($.n + 3) > 57"),
        ("d: decimal", "$.d > 0.9"),
        ("d: decimal", "$.d * 100 < 50 || $.d > 0.9"),
        ("d: decimal", "$.d / 3 < 12.5"),
        ("d: decimal", "rounded($.d, 2) < 50"),
        ("n: int?", "($.n ?? 0) < 400"),
        ("n: int?, m: int?", "(max(present([$.n, $.m])) ?? 0) < 400"),
        ("all: list<int>", "count($.all) > 100"),
        ("all: list<int>", "count($.all) < 3"),
        ("all: list<int>", "4 != count($.all)"),
        ("all: list<int>", "count($.all) * 2 > 10 && count($.all) > 3"),
        ("all: list<int>", "sum($.all) < 250"),
        ("all: list<{ price: decimal }>", "sum($.all[*].price) >= 99.90"),
        ("all: list<string>", "!contains($.all, \"gold\")"),
        ("s: string", "!contains([\"gold\", \"silver\"], $.s)"),
        ("s: string", "!contains($.s, \"@\")"),
        ("s: string", "length($.s) < 8"),
        ("s: string", "length($.s) > 140"),
        ("n: int", "text($.n) != \"77\""),
        ("t: duration", "$.t < 90m"),
        ("t: timestamp", "$.t < saga.started + 3d"),
        ("t: timestamp", "$.t - saga.started > 36h"),
        ("from: timestamp, until: timestamp", "$.until - $.from < 2h"),
        ("m: map<string>", "$.m[\"tier\"] != \"gold\""),
        // Several at once: more combinations than replies are tried.
        ("a: int, b: int", "$.a < 10 || $.a > 20 || $.b < 10 || $.b > 20"),
    ];
    let one_sided = of_both(conditions).filter_map(|(shape, condition)| {
        let report = refused_where(shape, &condition);
        (!goes_both_ways(&report)).then(|| format!("{condition}: {:?} {:?}", report.cut, report.untried))
    });
    assert_eq!(one_sided.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn where_no_data_was_found_that_is_said() {
    // Nothing is both.
    let report = refused_where("n: int", "input.n > 5 && input.n < 3");
    assert!(report.cut.is_empty() && !report.is_exhaustive());
    let [untried] = report.untried.as_slice() else { panic!("{:?}", report.untried) };
    assert_eq!(untried.way, Untaken::Whole(true));
    // Nor a filter that nothing passes.
    let text = r"
participant shop { command Take { n: int }  command Free }
saga bought {
  version 1
  input { all: list<{ n: int }> }
  signal paid { n: int }
  for each one in input.all where one.n > 5 && one.n < 3 {
    step take { call shop.Take { n: one.n }  compensate shop.Free }
  }
  await paid where paid.n > 5 && paid.n < 3 within 1h otherwise { }
}
";
    assert_eq!(explore(&plan(text), &Engine, Bounds::default()).untried.len(), 2);
    // What is always there is not asked for in vain where the types want it; what never is would be.
    let of_first = |condition: &str| {
        let text = format!(
            r#"
saga bought {{
  version 1
  input {{ all: list<int> }}
  when count(input.all) == 0 {{ fail "none" }}
  let least = min(input.all)
  when {condition} {{ fail "none" }}
}}
"#
        );
        explore(&plan(&text), &Engine, Bounds::default()).untried.len()
    };
    assert_eq!(of_first("least == null"), 0);
    assert_eq!(of_first("least == null || input.all[0] == null"), 0);
    assert_eq!(of_first("!(least != null)"), 0);
    assert_eq!(of_first("input.all[50] == null"), 1, "longer lists are not tried for that");
    // A constant is nothing that data decides.
    let report = refused_where("n: int", "false");
    assert!(report.is_exhaustive(), "{:?}", report.untried);
}

/// What is computed of sums of what is computed would be compared with more numbers than there is room for.
#[test]
fn numbers_have_a_limit() {
    let sum = |of: &str| (1..40).map(|n| format!("({of} + {}.{n})", n * n * n)).collect::<Vec<_>>().join(" + ");
    let text = format!(
        "saga s {{ version 1  input {{ x: decimal }}  let b = {}  let c = {}  when c > 5 {{ fail \"large\" }} }}",
        sum("input.x"),
        sum("b")
    );
    let report = explore(&plan(&text), &Engine, Bounds::default());
    assert_eq!(report.cut, [Cut::Payloads(Some("input.x".into()))]);
}

/// Of more than are tried those are that are spread over all: what needs something of each field is among them.
#[test]
fn of_too_many_payloads_some_of_each_kind_are_tried() {
    let outside = |field: char| format!("asked.{field} < 10 || asked.{field} > 20");
    let condition = ['a', 'b', 'c'].map(outside).join(" || ");
    let report = refused_where("a: int, b: int, c: int", &condition);
    assert_eq!(report.cut, [Cut::Replies("asked".into())], "of {REPLIES_USUAL}");
    assert!(report.ways.iter().any(|way| way.ending == Ending::Completed));
    // The last of very many fields, too.
    let fields: Vec<String> = (0..20).map(|n| format!("f{n}")).collect();
    let shape = fields.iter().map(|field| format!("{field}: int")).collect::<Vec<_>>().join(", ");
    let compared = fields.iter().map(|field| format!("input.{field} == 1000")).collect::<Vec<_>>().join(" && ");
    let report = refused_where(&shape, &format!("{compared} || input.f19 > 999"));
    assert!(report.ways.iter().any(|way| way.ending == Ending::Compensated("refused".into())));
}

/// What a bound has cut short is whole again where it is larger.
#[test]
fn bounds_of_data_can_be_others() {
    let usual = Bounds::default();
    let cut = |bounds: Bounds, of: &str| {
        let condition = format!("{of}.a < 10 || {of}.a > 20 || {of}.a == 15 || {of}.b < 10 || {of}.b > 20");
        refused_within(bounds, "a: int, b: int", &condition).cut
    };
    assert_eq!(cut(usual, "asked"), [Cut::Replies("asked".into())]);
    assert_eq!(cut(Bounds { replies: 100, ..usual }, "asked"), []);
    assert_eq!(cut(usual, "input"), []);
    assert_eq!(cut(Bounds { inputs: 60, ..usual }, "input"), [Cut::Inputs("input".into())]);
}

/// How many signals of a name wait makes no difference but in the number of states: each is remembered, and no more.
#[test]
fn more_signals_may_wait() {
    let text = r#"
participant shop { command Take }
saga s {
  version 1
  signal go
  step take { call shop.Take  compensate nothing }
  await go as one within 1d otherwise { fail "late" }
  await go as two within 1d otherwise { fail "late" }
  await go as three within 1d otherwise { fail "late" }
}
"#;
    let explored = |signals| explore(&plan(text), &Engine, Bounds { signals, reduces: false, ..Bounds::default() });
    let (fewer, more) = (explored(1), explored(3));
    assert!(fewer.states < more.states, "{} and {}", fewer.states, more.states);
    let ends = |report: &Report| report.ways.iter().map(|way| way.ending.clone()).collect::<Vec<_>>();
    assert_eq!(ends(&fewer), ends(&more));
}

/// The last of more than there are bytes arrives, too.
#[test]
fn there_may_be_many_signals() {
    let signals: Vec<String> = (0..=256).map(|n| format!("signal s{n}")).collect();
    let signals = signals.join(" ");
    let text = format!("saga s {{ version 1 {signals} await s256 within 1d otherwise {{ fail \"late\" }} }}");
    let report = explore(&plan(&text), &Engine, Bounds::default());
    assert!(report.is_exhaustive() && report.ways.iter().any(|way| way.ending == Ending::Completed));
}

/// A saga of two steps, each behind a condition of its own.
fn behind_both(shape: &str, (first, second): (&str, &str), of: &str) -> Report {
    let text = format!(
        r#"
participant shop {{ command Ask returns {{ {shape} }}  command Hold  command Take fails "gone"  command Free }}
saga bought {{
  version 1
  input {{ {shape} }}
  step asked {{ call shop.Ask  compensate nothing }}
  when {first} {{ step hold {{ call shop.Hold  compensate shop.Free }} }}
  when {second} {{ step take {{ call shop.Take  compensate shop.Free }} }}
}}
"#
    );
    explore(&plan(&text.replace('$', of)), &Engine, Bounds::default())
}

/// How many of the two steps may be done where the second one is refused.
fn done_where_both_hold(shape: &str, conditions: (&str, &str), of: &str) -> u32 {
    let report = behind_both(shape, conditions, of);
    let refused = report.ways.iter().find(|way| way.ending == Ending::Compensated("gone".into()));
    refused.map(|way| way.tally.undone.1).unwrap_or_default()
}

#[test]
fn conditions_hold_together_where_they_can() {
    let conditions = [
        ("a: int, b: int, c: int", "$.a > $.b", "$.b > $.c"),
        ("a: int, b: int", "$.a > 3", "$.b > $.a"),
        ("a: int, b: int, c: int", "$.a < 3 && $.b < $.a", "$.c < $.b"),
        ("a: decimal, b: decimal, c: decimal", "$.a > 9.5 && $.b > $.a", "$.c > $.b"),
        ("price: int, budget: int, floor: int", "$.price < $.budget", "$.price > $.floor"),
        ("a: int, b: int, c: int", "$.a != $.b && $.b != $.c", "$.a != $.c"),
        ("a: string, b: string, c: string", "$.a != $.b && $.b != $.c", "$.a != $.c"),
        ("a: timestamp, b: timestamp, c: timestamp", "$.a < $.b", "$.b < $.c"),
        ("a: duration, b: duration, c: duration", "$.a < $.b", "$.b < $.c"),
        ("all: list<int>", "count($.all) > 3", "sum($.all) > 100"),
        ("all: list<int>", "count($.all) > 3", "sum($.all) < 100"),
        ("s: string", "contains($.s, \"ab\")", "contains($.s, \"cd\")"),
        ("text: string, word: string", "contains($.text, $.word)", "$.text != $.word"),
        ("all: list<string>", "contains($.all, \"ab\") && contains($.all, \"cd\")", "contains($.all, \"ef\")"),
    ];
    let cases = conditions.into_iter().flat_map(|case| ["input", "asked"].map(|of| (case, of)));
    // Of three numbers that are compared with a constant and each other there are more kinds than replies are tried.
    let is_tried = |((shape, first, _), of): &((&str, &str, &str), &str)| {
        *of == "input" || !(shape.contains("c: ") && first.contains(char::is_numeric))
    };
    let cases = cases.filter(is_tried);
    let apart = cases.filter(|((shape, first, second), of)| done_where_both_hold(shape, (first, second), of) == 0);
    assert_eq!(apart.collect::<Vec<_>>(), []);
}

#[test]
fn conditions_that_hold_together_for_nothing_that_is_tried_are_named() {
    let apart = |shape, first, second| {
        let report = behind_both(shape, (first, second), "input");
        let of_pair = |untried: &Untried| match untried.way {
            Untaken::Beside(holds, _, beside) => Some((holds, beside)),
            _ => None,
        };
        assert!(report.cut.is_empty(), "{first}: {:?}", report.cut);
        report.untried.iter().filter_map(of_pair).collect::<Vec<_>>()
    };
    assert_eq!(apart("a: decimal, b: decimal", "rounded($.a, 1) > $.b", "$.a < $.b"), [(true, true)]);
    assert_eq!(apart("a: list<int>, b: list<int>", "count($.a) > count($.b)", "count($.b) > 1"), [(true, true)]);
    assert_eq!(apart("a: int, b: int", "$.a * 2 > $.b", "$.a * 3 < $.b * 2"), [(true, true)]);
    // All ways that there are were tried: of two things that are compared, and against constants.
    assert_eq!(apart("a: int, b: int", "$.a < $.b", "$.b == $.a"), []);
    assert_eq!(apart("a: int, b: int", "$.a < $.b", "$.b > 3"), []);
    assert_eq!(apart("a: int", "$.a > 5", "$.a > 3"), []);
    // No data make them go the other ways together.
    assert_eq!(apart("text: string, word: string", "contains($.text, $.word)", "$.text != $.word"), []);
    assert_eq!(apart("text: string, word: string", "contains($.text, $.word)", "$.word == $.text"), []);
    assert_eq!(apart("a: int, b: int", "$.a * 2 > $.b", "$.a * 2 > $.b"), []);
    assert_eq!(apart("a: int, b: int", "$.a * 2 > $.b", "!($.b >= $.a * 2)"), []);
    assert_eq!(apart("a: int, b: int, c: bool", "$.a * 2 > $.b && $.c", "$.b == $.a * 2 || $.c"), []);
    // What they have in common is compared with constants alone.
    assert_eq!(apart("a: int, b: int, c: bool", "$.a < $.b || $.c", "!$.c"), []);
    assert_eq!(apart("a: int, b: int, c: int", "$.a > $.b", "$.b > $.c"), []);
}

/// `input` of a saga that a step runs is another one, whatever the text says.
#[test]
fn conditions_of_two_sagas_do_not_exclude_each_other() {
    let text = r"
participant shop { command Take  command Free }
saga bought {
  version 1
  input { a: int, b: int }
  when input.a < input.b { step o { call shop.Take  compensate shop.Free } }
  step x { run paid { a: input.a * 10, b: input.b * 9 } }
}
saga paid {
  version 1
  input { a: int, b: int }
  when input.a < input.b { step i { call shop.Take  compensate shop.Free } }
}
";
    let report = explore(&plan(text), &Engine, Bounds::default());
    let apart = report.untried.iter().any(|untried| matches!(untried.way, Untaken::Beside(..)));
    assert!(apart, "9 and 10 make the outer one true and the inner one false: {:?}", report.untried);
}

/// Two elements of one kind, and of two, in either order.
#[test]
fn elements_of_a_loop_are_of_each_kind() {
    let whole = "for each one in input.all { when one.gift { WRAP } when !one.gift { BOX } }";
    for (body, name) in [
        ("for each one in input.all where one.gift { WRAP }", "where"),
        ("for each one in input.all where one.gift, at most 2 at once { WRAP }", "where, two at once"),
        ("for each one in input.all { when one.gift { WRAP } }", "when"),
        (whole, "either"),
        ("let kept = input.all  for each one in kept where one.gift, at most 5 at once { WRAP }", "of a let"),
    ] {
        let step = |name: &str| {
            let (command, undo) = (name.to_uppercase(), "compensate gifts.Undo { sku: one.sku }");
            format!("step {name} {{ call gifts.{command} {{ sku: one.sku }}  {undo} }}")
        };
        let body = body.replace("WRAP", &step("wrap")).replace("BOX", &step("pack"));
        let text = format!(
            r#"
participant gifts {{
  command WRAP {{ sku: string }} fails "no_paper"
  command PACK {{ sku: string }} fails "no_box"
  command Undo {{ sku: string }}
}}
saga given {{
  version 1
  input {{ all: list<{{ sku: string, gift: bool }}> }}
  {body}
}}
"#
        );
        let report = explore(&plan(&text), &Engine, Bounds::default());
        assert!(report.is_exhaustive(), "{name}: {:?} {:?}", report.cut, report.untried);
        let tally = |ending: &Ending| report.ways.iter().find(|way| way.ending == *ending).map(|way| way.tally);
        let refused = tally(&Ending::Compensated("no_paper".into())).unwrap();
        // Two at once are filled by a third.
        let most = if name == "where, two at once" { 3 } else { 2 };
        assert_eq!(refused.called, (1, most), "{name}");
        assert_eq!(refused.undone, (0, most - 1), "{name}");
        assert_eq!(tally(&Ending::Completed).unwrap().called, (0, most), "{name}");
        if body.contains("pack") {
            // The first is wrapped, the second packed, and the other way round.
            assert_eq!(tally(&Ending::Compensated("no_box".into())).unwrap().undone, (0, 1));
        }
    }
}

/// Of a window of two three elements: two are under way and one waits.
#[test]
fn a_window_is_full_with_one_that_waits() {
    let loops = |window: &str| {
        let text = format!(
            r#"
participant mail {{ command Send {{ to: string }} fails "bounced"  command Unsend }}
saga notify {{
  version 1
  input {{ to: list<string> }}
  for each who in input.to{window} {{ step mailed {{ call mail.Send {{ to: who }}  compensate mail.Unsend }} }}
}}
"#
        );
        let report = explore(&plan(&text), &Engine, Bounds::default());
        assert!(report.is_exhaustive());
        let tally = |ending: &Ending| report.ways.iter().find(|way| way.ending == *ending).unwrap().tally;
        (tally(&Ending::Completed).called, tally(&Ending::Compensated("bounced".into())).undone)
    };
    assert_eq!(loops(""), ((0, 2), (0, 1)));
    assert_eq!(loops(", at most 2 at once"), ((0, 3), (0, 2)));
    assert_eq!(loops(", at most 3 at once"), ((0, 4), (0, 3)));
    // More take too many states.
    assert_eq!(loops(", at most 9 at once"), ((0, 2), (0, 1)));
}

/// No instant before 1970 and none behind 9999, and durations that lead there.
#[test]
fn both_ends_of_the_calendar_are_tried() {
    let conditions = [
        ("t: timestamp", "$.t - 40d < saga.started"),
        ("t: timestamp", "$.t + 1h < saga.started"),
        ("t: duration", "saga.started + $.t < saga.started"),
        ("t: duration", "saga.started - $.t < saga.started"),
    ];
    let proved = of_both(conditions).filter(|(shape, condition)| {
        let report = refused_where(shape, condition);
        !report.ways.iter().any(|way| way.ending == Ending::Compensated("invalid".into()))
    });
    assert_eq!(proved.collect::<Vec<_>>(), []);
}

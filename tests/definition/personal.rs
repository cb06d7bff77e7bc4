//! What is personal of what is computed: through expressions, names, loops and sub-sagas.

use saga::check::{Checked, check_text};
use saga::definition::personal::{Veil, Veils};

/// A saga with personal data of every form, this body, and one that it may run.
fn checked(body: &str) -> Checked {
    let source = format!(
        r#"
type Guest {{ personal name: string, age: int, kin: list<{{ personal name: string, of: string }}>? }}
participant desk {{ command Ask {{ text: string }} returns {{ personal iban: string, ok: bool }} fails "no" }}
saga inner {{
  input {{ text: string, guest: {{ age: int }}, personal pin: string }}
  let shout = input.text + "!"
  let again = input.guest
  output {{ shout: shout, age: input.guest.age, pin: input.pin }}
}}
saga case {{
  input {{
    personal pin: string, personal cents: int, personal due: timestamp?, personal tags: list<string>, personal vip: bool,
    n: int, t: string, b: bool, guest: Guest, guests: list<Guest>, by: map<Guest>
  }}
  signal called {{ personal by: string, at: timestamp }}
  {body}
}}
"#
    );
    let checked = check_text("case.saga", &source);
    assert!(!checked.has_errors(), "{body}: {:?}", checked.findings);
    checked
}

fn veils(body: &str) -> Veils {
    Veils::of(&checked(body).program.sagas["case"])
}

/// `-` nothing, `all`, `{ field: … }`, `[…]`.
fn shown(veil: &Veil) -> String {
    match veil {
        Veil::Nothing => "-".to_owned(),
        Veil::Whole => "all".to_owned(),
        Veil::Fields(fields) => {
            let fields: Vec<String> = fields.iter().map(|(key, veil)| format!("{key}: {}", shown(veil))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Veil::Each(veil) => format!("[{}]", shown(veil)),
    }
}

/// What a body hides of the value of that name.
#[track_caller]
fn hides(body: &str, name: &str, expected: &str) {
    assert_eq!(shown(veils(body).value(name)), expected, "{name} in {body}");
}

#[test]
fn what_is_made_of_a_personal_value_is_personal() {
    for (value, expected) in [
        ("input.pin", "all"),
        ("input.pin + \"!\"", "all"),
        ("input.t + \"!\"", "-"),
        ("input.cents * 2 + input.n", "all"),
        ("input.n * 2", "-"),
        ("-input.cents", "all"),
        ("input.cents / 2", "all"),
        ("rounded(input.cents, 2)", "all"),
        ("text(input.cents)", "all"),
        ("input.due ?? saga.started", "all"),
        ("if input.b then input.pin else \"none\"", "all"),
        ("input.tags", "all"),
        ("input.tags[0]", "all"),
        ("input.tags[input.n]", "all"),
        ("[input.t, input.pin]", "[all]"),
        ("min([input.n, input.cents])", "all"),
        ("sum([input.n, input.cents])", "all"),
        ("max([input.n])", "-"),
        ("present([input.due])", "[all]"),
        ("{ a: input.pin, b: input.n }", "{ a: all }"),
        ("{ o: { a: [input.pin] }, b: input.n }", "{ o: { a: [all] } }"),
        ("{ a: input.pin }.a", "all"),
        ("{ a: input.pin, b: input.n }.b", "-"),
    ] {
        hides(&format!("let q = {value} output {{ q: q }}"), "q", expected);
    }
}

#[test]
fn of_records_their_fields_stay_personal() {
    let guest = "{ kin: [{ name: all }], name: all }";
    for (value, expected) in [
        ("input.guest", guest),
        ("input.guest.age", "-"),
        ("input.guests", &format!("[{guest}]")),
        ("input.guests[0]", guest),
        ("input.guests[*].name", "[all]"),
        ("input.guests[*].age", "-"),
        ("input.guests[*].kin", "[[{ name: all }]]"),
        ("input.by", &format!("[{guest}]")),
        ("input.by[\"x\"]", guest),
        ("input.by[input.pin]", guest),
        ("[input.guest]", &format!("[{guest}]")),
        // A record is passed on as a whole, whatever of it the common type names.
        ("if input.b then input.guest else { age: 1 }", guest),
        ("input.guests[0] ?? input.guest", guest),
    ] {
        hides(&format!("let q = {value} output {{ q: q }}"), "q", expected);
    }
}

#[test]
fn conditions_and_numbers_of_elements_are_not() {
    for value in [
        "input.pin == \"1234\"",
        "input.cents > 5",
        "input.due != null",
        "!input.vip",
        "input.vip && input.b",
        "count(input.tags)",
        "length(input.pin)",
        "contains(input.tags, \"x\")",
        "any([input.vip])",
        "if input.vip then 1 else 2",
        "id(\"word\")",
    ] {
        hides(&format!("let q = {value} output {{ q: q }}"), "q", "-");
    }
}

#[test]
fn names_carry_it_on() {
    hides("let a = input.pin let b = { a: a } let c = b.a + \"!\" output { c: c }", "c", "all");
    hides("step s { call desk.Ask { text: input.pin } compensate nothing }", "s", "{ iban: all }");
    let asked = "step s { call desk.Ask { text: \"\" } compensate nothing } let q = s.iban let ok = s.ok output { q: q, ok: ok }";
    hides(asked, "q", "all");
    assert_eq!(shown(veils(asked).output()), "{ q: all }");
    let awaited = "await called as it within 1h otherwise { fail \"no\" } output { by: it.by, at: it.at }";
    hides(awaited, "it", "{ by: all }");
    assert_eq!(shown(veils(awaited).output()), "{ by: all }");
}

#[test]
fn in_a_loop_over_a_list_one_element_and_below_it_all() {
    let body = "let names = input.guests[*].name
        for each name in names { let loud = name + \"!\" let n = length(name) }
        let first = loud[0] output { loud: loud, n: n, first: first }";
    for (name, expected) in [("names", "[all]"), ("name", "all"), ("loud", "all"), ("n", "-"), ("first", "all")] {
        hides(body, name, expected);
    }
    assert_eq!(shown(veils(body).output()), "{ first: all, loud: [all] }");
}

#[test]
fn rounds_carry_it_round_through_any_chain_of_names() {
    let body = "repeat at most 3 times {
          let c = previous.b ?? \"\"
          let b = previous.a ?? \"\"
          let a = (previous.t ?? \"\") + input.pin
          let t = input.t
        } until input.b otherwise { }
        output { c: c, t: t }";
    hides(body, "c", "all");
    hides(body, "t", "-");
    let links: Vec<String> = (1..40).rev().map(|n| format!("let l{n} = previous.l{} ?? \"\"", n - 1)).collect();
    let long = format!(
        "repeat at most 3 times {{ {} let l0 = input.pin }} until input.b otherwise {{ }} output {{ x: l39 }}",
        links.join(" ")
    );
    hides(&long, "l39", "all");
}

#[test]
fn a_sub_saga_is_given_it_and_gives_it_back() {
    let body = "step sub { run inner { text: input.pin, guest: input.guest, pin: \"0\" } } output { sub: sub }";
    for (name, expected) in [
        // `pin` is personal because the sub-saga says so; `name` goes along, though it does not know that field.
        ("sub.input", "{ guest: { kin: [{ name: all }], name: all }, pin: all, text: all }"),
        ("sub.shout", "all"),
        ("sub.again", "{ kin: [{ name: all }], name: all }"),
        ("sub", "{ pin: all, shout: all }"),
    ] {
        hides(body, name, expected);
    }
    let open = "step sub { run inner { text: input.t, guest: { age: 1 }, pin: \"0\" } } output { sub: sub }";
    hides(open, "sub.shout", "-");
    hides(open, "sub", "{ pin: all }");
}

#[test]
fn what_would_grow_without_end_is_hidden_as_a_whole() {
    let doubled: Vec<String> = (1..40).map(|n| format!("let d{n} = {{ l: d{0}, r: d{0} }}", n - 1)).collect();
    hides(&format!("let d0 = input.pin {} output {{ d: d39 }}", doubled.join(" ")), "d39", "all");
}

#[test]
fn a_message_made_of_it_is_warned_of_once() {
    let found = |body: &str| {
        let checked = checked(body);
        let codes = checked.findings.iter().map(|finding| finding.code.0).filter(|code| *code != "SG0211");
        codes.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(found("fail \"old\", \"PIN is \" + input.pin"), "SG0418");
    assert_eq!(found("fail \"old\", if input.vip then \"a\" else \"b\""), "");
    assert_eq!(
        found("let why = input.guest.name repeat at most 2 times { } until input.b otherwise { fail \"old\", why }"),
        "SG0418"
    );
}

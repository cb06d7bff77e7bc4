//! What is easily written wrong, and what is said about it: the snapshots read as documentation.

mistake!(
    retriable_step,
    "saga booking {
  retriable step confirm { call hotels.Confirm }
}"
);

mistake!(
    compensatable_pivot_step,
    "saga booking {
  compensatable step reserve { call hotels.Reserve  compensate nothing }
  final step pay { call payments.Charge }
}"
);

mistake!(
    after_in_a_step,
    "saga booking {
  step pay { after reserve_room, reserve_seat  call payments.Charge  compensate nothing }
}"
);

mistake!(
    after_behind_the_name,
    "saga booking {
  step pay after reserve { call payments.Charge  compensate nothing }
}"
);

mistake!(
    fallback,
    "saga booking {
  step ship {
    call express.Ship
    fallback postal.Ship
    compensate nothing
  }
}"
);

mistake!(
    on_error,
    r#"saga booking {
  step ship {
    call express.Ship
    on error { call postal.Ship }
  }
  on_failure { fail "late" }
}"#
);

mistake!(
    rollback_and_undo,
    "saga booking {
  step a { call x.A  rollback x.B { } }
  step b { call x.A  undo x.B }
}"
);

mistake!(
    compensate_with,
    "saga booking {
  step a { call x.A  compensate with x.B { id: 1 } }
  step b { call x.A  compensate call x.B }
}"
);

mistake!(
    missing_opening_brace,
    "saga booking {
  step reserve
    call hotels.Reserve
    compensate nothing
  }
  step confirm { call hotels.Confirm }
}"
);

mistake!(
    missing_brace_without_its_partner,
    "saga booking {
  step reserve
    call hotels.Reserve
  step confirm { call hotels.Confirm }
}"
);

mistake!(
    missing_closing_brace_of_a_step,
    "saga booking {
  step reserve {
    call hotels.Reserve { nights: 2 }
    compensate nothing
  step confirm { call hotels.Confirm }
}

saga other {
  versoin 1
}"
);

mistake!(
    missing_closing_brace_of_a_saga,
    "saga booking {
  version 1

saga other {
  version 1
}"
);

mistake!(
    missing_closing_brace_of_a_record,
    "saga booking {
  step reserve {
    call hotels.Reserve { nights: 2
    compensate nothing
  }
}"
);

mistake!(
    missing_parenthesis,
    "saga booking {
  let a = count(input.items
  let b = 2
}"
);

mistake!(
    surplus_brace,
    "saga booking {
  parallel {
    step a { compensate nothing }
    }
  }
  step b { compensate nothing }
}"
);

mistake!(
    equals_for_equality,
    r#"saga booking {
  when input.kind = "gift" { fail "no_gifts" }
}"#
);

mistake!(
    words_for_operators,
    r#"saga booking {
  when input.a and not input.b or input.c { fail "x" }
  when input.a & input.b | input.c { fail "x" }
  let t = True
}"#
);

mistake!(
    operators_of_other_languages,
    r#"saga booking {
  let a = x === y
  let b = x <> y
  let c = x % 2
  let d = x > 1 ? "a" : "b"
}"#
);

mistake!(
    chained_comparison,
    r#"saga booking {
  when 1 < input.n < 5 { fail "x" }
}"#
);

mistake!(
    if_as_an_operand,
    "saga booking {
  let a = 1 + if input.x then 1 else 2
  let b = input.a == !input.b
}"
);

mistake!(
    incomplete_if,
    "saga booking {
  let a = if input.x then 1
  let b = if input.x 1 else 2
}"
);

mistake!(
    missing_values,
    r#"saga booking {
  let a =
  let b = 1 +
  when { fail "x" }
  output { c: , d: 1 }
}"#
);

mistake!(tabs_crlf_and_byte_order_mark, "\u{feff}saga booking {\r\n\tversion 1\r\n\tfail \"x\"\r\n}\r\n");

mistake!(control_characters, "saga booking {\r  version 1\n  fail \"a\u{7}b\"\u{b}\n}");

mistake!(turned_text, "saga booking {\n  version 1 // \u{202e} } \u{2066}\n  fail \"a\u{202e}b\"\n}");

mistake!(
    smart_quotes,
    "saga booking {
  fail “sold_out”, ‘none left’
}"
);

mistake!(
    single_quotes,
    r#"saga booking {
  fail 'sold_out', 'it "is" full'
  let a = `b`
}"#
);

mistake!(
    quote_not_closed,
    r#"saga booking {
  step a { call x.A { code: "sold_out, n: 1 } }
  fail "late
}"#
);

mistake!(
    bad_escapes,
    r#"saga booking {
  fail "a\qb", "\u{110000} C:\dir \u41"
}"#
);

mistake!(
    camel_case_names,
    "participant hotelService { command reserve_room { } message MAIL }
type lineItem { sku: string }
saga BookRoom {
  step reserveRoom { compensate nothing }
  let TOTAL = 1
}"
);

mistake!(
    reserved_words_as_names,
    "saga booking {
  step retry { compensate nothing }
  let input = 5
  let x = retry.hold
}"
);

mistake!(
    foreign_letters_in_names,
    "saga booking {\n  step prüfe_größe { compensate nothing }\n  let a\u{a0}= 1\u{200b}\n}"
);

mistake!(
    clauses_out_of_order,
    "saga booking {
  step a {
    compensate x.B
    call x.A
  }
  step b {
    timeout 5s
    call x.A
    compensate nothing
  }
  version 1
  output { a: 1 }
  step c { }
}"
);

mistake!(
    clauses_said_twice,
    "saga booking {
  deadline 5m
  deadline 6m
  step a {
    call x.A
    call x.B
    timeout 5s timeout 6s
    compensate nothing
    compensate x.C
  }
}"
);

mistake!(
    methods,
    "saga booking {
  input { xs: list<int> }
  let a = input.xs.count()
  let b = input.xs[0](2)
  let c = count(input.xs)
}"
);

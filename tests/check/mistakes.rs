//! Mistakes that people make, above what is said about them.

mistake!(
    a_payload_with_a_slip_in_a_field_and_one_forgotten,
    r"participant hotels {
  command Reserve { hotel: string, nights: int, guest: string } returns { hold: string }
  command Cancel { hold: string? }
}
saga booking {
  input { hotel: string, nights: int, guest: string }
  step reserve {
    call hotels.Reserve { hotle: input.hotel, guest: input.guest, smoking: false }
    compensate hotels.Cancel { hold: reserve.hold }
  }
}"
);

mistake!(
    a_word_before_a_step_asks_for_nothing_else,
    r"participant shop {
  command Take { sku: string }
}
saga order {
  version 1
  input { sku: string }
  retriable step take { call shop.Take { sku: input.sku } }
  step take_again { call shop.Take { sku: input.sku } }
}"
);

mistake!(
    two_scenarios_of_one_name,
    r#"saga nap { version 1  sleep 3s }
saga doze { version 1  sleep 3s }
scenario "short" for nap { expect completed }
scenario "short" for doze { expect completed }
scenario "short" for nap { expect compensated "cancelled" }"#
);

mistake!(
    names_that_are_nearly_right,
    r"participant hotels {
  command Reserve { hotel: string } returns { hold: string }
  command Cancel { hold: string? }
}
saga booking {
  input { hotel: string }
  step reserve {
    call hotel.Reserve { hotel: input.hotl }
    compensate hotels.Cancle { hold: reserv.hold }
  }
  output { hold: reserve.hold }
}"
);

mistake!(
    an_optional_where_a_value_is_wanted,
    r#"participant post {
  command Send { to: string, note: string }
}
saga order {
  input { to: string?, note: string? }
  step ship {
    call post.Send { to: input.to, note: input.note ?? "none" }
    compensate nothing
  }
}"#
);

mistake!(
    a_step_in_its_own_compensation_may_never_have_answered,
    r#"participant hotels {
  command Reserve { hotel: string } returns { hold: string }
  command Cancel { hold: string }
}
saga booking {
  step reserve {
    call hotels.Reserve { hotel: "Lux" }
    compensate hotels.Cancel { hold: reserve.hold }
  }
}"#
);

mistake!(
    a_branch_that_uses_its_sibling,
    r#"participant tickets {
  command Reserve { flight: string } returns { seat: string }
  command Cancel { seat: string? }
}
saga booking {
  parallel {
    step there { call tickets.Reserve { flight: "KE905" }  compensate tickets.Cancel { seat: there.seat } }
    step back { call tickets.Reserve { flight: there.seat }  compensate tickets.Cancel { seat: back.seat } }
  }
}"#
);

mistake!(
    steps_that_do_not_say_how_they_are_taken_back,
    r#"participant shop {
  command Reserve { order: string } fails "sold_out"
  command Pay { order: string } fails "declined"
  command Ship { order: string } fails "no_carrier"
}
saga order {
  step reserve { call shop.Reserve { order: saga.id } }
  pivot step pay { call shop.Pay { order: saga.id } }
  step ship { call shop.Ship { order: saga.id } }
}"#
);

mistake!(
    a_point_of_no_return_on_one_branch,
    r#"participant shop {
  command Pay { order: string } fails "declined"
}
saga order {
  input { total: decimal }
  when input.total > 0 {
    pivot step pay { call shop.Pay { order: saga.id } }
  }
  sleep 1d
}"#
);

mistake!(
    words_of_a_choice_that_nobody_speaks_of,
    r#"saga order {
  input { speed: "slow" | "fast" | "at_once" }
  when input.speed == "slow" { sleep 2d }
  otherwise when input.speed == "fst" { sleep 1d }
}"#
);

mistake!(
    a_text_and_a_number,
    r#"saga order {
  input { items: int, price: decimal }
  output { text: "items: " + input.items, total: input.items * input.price, each: input.price / input.items }
}"#
);

mistake!(
    a_name_given_twice,
    r"participant shop {
  command Pack { order: string }
  command Pack { order: string }
}
participant shop { command Ship { order: string } }
saga order {
  pivot
  step pack { call shop.Pack { order: saga.id } }
  step pack { call shop.Pack { order: saga.id } }
}"
);

mistake!(
    loops_that_make_no_sense,
    r#"participant shop {
  command Do { n: int } returns { n: int } fails "no"
  command Undo { n: int? }
}
saga order {
  input { items: list<{ n: int, tags: list<int> }>, name: string, more: list<int>?, big: int }
  signal go { on: bool }
  for each letter in input.name { sleep 1s }
  for each extra in input.more { sleep 1s }
  for each item in input.items where item.n, at most 0 at once {
    step a { call shop.Do { n: item.m }  compensate shop.Undo { n: a.n } }
  }
  for each thing in input.items, at most 1001 at once {
    await go within 1h otherwise { }
    pivot
  }
  for each one in input.items, at most 2 at once {
    await go as came within 1h otherwise { }
    step b { call shop.Do { n: one.n }  compensate shop.Undo { n: b.n } }
  }
  step c { call shop.Do { n: b.n }  compensate shop.Undo { n: round } }
  repeat at most 0 times { sleep 1s } until true otherwise { }
  repeat at most 5000 times { sleep 1s } until true otherwise { }
  repeat at most 3 times {
    let x = previous.x
    let y = (previous.y ?? 0) + previous.z.n
    step d { call shop.Do { n: previous.dd.n ?? y }  compensate shop.Undo { n: previous } }
  } until d.n otherwise { step e { call shop.Do { n: round }  compensate nothing } }
  output { all: sum(b[*].n), one: one, d: d.n }
}"#
);

mistake!(
    loops_inside_each_other_too_deep,
    r#"participant shop { command Do { n: int } }
saga inner {
  input { list: list<int> }
  for each a in input.list { for each b in input.list { step x { call shop.Do { n: a + b }  compensate nothing } } }
}
saga order {
  input { list: list<int> }
  for each c in input.list { for each d in input.list {
    step fits { run inner { list: [c, d] } }
    for each e in input.list {
      step deep { run inner { list: [e] } }
      for each f in input.list { for each g in input.list { step y { call shop.Do { n: f + g }  compensate nothing } } }
    }
  } }
}
scenario "indices" for order {
  given { list: [1] }
  when fits.x fails "no"
  when fits[1][1].x[1][1] times out
  when fits.x[1] times out
  when fits[1][1].x[1][0] times out
  when fits[1][1].x[1][1001] times out
  expect calls y[1][1][1][1][1]
}"#
);

mistake!(
    handlers_that_never_run_and_codes_that_come_past_them,
    r#"participant gifts {
  command Wrap { sku: string } returns { paper: string } fails "no_paper"
  command Unwrap { sku: string }
  command Ship { sku: string } fails "no_van"
  message Told { sku: string }
}
saga order {
  input { sku: string }
  try { step told { send gifts.Told { sku: input.sku }  compensate nothing } } catch { }
  try within 0s {
    step wrap { call gifts.Wrap { sku: input.sku }  compensate gifts.Unwrap { sku: input.sku } }
  } catch "no_papr" { } catch "cancelled" { } catch "no_paper", "undeclared" {
    step why { send gifts.Told { sku: failure.code + wrap.paper }  compensate nothing }
  } catch "no_paper" { } catch { pivot } catch { }
  step paper { send gifts.Told { sku: failure.code + wrap.paper }  compensate nothing }
  pivot
  try {
    step ship { call gifts.Ship { sku: input.sku }  compensate nothing }
    sleep 2h
  } catch "no_van", "timeout" { fail "no" }
  try within 1h {
    step again { call gifts.Ship { sku: input.sku }  compensate nothing }
    sleep 2h
  } catch { step last { call gifts.Ship { sku: input.sku } } }
}"#
);

mistake!(
    signals_that_nobody_knows_or_that_are_not_there_yet,
    r#"participant mail { message Told { text: string } }
saga order {
  signal approval { by: string, note: string? }
  signal audit { by: string }
  signal forgotten
  step early { send mail.Told { text: approval.by }  compensate nothing }
  await aproval within 8h otherwise { }
  await approval where approval.bye == "eva" within 0s otherwise {
    step missed { send mail.Told { text: approval.by }  compensate nothing }
  }
  parallel {
    await approval as one where one.note != null within 1h otherwise { fail "no" }
    sequence { await approval as two within 1h otherwise { fail "no" } }
  }
  await approval within 1h otherwise { fail "no" }
  step late { send mail.Told { text: approval.by + one.by + one.note + two.note }  compensate nothing }
}
scenario "nobody" for order {
  when signal aproval arrives { by: "eva" }
  when signal approval arrives { by: 7 } after 1h
  expect completed
}"#
);

mistake!(
    messages_that_are_called_and_commands_that_are_sent,
    r#"participant mail {
  message Told { text: string }
  command Tell { text: string }
}
saga order {
  step told { call mail.Told { text: "a" }  compensate mail.Told { text: "b" } }
  step tell { send mail.Tell { text: "a" }  compensate send mail.Tell { text: "b" } }
  step sent { send mail.Told { text: "a", cc: "b" }  within 5m  compensate send mail.Told { text: "b" } retry 3 times every 1s }
  step lost { send mail.Tolt { text: "a" }  compensate nothing }
  pivot
  step fine { send mail.Told { text: "c" } }
}
scenario "the mail is down" for order {
  when fine times out
  when sent fails "no"
  expect compensated "timeout"
}"#
);

mistake!(
    a_scenario_of_another_saga,
    r#"participant shop {
  command Pay { order: string } returns { receipt: string } fails "declined"
}
saga order {
  input { order: string, express: bool }
  pivot step pay { call shop.Pay { order: input.order } }
  output { receipt: pay.receipt }
}
scenario "the card is declined" for order {
  given { order: 7 }
  when pay fails "rejected"
  when pays times out
  when undo pay fails
  when pay replies { }
  expect compensated "declned"
  expect calls pay, undo pay
}"#
);

mistake!(
    times_that_cannot_be_kept,
    r"participant shop {
  command Pack { order: string }
}
saga order {
  deadline 1h
  step pack {
    call shop.Pack { order: saga.id }
    timeout 30s  retry 0 times every 10s..1s  within 20s
    compensate nothing
  }
  sleep 1h
}"
);

mistake!(
    two_participants_read_one_topic_and_one_the_engines,
    r#"participant shop { commands "orders"  command Pack { order: string } }
participant post { commands "orders"  events "saga.requests"  command Ship { order: string } }
saga order {
  pivot
  step pack { call shop.Pack { order: saga.id } }
  step ship { call post.Ship { order: saga.id } }
}"#
);

mistake!(
    a_compensation_that_can_be_refused_and_codes_of_the_engine,
    r#"participant shop {
  command Reserve { order: string } fails "timeout", "sold_out"
  command Release { order: string } fails "shipped"
}
saga order {
  step reserve {
    call shop.Reserve { order: saga.id }
    compensate shop.Release { order: saga.id, why: failure.reason }
  }
  fail "cancelled", "at " + text(saga.started)
}"#
);

mistake!(
    types_that_are_not_there_or_hold_themselves,
    r"type Part { name: string, name: string, parts: list<Part> }
type Names = list<string>
saga assemble {
  input { amount: money, part: Prt, at: datetime, other: Widget }
}
saga list {
  input Names
}"
);

mistake!(
    steps_that_do_nothing_or_too_much,
    r#"participant mail {
  command Tell { text: string }
  message Told { text: string }
}
saga order {
  step nothing_at_all { }
  step told { call mail.Told { text: "soon" }  compensate nothing }
  pivot
  step tell { call mail.Tell { text: "done" }  compensate mail.Tell { text: "not done" } }
}
scenario "all is well" for ordr {
  expect completed
}"#
);

mistake!(
    some_words_of_a_choice_and_nothing_for_the_others,
    r#"saga order {
  input { speed: "slow" | "fast" | "at_once" }
  when input.speed == "slow" { sleep 2d }
  otherwise when input.speed == "fast" { sleep 1d }
}"#
);

//! What people write by habit of other languages and systems, and what they are told: the snapshots read as
//! documentation.

mistake!(
    repeat_without_otherwise,
    "saga booking {
  repeat at most 3 times { step a { call x.A  compensate nothing } } until a.done
  repeat 3 { } otherwise { }
}"
);

mistake!(
    await_without_its_end,
    "saga booking {
  await approval within 8h
  await approval
}"
);

mistake!(
    await_in_another_order,
    "saga booking {
  await approval where approval.n == 1 as given within 8h otherwise {}
  await approval within 8h where approval.n == 1 otherwise {}
  await approval as one as two within 8h within 9h otherwise {}
}"
);

mistake!(
    try_without_catch,
    "saga booking {
  try { step a { call x.A  compensate nothing } }
}"
);

mistake!(
    for_each_of_habit,
    "saga booking {
  for item in input.items { }
  for each item of input.items { }
  for each item in input.items at most 5 { }
  foreach item in input.items { }
}"
);

mistake!(
    if_and_else_as_statements,
    r#"saga booking {
  if input.gift { fail "a" } else if input.big { fail "b" } else { fail "c" }
}"#
);

mistake!(
    statements_of_habit,
    r#"saga booking {
  while input.x > 0 { step a { call x.A  compensate nothing } }
  return 5
  throw "x"
  wait 5m
  call hotels.Reserve { nights: 2 }
  if_done { }
}"#
);

mistake!(
    misspelt_words,
    "saga booking {
  paralel { stp a { } }
  sequnce { step a { cal x.A  compensat nothing } }
}"
);

mistake!(
    a_second_mistake_behind_something_unreadable,
    r#"saga booking {
  let a = if 3 then 4
  @@@ what is this
  frobnicate a
  blorb { x }
  let b = 1
}
scenario "x" for booking {
  expect compensate "full"
  expects calls a
  frobnicate
}"#
);

mistake!(
    times_of_nothing,
    "saga booking {
  step a { call x.A  compensate nothing retry 3 times  timeout 5s }
}"
);

mistake!(
    semicolons,
    "saga booking {
  let a = 1;
  let b = { x: 1; y: 2 };
}"
);

mistake!(
    foreign_comments,
    "# a saga
saga booking { /* the version
  of it */ version 1 # one
}"
);

mistake!(
    equals_in_objects_colons_elsewhere,
    "saga booking {
  version: 1
  deadline = 5m
  step a { call: x.A { a = 1, b = 2 }  timeout: 5s  compensate: nothing }
  let b: 5
}"
);

mistake!(
    commas,
    "saga booking {
  output { a: [1 2, 3,, 4,], b: count(x,), , c: 1 },
}"
);

mistake!(
    arguments_in_parentheses,
    "saga booking {
  step a { call x.A(nights: 2)  compensate x.B with { id: 1 } }
}"
);

mistake!(
    targets,
    "saga booking {
  step a { call Reserve { }  compensate hotels.rooms.Cancel }
  step b { call }
  step c { send mail. }
}"
);

mistake!(
    quotes_missing,
    r#"use payment.saga
participant hotels { commands hotel.commands  command Reserve fails sold_out, "full" }
type Size = small | "big"
saga booking { fail sold_out }
scenario "x" for booking { when a fails declined  expect compensated declined }"#
);

mistake!(
    durations,
    r#"saga booking {
  deadline 15min
  step a {
    call x.A
    timeout 10 s
    retry 3 times every 200millis..5 seconds
    compensate x.B timeout 10 retry 2 times every "1s"
  }
  sleep 1.5h
  sleep 2weeks
}"#
);

mistake!(
    retry_of_habit,
    "saga booking {
  step a { call x.A  retry 3  compensate nothing }
  step b { call x.A  retries 3  compensate nothing }
  step c { call x.A  retry 3 times every 1s...5s }
}"
);

mistake!(
    numbers,
    r#"saga booking {
  version "1"
  let a = .5 + 1e5 + 0x1F + 1.2.3
}"#
);

mistake!(
    types_of_habit,
    r#"type A { a: [string], b: string[], c?: int, d = int, e: List<int>, f: Optional<string>, g: map<string, int>, h: string??, i bool, j: "a" | null }
type B = string | int
type C"#
);

mistake!(
    at_most_of_habit,
    r#"participant a {
  at most 5
  at most 5 per day
  at most at once
  answers
  topic "x"
  event Created { }
}"#
);

mistake!(
    messages_that_answer,
    r#"participant mail { message Told { } returns { id: string } fails "x" }
participant a { command A returns { } { } }"#
);

mistake!(
    scenario_of_habit,
    r#"scenario "a" for booking {
  expect completed
  given { a: 1 }
  when reserve
  when reserve times
  when
  then completed
}
scenario "b" for booking { given { } }
scenario booking { expect completed }"#
);

mistake!(
    trigger_without_topic,
    "trigger a { event { x: string } start booking { id: event.x } }
trigger b { }"
);

mistake!(
    things_outside,
    r#"step a { call x.A }
service hotels { }
sga booking { }
import "x"
}
saga other { version 1 }"#
);

mistake!(
    declarations_inside,
    "saga booking {
  participant hotels { command A }
  output { a: 1 }
  parallel { output { b: 1 }  version 2 }
}"
);

mistake!(
    documentation_of_nothing,
    "/// of the saga
saga booking {
  /// of the step
  step a { compensate nothing }
  /// of nothing
}
/// of nothing either
"
);

mistake!(
    two_mistakes_in_two_items,
    r#"participant hotels {
  command Reserve { nights: int } returns { hold: string } fails "sold_out"
  command Cancel { hold string }
}
saga booking {
  step reserve { call hotels.Reserve { nights 2 }  compensat hotels.Cancel }
}"#
);

mistake!(
    javascript,
    r#"const saga = new Saga();
saga.step("reserve", async (ctx) => {
  await ctx.call("hotels", { nights: 2 });
});"#
);

mistake!(
    yaml,
    "sagas:
  booking:
    version: 1
    steps:
      - step: reserve
        call: hotels.Reserve
"
);

mistake!(
    empty_braces,
    "saga { }
participant { }
type { }
use
scenario { }
trigger { }"
);

mistake!(
    only_words,
    "saga
participant
type"
);

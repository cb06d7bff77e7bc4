//! Personal data in the message of a failure.

use super::findings;

#[test]
fn messages_made_of_personal_data_in_a_saga_and_in_one_that_it_runs() {
    insta::assert_snapshot!(findings(
        r#"saga inner {
  input { why: string, personal name: string }
  when input.why == "" { fail "empty", "for " + input.name }
  fail "given", input.why
}
saga outer {
  input { personal pin: string, guests: list<{ personal name: string, age: int }> }
  for each name in input.guests[*].name { when length(name) > 5 { fail "long", name } }
  when count(input.guests) > 5 { fail "many", "there are " + text(count(input.guests)) }
  step once { run inner { why: "", name: input.pin } }
  step again { run inner { why: input.pin + "?", name: "" } }
}
"#
    ));
}

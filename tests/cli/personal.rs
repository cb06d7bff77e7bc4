//! What is personal, and what is made of it, is shown to nobody: not by a run, not when it is looked at, in no form.

use super::serving::Server;
use super::{Desk, in_form};

/// A value of each kind that is made of something personal: computed, listed, in an object, given to a saga and given back.
const CARD: &str = r#"participant bank {
  command Open { holder: string } returns { personal iban: string, branch: string } fails "closed"
  command Close { iban: string? }
}
saga letter {
  input { text: string }
  let line = "Dear " + input.text
  output { line: line, length: length(line) }
}
saga card {
  version 1
  input { personal pin: string, guests: list<{ personal name: string, age: int }>, city: string }
  let loud = input.pin + "!"
  let is_long = length(input.pin) > 4
  let names = input.guests[*].name
  let first = { name: names[0] ?? "", city: input.city }
  for each name in names { let greeting = "hello " + name }
  step account { call bank.Open { holder: input.pin } compensate bank.Close { iban: account.iban } }
  step told { run letter { text: input.pin } }
  output {
    loud: loud, iban: account.iban, branch: account.branch, line: told.line, length: told.length,
    is_long: is_long, first: first, greetings: greeting
  }
}
scenario "all goes well" for card {
  given { pin: "SECRET1", guests: [{ name: "SECRET2", age: 7 }, { name: "SECRET3", age: 8 }], city: "Graz" }
  when account replies { iban: "SECRET4", branch: "Graz" }
  expect completed
}
"#;

fn assert_hidden(shown: &str) {
    assert!(!shown.contains("SECRET") && shown.contains("(personal)"), "{shown}");
}

#[test]
fn what_is_made_of_personal_data_is_hidden() {
    let desk = Desk::with("card.saga", CARD);
    let run = desk.saga(&["run", "card.saga", "--scenario", "all goes well", "--id", "c-1"]);
    assert_hidden(&run);
    insta::assert_snapshot!(in_form(&run));
    insta::assert_snapshot!(in_form(&desk.saga(&["show", "c-1"])));
    insta::assert_snapshot!(in_form(&desk.saga(&["history", "c-1"])));
    for looked in ["show", "history"] {
        assert_hidden(&desk.saga(&[looked, "c-1", "--json"]));
    }
}

/// A bank that answers with a number for the account, a field that nobody knows, and a branch of another type.
const MUDDLED: &str = r#"
while read -r line; do
  field() { printf '%s' "$line" | sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
  printf '{"command":"%s","kind":"%s","attempt":1,"status":"succeeded","data":{"iban":777000,"holder":"SECRET5","branch":12}}\n' \
    "$(field command)" "$(field kind)"
done
"#;

#[test]
#[cfg(unix)]
fn an_answer_that_does_not_fit_shows_nothing_personal() {
    let desk = Desk::with("card.saga", CARD.replace("holder: input.pin }", "holder: input.pin } timeout 1h"));
    desk.file("muddled.sh", MUDDLED);
    let server = Server::at(desk, &["card.saga", "--participant", "bank=process:sh muddled.sh"]);
    let input = r#"{ "pin": "SECRET1", "guests": [], "city": "Graz" }"#;
    server.ask("POST", "/instances", &format!(r#"{{ "saga": "card", "id": "c-1", "input": {input} }}"#));
    while !server.ask("GET", "/instances/c-1", "").1["flow"].to_string().contains("unfit") {
        std::thread::yield_now();
    }
    let history = server.ask("GET", "/instances/c-1/history", "").1;
    let events: Vec<_> =
        history["entries"].as_array().unwrap().iter().flat_map(|entry| entry["events"].as_array().unwrap()).collect();
    let unfit = events.iter().find(|event| event["event"] == "unfit").unwrap();
    assert_eq!(unfit["payload"], serde_json::json!({ "iban": "(personal)", "holder": "(personal)", "branch": 12 }));
    let why = "an answer that does not fit its contract counts as none: at iban: expected string, found a number; \
               at branch: expected string, found 12";
    assert_eq!(unfit["text"], why);
    for shown in [history.to_string(), server.ask("GET", "/instances/c-1", "").1.to_string()] {
        assert!(!shown.contains("SECRET") && !shown.contains("777000"), "{shown}");
    }
}

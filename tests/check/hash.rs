//! The content hash: the same for the same meaning, another for another.

use super::{check, findings};

const SOURCE: &str = r#"type Room { hotel: string, nights: int }
participant hotels {
  answers queries
  command Reserve Room returns { hold: string } fails "sold_out"
  command Cancel { hold: string? }
}
saga booking {
  version 1
  input { room: Room, amount: decimal, at: timestamp? }
  deadline 15m
  step reserve {
    call hotels.Reserve { hotel: input.room.hotel, nights: input.room.nights }
    timeout 5s
    compensate hotels.Cancel { hold: reserve.hold }
  }
  when input.amount > 100 { fail "too_dear", "it is " + text(input.amount) }
  sleep 1m
  output { hold: reserve.hold }
}
"#;

fn hash(source: &str) -> String {
    let checked = check(source);
    assert!(!checked.has_errors(), "{}", findings(source));
    checked.program.sagas["booking"].hash().to_string()
}

#[test]
fn layout_comments_docs_and_names_of_types_do_not_count() {
    let expected = hash(SOURCE);
    assert_eq!(expected.len(), 64);
    for (from, to) in [
        ("\n", "\n\n  // a remark\n"),
        ("saga booking", "/// Books.\nsaga booking"),
        ("Room", "Chamber"),
        ("  timeout 5s\n", "  timeout 5s  retry 3 times every 200ms..5s\n"),
        ("15m", "900s"),
        ("participant hotels {", "participant post { command Send { to: string } }\nparticipant hotels {"),
    ] {
        assert_eq!(hash(&SOURCE.replace(from, to)), expected, "{from} became {to}");
    }
}

#[test]
fn whatever_changes_what_an_instance_does_counts() {
    let expected = hash(SOURCE);
    for (from, to) in [
        ("version 1", "version 2"),
        ("saga booking", "saga booking2"),
        ("15m", "16m"),
        ("timeout 5s", "timeout 6s"),
        ("timeout 5s", "timeout 5s  retry 4 times"),
        ("timeout 5s", "timeout 5s  within 1m"),
        ("  answers queries\n", ""),
        ("answers queries", "answers queries  commands \"rooms\""),
        ("answers queries", "answers queries  at most 5 at once"),
        ("\"sold_out\"", "\"sold_out\", \"closed\""),
        ("command Cancel", "command Cancel as \"cancel\""),
        ("returns { hold: string }", "returns { hold: string, floor: int }"),
        ("amount: decimal", "personal amount: decimal"),
        ("at: timestamp?", "at: timestamp"),
        ("> 100", "> 101"),
        ("> 100", ">= 100"),
        ("\"too_dear\"", "\"dear\""),
        ("\"it is \"", "\"is \""),
        ("sleep 1m", "sleep 2m"),
        ("  sleep 1m\n", ""),
        ("sleep 1m", "pivot sleep 1m"),
        ("output { hold: reserve.hold }", "output { held: reserve.hold }"),
        ("compensate hotels.Cancel { hold: reserve.hold }", "compensate nothing"),
    ] {
        let changed = SOURCE.replace(from, to);
        assert_ne!(changed, SOURCE, "{from} is in the source");
        let hash = if to == "saga booking2" {
            let checked = check(&changed);
            checked.program.sagas["booking2"].hash().to_string()
        } else {
            hash(&changed)
        };
        assert_ne!(hash, expected, "{from} became {to}");
    }
}

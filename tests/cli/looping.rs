//! Loops as people see them: how far they are, what of them is stuck, and which element an order means.

use super::Desk;

const INVITE: &str = r#"participant post {
  command Invite { to: string } returns { letter: string } fails "moved"
  command Withdraw { letter: string? }
}
saga invite {
  version 1
  input { guests: list<{ personal name: string, street: string }> }
  for each guest in input.guests, at most 12 at once {
    step invited {
      call post.Invite { to: guest.name + ", " + guest.street }
      compensate post.Withdraw { letter: invited.letter }
    }
  }
}
scenario "one has moved, and another letter cannot be got back" for invite {
  given { guests: [GUESTS] }
  when invited[14] fails "moved"
  when undo invited[2] fails
  expect stuck undo invited[2]
}
"#;

fn desk() -> Desk {
    let desk = Desk::new();
    let guests: Vec<String> = (1..15).map(|n| format!(r#"{{ name: "ana", street: "road {n}" }}"#)).collect();
    desk.file("invite.saga", INVITE.replace("GUESTS", &guests.join(", ")));
    let stuck = "one has moved, and another letter cannot be got back";
    let run = desk.saga(&["run", "invite.saga", "--scenario", stuck, "--id", "party"]);
    assert!(run.ends_with("[exit status: 4]\n"), "{run}");
    desk
}

#[test]
fn how_far_it_is_and_what_is_stuck() {
    let desk = desk();
    let shown = desk.saga(&["show", "party"]);
    assert!(shown.contains("1 to take back, 13 not shown"), "{shown}");
    assert!(shown.contains("invited[2]") && shown.contains("STUCK taking back"), "{shown}");
    assert!(!shown.contains("invited[3]"), "what is over is left out where there are many: {shown}");
    let json: serde_json::Value =
        serde_json::from_slice(&desk.command(&["show", "party", "--json"]).output().unwrap().stdout).unwrap();
    let flow = json["flow"].as_array().unwrap();
    let places: Vec<_> = flow.iter().map(|one| (one["word"].as_str().unwrap(), one["at"].as_str().unwrap())).collect();
    assert_eq!(places, [("for each", "each#1"), ("element", "guest[2]"), ("step", "invited[2]")]);
    assert_eq!(flow[0]["progress"], serde_json::json!({ "of": 14, "over": 13, "left": 1, "hidden": 13 }));
    assert_eq!(json["instance"]["at"], serde_json::json!(["invited[2]"]));
}

#[test]
fn an_order_means_one_element() {
    let desk = desk();
    assert!(desk.saga(&["retry", "party", "--step", "invited[3]"]).ends_with("[exit status: 6]\n"));
    let taken = desk.saga(&["resolve", "party", "invited[2]", "--undo", "--succeeded"]);
    assert!(taken.ends_with("[exit status: 0]\n"), "{taken}");
    let shown = desk.saga(&["show", "party"]);
    assert!(shown.contains("compensated"), "{shown}");
}

#[test]
fn personal_fields_of_elements_are_shown_to_nobody() {
    let desk = desk();
    for arguments in [["show", "party"], ["history", "party"]] {
        let shown = desk.saga(&arguments);
        assert!(!shown.contains("ana") && shown.contains("(personal)"), "{shown}");
    }
    let history = desk.saga(&["history", "party"]);
    assert!(history.contains("each#1") && history.contains("14 elements"), "{history}");
}

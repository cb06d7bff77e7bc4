//! Choreographed sagas: checked, played and drawn, and refused plainly where they would have to run.

use super::Desk;

#[test]
fn it_is_checked_and_played_and_is_not_run_yet() {
    let desk = Desk::with(
        "order.saga",
        r#"participant cards {
  command Charge { amount: decimal } fails "declined"
}
participant stock {
  command Pick { order: string }
}
saga order {
  version 1
  coordination choreography
  input { amount: decimal }
  pivot step charge { call cards.Charge { amount: input.amount } }
  step pick { call stock.Pick { order: saga.id } }
}
scenario "declined" for order {
  given { amount: 10.00 }
  when charge fails "declined"
  expect compensated "declined"
}
"#,
    );
    let mut shown = desk.saga(&["check", "order.saga"]);
    shown.push_str(&desk.saga(&["test", "order.saga"]));
    shown.push_str(&desk.saga(&["fmt", "--check", "order.saga"]));
    shown.push_str(&desk.saga(&["run", "order.saga"]));
    shown.push_str(&desk.saga(&["serve", "order.saga"]));
    #[cfg(feature = "kafka")]
    shown.push_str(&desk.saga(&["deploy", "order.saga", "--kafka", "127.0.0.1:1"]));
    insta::assert_snapshot!(shown);
}

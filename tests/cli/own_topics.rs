//! Definitions that name topics of the deployment on Kafka in which they are to be run. No broker is needed to see it.

use super::Desk;

const FILE: &str = r#"participant stock {
  commands "orders.journal"
  command Reserve { order: string }
}
saga order {
  version 1
  input { order: string }
  pivot step reserve { call stock.Reserve { order: input.order } }
}
trigger ordered {
  on "orders.replies"
  event { order: string }
  start order { id: event.order, input: { order: event.order } }
}
"#;

/// A journal to which commands are written fences its own partition, again and again.
#[test]
fn are_refused_wherever_they_are_run() {
    let desk = Desk::with("order.saga", FILE);
    let mut shown = String::new();
    for command in [
        &["init", "order.saga"][..],
        &["deploy", "order.saga"],
        &["serve", "order.saga", "--listen", "127.0.0.1:0"],
        &["run", "order.saga", "--input", r#"{"order":"o-1"}"#],
    ] {
        shown += &desk.saga(&[command, &["--kafka", "127.0.0.1:1", "--prefix", "orders"]].concat());
    }
    insta::assert_snapshot!(shown);
    let checked = desk.saga(&["check", "order.saga", "--brief"]);
    assert!(checked.contains("no findings"), "with another prefix it may run: {checked}");
}

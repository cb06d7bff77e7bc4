//! Files that use others, on disk: which may be used, what every command makes of them, and that what is stored needs none.

use std::fs;

use super::{Desk, in_form};

const PAY: &str = r#"participant bank {
  command Charge { amount: decimal } returns { receipt: string } fails "declined"
  command Refund { receipt: string? }
}
saga pay {
  version 1
  input { amount: decimal }
  step charge {
    call bank.Charge { amount: input.amount }
    compensate bank.Refund { receipt: charge.receipt }
  }
  when input.amount > 1000 { fail "too_much" }
  output { receipt: charge.receipt }
}
"#;

const ORDER: &str = r#"use "parts/pay.saga"

saga order {
  version 1
  input { amount: decimal }
  step paid { run pay { amount: input.amount } }
  output { receipt: paid.receipt }
}

scenario "paid" for order {
  given { amount: 10.00 }
  expect completed { receipt: "paid.charge" }
}
"#;

fn desk() -> Desk {
    let desk = Desk::new();
    fs::create_dir(desk.path().join("parts")).unwrap();
    desk.file("parts/pay.saga", PAY);
    desk.file("order.saga", ORDER);
    desk
}

#[test]
fn every_command_takes_a_file_with_what_it_uses() {
    let desk = desk();
    let mut shown = desk.saga(&["check", "order.saga"]);
    shown.push_str(&desk.saga(&["test", "order.saga"]));
    shown.push_str(&desk.saga(&["graph", "order.saga"]));
    shown.push_str(&desk.saga(&["fmt", "--check", "order.saga", "parts/pay.saga"]));
    shown.push_str(&desk.saga(&["fmt", "--to", "yaml", "order.saga"]));
    insta::assert_snapshot!(shown);
    let schema = desk.saga(&["schema", "order.saga"]);
    assert!(schema.contains("bank.commands"), "{schema}");
}

#[test]
fn findings_are_shown_where_they_are_and_once() {
    let desk = desk();
    desk.file("parts/pay.saga", PAY.replace("charge.receipt }\n  }", "charge.recept }\n  }"));
    desk.file("other.saga", ORDER.replace("order", "other"));
    insta::assert_snapshot!(desk.saga(&["check", "order.saga", "other.saga", "parts/pay.saga"]));
}

#[test]
fn standard_input_uses_files_of_the_working_directory() {
    let desk = desk();
    let shown = desk.saga_reading(&["check", "-"], ORDER);
    assert!(shown.contains("no findings"), "{shown}");
}

#[test]
fn files_are_used_from_below_one_folder() {
    let desk = desk();
    let inner = "use \"../parts/pay.saga\"\nsaga small { version 1  step paid { run pay { amount: 1.00 } } }\n";
    fs::create_dir(desk.path().join("sagas")).unwrap();
    desk.file("sagas/small.saga", inner);
    insta::assert_snapshot!(desk.saga(&["check", "sagas/small.saga"]));
    // What is not there is not said to be missing, out there.
    desk.file("sagas/curious.saga", "use \"../../../../../../../../etc/nothing.saga\"\ntype A = int\n");
    let shown = desk.saga(&["check", "sagas/curious.saga"]);
    assert!(shown.contains("SG0222") && !shown.contains("SG0221"), "{shown}");
    // The nearest `saga.toml` above the file marks the folder, wherever the command is given.
    desk.file("saga.toml", "");
    let shown = desk.saga(&["check", "sagas/small.saga"]);
    assert!(shown.contains("no findings"), "{shown}");
}

#[cfg(unix)]
#[test]
fn links_and_pipes_lead_nowhere_else() {
    use std::os::unix::fs::symlink;
    let desk = desk();
    let elsewhere = Desk::with("pay.saga", PAY);
    fs::remove_file(desk.path().join("parts/pay.saga")).unwrap();
    symlink(elsewhere.path().join("pay.saga"), desk.path().join("parts/pay.saga")).unwrap();
    let shown = desk.saga(&["check", "order.saga"]);
    assert!(shown.contains("SG0222"), "a link that leads out: {shown}");
    fs::remove_file(desk.path().join("parts/pay.saga")).unwrap();
    desk.file("real.saga", PAY);
    symlink(desk.path().join("real.saga"), desk.path().join("parts/pay.saga")).unwrap();
    let shown = desk.saga(&["check", "order.saga"]);
    assert!(shown.contains("no findings"), "a link inside: {shown}");
    fs::remove_file(desk.path().join("parts/pay.saga")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(desk.path().join("parts/pay.saga")).status();
    assert!(made.unwrap().success());
    let shown = desk.saga(&["check", "order.saga"]);
    assert!(shown.contains("is no file"), "nobody waits for a pipe: {shown}");
}

#[test]
fn what_was_started_needs_the_files_no_more() {
    let desk = desk();
    let run = ["run", "order.saga", "--id", "order-1", "--input", "{\"amount\":\"10.00\"}", "--data", "data"];
    let shown = desk.saga(&run);
    assert!(shown.contains("[exit status: 0]"), "{shown}");
    fs::remove_file(desk.path().join("order.saga")).unwrap();
    fs::remove_dir_all(desk.path().join("parts")).unwrap();
    insta::assert_snapshot!(in_form(&desk.saga(&["show", "order-1", "--data", "data"])));
}
